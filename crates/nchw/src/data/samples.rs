//! The test images of CIFAR-10 that are part of the program, 20 as PNG files and 300 in the binary format;
//! and the conversion of a PNG to C-H-W.

use super::binary::{PIXELS, Records, SIDE, read_records};
use crate::{Error, Result};
use image::ImageFormat;

/// The label and the PNG of each sample (see `datasets/README.md`).
macro_rules! samples {
    ($($index:literal $label:literal),*) => {
        [$((
            $label,
            include_bytes!(concat!("../../../../datasets/samples/cifar10_", $index, "_", $label, ".png")).as_slice(),
        )),*]
    };
}

const SAMPLES: [(u8, &[u8]); 20] = samples![
    "00" 3, "01" 8, "02" 8, "03" 0, "04" 6, "05" 6, "06" 1, "07" 6, "08" 3, "09" 1, "10" 0, "11" 9, "12" 5, "13" 7, "14" 9, "15" 8, "16" 5, "17" 7, "18" 8, "19" 6
];

/// The 20 images in the order of the test set.
pub(super) fn samples() -> Result<Records> {
    let mut records = Records::default();
    for (index, (label, png)) in SAMPLES.iter().enumerate() {
        let pixels = planes(png).map_err(|why| Error::new(format!("sample {index}: {why}")))?;
        records.append(Records { pixels, labels: vec![*label] });
    }
    Ok(records)
}

/// The first 300 images of the test set.
pub(super) fn album() -> Result<Records> {
    read_records(include_bytes!("../../../../datasets/album/cifar10-test-300.bin"), "the album")
}

/// The pixels of a PNG in C-H-W order.
pub fn planes(png: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let image = image::load_from_memory_with_format(png, ImageFormat::Png)
        .map_err(|e| format!("the image cannot be read: {e}"))?
        .to_rgb8();
    let (height, width) = (image.height() as usize, image.width() as usize);
    if (height, width) != (SIDE, SIDE) {
        return Err(format!("expected an image of H={SIDE} W={SIDE}, got H={height} W={width}"));
    }
    // A PNG stores the three colours of a pixel together (H, W, C).
    let mut pixels = vec![0; PIXELS];
    for (position, pixel) in image.pixels().enumerate() {
        for (channel, &value) in pixel.0.iter().enumerate() {
            pixels[channel * SIDE * SIDE + position] = value;
        }
    }
    Ok(pixels)
}
