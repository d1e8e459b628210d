//! A small matrix of numbers that a class can read, cell by cell.

use crate::{
    Error, Result,
    canvas::number,
    colour::Palette,
    error::debug_as_display,
    figure::Figure,
    panels::{Look, Panel, Sheet},
};
use std::fmt;
use tch::{Kind, Tensor};

/// Rows and columns of numbers.
///
/// ```
/// use nchw::prelude::*;
/// let image = Matrix::from([[0, 0, 1], [0, 0, 1]]);
/// assert_eq!((image.height(), image.width()), (2, 3));
/// assert_eq!(image.transpose().row(2), [1.0, 1.0]);
/// ```
#[derive(Clone, PartialEq)]
pub struct Matrix {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

impl<T: Into<f64> + Copy, const H: usize, const W: usize> From<[[T; W]; H]> for Matrix {
    fn from(rows: [[T; W]; H]) -> Matrix {
        let values = rows.iter().flatten().map(|v| (*v).into() as f32).collect();
        Matrix { height: H, width: W, values }
    }
}

impl Matrix {
    /// A matrix of these values, row by row from the top.
    ///
    /// # Errors
    /// When there are not `height * width` values, or none at all.
    pub fn new(height: usize, width: usize, values: Vec<f32>) -> Result<Matrix> {
        if values.is_empty() || values.len() != height * width {
            return Err(Error::new(format!(
                "a matrix of {height} rows and {width} columns needs {} values (at least 1), got {}",
                height * width,
                values.len()
            )));
        }
        Ok(Matrix { height, width, values })
    }

    /// The numbers of a tensor that has one picture with one channel.
    ///
    /// # Shapes
    /// `[H, W]`, `[1, H, W]` or `[1, 1, H, W]`.
    ///
    /// # Errors
    /// When the tensor has more than one map; the message says how to take one.
    pub fn from_tensor(tensor: &Tensor) -> Result<Matrix> {
        let size = tensor.size();
        let (front, plane) = size.split_at(size.len().saturating_sub(2));
        let (&[height, width], true) = (plane, front.iter().all(|n| *n == 1) && front.len() <= 2) else {
            let take = match size.len() {
                4 => "`.i((0, 0))` takes the first picture's first channel",
                3 => "`.i(0)` takes the first channel",
                2 => "",
                _ => "`.view([H, W])` arranges its numbers in rows",
            };
            return Err(Error::new(format!(
                "a matrix needs one map: a tensor of shape [H, W] or [1, 1, H, W], got {size:?}; {take}"
            )));
        };
        let flat = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?;
        let values = Vec::<f32>::try_from(&flat.f_contiguous()?.f_view([-1])?)?;
        Matrix::new(height as usize, width as usize, values)
    }

    /// As a tensor that convolutions take.
    ///
    /// # Shapes
    /// `[N=1, C=1, H, W]`, `f32`.
    pub fn tensor(&self) -> Tensor {
        Tensor::from_slice(&self.values).view([1, 1, self.height as i64, self.width as i64])
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

    /// One row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> Vec<f32> {
        self.values[row * self.width..][..self.width].to_vec()
    }

    /// Rows become columns.
    pub fn transpose(&self) -> Matrix {
        let at = |i: usize| self.values[(i % self.height) * self.width + i / self.height];
        Matrix { height: self.width, width: self.height, values: (0..self.values.len()).map(at).collect() }
    }

    /// The matrix as a picture: every number in its cell. Grey while no number
    /// is negative; else blue below zero, red above.
    ///
    /// # Errors
    /// When it has more than 400 numbers, which nobody can read.
    pub fn figure(&self, title: &str) -> Result<Figure> {
        side_by_side(title, &[("", self)])
    }

    /// Shows itself as the last expression of a cell.
    pub fn evcxr_display(&self) {
        match self.figure("Matrix") {
            Ok(figure) => figure.evcxr_display(),
            Err(_) => println!("{self}"),
        }
    }

