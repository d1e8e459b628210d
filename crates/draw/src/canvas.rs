//! A picture being drawn: text, boxes and pixels at page coordinates.
//!
//! The page's pixel is the unit; the picture has [`PIXEL_RATIO`] times as many.

use crate::{
    Error, Result,
    colour::Palette,
    figure::{PIXEL_RATIO, Pixels},
};
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
/// What a lecturer would point at.
pub const MARK: [u8; 3] = [230, 97, 0];

/// How text is set.
#[derive(Clone, Copy)]
pub struct Text {
    /// Height of the letters in pixels of the page.
    pub size: f64,
    /// Whether it is bold.
    pub bold: bool,
    /// Its colour.
    pub colour: [u8; 3],
    /// Which part of the text is at x: its left end, its centre or its right end.
    pub across: HPos,
}

impl Text {
    /// Plain ink, centred on its place.
    pub fn new(size: f64) -> Text {
        Text { size, bold: false, colour: INK, across: HPos::Center }
    }
    /// The same in bold.
    pub fn bold(self) -> Text {
        Text { bold: true, ..self }
    }
    /// The same in another colour.
    pub fn colour(self, colour: [u8; 3]) -> Text {
        Text { colour, ..self }
    }
    /// Begins at its place.
    pub fn left(self) -> Text {
        Text { across: HPos::Left, ..self }
    }
    /// Ends at its place.
    pub fn right(self) -> Text {
        Text { across: HPos::Right, ..self }
    }
    fn style(self) -> TextStyle<'static> {
        let font = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        TextStyle {
            font: ("sans-serif", self.size * f64::from(PIXEL_RATIO), font).into_font(),
            color: rgb(self.colour).to_backend_color(),
            pos: Pos::new(self.across, VPos::Center),
        }
    }
}

/// A white page to draw on. What goes wrong is kept for `finish`.
pub struct Canvas {
    pixels: Pixels,
    failed: Option<String>,
}

/// Pixels of the largest figure, 120 MB in memory: a page of 1,000 by 10,000.
const MOST_PIXELS: usize = 40_000_000;

impl Canvas {
    /// # Errors
    /// When the page would need more memory than any figure should.
    pub fn new(width: f64, height: f64) -> Result<Canvas> {
        let (w, h) = (scaled(width).max(1) as u32, scaled(height).max(1) as u32);
        let pixels = (w as usize).saturating_mul(h as usize);
        if pixels > MOST_PIXELS {
            return Err(Error::new(format!(
                "a figure of {width:.0} by {height:.0} on the page is too large: expected at most {} million \
                 pixels, got {} million. Show fewer rows, maps or images at a time, or shorten its title",
                MOST_PIXELS / 1_000_000,
                pixels / 1_000_000
            )));
        }
        Ok(Canvas { pixels: Pixels { width: w, height: h, rgb: vec![255; pixels * 3] }, failed: None })
    }

    /// The drawn picture.
    pub fn finish(self) -> Result<Pixels> {
        match self.failed {
            None => Ok(self.pixels),
            Some(why) => Err(Error::new(format!("could not draw the figure: {why}"))),
        }
    }

