//! Learning as a film: filters and one picture's maps after every epoch.

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
    panels::{Content, Panel, Sheet},
    train::{Run, snapshots},
    weights::Weights,
};
use std::{collections::HashMap, fmt, path::Path};
use tch::{Kind, Tensor};

/// The layer whose filters are shown, and the blocks whose maps are.
const FILTERS: &str = "block1.conv1";
const BLOCKS: [&str; 3] = ["block1", "block2", "block3"];
/// Maps of each block: those strongest at the end, so that they are seen to arise.
const MAPS: usize = 7;
/// More frames than these are thinned out: a longer film shows no more.
const FRAMES: usize = 31;

/// What a training made of its filters and of one picture, from the first weights on. See [`Run::film`].
///
/// ```
/// use nchw::prelude::*;
/// let film = Film::shipped()?;
/// assert_eq!(film.filters()?.size(), [13, 32, 3, 3, 3]);
/// film.frame(12)?;
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Film {
    picture: Image,
    frames: Vec<Frame>,
}

/// After one epoch.
struct Frame {
    epoch: usize,
    /// Share of right answers, where it was tested: 0 to 1.
    accuracy: Option<f64>,
    /// Of the first layer.
    filters: Tensor,
    /// Of each block.
    maps: Vec<Tensor>,
}

impl Run {
    /// This training as a film: the first layer's filters and this picture's maps,
    /// before the first epoch and after each that is over.
    ///
    /// # Shapes
    /// `picture` 3 × 32 × 32
    ///
    /// # Errors
    /// When the picture has another size, or the weights of the epochs are not there.
    pub fn film(&self, picture: &Image) -> Result<Film> {
        if (picture.height(), picture.width()) != (32, 32) {
            return Err(Error::new(format!(
                "expected a picture of 32 x 32, as those it learns from, got {} x {}: `photo.cropped_to(32, 32)?`",
                picture.height(),
                picture.width()
            )));
        }
        let status = self.status();
        let found = snapshots(&status.folder)?;
        let every = found.len().div_ceil(FRAMES).max(1);
        let last = found.len().saturating_sub(1);
        let mut frames = Vec::new();
        for (number, (epoch, file)) in found.into_iter().enumerate() {
            if number % every != 0 && number != last {
                continue;
            }
            let view = see(&LectureNet::load(file)?, picture, Cifar10::NAMES)?;
            frames.push(Frame {
                epoch,
                accuracy: status.log.iter().find(|log| log.epoch == epoch).map(|log| log.accuracy),
                filters: view.net.filters(FILTERS)?.copy(),
                maps: BLOCKS.map(|block| view.tensor(block)).into_iter().collect::<Result<_>>()?,
            });
        }
        Film::new(picture.clone(), frames)
    }
}

impl Film {
    fn new(picture: Image, frames: Vec<Frame>) -> Result<Film> {
        if frames.len() < 2 {
            return Err(Error::new(
                "there is no film yet: it begins when the first epoch is over (trainings of earlier versions kept \
                 no weights of their epochs)",
            ));
        }
        Ok(Film { picture, frames })
    }

    /// The film that comes with the course: the `lecture` recipe on CIFAR-10.
    ///
    /// # Errors
    /// Never, as long as the course is whole.
    pub fn shipped() -> Result<Film> {
        Film::from_weights(Weights::parse(include_bytes!("../../assets/learning.safetensors"))?)
    }

    /// Reads a film that was kept with [`Film::keep`].
    ///
    /// # Errors
    /// When there is no such file, or it is no film.
    pub fn load(path: impl AsRef<Path>) -> Result<Film> {
        let path = path.as_ref();
        Film::from_weights(Weights::read(path)?).map_err(|e| Error::new(format!("{}: {e}", path.display())))
    }

