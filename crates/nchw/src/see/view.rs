//! One picture in a network: the answer, and the maps after every layer.

use crate::{
    Error, Result,
    data::Examples,
    error::debug_as_display,
    figure::{Figure, Pixels},
    image::Image,
    net::{LectureNet, is_head},
    notebook::{Output, shows},
    panels::{Content, Panel, Sheet},
    shapes::{Chain, chain},
    trace::trace,
};
use std::fmt;
use tch::{Device, Kind, Tensor};

/// Longer sides are made so long before a network looks at a whole photo:
/// its first block alone gives 32 maps of that size.
const LONGEST: usize = 640;
/// Three poolings halve a side three times.
const SHORTEST: usize = 8;
/// How many of the likeliest classes are shown.
const LIKELIEST: usize = 3;

/// What a network makes of one picture. See [`see`].
pub struct View {
    pub(super) net: LectureNet,
    picture: Image,
    pub(super) classes: [&'static str; 10],
    label: Option<usize>,
    /// After every layer up to the last that is there for this size.
    maps: Vec<(String, Tensor)>,
    probabilities: Option<Vec<f32>>,
}

/// Shows a picture to a network and keeps all that it makes of it.
///
/// A picture of 32 × 32 gets an answer. Any other is looked at in its own size
/// (at most 640 to a side), as far as the maps go: for an answer, make it
/// 32 × 32 with [`Image::cropped_to`] or [`Image::letterboxed_to`].
///
/// # Shapes
/// The picture's maps: `[1, 3, H, W]` → from `[1, 32, H, W]` to `[1, 128, H/8, W/8]`
///
/// # Errors
/// When the picture is smaller than 8 × 8, or the network's device is gone.
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
pub fn see(net: &LectureNet, picture: &Image, classes: [&'static str; 10]) -> Result<View> {
    let (height, width) = (picture.height(), picture.width());
    if height < SHORTEST || width < SHORTEST {
        return Err(Error::new(format!(
            "expected a picture of at least {SHORTEST} x {SHORTEST}, got {height} rows and {width} columns: three \
             poolings halve it three times. `picture.resize(32, 32)?` makes it larger"
        )));
    }
    let longest = height.max(width);
    let picture = if longest > LONGEST {
        let side = |n: usize| (n * LONGEST / longest).max(SHORTEST);
        picture.rgb().resize(side(height), side(width))?
    } else {
        picture.rgb()
    };
    let tensor = picture.tensor_u8();
    if (picture.height(), picture.width()) == (32, 32) {
        let maps = net.maps(&tensor)?;
        let logits = maps.last().map(|(_, logits)| logits.f_softmax(1, Kind::Float));
        let probabilities = logits.map(|p| Ok::<_, Error>(Vec::try_from(&p?.f_view([-1])?)?)).transpose()?;
        return Ok(View {
            net: net.to_device(net.device())?,
            picture,
            classes,
            label: None,
            maps,
            probabilities,
        });
    }
    let last = net.names().rposition(|name| !is_head(name)).unwrap_or(0);
    let maps = net.run(&tensor, last + 1)?;
    Ok(View { net: net.to_device(net.device())?, picture, classes, label: None, maps, probabilities: None })
}

impl Examples {
    /// One of the pictures.
    ///
    /// # Errors
    /// When there is no such picture.
    pub fn picture(&self, place: usize) -> Result<Image> {
        if place >= self.len() {
            let last = self.len().saturating_sub(1);
            return Err(Error::new(format!("there is no picture {place}: expected 0 to {last}")));
        }
        Ok(Image::from_tensor(&self.images.f_narrow(0, place as i64, 1)?)?.named(format!("picture {place}")))
    }

    /// Shows one of the pictures to a network; what it is, is known. See [`see`].
    ///
    /// # Errors
    /// When there is no such picture.
    pub fn see(&self, net: &LectureNet, place: usize, classes: [&'static str; 10]) -> Result<View> {
        let view = see(net, &self.picture(place)?, classes)?;
        Ok(view.labelled(self.labels.f_int64_value(&[place as i64])? as usize))
    }
}

impl View {
    /// The same with the class that the picture belongs to, 0 to 9.
    pub fn labelled(self, label: usize) -> View {
        View { label: Some(label.min(9)), ..self }
    }

    /// The class that the picture belongs to, where it is known.
    pub fn label(&self) -> Option<usize> {
        self.label
    }

    /// The likeliest class; of equally likely ones, the first.
    ///
    /// # Errors
    /// When the picture is not 32 × 32: there is no answer then.
    pub fn answer(&self) -> Result<usize> {
        self.probabilities()?;
        Ok(self.likeliest().and_then(|order| Some(order.first()?.0)).unwrap_or(0))
    }

    /// How likely each class is, from 0 to 1.
    ///
    /// # Errors
    /// When the picture is not 32 × 32: there is no answer then.
    pub fn probabilities(&self) -> Result<&[f32]> {
        self.probabilities.as_deref().ok_or_else(|| {
            Error::new(format!(
                "there is no answer for a picture of {} x {}: expected 32 x 32, because the ten sums at the end need \
                 every place. `photo.cropped_to(32, 32)?` or `photo.letterboxed_to(32, 32)?` gives it that size",
                self.picture.height(),
                self.picture.width()
            ))
        })
    }

    /// The picture as the network saw it.
    pub fn picture(&self) -> &Image {
        &self.picture
    }

    /// The maps after a layer, or after a block.
    ///
    /// # Shapes
    /// → `[1, C, H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), or it has no maps.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        Ok(self.layer(name)?.1.shallow_clone())
    }

    /// The maps of a layer with its place in the network.
    pub(super) fn layer(&self, name: &str) -> Result<(usize, &Tensor)> {
        let place = self.net.position(name)?;
        if is_head(name) {
            return Err(Error::new(format!(
                "`{name}` has no rows and columns any more; the last maps are block3's"
            )));
        }
        Ok((place, &self.maps[place].1))
    }

    /// Every layer that has maps, with them.
    pub(super) fn all_maps(&self) -> Vec<(String, Tensor)> {
        let there = self.maps.iter().filter(|(name, _)| !is_head(name));
        there.map(|(name, maps)| (name.clone(), maps.shallow_clone())).collect()
    }

    /// The maps before a layer, for titles.
    pub(super) fn before(&self, name: &str) -> Result<String> {
        // What a block gets is what the block before it gave.
        let first =
            self.net.names().position(|layer| layer == name || layer.starts_with(&format!("{name}.")));
        Ok(match first.unwrap_or(0) {
            0 => format!("3 \u{d7} {} \u{d7} {}", self.picture.height(), self.picture.width()),
            place => shape(&self.maps[place - 1].1),
        })
    }

    /// The likeliest classes, each with its probability; of equally likely ones, the first leads.
    fn likeliest(&self) -> Option<Vec<(usize, f32)>> {
        let probabilities = self.probabilities.as_deref()?;
        let mut order: Vec<(usize, f32)> = probabilities.iter().copied().enumerate().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        order.truncate(LIKELIEST);
        Some(order)
    }

    /// What it is and what was answered, in a line.
    pub(super) fn verdict(&self) -> String {
        let truth = self.label.map(|label| self.classes[label]);
        let Some(likeliest) = self.likeliest() else {
            let (h, w) = (self.picture.height(), self.picture.width());
            return format!("looked at in its own size, {h} \u{d7} {w}: maps, but no answer");
        };
        let said: Vec<String> = likeliest
            .iter()
            .map(|(class, share)| format!("{} {:.0} %", self.classes[*class], 100.0 * share))
            .collect();
        match (truth, self.answer().ok()) {
            (Some(truth), Some(answer)) => {
                let mark = if self.classes[answer] == truth { "right" } else { "wrong" };
                format!("it is: {truth};  the answer: {} ({mark})", said.join(", "))
            }
            _ => format!("the answer: {}", said.join(", ")),
        }
    }

    /// The picture as a panel.
    pub(super) fn panel(&self, width: f64) -> Panel<'static> {
        Panel::new(self.picture.name(), Content::Picture(self.pixels()), self.picture.page_width(width))
    }

    pub(super) fn pixels(&self) -> Pixels {
        self.picture.pixels()
    }

    /// The picture and the three likeliest classes.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let mut row = vec![self.panel(300.0)];
        row.extend(self.bars(380.0));
        let title = match self.label {
            Some(label) => format!("A picture of the class {}", self.classes[label]),
            None => "A picture".to_owned(),
        };
        Sheet { title, rows: vec![row], lines: vec![self.verdict()] }
            .figure(self.to_string(), self.to_string())
    }

