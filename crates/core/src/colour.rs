//! Colour palettes: which number gets which colour. Nothing is drawn here.

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Palette {
    /// Dark to bright, for images.
    Grey,
    /// White to dark red, the upper half of `Signed`: a ReLU takes the blue away, and nothing else changes.
    Sequential,
    /// Blue below zero, white at zero, red above.
    Signed,
    /// Black to this colour, for one channel of a colour image.
    Tint([u8; 3]),
}

/// The tints of the red, the green and the blue channel. Not the pure colours: digits on them must be readable.
pub const TINTS: [[u8; 3]; 3] = [[255, 70, 70], [60, 210, 80], [80, 130, 255]];

impl Palette {
    /// Signed if a number is below zero, otherwise sequential. A map of zeros is signed, too: it is white on
    /// both scales.
    pub fn fitting(values: &[f32]) -> Palette {
        let below = values.iter().any(|v| *v < 0.0);
        if below || values.iter().all(|v| *v == 0.0) { Palette::Signed } else { Palette::Sequential }
    }

    /// The numbers at the two ends of the scale. A signed scale is symmetric, so that zero is white.
    pub fn range(self, values: &[f32]) -> (f32, f32) {
        let finite = values.iter().copied().filter(|v| v.is_finite());
        self.range_between(extremes(finite))
    }

    fn range_between(self, (low, high): (f32, f32)) -> (f32, f32) {
        let (low, high) = if low > high { (0.0, 0.0) } else { (low, high) };
        match self {
            Palette::Signed => match low.abs().max(high.abs()) {
                // Zero must be white here, too.
                0.0 => (-1.0, 1.0),
                max => (-max, max),
            },
            Palette::Grey | Palette::Sequential | Palette::Tint(_) if low.min(0.0) == high => (0.0, 1.0),
            Palette::Grey | Palette::Sequential | Palette::Tint(_) => (low.min(0.0), high),
        }
    }

    /// As [`Palette::range`], but on large maps the scale ends at the 99th percentile, so that a few outliers
    /// do not make all other numbers pale.
    pub fn clear_range(self, values: &[f32]) -> (f32, f32) {
        let mut sizes = Vec::with_capacity(values.len());
        sizes.extend(values.iter().filter(|v| v.is_finite()).map(|v| v.abs()));
        if sizes.len() < 1000 || self == Palette::Grey {
            return self.range(values);
        }
        let max = nth(&sizes, sizes.len() * 99 / 100);
        if max == 0.0 {
            return self.range(values);
        }
        let (low, high) = extremes(values.iter().copied().filter(|v| !v.is_nan()));
        self.range_between((low.clamp(-max, max), high.clamp(-max, max)))
    }

    /// How far a number is from the one that means nothing, 0 on a signed scale and the low end of the others:
    /// from 0 to 1. NaN is 1, because it must be seen.
    pub fn share(self, value: f32, (low, high): (f32, f32)) -> f64 {
        let [value, low, high] = [value, low, high].map(f64::from);
        let share = match self {
            Palette::Signed => value.abs() / high.abs().max(low.abs()),
            Palette::Grey | Palette::Sequential | Palette::Tint(_) => (value - low) / (high - low),
        };
        if share.is_nan() && !value.is_nan() {
            0.0
        } else if share.is_nan() {
            1.0
        } else {
            share.clamp(0.0, 1.0)
        }
    }

    /// The colour of a number on the scale from `low` to `high`. NaN is magenta, which is in no palette.
    pub fn rgb(self, value: f32, (low, high): (f32, f32)) -> [u8; 3] {
        if value.is_nan() {
            return [255, 0, 255];
        }
        // In `f64`, because the difference of two large `f32` can be infinite.
        let [value, low, high] = [value, low, high].map(f64::from);
        let t = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
        // More steps than the eye can distinguish, but few enough for the palette of a PNG (256 colours),
        // which halves the file.
        let step = (t * 128.0).round() / 128.0;
        match self {
            Palette::Grey => [(t * 255.0).round() as u8; 3],
            Palette::Tint(full) => full.map(|v| (t * f64::from(v)).round() as u8),
            Palette::Sequential => Palette::Signed.rgb(0.5 + step as f32 / 2.0, (0.0, 1.0)),
            Palette::Signed => colorous::RED_BLUE.eval_continuous(1.0 - step).as_array(),
        }
    }
}

