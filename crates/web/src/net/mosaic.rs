//! All feature maps of a layer in one image.

use super::{
    forward::{Net, Pass, Step},
    maps::Maps,
};
use crate::{Module, paint::Name};
use nchw_core::{Result, colour::Palette};
use serde::{Deserialize, Serialize};

/// `{"call": "net_paint", "layer": 5, "columns": 8, "gap": 1, "rgba": address}`: paints the maps of a layer on
/// one scale, `columns` of them next to each other and `gap` pixels between two. Layer -1 is the normalised
/// image. The bytes between the maps stay as they are.
#[derive(Deserialize)]
pub(crate) struct Mosaic {
    layer: i64,
    columns: usize,
    gap: usize,
    rgba: usize,
}

/// The scale of the colours.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Scale {
    palette: Name,
    range: [f32; 2],
}

pub(crate) fn paint(module: &mut Module, ask: Mosaic) -> Result<Scale> {
    let (net, pass) = module.net.both()?;
    let (maps, name) = output(net, pass, ask.layer)?;
    let range = range(name.palette(), maps);
    let across = ask.columns.clamp(1, maps.channels);
    let [width, height] = mosaic_size(maps, across, ask.gap);
    let rgba = module.memory.bytes_mut(ask.rgba, width.saturating_mul(height).saturating_mul(4))?;
    let (pixels, _) = rgba.as_chunks_mut::<4>();
    let colours = Colours::new(name.palette(), range);
    // The corner of each map.
    let corners: Vec<usize> = (0..maps.channels)
        .map(|channel| {
            channel / across * (maps.rows + ask.gap) * width + channel % across * (maps.columns + ask.gap)
        })
        .collect();
    for (index, position) in maps.numbers.chunks_exact(maps.channels).enumerate() {
        let offset = index / maps.columns * width + index % maps.columns;
        for (corner, value) in corners.iter().zip(position) {
            pixels[corner + offset] = colours.of(*value);
        }
    }
    Ok(Scale { palette: name, range: [range.0, range.1] })
}

/// The output of a layer, and its palette: signed as long as a ReLU has not removed the negative values.
fn output<'a>(net: &Net, pass: &'a Pass, layer: i64) -> Result<(&'a Maps, Name)> {
    let Ok(index) = usize::try_from(layer) else { return Ok((&pass.input, Name::Signed)) };
    let maps = pass.output(net, index)?;
    let name = match net.layers[index].step {
        Step::Conv(_) | Step::Norm(_) | Step::Linear(_) => Name::Signed,
        Step::Relu | Step::Pool | Step::Flatten => Name::Sequential,
    };
    Ok((maps, name))
}

/// The ends of the scale, from about 2000 numbers: some positions with all their channels. All numbers would take as
/// long as a convolution.
fn range(palette: Palette, maps: &Maps) -> (f32, f32) {
    // An odd step meets all columns.
    let step = (maps.numbers.len() / 2048) | 1;
    let some: Vec<f32> = maps.numbers.chunks_exact(maps.channels).step_by(step).flatten().copied().collect();
    palette.clear_range(&some)
}

/// The width and the height in pixels.
fn mosaic_size(maps: &Maps, across: usize, gap: usize) -> [usize; 2] {
    let side = |count: usize, size: usize| count.saturating_mul(size.saturating_add(gap)).saturating_sub(gap);
    [side(across, maps.columns), side(maps.channels.div_ceil(across), maps.rows)]
}

/// The colours of a scale in a table: a frame of the camera has 430,000 values, and a palette of curves is slow.
struct Colours {
    low: f32,
    steps: f32,
    table: Vec<[u8; 4]>,
}

impl Colours {
    /// As many steps as the palettes have.
    const STEPS: usize = 128;

    fn new(palette: Palette, (low, high): (f32, f32)) -> Colours {
        let colour = |step: usize| {
            let [r, g, b] = palette.rgb(step as f32 / Colours::STEPS as f32, (0.0, 1.0));
            [r, g, b, 255]
        };
        let size = high - low;
        let steps = if size > 0.0 { Colours::STEPS as f32 / size } else { 0.0 };
        Colours { low, steps, table: (0..=Colours::STEPS).map(colour).collect() }
    }

    fn of(&self, value: f32) -> [u8; 4] {
        let step = (value - self.low) * self.steps + 0.5;
        if step.is_nan() {
            return [255, 0, 255, 255];
        }
        // A conversion to an integer cuts off at 0.
        self.table[(step as usize).min(Colours::STEPS)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_colours_of_the_palette() {
        for (palette, range) in [(Palette::Signed, (-3.0, 3.0)), (Palette::Sequential, (0.0, 7.5))] {
            let colours = Colours::new(palette, range);
            for value in [-9.0, -3.0, -1.23, 0.0, 0.4, 2.99, 3.0, 7.5, f32::INFINITY, f32::NAN] {
                let [r, g, b] = palette.rgb(value, range);
                assert_eq!(colours.of(value), [r, g, b, 255], "{palette:?} {value}");
            }
        }
    }

    #[test]
    fn maps_lie_in_rows_with_a_gap() {
        let mut module = Module::default();
        let [weights, image, rgba] = super::super::tests::shown_in(&mut module);
        assert!(weights != image);
        // 5 maps of 32 x 32 in 2 columns and 3 rows.
        let ask = |layer, columns| Mosaic { layer, columns, gap: 1, rgba };
        let scale = paint(&mut module, ask(0, 2)).unwrap();
        assert_eq!((scale.palette, scale.range[0]), (Name::Signed, -scale.range[1]));
        let bytes = module.memory.bytes(rgba, 4 * 65 * 98).unwrap();
        let pixel = |row: usize, column: usize| bytes[4 * (65 * row + column) + 3];
        assert_eq!(
            [pixel(0, 0), pixel(0, 32), pixel(32, 0), pixel(97, 31), pixel(97, 33)],
            [255, 0, 0, 255, 0]
        );
        assert_eq!(paint(&mut module, ask(2, 5)).unwrap().palette, Name::Sequential);
        assert!(paint(&mut module, ask(-1, usize::MAX)).is_ok());
        let short = paint(&mut module, Mosaic { gap: 1000, ..ask(0, 2) }).unwrap_err().to_string();
        assert!(short.contains("expected a buffer of"), "{short}");
    }
}
