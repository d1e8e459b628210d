//! Training as a film: the filters and one image's feature maps after every epoch.

use super::{
    filters::FilterBank,
    view::{numbers, see, shape},
};
use crate::{
    Error, Result,
    colour::Palette,
    data::Cifar10,
    error::debug_as_display,
    figure::{Figure, Pixels},
    grid::Grid,
    image::Image,
    net::LectureNet,
    notebook::shows_its_figure,
    panels::{Content, Layout, Panel},
    train::{Run, snapshots},
    weights::Weights,
};
use std::{collections::HashMap, fmt, path::Path};
use tch::{Kind, Tensor};

/// The layer whose filters are shown, and the blocks whose feature maps are shown.
const FILTERS: &str = "block1.conv1";
const BLOCKS: [&str; 3] = ["block1", "block2", "block3"];
/// Maps shown of each block: those that are strongest at the end of the training.
const MAPS: usize = 7;
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
    image: Image,
    frames: Vec<Frame>,
}

/// The state after one epoch.
struct Frame {
    epoch: usize,
    /// Test accuracy from 0 to 1, where it was measured.
    accuracy: Option<f64>,
    /// The filters of the first layer.
    filters: Tensor,
    /// The feature maps of each block.
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
        let mut frames = Vec::new();
        for (number, (epoch, file)) in found.into_iter().enumerate() {
            if number % every != 0 && number != last {
                continue;
            }
            let view = see(&LectureNet::load(file)?, image, Cifar10::NAMES)?;
            frames.push(Frame {
                epoch,
                accuracy: status.log.iter().find(|log| log.epoch == epoch).map(|log| log.accuracy),
                filters: view.net.filters(FILTERS)?.copy(),
                maps: BLOCKS.map(|block| view.tensor(block)).into_iter().collect::<Result<_>>()?,
            });
        }
        Film::new(image.clone(), frames)
    }
}

impl Film {
    fn new(image: Image, frames: Vec<Frame>) -> Result<Film> {
        if frames.len() < 2 {
            return Err(Error::new(
                "there is no film yet: it needs at least one finished epoch (earlier versions of the course \
                 did not save the weights of each epoch)",
            ));
        }
        Ok(Film { image, frames })
    }

    /// The film that is part of the course: the `lecture` recipe on CIFAR-10.
    ///
    /// # Errors
    /// Only when the film in the program is damaged.
    pub fn shipped() -> Result<Film> {
        Film::from_weights(Weights::parse(include_bytes!("../../assets/learning.safetensors"))?)
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
        let epochs = numbers(&tensor("epochs", 2, &[2])?)?;
        let filters = tensor("filters", 5, &[3, 3, 3])?;
        let maps = BLOCKS.map(|block| tensor(block, 4, &[]));
        let maps = maps.into_iter().collect::<Result<Vec<Tensor>>>()?;
        let count = (epochs.len() / 2) as i64;
        if maps.iter().chain([&filters]).any(|tensor| tensor.size()[0] != count) {
            return Err(not_a_film("its tensors have different numbers of frames"));
        }
        let frames = epochs.chunks_exact(2).enumerate().map(|(i, about)| {
            let at_frame = |tensor: &Tensor| tensor.f_narrow(0, i as i64, 1);
            let accuracy = Some(f64::from(about[1])).filter(|share| share.is_finite());
            let maps = maps.iter().map(|maps| Ok(at_frame(maps)?)).collect::<Result<_>>()?;
            Ok(Frame {
                epoch: about[0] as usize,
                accuracy,
                filters: at_frame(&filters)?.f_squeeze_dim(0)?,
                maps,
            })
        });
        Film::new(Image::from_tensor(&image)?.named(name), frames.collect::<Result<_>>()?)
    }

