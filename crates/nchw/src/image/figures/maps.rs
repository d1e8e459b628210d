//! Grids of images: the channels of a tensor as heat maps, and the images of a batch.

use crate::{
    Error, Result,
    grid::Grid,
    image::Image,
    numbers::{empty_axis, extent, grids_of, values_of},
};
use nchw_draw::{Content, Figure, Layout, Palette, Panel, in_rows};
use tch::Tensor;

/// The most maps of a figure; more would be too small to see.
const MAX_CHANNELS: i64 = 512;

/// Draws the channels of one image's tensor as heat maps on one colour scale, each with its name.
/// Channels without a name get their index.
///
/// # Shapes
/// `[N=1, C, H, W]` or `[C, H, W]`.
///
/// # Errors
/// When the tensor has another number of axes or holds several images, or when there are more names than
/// channels.
///
/// ```
/// use nchw::prelude::*;
/// let maps = Tensor::rand([1, 2, 18, 28], (Kind::Float, Device::Cpu));
/// feature_maps(&maps, &["edges", "spots"])?;
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn feature_maps(maps: &Tensor, names: &[&str]) -> Result<Figure> {
    let size = maps.size();
    let (channels, height, width) = match size[..] {
        _ if empty_axis(&size).is_some() => {
            let empty = empty_axis(&size).unwrap_or_default();
            return Err(Error::new(format!(
                "feature_maps needs at least one feature map, got {size:?}: {empty}"
            )));
        }
        [1, c, h, w] | [c, h, w] => (c, h, w),
        [n, _, _, _] => {
            return Err(Error::new(format!(
                "feature_maps shows the maps of one image, got N={n} in {size:?}: `.i(0)` selects the first \
                 image"
            )));
        }
        [_, _] => {
            return Err(Error::new(format!(
                "feature_maps needs a tensor of shape [1, C, H, W] or [C, H, W], got {size:?}: the channel \
                 axis is missing, `.unsqueeze(0)` adds it"
            )));
        }
        _ => {
            return Err(Error::new(format!(
                "feature_maps needs a tensor of shape [1, C, H, W] or [C, H, W], got {size:?}"
            )));
        }
    };
    if channels > MAX_CHANNELS {
        return Err(Error::new(format!(
            "feature_maps shows at most {MAX_CHANNELS} channels, got C={channels} in {size:?}: \
             `.narrow(-3, 0, 64)` takes the first 64"
        )));
    }
    if names.len() > channels as usize {
        return Err(Error::new(format!(
            "there are {} names for {channels} channels (C in {size:?}): give each channel one name",
            names.len()
        )));
    }
    let values = values_of(maps)?;
    let palette = Palette::fitting(&values);
    let range = palette.clear_range(&values);
    let title = format!(
        "{channels} feature map{}   C={channels}  H={height}  W={width}",
        if channels == 1 { "" } else { "s" }
    );
    let named = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let text = format!("{title}{named}, {}", extent(&values));
    on_one_scale(title, grids_of(maps)?, names, (palette, range), text)
}

/// Draws heat maps on one scale, each with its name or, without one, its index.
pub(crate) fn on_one_scale(
    title: String,
    maps: Vec<Grid>,
    names: &[&str],
    (palette, range): (Palette, (f32, f32)),
    text: String,
) -> Result<Figure> {
    let count = maps.len();
    let columns = match count {
        1..=4 => count,
        5..=16 => 4,
        _ => 8,
    };
    let map_width = (850.0 / columns as f64 - 50.0).clamp(60.0, 560.0);
    let mut panels = Vec::new();
    for (channel, values) in maps.into_iter().enumerate() {
        let title = names.get(channel).map_or_else(|| channel.to_string(), |name| (*name).to_owned());
        // One colour bar at the end of each row.
        let bar = (channel + 1) % columns == 0 || channel + 1 == count;
        let content = Content::Heat { values, palette, range, bar, under: None };
        panels.push(Panel::new(title, content, map_width));
    }
    let rows = in_rows(panels, columns);
    Layout { title, rows, lines: Vec::new() }.figure(text.clone(), text)
}

