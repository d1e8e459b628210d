//! A photo as the input of the network.

use crate::Module;
use image::{RgbaImage, imageops};
use nchw_core::{Error, Result, lecture::SIDE};
use serde::Deserialize;
use serde_json::{Value, json};

/// `{"call": "net_photo", "rgba": address, "rows": 240, "columns": 320, "planes": address, "small": address}`:
/// the middle square of a photo, scaled to 32 × 32, as numbers from 0 to 1 and as bytes for a canvas. The photo
/// is red, green, blue and opacity of each pixel.
#[derive(Deserialize)]
pub(crate) struct Photo {
    rgba: usize,
    rows: u32,
    columns: u32,
    planes: usize,
    small: usize,
}

/// The steps of `photo.cropped_to(32, 32)` in a notebook, so that both give the same answer.
///
/// # Shapes
/// `[H, W, 4]` → `[3, 32, 32]` and `[32, 32, 4]`
pub(crate) fn photo(module: &mut Module, ask: Photo) -> Result<Value> {
    let length = (ask.rows as usize).saturating_mul(ask.columns as usize).saturating_mul(4);
    let bytes = module.memory.bytes(ask.rgba, length)?.to_vec();
    let whole = RgbaImage::from_raw(ask.columns, ask.rows, bytes).filter(|whole| !whole.is_empty());
    let whole = whole.ok_or_else(|| Error::new("expected a photo of at least 1 x 1 pixels"))?;
    let side = ask.rows.min(ask.columns);
    let [left, top] = [ask.columns, ask.rows].map(|length| (length - side) / 2);
    let middle = imageops::crop_imm(&whole, left, top, side, side).to_image();
    let small = imageops::resize(&middle, SIDE as u32, SIDE as u32, imageops::FilterType::Lanczos3);
    let pixels = (SIDE * SIDE) as usize;
    let planes = module.memory.floats_mut(ask.planes)?;
    super::maps::fits(planes.len(), 3 * pixels)?;
    for (channel, plane) in planes.chunks_exact_mut(pixels).take(3).enumerate() {
        for (number, pixel) in plane.iter_mut().zip(small.pixels()) {
            *number = f32::from(pixel.0[channel]) / 255.0;
        }
    }
    module.memory.bytes_mut(ask.small, 4 * pixels)?.copy_from_slice(small.as_raw());
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A photo of these bytes: its planes and its small copy.
    fn small(rows: u32, columns: u32, rgba: &[u8]) -> Result<(Vec<f32>, Vec<u8>)> {
        let mut module = Module::default();
        let [from, planes, small] =
            [rgba.len(), 4 * 3072, 4096].map(|bytes| module.memory.alloc(bytes).unwrap());
        module.memory.bytes_mut(from, rgba.len())?.copy_from_slice(rgba);
        photo(&mut module, Photo { rgba: from, rows, columns, planes, small })?;
        Ok((module.memory.floats(planes)?.to_vec(), module.memory.bytes(small, 4096)?.to_vec()))
    }

    #[test]
    fn an_image_of_32_by_32_keeps_its_pixels() {
        let rgba: Vec<u8> = (0..4096).map(|i| if i % 4 == 3 { 255 } else { (i * 7 % 256) as u8 }).collect();
        let (planes, bytes) = small(32, 32, &rgba).unwrap();
        assert_eq!(bytes, rgba);
        assert_eq!(planes[1024 + 5], f32::from(rgba[4 * 5 + 1]) / 255.0);
    }

    #[test]
    fn the_middle_of_a_photo_is_scaled() {
        // Red on both sides of a green square.
        let rgba: Vec<u8> = (0..60 * 100)
            .flat_map(|i| if (20..80).contains(&(i % 100)) { [0, 255, 0, 255] } else { [255, 0, 0, 255] })
            .collect();
        let (planes, _) = small(60, 100, &rgba).unwrap();
        assert!(planes[..1024].iter().all(|red| *red == 0.0));
        assert!(planes[1024..2048].iter().all(|green| *green == 1.0));
        small(1, 1, &[9, 9, 9, 255]).unwrap();
        assert!(small(0, 5, &[]).unwrap_err().to_string().contains("at least 1 x 1"));
        assert!(
            small(2, 2, &[0; 4]).unwrap_err().to_string().contains("expected a buffer of 16 bytes, got 4")
        );
    }
}
