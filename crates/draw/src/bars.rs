//! Bars in columns: one or several numbers for each of a list of names, such as the scores and the probabilities of
//! ten classes.

use crate::{
    Result,
    canvas::{Canvas, INK, PALE_INK, Text, text_width},
    figure::Figure,
};

/// One bar: from where to where, what is written at its end, and its colour.
#[derive(Clone)]
pub struct Bar {
    /// Where it begins, mostly 0.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// The text at its end.
    pub text: String,
    /// Its colour.
    pub colour: [u8; 3],
}

/// A column of bars on one scale.
pub struct Column {
    /// The text above it.
    pub title: String,
    /// Its bars, one for each name.
    pub bars: Vec<Bar>,
    /// The numbers at the left and at the right end of the scale.
    pub range: (f64, f64),
    /// Numbers of the scale that are written below, with a pale line.
    pub ticks: Vec<f64>,
    /// Its width on the page, with the texts of the bars.
    pub width: f64,
}

/// A table of names and columns of bars.
///
/// ```
/// use nchw_draw::bars::{Bar, Bars, Column, PLAIN, STRONG};
/// let bar = |to, text: &str, colour| Bar { from: 0.0, to, text: text.into(), colour };
/// let bars = vec![bar(0.9, "90 %", STRONG), bar(0.1, "10 %", PLAIN)];
/// let column = Column { title: String::new(), bars, range: (0.0, 1.0), ticks: vec![], width: 300.0 };
/// let names = vec!["dog".into(), "cat".into()];
/// let title = "Probabilities".into();
/// let figure = Bars { title, names, bold: Some(0), columns: vec![column], lines: vec![] };
/// let figure = figure.figure("Bars: dog 90 %, cat 10 %.", "dog 90 %\ncat 10 %")?;
/// assert_eq!(figure.alt(), "Bars: dog 90 %, cat 10 %.");
/// # Ok::<(), nchw_core::Error>(())
/// ```
pub struct Bars {
    /// The title above everything.
    pub title: String,
    /// The names of the rows.
    pub names: Vec<String>,
    /// The row whose name is bold.
    pub bold: Option<usize>,
    /// The columns.
    pub columns: Vec<Column>,
    /// Lines of text below.
    pub lines: Vec<String>,
}

/// The colour of an ordinary bar.
pub const PLAIN: [u8; 3] = [170, 170, 170];
/// The colour of the bar that matters; it is also darker.
pub const STRONG: [u8; 3] = [0, 114, 178];

const NAME: Text =
    Text { size: 17.0, bold: false, colour: INK, align: plotters::style::text_anchor::HPos::Center };
const ROW: f64 = 32.0;
const GAP: f64 = 28.0;

impl Bars {
    /// Draws everything.
    ///
    /// # Errors
    /// When the page is too large.
    pub fn figure(&self, alt: impl Into<String>, text: impl Into<String>) -> Result<Figure> {
        let heading = Text::new(21.0).bold();
        let names = self.names.iter().map(|name| text_width(name, NAME.bold())).fold(0.0, f64::max);
        let columns: f64 = self.columns.iter().map(|column| column.width + GAP).sum();
        let lines = self.lines.iter().map(|line| text_width(line, NAME)).fold(0.0, f64::max);
        let width = (names + columns).max(text_width(&self.title, heading)).max(lines) + 48.0;
        let has_ticks = self.columns.iter().any(|column| !column.ticks.is_empty());
        let rows = ROW * self.names.len() as f64;
        let top = if self.columns.iter().all(|column| column.title.is_empty()) { 54.0 } else { 84.0 };
        let foot = if has_ticks { 30.0 } else { 10.0 };
        let mut canvas = Canvas::new(width, top + rows + foot + 28.0 * self.lines.len() as f64 + 10.0)?;
        canvas.text(width / 2.0, 24.0, &self.title, heading);
        let left = (width - names - columns) / 2.0;
        for (i, name) in self.names.iter().enumerate() {
            let set = if self.bold == Some(i) { NAME.bold() } else { NAME };
            canvas.text(left + names, top + (i as f64 + 0.5) * ROW, name, set.right());
        }
        let mut x = left + names + GAP / 2.0;
        for column in &self.columns {
            canvas.text(x + column.width / 2.0, 62.0, &column.title, NAME.bold());
            column.draw(&mut canvas, x, top, rows);
            x += column.width + GAP;
        }
        for (i, line) in self.lines.iter().enumerate() {
            canvas.text(width / 2.0, top + rows + foot + 14.0 + 28.0 * i as f64, line, NAME);
        }
        Figure::still(&canvas.finish()?, alt, text)
    }
}

impl Column {
    /// Draws the bars; `left` and `top` are the corner of the column.
    pub(crate) fn draw(&self, canvas: &mut Canvas, left: f64, top: f64, rows: f64) {
        let (low, high) = self.range;
        let room = |below: bool| {
            let texts = self.bars.iter().filter(|bar| (bar.to < bar.from) == below);
            texts.map(|bar| text_width(&bar.text, NAME) + 8.0).fold(0.0, f64::max)
        };
        let (before, after) = (room(true), room(false));
        let scale = (self.width - before - after) / (high - low).max(f64::MIN_POSITIVE);
        let at = |value: f64| left + before + (value.clamp(low, high) - low) * scale;
        for tick in &self.ticks {
            canvas.fill(at(*tick) - 0.5, top, 1.0, rows + 4.0, [215, 215, 215]);
            canvas.text(at(*tick), top + rows + 16.0, &tick.to_string(), Text::new(15.0).colour(PALE_INK));
        }
        canvas.fill(at(0.0_f64.max(low)) - 0.5, top, 1.0, rows, PALE_INK);
        for (i, bar) in self.bars.iter().enumerate() {
            let middle = top + (i as f64 + 0.5) * ROW;
            let (from, to) = (at(bar.from), at(bar.to));
            canvas.fill(from.min(to), middle - 10.0, (to - from).abs().max(1.5), 20.0, bar.colour);
            if bar.to < bar.from {
                canvas.text(to - 5.0, middle, &bar.text, NAME.right());
            } else {
                canvas.text(to + 5.0, middle, &bar.text, NAME.left());
            }
        }
    }

    /// The height of so many rows.
    pub(crate) fn height(rows: usize) -> f64 {
        ROW * rows as f64
    }
}
