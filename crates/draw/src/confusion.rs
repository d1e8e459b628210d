//! A confusion matrix: a row for each true class, a column for each answer.

use crate::{
    Palette, Result,
    canvas::{Canvas, INK, MARK, PALE_INK, Text, text_width},
    colour::readable_on,
    figure::Figure,
};

/// A confusion matrix with the names of its classes at the rows and at the columns.
pub struct Confusion {
    /// The title above everything.
    pub title: String,
    /// The names of the classes.
    pub names: Vec<String>,
    /// The numbers, row by row. Those of the diagonal, the right answers, are usually far larger than the others.
    pub values: Vec<f32>,
    /// Lines of text below.
    pub lines: Vec<String>,
}

const NAME: Text =
    Text { size: 16.0, bold: false, colour: INK, align: plotters::style::text_anchor::HPos::Center };
const HEIGHT: f64 = 40.0;
/// The right answers are grey: they are not on the colour scale, which would show nothing else.
const DIAGONAL: [u8; 3] = [228, 228, 228];

impl Confusion {
    /// Draws the matrix. Only the mistakes have colours; the largest of them have a frame.
    ///
    /// # Errors
    /// When the page is too large.
    pub fn figure(&self, alt: impl Into<String>, text: impl Into<String>) -> Result<Figure> {
        let count = self.names.len();
        let heading = Text::new(21.0).bold();
        let names = self.names.iter().map(|name| text_width(name, NAME)).fold(0.0, f64::max);
        let cell = (names + 8.0).max(HEIGHT);
        let rows_are = "the image is";
        let left = (names + 62.0).max(text_width(rows_are, NAME.bold()) + 34.0);
        let matrix = left + cell * count as f64 + 18.0;
        let line = Text::new(18.0);
        let lines = self.lines.iter().map(|text| text_width(text, line)).fold(0.0, f64::max);
        let width = matrix.max(text_width(&self.title, heading) + 36.0).max(lines + 36.0);
        // In the middle, if the title or a line is wider.
        let margin = (width - matrix) / 2.0;
        let left = left + margin;
        let top = 104.0;
        let height = top + HEIGHT * count as f64 + 14.0 + 28.0 * self.lines.len() as f64;
        let mut canvas = Canvas::new(width, height + 8.0)?;
        canvas.text(width / 2.0, 24.0, &self.title, heading);
        let middle = |i: usize, side: f64| (i as f64 + 0.5) * side;
        canvas.text(left + cell * count as f64 / 2.0, 58.0, "the answer", NAME.bold());
        canvas.text(margin + 18.0, 86.0, rows_are, NAME.bold().left());
        for (i, name) in self.names.iter().enumerate() {
            canvas.text(left + middle(i, cell), 86.0, name, NAME);
            canvas.text(left - 10.0, top + middle(i, HEIGHT), name, NAME.right());
        }
        let is_right = |i: usize| i / count == i % count;
        let mistakes =
            || self.values.iter().enumerate().filter(|(i, _)| !is_right(*i)).map(|(_, value)| *value);
        let largest = mistakes().fold(0.0, f32::max);
        let range = (0.0, largest.max(1.0));
        for (i, value) in self.values.iter().enumerate() {
            let (x, y) = (left + (i % count) as f64 * cell, top + (i / count) as f64 * HEIGHT);
            let colour = if is_right(i) { DIAGONAL } else { Palette::Sequential.rgb(*value, range) };
            canvas.fill(x, y, cell, HEIGHT, colour);
            canvas.frame(x, y, cell, HEIGHT, [175, 175, 175], 0.5);
            let ink = if *value == 0.0 { PALE_INK } else { readable_on(colour) };
            canvas.text(x + cell / 2.0, y + HEIGHT / 2.0, &value.to_string(), Text::new(18.0).colour(ink));
        }
        for (i, value) in self.values.iter().enumerate() {
            if !is_right(i) && *value == largest && largest > 0.0 {
                let (x, y) = (left + (i % count) as f64 * cell, top + (i / count) as f64 * HEIGHT);
                canvas.frame(x, y, cell, HEIGHT, MARK, 3.0);
            }
        }
        for (i, text) in self.lines.iter().enumerate() {
            canvas.text(width / 2.0, top + HEIGHT * count as f64 + 22.0 + 28.0 * i as f64, text, line);
        }
        Figure::still(&canvas.finish()?, alt, text)
    }
}
