//! Normalised images: over the training set, the mean of each colour is 0 and its standard deviation 1.

use crate::{
    Result,
    check::check_image_numbers,
    lecture::{MEAN, STD},
};
use tch::{Device, Kind, Tensor};

/// The mean colour in bytes: a grey, which is 0 for the network.
pub(crate) fn mean_colour() -> [u8; 3] {
    MEAN.map(|mean| (255.0 * mean).round() as u8)
}

/// Normalised images. In memory, the channels come last, because convolutions are then fastest.
///
/// # Shapes
/// `[N, 3, H, W]`, bytes or numbers from 0 to 1 → `[N, 3, H, W]`
pub(crate) fn normalised(images: &Tensor, device: Device) -> Result<Tensor> {
    check_image_numbers("the batch of images", images)?;
    let scale = if images.kind() == Kind::Uint8 { 255.0 } else { 1.0 };
    let images = images.f_to_device(device)?.f_to_kind(Kind::Float)? / scale;
    channels_last(&((images - per_channel(MEAN, device)?) / per_channel(STD, device)?))
}

/// Normalises batches of bytes in one operation, because training does so in every step.
pub(crate) struct Normaliser {
    /// A normalised value is a byte times `scale` plus `offset`.
    scale: Tensor,
    offset: Tensor,
}

impl Normaliser {
    pub(crate) fn new(device: Device) -> Result<Normaliser> {
        let inverse = STD.map(|std| 1.0 / std);
        Ok(Normaliser {
            scale: per_channel(inverse.map(|inverse| inverse / 255.0), device)?,
            offset: per_channel([0, 1, 2].map(|c| -MEAN[c] * inverse[c]), device)?,
        })
    }

    /// # Shapes
    /// `[N, 3, H, W]` bytes → `[N, 3, H, W]` of this kind, with the channels last in memory
    pub(crate) fn apply(&self, images: &Tensor, kind: Kind) -> Result<Tensor> {
        let numbers = self.offset.f_addcmul(&images.f_to_kind(Kind::Float)?, &self.scale)?;
        channels_last(&numbers.f_to_kind(kind)?)
    }
}

/// A number for each channel.
///
/// # Shapes
/// → `[1, 3, 1, 1]`
fn per_channel(numbers: [f32; 3], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(&numbers)?.f_view([1, 3, 1, 1])?.f_to_device(device)?)
}

/// The same feature maps, with the channels of a position next to each other in memory.
fn channels_last(maps: &Tensor) -> Result<Tensor> {
    Ok(maps.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
}
