//! What happens to the output of a layer when the photo moves.

use super::{FeatureMaps, Filter};
use crate::{Error, Result, error::debug_as_display, image::Image, text::count_of};
use std::fmt;
use tch::{Kind, Tensor};

/// The fewest rows and columns that are compared.
const LEAST: usize = 16;

/// The outputs of four layers before and after a photo moves. See [`shift_test`].
///
/// ```
/// use nchw::prelude::*;
/// let photo = Image::from_tensor(&Tensor::rand([1, 20, 30], (Kind::Float, Device::Cpu)))?;
/// let test: ShiftTest = shift_test(&photo, 1)?;
/// assert!(test.left_over()[0] < 1e-6);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone)]
pub struct ShiftTest {
    pub(super) columns: usize,
    pub(super) layers: Vec<Shifted>,
}

/// One layer of a [`ShiftTest`].
#[derive(Clone)]
pub(super) struct Shifted {
    pub name: &'static str,
    /// The output before the photo moves.
    pub before: FeatureMaps,
    /// The output before minus the output after, moved back as well as possible.
    pub difference: FeatureMaps,
    /// The mean size of the difference, as a fraction of that of the output.
    pub left_over: f64,
}

/// A layer's name, how many columns of the photo one column of its output stands for (none, if the output does
/// not move), and the layer, applied to the strength of the vertical edges.
type Layer = (&'static str, Option<usize>, fn(&Image) -> Result<FeatureMaps>);

const LAYERS: [Layer; 4] = [
    ("convolution", Some(1), |photo| Ok(Filter::vertical_edge().convolve(photo)?.abs())),
    ("stride 2", Some(2), |photo| Ok(Filter::vertical_edge().stride(2).convolve(photo)?.abs())),
    ("max pooling 2", Some(2), |photo| Filter::vertical_edge().convolve(photo)?.abs().max_pool(2)),
    ("global average", None, |photo| Filter::vertical_edge().convolve(photo)?.abs().global_avg_pool()),
];

/// Moves a photo by so many columns, and compares the outputs of four layers before and after: the strength
/// of the vertical edges from a convolution, from one with stride 2, after max pooling 2 × 2, and after
/// global average pooling.
///
/// The photo moves within a larger one, so nothing has to be made up at its edge: the output for its columns
/// from 0 on is compared with the output for those from `columns` on, moved back by as many columns as fit
/// best. What is then left over is 0 if the output moves along with the photo.
///
/// # Errors
/// When `columns` is 0, or fewer than 16 rows or columns of the photo are left.
///
/// # Source
/// Zhang, 2019, arXiv:1904.11486: stride and pooling break the equivariance of convolutions.
///
/// ```
/// use nchw::prelude::*;
/// let photo = Image::from_tensor(&Tensor::rand([1, 20, 30], (Kind::Float, Device::Cpu)))?;
/// // Convolution, stride 2, max pooling, global average.
/// let left = shift_test(&photo, 1)?.left_over();
/// assert!(left[0] < 1e-6 && left[1] > 0.1 && left[2] > 0.1);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn shift_test(photo: &Image, columns: usize) -> Result<ShiftTest> {
    let (height, width) = (photo.height(), photo.width().saturating_sub(columns));
    if columns == 0 || height < LEAST || width < LEAST {
        return Err(Error::new(format!(
            "shift_test moves a photo by 1 or more columns (W), and needs {LEAST} rows and {LEAST} columns \
             besides: got {columns} for a photo of {height} x {} (H x W)",
            photo.width()
        )));
    }
    let grey = photo.grey();
    let (here, there) = (grey.crop(0, 0, height, width)?, grey.crop(0, columns, height, width)?);
    let layers = LAYERS
        .iter()
        .map(|(name, jump, layer)| Shifted::of(name, *jump, columns, &layer(&here)?, &layer(&there)?));
    Ok(ShiftTest { columns, layers: layers.collect::<Result<_>>()? })
}

impl Shifted {
    fn of(
        name: &'static str,
        jump: Option<usize>,
        columns: usize,
        before: &FeatureMaps,
        after: &FeatureMaps,
    ) -> Result<Shifted> {
        // Without a jump there is one number, which does not move.
        let [least, most] = jump.map_or([0, 0], |jump| [columns / jump, columns.div_ceil(jump)]);
        let mut best: Option<(f64, Tensor)> = None;
        for by in least..=most {
            let width = before.width().saturating_sub(by).max(1) as i64;
            let (old, new) = (before.tensor(), after.tensor());
            let difference = old.f_narrow(3, old.size()[3] - width, width)? - new.f_narrow(3, 0, width)?;
            let size = mean_size(&difference)?;
            if best.as_ref().is_none_or(|(smallest, _)| size < *smallest) {
                best = Some((size, difference));
            }
        }
        let (size, difference) = best.ok_or_else(|| Error::new("there is nothing to compare"))?;
        let whole = mean_size(&before.tensor())?;
        Ok(Shifted {
            name,
            before: before.clone(),
            difference: FeatureMaps::signed(difference, vec![name.to_owned()]),
            left_over: if whole > 0.0 { size / whole } else { 0.0 },
        })
    }
}

fn mean_size(numbers: &Tensor) -> Result<f64> {
    Ok(numbers.f_abs()?.f_mean(Kind::Double)?.f_double_value(&[])?)
}

impl ShiftTest {
    /// What is left over of each layer's output when the moved output is moved back and subtracted, as a
    /// fraction: 0 if it moved along with the photo. In the order convolution, stride, max pooling, global
    /// average.
    pub fn left_over(&self) -> Vec<f64> {
        self.layers.iter().map(|layer| layer.left_over).collect()
    }
}

impl fmt::Display for ShiftTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = count_of(self.columns, "column", "columns");
        write!(f, "the photo moved by {columns}; left over of the output, moved back:")?;
        self.layers
            .iter()
            .try_for_each(|layer| write!(f, "\n{:16}{:>8.1} %", layer.name, 100.0 * layer.left_over))
    }
}

debug_as_display!(ShiftTest);

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    fn noise() -> Image {
        let steps = Tensor::arange(40 * 61, (Kind::Float, Device::Cpu));
        Image::from_tensor(&((steps * 12.9898).sin() * 0.5 + 0.5).view([1, 40, 61])).unwrap()
    }

    #[test]
    fn only_shifts_by_whole_jumps_move_the_output_along() {
        let left = |columns: usize| shift_test(&noise(), columns).unwrap().left_over();
        for columns in 1..=5 {
            let left = left(columns);
            // libtorch adds in another order at another column, so that a rounding error is left over.
            let moves_along = left.iter().map(|&part| part < 1e-6).collect::<Vec<_>>();
            let whole = columns % 2 == 0;
            assert_eq!(moves_along[..3], [true, whole, whole], "{columns}: {left:?}");
            assert!(left[3] < left[1].max(0.1), "{columns}: {left:?}");
        }
    }

    #[test]
    fn a_photo_that_is_too_small_is_refused_and_a_flat_one_is_not() {
        for columns in [0, 46, usize::MAX] {
            let error = shift_test(&noise(), columns).unwrap_err().to_string();
            assert!(error.contains(&format!("got {columns} for a photo of 40 x 61")), "{error}");
        }
        let flat = Image::from_tensor(&Tensor::zeros([3, 20, 20], (Kind::Float, Device::Cpu))).unwrap();
        assert_eq!(shift_test(&flat, 3).unwrap().left_over(), [0.0; 4]);
        assert!(
            shift_test(&noise(), 1).unwrap().to_string().starts_with("the photo moved by 1 column; left")
        );
    }
}
