//! Weighted sums of chosen feature maps: a 1 × 1 convolution by hand.

use crate::see::view::{View, shape};
use crate::{
    Error, Result, data::Examples, error::debug_as_display, image::Image, net::LectureNet,
    numbers::values_of, ranking::descending,
};
use std::{fmt, rc::Rc};
use tch::{Kind, Tensor};

/// The most maps in a sum.
const MAX_MAPS: usize = 6;
/// Batch size of the comparison.
const BATCH: i64 = 250;

/// A weighted sum of feature maps. See [`View::mix`].
pub struct Mix {
    pub(in crate::see) name: String,
    pub(in crate::see) image: Image,
    pub(in crate::see) weights: Vec<(usize, f64)>,
    pub(in crate::see) parts: Vec<Tensor>,
    pub(in crate::see) sum: Tensor,
    pub(in crate::see) nearest: Option<Nearest>,
    all_maps: Vec<(String, Tensor)>,
    net: Rc<LectureNet>,
}

/// The learned map that is most similar to the sum.
pub(in crate::see) struct Nearest {
    pub(in crate::see) layer: String,
    pub(in crate::see) channel: usize,
    /// Its map of this image.
    pub(in crate::see) map: Tensor,
    /// The correlation over all positions of the images that were compared, and the second largest one.
    pub(in crate::see) correlation: f32,
    pub(in crate::see) second: f32,
    /// How many images and maps were compared.
    pub(in crate::see) images: usize,
    pub(in crate::see) maps: usize,
    /// The layer's learned weights for each of the maps in the sum, `[3, 3]`; empty if other layers are between.
    pub(in crate::see) kernels: Vec<Tensor>,
}

impl View {
    /// The sum of some of a layer's feature maps, each with its weight: a 1 × 1 convolution by hand.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When there is no such layer or channel, or the number of maps is not from 1 to 6.
    ///
    /// # Source
    /// Lecture parts 3 (the 1 × 1 convolution) and 7 (weights 1, 1, 0).
    pub fn mix(&self, name: &str, weights: &[(usize, f64)]) -> Result<Mix> {
        if !(1..=MAX_MAPS).contains(&weights.len()) {
            return Err(Error::new(format!(
                "expected 1 to {MAX_MAPS} maps with their weights, such as \
                 `&[(3, 1.0), (7, 1.0), (9, 0.0)]`, got {}",
                weights.len()
            )));
        }
        let parts: Vec<Tensor> =
            weights.iter().map(|(channel, _)| self.map(name, *channel)).collect::<Result<_>>()?;
        Ok(Mix {
            name: name.to_owned(),
            image: self.picture().clone(),
            weights: weights.to_vec(),
            sum: weighted(&parts, weights)?,
            parts,
            nearest: None,
            all_maps: self.all_maps(),
            net: Rc::new(self.net.to_device(self.net.device())?),
        })
    }
}

/// The sum of maps, each times its weight.
fn weighted(maps: &[Tensor], weights: &[(usize, f64)]) -> Result<Tensor> {
    let mut sum = maps[0].f_zeros_like()?;
    for (map, (_, weight)) in maps.iter().zip(weights) {
        sum = sum.f_add(&map.f_mul_scalar(*weight)?)?;
    }
    Ok(sum)
}

impl Mix {
    /// The weighted sum.
    ///
    /// # Shapes
    /// `[H, W]`
    pub fn tensor(&self) -> Tensor {
        self.sum.copy()
    }

    /// Finds the channel of another layer that is most similar to this sum: the one with the largest
    /// correlation over all positions of all these images. One image would not be enough: of 64 maps, one is
    /// always similar by chance. The figure then also shows the learned map, and its weights for your maps.
    ///
    /// # Errors
    /// When there is no such layer, its maps have another size, or the sum is constant.
    pub fn nearest(&self, examples: &Examples, layer: &str) -> Result<Mix> {
        let same = |name: &String| name == layer || name.starts_with(&format!("{layer}."));
        let Some((_, maps)) = self.all_maps.iter().rfind(|(name, _)| same(name)) else {
            return Err(Error::new(format!("there is no layer `{layer}` with maps: try block2.relu1")));
        };
        let (h, w) = (self.sum.size()[0], self.sum.size()[1]);
        if maps.size()[2..] != [h, w] {
            let fits = self
                .all_maps
                .iter()
                .filter(|(name, maps)| maps.size()[2..] == [h, w] && name.contains("relu"));
            let fits: Vec<&str> = fits.map(|(name, _)| name.as_str()).collect();
            return Err(Error::new(format!(
                "the maps of {layer} are {}, your sum is {h} \u{d7} {w}: they cannot be compared position by \
                 position; those of {} can",
                shape(maps),
                fits.join(", ")
            )));
        }
        let correlations = self.correlations(examples, layer)?;
        let order = descending(&correlations);
        let best = order.first().copied().filter(|best| correlations[*best] > 0.0);
        let Some(best) = best else {
            return Err(Error::new(format!(
                "no map of {layer} is similar to your sum (is it constant?): choose maps that are not all \
                 zero, `view.maps(\"{}\")?.strongest_first()` shows them first",
                self.name
            )));
        };
        let nearest = Nearest {
            layer: layer.to_owned(),
            channel: best,
            map: maps.f_select(1, best as i64)?.f_select(0, 0)?,
            correlation: correlations[best],
            second: order.get(1).map_or(0.0, |second| correlations[*second]),
            images: examples.len(),
            maps: correlations.len(),
            kernels: self.kernels(layer, best)?,
        };
        Ok(Mix { nearest: Some(nearest), ..self.shallow() })
    }

