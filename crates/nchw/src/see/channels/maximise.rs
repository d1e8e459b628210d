//! Images that activate a channel as much as possible, computed from noise.

use super::names::names_of;
use crate::see::view::layer_with_maps;
use crate::{
    Error, Result, error::debug_as_display, gradient::gradients, image::Image, net::LectureNet,
    numbers::values_of, random::Rng, text::number,
};
use std::fmt;
use tch::{Kind, Tensor};

/// The side of the images.
const SIDE: i64 = 32;
/// Steps of gradient ascent, and the ones after which an image is kept.
const STEPS: usize = 80;
const KEPT: [usize; 3] = [0, 20, STEPS];
/// The most channels at once.
const MAX_CHANNELS: usize = 8;
/// The images are moved by up to so many pixels before each step, so that no single pixel becomes important.
const SHIFT: i64 = 2;
/// The standard deviation of the blur of the gradient and of the image, in pixels. Without blur, the images become
/// fine noise that activates the channel, too.
const GRADIENT_BLUR: f64 = 0.7;
const IMAGE_BLUR: f64 = 0.6;
/// The image is blurred after every so many steps.
const BLUR_EVERY: usize = 4;

/// Images that were computed to activate channels. See [`maximise`].
pub struct Maximised {
    pub(in crate::see) layer: String,
    pub(in crate::see) channels: Vec<usize>,
    /// The names of the channels, empty where one has none.
    pub(in crate::see) names: Vec<String>,
    /// After the steps that were kept: the images, and the channels' activation before ReLU.
    pub(in crate::see) stages: Vec<Stage>,
}

/// The images after a number of steps.
pub(in crate::see) struct Stage {
    pub(in crate::see) steps: usize,
    pub(in crate::see) images: Vec<Image>,
    pub(in crate::see) activations: Vec<f32>,
}

/// Computes an image for each channel that activates it as much as possible: starts with noise, and changes the
/// **image** by gradient ascent, while the weights stay. The channel is maximised in the middle of its map, before
/// ReLU and pooling, because behind ReLU a silent channel has no gradient.
///
/// # Shapes
/// → images `[3, 32, 32]`
///
/// # Errors
/// When there is no such layer or channel, or the number of channels is not from 1 to 8.
///
/// # Source
/// Erhan et al., *Visualizing Higher-Layer Features of a Deep Network*, 2009; Olah, Mordvintsev and Schubert,
/// *Feature Visualization*, 2017, <https://distill.pub/2017/feature-visualization>.
///
/// ```
/// use nchw::prelude::*;
/// let net = LectureNet::shipped()?;
/// let found = maximise(&net, "block3", &[50])?;
/// assert!(found.activations()[0] > 10.0);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn maximise(net: &LectureNet, layer: &str, channels: &[usize]) -> Result<Maximised> {
    if !(1..=MAX_CHANNELS).contains(&channels.len()) {
        return Err(Error::new(format!(
            "expected 1 to {MAX_CHANNELS} channels, such as `&[50, 109]`, got {}",
            channels.len()
        )));
    }
    let end = before_relu(net, layer_with_maps(net, layer)?);
    let device = net.device();
    let count = channels.len() as i64;
    let mut rng = Rng::new(0, 0);
    let noise: Vec<f32> = (0..count * 3 * SIDE * SIDE).map(|_| rng.between(0.47, 0.53)).collect();
    let mut images = Tensor::f_from_slice(&noise)?.f_view([count, 3, SIDE, SIDE])?.f_to_device(device)?;
    let known = net.run(&images, end + 1)?.pop().map_or(0, |(_, maps)| maps.size()[1]);
    if let Some(channel) = channels.iter().find(|channel| **channel as i64 >= known) {
        return Err(Error::new(format!(
            "there is no channel {channel} in `{layer}`: expected 0 to {}",
            known - 1
        )));
    }
    let mut stages = Vec::new();
    for step in 0..=STEPS {
        let (down, right) = (shift(&mut rng), shift(&mut rng));
        let last = step == STEPS;
        let moved = if last { images.copy() } else { images.f_roll([down, right], [2, 3])? };
        let (activations, gradient) = ascend(net, end, &moved, channels)?;
        if KEPT.contains(&step) {
            let images = (0..count).map(|i| Image::from_tensor(&images.f_narrow(0, i, 1)?));
            stages.push(Stage { steps: step, images: images.collect::<Result<_>>()?, activations });
        }
        if last {
            break;
        }
        let gradient = blur(&gradient.f_roll([-down, -right], [2, 3])?, GRADIENT_BLUR)?;
        let length = gradient.f_square()?.f_mean_dim([1, 2, 3].as_slice(), true, Kind::Float)?.f_sqrt()?;
        let rate = 0.04 * (1.0 - 0.8 * step as f64 / STEPS as f64);
        let change = gradient.f_div(&length.f_clamp_min(1e-8)?)?.f_mul_scalar(rate)?;
        images = images.f_add(&change)?.f_clamp(0.0, 1.0)?;
        if step % BLUR_EVERY == 0 && step * 10 < STEPS * 9 {
            images = images.f_add(&blur(&images, IMAGE_BLUR)?)?.f_div_scalar(2.0)?;
        }
    }
    let network: String = net.fingerprint()?.chars().take(16).collect();
    let known = names_of(&network, layer)?;
    let name =
        |channel: &usize| known.iter().find(|named| named.number == *channel).map(|named| named.name.clone());
    let names = channels.iter().map(|channel| name(channel).unwrap_or_default()).collect();
    Ok(Maximised { layer: layer.to_owned(), channels: channels.to_vec(), names, stages })
}

