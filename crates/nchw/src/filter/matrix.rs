//! A small matrix whose numbers can be read cell by cell.

use crate::{
    Result,
    error::debug_as_display,
    grid::Grid,
    numbers::{count_of_numbers, grid_of},
};
use std::fmt;
use tch::Tensor;

/// Rows and columns of numbers.
///
/// ```
/// use nchw::prelude::*;
/// let image = Matrix::from([[0, 0, 1], [0, 0, 1]]);
/// assert_eq!((image.height(), image.width()), (2, 3));
/// assert_eq!(image.transpose().row(2), [1.0, 1.0]);
/// ```
///
/// A matrix without rows or columns does not compile:
///
/// ```compile_fail,E0080
/// use nchw::prelude::*;
/// Matrix::from([[0; 0]; 3]);
/// ```
#[derive(Clone)]
pub struct Matrix {
    grid: Grid,
    meaning: Meaning,
    /// The numbers that are drawn black and white, if they are not the smallest and the largest.
    ends: Option<(f32, f32)>,
    /// How many rows and columns on each side are padding.
    padding: usize,
    /// Rows and columns of the regions that are drawn with thick lines.
    regions: Option<usize>,
}

/// What numbers mean, which decides their colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// The pixels of an image.
    Image,
    /// The weights or the result of a convolution: red above 0, white at 0, blue below.
    Signed,
    /// What is left after a ReLU: from white to red.
    Activations,
}

/// Compares the numbers, not how they are drawn.
impl PartialEq for Matrix {
    fn eq(&self, other: &Matrix) -> bool {
        self.grid == other.grid
    }
}

impl<T: Into<f64> + Copy, const H: usize, const W: usize> From<[[T; W]; H]> for Matrix {
    fn from(rows: [[T; W]; H]) -> Matrix {
        const { assert!(H > 0 && W > 0, "a matrix needs at least 1 row and 1 column") }
        let values = rows.iter().flatten().map(|v| (*v).into() as f32).collect();
        Matrix::new(H, W, values).expect("there are H * W values, and neither is 0")
    }
}

