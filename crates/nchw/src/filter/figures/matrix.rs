//! Figures of matrices, with each number in its cell.

use super::cells::{on_one_scale, readable, wrapped};
use crate::{
    Error, Result,
    matrix::{Matrix, Meaning},
    notebook::{Output, shows},
};
use nchw_draw::{Content, Figure, Highlights, Layout, Palette, Panel};

impl Matrix {
    /// Draws the matrix with its numbers: an image in grey; a result of a convolution, or a matrix with
    /// negative numbers, blue below 0 and red above; after a ReLU from white to red.
    ///
    /// # Errors
    /// When it has more than 25 rows or 16 columns: the numbers would be too small to read.
    pub fn figure(&self, title: &str) -> Result<Figure> {
        side_by_side(title, &[("", self)])
    }
}

/// Signed for results, negative numbers and a matrix of zeros (which is white then).
pub(super) fn palette(matrix: &Matrix) -> Palette {
    match matrix.means() {
        Meaning::Signed => Palette::Signed,
        Meaning::Activations => Palette::Sequential,
        Meaning::Image if matrix.ends().is_none() && Palette::fitting(matrix.values()) == Palette::Signed => {
            Palette::Signed
        }
        Meaning::Image => Palette::Grey,
    }
}

/// Hatched padding, and lines between regions.
pub(super) fn highlights(matrix: &Matrix) -> Highlights {
    let (padding, regions) = matrix.lines();
    Highlights { padding, regions, ..Highlights::default() }
}

/// Draws small matrices side by side, wrapped to the width of the page, each with its title. Matrices of one
/// kind (images, results, activations) share one colour scale, unless it was chosen with `between`.
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
    let mut panels = Vec::new();
    for (name, matrix) in matrices {
        readable(matrix)?;
        panels.push(Panel::cells(*name, matrix.grid(), palette(matrix), highlights(matrix)));
    }
    on_one_scale(panels.iter_mut().zip(matrices).filter(|(_, (_, m))| m.ends().is_none()).map(|(p, _)| p));
    for (panel, (_, matrix)) in panels.iter_mut().zip(matrices) {
        if let (Content::Cells { range, .. }, Some(ends)) = (&mut panel.content, matrix.ends()) {
            *range = ends;
        }
    }
    let described =
        |(name, m): &(&str, &Matrix)| format!("{name}{}{m}", if name.is_empty() { "" } else { ":\n" });
    let text: Vec<String> = matrices.iter().map(described).collect();
    let alt = format!("{title}. {}", text.join("; ").replace('\n', " / "));
    Layout { title: title.to_owned(), rows: wrapped(panels), lines: Vec::new() }
        .figure(alt, text.join("\n\n"))
}

shows!(Matrix: |matrix| Output::figure_or_text(matrix.figure("Matrix"), matrix));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        filter::Filter,
        pixels::{area, drawn},
    };

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
    fn a_chosen_scale_is_absolute() {
        let grey = |matrix: &Matrix, value: u8| area(&matrix.figure("").unwrap(), [value; 3]).0;
        let matrix = Matrix::from([[180, 190], [200, 210]]);
        // 180 of 255, in steps of 1 / 255; without a chosen scale, 210 is white.
        assert!(grey(&matrix.between(0.0, 255.0), 180) > 5000);
        assert!(grey(&matrix, 180) < 500 && grey(&(matrix.between(0.0, 360.0)), 127) > 5000);
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
