//! Figures of weighted sums of feature maps.

use crate::{Result, notebook::shows_its_figure, numbers::grid_of, see::Mix, text::number};
use nchw_draw::{Content, Figure, Layout, Palette, Panel};
use tch::Tensor;

impl Mix {
    /// Draws the maps with their weights, and the sum.
    ///
    /// # Errors
    /// When drawing fails.
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
        row.push(tile("sum".into(), &self.sum, each)?);
        let mut rows = vec![row];
        let mut lines = Vec::new();
        if let Some((layer, channel, map, correlation)) = &self.nearest {
            let sum = tile("your sum".into(), &self.sum, 250.0)?;
            rows.push(vec![sum, tile(format!("{layer}, channel {channel}"), map, 250.0)?]);
            lines.push(format!(
                "The learned map of {layer} most similar to your sum: correlation {correlation:.2}"
            ));
        }
        Layout { title: format!("Weighted sum of maps of {}", self.name), rows, lines }
            .figure(self.to_string(), self.to_string())
    }
}

fn tile(title: String, map: &Tensor, width: f64) -> Result<Panel<'static>> {
    let values = grid_of(map)?;
    let palette = Palette::fitting(values.values());
    let range = palette.range(values.values());
    Ok(Panel::new(title, Content::Heat { values, palette, range, bar: true, under: None }, width).bare())
}

shows_its_figure!(Mix);
