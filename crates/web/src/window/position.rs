//! A position of a figure: what a script asks about when the pointer is on a number.

use nchw_core::{Error, Result};
use serde::Deserialize;

/// A row and a column, and the figure that they are in.
#[derive(Clone, Deserialize)]
pub(crate) struct Position<A> {
    #[serde(flatten)]
    pub ask: A,
    pub row: usize,
    pub col: usize,
}

impl<A> Position<A> {
    /// The row and the column, if the output has them.
    pub fn within(&self, [height, width]: [usize; 2]) -> Result<[usize; 2]> {
        if self.row >= height || self.col >= width {
            return Err(Error::new(format!(
                "there is no row {}, column {} in an output of {height} x {width}: they are counted from 0",
                self.row, self.col
            )));
        }
        Ok([self.row, self.col])
    }
}
