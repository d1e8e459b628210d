//! A canvas for text, boxes and images, in page coordinates.
//!
//! The unit is one pixel of the page; the PNG file has [`PIXEL_RATIO`] times as many.

use crate::{
    Error, Result,
    colour::Palette,
    figure::{PIXEL_RATIO, Pixels},
    page::{self, Page},
};
use nchw_core::text::number;
use plotters::{
    backend::{BitMapBackend, DrawingBackend},
    style::{
        Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};
use std::{fmt, sync::Once};

/// Text and frames.
pub const INK: [u8; 3] = [33, 33, 33];
/// Captions and ticks; 4.5 : 1 and more on white.
pub const PALE_INK: [u8; 3] = [90, 90, 90];
/// Marks windows and receptive fields.
pub const MARK: [u8; 3] = [230, 97, 0];

/// The style of a text.
#[derive(Clone, Copy)]
pub struct Text {
    /// Height of the letters in pixels of the page.
    pub size: f64,
    /// Whether it is bold.
    pub bold: bool,
    /// Its colour.
    pub colour: [u8; 3],
    /// Which part of the text is at x: its left end, its centre or its right end.
    pub align: HPos,
}

impl Text {
    /// Regular text in ink, centred at x.
    pub const fn new(size: f64) -> Text {
        Text { size, bold: false, colour: INK, align: HPos::Center }
    }
    /// The same in bold.
    pub const fn bold(self) -> Text {
        Text { bold: true, ..self }
    }
    /// The same in another colour.
    pub const fn colour(self, colour: [u8; 3]) -> Text {
        Text { colour, ..self }
    }
    /// The same, left-aligned: it begins at x.
    pub const fn left(self) -> Text {
        Text { align: HPos::Left, ..self }
    }
    /// The same, right-aligned: it ends at x.
    pub const fn right(self) -> Text {
        Text { align: HPos::Right, ..self }
    }
    fn style(self) -> TextStyle<'static> {
        let font = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        TextStyle {
            font: ("sans-serif", self.size * f64::from(PIXEL_RATIO), font).into_font(),
            color: rgb(self.colour).to_backend_color(),
            pos: Pos::new(self.align, VPos::Center),
        }
    }
}

/// A white page to draw on. `finish` returns the first drawing error.
pub struct Canvas {
    pixels: Pixels,
    error: Option<String>,
}

/// The pixels of the largest figure (120 MB in memory): a page of 1,000 by 10,000.
const MAX_PIXELS: usize = 40_000_000;

impl Canvas {
    /// Creates a page of this size.
    ///
    /// # Errors
    /// When the page is larger than the largest figure.
    pub fn new(width: f64, height: f64) -> Result<Canvas> {
        let (w, h) = (scaled(width).max(1) as u32, scaled(height).max(1) as u32);
        let pixels = (w as usize).saturating_mul(h as usize);
        if pixels > MAX_PIXELS {
            return Err(Error::new(format!(
                "a figure of {width:.0} by {height:.0} on the page is too large: expected at most {} million \
                 pixels, got {} million. Show fewer rows, maps or images at a time, or shorten its title",
                MAX_PIXELS / 1_000_000,
                pixels / 1_000_000
            )));
        }
        Ok(Canvas { pixels: Pixels { width: w, height: h, rgb: vec![255; pixels * 3] }, error: None })
    }

    /// Returns the drawn pixels.
    pub fn finish(self) -> Result<Pixels> {
        match self.error {
            None => Ok(self.pixels),
            Some(why) => Err(Error::new(format!("could not draw the figure: {why}"))),
        }
    }

