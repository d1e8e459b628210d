//! Heat maps over a picture: maps added up, Grad-CAM, occlusion.

use super::view::{View, numbers, shape};
use crate::{
    Error, Result,
    colour::Palette,
    error::debug_as_display,
    figure::{Figure, Pixels},
    gradient::gradients,
    matrix::{extent, grid_of, place_of_most},
    net::MEAN,
    notebook::shows_its_figure,
    panels::{Content, Panel, Sheet},
};
use std::fmt;
use tch::{Kind, Tensor};

/// The side of the square that occlusion hides, and how far it moves at a time.
const PATCH: i64 = 8;
const MOVE: i64 = 4;

/// One number for each place of a picture. See [`View::sum`].
pub struct Heat {
    /// What was computed.
    title: String,
    /// How to read it, in one sentence.
    meaning: String,
    verdict: String,
    name: String,
    picture: Pixels,
    /// The picture's width on the page.
    width: f64,
    map: Tensor,
}

impl View {
    /// The maps of a layer added up: where much is found, whatever it is.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), or it has no maps.
    ///
    /// # Source
    /// Lecture part 7: 128 maps are too many to read, so add them all up.
    pub fn sum(&self, name: &str) -> Result<Heat> {
        let (_, maps) = self.layer(name)?;
        self.heat(
            maps.f_sum_dim_intlist([0, 1].as_slice(), false, Kind::Float)?,
            format!("{name}: the {} maps added up", count(maps)),
            MANY,
        )
    }

    /// The mean of a layer's maps: the sum on the scale of one map.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// As [`View::sum`].
    pub fn mean(&self, name: &str) -> Result<Heat> {
        let (_, maps) = self.layer(name)?;
        self.heat(
            maps.f_mean_dim([0, 1].as_slice(), false, Kind::Float)?,
            format!("{name}: the mean of {} maps", count(maps)),
            MANY,
        )
    }

    /// At each place the strongest of a layer's maps.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// As [`View::sum`].
    pub fn max(&self, name: &str) -> Result<Heat> {
        let (_, maps) = self.layer(name)?;
        let title = format!("{name}: the strongest of {} maps at each place", count(maps));
        self.heat(maps.f_amax([0, 1].as_slice(), false)?, title, "One map is enough to make a place bright.")
    }

    /// One channel of a layer.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// As [`View::sum`], and when there is no such channel.
    pub fn channel(&self, name: &str, channel: usize) -> Result<Heat> {
        let map = self.map(name, channel)?;
        self.heat(
            map,
            format!("{name}, channel {channel}"),
            "Bright where this one filter found what it looks for.",
        )
    }

    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    pub(super) fn map(&self, name: &str, channel: usize) -> Result<Tensor> {
        let (_, maps) = self.layer(name)?;
        if channel as i64 >= maps.size()[1] {
            let last = maps.size()[1] - 1;
            return Err(Error::new(format!(
                "there is no channel {channel} in `{name}`: expected 0 to {last}"
            )));
        }
        Ok(maps.f_select(1, channel as i64)?.f_select(0, 0)?)
    }

    /// Grad-CAM: the maps of a layer added up, each weighted by how much the score
    /// of this class grows with it (its gradient, averaged over all places); what is
    /// below 0 is cut off.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When there is no such layer or class, or the picture is not 32 × 32.
    ///
    /// # Source
    /// Selvaraju et al., *Grad-CAM*, 2017, arXiv:1610.02391.
    pub fn grad_cam(&self, name: &str, class: usize) -> Result<Heat> {
        self.probabilities()?;
        let class_name = self.class(class)?;
        let (place, maps) = self.layer(name)?;
        let maps = maps.f_detach()?.copy().set_requires_grad(true);
        // Also inside `tch::no_grad`: what is asked for here are gradients.
        let score = tch::with_grad(|| -> Result<Tensor> {
            Ok(self.net.go_on(place, &maps)?.f_select(1, class as i64)?.f_sum(Kind::Float)?)
        })?;
        let gradients = gradients(&score, &[&maps])?;
        let gradient =
            gradients.first().ok_or_else(|| Error::new("the score does not depend on these maps"))?;
        let weights = gradient.f_mean_dim([2, 3].as_slice(), true, Kind::Float)?;
        let map =
            maps.f_detach()?.f_mul(&weights)?.f_sum_dim_intlist([0, 1].as_slice(), false, Kind::Float)?;
        self.heat(
            map.f_relu()?,
            format!("Grad-CAM of {name} for {class_name}"),
            "Bright where the maps speak for this class.",
        )
    }

