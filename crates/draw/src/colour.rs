//! Colours for numbers: which number gets which colour, and no drawing.

/// How numbers become colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Palette {
    /// Dark to bright, for what is a picture itself.
    Grey,
    /// Viridis: equal steps of the number look like equal steps, also in grey
    /// and to colour-blind eyes.
    Sequential,
    /// Blue below zero, white at zero, red above.
    Signed,
}

impl Palette {
    /// Signed as soon as one number is below zero, else sequential. A map of zeros
    /// is signed as well, hence white: the darkest colour would look like a finding.
    pub fn fitting(values: &[f32]) -> Palette {
        let below = values.iter().any(|v| *v < 0.0);
        if below || values.iter().all(|v| *v == 0.0) { Palette::Signed } else { Palette::Sequential }
    }

    /// The numbers at the two ends of the scale. A signed scale is as long on
    /// both sides, so that white is zero.
    pub fn range(self, values: &[f32]) -> (f32, f32) {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let (low, high) =
            (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
        let (low, high) = if low > high { (0.0, 0.0) } else { (low, high) };
        match self {
            Palette::Signed => match low.abs().max(high.abs()) {
                // White has to be zero here as well.
                0.0 => (-1.0, 1.0),
                most => (-most, most),
            },
            Palette::Grey | Palette::Sequential if low.min(0.0) == high => (0.0, 1.0),
            Palette::Grey | Palette::Sequential => (low.min(0.0), high),
        }
    }

    /// As [`Palette::range`], but for large maps the one number in a hundred
    /// that lies farthest out does not make all others pale.
    pub fn clear_range(self, values: &[f32]) -> (f32, f32) {
        let mut sizes: Vec<f32> = values.iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
        if sizes.len() < 1000 || self == Palette::Grey {
            return self.range(values);
        }
        let place = sizes.len() * 99 / 100;
        let (_, most, _) = sizes.select_nth_unstable_by(place, f32::total_cmp);
        let most = *most;
        let cut: Vec<f32> = values.iter().map(|v| v.clamp(-most, most)).collect();
        if most > 0.0 { self.range(&cut) } else { self.range(values) }
    }

    /// The colour of a number on the scale from `low` to `high`; what is no
    /// number is magenta, which no palette has.
    pub fn rgb(self, value: f32, (low, high): (f32, f32)) -> [u8; 3] {
        if value.is_nan() {
            return [255, 0, 255];
        }
        // In `f64`, because the difference of two large `f32` can be infinite.
        let [value, low, high] = [value, low, high].map(f64::from);
        let t = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
        // More steps than an eye tells apart, and few enough for a PNG's palette of
        // 256 colours: the file is half as large.
        let step = (t * 128.0).round() / 128.0;
        match self {
            Palette::Grey => [(t * 255.0).round() as u8; 3],
            Palette::Sequential => colorous::VIRIDIS.eval_continuous(step).as_array(),
            Palette::Signed => colorous::RED_BLUE.eval_continuous(1.0 - step).as_array(),
        }
    }
}

/// How bright a colour is, from 0 to 1 (WCAG's relative luminance).
fn luminance(rgb: [u8; 3]) -> f64 {
    let linear = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2])
}

/// Black or white, whichever can be read on this colour.
pub fn readable_on(rgb: [u8; 3]) -> [u8; 3] {
    // At this luminance black and white have the same contrast.
    if luminance(rgb) > 0.179 { [0, 0, 0] } else { [255, 255, 255] }
}

/// Lines of a chart: told apart by colour-blind eyes too (Okabe and Ito, 2008).
pub const LINES: [[u8; 3]; 6] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [0, 0, 0]];

/// Regions of a map: told apart by colour-blind eyes too, and from the greys beside
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

/// This colour, as dark as text on white has to be to be read: a contrast of at
/// least 4.5 : 1 (WCAG 2.2, 1.4.3).
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
    fn zero_is_white_on_a_signed_scale_however_lopsided_the_numbers() {
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
    fn a_map_of_zeros_is_white() {
        for zeros in [[0.0, 0.0], [-0.0, 0.0]] {
            let palette = Palette::fitting(&zeros);
            let white = palette.rgb(0.0, palette.range(&zeros));
            assert!(white.iter().all(|v| *v > 235), "{palette:?} {white:?}");
        }
        // Not a number is not zero.
        assert_eq!(Palette::fitting(&[0.0, f32::NAN]), Palette::Sequential);
    }

    #[test]
    fn the_largest_numbers_have_the_colours_of_the_ends() {
        for most in [f32::MAX, 1e-44] {
            for palette in [Palette::Signed, Palette::Sequential, Palette::Grey] {
                let values = if palette == Palette::Signed { [-most, 0.0, most] } else { [0.0, 0.0, most] };
                let range = palette.range(&values);
                let ends = [values[0], most].map(|value| palette.rgb(value, range));
                assert_eq!(ends, [0.0, 1.0].map(|end| palette.rgb(end, (0.0, 1.0))), "{palette:?} {most}");
                // What is infinite lies beyond the ends.
                assert_eq!(palette.rgb(f32::INFINITY, range), ends[1]);
                assert_eq!(palette.rgb(f32::NEG_INFINITY, range), ends[0]);
            }
        }
    }

    #[test]
    fn one_bright_spot_does_not_make_a_large_map_pale() {
        let mut values = vec![1.0; 2000];
        values[7] = 100.0;
        assert_eq!(Palette::Sequential.range(&values), (0.0, 100.0));
        assert_eq!(Palette::Sequential.clear_range(&values), (0.0, 1.0));
        // A small map is exact, and so is one that is nearly all zero.
        assert_eq!(Palette::Sequential.clear_range(&values[..20]), (0.0, 100.0));
        let mut sparse = vec![0.0; 2000];
        sparse[7] = 5.0;
        assert_eq!(Palette::Sequential.clear_range(&sparse), (0.0, 5.0));
    }

    #[test]
    fn text_in_the_colours_of_figures_can_be_read() {
        for colour in LINES.into_iter().chain([crate::canvas::INK, crate::canvas::PALE_INK]) {
            let contrast = 1.05 / (luminance(as_text(colour)) + 0.05);
            assert!(contrast >= 4.5, "{colour:?}: {contrast}");
        }
        // What is dark enough stays as it is, and so do these two, which are drawn as they are.
        for colour in [LINES[0], crate::canvas::INK, crate::canvas::PALE_INK] {
            assert_eq!(as_text(colour), colour);
        }
        assert_eq!(luminance([255, 255, 255]), 1.0);
        assert!(1.05 / (luminance([119, 119, 119]) + 0.05) > 4.47, "WCAG's own example");
    }

    #[test]
    fn text_on_a_colour_has_contrast() {
        assert_eq!(readable_on([255, 255, 0]), [0, 0, 0]);
        assert_eq!(readable_on([0, 0, 160]), [255, 255, 255]);
    }
}