    /// Draws with plotters.
    pub fn draw<E: fmt::Display>(
        &mut self,
        act: impl FnOnce(BitMapBackend<'_>) -> std::result::Result<(), E>,
    ) {
        register_fonts();
        let size = (self.pixels.width, self.pixels.height);
        let backend = BitMapBackend::with_buffer(&mut self.pixels.rgb, size);
        if let Err(error) = act(backend) {
            self.failed.get_or_insert(error.to_string());
        }
    }

    /// Text whose vertical middle is at `y`.
    pub fn text(&mut self, x: f64, y: f64, text: &str, set: Text) {
        self.draw(|mut b| b.draw_text(text, &set.style(), (scaled(x), scaled(y))));
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

    /// A picture, filling the box. Enlarged pixels stay square; a reduced
    /// picture is averaged.
    pub fn picture(&mut self, x: f64, y: f64, width: f64, height: f64, picture: &Pixels) {
        let (w, h) = (scaled(width).max(1) as u32, scaled(height).max(1) as u32);
        let Some(source) = image::RgbImage::from_raw(picture.width, picture.height, picture.rgb.clone())
        else {
            self.failed.get_or_insert("a picture has fewer bytes than its size says".into());
            return;
        };
        let filter = if w >= picture.width && h >= picture.height {
            image::imageops::FilterType::Nearest
        } else {
            image::imageops::FilterType::Triangle
        };
        let fitted = image::imageops::resize(&source, w, h, filter);
        self.draw(|mut b| b.blit_bitmap((scaled(x), scaled(y)), (w, h), fitted.as_raw()));
    }

    /// Which colour is which number, beside what it explains. Where `extremes`
    /// go beyond the range, the ends of the scale say so.
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
        self.picture(x, y, BAR, height, &bar);
        self.frame(x, y, BAR, height, INK, 0.5);
        let text = Text::new(14.0).left();
        for part in [0.0, 0.5, 1.0] {
            let value = between(range, 1.0 - part);
            let at = y + part * height;
            self.fill(x + BAR, at - 0.5, 4.0, 1.0, INK);
            // A letter's height inside, where the bar is that high.
            let inside = at.max(y + 6.0).min((y + height - 6.0).max(y + 6.0));
            let beyond = match part {
                0.0 if extremes.1 > range.1 => "\u{2265} ",
                1.0 if extremes.0 < range.0 => "\u{2264} ",
                _ => "",
            };
            self.text(x + BAR + 7.0, inside, &format!("{beyond}{}", number(value)), text);
        }
    }
}

const BAR: f64 = 14.0;

/// The width of a colour bar with its numbers.
pub fn colour_bar_width(range: (f32, f32)) -> f64 {
    let widest = [0.0, 0.5, 1.0]
        .map(|part| text_width(&format!("\u{2265} {}", number(between(range, part))), Text::new(14.0)));
    BAR + 9.0 + widest.into_iter().fold(0.0, f64::max)
}

/// The number at this part of a scale: 0 is its low end, 1 its high end. In `f64`,
/// because the length of a scale of large `f32` can be infinite.
pub fn between((low, high): (f32, f32), part: f64) -> f32 {
    (f64::from(low) * (1.0 - part) + f64::from(high) * part) as f32
}

/// How wide a text will be.
pub fn text_width(text: &str, set: Text) -> f64 {
    register_fonts();
    set.style().font.box_size(text).map_or(0.0, |(w, _)| f64::from(w) / f64::from(PIXEL_RATIO))
}

/// Lines of at most `width`, broken at spaces.
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

/// A number as short as it can be read: 3, -0.5, 1.25, with a true minus.
pub fn number(value: f32) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value.abs() >= 1e6 || (value != 0.0 && value.abs() < 1e-3) {
        return format!("{value:.1e}").replace('-', "\u{2212}");
    }
    let digits = match value.abs() {
        a if a >= 100.0 => 0,
        a if a >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.replace('-', "\u{2212}") }
}

fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Embedded, so a picture looks the same on every machine. They are
        // whole files; if one were not, drawing text would say so.
        let regular = include_bytes!("../assets/DejaVuSans.ttf");
        let bold = include_bytes!("../assets/DejaVuSans-Bold.ttf");
        let mono = include_bytes!("../assets/DejaVuSansMono.ttf");
        let _ = register_font("sans-serif", FontStyle::Normal, regular);
        let _ = register_font("sans-serif", FontStyle::Bold, bold);
        let _ = register_font("monospace", FontStyle::Normal, mono);
    });
}

/// A length of the page in pixels of the PNG.
pub fn scaled(length: f64) -> i32 {
    (length * f64::from(PIXEL_RATIO)).round() as i32
}

fn corners(x: f64, y: f64, width: f64, height: f64) -> ((i32, i32), (i32, i32)) {
    let from = (scaled(x), scaled(y));
    // plotters leaves out the last row and column of a filled box.
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
    fn numbers_are_short() {
        let shown = [0.0, -0.0, 3.0, -1.0, 0.333_333, 12.34, 100.4, 1234.0, -2.5e9, 1e-5].map(number);
        assert_eq!(
            shown,
            ["0", "0", "3", "\u{2212}1", "0.33", "12.3", "100", "1234", "\u{2212}2.5e9", "1.0e\u{2212}5"]
        );
    }

    #[test]
    fn a_page_that_would_take_gigabytes_is_refused() {
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
    fn a_box_covers_just_its_pixels() {
        let mut canvas = Canvas::new(4.0, 3.0).unwrap();
        canvas.fill(1.0, 1.0, 2.0, 1.0, [10, 20, 30]);
        let drawn = canvas.finish().unwrap();
        let filled: Vec<usize> =
            drawn.rgb.chunks(3).enumerate().filter(|(_, p)| *p == [10, 20, 30]).map(|(i, _)| i).collect();
        // Two pixels to one, eight pixels a row.
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
