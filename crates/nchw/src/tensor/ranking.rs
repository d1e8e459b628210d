//! Which values are the largest: one order for channels, filters, classes and predictions.

use crate::{Result, numbers::values_of};
use tch::Tensor;

/// The indices of the values, from the largest value to the smallest. Equal values keep their order; NaN,
/// which is not larger than any number, comes last.
pub(crate) fn descending<T: Copy + Into<f64>>(values: &[T]) -> Vec<usize> {
    let number = |index: &usize| {
        let value: f64 = values[*index].into();
        if value.is_nan() { f64::NEG_INFINITY } else { value }
    };
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| number(b).total_cmp(&number(a)));
    order
}

/// The channels of feature maps with the largest activation of each, strongest first.
///
/// # Shapes
/// `[N, C, H, W]`
pub(crate) fn strongest_channels(maps: &Tensor) -> Result<Vec<(usize, f32)>> {
    let largest = values_of(&maps.f_amax([0, 2, 3], false)?)?;
    Ok(descending(&largest).into_iter().map(|channel| (channel, largest[channel])).collect())
}

/// The index of the largest number; `None` if all are equal or one is not finite.
pub(crate) fn argmax(values: &[f32]) -> Option<usize> {
    let first = *values.first()?;
    if values.iter().all(|value| *value == first) || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f32 = f32::NAN;

    #[test]
    fn the_largest_comes_first_and_nan_last() {
        for (values, order) in [
            (&[1.0, 3.0, 2.0][..], &[1, 2, 0][..]),
            // Equal values keep their order.
            (&[0.5, 2.0, 0.5, 2.0], &[1, 3, 0, 2]),
            (&[NAN, -1.0, -NAN, f32::INFINITY], &[3, 1, 0, 2]),
            (&[], &[]),
        ] {
            assert_eq!(descending(values), order);
        }
        assert_eq!(descending(&[7_u32, 0, 9]), [2, 0, 1]);
    }

    #[test]
    fn channels_are_ranked_by_their_largest_activation() {
        // Three channels of two numbers, in two images.
        let maps = Tensor::from_slice(&[0.0_f32, 1.0, 5.0, -9.0, 0.0, NAN, 0.0, 2.0, -1.0, 0.0, 7.0, 7.0]);
        let ranked = strongest_channels(&maps.view([2, 3, 1, 2])).unwrap();
        assert_eq!(ranked[..2], [(1, 5.0), (0, 2.0)]);
        assert!(ranked[2].0 == 2 && ranked[2].1.is_nan());
    }

    #[test]
    fn constants_and_nans_have_no_largest_number() {
        for (values, largest) in [
            (&[1.0, -2.0, 3.0, 0.0][..], Some(2)),
            (&[0.0; 4], None),
            (&[2.5], None),
            (&[1.0, NAN, 3.0], None),
            (&[], None),
        ] {
            assert_eq!(argmax(values), largest);
        }
    }
}
