//! Heat maps over an image: sums of feature maps, Grad-CAM, occlusion.

use super::view::View;
use crate::{
    Error, Result,
    error::debug_as_display,
    gradient::gradients,
    image::Image,
    normalise::mean_colour,
    numbers::{extent, grid_of, values_of},
    ranking::argmax,
};
use std::fmt;
use tch::{Kind, Tensor};

/// The side and the stride of the square that occlusion hides.
const PATCH: i64 = 8;
const STRIDE: i64 = 4;

/// One number for each position of an image. See [`View::sum`].
pub struct Heat {
    /// What the numbers are.
    pub(super) title: String,
    /// How to read it, in one sentence.
    pub(super) meaning: String,
    pub(super) answer_line: String,
    pub(super) image: Image,
    pub(super) map: Tensor,
}

impl View {
    /// The sum of a layer's feature maps: large where many of them are active, for any class.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), or it has no feature maps.
    ///
    /// # Source
    /// Lecture part 7: 128 feature maps are too many to read, so add them up.
    pub fn sum(&self, name: &str) -> Result<Heat> {
        let (_, maps) = self.layer(name)?;
        self.heat(
            maps.f_sum_dim_intlist([0, 1].as_slice(), false, Kind::Float)?,
            format!("{name}: sum of {} maps", count(maps)),
            SUM_MEANING,
        )
    }