    fn from_weights(file: Weights) -> Result<Film> {
        let no_film = |what: &str| Error::new(format!("this is no film of a training: {what}"));
        let tensor = |name: &str, axes: usize, end: &[i64]| -> Result<Tensor> {
            let found = file.tensors.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor);
            let found = found.ok_or_else(|| no_film(&format!("`{name}` is missing")))?;
            let size = found.size();
            if size.len() != axes || !size.ends_with(end) || size.contains(&0) {
                return Err(no_film(&format!(
                    "`{name}` is {size:?}, expected {axes} axes that end in {end:?}"
                )));
            }
            Ok(found.f_to_kind(Kind::Float)?)
        };
        let picture = tensor("picture", 3, &[3, 32, 32])?.f_div_scalar(255.0)?;
        let name = file.notes.get("picture").cloned().unwrap_or_else(|| "the picture".into());
        let epochs = numbers(&tensor("epochs", 2, &[2])?)?;
        let filters = tensor("filters", 5, &[3, 3, 3])?;
        let maps = BLOCKS.map(|block| tensor(block, 4, &[]));
        let maps = maps.into_iter().collect::<Result<Vec<Tensor>>>()?;
        let count = (epochs.len() / 2) as i64;
        if maps.iter().chain([&filters]).any(|tensor| tensor.size()[0] != count) {
            return Err(no_film("its parts have different lengths"));
        }
        let frames = epochs.chunks_exact(2).enumerate().map(|(i, about)| {
            let of = |tensor: &Tensor| tensor.f_narrow(0, i as i64, 1);
            let accuracy = Some(f64::from(about[1])).filter(|share| share.is_finite());
            let maps = maps.iter().map(|maps| Ok(of(maps)?)).collect::<Result<_>>()?;
            Ok(Frame { epoch: about[0] as usize, accuracy, filters: of(&filters)?.f_squeeze_dim(0)?, maps })
        });
        Film::new(Image::from_tensor(&picture)?.named(name), frames.collect::<Result<_>>()?)
    }

    /// Keeps the film in a file (safetensors, its numbers as bfloat16).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, path: impl AsRef<Path>) -> Result<()> {
        let about: Vec<f32> = self
            .frames
            .iter()
            .flat_map(|f| [f.epoch as f32, f.accuracy.map_or(f32::NAN, |a| a as f32)])
            .collect();
        let mut tensors = vec![
            ("picture".to_owned(), self.picture.tensor_u8().f_squeeze_dim(0)?.f_to_kind(Kind::BFloat16)?),
            ("epochs".to_owned(), Tensor::f_from_slice(&about)?.f_view([-1, 2])?),
            ("filters".to_owned(), self.filters()?.f_to_kind(Kind::BFloat16)?),
        ];
        for block in BLOCKS {
            tensors.push((block.to_owned(), self.maps(block)?.f_to_kind(Kind::BFloat16)?));
        }
        let notes = HashMap::from([("picture".to_owned(), self.picture.name().to_owned())]);
        Weights { tensors, notes }.write(path.as_ref())
    }

    /// The first layer's filters, frame by frame.
    ///
    /// # Shapes
    /// → `[frames, N filters, 3, 3, 3]`
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn filters(&self) -> Result<Tensor> {
        let all: Vec<&Tensor> = self.frames.iter().map(|frame| &frame.filters).collect();
        Ok(Tensor::f_stack(&all, 0)?)
    }

    /// The picture's maps after a block, frame by frame.
    ///
    /// # Shapes
    /// → `[frames, C, H, W]`
    ///
    /// # Errors
    /// When the block is none of block1, block2 and block3.
    pub fn maps(&self, block: &str) -> Result<Tensor> {
        let place = BLOCKS.iter().position(|own| *own == block);
        let place = place.ok_or_else(|| {
            Error::new(format!("there is no block `{block}` in a film: expected {}", BLOCKS.join(", ")))
        })?;
        let all: Vec<&Tensor> = self.frames.iter().map(|frame| &frame.maps[place]).collect();
        Ok(Tensor::f_cat(&all, 0)?)
    }

    /// All frames as an animation.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let last = self.frames.len() - 1;
        let stay = |number| match number {
            0 => 1.5,
            n if n == last => 3.0,
            _ => 0.7,
        };
        let drawn = (0..=last).map(|number| Ok((self.sheet(number)?.draw()?, stay(number))));
        let alt = format!("Animation. {self}");
        Figure::animation(&drawn.collect::<Result<Vec<(Pixels, f32)>>>()?, alt, self.to_string())
    }

    /// One frame as a still picture; 0 is before the first epoch.
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
        let sheet = self.sheet(number)?;
        let title = sheet.title.clone();
        sheet.figure(format!("{title}. {self}"), title)
    }

    fn sheet(&self, number: usize) -> Result<Sheet<'_>> {
        let frame = &self.frames[number];
        let bank = FilterBank::new(FILTERS, frame.filters.shallow_clone())?;
        let mut first = vec![
            Panel::new(self.picture.name(), Content::Picture(self.picture.pixels()), 140.0).bare(),
            Panel::new(format!("the filters of {FILTERS}"), Content::Picture(bank.tiles()), 290.0).bare(),
        ];
        let share = frame.accuracy.unwrap_or(0.1) as f32;
        let right = if frame.accuracy.is_some() { "right" } else { "by chance" };
        first.push(Panel::new(
            "",
            Content::Bars { shares: vec![(right.into(), share)], right: Some(0) },
            260.0,
        ));
        let mut rows = vec![first];
        for (place, block) in BLOCKS.iter().enumerate() {
            let maps = &frame.maps[place];
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
            rows.push(self.strongest(place)?.into_iter().map(tile).collect::<Result<_>>()?);
        }
        let title = match (frame.epoch, frame.accuracy) {
            (0, _) => "Before the first epoch: random filters".to_owned(),
            (epoch, Some(share)) => {
                format!("After epoch {epoch}: {:.1} % of the test pictures right", 100.0 * share)
            }
            (epoch, None) => format!("After epoch {epoch}"),
        };
        let lines = vec![format!("the {MAPS} maps that are strongest at the end; each on its own scale")];
        Ok(Sheet { title, rows, lines })
    }

    /// The channels of a block that answer most in the last frame.
    fn strongest(&self, place: usize) -> Result<Vec<usize>> {
        let Some(last) = self.frames.last() else { return Ok(Vec::new()) };
        let largest = numbers(&last.maps[place].f_amax([0, 2, 3], false)?)?;
        let largest: Vec<f32> =
            largest.into_iter().map(|most| if most.is_nan() { f32::NEG_INFINITY } else { most }).collect();
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
            "Learning, frame by frame: the filters of {FILTERS} and the maps of {}",
            self.picture.name()
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