    /// Occlusion: a grey square of 8 × 8 is laid over every part of the picture, and
    /// each place gets how much less likely that makes the class: the mean over all
    /// squares that covered it, from -1 to 1.
    ///
    /// # Shapes
    /// `[1, 3, 32, 32]` → `[32, 32]`
    ///
    /// # Errors
    /// When there is no such class, or the picture is not 32 × 32.
    ///
    /// # Source
    /// Zeiler and Fergus, *Visualizing and Understanding Convolutional Networks*, 2014, arXiv:1311.2901.
    pub fn occlusion(&self, class: usize) -> Result<Heat> {
        let whole = self.probabilities()?;
        let class_name = self.class(class)?;
        let likely = whole.get(class).copied().unwrap_or_default();
        let picture = self.picture().tensor_u8();
        let side = picture.size()[2];
        // Squares reach over the edges, so that these are hidden as often as the middle.
        let starts: Vec<i64> = (MOVE - PATCH..side).step_by(MOVE as usize).collect();
        let span = |start: i64| (start.max(0), (start + PATCH).min(side) - start.max(0));
        let grey = MEAN.map(|mean| (255.0 * mean).round() as u8);
        let grey = Tensor::f_from_slice(&grey)?.f_view([3, 1, 1])?;
        let places: Vec<[(i64, i64); 2]> =
            starts.iter().flat_map(|&top| starts.iter().map(move |&left| [span(top), span(left)])).collect();
        let hidden = picture.f_repeat([places.len() as i64, 1, 1, 1])?;
        let part = |of: &Tensor, [(top, height), (left, width)]: [(i64, i64); 2]| -> Result<Tensor> {
            Ok(of.f_narrow(-2, top, height)?.f_narrow(-1, left, width)?)
        };
        for (number, place) in places.iter().enumerate() {
            part(&hidden.f_select(0, number as i64)?, *place)?.f_copy_(&grey)?;
        }
        let likely_then = self.net.logits(&hidden)?.f_softmax(1, Kind::Float)?.f_select(1, class as i64)?;
        let likely_then = numbers(&likely_then)?;
        let zeros = || Tensor::f_zeros([side, side], (Kind::Float, tch::Device::Cpu));
        let (drops, covered) = (zeros()?, zeros()?);
        for (place, then) in places.iter().zip(likely_then) {
            let _ = part(&drops, *place)?.f_add_scalar_(f64::from(likely - then))?;
            let _ = part(&covered, *place)?.f_add_scalar_(1.0)?;
        }
        let title = format!("Occlusion: how much less likely {class_name} is when a place is hidden");
        self.heat(
            drops.f_div(&covered)?,
            title,
            "Red where hiding takes the answer away, blue where it helps.",
        )
    }

    fn class(&self, class: usize) -> Result<&'static str> {
        let name = self.classes.get(class).copied();
        name.ok_or_else(|| {
            Error::new(format!("there is no class {class}: expected 0 to 9 ({})", self.classes.join(", ")))
        })
    }

    /// The sum, Grad-CAM and occlusion beside each other, all for the answer.
    ///
    /// # Errors
    /// When there is no such layer, or the picture is not 32 × 32.
    pub fn compare(&self, name: &str) -> Result<Figure> {
        let answer = self.answer()?;
        let heats = [self.sum(name)?, self.grad_cam(name, answer)?, self.occlusion(answer)?];
        const WIDTH: f64 = 226.0;
        let titles = [
            format!("sum of {name}"),
            format!("Grad-CAM, {}", self.classes[answer]),
            format!("occlusion, {}", self.classes[answer]),
        ];
        let mut row = vec![self.panel(WIDTH).bare()];
        let mut text = vec![self.to_string()];
        for (heat, title) in heats.iter().zip(titles) {
            text.push(format!("{title}: {}", heat.extent()?));
            row.push(heat.overlay(title, self.picture().page_width(WIDTH))?.bare());
        }
        let lines = vec![
            self.verdict(),
            "The sum knows nothing of the class: it is bright where much is found,".to_owned(),
            "be it for the answer or against it. The other two ask about this class.".to_owned(),
        ];
        let title = format!("Where in the picture is the {}? Three ways to ask", self.classes[answer]);
        Sheet { title, rows: vec![row], lines }.figure(text.join(". "), text.join("\n"))
    }

    /// # Shapes
    /// `map` `[H, W]`
    pub(super) fn heat(&self, map: Tensor, title: String, meaning: &str) -> Result<Heat> {
        let map = map.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        Ok(Heat {
            title,
            meaning: meaning.to_owned(),
            verdict: self.verdict(),
            name: self.picture().name().to_owned(),
            picture: self.pixels(),
            width: self.picture().page_width(270.0),
            map,
        })
    }
}

