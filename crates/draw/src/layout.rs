//! Layouts: panels in rows, under a title and above lines of text.

use crate::{
    Result,
    canvas::{Canvas, Text, text_width},
    figure::{Figure, Pixels},
    panels::Panel,
};

/// The space between two panels.
const GAP: f64 = 16.0;

/// The layout of a figure: a title, rows of panels, and lines of text.
pub struct Layout<'a> {
    /// The title above everything.
    pub title: String,
    /// The panels, row by row.
    pub rows: Vec<Vec<Panel<'a>>>,
    /// Lines of text below all panels, in large letters.
    pub lines: Vec<String>,
}

impl Layout<'_> {
    /// Draws everything.
    pub fn draw(&self) -> Result<Pixels> {
        self.rows.iter().flatten().try_for_each(Panel::require_drawable)?;
        let row_width = |row: &Vec<Panel>| {
            row.iter().map(Panel::full_width).sum::<f64>() + GAP * row.len().saturating_sub(1) as f64
        };
        let row_height = |(number, row): (usize, &Vec<Panel>)| {
            let content = row.iter().map(Panel::full_height).fold(0.0, f64::max);
            let captions = row.iter().map(|p| p.caption_lines().len()).max().unwrap_or(0);
            // A heading belongs to the rows below it: it needs more space above.
            let title = match row.iter().any(|p| !p.title.is_empty()) {
                true if content == 0.0 && number > 0 => 44.0,
                true => 28.0,
                false => 4.0,
            };
            let foot = row.iter().map(Panel::foot).fold(0.0, f64::max);
            (title, content, foot + if captions > 0 { 8.0 + 18.0 * captions as f64 } else { 0.0 })
        };
        let text = Text::new(19.0);
        let heading = Text::new(21.0).bold();
        let widest_row = self.rows.iter().map(row_width).fold(0.0, f64::max);
        let widest_line = self.lines.iter().map(|l| text_width(l, text)).fold(0.0, f64::max);
        let width = (widest_row.max(widest_line).max(text_width(&self.title, heading)) + 36.0).ceil();
        let rows_height: f64 = self.rows.iter().enumerate().map(row_height).map(|(a, b, c)| a + b + c).sum();
        let height = 52.0 + rows_height + 28.0 * self.lines.len() as f64 + 10.0;

        let mut canvas = Canvas::new(width, height)?;
        canvas.text(width / 2.0, 24.0, &self.title, heading);
        let mut y = 48.0;
        for (number, row) in self.rows.iter().enumerate() {
            let (title, content, foot) = row_height((number, row));
            let mut x = (width - row_width(row)) / 2.0;
            for panel in row {
                panel.draw(&mut canvas, x, y, y + title + content / 2.0);
                x += panel.full_width() + GAP;
            }
            y += title + content + foot;
        }
        for line in &self.lines {
            canvas.text(width / 2.0, y + 18.0, line, text);
            y += 28.0;
        }
        canvas.finish()
    }

    /// Draws everything into a figure.
    pub fn figure(&self, alt: impl Into<String>, text: impl Into<String>) -> Result<Figure> {
        Figure::still(&self.draw()?, alt, text)
    }
}

/// Arranges panels in rows of `columns`; the last row may have fewer.
pub fn in_rows(panels: Vec<Panel<'_>>, columns: usize) -> Vec<Vec<Panel<'_>>> {
    let mut panels = panels.into_iter().peekable();
    let mut rows = Vec::new();
    while panels.peek().is_some() {
        rows.push(panels.by_ref().take(columns.max(1)).collect());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_arranged_in_rows() {
        for (count, columns, lengths) in
            [(5, 2, &[2, 2, 1][..]), (4, 2, &[2, 2]), (0, 3, &[]), (2, 0, &[1, 1])]
        {
            let panels = (0..count).map(|_| Panel::sign("+")).collect();
            let rows = in_rows(panels, columns);
            assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), lengths);
        }
    }
}
