//! A finished figure: a PNG, its alternative text, and its content in words.

use crate::{Error, Result};
use nchw_files as files;
use std::{collections::HashMap, fmt, path::Path};

/// A picture with its alternative text and its content in words.
///
/// It owns everything, so a cell can keep it in a variable. As the last
/// expression of a cell it shows itself; anywhere else, `save` it.
///
/// ```
/// use nchw::prelude::*;
/// let figure: Figure = Matrix::from([[0, 1], [2, 3]]).figure("Two rows")?;
/// figure.save(std::env::temp_dir().join("two-rows.png"))?;
/// assert!(figure.alt().contains("Two rows"));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone)]
pub struct Figure {
    png: Vec<u8>,
    width: u32,
    height: u32,
    alt: String,
    text: String,
}

/// An RGB picture in memory: rows from the top, three bytes a pixel.
#[derive(Clone)]
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `height * width * 3` bytes.
    pub rgb: Vec<u8>,
}

impl Pixels {
    /// Refuses a picture of another size, and one whose bytes do not fit its own size.
    fn check(&self, width: u32, height: u32) -> Result<()> {
        let bytes = u128::from(width) * u128::from(height) * 3;
        if bytes == 0 {
            return Err(Error::new(format!(
                "a picture of a figure needs at least 1 row and 1 column, got {height} rows and {width} columns"
            )));
        }
        if (self.width, self.height) != (width, height) || self.rgb.len() as u128 != bytes {
            return Err(Error::new(format!(
                "every picture of a figure must be {width} x {height} with {bytes} bytes; one is {} x {} with {} bytes",
                self.width,
                self.height,
                self.rgb.len()
            )));
        }
        Ok(())
    }
}

/// Pictures are drawn with this many pixels to one pixel on the page, so that
/// they stay sharp on a projector and a high-density screen.
pub const PIXEL_RATIO: u32 = 2;

impl Figure {
    /// A still picture. Where it then fits a palette, each colour is moved by 2 of 255 at
    /// most; photos are kept as they are.
    ///
    /// `alt` says what is to be seen, for those who cannot see it; `text` is
    /// the content in words or numbers, for a terminal.
    ///
    /// # Errors
    /// When the number of bytes does not fit the size.
    pub fn still(picture: &Pixels, alt: impl Into<String>, text: impl Into<String>) -> Result<Figure> {
        Figure::encode(&[picture], &[0.0], alt.into(), text.into())
    }

