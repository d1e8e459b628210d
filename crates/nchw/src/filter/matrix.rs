//! A small matrix whose numbers can be read cell by cell.

use crate::{
    Error, Result,
    canvas::number,
    colour::Palette,
    error::debug_as_display,
    figure::Figure,
    grid::Grid,
    notebook::{Output, shows},
    panels::{Highlights, Layout, Panel},
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
    /// Whether this is the result of a convolution, which is drawn on the signed palette (0 is white).
    result: bool,
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
        Ok(Matrix { grid: Grid::new(height, width, values)?, result: false })
    }

    /// A matrix from a tensor that holds one image with one channel.
    ///
    /// # Shapes
    /// `[H, W]`, `[1, H, W]` or `[1, 1, H, W]`.
    ///
    /// # Errors
    /// When the tensor holds more than one map; the message says how to select one.
    pub fn from_tensor(tensor: &Tensor) -> Result<Matrix> {
        Ok(Matrix { grid: grid_of(tensor)?, result: false })
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

    /// Transposes the matrix: rows become columns.
    pub fn transpose(&self) -> Matrix {
        Matrix { grid: self.grid.transpose(), result: self.result }
    }

    /// The grid that panels draw.
    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Marks the matrix as the result of a convolution.
    pub(crate) fn into_result(self) -> Matrix {
        Matrix { result: true, ..self }
    }

    /// Draws the matrix with its numbers: in grey if none is negative; otherwise, and for results of
    /// convolutions, blue below 0 and red above.
    ///
    /// # Errors
    /// When it has more than 25 rows or 16 columns: the numbers would be too small to read.
    pub fn figure(&self, title: &str) -> Result<Figure> {
        side_by_side(title, &[("", self)])
    }

    /// Signed for results, negative numbers and a matrix of zeros (which is white then); otherwise grey.
    pub(crate) fn palette(&self) -> Palette {
        let signed = self.result || Palette::fitting(self.values()) == Palette::Signed;
        if signed { Palette::Signed } else { Palette::Grey }
    }

    /// Refuses a matrix whose numbers would be too small to read.
    pub(crate) fn require_readable(&self) -> Result<()> {
        if self.width() > 16 || self.height() > 25 {
            return Err(Error::new(format!(
                "a matrix can be drawn with its numbers up to 25 rows and 16 columns, got {} rows and {} \
                 columns: for a larger map use `feature_maps(&tensor, &[\"name\"])`",
                self.height(),
                self.width()
            )));
        }
        Ok(())
    }
}

/// The numbers of a tensor that holds one image with one channel, for a panel.
///
/// # Shapes
/// `[H, W]`, `[1, H, W]` or `[1, 1, H, W]`.
pub(crate) fn grid_of(tensor: &Tensor) -> Result<Grid> {
    let size = tensor.size();
    if let Some(empty) = empty_axis(&size) {
        return Err(Error::new(format!("a matrix needs at least one number, got {size:?}: {empty}")));
    }
    let (leading, plane) = size.split_at(size.len().saturating_sub(2));
    let (&[height, width], true) = (plane, leading.iter().all(|n| *n == 1) && leading.len() <= 2) else {
        let fix = match size.len() {
            4 => "`.i((0, 0))` selects the first channel of the first image",
            3 => "`.i(0)` selects the first channel",
            2 => "",
            _ => "`.view([H, W])` arranges its numbers in rows",
        };
        return Err(Error::new(format!(
            "a matrix needs one map: a tensor of shape [H, W] or [1, 1, H, W], got {size:?}; {fix}"
        )));
    };
    Grid::new(height as usize, width as usize, values_of(tensor)?)
}

/// Draws small matrices side by side, wrapped to the width of the page. Each has its title and its own
/// colour scale.
///
/// # Errors
/// When no matrix is given, or one is too large to read.
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
    for (name, matrix) in matrices {
        matrix.require_readable()?;
        let panel = Panel::cells(*name, matrix.grid(), matrix.palette(), Highlights::default());
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
    Layout { title: title.to_owned(), rows, lines: Vec::new() }.figure(alt, text.join("\n\n"))
}

/// The most elements that are copied out of a tensor (400 MB as `f32`). An expanded tensor can have far
/// more elements than fit into memory.
const MAX_NUMBERS: i64 = 100_000_000;