/// What a bright place in a sum of maps says.
const MANY: &str = "Bright where much is found, whatever it is.";

fn count(maps: &Tensor) -> i64 {
    maps.size()[1]
}

impl Heat {
    /// The numbers as they were computed.
    ///
    /// # Shapes
    /// `[H, W]` of the layer
    pub fn tensor(&self) -> Tensor {
        self.map.copy()
    }

    /// The numbers enlarged to the picture's size, in between bilinearly.
    ///
    /// # Shapes
    /// `[H, W]` of the picture
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn enlarged(&self) -> Result<Tensor> {
        let size = [i64::from(self.picture.height), i64::from(self.picture.width)];
        let maps = self.map.f_unsqueeze(0)?.f_unsqueeze(0)?;
        Ok(maps.f_upsample_bilinear2d(size, false, None, None)?.f_view(size)?)
    }

    /// The picture, the numbers, and the numbers over the picture.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let (map, wide) = (grid_of(&self.map)?, grid_of(&self.enlarged()?)?);
        let (h, w) = (map.height(), map.width());
        let enlarged = (h, w) != (wide.height(), wide.width());
        let mut row = vec![Panel::new(self.name.clone(), Content::Picture(self.picture.clone()), self.width)];
        if enlarged {
            row.push(Panel::heat(format!("{h} \u{d7} {w} numbers"), map.clone(), self.width));
        }
        row.push(self.overlay("over the picture", self.width)?);
        let mut meaning = self.meaning.clone();
        if place_of_most(map.values()).is_none() {
            meaning += &format!(" Here: {}.", extent(map.values()));
        }
        if enlarged {
            meaning += &format!(" Enlarged to {} \u{d7} {} (bilinear)", wide.height(), wide.width());
        }
        let lines = vec![self.verdict.clone(), meaning];
        let alt = format!("{}. {} {}. {}", self.title, self.meaning, self.extent()?, self.verdict);
        Sheet { title: self.title.clone(), rows: vec![row], lines }.figure(alt, self.to_string())
    }

    /// The numbers over the picture, with their colour bar.
    pub(super) fn overlay(&self, title: impl Into<String>, width: f64) -> Result<Panel<'static>> {
        let values = grid_of(&self.enlarged()?)?;
        // The enlarged numbers lie between those there were: one scale for both.
        let given = numbers(&self.map)?;
        let palette = Palette::fitting(&given);
        let range = palette.clear_range(&given);
        let under = Some(self.picture.clone());
        let width = width.min(self.width);
        Ok(Panel::new(title, Content::Heat { values, palette, range, bar: true, under }, width))
    }

    /// From where to where the numbers go, and where the largest is: nowhere, when
    /// all are the same.
    fn extent(&self) -> Result<String> {
        let map = grid_of(&self.map)?;
        let (rows, columns) = (map.height(), map.width());
        let size = format!("{rows} \u{d7} {columns}");
        let range = extent(map.values());
        Ok(sentence(&match place_of_most(map.values()) {
            Some(place) => format!(
                "{range}; the most in row {}, column {} (counted from 0) of {size}",
                place / columns,
                place % columns
            ),
            None if map.values().iter().all(|value| value.is_finite()) => {
                format!("{range} in {size}, so nothing stands out")
            }
            None => format!("{range}, of {size}"),
        }))
    }
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

impl fmt::Display for Heat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extent = self.extent().map_err(|_| fmt::Error)?;
        write!(f, "{}. {} {extent}. {}", self.title, self.meaning, self.verdict)
    }
}

debug_as_display!(Heat);
shows_its_figure!(Heat);

impl View {
    /// Each block's maps added up over the picture, each on its own scale, and their titles.
    pub(super) fn heats(&self, width: f64) -> Result<Vec<(String, Panel<'static>)>> {
        let heats = ["block1", "block2", "block3"].into_iter().map(|block| {
            let mut panel = self.sum(block)?.overlay("", width)?.bare();
            if let Content::Heat { bar, .. } = &mut panel.content {
                *bar = false;
            }
            Ok((format!("{block}: {}", shape(&self.tensor(block)?)), panel))
        });
        heats.collect()
    }
}
