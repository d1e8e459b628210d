//! Weighted sums of chosen feature maps: a 1 × 1 convolution by hand.

use super::view::{View, shape};
use crate::{Error, Result, error::debug_as_display, numbers::values_of, ranking::descending};
use std::fmt;
use tch::{Kind, Tensor};

/// The most maps in a sum.
const MAX_MAPS: usize = 6;

/// A weighted sum of feature maps. See [`View::mix`].
pub struct Mix {
    pub(super) name: String,
    pub(super) weights: Vec<(usize, f64)>,
    pub(super) parts: Vec<Tensor>,
    pub(super) sum: Tensor,
    /// The most similar learned channel: layer, channel, map, correlation.
    pub(super) nearest: Option<(String, usize, Tensor, f64)>,
    all_maps: Vec<(String, Tensor)>,
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
        let mut sum = parts[0].f_zeros_like()?;
        for (part, (_, weight)) in parts.iter().zip(weights) {
            sum = sum.f_add(&part.f_mul_scalar(*weight)?)?;
        }
        Ok(Mix {
            name: name.to_owned(),
            weights: weights.to_vec(),
            parts,
            sum,
            nearest: None,
            all_maps: self.all_maps(),
        })
    }
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
    /// correlation over all positions. The figure then also shows this learned map.
    ///
    /// # Errors
    /// When there is no such layer, its maps have another size, or the sum is constant.
    pub fn nearest(&self, layer: &str) -> Result<Mix> {
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
        let centred = |maps: &Tensor| -> Result<Tensor> {
            let flat = maps.f_reshape([-1, h * w])?;
            let centred = flat.f_sub(&flat.f_mean_dim([1].as_slice(), true, Kind::Float)?)?;
            let length = centred.f_norm_scalaropt_dim(2.0, [1], true)?;
            Ok(centred.f_div(&length.f_clamp_min(1e-12)?)?)
        };
        let correlations = values_of(&centred(maps)?.f_matmul(&centred(&self.sum)?.f_view([-1, 1])?)?)?;
        let best = descending(&correlations).first().copied().filter(|best| correlations[*best] > 0.0);
        let Some(best) = best else {
            return Err(Error::new(format!(
                "no map of {layer} is similar to your sum (is it constant?): choose maps that are not all \
                 zero, `view.maps(\"{}\")?.strongest_first()` shows them first",
                self.name
            )));
        };
        let map = maps.f_select(1, best as i64)?.f_select(0, 0)?;
        Ok(Mix {
            nearest: Some((layer.to_owned(), best, map, f64::from(correlations[best]))),
            ..self.shallow()
        })
    }

    fn shallow(&self) -> Mix {
        let copy = |tensors: &[Tensor]| tensors.iter().map(Tensor::shallow_clone).collect();
        Mix {
            name: self.name.clone(),
            weights: self.weights.clone(),
            parts: copy(&self.parts),
            sum: self.sum.shallow_clone(),
            nearest: None,
            all_maps: self.all_maps.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.weights.iter().map(|(channel, weight)| format!("{weight} x channel {channel}")).collect();
        write!(f, "Weighted sum of maps of {}: {}", self.name, parts.join(" + "))?;
        match &self.nearest {
            Some((layer, channel, _, correlation)) => {
                write!(f, "; most similar: {layer}, channel {channel}, correlation {correlation:.2}")
            }
            None => Ok(()),
        }
    }
}

debug_as_display!(Mix);
