//! Finished figures: a PNG file, its alternative text, and its content as text.

use crate::{Error, Result};
use image::{RgbImage, imageops, imageops::FilterType};
use nchw_files as files;
use std::{collections::HashMap, fmt, path::Path};

/// A drawn picture with its alternative text, and its content as text.
///
/// It owns everything, so a notebook cell can keep it in a variable. As the last expression of a cell it is
/// displayed; elsewhere, use `save`.
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

/// An RGB image in memory: rows from the top, three bytes per pixel.
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
    /// Refuses an image of another size, or with a wrong number of bytes.
    fn check(&self, width: u32, height: u32) -> Result<()> {
        let bytes = u128::from(width) * u128::from(height) * 3;
        if bytes == 0 {
            return Err(Error::new(format!(
                "a figure needs at least 1 row and 1 column, got {height} rows and {width} columns"
            )));
        }
        if (self.width, self.height) != (width, height) || self.rgb.len() as u128 != bytes {
            return Err(Error::new(format!(
                "every frame of a figure must be {width} x {height} with {bytes} bytes; one is {} x {} with \
                 {} bytes",
                self.width,
                self.height,
                self.rgb.len()
            )));
        }
        Ok(())
    }
}

/// Pixels of the PNG file per pixel of the page: figures stay sharp on a projector and a high-density screen.
pub const PIXEL_RATIO: u32 = 2;

/// Width, height and margin of a slide, in pixels.
const SLIDE: [u32; 3] = [1920, 1080, 40];

impl Figure {
    /// A still figure. Colours are rounded by at most 2 of 255, unless they fit into a palette as they are.
    ///
    /// `alt` describes the figure for readers who cannot see it; `text` is the content in words or numbers,
    /// for a terminal.
    ///
    /// # Errors
    /// When the number of bytes does not match the size.
    pub fn still(image: &Pixels, alt: impl Into<String>, text: impl Into<String>) -> Result<Figure> {
        Figure::encode(&[(image, 0.0)], alt.into(), text.into())
    }

