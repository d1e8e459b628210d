//! Receptive fields: the part of a photo that a value in a deep feature map sees.

use crate::{Error, Result, image::Image, shapes::Chain};
use nchw_draw::{Figure, Layout, Panel};

/// Draws a receptive field: the part of the photo that the value at `row` and `column` after the last
/// layer sees, framed in the photo and enlarged beside it.
///
/// # Errors
/// When the layers do not fit the photo, or there is no such position.
///
/// # Source
/// Lecture part 5: a value after two steps stands for a region of the input.
///
/// ```
/// use nchw::prelude::*;
/// let photo = Image::from_tensor(&Tensor::zeros([1, 3, 30, 40], (Kind::Float, Device::Cpu)))?;
/// let figure = receptive_field(&photo, &chain![conv(8, 3), max_pool(2), conv(16, 3)], 4, 6)?;
/// assert!(figure.alt().contains("sees 8 x 8 pixels"));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn receptive_field(photo: &Image, layers: &Chain, row: usize, column: usize) -> Result<Figure> {
    trace(photo, layers, &format!("After {} layers", layers.layers.len()), row, column)
}

/// As [`receptive_field`], after a layer called `name`.
pub(crate) fn trace(photo: &Image, layers: &Chain, name: &str, row: usize, column: usize) -> Result<Figure> {
    let sizes = [photo.channels(), photo.height(), photo.width()].map(|n| n as u64);
    let table = layers.on(sizes).ok()?;
    let last = table.rows.last().ok_or_else(|| Error::new("a receptive field needs at least one layer"))?;
    let seen = last.sees(row as u64, column as u64)?;
    // A receptive field can also cover padding, which is not part of the photo.
    let span = |indices: &[u64]| Some((*indices.first()? as usize, *indices.last()? as usize + 1));
    let (Some((top, bottom)), Some((left, right))) = (span(&seen.rows), span(&seen.cols)) else {
        return Err(Error::new(format!("row {row}, column {column} sees nothing but padding")));
    };
    let (height, width) = (bottom - top, right - left);
    let crop = photo.crop(top, left, height, width)?;
    let mut whole = Panel::picture(photo.name(), photo.pixels(), photo.page_width(480.0));
    whole.mark = Some((top, left, height, width));
    let part = Panel::picture("its receptive field", crop.pixels(), crop.page_width(300.0)).caption(format!(
        "rows {top} to {}, columns {left} to {}",
        bottom - 1,
        right - 1
    ));
    let title = format!("{name}, row {row}, column {column}");
    let text = format!("{title}: sees {height} x {width} pixels, from row {top} and column {left}");
    // At the edge of the photo, a part of the receptive field is padding.
    let full = last.field.map(|field| (field.h.size as usize, field.w.size as usize));
    let line = match full.filter(|full| *full != (height, width)) {
        Some((rows, columns)) => format!(
            "Receptive field: {rows} \u{d7} {columns} positions, {height} \u{d7} {width} of them in the photo"
        ),
        None => format!("Receptive field: {height} \u{d7} {width} pixels"),
    };
    Layout { title, rows: vec![vec![whole, part]], lines: vec![line.clone()] }
        .figure(format!("{text}. {line}"), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pixels::area,
        shapes::{chain, conv, max_pool},
    };
    use nchw_draw::canvas::MARK;
    use tch::{Device, Kind, Tensor};

    fn photo() -> Image {
        Image::from_tensor(&Tensor::zeros([1, 1, 12, 17], (Kind::Float, Device::Cpu))).unwrap()
    }

    #[test]
    fn the_field_of_a_known_position_is_named() {
        let figure = receptive_field(&photo(), &chain![conv(2, 3), max_pool(2)], 1, 3).unwrap();
        assert!(figure.text().ends_with("sees 4 x 4 pixels, from row 2 and column 6"), "{}", figure.text());
    }

    #[test]
    fn the_box_is_drawn_where_the_text_says() {
        let bytes = Tensor::from_slice(&[40_u8, 160, 90]).view([3, 1, 1]).expand([3, 12, 18], false);
        let photo = Image::from_tensor(&bytes).unwrap();
        let figure = receptive_field(&photo, &chain![conv(2, 3), max_pool(2)], 1, 3).unwrap();
        assert!(figure.text().ends_with("sees 4 x 4 pixels, from row 2 and column 6"), "{}", figure.text());
        // The photo is 480 wide on the page, two pixels each; 18 columns.
        let unit = 2.0 * 480.0 / 18.0;
        let (_, [left, top, ..]) = area(&figure, [40, 160, 90]);
        let (_, [x, y, right, bottom]) = area(&figure, MARK);
        // The mark is 3 thick and drawn outside; the photo's frame covers its first pixel.
        let expected = [6.0 * unit - 6.0, 2.0 * unit - 6.0, 4.0 * unit + 12.0, 4.0 * unit + 12.0];
        let found = [x - left, y - top, right - x, bottom - y].map(f64::from);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 2.0, "{found} is not {expected}");
        }
    }

    #[test]
    fn padding_is_not_counted() {
        let figure = receptive_field(&photo(), &chain![conv(2, 5).padding(2)], 0, 16).unwrap();
        assert!(figure.text().ends_with("sees 3 x 3 pixels, from row 0 and column 14"), "{}", figure.text());
    }

    #[test]
    fn missing_positions_and_layers_that_do_not_fit_are_refused() {
        assert!(receptive_field(&photo(), &chain![conv(2, 3)], 10, 0).is_err());
        let error = receptive_field(&photo(), &chain![conv(2, 13)], 0, 0).unwrap_err().to_string();
        assert!(error.contains("13"), "{error}");
    }
}