    /// An animation (APNG): each picture with how long it stays, in seconds.
    /// It repeats for ever. Colours are moved by 4 of 255 at most.
    ///
    /// # Errors
    /// When there is no frame, the frames differ in size, or a duration is
    /// not between 0 and 60 s.
    pub fn animation(
        frames: &[(Pixels, f32)],
        alt: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Figure> {
        let (pictures, seconds): (Vec<&Pixels>, Vec<f32>) =
            frames.iter().map(|(picture, stay)| (picture, *stay)).unzip();
        Figure::encode(&pictures, &seconds, alt.into(), text.into())
    }

    fn encode(pictures: &[&Pixels], seconds: &[f32], alt: String, text: String) -> Result<Figure> {
        let Some(first) = pictures.first() else {
            return Err(Error::new("a figure needs at least one picture, and got none"));
        };
        let (width, height) = (first.width, first.height);
        for (picture, stay) in pictures.iter().zip(seconds) {
            picture.check(width, height)?;
            if !(0.0..=60.0).contains(stay) {
                return Err(Error::new(format!(
                    "a frame stays between 0 and 60 seconds; {stay} was asked for"
                )));
            }
        }
        let failed = |e: png::EncodingError| Error::new(format!("could not encode the picture as PNG: {e}"));
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_compression(png::Compression::Balanced);
        let moves = pictures.len() > 1;
        let colours = Colours::of(pictures);
        match &colours.palette {
            Some(palette) => {
                // Guessing a pixel from its neighbours, as helps with RGB, only hides from
                // the compressor what repeats here.
                encoder.set_filter(png::Filter::NoFilter);
                encoder.set_color(png::ColorType::Indexed);
                encoder.set_palette(palette.order.concat());
            }
            None => encoder.set_color(png::ColorType::Rgb),
        }
        if moves {
            encoder.set_trns(colours.transparent());
            encoder.set_animated(pictures.len() as u32, 0).map_err(failed)?;
            encoder.set_blend_op(png::BlendOp::Over).map_err(failed)?;
        }
        let mut writer = encoder.write_header().map_err(failed)?;
        let mut before: Option<&Pixels> = None;
        for (&picture, &stay) in pictures.iter().zip(seconds) {
            // From frame to frame little moves: only the part that does is stored, and of
            // that part only the pixels that are new.
            let part = before.map_or([0, 0, width, height], |before| changed(before, picture));
            let [x, y, w, h] = part;
            if moves {
                writer.set_frame_delay((stay * 1000.0).round() as u16, 1000).map_err(failed)?;
                writer.reset_frame_position().map_err(failed)?;
                writer.set_frame_dimension(w, h).map_err(failed)?;
                writer.set_frame_position(x, y).map_err(failed)?;
            }
            let places = (y..y + h).flat_map(|row| (x..x + w).map(move |column| row * width + column));
            let pixels = places.map(|place| {
                let at = place as usize * 3..place as usize * 3 + 3;
                let now = &picture.rgb[at.clone()];
                before.is_none_or(|before| before.rgb[at] != *now).then_some(now)
            });
            writer.write_image_data(&colours.data(pixels)).map_err(failed)?;
            before = Some(picture);
        }
        writer.finish().map_err(failed)?;
        Ok(Figure { png, width, height, alt, text })
    }

    /// Writes the picture as a PNG file (an animation as APNG).
    ///
    /// # Errors
    /// When the file cannot be written, or its name does not end in `.png`.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("png")) {
            return Err(Error::new(format!(
                "figures are saved as PNG: expected a name like \"figure.png\", got \"{}\"",
                path.display()
            )));
        }
        files::write(path, &self.png).map_err(|e| files::not_written(path, &e))
    }

    /// The PNG file's bytes.
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// What is to be seen, in a sentence or two.
    pub fn alt(&self) -> &str {
        &self.alt
    }

    /// The content in words or numbers.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `(width, height)` in pixels of the PNG.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}

/// When a cell's last expression gives away a variable, evcxr prints it like
/// this instead of showing it; so this says how it is seen all the same.
impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Figure {} x {}: {}", self.width, self.height, self.alt)?;
        write!(f, "(to see it: `let figure = ...;`, and then `figure` alone on the last line)")
    }
}

/// `[x, y, width, height]` of the box outside of which two pictures of one size
/// are the same; never empty.
fn changed(before: &Pixels, after: &Pixels) -> [u32; 4] {
    let places = (0..after.width * after.height).filter(|place| {
        let at = *place as usize * 3;
        before.rgb[at..at + 3] != after.rgb[at..at + 3]
    });
    let found = places.fold(None, |found: Option<[u32; 4]>, place| {
        let (x, y) = (place % after.width, place / after.width);
        let [left, top, right, bottom] = found.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    });
    let [left, top, right, bottom] = found.unwrap_or_default();
    [left, top, right - left + 1, bottom - top + 1]
}

/// How the pixels of a figure are written down.
///
/// Many figures are drawings, and most of their colours only the edges of letters.
/// Rounded until they fit a palette they take a third of the room. A still picture
/// is rounded by no more than can be seen, and is kept as it is when that will not
/// do, as with photos; one that moves is rounded further.
struct Colours {
    /// They are rounded to multiples of it, all channels alike: grey stays grey.
    step: u8,
    palette: Option<Entries>,
}

/// The colours of a palette, and the place of each in their order.
struct Entries {
    order: Vec<[u8; 3]>,
    place: HashMap<[u8; 3], u8>,
}

/// Stands for a pixel that stays as it was; no multiple of the largest step.
const STAYS: [u8; 3] = [1; 3];

impl Colours {
    fn of(pictures: &[&Pixels]) -> Colours {
        let moves = pictures.len() > 1;
        let (steps, most): (&[u8], usize) = if moves { (&[1, 2, 4, 8], 255) } else { (&[1, 2, 4], 256) };
        for &step in steps {
            if let Some(mut palette) = Entries::of(pictures, step, most) {
                if moves {
                    palette.order.push(STAYS);
                }
                return Colours { step, palette: Some(palette) };
            }
        }
        Colours { step: if moves { 8 } else { 1 }, palette: None }
    }

