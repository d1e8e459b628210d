//! One image in a network: the answer, and the feature maps after every layer.

use crate::{
    Error, Result,
    data::Examples,
    error::debug_as_display,
    image::Image,
    net::{LectureNet, is_head, owned},
    numbers::values_of,
    ranking::descending,
    shapes::Chain,
};
use std::fmt;
use tch::{Kind, Tensor};

/// The longest side of an image in a network; larger photos are reduced, because the first block alone gives
/// 32 maps of that size.
const MAX_SIDE: usize = 640;
/// The shortest side: the network halves it three times.
const MIN_SIDE: usize = 8;
/// How many of the most probable classes are shown.
const SHOWN_CLASSES: usize = 3;

/// An image, its feature maps and its class probabilities. See [`see`].
pub struct View {
    pub(super) net: LectureNet,
    image: Image,
    pub(super) classes: Vec<String>,
    pub(super) label: Option<usize>,
    /// The feature maps after every layer; those of the head only for images of 32 × 32.
    maps: Vec<(String, Tensor)>,
    probabilities: Option<Vec<f32>>,
}

/// Runs an image through a network and keeps the result of every layer.
///
/// An image of 32 × 32 is classified, and one of any size if the head of the network averages the maps. Any other image keeps its size (at most 640 per side) and gets feature
/// maps, but no answer. To classify it, resize it to 32 × 32 with [`Image::cropped_to`] or
/// [`Image::letterboxed_to`].
///
/// # Shapes
/// `[1, 3, H, W]` → from `[1, 32, H, W]` to `[1, 128, H/8, W/8]`
///
/// # Errors
/// When the image is smaller than 8 × 8, there is not a name for each class, or the network's device is not available.
///
/// # Source
/// Lecture part 7.
///
/// ```
/// use nchw::prelude::*;
/// let net = LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu)?;
/// let photo = Image::from_tensor(&Tensor::zeros([3, 48, 80], (Kind::Float, Device::Cpu)))?;
/// let view = see(&net, &photo, Cifar10::NAMES)?;
/// assert_eq!(view.tensor("block3")?.size(), [1, 128, 6, 10]);
/// let view = see(&net, &photo.cropped_to(32, 32)?, Cifar10::NAMES)?;
/// println!("{view}");
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn see<S: AsRef<str>>(net: &LectureNet, image: &Image, classes: impl AsRef<[S]>) -> Result<View> {
    let classes = owned(classes.as_ref());
    net.config().check_names(&classes)?;
    let (height, width) = (image.height(), image.width());
    if height < MIN_SIDE || width < MIN_SIDE {
        return Err(Error::new(format!(
            "expected an image of at least {MIN_SIDE} x {MIN_SIDE}, got {height} rows and {width} columns: \
             the network halves it three times. `image.resize(32, 32)?` makes it larger"
        )));
    }
    let longest = height.max(width);
    let image = if longest > MAX_SIDE {
        let side = |n: usize| (n * MAX_SIDE / longest).max(MIN_SIDE);
        image.rgb().resize(side(height), side(width))?
    } else {
        image.rgb()
    };
    let is_classified = net.classifies(image.height() as i64, image.width() as i64);
    let maps = if is_classified {
        net.maps(&image.tensor_u8())?
    } else {
        let last = net.names().rposition(|name| !is_head(name)).unwrap_or(0);
        net.run(&image.tensor_u8(), last + 1)?
    };
    let probabilities = match maps.last() {
        Some((_, logits)) if is_classified => Some(values_of(&logits.f_softmax(1, Kind::Float)?)?),
        _ => None,
    };
    Ok(View { net: net.to_device(net.device())?, image, classes, label: None, maps, probabilities })
}

impl Examples {
    /// One of the images.
    ///
    /// # Errors
    /// When there is no such image.
    pub fn picture(&self, index: usize) -> Result<Image> {
        if index >= self.len() {
            let last = self.len().saturating_sub(1);
            return Err(Error::new(format!("there is no image {index}: expected 0 to {last}")));
        }
        Ok(Image::from_tensor(&self.images.f_narrow(0, index as i64, 1)?)?.named(format!("image {index}")))
    }

    /// Runs one of the images through a network; its label is known. See [`see`].
    ///
    /// # Errors
    /// When there is no such image.
    pub fn see<S: AsRef<str>>(
        &self,
        net: &LectureNet,
        index: usize,
        classes: impl AsRef<[S]>,
    ) -> Result<View> {
        let view = see(net, &self.picture(index)?, classes)?;
        Ok(view.labelled(self.labels.f_int64_value(&[index as i64])? as usize))
    }
}

impl View {
    /// The same view with the label of the image, from 0 to the number of classes - 1.
    pub fn labelled(self, label: usize) -> View {
        let last = self.classes.len().saturating_sub(1);
        View { label: Some(label.min(last)), ..self }
    }