/// The number of elements of a tensor of this size; an error if they are too many to draw.
pub(crate) fn count_of_numbers(size: &[i64]) -> Result<usize> {
    let count = size.iter().try_fold(1_i64, |count, n| count.checked_mul(*n));
    match count.filter(|count| *count <= MAX_NUMBERS) {
        Some(count) => Ok(count as usize),
        None => Err(Error::new(format!(
            "a tensor of shape {size:?} is too large to draw: expected at most {} million numbers. \
             `.narrow(axis, 0, 100)` takes the first 100 along an axis",
            MAX_NUMBERS / 1_000_000
        ))),
    }
}

/// The elements of a tensor of any kind, device and strides, as `f32`.
pub(crate) fn values_of(tensor: &Tensor) -> Result<Vec<f32>> {
    count_of_numbers(&tensor.size())?;
    let flat = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_reshape([-1])?;
    Ok(Vec::<f32>::try_from(&flat.f_contiguous()?)?)
}

/// Describes the first axis of length 0. The axes are N, C, H, W, aligned at W.
pub(crate) fn empty_axis(size: &[i64]) -> Option<String> {
    const AXES: [&str; 4] = [
        "N is 0, there is no image in the batch",
        "C is 0, it has no channels",
        "H is 0, it has no rows",
        "W is 0, it has no columns",
    ];
    let known = size.len().min(AXES.len());
    let (axes, messages) = (&size[size.len() - known..], &AXES[AXES.len() - known..]);
    let found = axes.iter().zip(messages).find(|(n, _)| **n == 0);
    found.map(|(_, message)| (*message).to_owned())
}

/// Describes the range of the finite numbers; NaN and infinities are only counted.
pub(crate) fn extent(values: &[f32]) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (least, most) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let (all, others) = (values.len(), values.len() - finite().count());
    let range = match () {
        () if least > most => return "no finite number (NaN or infinite everywhere)".into(),
        () if least == most => format!("{} everywhere", number(least)),
        () => format!("from {} to {}", number(least), number(most)),
    };
    if others == 0 { range } else { format!("{range} where finite; {others} of {all} are NaN or infinite") }
}

/// The index of the largest number; `None` if all are equal or one is not finite.
pub(crate) fn argmax(values: &[f32]) -> Option<usize> {
    let first = *values.first()?;
    if values.iter().all(|value| *value == first) || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.grid.fmt(f)
    }
}

debug_as_display!(Matrix);