    /// An animation (APNG) of frames with their durations in seconds. It repeats forever. Colours are rounded
    /// by at most 4 of 255.
    ///
    /// # Errors
    /// When there is no frame, the frames differ in size, or a duration is not between 0 and 60 s.
    pub fn animation(
        frames: &[(Pixels, f32)],
        alt: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Figure> {
        let frames: Vec<(&Pixels, f32)> = frames.iter().map(|(image, seconds)| (image, *seconds)).collect();
        Figure::encode(&frames, alt.into(), text.into())
    }

    fn encode(frames: &[(&Pixels, f32)], alt: String, text: String) -> Result<Figure> {
        let Some(&(&Pixels { width, height, .. }, _)) = frames.first() else {
            return Err(Error::new("a figure needs at least one frame, got none"));
        };
        for (frame, seconds) in frames {
            frame.check(width, height)?;
            if !(0.0..=60.0).contains(seconds) {
                return Err(Error::new(format!(
                    "the duration of a frame must be from 0 to 60 seconds, got {seconds}"
                )));
            }
        }
        let failed = |e: png::EncodingError| Error::new(format!("could not encode the figure as PNG: {e}"));
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_compression(png::Compression::Balanced);
        let animated = frames.len() > 1;
        let colours = Colours::of(frames);
        match &colours.palette {
            Some(palette) => {
                // Filters, which predict a pixel from its neighbours, help with RGB. With a palette they hide
                // repetitions from the compressor.
                encoder.set_filter(png::Filter::NoFilter);
                encoder.set_color(png::ColorType::Indexed);
                encoder.set_palette(palette.colours.concat());
            }
            None => encoder.set_color(png::ColorType::Rgb),
        }
        if animated {
            encoder.set_trns(colours.transparent());
            encoder.set_animated(frames.len() as u32, 0).map_err(failed)?;
            encoder.set_blend_op(png::BlendOp::Over).map_err(failed)?;
        }
        let mut writer = encoder.write_header().map_err(failed)?;
        let mut previous: Option<&Pixels> = None;
        for &(frame, seconds) in frames {
            // Little changes from frame to frame: only the box with changes is stored, and in it only the
            // changed pixels.
            let part = previous.map_or([0, 0, width, height], |previous| changed(previous, frame));
            let [x, y, w, h] = part;
            if animated {
                writer.set_frame_delay((seconds * 1000.0).round() as u16, 1000).map_err(failed)?;
                writer.reset_frame_position().map_err(failed)?;
                writer.set_frame_dimension(w, h).map_err(failed)?;
                writer.set_frame_position(x, y).map_err(failed)?;
            }
            let indices = (y..y + h).flat_map(|row| (x..x + w).map(move |column| row * width + column));
            let pixels = indices.map(|index| {
                let bytes = index as usize * 3..index as usize * 3 + 3;
                let pixel = &frame.rgb[bytes.clone()];
                previous.is_none_or(|previous| previous.rgb[bytes] != *pixel).then_some(pixel)
            });
            writer.write_image_data(&colours.data(pixels)).map_err(failed)?;
            previous = Some(frame);
        }
        writer.finish().map_err(failed)?;
        Ok(Figure { png, width, height, alt, text })
    }

    /// Saves the figure as a PNG file (an animation as APNG).
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

    /// Saves the figure as large as it fits on a white page of 1920 x 1080 pixels (16:9), for a projector. Of an
    /// animation it saves the first frame.
    ///
    /// # Errors
    /// When the file cannot be written, or its name does not end in `.png`.
    pub fn save_slide(&self, path: impl AsRef<Path>) -> Result<()> {
        let source = image::load_from_memory(&self.png)
            .map_err(|e| Error::new(format!("could not decode the figure: {e}")))?;
        let [width, height, margin] = SLIDE;
        let fitted = source.resize(width - 2 * margin, height - 2 * margin, FilterType::Lanczos3).to_rgb8();
        let mut page = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
        let (left, top) = ((width - fitted.width()) / 2, (height - fitted.height()) / 2);
        imageops::replace(&mut page, &fitted, left.into(), top.into());
        let slide = Pixels { width, height, rgb: page.into_raw() };
        Figure::still(&slide, self.alt(), self.text())?.save(path)
    }

    /// The bytes of the PNG file.
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// The alternative text: one or two sentences.
    pub fn alt(&self) -> &str {
        &self.alt
    }

    /// The content in words or numbers.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `(width, height)` in pixels of the PNG file.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}

/// When the last expression of a cell moves a variable, evcxr prints this text instead of displaying the
/// figure; so the text says how to display it.
impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Figure {} x {}: {}", self.width, self.height, self.alt)?;
        write!(f, "(to see it: `let figure = ...;`, and then `figure` alone on the last line)")
    }
}

/// `[x, y, width, height]` of the smallest box that contains all differences between two images of the same
/// size; never empty.
fn changed(before: &Pixels, after: &Pixels) -> [u32; 4] {
    let different = (0..after.width * after.height).filter(|index| {
        let byte = *index as usize * 3;
        before.rgb[byte..byte + 3] != after.rgb[byte..byte + 3]
    });
    let bounds = different.fold(None, |bounds: Option<[u32; 4]>, index| {
        let (x, y) = (index % after.width, index / after.width);
        let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    });
    let [left, top, right, bottom] = bounds.unwrap_or_default();
    [left, top, right - left + 1, bottom - top + 1]
}

/// How the pixels of a figure are encoded.
///
/// Most colours of a drawing are at the edges of letters. Rounded to fit into a palette, they need a third of
/// the space; photos then need two thirds. A still image is rounded by less than the eye can see. Frames of an
/// animation are rounded further.
///
/// A quantiser such as `color_quant` or `quantette` does not replace this: it chooses the colours that are best
/// on average, so that single colours may change visibly. Rounding has a bound, keeps all colours where
/// they fit, takes no time to search, and gives the same file on every machine.
struct Colours {
    /// All channels are rounded to multiples of this, so that grey stays grey.
    step: u8,
    palette: Option<Entries>,
}

/// The colours of a palette, and the index of each.
struct Entries {
    colours: Vec<[u8; 3]>,
    index: HashMap<[u8; 3], u8>,
}

