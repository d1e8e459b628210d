//! Maps picked, weighted and added up by hand: what a 1 × 1 convolution does.

use super::view::{View, numbers, shape};
use crate::{
    Error, Result,
    canvas::number,
    colour::Palette,
    error::debug_as_display,
    figure::Figure,
    matrix::grid_of,
    notebook::shows_its_figure,
    panels::{Content, Panel, Sheet},
};
use std::fmt;
use tch::{Kind, Tensor};

/// A weighted sum of maps. See [`View::mix`].
pub struct Mix {
    name: String,
    weights: Vec<(usize, f64)>,
    pub(super) parts: Vec<Tensor>,
    pub(super) sum: Tensor,
    /// The learned channel it is held against: layer, channel, map, correlation.
    nearest: Option<(String, usize, Tensor, f64)>,
    view_maps: Vec<(String, Tensor)>,
}

impl View {
    /// Maps of a layer, each with your weight, added up: a 1 × 1 convolution by hand.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When there is no such layer or channel, or no more or less than 1 to 6 maps.
    ///
    /// # Source
    /// Lecture parts 3 (the 1 × 1 convolution) and 7 (weights 1, 1, 0).
    pub fn mix(&self, name: &str, weights: &[(usize, f64)]) -> Result<Mix> {
        if !(1..=MOST).contains(&weights.len()) {
            return Err(Error::new(format!(
                "expected 1 to {MOST} maps with their weights, such as `&[(3, 1.0), (7, 1.0), (9, 0.0)]`, got {}",
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
            view_maps: self.all_maps(),
        })
    }
}

const MOST: usize = 6;

impl Mix {
    /// The sum.
    ///
    /// # Shapes
    /// `[H, W]`
    pub fn tensor(&self) -> Tensor {
        self.sum.copy()
    }

    /// The channel of another layer that looks most like this sum, by their
    /// correlation over all places: what you mixed by hand beside what was learned.
    ///
    /// # Errors
    /// When there is no such layer, its maps have another size, or the sum is the same everywhere.
    pub fn nearest(&self, layer: &str) -> Result<Mix> {
        let same = |name: &String| name == layer || name.starts_with(&format!("{layer}."));
        let Some((_, maps)) = self.view_maps.iter().rfind(|(name, _)| same(name)) else {
            return Err(Error::new(format!("there is no layer `{layer}` with maps: try block2.relu1")));
        };
        let (h, w) = (self.sum.size()[0], self.sum.size()[1]);
        if maps.size()[2..] != [h, w] {
            let fits = self
                .view_maps
                .iter()
                .filter(|(name, maps)| maps.size()[2..] == [h, w] && name.contains("relu"));
            let fits: Vec<&str> = fits.map(|(name, _)| name.as_str()).collect();
            return Err(Error::new(format!(
                "the maps of {layer} are {}, yours {h} \u{d7} {w}: they cannot be compared place by place; those of {} can",
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
        let alike = numbers(&centred(maps)?.f_matmul(&centred(&self.sum)?.f_view([-1, 1])?)?)?;
        // A NaN is like nothing.
        let like = |channel: &usize| alike[*channel] > 0.0;
        let best = (0..alike.len()).filter(like).max_by(|a, b| alike[*a].total_cmp(&alike[*b]));
        let Some(best) = best else {
            return Err(Error::new(format!(
                "no map of {layer} is like your sum (is it the same everywhere?): take maps that are not empty, \
                 `view.maps(\"{}\")?.strongest_first()` shows them first",
                self.name
            )));
        };
        let map = maps.f_select(1, best as i64)?.f_select(0, 0)?;
        Ok(Mix { nearest: Some((layer.to_owned(), best, map, f64::from(alike[best]))), ..self.shallow() })
    }

    fn shallow(&self) -> Mix {
        let copy = |tensors: &[Tensor]| tensors.iter().map(Tensor::shallow_clone).collect();
        Mix {
            name: self.name.clone(),
            weights: self.weights.clone(),
            parts: copy(&self.parts),
            sum: self.sum.shallow_clone(),
            nearest: None,
            view_maps: self.view_maps.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect(),
        }
    }

    /// The maps with their weights, and their sum.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let each = (880.0 / (self.parts.len() + 1) as f64 - 70.0).min(190.0);
        let mut row: Vec<Panel> = Vec::new();
        for (part, (channel, weight)) in self.parts.iter().zip(&self.weights) {
            if !row.is_empty() {
                row.push(Panel::sign("+"));
            }
            let title = format!("{} \u{d7} channel {channel}", number(*weight as f32));
            row.push(tile(title, part, each)?);
        }
        row.push(Panel::sign("="));
        row.push(tile("their sum".into(), &self.sum, each)?);
        let mut rows = vec![row];
        let mut lines = Vec::new();
        if let Some((layer, channel, map, alike)) = &self.nearest {
            let mine = tile("yours".into(), &self.sum, 250.0)?;
            rows.push(vec![mine, tile(format!("{layer}, channel {channel}"), map, 250.0)?]);
            lines.push(format!(
                "Of all learned maps of {layer}, this is the most like yours: correlation {alike:.2}"
            ));
        }
        Sheet { title: format!("Maps of {}, weighted and added", self.name), rows, lines }
            .figure(self.to_string(), self.to_string())
    }
}

fn tile(title: String, map: &Tensor, width: f64) -> Result<Panel<'static>> {
    let values = grid_of(map)?;
    let palette = Palette::fitting(values.values());
    let range = palette.range(values.values());
    Ok(Panel::new(title, Content::Heat { values, palette, range, bar: true, under: None }, width).bare())
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.weights.iter().map(|(channel, weight)| format!("{weight} x channel {channel}")).collect();
        write!(f, "Maps of {}: {}", self.name, parts.join(" + "))?;
        match &self.nearest {
            Some((layer, channel, _, alike)) => {
                write!(f, "; most like {layer}, channel {channel}: correlation {alike:.2}")
            }
            None => Ok(()),
        }
    }
}

debug_as_display!(Mix);
shows_its_figure!(Mix);
