//! A network as a row of volumes: stacks of sheets that become smaller and deeper, and the scores at the end.

use crate::{
    Result,
    bars::{Bar, Column, PLAIN, STRONG},
    canvas::{Canvas, INK, PALE_INK, Text, text_width},
    figure::{Figure, Pixels},
};
use nchw_core::text::number;

/// A stack of sheets, one for each channel.
pub struct Volume {
    /// The text above it.
    pub name: String,
    /// Its sizes, C × H × W, below it.
    pub shape: String,
    /// The sheets, the first in front.
    pub sheets: Vec<Pixels>,
    /// The width of a sheet on the page.
    pub side: f64,
    /// How far each sheet is to the right of the one in front of it.
    pub step: f64,
    /// The caption of the front sheet, which is shown enlarged below; if empty, it is not.
    pub enlarged: String,
}

/// The drawing of a network.
pub struct Network {
    /// The title above everything.
    pub title: String,
    /// The volumes, from the image on.
    pub volumes: Vec<Volume>,
    /// What happens after each volume: lines of text above the arrow.
    pub steps: Vec<Vec<String>>,
    /// The scores of the classes.
    pub scores: Vec<(String, f64)>,
    /// The class whose name is bold and whose bar is blue.
    pub bold: Option<usize>,
    /// Lines of text below.
    pub lines: Vec<String>,
}

/// How far each sheet is above the one in front of it, as a part of how far it is to the right.
const RISE: f64 = 0.7;
const ARROW: f64 = 92.0;
/// The edges of sheets that lie behind others: pale, because there are many of them.
const EDGE: [u8; 3] = [205, 205, 205];
const ENLARGED: f64 = 128.0;
const SCORES: f64 = 176.0;
const TOP: f64 = 100.0;
/// The drawing is wide, so a notebook shows it at about 70 % of its size: the letters are larger than elsewhere.
const LABEL: Text = Text::new(20.0);
const SMALL: Text = Text::new(18.0);

impl Volume {
    fn depth(&self) -> f64 {
        self.step * self.sheets.len().saturating_sub(1) as f64
    }

    /// The width that it needs, with its texts.
    fn width(&self) -> f64 {
        let enlarged = if self.enlarged.is_empty() { 0.0 } else { ENLARGED };
        let texts = text_width(&self.shape, LABEL.bold()).max(text_width(&self.name, LABEL));
        (self.side + self.depth()).max(enlarged).max(texts)
    }

    fn height(&self) -> f64 {
        self.side + RISE * self.depth()
    }

    /// Draws the stack in the middle of the box, from back to front.
    fn draw(&self, canvas: &mut Canvas, x: f64, middle: f64) {
        let left = x + (self.width() - self.side - self.depth()) / 2.0;
        let top = middle - self.height() / 2.0 + RISE * self.depth();
        for (i, sheet) in self.sheets.iter().enumerate().rev() {
            let (x, y) = (left + self.step * i as f64, top - RISE * self.step * i as f64);
            canvas.picture(x, y, self.side, self.side, sheet);
            canvas.frame(x, y, self.side, self.side, EDGE, 0.5);
        }
        canvas.frame(left, top, self.side, self.side, INK, 1.0);
    }
}

impl Network {
    /// Draws everything.
    ///
    /// # Errors
    /// When the page is too large.
    pub fn figure(&self, alt: impl Into<String>, text: impl Into<String>) -> Result<Figure> {
        let names = self.scores.iter().map(|(name, _)| text_width(name, LABEL.bold())).fold(0.0, f64::max);
        let volumes: f64 = self.volumes.iter().map(|volume| volume.width() + ARROW).sum();
        let rows = Column::height(self.scores.len());
        let high = self.volumes.iter().map(Volume::height).fold(0.0, f64::max);
        let below =
            if self.volumes.iter().all(|volume| volume.enlarged.is_empty()) { 0.0 } else { ENLARGED + 46.0 };
        let body = (high + 44.0 + below).max(rows);
        let heading = Text::new(24.0).bold();
        let width = (volumes + names + SCORES + 60.0).max(text_width(&self.title, heading) + 36.0);
        let mut canvas = Canvas::new(width, TOP + body + 30.0 * self.lines.len() as f64 + 24.0)?;
        canvas.text(width / 2.0, 24.0, &self.title, heading);
        let (mut x, middle) = (18.0, TOP + high / 2.0);
        for (i, volume) in self.volumes.iter().enumerate() {
            let (w, centre) = (volume.width(), x + volume.width() / 2.0);
            canvas.text(centre, TOP - 26.0, &volume.name, LABEL);
            volume.draw(&mut canvas, x, middle);
            canvas.text(centre, TOP + high + 24.0, &volume.shape, LABEL.bold());
            if let (false, Some(front)) = (volume.enlarged.is_empty(), volume.sheets.first()) {
                let (left, top) = (centre - ENLARGED / 2.0, TOP + high + 48.0);
                canvas.picture(left, top, ENLARGED, ENLARGED, front);
                canvas.frame(left, top, ENLARGED, ENLARGED, INK, 0.5);
                canvas.text(centre, top + ENLARGED + 16.0, &volume.enlarged, SMALL.colour(PALE_INK));
            }
            for (line, words) in self.steps.get(i).into_iter().flatten().rev().enumerate() {
                canvas.text(x + w + ARROW / 2.0, middle - 24.0 - 23.0 * line as f64, words, SMALL);
            }
            canvas.text(x + w + ARROW / 2.0, middle, "\u{2192}", Text::new(30.0));
            x += w + ARROW;
        }
        self.draw_scores(&mut canvas, x + names, TOP + (body - rows).max(0.0) / 2.0);
        for (i, line) in self.lines.iter().enumerate() {
            canvas.text(width / 2.0, TOP + body + 24.0 + 30.0 * i as f64, line, LABEL);
        }
        Figure::still(&canvas.finish()?, alt, text)
    }

    fn draw_scores(&self, canvas: &mut Canvas, left: f64, top: f64) {
        let low = self.scores.iter().map(|(_, score)| *score).fold(0.0, f64::min);
        let high = self.scores.iter().map(|(_, score)| *score).fold(0.0, f64::max);
        let bar = |(i, (_, score)): (usize, &(String, f64))| Bar {
            from: 0.0,
            to: *score,
            text: number(*score as f32),
            colour: if self.bold == Some(i) { STRONG } else { PLAIN },
        };
        let bars: Vec<Bar> = self.scores.iter().enumerate().map(bar).collect();
        let column = Column { title: String::new(), bars, range: (low, high), ticks: vec![], width: SCORES };
        let rows = Column::height(self.scores.len());
        column.draw(canvas, left + 16.0, top, rows);
        for (i, (name, _)) in self.scores.iter().enumerate() {
            let set = if self.bold == Some(i) { SMALL.bold() } else { SMALL };
            let at = top + (i as f64 + 0.5) * Column::height(1);
            canvas.text(left + 4.0, at, name, set.right());
        }
    }
}