    /// The correlation of each channel of a layer with the sum, over all positions of the images.
    fn correlations(&self, examples: &Examples, layer: &str) -> Result<Vec<f32>> {
        let count = examples.len() as i64;
        // Channel by channel: number, sums of x, y, x², y², xy.
        let mut total: Option<Tensor> = None;
        let mut number = 0.0;
        for from in (0..count).step_by(BATCH as usize) {
            let images = examples.images.f_narrow(0, from, BATCH.min(count - from))?;
            let (maps, learned) = (self.net.map(&images, &self.name)?, self.net.map(&images, layer)?);
            let parts = self.weights.iter().map(|(channel, _)| maps.f_select(1, *channel as i64));
            let parts = parts.collect::<std::result::Result<Vec<Tensor>, _>>()?;
            let sum = weighted(&parts, &self.weights)?;
            if learned.size()[2..] != sum.size()[1..] {
                return Err(Error::new(format!(
                    "the maps of {layer} and of {} have other sizes for these images: expected images of 32 x 32",
                    self.name
                )));
            }
            // Rows: channels; columns: positions of all images.
            let x = sum.f_reshape([1, -1])?.f_to_kind(Kind::Double)?;
            let y = learned.f_transpose(0, 1)?.f_reshape([learned.size()[1], -1])?.f_to_kind(Kind::Double)?;
            let add = |values: &Tensor| values.f_sum_dim_intlist([1].as_slice(), false, Kind::Double);
            let x = x.f_expand_as(&y)?;
            let parts = [add(&x)?, add(&y)?, add(&x.f_square()?)?, add(&y.f_square()?)?, add(&x.f_mul(&y)?)?];
            let batch = Tensor::f_stack(&parts, 0)?;
            number += x.size()[1] as f64;
            total = Some(match total {
                Some(total) => total.f_add(&batch)?,
                None => batch,
            });
        }
        let total = total.ok_or_else(|| Error::new("expected at least one image to compare the maps on"))?;
        let mean = total.f_div_scalar(number)?;
        let part = |row: i64| mean.f_select(0, row);
        let covariance = part(4)?.f_sub(&part(0)?.f_mul(&part(1)?)?)?;
        let variance = |first: i64| part(first + 2)?.f_sub(&part(first)?.f_square()?);
        let scale = variance(0)?.f_mul(&variance(1)?)?.f_clamp_min(1e-24)?.f_sqrt()?;
        values_of(&covariance.f_div(&scale)?)
    }

    /// The weights of the convolution of a layer for the maps of the sum, if the maps are its input.
    fn kernels(&self, layer: &str, filter: usize) -> Result<Vec<Tensor>> {
        let names: Vec<&str> = self.net.names().collect();
        let end = self.net.position(layer)?;
        let Some(conv) = (0..=end).rev().find(|index| names[*index].contains("conv")) else {
            return Ok(Vec::new());
        };
        if conv != self.net.position(&self.name)? + 1 {
            return Ok(Vec::new());
        }
        let weight = self.net.filters(names[conv])?.f_select(0, filter as i64)?;
        self.weights.iter().map(|(channel, _)| Ok(weight.f_select(0, *channel as i64)?)).collect()
    }

    fn shallow(&self) -> Mix {
        let copy = |tensors: &[Tensor]| tensors.iter().map(Tensor::shallow_clone).collect();
        Mix {
            name: self.name.clone(),
            image: self.image.clone(),
            weights: self.weights.clone(),
            parts: copy(&self.parts),
            sum: self.sum.shallow_clone(),
            nearest: None,
            all_maps: self.all_maps.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(),
            net: Rc::clone(&self.net),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.weights.iter().map(|(channel, weight)| format!("{weight} x channel {channel}")).collect();
        write!(f, "Weighted sum of maps of {}: {}", self.name, parts.join(" + "))?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; {}", nearest.in_words())?;
        }
        Ok(())
    }
}

impl Nearest {
    pub(in crate::see) fn in_words(&self) -> String {
        format!(
            "of {} maps of {}, channel {} is most similar: correlation {:.2} over {} images; the second: {:.2}",
            self.maps, self.layer, self.channel, self.correlation, self.images, self.second
        )
    }
}

debug_as_display!(Mix);
