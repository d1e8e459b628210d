//! Rows and columns of numbers.

use crate::{Error, Result, error::debug_as_display, text::number};
use std::fmt;

/// A grid of numbers with at least one row and one column.
#[derive(Clone, PartialEq)]
pub struct Grid {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl Grid {
    /// A grid of these values, row by row from the top.
    ///
    /// # Errors
    /// When there are not `height * width` values, or none at all.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<Grid> {
        let needed = height.checked_mul(width).filter(|needed| *needed > 0);
        if needed != Some(values.len()) {
            let needs = match needed {
                Some(needed) => format!("needs {needed} values"),
                None if height == 0 || width == 0 => "is empty: expected at least 1 row and 1 column".into(),
                None => "has more values than a computer can count".into(),
            };
            return Err(Error::new(format!(
                "a matrix of {height} rows and {width} columns {needs}, got {}",
                values.len()
            )));
        }
        Ok(Grid { height, width, values })
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All numbers, row by row from the top.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// One row, counted from 0; empty when there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        self.values.chunks_exact(self.width).nth(row).unwrap_or_default()
    }

    /// Transposes the grid: rows become columns.
    pub fn transpose(&self) -> Grid {
        let at = |i: usize| self.values[(i % self.height) * self.width + i / self.height];
        let values = (0..self.values.len()).map(at).collect();
        Grid { height: self.width, width: self.height, values }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.values.iter().map(|v| number(*v)).collect();
        let widest = shown.iter().map(|s| s.chars().count()).max().unwrap_or(0);
        for (i, row) in shown.chunks(self.width).enumerate() {
            let cells: Vec<String> = row.iter().map(|s| format!("{s:>widest$}")).collect();
            write!(f, "{}{}", if i > 0 { "\n" } else { "" }, cells.join(" "))?;
        }
        Ok(())
    }
}

debug_as_display!(Grid);