    /// The likeliest classes as bars; the right one is blue and bold.
    pub(super) fn bars(&self, width: f64) -> Option<Panel<'static>> {
        let likeliest = self.likeliest()?;
        let right = likeliest.iter().position(|(class, _)| Some(*class) == self.label);
        let shares =
            likeliest.into_iter().map(|(class, share)| (self.classes[class].to_owned(), share)).collect();
        Some(Panel::new("", Content::Bars { shares, right }, width))
    }

    /// What the value at `row` and `column` of a layer's maps sees of the picture:
    /// framed in it, and enlarged beside it.
    ///
    /// # Errors
    /// When there is no such layer or place.
    ///
    /// # Source
    /// Lecture part 5.
    pub fn trace(&self, name: &str, row: usize, column: usize) -> Result<Figure> {
        let (place, _) = self.layer(name)?;
        trace(&self.picture, &self.chain(place), name, row, column)
    }

    /// The layers up to this place.
    pub(super) fn chain(&self, place: usize) -> Chain {
        chain(self.net.config().layers().into_iter().take(place + 1).map(|(_, layer)| layer))
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.picture.name(), self.verdict())
    }
}

debug_as_display!(View);

/// `C × H × W` of one picture's maps.
pub(super) fn shape(maps: &Tensor) -> String {
    let size: Vec<String> = maps.size().iter().skip(1).map(i64::to_string).collect();
    size.join(" \u{d7} ")
}

/// The numbers of maps in memory, one channel after the other.
pub(super) fn numbers(maps: &Tensor) -> Result<Vec<f32>> {
    let flat = maps.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?.f_contiguous()?;
    Ok(Vec::<f32>::try_from(&flat.f_view([-1])?)?)
}

shows!(View: |view| Output::figure(view.figure()));