    /// The label of the image, if it is known.
    pub fn label(&self) -> Option<usize> {
        self.label
    }

    /// The most probable class; of equally probable ones, the first.
    ///
    /// # Errors
    /// When the image is not 32 × 32: there is no answer then.
    pub fn answer(&self) -> Result<usize> {
        self.probabilities()?;
        Ok(self.most_probable().and_then(|order| Some(order.first()?.0)).unwrap_or(0))
    }

    /// The probability of each class, from 0 to 1.
    ///
    /// # Errors
    /// When the image is not 32 × 32: there is no answer then.
    pub fn probabilities(&self) -> Result<&[f32]> {
        self.probabilities.as_deref().ok_or_else(|| {
            Error::new(format!(
                "there is no answer for an image of {} x {}: expected 32 x 32, because the last layer has \
                 weights for this size only. `photo.cropped_to(32, 32)?` or `photo.letterboxed_to(32, 32)?` \
                 gives it that size",
                self.image.height(),
                self.image.width()
            ))
        })
    }

    /// The scores of the ten classes, before softmax: the output of the last layer.
    ///
    /// # Errors
    /// When the image is not 32 × 32: there are no scores then.
    pub fn scores(&self) -> Result<Vec<f64>> {
        self.probabilities()?;
        let (_, logits) = self.maps.last().ok_or_else(|| Error::new("the network has no layers"))?;
        Ok(values_of(logits)?.into_iter().map(f64::from).collect())
    }

    /// The image as the network received it.
    pub fn picture(&self) -> &Image {
        &self.image
    }

    /// The feature maps after a layer, or after a block.
    ///
    /// # Shapes
    /// → `[1, C, H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), or it has no feature maps.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        Ok(self.layer(name)?.1.shallow_clone())
    }

    /// The index of a layer in the network, and its feature maps.
    pub(super) fn layer(&self, name: &str) -> Result<(usize, &Tensor)> {
        let index = layer_with_maps(&self.net, name)?;
        Ok((index, &self.maps[index].1))
    }

    /// The names of all layers with feature maps, and the maps.
    pub(super) fn all_maps(&self) -> Vec<(String, Tensor)> {
        let layers = self.maps.iter().filter(|(name, _)| !is_head(name));
        layers.map(|(name, maps)| (name.clone(), maps.shallow_clone())).collect()
    }

    /// The shape of a layer's input, for titles.
    pub(super) fn before(&self, name: &str) -> Result<String> {
        // The input of a block is the output of the layer before its first one.
        let first =
            self.net.names().position(|layer| layer == name || layer.starts_with(&format!("{name}.")));
        Ok(match first.unwrap_or(0) {
            0 => format!("3 \u{d7} {} \u{d7} {}", self.image.height(), self.image.width()),
            index => shape(&self.maps[index - 1].1),
        })
    }

    /// The most probable classes with their probabilities; equally probable ones in their order.
    pub(super) fn most_probable(&self) -> Option<Vec<(usize, f32)>> {
        let probabilities = self.probabilities.as_deref()?;
        let order = descending(probabilities).into_iter().take(SHOWN_CLASSES);
        Some(order.map(|class| (class, probabilities[class])).collect())
    }

    /// The label and the answer in one line.
    pub(super) fn answer_line(&self) -> String {
        let label = self.label.map(|label| self.classes[label].as_str());
        let Some(most_probable) = self.most_probable() else {
            let (h, w) = (self.image.height(), self.image.width());
            return format!("in its own size, {h} \u{d7} {w}: feature maps, but no answer");
        };
        let classes: Vec<String> = most_probable
            .iter()
            .map(|(class, share)| format!("{} {:.0} %", self.classes[*class], 100.0 * share))
            .collect();
        match (label, self.answer().ok()) {
            (Some(label), Some(answer)) => {
                let mark = if self.classes[answer] == label { "right" } else { "wrong" };
                format!("label: {label};  the answer: {} ({mark})", classes.join(", "))
            }
            _ => format!("the answer: {}", classes.join(", ")),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.image.name(), self.answer_line())
    }
}

debug_as_display!(View);

/// The index of a layer with feature maps.
pub(super) fn layer_with_maps(net: &LectureNet, name: &str) -> Result<usize> {
    let index = net.position(name)?;
    if is_head(name) {
        return Err(Error::new(format!(
            "`{name}` has no rows and columns; the last feature maps are those of block3"
        )));
    }
    Ok(index)
}

/// The layers of a network up to and including this one.
pub(super) fn layers_until(net: &LectureNet, index: usize) -> Chain {
    net.config().layers().into_iter().take(index + 1).map(|(_, layer)| layer).collect()
}

/// `C × H × W` of one image's feature maps.
pub(super) fn shape(maps: &Tensor) -> String {
    let size: Vec<String> = maps.size().iter().skip(1).map(i64::to_string).collect();
    size.join(" \u{d7} ")
}
