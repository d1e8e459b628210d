//! The reader's photo: from the bytes of a canvas to numbers.

use crate::Module;
use nchw_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// `{"call": "photo_planes", "rgba": address, "planes": address, "rows": 214, "columns": 320, "channels": 3}`:
/// turns red, green, blue and opacity of each pixel, 0 to 255, into planes of numbers from 0 to 1. One
/// channel is grey.
#[derive(Deserialize)]
pub(crate) struct Photo {
    rgba: usize,
    planes: usize,
    rows: usize,
    columns: usize,
    channels: usize,
}

/// The shape of the numbers.
#[derive(Serialize)]
pub(crate) struct Planes {
    shape: [usize; 3],
}

/// # Shapes
/// `[H, W, 4]` → `[C, H, W]`, C = 1 or 3
pub(crate) fn planes(module: &mut Module, ask: Photo) -> Result<Planes> {
    let Photo { rows, columns, channels, .. } = ask;
    let pixels = rows.checked_mul(columns).filter(|pixels| (1..=1 << 26).contains(pixels));
    let pixels = pixels.ok_or_else(|| {
        Error::new(format!("expected a photo of 1 to 67,108,864 pixels, got {rows} x {columns} (H x W)"))
    })?;
    if channels != 1 && channels != 3 {
        return Err(Error::new(format!("axis C (channels): expected 1 (grey) or 3 (RGB), got {channels}")));
    }
    let needs = channels * pixels;
    // Both at once: a call must not copy a frame of the camera.
    let mut planes = module.memory.take(ask.planes)?;
    let found = planes.len();
    let filled = match planes.get_mut(..needs) {
        None => Err(Error::new(format!("expected a buffer of {needs} numbers, got {found}"))),
        Some(planes) => module.memory.bytes(ask.rgba, 4 * pixels).map(|rgba| fill(rgba, planes, pixels)),
    };
    module.memory.put(planes);
    filled.map(|()| Planes { shape: [channels, rows, columns] })
}

fn fill(rgba: &[u8], planes: &mut [f32], pixels: usize) {
    let (colours, _) = rgba.as_chunks::<4>();
    if planes.len() == pixels {
        planes
            .iter_mut()
            .zip(colours)
            .for_each(|(number, colour)| *number = f32::from(grey(*colour)) / 255.0);
        return;
    }
    for (channel, plane) in planes.chunks_exact_mut(pixels).enumerate() {
        plane
            .iter_mut()
            .zip(colours)
            .for_each(|(number, colour)| *number = f32::from(colour[channel]) / 255.0);
    }
}

/// The brightness of a colour (Rec. 709) as a byte, with the weights of `Image::grey` of the notebooks.
fn grey([red, green, blue, _]: [u8; 4]) -> u8 {
    let sum = 0.212_648 * f32::from(red) + 0.715_179 * f32::from(green) + 0.072_173 * f32::from(blue);
    sum.round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_becomes_planes_of_numbers() {
        let mut module = Module::default();
        let [rgba, planes] = [8, 24].map(|bytes| module.memory.alloc(bytes).unwrap());
        module.memory.bytes_mut(rgba, 8).unwrap().copy_from_slice(&[255, 0, 51, 255, 0, 102, 255, 255]);
        let ask = |channels| Photo { rgba, planes, rows: 1, columns: 2, channels };
        super::planes(&mut module, ask(3)).unwrap();
        assert_eq!(module.memory.floats(planes).unwrap(), [1.0, 0.0, 0.0, 0.4, 0.2, 1.0]);
        super::planes(&mut module, ask(1)).unwrap();
        assert_eq!(module.memory.floats(planes).unwrap()[..2], [58.0 / 255.0, 91.0 / 255.0]);
    }

    #[test]
    fn a_buffer_that_is_too_small_is_an_error_and_stays() {
        let mut module = Module::default();
        let [rgba, planes] = [8, 24].map(|bytes| module.memory.alloc(bytes).unwrap());
        let mut says = |rows, channels| {
            let ask = Photo { rgba, planes, rows, columns: 2, channels };
            super::planes(&mut module, ask).err().unwrap().to_string()
        };
        assert_eq!(says(2, 3), "expected a buffer of 12 numbers, got 6");
        assert_eq!(says(3, 1), "expected a buffer of 24 bytes, got 8");
        assert!(says(0, 1).starts_with("expected a photo of 1 to"));
        assert!(says(1, 2).starts_with("axis C (channels): expected 1 (grey) or 3 (RGB), got 2"));
        assert!(module.memory.floats(planes).is_ok());
    }
}
