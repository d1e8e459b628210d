//! Training as a film: the filters and one image's feature maps after every epoch.

use super::view::see;
use crate::{
    Error, Result,
    data::Cifar10,
    error::debug_as_display,
    image::Image,
    net::LectureNet,
    numbers::values_of,
    ranking::strongest_channels,
    train::{Run, snapshots},
    weights::Weights,
};
use std::{collections::HashMap, fmt, path::Path};
use tch::{Kind, Tensor};

/// The layer whose filters are shown, and the blocks whose feature maps are shown.
pub(super) const FILTERS: &str = "block1.conv1";
pub(super) const BLOCKS: [&str; 3] = ["block1", "block2", "block3"];
/// Maps shown of each block: those that are strongest at the end of the training.
pub(super) const MAPS: usize = 7;
/// The most frames; of longer trainings, evenly spaced epochs are shown.
const MAX_FRAMES: usize = 31;

/// The filters and one image's feature maps during a training, from the initial weights on. See
/// [`Run::film`].
///
/// ```
/// use nchw::prelude::*;
/// let film = Film::shipped()?;
/// assert_eq!(film.filters()?.size(), [13, 32, 3, 3, 3]);
/// film.frame(12)?;
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Film {
    pub(super) image: Image,
    /// The epoch of each frame, and its test accuracy from 0 to 1, where it was measured.
    pub(super) epochs: Vec<(usize, Option<f64>)>,
    /// The filters of the first layer, `[frames, N filters, 3, 3, 3]`.
    filters: Tensor,
    /// The feature maps of each block, `[frames, C, H, W]`.
    maps: Vec<Tensor>,
}

impl Run {
    /// This training as a film: the first layer's filters and this image's feature maps, before the first
    /// epoch and after each finished one.
    ///
    /// # Shapes
    /// `image` 3 × 32 × 32
    ///
    /// # Errors
    /// When the image has another size, or the weights of the epochs are missing.
    pub fn film(&self, image: &Image) -> Result<Film> {
        if (image.height(), image.width()) != (32, 32) {
            return Err(Error::new(format!(
                "expected an image of 32 x 32, like the training images, got {} x {}: \
                 `photo.cropped_to(32, 32)?`",
                image.height(),
                image.width()
            )));
        }
        let status = self.status();
        let found = snapshots(&status.folder)?;
        let every = found.len().div_ceil(MAX_FRAMES).max(1);
        let last = found.len().saturating_sub(1);
        let (mut epochs, mut filters, mut maps) = (Vec::new(), Vec::new(), [const { Vec::new() }; 3]);
        for (number, (epoch, file)) in found.into_iter().enumerate() {
            if number % every != 0 && number != last {
                continue;
            }
            let view = see(&LectureNet::load(file)?, image, Cifar10::NAMES)?;
            epochs.push((epoch, status.log.iter().find(|log| log.epoch == epoch).map(|log| log.accuracy)));
            filters.push(view.net.filters(FILTERS)?);
            for (block, maps) in BLOCKS.iter().zip(&mut maps) {
                maps.push(view.tensor(block)?);
            }
        }
        require_two_frames(epochs.len())?;
        let maps = maps.iter().map(|maps| Ok(Tensor::f_cat(maps, 0)?));
        Ok(Film {
            image: image.clone(),
            epochs,
            filters: Tensor::f_stack(&filters, 0)?,
            maps: maps.collect::<Result<_>>()?,
        })
    }
}

fn require_two_frames(count: usize) -> Result<()> {
    if count < 2 {
        return Err(Error::new(
            "there is no film yet: it needs at least one finished epoch (earlier versions of the course \
             did not save the weights of each epoch)",
        ));
    }
    Ok(())
}

impl Film {
    /// The film that is part of the course: the `lecture` recipe on CIFAR-10.
    ///
    /// # Errors
    /// Only when the film in the program is damaged.
    pub fn shipped() -> Result<Film> {
        let film = Film::from_weights(Weights::parse(include_bytes!("../../assets/learning.safetensors"))?)?;
        Ok(Film { image: film.image.named("a test image"), ..film })
    }

    /// Reads a film that was saved with [`Film::keep`].
    ///
    /// # Errors
    /// When the file does not exist or is not a film.
    pub fn load(path: impl AsRef<Path>) -> Result<Film> {
        let path = path.as_ref();
        Film::from_weights(Weights::read(path)?).map_err(|e| Error::new(format!("{}: {e}", path.display())))
    }