    /// What PNG is told of the colour that is none: the palette's last, or its value.
    fn transparent(&self) -> Vec<u8> {
        match &self.palette {
            Some(palette) => {
                let opaque = palette.order.len() - 1;
                (0..=opaque).map(|place| if place == opaque { 0 } else { 255 }).collect()
            }
            None => STAYS.iter().flat_map(|byte| [0, *byte]).collect(),
        }
    }

    /// The bytes of an image: of each pixel its colour, or none where it stays as it was.
    fn data<'a>(&self, pixels: impl Iterator<Item = Option<&'a [u8]>>) -> Vec<u8> {
        match &self.palette {
            Some(palette) => {
                let stays = (palette.order.len() - 1) as u8;
                let mut last = (None, stays);
                let entry = |pixel: Option<&'a [u8]>| {
                    if pixel != last.0 {
                        last = (pixel, pixel.map_or(stays, |rgb| palette.place[&rounded(rgb, self.step)]));
                    }
                    last.1
                };
                pixels.map(entry).collect()
            }
            None => pixels.flat_map(|pixel| pixel.map_or(STAYS, |rgb| rounded(rgb, self.step))).collect(),
        }
    }
}

impl Entries {
    /// All colours, when they are not too many.
    fn of(pictures: &[&Pixels], step: u8, most: usize) -> Option<Entries> {
        let mut entries = Entries { order: Vec::new(), place: HashMap::new() };
        let mut last: &[u8] = &[];
        for pixel in pictures.iter().flat_map(|picture| picture.rgb.chunks_exact(3)) {
            if pixel == last {
                continue;
            }
            last = pixel;
            let colour = rounded(pixel, step);
            if !entries.place.contains_key(&colour) {
                if entries.order.len() == most {
                    return None;
                }
                entries.place.insert(colour, entries.order.len() as u8);
                entries.order.push(colour);
            }
        }
        Some(entries)
    }
}