/// Draws a batch as a grid of images, each with its name or, without one, its index. Small images are
/// enlarged without smoothing.
///
/// # Shapes
/// `[N, C, H, W]`, C = 1 or 3, N up to 64; bytes, or numbers from 0 to 1.
///
/// # Errors
/// When the tensor has another shape, or there are more names than images.
///
/// ```
/// use nchw::prelude::*;
/// pictures("Two test images", &Cifar10::samples()?.images.narrow(0, 0, 2), &["cat", "ship"])?;
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn pictures(title: &str, batch: &Tensor, names: &[&str]) -> Result<Figure> {
    let size = batch.size();
    let &[count @ 1..=64, channels @ (1 | 3), height, width] = &size[..] else {
        return Err(Error::new(format!(
            "pictures needs a tensor of shape [N, C, H, W] with N from 1 to 64 and C = 1 or 3, got {size:?}: \
             `.narrow(0, 0, 16)` takes the first 16 of a longer batch, `.unsqueeze(0)` makes a batch of one \
             image"
        )));
    };
    if names.len() > count as usize {
        return Err(Error::new(format!(
            "there are {} names for N={count} images: give each image one name",
            names.len()
        )));
    }
    let most = match count {
        1..=6 => 6,
        7..=32 => 8,
        _ => 12,
    };
    // All rows have about the same number of images.
    let columns = (count as usize).div_ceil((count as usize).div_ceil(most));
    let width_each = (880.0 / columns as f64 - 16.0).min(280.0);
    let panel = |number: usize| {
        let image = Image::from_tensor(&batch.f_narrow(0, number as i64, 1)?)?;
        let name = names.get(number).map_or_else(|| number.to_string(), |name| (*name).to_owned());
        Ok(Panel::picture(name, image.pixels(), width_each).bare())
    };
    let rows = in_rows((0..count as usize).map(panel).collect::<Result<_>>()?, columns);
    let shape = format!("N={count}  C={channels}  H={height}  W={width}");
    let text = format!("{title}: {shape}{}{}", if names.is_empty() { "" } else { ": " }, names.join(", "));
    Layout { title: title.to_owned(), rows, lines: vec![shape] }.figure(text.clone(), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::area;
    use tch::{Device, Kind};

    fn zeros(size: &[i64]) -> Tensor {
        Tensor::zeros(size, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn wrong_shapes_and_too_many_names_are_refused() {
        for (size, names, words) in [
            (&[4, 3, 5, 7][..], &[][..], "got N=4 in [4, 3, 5, 7]: `.i(0)`"),
            (&[5, 7], &[], "[C, H, W], got [5, 7]"),
            (&[1, 2, 5, 7], &["a", "b", "c"], "3 names for 2 channels"),
            (&[0, 3, 5, 7], &[], "N is 0"),
            (&[1, 0, 5, 7], &[], "C is 0"),
            (&[3, 0, 7], &[], "H is 0"),
            (&[1, 3, 5, 0], &[], "W is 0"),
            (&[1, 600, 2, 2], &[], "at most 512 channels, got C=600"),
            (&[1, 1, 3072, 1], &[], "`.narrow(-2, 0, 7)` takes the first 7"),
        ] {
            let error = feature_maps(&zeros(size), names).unwrap_err().to_string();
            assert!(error.contains(words), "expected `{words}` in: {error}");
        }
        for (size, words) in [(&[3, 5, 7][..], "got [3, 5, 7]"), (&[1, 3, 3072, 1], "Crop the rows")] {
            let error = pictures("t", &zeros(size), &[]).unwrap_err().to_string();
            assert!(error.contains(words), "expected `{words}` in: {error}");
        }
        assert!(pictures("t", &zeros(&[5, 7]), &[]).unwrap_err().to_string().contains(".unsqueeze(0)"));
    }

    #[test]
    fn the_text_gives_the_shape_and_the_names() {
        let figure = feature_maps(&zeros(&[1, 3, 5, 7]), &["vertical", "horizontal"]).unwrap();
        assert!(figure.alt().contains("C=3  H=5  W=7: vertical, horizontal"), "{}", figure.alt());
        let figure = pictures("t", &zeros(&[2, 3, 5, 7]), &["cat", "dog"]).unwrap();
        assert!(figure.alt().contains("H=5  W=7: cat, dog"), "{}", figure.alt());
    }

    #[test]
    fn each_map_has_its_colour_and_the_text_gives_the_range() {
        // Three constant maps, drawn from left to right.
        let maps = Tensor::from_slice(&[0.0_f32, 1.0, 2.0]).view([3, 1, 1]).expand([3, 4, 5], false);
        let figure = feature_maps(&maps, &[]).unwrap();
        assert!(figure.text().ends_with("W=5, from 0 to 2"), "{}", figure.text());
        let area_of = |value: f32| area(&figure, Palette::Sequential.rgb(value, (0.0, 2.0)));
        let [(_, first), (count, second), (_, third)] = [0.0, 1.0, 2.0].map(area_of);
        assert!(first[0] + 300 < second[0] && second[0] + 300 < third[0], "{first:?} {second:?} {third:?}");
        assert!(count > 300 * 200, "{count}");
        let message =
            |value: f64| feature_maps(&Tensor::full([1, 2, 2], value, (Kind::Float, Device::Cpu)), &[]);
        assert!(message(0.0).unwrap().text().ends_with("0 everywhere"));
        let nan = message(f64::NAN).unwrap();
        assert!(nan.alt().ends_with("no finite number (NaN or infinite everywhere)"), "{}", nan.alt());
        assert!(area(&nan, [255, 0, 255]).0 > 10_000);
    }

    #[test]
    fn a_batch_is_drawn_in_order() {
        let colours = Tensor::from_slice(&[250_u8, 10, 10, 10, 250, 10, 10, 10, 250]).view([3, 3, 1, 1]);
        let figure = pictures("Three", &colours.expand([3, 3, 6, 4], false), &["r", "g", "b"]).unwrap();
        let areas = [[250, 10, 10], [10, 250, 10], [10, 10, 250]].map(|colour| area(&figure, colour));
        let lefts = areas.map(|(_, bounds)| bounds[0]);
        assert!(lefts[0] + 300 < lefts[1] && lefts[1] + 300 < lefts[2], "{lefts:?}");
        assert!(areas.iter().all(|(count, _)| *count > 100_000), "{areas:?}");
    }
}
