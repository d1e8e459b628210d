//! Layers in sequence, up to the first that does not fit.

use super::apply::fault::Fault;
use super::apply::field::Growing;
use super::apply::row::{Row, connect};
use super::layer::{Layer, joined};
use super::parse::parser;
use super::shape::{LIMIT, Shape};
use super::table::{Table, Totals};
use crate::{Error, Result, error::debug_as_display};
use std::{fmt, ops::Range, str::FromStr};

/// Layers in sequence, from code or from text.
///
/// ```
/// use nchw::shapes::{Chain, chain, conv, flatten, linear, max_pool};
/// let from_code = chain![conv(10, 3), max_pool(2), flatten(), linear(10)];
/// let from_text: Chain = "conv 10 3x3; maxpool 2; flatten; linear 10".parse()?;
/// assert_eq!(from_code, from_text);
/// # Ok::<(), nchw::Error>(())
/// ```
///
/// # Text
/// Layers are separated by `;`, a new line or `->`. A layer consists of its name,
/// its numbers, then options in any order:
/// `conv 10 3x5 stride 2 padding 1`, `conv 3->10 3x3` (channels given),
/// `convt 8 2x2 stride 2 output_padding 1`, `maxpool 2`, `avgpool 3 stride 2 ceil`,
/// `gap`, `gmp`, `flatten`, `linear 10`, `relu`, `bn`, `dropout 0.5`;
/// options are `stride`, `padding` (a number, or `same`), `dilation`, `groups`,
/// `ceil`, `output_padding`, `nobias`.
///
/// PyTorch's notation works, too, and a whole `nn.Sequential(…)` can be pasted:
///
/// ```
/// use nchw::shapes::Chain;
/// let pasted: Chain = "nn.Sequential(
///     nn.Conv2d(3, 10, kernel_size=3, stride=(2, 1), bias=False),
///     nn.MaxPool2d(2, 2),
/// )".parse()?;
/// assert_eq!(pasted.to_string(), "conv 3->10 3x3 stride 2x1 nobias; maxpool 2x2 stride 2");
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Chain {
    /// The layers, in order.
    pub layers: Vec<Layer>,
}

/// A chain of these layers. An iterator of layers becomes a chain with `collect()`.
///
/// It is a macro because the layers have different types, so they cannot be in one array.
///
/// ```
/// use nchw::prelude::*;
/// let net = chain![conv(10, 3).padding(1), relu(), max_pool(2), flatten(), linear(5)];
/// println!("{:?}", net.on([3, 20, 30]));
/// let growing: shapes::Chain = (1..5).map(|block| conv(8 * block, 3)).collect();
/// assert_eq!(growing.to_string(), "conv 8 3x3; conv 16 3x3; conv 24 3x3; conv 32 3x3");
/// ```
#[macro_export]
macro_rules! chain {
    // For `chain([…])`, the compiler suggests this.
    ([$($layer:expr),* $(,)?]) => {
        $crate::chain![$($layer),*]
    };
    ($($layer:expr),* $(,)?) => {
        $crate::shapes::Chain { layers: vec![$($crate::shapes::Layer::from($layer)),*] }
    };
}
pub use chain;

impl<L: Into<Layer>> FromIterator<L> for Chain {
    fn from_iter<I: IntoIterator<Item = L>>(layers: I) -> Chain {
        Chain { layers: layers.into_iter().map(L::into).collect() }
    }
}

/// The table of a chain, from the input's shape and the layers as text.
///
/// # Errors
/// When a text cannot be read; the message says where, what was found, and what
/// was expected. A layer that does not fit is not an error: the table reports it
/// in `problem`.
///
/// ```
/// let table = nchw::shapes::table("3x7x9", "conv 10 3x3; conv 20 3x3")?;
/// assert_eq!(table.rows[1].weight, [20, 10, 3, 3]);
/// assert_eq!(table.rows[1].output, [20, 3, 5].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn table(input: &str, layers: &str) -> Result<Table> {
    let input: Shape = input.parse()?;
    Ok(layers.parse::<Chain>()?.on(input))
}

impl Chain {
    /// The characters of each layer in the text of a chain, counted from 0. A page marks them.
    ///
    /// # Errors
    /// If the text cannot be read.
    ///
    /// ```
    /// use nchw::shapes::Chain;
    /// assert_eq!(Chain::spans("conv 10 3x3; relu")?, [0..11, 13..17]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn spans(text: &str) -> Result<Vec<Range<usize>>> {
        parser::spans(text)
    }

    /// The table of this chain on an input, up to the first layer that does not fit.
    ///
    /// # Shapes
    /// N affects outputs, bytes and multiply-adds, never weights and parameters.
    pub fn on(&self, input: impl Into<Shape>) -> Table {
        let start = input.into();
        let mut table = Table { input: start, rows: vec![], totals: Totals::default(), problem: None };
        let (mut input, mut field) = (start, Growing::start(start));
        for (layer, position) in self.layers.iter().zip(1..) {
            let row = layer.row(input, field.as_ref());
            match row.and_then(|(row, after)| Ok((table.totals.plus(&row)?, row, after))) {
                Ok((totals, row, after)) => {
                    (input, field, table.totals) = (row.output, after, totals);
                    table.rows.push(row);
                }
                Err(fault) => {
                    table.problem = Some(layer.problem(position, input, fault));
                    break;
                }
            }
        }
        connect(start, &mut table.rows);
        table
    }
}

impl Totals {
    fn plus(&self, row: &Row) -> Result<Totals, Fault> {
        let too_large = || Fault::too_large("the totals");
        let add = |a: u64, b: u64| a.checked_add(b).filter(|&sum| sum <= LIMIT).ok_or_else(too_large);
        Ok(Totals {
            parameters: add(self.parameters, row.parameters)?,
            multiply_adds: add(self.multiply_adds, row.multiply_adds)?,
            bytes: add(self.bytes, row.bytes)?,
        })
    }
}

impl FromStr for Chain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Chain> {
        Ok(Chain { layers: parser::parse(text)? })
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.layers))
    }
}

debug_as_display!(Chain);