    pub(crate) fn palette(&self) -> Palette {
        if self.values.iter().any(|v| *v < 0.0) { Palette::Signed } else { Palette::Grey }
    }

    /// An error when the numbers would be too small to read.
    pub(crate) fn require_readable(&self) -> Result<()> {
        if self.width > 16 || self.height > 25 {
            return Err(Error::new(format!(
                "a matrix is drawn with its numbers up to 25 rows and 16 columns, got {} rows and {} columns: \
                 for a larger map use `feature_maps(&tensor, &[\"name\"])`",
                self.height, self.width
            )));
        }
        Ok(())
    }
}

/// Several small matrices beside each other, each with its title, wrapped into
/// rows that fit the page. Each has a colour scale of its own.
///
/// # Errors
/// When there is none, or one is too large to read.
///
/// ```
/// use nchw::prelude::*;
/// let (a, b) = (Matrix::from([[0, 1], [2, 3]]), Matrix::from([[3, 2], [1, 0]]));
/// side_by_side("Both", &[("a", &a), ("b", &b)])?;
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn side_by_side(title: &str, matrices: &[(&str, &Matrix)]) -> Result<Figure> {
    if matrices.is_empty() {
        return Err(Error::new("side_by_side needs at least one matrix, as `&[(\"title\", &matrix)]`"));
    }
    let mut rows: Vec<Vec<Panel>> = vec![Vec::new()];
    let mut used = 0.0;
    let signed = matrices.iter().any(|(_, matrix)| matrix.palette() == Palette::Signed);
    for (name, matrix) in matrices {
        matrix.require_readable()?;
        // Zeros beside signed numbers are as white as the zeros among them.
        let empty = signed && matrix.values.iter().all(|v| *v == 0.0);
        let palette = if empty { Palette::Signed } else { matrix.palette() };
        let panel = Panel::cells(*name, matrix, palette, Look::default());
        let width = panel.width + 60.0;
        if used + width > 940.0 && used > 0.0 {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += width;
        if let Some(row) = rows.last_mut() {
            row.push(panel);
        }
    }
    let described =
        |(name, m): &(&str, &Matrix)| format!("{name}{}{m}", if name.is_empty() { "" } else { ":\n" });
    let text: Vec<String> = matrices.iter().map(described).collect();
    let alt = format!("{title}. {}", text.join("; ").replace('\n', " / "));
    Sheet { title: title.to_owned(), rows, lines: Vec::new() }.figure(alt, text.join("\n\n"))
}

impl fmt::Display for Matrix {
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

debug_as_display!(Matrix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_comes_back_the_same_and_not_transposed() {
        let matrix = Matrix::from([[1, 2, 3], [4, 5, 6]]);
        assert_eq!(matrix.tensor().size(), [1, 1, 2, 3]);
        assert_eq!(Matrix::from_tensor(&matrix.tensor()).unwrap(), matrix);
        assert_eq!(matrix.transpose(), Matrix::from([[1, 4], [2, 5], [3, 6]]));
        assert_eq!(matrix.to_string(), "1 2 3\n4 5 6");
    }

    #[test]
    fn more_than_one_map_is_refused_with_what_to_type() {
        let error = Matrix::from_tensor(&Tensor::zeros([2, 3, 4, 5], (Kind::Float, tch::Device::Cpu)));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("[2, 3, 4, 5]") && error.contains(".i((0, 0))"), "{error}");
        let error = Matrix::new(2, 3, vec![1.0]).unwrap_err().to_string();
        assert!(error.contains("2 rows and 3 columns needs 6 values") && error.contains("got 1"), "{error}");
    }

    #[test]
    fn a_large_matrix_names_the_way_to_show_it() {
        let large = Matrix::new(30, 40, vec![0.0; 1200]).unwrap();
        let error = large.figure("").unwrap_err().to_string();
        assert!(error.contains("30 rows and 40 columns") && error.contains("feature_maps"), "{error}");
        assert!(side_by_side("", &[]).unwrap_err().to_string().contains("at least one matrix"));
    }
}
