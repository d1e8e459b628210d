//! Decodes the pixels of a figure, for the tests of every crate that draws.

#![allow(dead_code, reason = "each crate uses only some of the functions")]

use crate::figure::Figure;

/// The pixels of a figure as a viewer shows them.
pub fn drawn(figure: &Figure) -> image::RgbImage {
    image::load_from_memory(figure.png()).unwrap().to_rgb8()
}

/// The number of pixels with this colour (except for rounding), and the box around them: left, top, right and
/// bottom, the last two exclusive.
pub fn area(figure: &Figure, colour: [u8; 3]) -> (usize, [u32; 4]) {
    let mut found = (0, [u32::MAX, u32::MAX, 0, 0]);
    for (x, y, pixel) in drawn(figure).enumerate_pixels() {
        if pixel.0.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 2) {
            let (count, [left, top, right, bottom]) = found;
            found = (count + 1, [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]);
        }
    }
    found
}

/// The frames of an animation as a viewer shows them: transparent pixels keep those of the previous frame.
pub fn frames(figure: &Figure) -> Vec<image::RgbImage> {
    let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(figure.png())).unwrap();
    let frames = image::AnimationDecoder::into_frames(decoder.apng().unwrap());
    frames.map(|frame| image::DynamicImage::from(frame.unwrap().into_buffer()).to_rgb8()).collect()
}

/// The number of pixels that differ between two images of the same size by more than this, in any channel.
pub fn different(one: &image::RgbImage, other: &image::RgbImage, by_more_than: u8) -> usize {
    let pairs = one.pixels().zip(other.pixels());
    pairs.filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > by_more_than)).count()
}

/// The number of dark pixels (text) inside a box: left, top, right, bottom.
pub fn ink(figure: &Figure, [left, top, right, bottom]: [u32; 4]) -> usize {
    let image = drawn(figure);
    let inside = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
    inside.filter(|(x, y)| image.get_pixel(*x, *y).0.iter().all(|v| *v < 120)).count()
}