    /// Draws with plotters.
    pub fn draw<E: fmt::Display>(&mut self, act: impl FnOnce(Page<'_>) -> std::result::Result<(), E>) {
        register_fonts();
        let size = (self.pixels.width, self.pixels.height);
        let backend = Page(BitMapBackend::with_buffer(&mut self.pixels.rgb, size));
        if let Err(error) = act(backend) {
            self.error.get_or_insert(error.to_string());
        }
    }

    /// Text whose vertical middle is at `y`.
    pub fn text(&mut self, x: f64, y: f64, text: &str, set: Text) {
        let text = page::drawable(text);
        self.draw(|mut b| b.draw_text(&text, &set.style(), (scaled(x), scaled(y))));
    }

    /// A filled box.
    pub fn fill(&mut self, x: f64, y: f64, width: f64, height: f64, colour: [u8; 3]) {
        let (from, to) = corners(x, y, width, height);
        self.draw(|mut b| b.draw_rect(from, to, &ShapeStyle::from(&rgb(colour)).filled(), true));
    }

    /// The outline of a box, drawn inward.
    pub fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, colour: [u8; 3], thickness: f64) {
        let t = thickness;
        self.fill(x, y, width, t, colour);
        self.fill(x, y + height - t, width, t, colour);
        self.fill(x, y, t, height, colour);
        self.fill(x + width - t, y, t, height, colour);
    }

    /// Draws an image that fills the box. Enlarged images keep sharp pixels; reduced images are averaged.
    pub fn picture(&mut self, x: f64, y: f64, width: f64, height: f64, image: &Pixels) {
        let (w, h) = (scaled(width).max(1) as u32, scaled(height).max(1) as u32);
        let Some(source) = image::RgbImage::from_raw(image.width, image.height, image.rgb.clone()) else {
            self.error.get_or_insert("an image has fewer bytes than its size requires".into());
            return;
        };
        let filter = if w >= image.width && h >= image.height {
            image::imageops::FilterType::Nearest
        } else {
            image::imageops::FilterType::Triangle
        };
        let fitted = image::imageops::resize(&source, w, h, filter);
        self.draw(|mut b| b.blit_bitmap((scaled(x), scaled(y)), (w, h), fitted.as_raw()));
    }

    /// Draws a colour bar with three numbers. Where `extremes` exceed the range, its ends are marked
    /// with ≤ or ≥.
    pub fn colour_bar(
        &mut self,
        x: f64,
        y: f64,
        height: f64,
        palette: Palette,
        range: (f32, f32),
        extremes: (f32, f32),
    ) {
        let steps = scaled(height).max(2);
        let mut bar = Pixels { width: 1, height: steps as u32, rgb: Vec::new() };
        for step in 0..steps {
            let part = 1.0 - f64::from(step) / f64::from(steps - 1);
            bar.rgb.extend(palette.rgb(between(range, part), range));
        }
        self.picture(x, y, BAR_WIDTH, height, &bar);
        self.frame(x, y, BAR_WIDTH, height, INK, 0.5);
        let text = Text::new(14.0).left();
        for part in [0.0, 0.5, 1.0] {
            let value = between(range, 1.0 - part);
            let at = y + part * height;
            self.fill(x + BAR_WIDTH, at - 0.5, 4.0, 1.0, INK);
            // The numbers stay inside the bar if it is high enough.
            let middle = at.max(y + 6.0).min((y + height - 6.0).max(y + 6.0));
            let beyond = match part {
                0.0 if extremes.1 > range.1 => "\u{2265} ",
                1.0 if extremes.0 < range.0 => "\u{2264} ",
                _ => "",
            };
            self.text(x + BAR_WIDTH + 7.0, middle, &format!("{beyond}{}", number(value)), text);
        }
    }
}

/// The width of a colour bar without its numbers.
const BAR_WIDTH: f64 = 14.0;

/// The width of a colour bar with its numbers.
pub fn colour_bar_width(range: (f32, f32)) -> f64 {
    let widest = [0.0, 0.5, 1.0]
        .map(|part| text_width(&format!("\u{2265} {}", number(between(range, part))), Text::new(14.0)));
    BAR_WIDTH + 9.0 + widest.into_iter().fold(0.0, f64::max)
}

