//! plotters' bitmap, with its own way to draw text.
//!
//! plotters forgets the empty space that a font leaves at the left of each letter, and moves each letter to a whole
//! pixel: "china.jpg" becomes "china. jpg". Here ab_glyph, which plotters uses, too, places the letters.

use ab_glyph::{Font, FontRef, GlyphId, InvalidFont, ScaleFont, point};
use deunicode::deunicode_with_tofu;
use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontStyle,
    text_anchor::{HPos, VPos},
};
use std::{borrow::Cow, result, sync::LazyLock};

/// The font of all figures. It is embedded, so that they look the same on every machine.
pub const REGULAR: &[u8] = include_bytes!("../assets/DejaVuSans.ttf");
/// Its bold letters.
pub const BOLD: &[u8] = include_bytes!("../assets/DejaVuSans-Bold.ttf");

static FONTS: LazyLock<result::Result<[FontRef; 2], InvalidFont>> =
    LazyLock::new(|| Ok([FontRef::try_from_slice(REGULAR)?, FontRef::try_from_slice(BOLD)?]));

/// The text with Latin letters in place of those that the font does not have: the class "고양이" becomes "goyangi".
///
/// A font for each script of the world would be larger than the course, and a font of the machine would make
/// figures differ from one machine to the next. The alternative text and tables keep the original letters.
pub fn drawable(text: &str) -> Cow<'_, str> {
    let Ok([regular, _]) = FONTS.as_ref() else { return text.into() };
    let missing = |letter: char| !letter.is_whitespace() && regular.glyph_id(letter) == GlyphId(0);
    if !text.contains(missing) {
        return text.into();
    }
    let letters: Vec<char> = text.chars().collect();
    let mut latin = String::new();
    for run in letters.chunk_by(|a, b| missing(*a) == missing(*b)) {
        let run: String = run.iter().collect();
        // Together, because the spaces between syllables depend on their neighbours.
        let run = if run.contains(missing) { deunicode_with_tofu(&run, "?") } else { run };
        latin.push_str(&run);
    }
    latin.into()
}

/// A bitmap whose text has the distances of its font.
pub struct Page<'a>(pub BitMapBackend<'a>);

type Error<'a> = <BitMapBackend<'a> as DrawingBackend>::ErrorType;
type Drawn<'a> = result::Result<(), DrawingErrorKind<Error<'a>>>;

impl<'a> DrawingBackend for Page<'a> {
    type ErrorType = Error<'a>;

    fn get_size(&self) -> (u32, u32) {
        self.0.get_size()
    }
    fn ensure_prepared(&mut self) -> Drawn<'a> {
        self.0.ensure_prepared()
    }
    fn present(&mut self) -> Drawn<'a> {
        self.0.present()
    }
    fn draw_pixel(&mut self, at: BackendCoord, colour: BackendColor) -> Drawn<'a> {
        self.0.draw_pixel(at, colour)
    }
    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<'a> {
        self.0.draw_line(from, to, style)
    }
    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        filled: bool,
    ) -> Drawn<'a> {
        self.0.draw_rect(from, to, style, filled)
    }
    fn blit_bitmap(&mut self, at: BackendCoord, size: (u32, u32), rgb: &[u8]) -> Drawn<'a> {
        self.0.blit_bitmap(at, size, rgb)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn<'a> {
        let wrong = |error: Box<dyn std::error::Error + Send + Sync>| DrawingErrorKind::FontError(error);
        let ((left, top), (right, bottom)) =
            style.layout_box(text).map_err(|error| wrong(error.to_string().into()))?;
        let dx = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Center => (left - right) / 2,
            HPos::Right => left - right,
        };
        let dy = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => (top - bottom) / 2,
            VPos::Bottom => top - bottom,
        };
        let [regular, bold] = FONTS.as_ref().map_err(|error| wrong(error.to_string().into()))?;
        let size = style.size() as f32;
        let font = if matches!(style.style(), FontStyle::Bold) { bold } else { regular }.as_scaled(size);
        let turn = style.transform();
        let (width, height) = self.get_size();
        let (mut pen, mut before) = (0.0, None);
        let mut drawn = Ok(());
        for letter in text.chars() {
            let glyph = font.glyph_id(letter);
            pen += before.map_or(0.0, |before| font.kern(before, glyph));
            // At a whole pixel: equal letters have equal pixels, and a figure's file is a tenth smaller.
            let placed = glyph.with_scale_and_position(font.scale(), point(pen.round(), 0.0));
            if let Some(outline) = font.outline_glyph(placed) {
                let corner = outline.px_bounds().min;
                // As in plotters, where `layout_box` and its callers expect the letters.
                let down = (size / 2.0 + corner.y) as i32;
                outline.draw(|x, y, cover| {
                    let (x, y) = turn.transform(x as i32 + corner.x as i32 + dx, y as i32 + down + dy);
                    let (x, y) = (at.0 + x, at.1 + y);
                    let inside = (0..width as i32).contains(&x) && (0..height as i32).contains(&y);
                    if drawn.is_ok() && inside {
                        drawn = self.draw_pixel((x, y), style.color().mix(f64::from(cover)));
                    }
                });
            }
            pen += font.h_advance(glyph);
            before = Some(glyph);
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::style::{BLACK, IntoFont, TextStyle, register_font};

    /// The columns of a line of text that contain ink.
    fn inked(text: &str) -> Vec<bool> {
        // The font may be registered already.
        let _ = register_font("sans-serif", FontStyle::Normal, REGULAR);
        let (width, height) = (400, 60);
        let mut rgb = vec![255; width * height * 3];
        let mut page = Page(BitMapBackend::with_buffer(&mut rgb, (width as u32, height as u32)));
        let style = TextStyle::from(("sans-serif", 40.0).into_font()).color(&BLACK);
        page.draw_text(text, &style, (10, 5)).unwrap();
        drop(page);
        (0..width).map(|x| (0..height).any(|y| rgb[(y * width + x) * 3] < 128)).collect()
    }

    #[test]
    fn other_scripts_are_drawn_in_latin_letters() {
        for (text, latin) in [
            ("고양이 (12)", "goyangi (12)"),
            // As macOS stores file names: a letter for each sound.
            ("\u{1100}\u{1169}\u{110b}\u{1163}\u{11bc}", "goyang"),
            ("猫 and 犬", "Mao and Quan"),
            ("кошка", "koshka"),
            ("naïve 3 × 3 ≥ 1 μ", "naïve 3 × 3 ≥ 1 μ"),
            ("\u{10FFFF}", "?"),
        ] {
            assert_eq!(drawable(text), latin);
        }
        // Each of them leaves ink, and different words differ.
        assert_ne!(inked(&drawable("고양이")), inked(&drawable("강아지")));
    }

    #[test]
    fn letters_keep_the_distances_of_their_font() {
        // An l begins at a distance from the pen, which plotters forgets: it drew the first column at 10.
        let ink = inked("l");
        assert!((13..=15).contains(&ink.iter().position(|ink| *ink).unwrap()), "{ink:?}");
        // Equal letters at equal distances, at most a pixel more or less.
        let starts: Vec<usize> = inked("llllllllllll")
            .windows(2)
            .enumerate()
            .filter(|(_, w)| !w[0] && w[1])
            .map(|(x, _)| x)
            .collect();
        assert_eq!(starts.len(), 12);
        let gaps: Vec<usize> = starts.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps.iter().max().unwrap() - gaps.iter().min().unwrap() <= 1, "{gaps:?}");
    }
}