/// A random shift in pixels.
fn shift(rng: &mut Rng) -> i64 {
    rng.below(2 * SHIFT as usize + 1) as i64 - SHIFT
}

/// The last layer up to this one that is neither pooling nor ReLU.
fn before_relu(net: &LectureNet, index: usize) -> usize {
    let names: Vec<&str> = net.names().collect();
    let is_before = |name: &str| !name.contains("relu") && !name.contains("pool");
    (0..=index).rev().find(|index| is_before(names[*index])).unwrap_or(index)
}

/// The activation of each image's channel in the middle of its map, and the gradient with respect to the image.
fn ascend(net: &LectureNet, end: usize, images: &Tensor, channels: &[usize]) -> Result<(Vec<f32>, Tensor)> {
    let images = images.copy().set_requires_grad(true);
    // Gradients are needed here even inside `tch::no_grad`.
    let values = tch::with_grad(|| -> Result<Tensor> {
        let maps = net.run_with_gradients(&images, end + 1)?;
        let (h, w) = (maps.size()[2], maps.size()[3]);
        let middle = maps.f_select(2, (h - 1) / 2)?.f_select(2, w / 2)?;
        let each = channels.iter().enumerate().map(|(i, channel)| -> Result<Tensor> {
            Ok(middle.f_select(0, i as i64)?.f_select(0, *channel as i64)?)
        });
        Ok(Tensor::f_stack(&each.collect::<Result<Vec<Tensor>>>()?, 0)?)
    })?;
    let sum = tch::with_grad(|| values.f_sum(Kind::Float))?;
    let gradient = gradients(&sum, &[&images])?;
    let gradient = gradient.first().ok_or_else(|| Error::new("the channel does not depend on the image"))?;
    Ok((values_of(&values)?, gradient.f_detach()?))
}

/// Blurs images with a Gaussian of 7 × 7; the edge is repeated.
///
/// # Shapes
/// `[N, 3, H, W]`
fn blur(images: &Tensor, sigma: f64) -> Result<Tensor> {
    let weights: Vec<f32> =
        (-3..=3).map(|x| (-f64::from(x * x) / (2.0 * sigma * sigma)).exp() as f32).collect();
    let weights = Tensor::f_from_slice(&weights)?.f_to_device(images.device())?;
    let weights = weights.f_div(&weights.f_sum(Kind::Float)?)?;
    let kernel = weights.f_outer(&weights)?.f_view([1, 1, 7, 7])?.f_repeat([3, 1, 1, 1])?;
    let padded = images.f_replication_pad2d([3, 3, 3, 3])?;
    Ok(padded.f_conv2d(&kernel, None::<&Tensor>, 1, 0, 1, 3)?)
}

impl Maximised {
    /// The images after the last step.
    pub fn images(&self) -> &[Image] {
        self.stages.last().map_or(&[], |stage| &stage.images)
    }

    /// The activation of each channel on its image, before ReLU.
    pub fn activations(&self) -> &[f32] {
        self.stages.last().map_or(&[], |stage| &stage.activations)
    }
}

impl fmt::Display for Maximised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Images from noise that activate channels of {}", self.layer)?;
        let first = self.stages.first().map_or(&[][..], |stage| &stage.activations);
        for ((channel, before), after) in self.channels.iter().zip(first).zip(self.activations()) {
            write!(f, "; channel {channel}: from {} to {}", number(*before), number(*after))?;
        }
        Ok(())
    }
}

debug_as_display!(Maximised);