/// Interpolates between the ends of a scale: 0 is the low end, 1 the high end. Computes in `f64`, because
/// the difference of two large `f32` can be infinite.
pub fn between((low, high): (f32, f32), part: f64) -> f32 {
    (f64::from(low) * (1.0 - part) + f64::from(high) * part) as f32
}

/// The width of a text on the page.
pub fn text_width(text: &str, set: Text) -> f64 {
    register_fonts();
    set.style()
        .font
        .box_size(&page::drawable(text))
        .map_or(0.0, |(w, _)| f64::from(w) / f64::from(PIXEL_RATIO))
}

/// Breaks a text at spaces into lines of at most `width`.
pub fn wrap(text: &str, set: Text, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), set) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // With an invalid font file, drawing text would return an error.
        let _ = register_font("sans-serif", FontStyle::Normal, page::REGULAR);
        let _ = register_font("sans-serif", FontStyle::Bold, page::BOLD);
    });
}

/// Converts a length on the page to pixels of the PNG file.
pub fn scaled(length: f64) -> i32 {
    (length * f64::from(PIXEL_RATIO)).round() as i32
}

fn corners(x: f64, y: f64, width: f64, height: f64) -> ((i32, i32), (i32, i32)) {
    let from = (scaled(x), scaled(y));
    // plotters does not draw the last row and column of a filled box.
    (from, (scaled(x + width).max(from.0 + 1), scaled(y + height).max(from.1 + 1)))
}

/// A colour for plotters.
pub fn rgb([r, g, b]: [u8; 3]) -> RGBColor {
    RGBColor(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inks_are_readable_as_they_are() {
        for ink in [INK, PALE_INK] {
            assert_eq!(nchw_core::colour::as_text(ink), ink);
        }
    }

    #[test]
    fn a_page_that_needs_gigabytes_is_refused() {
        assert!(Canvas::new(1000.0, 9_000.0).is_ok());
        for (width, height) in [(1000.0, 60_000.0), (1e9, 1e9), (f64::INFINITY, 10.0)] {
            let error = Canvas::new(width, height).err().unwrap().to_string();
            assert!(error.contains("at most 40 million pixels"), "{error}");
        }
    }

    #[test]
    fn the_middle_of_a_large_scale_is_finite() {
        assert_eq!(between((-f32::MAX, f32::MAX), 0.5), 0.0);
        assert_eq!(between((f32::MAX / 2.0, f32::MAX), 1.0), f32::MAX);
        assert_eq!([0.0, 0.5, 1.0].map(|part| between((0.0, 3.0), part)), [0.0, 1.5, 3.0]);
    }

    #[test]
    fn a_box_covers_exactly_its_pixels() {
        let mut canvas = Canvas::new(4.0, 3.0).unwrap();
        canvas.fill(1.0, 1.0, 2.0, 1.0, [10, 20, 30]);
        let drawn = canvas.finish().unwrap();
        let filled: Vec<usize> =
            drawn.rgb.chunks(3).enumerate().filter(|(_, p)| *p == [10, 20, 30]).map(|(i, _)| i).collect();
        // Two pixels per page pixel, eight pixels per row.
        assert_eq!(filled, [18, 19, 20, 21, 26, 27, 28, 29]);
    }

    #[test]
    fn a_bright_corner_stays_in_its_corner() {
        let mut rgb = vec![0; 3 * 2 * 3];
        rgb[3 * 2..3 * 3].fill(255); // top right of 3 x 2
        let mut canvas = Canvas::new(30.0, 20.0).unwrap();
        canvas.picture(0.0, 0.0, 30.0, 20.0, &Pixels { width: 3, height: 2, rgb });
        let drawn = canvas.finish().unwrap();
        let at = |x: u32, y: u32| drawn.rgb[((y * drawn.width + x) * 3) as usize];
        assert_eq!([at(1, 1), at(58, 1), at(1, 38), at(58, 38)], [0, 255, 0, 0]);
    }
}