shows!(Matrix: |matrix| Output::figure_or_text(matrix.figure("Matrix"), matrix));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        filter::Filter,
        pixels::{area, drawn},
    };

    #[test]
    fn a_tensor_round_trips_without_transposing() {
        let matrix = Matrix::from([[1, 2, 3], [4, 5, 6]]);
        assert_eq!(matrix.tensor().size(), [1, 1, 2, 3]);
        assert_eq!(Matrix::from_tensor(&matrix.tensor()).unwrap(), matrix);
        assert_eq!(matrix.transpose(), Matrix::from([[1, 4], [2, 5], [3, 6]]));
        assert_eq!(matrix.to_string(), "1 2 3\n4 5 6");
    }

    #[test]
    fn more_than_one_map_is_refused_with_a_fix() {
        let error = Matrix::from_tensor(&Tensor::zeros([2, 3, 4, 5], (Kind::Float, tch::Device::Cpu)));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("[2, 3, 4, 5]") && error.contains(".i((0, 0))"), "{error}");
        let error = Matrix::new(2, 3, vec![1.0]).unwrap_err().to_string();
        assert!(error.contains("2 rows and 3 columns needs 6 values") && error.contains("got 1"), "{error}");
        let message = |height, width| Matrix::new(height, width, vec![1.0]).unwrap_err().to_string();
        assert!(message(usize::MAX, 2).contains("more values than a computer can count, got 1"));
        assert!(message(0, 5).contains("expected at least 1 row and 1 column"));
    }

    #[test]
    fn each_empty_axis_is_named() {
        let message = |size: &[i64]| {
            let error = Matrix::from_tensor(&Tensor::zeros(size, (Kind::Float, tch::Device::Cpu)));
            error.unwrap_err().to_string()
        };
        for (size, axis) in [
            (&[0, 1, 5, 7][..], "N is 0"),
            (&[1, 0, 5, 7], "C is 0"),
            (&[0, 7], "H is 0"),
            (&[1, 5, 0], "W is 0"),
        ] {
            assert!(
                message(size).contains(axis) && message(size).contains(&format!("{size:?}")),
                "{}",
                message(size)
            );
        }
    }

    #[test]
    fn a_row_out_of_range_is_empty() {
        let matrix = Matrix::from([[1, 2, 3], [4, 5, 6]]);
        assert_eq!([0, 1, 2, usize::MAX].map(|row| matrix.row(row).len()), [3, 3, 0, 0]);
    }

    #[test]
    fn an_expanded_tensor_is_refused_before_it_is_copied() {
        let one = Tensor::zeros([1, 1], (Kind::Float, tch::Device::Cpu));
        let error = Matrix::from_tensor(&one.expand([1 << 20, 1 << 20], false)).unwrap_err().to_string();
        assert!(error.contains("[1048576, 1048576] is too large"), "{error}");
    }

    #[test]
    fn constants_and_nans_have_no_largest_number() {
        let nan = f32::NAN;
        for (values, words, most) in [
            (&[1.0, -2.0, 3.0, 0.0][..], "from \u{2212}2 to 3", Some(2)),
            (&[0.0; 4], "0 everywhere", None),
            (&[2.5], "2.5 everywhere", None),
            (&[1.0, nan, 3.0], "from 1 to 3 where finite; 1 of 3 are NaN or infinite", None),
            (&[nan, f32::INFINITY], "no finite number (NaN or infinite everywhere)", None),
            (&[], "no finite number (NaN or infinite everywhere)", None),
        ] {
            assert_eq!((extent(values).as_str(), argmax(values)), (words, most));
        }
    }

    #[test]
    fn zeros_are_white_and_nan_has_its_own_colour() {
        let zeros = Matrix::from([[0, 0], [0, 0]]).figure("").unwrap();
        let dark = drawn(&zeros).pixels().filter(|pixel| pixel.0.iter().all(|v| *v < 128)).count();
        assert!(dark < 3000, "{dark} dark pixels: more than a frame and four digits");
        // A cell is 44 high on the page and a little wider than its text, two pixels each.
        let nan = Matrix::from([[1.0, 2.0], [f64::NAN, 0.0]]).figure("").unwrap();
        let (count, [left, top, right, bottom]) = area(&nan, [255, 0, 255]);
        assert!(count > 6000 && (80..=100).contains(&(right - left)), "{count} from {left} to {right}");
        let (_, [_, first, ..]) = area(&nan, [128, 128, 128]);
        assert!(top >= first + 80 && (80..=88).contains(&(bottom - top)), "from {top} to {bottom}, {first}");
    }

    #[test]
    fn zeros_in_a_result_are_white_beside_any_numbers() {
        let image = Matrix::from([[0; 6], [0; 6], [0; 6], [1; 6], [1; 6], [1; 6]]);
        let [vertical, horizontal] = [Filter::vertical_edge(), Filter::horizontal_edge()]
            .map(|filter| filter.convolve(&image).unwrap());
        let white = Palette::Signed.rgb(0.0, (-3.0, 3.0));
        let cells = |matrix: &Matrix| area(&matrix.figure("").unwrap(), white).0 as f64 / 16.0;
        // 16 zeros; and 8 zeros beside 8 threes.
        let (all, half) = (cells(&vertical), cells(&horizontal));
        assert!(
            all > 5000.0 && (half / all - 0.5).abs() < 0.05,
            "{all} and {half} pixels of each cell are white"
        );
        assert_eq!(cells(&image), 0.0, "an image is grey");
    }

    #[test]
    fn a_large_matrix_is_refused_and_feature_maps_suggested() {
        let large = Matrix::new(30, 40, vec![0.0; 1200]).unwrap();
        let error = large.figure("").unwrap_err().to_string();
        assert!(error.contains("30 rows and 40 columns") && error.contains("feature_maps"), "{error}");
        assert!(side_by_side("", &[]).unwrap_err().to_string().contains("at least one matrix"));
    }
}