impl Matrix {
    /// A matrix of these values, row by row from the top.
    ///
    /// # Errors
    /// When there are not `height * width` values, or none at all.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<Matrix> {
        Ok(Matrix::of_grid(Grid::new(height, width, values)?))
    }

    /// A matrix from a tensor that holds one image with one channel.
    ///
    /// # Shapes
    /// `[H, W]`, `[1, H, W]` or `[1, 1, H, W]`.
    ///
    /// # Errors
    /// When the tensor holds more than one map; the message says how to select one.
    pub fn from_tensor(tensor: &Tensor) -> Result<Matrix> {
        Ok(Matrix::of_grid(grid_of(tensor)?))
    }

    /// A matrix whose number at each row and column is what the function gives, counted from 0.
    ///
    /// # Errors
    /// When `height` or `width` is 0, or there would be more than 100 million numbers.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let table = Matrix::from_fn(2, 3, |row, column| (10 * row + column) as f32)?;
    /// assert_eq!(table, Matrix::from([[0, 1, 2], [10, 11, 12]]));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn from_fn(height: usize, width: usize, at: impl Fn(usize, usize) -> f32) -> Result<Matrix> {
        let size = [height, width].map(|side| i64::try_from(side).unwrap_or(i64::MAX));
        let count = count_of_numbers(&size)?;
        Matrix::new(height, width, (0..count).map(|i| at(i / width, i % width)).collect())
    }

    pub(crate) fn of_grid(grid: Grid) -> Matrix {
        Matrix { grid, meaning: Meaning::Image, ends: None, padding: 0, regions: None }
    }

    /// Converts the matrix to a tensor of the shape that convolutions expect.
    ///
    /// # Shapes
    /// `[N=1, C=1, H, W]`, `f32`.
    pub fn tensor(&self) -> Tensor {
        Tensor::from_slice(self.values()).view([1, 1, self.height() as i64, self.width() as i64])
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.grid.height()
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.grid.width()
    }

    /// All numbers, row by row from the top.
    pub fn values(&self) -> &[f32] {
        self.grid.values()
    }

    /// One row, counted from 0; empty when there is no such row.
    pub fn row(&self, row: usize) -> Vec<f32> {
        self.grid.row(row).to_vec()
    }

    /// The number at a row and a column, counted from 0; NaN when there is no such position.
    pub fn at(&self, row: usize, column: usize) -> f32 {
        self.grid.row(row).get(column).copied().unwrap_or(f32::NAN)
    }

    /// Transposes the matrix: rows become columns.
    pub fn transpose(&self) -> Matrix {
        Matrix { grid: self.grid.transpose(), ..self.clone() }
    }

    /// The same numbers, drawn as a part of an image: `black` is black, `white` is white. Otherwise the
    /// smallest and the largest number (or 0) are.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let bytes = Matrix::from([[180, 190], [200, 210]]).between(0.0, 255.0);
    /// let figure = bytes.figure("A bright corner, from 0 to 255")?;
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn between(&self, black: f32, white: f32) -> Matrix {
        Matrix { meaning: Meaning::Image, ends: Some((black, white)), ..self.clone() }
    }

    /// The matrix with so many rows and columns of zeros on each side, which are drawn hatched: these zeros
    /// are not part of the image.
    ///
    /// # Errors
    /// When there would be more than 100 million numbers.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let image = Matrix::from([[1, 2]]).padded(1)?;
    /// assert_eq!(image, Matrix::from([[0, 0, 0, 0], [0, 1, 2, 0], [0, 0, 0, 0]]));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn padded(&self, padding: usize) -> Result<Matrix> {
        let [height, width] =
            [self.height(), self.width()].map(|side| padding.saturating_mul(2).saturating_add(side));
        let at = |row: usize, column: usize| match (row.checked_sub(padding), column.checked_sub(padding)) {
            (Some(row), Some(column)) if row < self.height() && column < self.width() => self.at(row, column),
            _ => 0.0,
        };
        let padded = Matrix::from_fn(height, width, at)?;
        Ok(Matrix { padding: padding + self.padding, meaning: self.meaning, ends: self.ends, ..padded })
    }

    /// The same numbers as a feature map, drawn with thick lines around regions of `side` × `side`, as pooling
    /// sees them.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let map = Matrix::from([[1, 0, 2, 3], [4, 6, 6, 8]]).regions(2);
    /// assert_eq!(map.max_pool(2)?, Matrix::from([[6, 8]]));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn regions(&self, side: usize) -> Matrix {
        let below = self.values().iter().any(|value| *value < 0.0);
        let meaning = if below { Meaning::Signed } else { Meaning::Activations };
        Matrix { regions: (side > 0).then_some(side), meaning, ..self.clone() }
    }

    /// How many rows and columns on each side are padding, and the side of the regions.
    pub(crate) fn lines(&self) -> (usize, Option<usize>) {
        (self.padding, self.regions)
    }

    /// The numbers that are drawn black and white, if they were chosen.
    pub(crate) fn ends(&self) -> Option<(f32, f32)> {
        self.ends
    }

    /// The numbers as a grid.
    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// What its numbers mean.
    pub(crate) fn means(&self) -> Meaning {
        self.meaning
    }

    /// The same numbers with this meaning.
    pub(crate) fn meaning(self, meaning: Meaning) -> Matrix {
        Matrix { meaning, ..self }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.grid.fmt(f)
    }
}

debug_as_display!(Matrix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_round_trips_without_transposing() {
        let matrix = Matrix::from([[1, 2, 3], [4, 5, 6]]);
        assert_eq!(matrix.tensor().size(), [1, 1, 2, 3]);
        assert_eq!(Matrix::from_tensor(&matrix.tensor()).unwrap(), matrix);
        assert_eq!(matrix.transpose(), Matrix::from([[1, 4], [2, 5], [3, 6]]));
        assert_eq!(matrix.to_string(), "1 2 3\n4 5 6");
    }

    #[test]
    fn a_wrong_number_of_values_is_refused() {
        let error = Matrix::new(2, 3, vec![1.0]).unwrap_err().to_string();
        assert!(error.contains("2 rows and 3 columns needs 6 values") && error.contains("got 1"), "{error}");
        let message = |height, width| Matrix::new(height, width, vec![1.0]).unwrap_err().to_string();
        assert!(message(usize::MAX, 2).contains("more values than a computer can count, got 1"));
        assert!(message(0, 5).contains("expected at least 1 row and 1 column"));
    }

    #[test]
    fn a_row_out_of_range_is_empty() {
        let matrix = Matrix::from([[1, 2, 3], [4, 5, 6]]);
        assert_eq!([0, 1, 2, usize::MAX].map(|row| matrix.row(row).len()), [3, 3, 0, 0]);
    }
}
