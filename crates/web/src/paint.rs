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
#[derive(Clone, Copy, Deserialize, Serialize)]
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
    fn palette(self) -> Palette {
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
    let colours: Vec<u8> = values
        .iter()
        .flat_map(|value| {
            let [red, green, blue] = palette.rgb(*value, range);
            [red, green, blue, 255]
        })
        .collect();
    module.memory.bytes_mut(ask.rgba, colours.len())?.copy_from_slice(&colours);
    Ok(Painted { palette: name, range: [range.0, range.1] })
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
    let css = |[red, green, blue]: [u8; 3]| format!("rgb({red},{green},{blue})");
    let colour = |value: &f32| {
        let rgb = palette.rgb(*value, (ask.range[0], ask.range[1]));
        Colour { paper: css(rgb), ink: css(readable_on(rgb)) }
    };
    Ok(ask.values.iter().map(colour).collect())
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
