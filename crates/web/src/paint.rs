//! Numbers as colours: the palettes of the notebooks' figures.

use crate::Module;
use nchw_core::colour::{Palette, TINTS, readable_on};
use nchw_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// `{"call": "paint", "values": address, "from": 0, "count": 64, "rgba": address}`: writes a colour for
/// each number into a buffer of bytes: red, green, blue and 255, as a canvas expects.
#[derive(Deserialize)]
pub(crate) struct Paint {
    values: usize,
    /// The first number that is painted, counted in numbers from the beginning of the buffer.
    #[serde(default)]
    from: usize,
    count: usize,
    rgba: usize,
    /// The palette and the numbers at its ends; without them, those that fit the numbers.
    palette: Option<Name>,
    range: Option<[f32; 2]>,
}

/// A palette, as scripts name it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    Grey,
    Sequential,
    Signed,
    Red,
    Green,
    Blue,
}

impl Name {
    pub(crate) fn palette(self) -> Palette {
        match self {
            Name::Grey => Palette::Grey,
            Name::Sequential => Palette::Sequential,
            Name::Signed => Palette::Signed,
            Name::Red => Palette::Tint(TINTS[0]),
            Name::Green => Palette::Tint(TINTS[1]),
            Name::Blue => Palette::Tint(TINTS[2]),
        }
    }
}

/// What was painted with, for the colour bar.
#[derive(Serialize)]
pub(crate) struct Painted {
    palette: Name,
    range: [f32; 2],
}

pub(crate) fn paint(module: &mut Module, ask: Paint) -> Result<Painted> {
    let values = module.memory.floats(ask.values)?;
    let end = ask.from.saturating_add(ask.count);
    let short = || Error::new(format!("expected a buffer of {end} numbers, got {}", values.len()));
    let values = values.get(ask.from..end).ok_or_else(short)?;
    let name = ask.palette.unwrap_or(match Palette::fitting(values) {
        Palette::Signed => Name::Signed,
        _ => Name::Sequential,
    });
    let palette = name.palette();
    let range = ask.range.map_or_else(|| palette.clear_range(values), |[low, high]| (low, high));
    let mut colours = vec![0; 4 * values.len()];
    fill(palette, values, range, &mut colours);
    module.memory.bytes_mut(ask.rgba, colours.len())?.copy_from_slice(&colours);
    Ok(Painted { palette: name, range: [range.0, range.1] })
}

/// Writes the colours of numbers: red, green, blue and 255 of each.
pub(crate) fn fill(palette: Palette, values: &[f32], range: (f32, f32), rgba: &mut [u8]) {
    let (pixels, _) = rgba.as_chunks_mut();
    if matches!(palette, Palette::Grey | Palette::Tint(_)) {
        for (pixel, value) in pixels.iter_mut().zip(values) {
            *pixel = opaque(palette.rgb(*value, range));
        }
        return;
    }
    // These two palettes have 129 colours, and computing one takes long: without the table, a photo of
    // 214 × 320 took 15 ms instead of 3.
    let table: [[u8; 4]; 129] =
        std::array::from_fn(|step| opaque(palette.rgb(step as f32 / 128.0, (0.0, 1.0))));
    let [low, high] = [range.0, range.1].map(f64::from);
    let scale = if high > low { 128.0 / (high - low) } else { 0.0 };
    for (pixel, value) in pixels.iter_mut().zip(values) {
        let step = ((f64::from(*value) - low) * scale).clamp(0.0, 128.0) + 0.5;
        // The step of NaN is NaN, which as an index is 0.
        *pixel = if value.is_nan() { opaque(palette.rgb(*value, range)) } else { table[step as usize % 129] };
    }
}

fn opaque([red, green, blue]: [u8; 3]) -> [u8; 4] {
    [red, green, blue, 255]
}

/// A colour for a style sheet.
pub(crate) fn css([red, green, blue]: [u8; 3]) -> String {
    format!("rgb({red},{green},{blue})")
}

/// `{"call": "colours", "values": [0.5, -1], "palette": "signed", "range": [-1, 1]}`: the colours of a few
/// numbers, and whether text on them must be black or white.
#[derive(Deserialize)]
pub(crate) struct Colours {
    values: Vec<f32>,
    palette: Name,
    range: [f32; 2],
}