/// A colour with every channel at the nearest multiple of `step`, a power of two.
fn rounded(pixel: &[u8], step: u8) -> [u8; 3] {
    let nearest =
        |byte: u8| ((u16::from(byte) + u16::from(step) / 2) & !(u16::from(step) - 1)).min(255) as u8;
    [nearest(pixel[0]), nearest(pixel[1]), nearest(pixel[2])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::ColorType::{Indexed, Rgb};

    fn plain(width: u32, height: u32, value: u8) -> Pixels {
        Pixels { width, height, rgb: vec![value; (width * height * 3) as usize] }
    }

    #[test]
    fn a_still_is_read_back_the_same() {
        let mut picture = plain(5, 3, 0);
        picture.rgb[3 * (2 * 5 + 4)] = 255; // bottom right, red
        let figure = Figure::still(&picture, "a red corner", "").unwrap();
        let back = image::load_from_memory(figure.png()).unwrap().to_rgb8();
        assert_eq!(back.dimensions(), (5, 3));
        assert_eq!(back.into_raw(), picture.rgb);
    }

    /// `count` colours, twice over.
    fn shades(count: u32) -> Pixels {
        let shade =
            |i: u32| [(i % count % 64) as u8, (i % count / 64 % 64) as u8, (i % count / 4096 * 16) as u8];
        Pixels { width: count, height: 2, rgb: (0..2 * count).flat_map(shade).collect() }
    }

    fn colour_type(figure: &Figure) -> png::ColorType {
        png::Decoder::new(std::io::Cursor::new(figure.png())).read_info().unwrap().info().color_type
    }

    #[test]
    fn drawings_get_a_palette_and_photos_are_kept_exactly() {
        // 256 are kept; 900 fit when rounded by 2 at most; no rounding does for 9000.
        for (count, colour, most) in [(256, Indexed, 0), (900, Indexed, 2), (9000, Rgb, 0)] {
            let picture = shades(count);
            let figure = Figure::still(&picture, "", "").unwrap();
            assert_eq!(colour_type(&figure), colour, "{count}");
            let back = image::load_from_memory(figure.png()).unwrap().to_rgb8().into_raw();
            assert_eq!(
                back.iter().zip(&picture.rgb).map(|(a, b)| a.abs_diff(*b)).max(),
                Some(most),
                "{count}"
            );
        }
    }

    #[test]
    fn what_moves_is_shown_frame_by_frame_as_it_was_drawn() {
        // One colour of a palette is needed for what stays: 255 fit.
        for (count, colour, most) in [(255, Indexed, 0), (8000, Indexed, 4), (60_000, Rgb, 4)] {
            let first = shades(count);
            let mut second = first.clone();
            second.rgb.rotate_right(3 * 100);
            let mut third = second.clone();
            third.rgb[3 * 5..3 * 9].fill(0);
            let frames = [(first, 1.0), (second, 1.0), (third, 1.0)];
            let figure = Figure::animation(&frames, "", "").unwrap();
            assert_eq!(colour_type(&figure), colour, "{count}");
            let seen = crate::pixels::frames(&figure);
            assert_eq!(seen.len(), 3);
            for (seen, (drawn, _)) in seen.iter().zip(&frames) {
                let off = seen.as_raw().iter().zip(&drawn.rgb).map(|(a, b)| a.abs_diff(*b)).max();
                assert!(off <= Some(most), "{count}: {off:?}");
            }
        }
    }

    #[test]
    fn a_frame_stores_what_changed_only() {
        let first = plain(8, 6, 10);
        let mut second = first.clone();
        for (x, y) in [(2, 1), (5, 3)] {
            second.rgb[(y * 8 + x) * 3..][..3].fill(200);
        }
        assert_eq!(changed(&first, &second), [2, 1, 4, 3]);
        assert_eq!(changed(&first, &first), [0, 0, 1, 1]);
        let frames = [(first.clone(), 1.0), (second, 1.0), (first.clone(), 1.0), (first, 1.0)];
        let figure = Figure::animation(&frames, "", "").unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(figure.png())).read_info().unwrap();
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        let mut parts = Vec::new();
        while reader.next_frame(&mut buffer).is_ok() {
            let control = reader.info().frame_control().unwrap();
            parts.push([control.x_offset, control.y_offset, control.width, control.height]);
        }
        assert_eq!(parts, [[0, 0, 8, 6], [2, 1, 4, 3], [2, 1, 4, 3], [0, 0, 1, 1]]);
    }

    #[test]
    fn an_animation_holds_every_frame_and_its_time() {
        let frames = [(plain(4, 2, 10), 0.5), (plain(4, 2, 20), 1.25)];
        let figure = Figure::animation(&frames, "two greys", "").unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(figure.png()));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 2);
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        let mut seen = Vec::new();
        while reader.next_frame(&mut buffer).is_ok() {
            let control = reader.info().frame_control().unwrap();
            seen.push((buffer[0], f32::from(control.delay_num) / f32::from(control.delay_den)));
        }
        assert_eq!(seen, [(10, 0.5), (20, 1.25)]);
    }

    #[test]
    fn errors_say_what_would_fit() {
        let wrong = Pixels { width: 4, height: 2, rgb: vec![0; 9] };
        let error = Figure::still(&wrong, "", "").unwrap_err().to_string();
        assert!(error.contains("4 x 2 with 24 bytes") && error.contains("9 bytes"), "{error}");
        let empty = Pixels { width: 0, height: 7, rgb: vec![] };
        let error = Figure::still(&empty, "", "").unwrap_err().to_string();
        assert!(error.contains("7 rows and 0 columns"), "{error}");
        let huge = Pixels { width: u32::MAX, height: u32::MAX, rgb: vec![] };
        let error = Figure::animation(&[(huge, 1.0)], "", "").unwrap_err().to_string();
        assert!(error.contains("55340232195358851075 bytes"), "{error}");
        let error = Figure::animation(&[], "", "").unwrap_err().to_string();
        assert!(error.contains("at least one picture"), "{error}");
        let error = Figure::still(&plain(1, 1, 0), "", "").unwrap().save("x.jpg").unwrap_err().to_string();
        assert!(error.contains("figure.png") && error.contains("x.jpg"), "{error}");
    }
}