    /// The mean of a layer's feature maps: the sum, on the scale of a single map.
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
            format!("{name}: mean of {} maps", count(maps)),
            SUM_MEANING,
        )
    }

    /// The maximum of a layer's feature maps at each position.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// As [`View::sum`].
    pub fn max(&self, name: &str) -> Result<Heat> {
        let (_, maps) = self.layer(name)?;
        let title = format!("{name}: maximum of {} maps at each position", count(maps));
        self.heat(maps.f_amax([0, 1].as_slice(), false)?, title, "A single active map makes a position red.")
    }

    /// The feature map of one channel of a layer.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// As [`View::sum`], and when there is no such channel.
    pub fn channel(&self, name: &str, channel: usize) -> Result<Heat> {
        let map = self.map(name, channel)?;
        self.heat(map, format!("{name}, channel {channel}"), "Red where this filter responds strongly.")
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

    /// Grad-CAM: the weighted sum of a layer's feature maps, followed by a ReLU. The weight of a map is the
    /// gradient of the class's score with respect to it, averaged over all positions.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When there is no such layer or class, or the image is not 32 × 32.
    ///
    /// # Source
    /// Selvaraju et al., *Grad-CAM*, 2017, arXiv:1610.02391.
    pub fn grad_cam(&self, name: &str, class: usize) -> Result<Heat> {
        self.probabilities()?;
        let class_name = self.class(class)?;
        let (index, maps) = self.layer(name)?;
        let maps = maps.f_detach()?.copy().set_requires_grad(true);
        // Gradients are needed here even inside `tch::no_grad`.
        let score = tch::with_grad(|| -> Result<Tensor> {
            Ok(self.net.go_on(index, &maps)?.f_select(1, class as i64)?.f_sum(Kind::Float)?)
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
            "Red where the maps raise the score of this class.",
        )
    }

    /// Occlusion: hides each part of the image with a grey square of 8 × 8. Each position gets the drop in
    /// the probability of the class, from -1 to 1: the mean over all squares that cover it.
    ///
    /// # Shapes
    /// `[1, 3, 32, 32]` → `[32, 32]`
    ///
    /// # Errors
    /// When there is no such class, or the image is not 32 × 32.
    ///
    /// # Source
    /// Zeiler and Fergus, *Visualizing and Understanding Convolutional Networks*, 2014, arXiv:1311.2901.
    pub fn occlusion(&self, class: usize) -> Result<Heat> {
        let probabilities = self.probabilities()?;
        let class_name = self.class(class)?;
        let unhidden = probabilities.get(class).copied().unwrap_or_default();
        let image = self.picture().tensor_u8();
        let (h, w) = (image.size()[2], image.size()[3]);
        // Squares extend beyond the edges, so that the edges are hidden as often as the middle.
        let starts = |side: i64| (STRIDE - PATCH..side).step_by(STRIDE as usize).collect::<Vec<i64>>();
        let span = |start: i64, side: i64| (start.max(0), (start + PATCH).min(side) - start.max(0));
        let grey = Tensor::f_from_slice(&mean_colour())?.f_view([3, 1, 1])?;
        let squares: Vec<[(i64, i64); 2]> = starts(h)
            .into_iter()
            .flat_map(|top| starts(w).into_iter().map(move |left| [span(top, h), span(left, w)]))
            .collect();
        let occluded = image.f_repeat([squares.len() as i64, 1, 1, 1])?;
        let part = |tensor: &Tensor, [(top, height), (left, width)]: [(i64, i64); 2]| -> Result<Tensor> {
            Ok(tensor.f_narrow(-2, top, height)?.f_narrow(-1, left, width)?)
        };
        for (number, square) in squares.iter().enumerate() {
            part(&occluded.f_select(0, number as i64)?, *square)?.f_copy_(&grey)?;
        }
        let hidden = self.net.logits(&occluded)?.f_softmax(1, Kind::Float)?.f_select(1, class as i64)?;
        let hidden = values_of(&hidden)?;
        let zeros = || Tensor::f_zeros([h, w], (Kind::Float, tch::Device::Cpu));
        let (drops, covered) = (zeros()?, zeros()?);
        for (square, hidden) in squares.iter().zip(hidden) {
            let _ = part(&drops, *square)?.f_add_scalar_(f64::from(unhidden - hidden))?;
            let _ = part(&covered, *square)?.f_add_scalar_(1.0)?;
        }
        let title = format!("Occlusion: drop in the probability of {class_name} when a position is hidden");
        self.heat(
            drops.f_div(&covered)?,
            title,
            "Red where hiding lowers the probability, blue where it raises it.",
        )
    }

    fn class(&self, class: usize) -> Result<&str> {
        let name = self.classes.get(class).map(String::as_str);
        name.ok_or_else(|| {
            Error::new(format!(
                "there is no class {class}: expected 0 to {} ({})",
                self.classes.len().saturating_sub(1),
                self.classes.join(", ")
            ))
        })
    }

    /// # Shapes
    /// `map` `[H, W]`
    pub(super) fn heat(&self, map: Tensor, title: String, meaning: &str) -> Result<Heat> {
        let map = map.f_detach()?.f_to_kind(Kind::Float)?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
        Ok(Heat {
            title,
            meaning: meaning.to_owned(),
            answer_line: self.answer_line(),
            image: self.picture().clone(),
            map,
        })
    }
}

/// How to read the sum and the mean of maps.
const SUM_MEANING: &str = "Red where many maps are active, for any class.";

fn count(maps: &Tensor) -> i64 {
    maps.size()[1]
}

impl Heat {
    /// The heat map at the layer's resolution.
    ///
    /// # Shapes
    /// `[H, W]` of the layer
    pub fn tensor(&self) -> Tensor {
        self.map.copy()
    }

    /// The heat map, enlarged to the image's size by bilinear interpolation.
    ///
    /// # Shapes
    /// `[H, W]` of the image
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn enlarged(&self) -> Result<Tensor> {
        enlarge(&self.map, [self.image.height() as i64, self.image.width() as i64])
    }

    /// The range of the numbers, and the position of the largest unless all are equal.
    pub(super) fn extent(&self) -> Result<String> {
        let map = grid_of(&self.map)?;
        let (rows, columns) = (map.height(), map.width());
        let size = format!("{rows} \u{d7} {columns}");
        let range = extent(map.values());
        Ok(sentence(&match argmax(map.values()) {
            Some(index) => format!(
                "{range}; largest in row {}, column {} (counted from 0) of {size}",
                index / columns,
                index % columns
            ),
            None if map.values().iter().all(|value| value.is_finite()) => {
                format!("{range} in {size}, so nothing stands out")
            }
            None => format!("{range}, of {size}"),
        }))
    }
}

/// A map, enlarged by bilinear interpolation.
///
/// # Shapes
/// `[H, W]` → `size`
pub(super) fn enlarge(map: &Tensor, size: [i64; 2]) -> Result<Tensor> {
    let maps = map.f_unsqueeze(0)?.f_unsqueeze(0)?;
    Ok(maps.f_upsample_bilinear2d(size, false, None, None)?.f_view(size)?)
}

/// Capitalizes the first letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

impl fmt::Display for Heat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extent = self.extent().map_err(|_| fmt::Error)?;
        write!(f, "{}. {} {extent}. {}", self.title, self.meaning, self.answer_line)
    }
}

debug_as_display!(Heat);