/// CSS colours of a number's background and of the text on it.
#[derive(Serialize)]
pub(crate) struct Colour {
    paper: String,
    ink: String,
}

pub(crate) fn colours(_: &mut Module, ask: Colours) -> Result<Vec<Colour>> {
    let palette = ask.palette.palette();
    let colour = |value: &f32| {
        let rgb = palette.rgb(*value, (ask.range[0], ask.range[1]));
        Colour { paper: css(rgb), ink: css(readable_on(rgb)) }
    };
    Ok(ask.values.iter().map(colour).collect())
}

/// A number in a cell of a small matrix: its text, and CSS colours of the cell and of the text.
#[cfg(feature = "maps")]
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) text: String,
    paper: String,
    ink: String,
}

/// The cells of these numbers, on a scale from `low` to `high`.
#[cfg(feature = "maps")]
pub(crate) fn cells(values: &[f32], palette: Palette, (low, high): (f32, f32)) -> Vec<Cell> {
    let css = |[red, green, blue]: [u8; 3]| format!("#{red:02x}{green:02x}{blue:02x}");
    let cell = |value: &f32| {
        let rgb = palette.rgb(*value, (low, high));
        Cell { text: nchw_core::text::number(*value), paper: css(rgb), ink: css(readable_on(rgb)) }
    };
    values.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(values: &[f32]) -> (Module, usize, usize) {
        let mut module = Module::default();
        let [numbers, rgba] = [(); 2].map(|()| module.memory.alloc(4 * values.len()).unwrap());
        module.memory.floats_mut(numbers).unwrap()[..values.len()].copy_from_slice(values);
        (module, numbers, rgba)
    }

    #[test]
    fn a_map_has_the_colours_of_a_figure() {
        let (mut module, values, rgba) = module(&[-2.0, 0.0, 1.0, f32::NAN]);
        let ask = Paint { values, from: 0, count: 4, rgba, palette: None, range: None };
        let painted = paint(&mut module, ask).unwrap();
        assert_eq!(painted.range, [-2.0, 2.0]);
        let expected: Vec<u8> = [-2.0, 0.0, 1.0, f32::NAN]
            .iter()
            .flat_map(|value| {
                let [r, g, b] = Palette::Signed.rgb(*value, (-2.0, 2.0));
                [r, g, b, 255]
            })
            .collect();
        assert_eq!(module.memory.bytes(rgba, 16).unwrap(), expected);
        assert_eq!(expected[12..], [255, 0, 255, 255]);
    }

    #[test]
    fn many_numbers_are_painted_like_one() {
        let values: Vec<f32> =
            (-300..300).map(|n| n as f32 / 100.0).chain([f32::INFINITY, 1e-20, -0.0]).collect();
        for palette in [Palette::Signed, Palette::Sequential, Palette::Grey, Palette::Tint(TINTS[1])] {
            for range in [(-2.0, 2.0), (0.0, 1.7), (0.5, 0.5), (-f32::MAX, f32::MAX)] {
                let mut rgba = vec![0; 4 * values.len()];
                fill(palette, &values, range, &mut rgba);
                for (value, found) in values.iter().zip(rgba.chunks_exact(4)) {
                    assert_eq!(found, opaque(palette.rgb(*value, range)), "{palette:?} {range:?} {value}");
                }
            }
        }
    }

    #[test]
    fn a_part_of_a_buffer_and_a_palette_can_be_chosen() {
        let (mut module, values, rgba) = module(&[9.0, 0.5, 1.0]);
        let ask = |from, count| Paint {
            values,
            from,
            count,
            rgba,
            palette: Some(Name::Red),
            range: Some([0.0, 1.0]),
        };
        paint(&mut module, ask(1, 2)).unwrap();
        assert_eq!(module.memory.bytes(rgba, 8).unwrap(), [128, 35, 35, 255, 255, 70, 70, 255]);
        let error = paint(&mut module, ask(2, 2)).err().unwrap().to_string();
        assert_eq!(error, "expected a buffer of 4 numbers, got 3");
    }
}
