//! All windows of a filter on a matrix.

use super::{
    cells::readable,
    matrix::{highlights, palette},
};
use crate::{Error, Result, filter::Filter, matrix::Matrix, text::count_of};
use nchw_draw::{Figure, Frame, Highlights, Layout, Palette, Panel, colour::LINES};

impl Filter {
    /// Draws all positions of the window on a matrix, and the result beside it: each window has the colour of its
    /// number.
    ///
    /// # Errors
    /// When the filter does not fit the matrix, or neighbouring windows overlap by more than one row or column:
    /// then they could not be distinguished.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let mean = Filter::new("mean of 3 × 3", [[1.0 / 9.0; 3]; 3]).stride(2);
    /// let figure = mean.windows(&Matrix::from([[1; 8]; 7]))?;
    /// assert!(figure.alt().contains("no window reads the last column"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn windows(&self, image: &Matrix) -> Result<Figure> {
        let result = self.convolve(image)?;
        let image = image.padded(self.slide.padding)?;
        let ((height, width), stride) = (self.size(), self.slide.stride);
        if self.slide.dilation != 1 || height.max(width) > stride + 1 {
            return Err(Error::new(format!(
                "windows of {height} x {width} (H x W) with stride {stride} and dilation {} overlap too much to be \
                 drawn together: `.stills(&image, 0..4)?` shows them one by one",
                self.slide.dilation
            )));
        }
        [&image, &result].into_iter().try_for_each(readable)?;
        let mut windows = Panel::cells("image", image.grid(), palette(&image), highlights(&image));
        let mut numbers = Panel::cells("result", result.grid(), Palette::Signed, Highlights::default());
        for row in 0..result.height() {
            for column in 0..result.width() {
                let parity = (row + column) % 2;
                let frame = |top: usize, left: usize, height: usize, width: usize, inset: f64| {
                    let [top, left] = [top, left].map(|side| side as f64 + inset);
                    let [height, width] = [height, width].map(|side| side as f64 - 2.0 * inset);
                    Frame { left, top, width, height, name: String::new(), colour: LINES[parity] }
                };
                // The windows of one colour lie inside those of the other, where they overlap.
                let inset = if parity == 0 { 0.08 } else { 0.18 };
                windows.frames.push(frame(row * stride, column * stride, height, width, inset));
                numbers.frames.push(frame(row, column, 1, 1, 0.06));
            }
        }
        let unread: Vec<String> = [
            (image.height(), result.height(), height, "row", "rows"),
            (image.width(), result.width(), width, "column", "columns"),
        ]
        .into_iter()
        .filter_map(|(all, count, side, one, many)| {
            let left = all - ((count - 1) * stride + side);
            let what = if left == 1 { one.to_owned() } else { count_of(left, one, many) };
            (left > 0).then(|| format!("no window reads the last {what}"))
        })
        .collect();
        let size = |matrix: &Matrix| format!("{} \u{d7} {}", matrix.height(), matrix.width());
        let title = format!("{}, stride {stride}: {} becomes {}", self.name(), size(&image), size(&result));
        let alt =
            [vec![format!("{title}. {} windows", result.values().len())], unread.clone()].concat().join("; ");
        let rows = vec![vec![windows, Panel::sign("\u{2192}"), numbers]];
        Layout { title, rows, lines: unread }.figure(alt, format!("image:\n{image}\n\nresult:\n{result}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::area;

    #[test]
    fn each_window_has_a_frame_and_what_is_not_read_is_said() {
        let sum = Filter::new("sum", [[1; 3]; 3]).stride(2);
        let figure = sum.windows(&Matrix::from([[1; 9]; 7])).unwrap();
        assert!(figure.alt().ends_with("12 windows"), "{}", figure.alt());
        let [even, odd] = [0, 1].map(|i| area(&figure, LINES[i]).0);
        assert!(even > 5000 && odd > 5000, "{even} {odd}");
        let figure = sum.windows(&Matrix::from([[1; 10]; 8])).unwrap();
        assert!(figure.alt().ends_with("the last row; no window reads the last column"), "{}", figure.alt());
    }

    #[test]
    fn overlapping_windows_are_refused() {
        let error = Filter::vertical_edge().windows(&Matrix::from([[1; 9]; 7])).unwrap_err().to_string();
        assert!(error.contains("stride 1") && error.contains("`.stills(&image, 0..4)?`"), "{error}");
    }
}