/// Not with `f32::min`, which is a function call for each number in WebAssembly.
fn extremes(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| {
        (if v < low { v } else { low }, if v > high { v } else { high })
    })
}

/// The number at this index if these were sorted. None of them is negative or NaN, so their bits have the same
/// order; counting the upper bits first is faster than `select_nth_unstable` alone, for the frames of a camera.
fn nth(numbers: &[f32], index: usize) -> f32 {
    let upper = |number: &f32| (number.to_bits() >> 16) as usize;
    let mut counts = vec![0; 1 << 16];
    numbers.iter().for_each(|number| counts[upper(number)] += 1);
    let mut before = 0;
    let mut here = 0;
    while before + counts[here] <= index {
        before += counts[here];
        here += 1;
    }
    let mut rest: Vec<f32> = numbers.iter().copied().filter(|number| upper(number) == here).collect();
    *rest.select_nth_unstable_by(index - before, f32::total_cmp).1
}

/// The relative luminance of a colour, from 0 to 1 (WCAG).
fn luminance(rgb: [u8; 3]) -> f64 {
    let linear = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2])
}

/// Black or white, whichever is readable on this colour.
pub fn readable_on(rgb: [u8; 3]) -> [u8; 3] {
    // At this luminance black and white have the same contrast.
    if luminance(rgb) > 0.179 { [0, 0, 0] } else { [255, 255, 255] }
}

/// The colours of lines in charts, distinguishable for colour-blind readers (Okabe and Ito, 2008).
pub const LINES: [[u8; 3]; 6] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [0, 0, 0]];

/// The colours of regions in a map, distinguishable for colour-blind readers and from the greys used beside
/// them (after P. Tol's "muted" scheme).
pub const REGIONS: [[u8; 3]; 8] = [
    [51, 34, 136],
    [136, 204, 238],
    [17, 119, 51],
    [221, 204, 119],
    [204, 102, 119],
    [68, 170, 153],
    [136, 34, 85],
    [153, 153, 51],
];

