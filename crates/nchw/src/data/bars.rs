//! Small images of bars, vertical or horizontal, for learning a filter from labels only.

use crate::random::Rng;
use crate::{Error, Result, filter::FeatureMaps, image::Image};
use std::fmt;
use tch::{Kind, Tensor};

/// Rows and columns of an image.
const SIDE: usize = 12;
/// The length of a bar, and the pixels that stay free at each edge of the image.
const LENGTH: usize = 8;
const MARGIN: usize = 2;
const NOISE: f32 = 0.2;
/// More images could run out of memory and end the kernel.
const MOST: usize = 1_000_000;

/// Noisy grey images, each with one bright bar. The label says whether it is vertical.
///
/// # Shapes
/// N images: `images` is `[N, 1, 12, 12]`, `labels` is `[N]`, both `f32`.
///
/// # Source
/// Drawn for lecture part 2: a network finds out which feature is worth looking for.
///
/// ```
/// use nchw::prelude::*;
/// let bars = Bars::draw(6, 1)?;
/// assert_eq!(bars.images.size(), [6, 1, 12, 12]);
/// assert_eq!(Vec::<f32>::try_from(&bars.labels).unwrap(), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Bars {
    /// The images, `[N, 1, 12, 12]`: about 0 where it is dark, 0.8 to 1 in the bar, and noise.
    pub images: Tensor,
    /// The label of each image, `[N]`: 1 if its bar is vertical, 0 if it is horizontal.
    pub labels: Tensor,
}

impl Bars {
    /// Draws `count` images, horizontal and vertical bars in turns. The same seed gives the same images on
    /// every machine.
    ///
    /// # Errors
    /// When `count` is 0 or more than a million.
    pub fn draw(count: usize, seed: u64) -> Result<Bars> {
        if !(1..=MOST).contains(&count) {
            return Err(Error::new(format!(
                "expected a count from 1 to {MOST} images (axis N), got {count}"
            )));
        }
        let mut numbers = Vec::with_capacity(count * SIDE * SIDE);
        for index in 0..count {
            numbers.extend(image(index, seed));
        }
        let labels: Vec<f32> = (0..count).map(|index| (index % 2) as f32).collect();
        let side = SIDE as i64;
        Ok(Bars {
            images: Tensor::f_from_slice(&numbers)?.f_view([count as i64, 1, side, side])?,
            labels: Tensor::f_from_slice(&labels)?,
        })
    }

    /// One of the images, counted from 0. (Where noise makes it darker than black, it is black.)
    ///
    /// # Errors
    /// When there is no such image.
    pub fn image(&self, index: usize) -> Result<Image> {
        let (count, labels) = (self.images.size()[0], self.labels.numel());
        if index >= labels.min(count as usize) {
            return Err(Error::new(format!(
                "there are {count} images (axis N), counted from 0 to {}; there is no image {index}",
                count - 1
            )));
        }
        let vertical = self.labels.f_double_value(&[index as i64])? > 0.5;
        let name = if vertical { "vertical bar" } else { "horizontal bar" };
        Ok(Image::from_tensor(&self.images.f_narrow(0, index as i64, 1)?)?.named(name))
    }

    /// Which share of the images is judged correctly, if a number above 0.5 means "vertical".
    ///
    /// # Shapes
    /// `[N, 1, 1, 1]`: one number for each image.
    ///
    /// # Errors
    /// When there is not one number for each image.
    pub fn accuracy(&self, numbers: &FeatureMaps) -> Result<f64> {
        let (numbers, count) = (numbers.tensor(), self.labels.size()[0]);
        if numbers.size() != [count, 1, 1, 1] {
            return Err(Error::new(format!(
                "expected one number for each of the {count} images, [{count}, 1, 1, 1], got {:?}: \
                 `.global_avg_pool()?` gives one number a map",
                numbers.size()
            )));
        }
        let right = numbers.f_view([-1])?.f_gt(0.5)?.f_eq_tensor(&self.labels.f_gt(0.5)?)?;
        Ok(right.f_mean(Kind::Double)?.f_double_value(&[])?)
    }
}

/// One image, row by row.
fn image(index: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed, index as u64);
    let thickness = 2 + rng.below(2);
    let along = MARGIN + rng.below(SIDE - 2 * MARGIN - LENGTH + 1);
    let across = MARGIN + rng.below(SIDE - 2 * MARGIN - thickness + 1);
    let brightness = rng.between(0.8, 1.0);
    let pixel = |i: usize| {
        // A vertical bar is long along the rows.
        let (row, column) = (i / SIDE, i % SIDE);
        let (length, width) = if index % 2 == 1 { (row, column) } else { (column, row) };
        let inside =
            (along..along + LENGTH).contains(&length) && (across..across + thickness).contains(&width);
        if inside { brightness } else { 0.0 }
    };
    (0..SIDE * SIDE).map(|i| pixel(i) + rng.between(-NOISE, NOISE)).collect()
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} images of bars, N C H W = {:?}", self.images.size()[0], self.images.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;

    fn loudness(filter: &Filter, images: &Tensor, relu: bool) -> Result<FeatureMaps> {
        let maps = filter.convolve(images)?;
        if relu { maps.relu().global_avg_pool() } else { maps.global_avg_pool() }
    }

    #[test]
    fn a_vertical_edge_filter_is_learned_from_the_labels_and_a_horizontal_one_from_exchanged_labels() {
        let (bars, test) = (Bars::draw(200, 1).unwrap(), Bars::draw(1000, 2).unwrap());
        let start = Filter::random(3, 1).unwrap();
        let learn = |labels: &Tensor, relu| {
            start
                .learn(400, |filter| loudness(filter, &bars.images, relu)?.squared_error(labels))
                .unwrap()
                .filter
        };
        let right =
            |filter: &Filter, relu| test.accuracy(&loudness(filter, &test.images, relu).unwrap()).unwrap();
        let vertical = learn(&bars.labels, true);
        assert!(vertical.likeness(&Filter::vertical_edge()).unwrap().abs() > 0.9, "{vertical:?}");
        assert!(right(&vertical, true) > 0.97);
        let horizontal = learn(&(1.0 - &bars.labels), true);
        assert!(horizontal.likeness(&Filter::horizontal_edge()).unwrap().abs() > 0.9, "{horizontal:?}");
        // Without a ReLU, both sides of a bar cancel in the mean.
        let without = right(&learn(&bars.labels, false), false);
        assert!((0.4..0.6).contains(&without), "{without}");
    }

    #[test]
    fn a_vertical_bar_is_a_horizontal_one_turned() {
        let bars = Bars::draw(2000, 3).unwrap();
        let mean = |label: i64| {
            bars.images.slice(0, label, None, 2).mean_dim([0_i64].as_slice(), false, Kind::Float)
        };
        let (horizontal, vertical) = (mean(0).squeeze(), mean(1).squeeze());
        assert!((horizontal.transpose(0, 1) - vertical).abs().max().double_value(&[]) < 0.1);
        assert_eq!(bars.image(1).unwrap().tensor().size(), [1, 1, 12, 12]);
        assert!(bars.image(2000).unwrap_err().to_string().contains("no image 2000"));
        assert!(Bars::draw(0, 1).is_err());
    }
}
