//! Small matrices, each number in its cell: what is highlighted, and how padding looks.

use crate::{
    canvas::{Canvas, MARK, PALE_INK, Text, text_width},
    colour::{LINES, Palette, readable_on},
    figure::Pixels,
};
use nchw_core::{grid::Grid, text::number};

/// What is highlighted in a small matrix.
#[derive(Clone, Copy, Default)]
pub struct Highlights {
    /// `(top, left, height, width)` of a thick frame.
    pub window: Option<(usize, usize, usize, usize)>,
    /// How many cells are filled; the others are empty.
    pub known: Option<usize>,
    /// How many rows and columns on each side are padding, which is hatched.
    pub padding: usize,
    /// Rows and columns of the regions that thick lines separate, if there are any.
    pub regions: Option<usize>,
}

/// The height of a cell on the page.
pub(crate) const CELL_HEIGHT: f64 = 44.0;

/// A width of all cells in which each number fits.
pub(crate) fn cell_width(matrix: &Grid) -> f64 {
    let widest = matrix.values().iter().map(|v| text_width(&number(*v), Text::new(18.0))).fold(0.0, f64::max);
    (widest + 14.0).max(CELL_HEIGHT)
}

#[allow(clippy::too_many_arguments, reason = "a position, what to draw there, and how")]
pub(crate) fn draw_cells(
    canvas: &mut Canvas,
    left: f64,
    top: f64,
    width: f64,
    matrix: &Grid,
    palette: Palette,
    range: (f32, f32),
    highlights: Highlights,
) {
    let (w, h) = (width / matrix.width() as f64, CELL_HEIGHT);
    for (i, value) in matrix.values().iter().enumerate() {
        let (x, y) = (left + (i % matrix.width()) as f64 * w, top + (i / matrix.width()) as f64 * h);
        if highlights.known.is_some_and(|known| i >= known) {
            canvas.frame(x, y, w, h, [205, 205, 205], 0.5);
            continue;
        }
        let edge = highlights.padding;
        let inside = |at: usize, count: usize| at >= edge && at + edge < count;
        if !inside(i / matrix.width(), matrix.height()) || !inside(i % matrix.width(), matrix.width()) {
            hatch(canvas, x, y, w, h, &number(*value));
            continue;
        }
        let colour = palette.rgb(*value, range);
        canvas.fill(x, y, w, h, colour);
        canvas.frame(x, y, w, h, [150, 150, 150], 0.5);
        canvas.text(x + w / 2.0, y + h / 2.0, &number(*value), Text::new(18.0).colour(readable_on(colour)));
    }
    if let Some(side) = highlights.regions {
        let corners = |count: usize| (0..count / side.max(1)).map(move |i| i * side);
        for (row, column) in
            corners(matrix.height()).flat_map(|r| corners(matrix.width()).map(move |c| (r, c)))
        {
            let [x, y] = [left + column as f64 * w, top + row as f64 * h];
            canvas.frame(x, y, w * side as f64, h * side as f64, LINES[0], 2.5);
        }
    }
    if let Some((row, column, height, width)) = highlights.window {
        let (x, y) = (left + column as f64 * w, top + row as f64 * h);
        canvas.frame(x, y, w * width as f64, h * height as f64, MARK, 4.0);
    }
}

/// A cell of padding: hatched, so that its number is not mistaken for a pixel of the image.
fn hatch(canvas: &mut Canvas, x: f64, y: f64, w: f64, h: f64, text: &str) {
    let (width, height) = (2 * w as u32, 2 * h as u32);
    let colour = |i: u32| if (i % width + i / width) % 16 < 3 { [170, 185, 205] } else { [255; 3] };
    let hatching = Pixels { width, height, rgb: (0..width * height).flat_map(colour).collect() };
    canvas.picture(x, y, w, h, &hatching);
    canvas.frame(x, y, w, h, [150, 150, 150], 0.5);
    canvas.fill(x + w / 2.0 - 9.0, y + h / 2.0 - 11.0, 18.0, 22.0, [255, 255, 255]);
    canvas.text(x + w / 2.0, y + h / 2.0, text, Text::new(18.0).colour(PALE_INK));
}