/// Marks an unchanged pixel; not a multiple of the largest step.
const UNCHANGED: [u8; 3] = [1; 3];

impl Colours {
    fn of(frames: &[(&Pixels, f32)]) -> Colours {
        let animated = frames.len() > 1;
        let (steps, max): (&[u8], usize) = if animated { (&[1, 2, 4, 8], 255) } else { (&[1, 2, 4], 256) };
        for &step in steps {
            if let Some(mut palette) = Entries::of(frames, step, max) {
                if animated {
                    palette.colours.push(UNCHANGED);
                }
                return Colours { step, palette: Some(palette) };
            }
        }
        Colours { step: if animated { 8 } else { 4 }, palette: None }
    }

    /// The transparency chunk of the PNG file: the last entry of the palette, or the transparent colour.
    fn transparent(&self) -> Vec<u8> {
        match &self.palette {
            Some(palette) => {
                let last = palette.colours.len() - 1;
                (0..=last).map(|index| if index == last { 0 } else { 255 }).collect()
            }
            None => UNCHANGED.iter().flat_map(|byte| [0, *byte]).collect(),
        }
    }

    /// The bytes of an image. `None` is an unchanged pixel.
    fn data<'a>(&self, pixels: impl Iterator<Item = Option<&'a [u8]>>) -> Vec<u8> {
        match &self.palette {
            Some(palette) => {
                let unchanged = (palette.colours.len() - 1) as u8;
                let mut last = (None, unchanged);
                let entry = |pixel: Option<&'a [u8]>| {
                    if pixel != last.0 {
                        last =
                            (pixel, pixel.map_or(unchanged, |rgb| palette.index[&rounded(rgb, self.step)]));
                    }
                    last.1
                };
                pixels.map(entry).collect()
            }
            None => pixels.flat_map(|pixel| pixel.map_or(UNCHANGED, |rgb| rounded(rgb, self.step))).collect(),
        }
    }
}