    /// Saves the film to a file (safetensors, as bfloat16).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, path: impl AsRef<Path>) -> Result<()> {
        let about: Vec<f32> = self
            .frames
            .iter()
            .flat_map(|f| [f.epoch as f32, f.accuracy.map_or(f32::NAN, |a| a as f32)])
            .collect();
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
        let all: Vec<&Tensor> = self.frames.iter().map(|frame| &frame.filters).collect();
        Ok(Tensor::f_stack(&all, 0)?)
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
        let all: Vec<&Tensor> = self.frames.iter().map(|frame| &frame.maps[index]).collect();
        Ok(Tensor::f_cat(&all, 0)?)
    }

    /// Draws all frames as an animation.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let last = self.frames.len() - 1;
        let seconds = |number| match number {
            0 => 1.5,
            n if n == last => 3.0,
            _ => 0.7,
        };
        let drawn = (0..=last).map(|number| Ok((self.layout(number)?.draw()?, seconds(number))));
        let alt = format!("Animation. {self}");
        Figure::animation(&drawn.collect::<Result<Vec<(Pixels, f32)>>>()?, alt, self.to_string())
    }

    /// Draws one frame; frame 0 shows the initial weights.
    ///
    /// # Errors
    /// When there is no such frame.
    pub fn frame(&self, number: usize) -> Result<Figure> {
        if number >= self.frames.len() {
            return Err(Error::new(format!(
                "there is no frame {number}: expected 0 to {}",
                self.frames.len() - 1
            )));
        }
        let layout = self.layout(number)?;
        let title = layout.title.clone();
        layout.figure(format!("{title}. {self}"), title)
    }

    fn layout(&self, number: usize) -> Result<Layout<'_>> {
        let frame = &self.frames[number];
        let bank = FilterBank::new(FILTERS, frame.filters.shallow_clone())?;
        let mut first = vec![
            Panel::new(self.image.name(), Content::Picture(self.image.pixels()), 140.0).bare(),
            Panel::new(format!("filters of {FILTERS}"), Content::Picture(bank.tiles()), 290.0).bare(),
        ];
        let share = frame.accuracy.unwrap_or(0.1) as f32;
        let name = if frame.accuracy.is_some() { "accuracy" } else { "guessing" };
        first.push(Panel::new(
            "",
            Content::Bars { shares: vec![(name.into(), share)], right: Some(0) },
            260.0,
        ));
        let mut rows = vec![first];
        for (index, block) in BLOCKS.iter().enumerate() {
            let maps = &frame.maps[index];
            rows.push(vec![Panel::heading(format!("{block}: {}", shape(maps)))]);
            let (h, w) = (maps.size()[2] as usize, maps.size()[3] as usize);
            let all = numbers(maps)?;
            let tile = |channel: usize| {
                let values = Grid::new(h, w, all[channel * h * w..][..h * w].to_vec())?;
                let palette = Palette::fitting(values.values());
                let range = palette.range(values.values());
                let content = Content::Heat { values, palette, range, bar: false, under: None };
                Ok(Panel::new(channel.to_string(), content, 88.0).bare())
            };
            rows.push(self.strongest(index)?.into_iter().map(tile).collect::<Result<_>>()?);
        }
        let title = match (frame.epoch, frame.accuracy) {
            (0, _) => "Before the first epoch: random filters".to_owned(),
            (epoch, Some(share)) => {
                format!("After epoch {epoch}: test accuracy {:.1} %", 100.0 * share)
            }
            (epoch, None) => format!("After epoch {epoch}"),
        };
        let lines = vec![format!("the {MAPS} strongest maps of the last frame; each on its own scale")];
        Ok(Layout { title, rows, lines })
    }

    /// The channels of a block with the largest activations in the last frame.
    fn strongest(&self, block: usize) -> Result<Vec<usize>> {
        let Some(last) = self.frames.last() else { return Ok(Vec::new()) };
        let largest = numbers(&last.maps[block].f_amax([0, 2, 3], false)?)?;
        let largest: Vec<f32> =
            largest.into_iter().map(|max| if max.is_nan() { f32::NEG_INFINITY } else { max }).collect();
        let mut order: Vec<usize> = (0..largest.len()).collect();
        order.sort_by(|a, b| largest[*b].total_cmp(&largest[*a]));
        order.truncate(MAPS);
        Ok(order)
    }
}

impl fmt::Display for Film {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Training, frame by frame: the filters of {FILTERS} and the feature maps of {}",
            self.image.name()
        )?;
        for frame in &self.frames {
            write!(f, "; epoch {}", frame.epoch)?;
            if let Some(share) = frame.accuracy {
                write!(f, ": {:.1} %", 100.0 * share)?;
            }
        }
        Ok(())
    }
}

debug_as_display!(Film);
shows_its_figure!(Film);