    fn from_weights(file: Weights) -> Result<Film> {
        let not_a_film = |what: &str| Error::new(format!("this is not a film of a training: {what}"));
        let tensor = |name: &str, axes: usize, end: &[i64]| -> Result<Tensor> {
            let found = file.tensors.iter().find(|(key, _)| key == name).map(|(_, tensor)| tensor);
            let found = found.ok_or_else(|| not_a_film(&format!("`{name}` is missing")))?;
            let size = found.size();
            if size.len() != axes || !size.ends_with(end) || size.contains(&0) {
                return Err(not_a_film(&format!(
                    "`{name}` is {size:?}, expected {axes} axes that end in {end:?}"
                )));
            }
            Ok(found.f_to_kind(Kind::Float)?)
        };
        let image = tensor("picture", 3, &[3, 32, 32])?.f_div_scalar(255.0)?;
        let name = file.notes.get("picture").cloned().unwrap_or_else(|| "the image".into());
        let epochs = values_of(&tensor("epochs", 2, &[2])?)?;
        let filters = tensor("filters", 5, &[3, 3, 3])?;
        let maps = BLOCKS.map(|block| tensor(block, 4, &[]));
        let maps = maps.into_iter().collect::<Result<Vec<Tensor>>>()?;
        let count = (epochs.len() / 2) as i64;
        if maps.iter().chain([&filters]).any(|tensor| tensor.size()[0] != count) {
            return Err(not_a_film("its tensors have different numbers of frames"));
        }
        require_two_frames(epochs.len() / 2)?;
        let accuracy = |share: f32| Some(f64::from(share)).filter(|share| share.is_finite());
        let epochs = epochs.chunks_exact(2).map(|about| (about[0] as usize, accuracy(about[1]))).collect();
        Ok(Film { image: Image::from_tensor(&image)?.named(name), epochs, filters, maps })
    }

    /// Saves the film to a file (safetensors, as bfloat16).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, path: impl AsRef<Path>) -> Result<()> {
        let about = |(epoch, accuracy): &(usize, Option<f64>)| {
            [*epoch as f32, accuracy.map_or(f32::NAN, |share| share as f32)]
        };
        let about: Vec<f32> = self.epochs.iter().flat_map(about).collect();
        let mut tensors = vec![
            ("picture".to_owned(), self.image.tensor_u8().f_squeeze_dim(0)?.f_to_kind(Kind::BFloat16)?),
            ("epochs".to_owned(), Tensor::f_from_slice(&about)?.f_view([-1, 2])?),
            ("filters".to_owned(), self.filters()?.f_to_kind(Kind::BFloat16)?),
        ];
        for block in BLOCKS {
            tensors.push((block.to_owned(), self.maps(block)?.f_to_kind(Kind::BFloat16)?));
        }
        let notes = HashMap::from([("picture".to_owned(), self.image.name().to_owned())]);
        Weights { tensors, notes }.write(path.as_ref())
    }

    /// The first layer's filters, frame by frame.
    ///
    /// # Shapes
    /// → `[frames, N filters, 3, 3, 3]`
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn filters(&self) -> Result<Tensor> {
        Ok(self.filters.copy())
    }

    /// The image's feature maps after a block, frame by frame.
    ///
    /// # Shapes
    /// → `[frames, C, H, W]`
    ///
    /// # Errors
    /// When the block is not block1, block2 or block3.
    pub fn maps(&self, block: &str) -> Result<Tensor> {
        let index = BLOCKS.iter().position(|name| *name == block);
        let index = index.ok_or_else(|| {
            Error::new(format!("there is no block `{block}` in a film: expected {}", BLOCKS.join(", ")))
        })?;
        Ok(self.maps[index].copy())
    }

    /// The filters of a frame.
    ///
    /// # Shapes
    /// → `[N filters, 3, 3, 3]`
    pub(super) fn filters_at(&self, frame: usize) -> Result<Tensor> {
        Ok(self.filters.f_get(frame as i64)?)
    }

    /// The feature maps of a frame after a block, counted from 0.
    ///
    /// # Shapes
    /// → `[1, C, H, W]`
    pub(super) fn maps_at(&self, frame: usize, block: usize) -> Result<Tensor> {
        Ok(self.maps[block].f_narrow(0, frame as i64, 1)?)
    }

    /// The channels of a block with the largest activations in the last frame.
    pub(super) fn strongest(&self, block: usize) -> Result<Vec<usize>> {
        let last = self.epochs.len() - 1;
        let ranked = strongest_channels(&self.maps_at(last, block)?)?;
        Ok(ranked.into_iter().take(MAPS).map(|(channel, _)| channel).collect())
    }
}

impl fmt::Display for Film {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Training, frame by frame: the filters of {FILTERS} and the feature maps of {}",
            self.image.name()
        )?;
        for (epoch, accuracy) in &self.epochs {
            write!(f, "; epoch {epoch}")?;
            if let Some(share) = accuracy {
                write!(f, ": {:.1} %", 100.0 * share)?;
            }
        }
        Ok(())
    }
}

debug_as_display!(Film);