impl Entries {
    /// All colours, if there are at most `max`.
    fn of(frames: &[(&Pixels, f32)], step: u8, max: usize) -> Option<Entries> {
        let mut entries = Entries { colours: Vec::new(), index: HashMap::new() };
        let mut last: &[u8] = &[];
        for pixel in frames.iter().flat_map(|(frame, _)| frame.rgb.chunks_exact(3)) {
            if pixel == last {
                continue;
            }
            last = pixel;
            let colour = rounded(pixel, step);
            if !entries.index.contains_key(&colour) {
                if entries.colours.len() == max {
                    return None;
                }
                entries.index.insert(colour, entries.colours.len() as u8);
                entries.colours.push(colour);
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
    fn a_still_figure_round_trips() {
        let mut image = plain(5, 3, 0);
        image.rgb[3 * (2 * 5 + 4)] = 255; // bottom right, red
        let figure = Figure::still(&image, "a red corner", "").unwrap();
        let back = image::load_from_memory(figure.png()).unwrap().to_rgb8();
        assert_eq!(back.dimensions(), (5, 3));
        assert_eq!(back.into_raw(), image.rgb);
    }

    /// A wide figure touches the margins at the left and the right, a tall one those above and below.
    #[test]
    fn a_slide_has_16_to_9_and_the_whole_figure_in_its_middle() {
        let folder = tempfile::tempdir().unwrap();
        for (width, height, corner) in [(600, 120, [40, 356]), (150, 300, [710, 40])] {
            let file = folder.path().join(format!("{width}.png"));
            Figure::still(&plain(width, height, 0), "black", "").unwrap().save_slide(&file).unwrap();
            let page = image::open(&file).unwrap().to_rgb8();
            assert_eq!(page.dimensions(), (1920, 1080));
            let first = page.enumerate_pixels().find(|(.., pixel)| pixel.0 == [0; 3]).unwrap();
            assert_eq!([first.0, first.1], corner, "{width} x {height}");
            let black = page.pixels().filter(|pixel| pixel.0 == [0; 3]).count() as u32;
            assert_eq!(black, (1920 - 2 * corner[0]) * (1080 - 2 * corner[1]));
        }
        let error = Figure::still(&plain(2, 2, 0), "", "").unwrap().save_slide("slide.jpg").unwrap_err();
        assert!(error.to_string().contains("figure.png"), "{error}");
    }

    /// Two rows of `count` colours.
    fn shades(count: u32) -> Pixels {
        let shade =
            |i: u32| [(i % count % 64) as u8, (i % count / 64 % 64) as u8, (i % count / 4096 * 16) as u8];
        Pixels { width: count, height: 2, rgb: (0..2 * count).flat_map(shade).collect() }
    }

    fn colour_type(figure: &Figure) -> png::ColorType {
        png::Decoder::new(std::io::Cursor::new(figure.png())).read_info().unwrap().info().color_type
    }

    #[test]
    fn drawings_get_a_palette_and_photos_are_rounded() {
        // 256 colours fit exactly; 900 fit when rounded by at most 2; 9000 never fit.
        for (count, colour, error) in [(256, Indexed, 0), (900, Indexed, 2), (9000, Rgb, 2)] {
            let image = shades(count);
            let figure = Figure::still(&image, "", "").unwrap();
            assert_eq!(colour_type(&figure), colour, "{count}");
            let back = image::load_from_memory(figure.png()).unwrap().to_rgb8().into_raw();
            assert_eq!(
                back.iter().zip(&image.rgb).map(|(a, b)| a.abs_diff(*b)).max(),
                Some(error),
                "{count}"
            );
        }
    }

    #[test]
    fn frames_of_an_animation_are_decoded_as_drawn() {
        // One entry of the palette marks unchanged pixels: 255 colours fit.
        for (count, colour, error) in [(255, Indexed, 0), (8000, Indexed, 4), (60_000, Rgb, 4)] {
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
                assert!(off <= Some(error), "{count}: {off:?}");
            }
        }
    }

    /// What the file says about each frame of an animation, and the first byte of its stored pixels.
    fn stored(figure: &Figure) -> Vec<(png::FrameControl, u8)> {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(figure.png()));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        let mut frames = Vec::new();
        while reader.next_frame(&mut buffer).is_ok() {
            frames.push((*reader.info().frame_control().unwrap(), buffer[0]));
        }
        assert_eq!(reader.info().animation_control().unwrap().num_frames as usize, frames.len());
        frames
    }

    #[test]
    fn a_frame_stores_only_changes() {
        let first = plain(8, 6, 10);
        let mut second = first.clone();
        for (x, y) in [(2, 1), (5, 3)] {
            second.rgb[(y * 8 + x) * 3..][..3].fill(200);
        }
        assert_eq!(changed(&first, &second), [2, 1, 4, 3]);
        assert_eq!(changed(&first, &first), [0, 0, 1, 1]);
        let frames = [(first.clone(), 1.0), (second, 1.0), (first.clone(), 1.0), (first, 1.0)];
        let figure = Figure::animation(&frames, "", "").unwrap();
        let parts = stored(&figure)
            .into_iter()
            .map(|(control, _)| [control.x_offset, control.y_offset, control.width, control.height]);
        assert_eq!(parts.collect::<Vec<_>>(), [[0, 0, 8, 6], [2, 1, 4, 3], [2, 1, 4, 3], [0, 0, 1, 1]]);
    }

    #[test]
    fn an_animation_contains_every_frame_and_its_duration() {
        let frames = [(plain(4, 2, 10), 0.5), (plain(4, 2, 20), 1.25)];
        let figure = Figure::animation(&frames, "two greys", "").unwrap();
        let seen = stored(&figure)
            .into_iter()
            .map(|(control, byte)| (byte, f32::from(control.delay_num) / f32::from(control.delay_den)));
        assert_eq!(seen.collect::<Vec<_>>(), [(10, 0.5), (20, 1.25)]);
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
        assert!(error.contains("at least one frame"), "{error}");
        let error = Figure::still(&plain(1, 1, 0), "", "").unwrap().save("x.jpg").unwrap_err().to_string();
        assert!(error.contains("figure.png") && error.contains("x.jpg"), "{error}");
    }
}