/// Darkens a colour until text in it is readable on white: a contrast of at least 4.5 : 1 (WCAG 2.2, 1.4.3).
pub fn as_text(mut rgb: [u8; 3]) -> [u8; 3] {
    while 1.05 / (luminance(rgb) + 0.05) < 4.5 {
        rgb = rgb.map(|v| (f64::from(v) * 0.97) as u8);
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_white_on_a_signed_scale_of_asymmetric_numbers() {
        let values = [-1.0, 0.0, 9.0];
        let palette = Palette::fitting(&values);
        assert_eq!(palette, Palette::Signed);
        let range = palette.range(&values);
        assert_eq!(range, (-9.0, 9.0));
        let white = palette.rgb(0.0, range);
        assert!(white.iter().all(|v| *v > 235), "{white:?}");
        let (blue, red) = (palette.rgb(-9.0, range), palette.rgb(9.0, range));
        assert!(blue[2] > blue[0] && red[0] > red[2], "{blue:?} {red:?}");
    }

    #[test]
    fn a_constant_map_and_one_of_nans_have_a_scale() {
        assert_eq!(Palette::Sequential.range(&[2.0, 2.0]), (0.0, 2.0));
        assert_eq!(Palette::Sequential.range(&[0.0, 0.0]), (0.0, 1.0));
        assert_eq!(Palette::Signed.range(&[-2.0, -2.0]), (-2.0, 2.0));
        assert_eq!(Palette::Grey.range(&[f32::NAN]), (0.0, 1.0));
        assert_eq!(Palette::Grey.rgb(f32::NAN, (0.0, 1.0)), [255, 0, 255]);
    }

    #[test]
    fn the_share_of_a_number_is_its_distance_from_nothing() {
        let signed = [-4.0, -1.0, 0.0, 2.0, 9.0].map(|value| Palette::Signed.share(value, (-4.0, 4.0)));
        assert_eq!(signed, [1.0, 0.25, 0.0, 0.5, 1.0]);
        let sequential = [-1.0, 0.0, 2.0, 4.0].map(|value| Palette::Sequential.share(value, (0.0, 4.0)));
        assert_eq!(sequential, [0.0, 0.0, 0.5, 1.0]);
        assert_eq!(Palette::Sequential.share(f32::NAN, (0.0, 4.0)), 1.0);
        assert_eq!(Palette::Sequential.share(2.0, (2.0, 2.0)), 0.0);
    }

    #[test]
    fn a_map_of_zeros_is_white() {
        for zeros in [[0.0, 0.0], [-0.0, 0.0]] {
            let palette = Palette::fitting(&zeros);
            let white = palette.rgb(0.0, palette.range(&zeros));
            assert!(white.iter().all(|v| *v > 235), "{palette:?} {white:?}");
        }
        // NaN is not zero.
        assert_eq!(Palette::fitting(&[0.0, f32::NAN]), Palette::Sequential);
    }

    #[test]
    fn the_largest_numbers_have_the_colours_of_the_ends() {
        for max in [f32::MAX, 1e-44] {
            for palette in [Palette::Signed, Palette::Sequential, Palette::Grey] {
                let values = if palette == Palette::Signed { [-max, 0.0, max] } else { [0.0, 0.0, max] };
                let range = palette.range(&values);
                let ends = [values[0], max].map(|value| palette.rgb(value, range));
                assert_eq!(ends, [0.0, 1.0].map(|end| palette.rgb(end, (0.0, 1.0))), "{palette:?} {max}");
                // Infinite numbers have the colours of the ends.
                assert_eq!(palette.rgb(f32::INFINITY, range), ends[1]);
                assert_eq!(palette.rgb(f32::NEG_INFINITY, range), ends[0]);
            }
        }
    }

    #[test]
    fn a_tint_goes_from_black_to_its_colour() {
        let tint = Palette::Tint(TINTS[0]);
        assert_eq!([0.0, 1.0, 2.0].map(|v| tint.rgb(v, (0.0, 1.0))), [[0; 3], TINTS[0], TINTS[0]]);
        assert_eq!(tint.range(&[0.25, 0.5]), (0.0, 0.5));
    }

    #[test]
    fn an_outlier_does_not_make_a_large_map_pale() {
        let mut values = vec![1.0; 2000];
        values[7] = 100.0;
        assert_eq!(Palette::Sequential.range(&values), (0.0, 100.0));
        assert_eq!(Palette::Sequential.clear_range(&values), (0.0, 1.0));
        // Small maps, and maps that are nearly all zero, keep their whole range.
        assert_eq!(Palette::Sequential.clear_range(&values[..20]), (0.0, 100.0));
        let mut sparse = vec![0.0; 2000];
        sparse[7] = 5.0;
        assert_eq!(Palette::Sequential.clear_range(&sparse), (0.0, 5.0));
        // Infinite numbers are outliers, and NaN does not count.
        values[8..10].copy_from_slice(&[f32::NEG_INFINITY, f32::NAN]);
        assert_eq!(Palette::Signed.clear_range(&values), (-1.0, 1.0));
    }

    #[test]
    fn the_number_at_an_index_is_that_of_the_sorted_numbers() {
        let numbers: Vec<f32> =
            (0..3000_u32).map(|n| (n * 7919 % 3001) as f32 / 97.0).chain([0.0, f32::MAX]).collect();
        let mut sorted = numbers.clone();
        sorted.sort_by(f32::total_cmp);
        for index in [0, 1, 5, 1500, 2970, 3000, 3001] {
            assert_eq!(nth(&numbers, index), sorted[index]);
        }
    }

    #[test]
    fn text_in_the_colours_of_lines_is_readable() {
        for colour in LINES {
            let contrast = 1.05 / (luminance(as_text(colour)) + 0.05);
            assert!(contrast >= 4.5, "{colour:?}: {contrast}");
        }
        // Dark colours stay unchanged.
        assert_eq!(as_text(LINES[0]), LINES[0]);
        assert_eq!(luminance([255, 255, 255]), 1.0);
        assert!(1.05 / (luminance([119, 119, 119]) + 0.05) > 4.47, "WCAG's own example");
    }

    #[test]
    fn text_on_a_colour_has_contrast() {
        assert_eq!(readable_on([255, 255, 0]), [0, 0, 0]);
        assert_eq!(readable_on([0, 0, 160]), [255, 255, 255]);
    }
}
