//! The numbers of a tensor: read as a list or a grid, and described in words.

use crate::{Error, Result, grid::Grid, text::number};
use tch::{Device, Kind, Tensor};

/// The most elements that are copied out of a tensor (400 MB as `f32`). An expanded tensor can have far
/// more elements than fit into memory.
const MAX_NUMBERS: i64 = 100_000_000;

/// The number of elements of a tensor of this size; an error if they are too many to draw.
pub(crate) fn count_of_numbers(size: &[i64]) -> Result<usize> {
    let count = size.iter().try_fold(1_i64, |count, n| count.checked_mul(*n));
    match count.filter(|count| *count <= MAX_NUMBERS) {
        Some(count) => Ok(count as usize),
        None => Err(Error::new(format!(
            "a tensor of shape {size:?} is too large to draw: expected at most {} million numbers. \
             `.narrow(axis, 0, 100)` takes the first 100 along an axis",
            MAX_NUMBERS / 1_000_000
        ))),
    }
}

/// The elements of a tensor of any kind, device and strides, as `f32`.
pub(crate) fn values_of(tensor: &Tensor) -> Result<Vec<f32>> {
    count_of_numbers(&tensor.size())?;
    let flat = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?.f_reshape([-1])?;
    Ok(Vec::<f32>::try_from(&flat.f_contiguous()?)?)
}

/// The numbers of a tensor that holds one image with one channel.
///
/// # Shapes
/// `[H, W]`, `[1, H, W]` or `[1, 1, H, W]`.
pub(crate) fn grid_of(tensor: &Tensor) -> Result<Grid> {
    let size = tensor.size();
    if let Some(empty) = empty_axis(&size) {
        return Err(Error::new(format!("a matrix needs at least one number, got {size:?}: {empty}")));
    }
    let (leading, plane) = size.split_at(size.len().saturating_sub(2));
    let (&[height, width], true) = (plane, leading.iter().all(|n| *n == 1) && leading.len() <= 2) else {
        let fix = match size.len() {
            4 => "`.i((0, 0))` selects the first channel of the first image",
            3 => "`.i(0)` selects the first channel",
            2 => "",
            _ => "`.view([H, W])` arranges its numbers in rows",
        };
        return Err(Error::new(format!(
            "a matrix needs one map: a tensor of shape [H, W] or [1, 1, H, W], got {size:?}; {fix}"
        )));
    };
    Grid::new(height as usize, width as usize, values_of(tensor)?)
}

/// The feature maps of one image, each as a grid.
///
/// # Shapes
/// `[1, C, H, W]` or `[C, H, W]`, without empty axes
pub(crate) fn grids_of(maps: &Tensor) -> Result<Vec<Grid>> {
    let size = maps.size();
    let [.., height, width] = size[..] else { return Ok(Vec::new()) };
    let (height, width) = (height as usize, width as usize);
    values_of(maps)?
        .chunks((height * width).max(1))
        .map(|map| Grid::new(height, width, map.to_vec()))
        .collect()
}

/// Describes the first axis of length 0. The axes are N, C, H, W, aligned at W.
pub(crate) fn empty_axis(size: &[i64]) -> Option<String> {
    const AXES: [&str; 4] = [
        "N is 0, there is no image in the batch",
        "C is 0, it has no channels",
        "H is 0, it has no rows",
        "W is 0, it has no columns",
    ];
    let known = size.len().min(AXES.len());
    let (axes, messages) = (&size[size.len() - known..], &AXES[AXES.len() - known..]);
    let found = axes.iter().zip(messages).find(|(n, _)| **n == 0);
    found.map(|(_, message)| (*message).to_owned())
}

/// Describes the range of the finite numbers; NaN and infinities are only counted.
pub(crate) fn extent(values: &[f32]) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (least, most) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let (all, others) = (values.len(), values.len() - finite().count());
    let range = match () {
        () if least > most => return "no finite number (NaN or infinite everywhere)".into(),
        () if least == most => format!("{} everywhere", number(least)),
        () => format!("from {} to {}", number(least), number(most)),
    };
    if others == 0 { range } else { format!("{range} where finite; {others} of {all} are NaN or infinite") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeros(size: &[i64]) -> Tensor {
        Tensor::zeros(size, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn the_range_of_constants_and_nans_is_described() {
        let nan = f32::NAN;
        for (values, words) in [
            (&[1.0, -2.0, 3.0, 0.0][..], "from \u{2212}2 to 3"),
            (&[0.0; 4], "0 everywhere"),
            (&[2.5], "2.5 everywhere"),
            (&[1.0, nan, 3.0], "from 1 to 3 where finite; 1 of 3 are NaN or infinite"),
            (&[nan, f32::INFINITY], "no finite number (NaN or infinite everywhere)"),
            (&[], "no finite number (NaN or infinite everywhere)"),
        ] {
            assert_eq!(extent(values), words);
        }
    }

    #[test]
    fn tensors_that_are_not_one_map_are_refused_with_a_fix() {
        let expanded = zeros(&[1, 1]).expand([1 << 20, 1 << 20], false);
        for (tensor, words) in [
            (zeros(&[2, 3, 4, 5]), ".i((0, 0))"),
            (zeros(&[0, 1, 5, 7]), "N is 0"),
            (zeros(&[1, 0, 5, 7]), "C is 0"),
            (zeros(&[0, 7]), "H is 0"),
            (zeros(&[1, 5, 0]), "W is 0"),
            // It is refused before it is copied.
            (expanded, "is too large"),
        ] {
            let error = grid_of(&tensor).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(&format!("{:?}", tensor.size())), "{error}");
        }
    }

    #[test]
    fn maps_become_grids_in_their_order() {
        let maps = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([1, 2, 2, 3]);
        let grids = grids_of(&maps).unwrap();
        assert_eq!(grids.len(), 2);
        assert_eq!(grids[1].row(1), [9.0, 10.0, 11.0]);
        assert_eq!(grids_of(&maps.select(0, 0)).unwrap(), grids);
    }
}
