//! Rows and columns of numbers.

use crate::shapes::half_width;
use crate::text::{count_of, number};
use crate::{Error, Result, error::debug_as_display};
use std::{fmt, str::FromStr};

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

/// Reads a row of numbers from each line, separated by blanks or commas: `"1 2 0\n0 -1 1/2"`. The brackets of
/// Rust and of Python are understood, too: `[[1, 2], [3, 4]]`.
impl FromStr for Grid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Grid> {
        let text = half_width(text).replace([']', ';'], "\n").replace(['[', ','], " ");
        let rows = text.lines().filter(|line| !line.trim().is_empty());
        let (mut values, mut height, mut width) = (Vec::new(), 0, 0);
        for row in rows {
            let before = values.len();
            for (column, word) in row.split_whitespace().enumerate() {
                values.push(read_number(word).ok_or_else(|| {
                    Error::new(format!(
                        "row {height}, column {column}: expected a number such as 2, -0.5 or 1/9, got `{word}`"
                    ))
                })?);
            }
            let count = values.len() - before;
            if height > 0 && count != width {
                return Err(Error::new(format!(
                    "row {height}: expected {}, as in row 0, got {count}: every row of a matrix has the same \
                     number of columns (rows are counted from 0)",
                    count_of(width as u64, "number", "numbers")
                )));
            }
            (height, width) = (height + 1, count);
        }
        if height == 0 {
            return Err(Error::new("expected rows of numbers such as `1 2 0`, got none"));
        }
        Grid::new(height, width, values)
    }
}

/// Reads a number as learners write it: `-1`, `0.5`, `1/9`; also with the sign − and in the full-width characters
/// of Korean keyboards.
pub fn read_number(text: &str) -> Option<f32> {
    let text = half_width(text.trim()).replace('\u{2212}', "-");
    match text.split_once('/') {
        // As in PyTorch, a division by zero is infinite or NaN.
        Some((above, below)) => {
            Some((above.trim().parse::<f64>().ok()? / below.trim().parse::<f64>().ok()?) as f32)
        }
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_learners_write_them() {
        let read = ["-1", " 0.5 ", "\u{2212}2", "1/9", "-1 / 4", "１２", "1/0", "1e3"].map(read_number);
        let expected = [-1.0, 0.5, -2.0, 1.0 / 9.0, -0.25, 12.0, f32::INFINITY, 1000.0];
        assert_eq!(read, expected.map(Some));
        assert!(read_number("nan").unwrap().is_nan());
        assert_eq!(["", "x", "1/", "1/2/3", "0,5"].map(read_number), [None; 5]);
    }

    #[test]
    fn a_grid_is_read_from_text() {
        let read = |text: &str| text.parse::<Grid>().unwrap();
        let grid = read("1 2 0\n 0 \u{2212}1 1/2\n\n");
        assert_eq!((grid.height(), grid.width()), (2, 3));
        assert_eq!(grid.values(), [1.0, 2.0, 0.0, 0.0, -1.0, 0.5]);
        for same in ["[[1, 2, 0],\n [0, -1, 0.5]]", "1,2,0;0,-1,.5", "1\t2\t0\r\n0\t-1\t0.5"] {
            assert!(read(same) == grid, "{same}");
        }
        let error = |text: &str| text.parse::<Grid>().unwrap_err().to_string();
        assert_eq!(error("1 2\n3 x"), "row 1, column 1: expected a number such as 2, -0.5 or 1/9, got `x`");
        assert!(error("1 2\n3").starts_with("row 1: expected 2 numbers, as in row 0, got 1"));
        assert!(error(" \n").contains("got none"));
    }
}
