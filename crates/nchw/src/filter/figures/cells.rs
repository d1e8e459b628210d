//! What figures of small matrices have in common: one scale, readable numbers, rows as wide as the page.

use crate::{Error, Result, matrix::Matrix};
use nchw_draw::{Content, Palette, Panel};

/// The width of the page.
const PAGE: f64 = 1000.0;

/// Refuses a matrix whose numbers would be too small to read.
pub fn readable(matrix: &Matrix) -> Result<()> {
    if matrix.width() > 16 || matrix.height() > 25 {
        return Err(Error::new(format!(
            "a matrix can be drawn with its numbers up to 25 rows and 16 columns, got {} rows and {} columns: \
             for a larger map use `feature_maps(&tensor, &[\"name\"])`",
            matrix.height(),
            matrix.width()
        )));
    }
    Ok(())
}

/// Gives all matrices with the same palette the same scale: the same colour is the same number.
pub fn on_one_scale<'a: 'b, 'b>(panels: impl IntoIterator<Item = &'b mut Panel<'a>>) {
    let mut cells: Vec<_> = panels
        .into_iter()
        .filter_map(|panel| match &mut panel.content {
            Content::Cells { matrix, palette, range, .. } => Some((*matrix, *palette, range)),
            _ => None,
        })
        .collect();
    for kind in [Palette::Grey, Palette::Sequential, Palette::Signed] {
        let same = cells.iter().filter(|(_, palette, _)| *palette == kind);
        let values: Vec<f32> = same.flat_map(|(matrix, ..)| matrix.values().to_vec()).collect();
        let common = kind.range(&values);
        cells.iter_mut().filter(|(_, palette, _)| *palette == kind).for_each(|(.., range)| **range = common);
    }
}

/// Without the error of `f32` in sums of tenths.
pub fn rounded(sum: f32) -> f32 {
    (sum * 1e4).round() / 1e4
}

/// Arranges panels in rows that fit the page; all rows have about the same number.
pub fn wrapped(panels: Vec<Panel<'_>>) -> Vec<Vec<Panel<'_>>> {
    let widest = panels.iter().map(|panel| panel.width + 60.0).fold(1.0, f64::max);
    let fit = ((PAGE / widest) as usize).max(1);
    let rows = panels.len().div_ceil(fit).max(1);
    let columns = panels.len().div_ceil(rows);
    nchw_draw::in_rows(panels, columns)
}
