//! Figures of feature maps.

use super::cells::{on_one_scale, wrapped};
use crate::{
    Result,
    filter::{FeatureMaps, Filter},
    grid::Grid,
    image::Image,
    maps::on_one_scale as heat_maps,
    matrix::Meaning,
    numbers::extent,
};
use nchw_draw::{Content, Figure, Highlights, Layout, Palette, Panel};

/// Maps up to this size are drawn with their numbers.
const ROWS: usize = 8;
const COLUMNS: usize = 12;

/// Numbers below a thousandth of the largest of all are drawn as 0, not as 1.6e−5.
fn without_noise(grid: &Grid, all: &[f32]) -> Result<Grid> {
    let least = all.iter().fold(0.0_f32, |largest, value| largest.max(value.abs())) / 1000.0;
    let shown = |value: &f32| if value.abs() < least { 0.0 } else { *value };
    Grid::new(grid.height(), grid.width(), grid.values().iter().map(shown).collect())
}

impl FeatureMaps {
    /// Draws the maps on one scale, each with its name; the map of one filter on a photo beside the photo and
    /// the filter; small maps with their numbers.
    ///
    /// # Errors
    /// When there are several images, or too many maps.
    pub fn figure(&self) -> Result<Figure> {
        let grids = self.grids()?;
        let palette = match self.meaning() {
            Meaning::Activations => Palette::Sequential,
            Meaning::Image | Meaning::Signed => Palette::Signed,
        };
        let values: Vec<f32> = grids.iter().flat_map(|grid| grid.values().to_vec()).collect();
        let range = palette.clear_range(&values);
        let shape = format!("C={}  H={}  W={}", self.channels(), self.height(), self.width());
        let text = self.to_string();
        match (self.origin(), &grids[..]) {
            (Some((photo, filter)), [map]) => {
                self.beside_photo(photo, filter, map, palette, &format!("{shape}, {}", extent(&values)))
            }
            _ if self.height() <= ROWS && self.width() <= COLUMNS && grids.len() <= 64 => {
                let grids =
                    grids.iter().map(|grid| without_noise(grid, &values)).collect::<Result<Vec<_>>>()?;
                let named = grids.iter().zip(self.names());
                let panel = |(grid, name): (_, &String)| {
                    let cells = Panel::cells(name, grid, palette, Highlights::default());
                    // The size of a single number is no news.
                    if self.height() * self.width() == 1 { cells.bare() } else { cells }
                };
                let mut panels: Vec<Panel> = named.map(panel).collect();
                on_one_scale(&mut panels);
                let title = self.titled(&shape);
                let alt = text.clone() + ". " + &self.numbers(&grids).replace('\n', " / ");
                Layout { title, rows: wrapped(panels), lines: Vec::new() }.figure(alt, self.numbers(&grids))
            }
            _ => {
                let names: Vec<&str> = self.names().iter().map(String::as_str).collect();
                heat_maps(self.titled(&shape), grids, &names, (palette, range), text)
            }
        }
    }

    /// "3 feature maps, ReLU   C=3  H=4  W=5"
    fn titled(&self, shape: &str) -> String {
        let count = format!("{} feature map{}", self.channels(), if self.channels() == 1 { "" } else { "s" });
        format!("{}   {shape}", [vec![count], self.done().to_vec()].concat().join(", "))
    }

    /// The numbers of all maps as text.
    fn numbers(&self, grids: &[Grid]) -> String {
        let named = self.names().iter().zip(grids).map(|(name, grid)| format!("{name}:\n{grid}"));
        named.collect::<Vec<_>>().join("\n\n")
    }

    fn beside_photo(
        &self,
        photo: &Image,
        filter: &Filter,
        map: &Grid,
        palette: Palette,
        about: &str,
    ) -> Result<Figure> {
        let kernels = filter.drawn_kernels().unwrap_or_default();
        let channels: &[&str] = if photo.channels() == 3 { &["red", "green", "blue"] } else { &[] };
        let (c, h, w) = (photo.channels(), photo.height(), photo.width());
        let left = Panel::picture(photo.name(), photo.pixels(), photo.page_width(230.0))
            .caption(format!("C={c}  H={h}  W={w}"));
        let mut operation = vec![left, Panel::sign("\u{2217}")];
        operation.extend(filter.panels(&kernels, channels));
        operation.push(Panel::sign("="));
        let wide = kernels.len() > 1;
        let width = photo.page_width(if wide { 620.0 } else { 440.0 });
        let range = palette.clear_range(map.values());
        let content = Content::Heat { values: map.clone(), palette, range, bar: true, under: None };
        let done = self.done().join(", ");
        let result =
            Panel::new(if done.is_empty() { "result" } else { &done }, content, width).caption(about);
        let rows = if wide {
            vec![operation, vec![result]]
        } else {
            operation.push(result);
            vec![operation]
        };
        let steps = [vec![filter.name().to_owned()], self.done().to_vec()].concat().join(", ");
        let title = format!("{} \u{2217} {steps}", photo.name());
        let alt = format!("{title}: the photo, the filter's weights, and the result, {about}");
        Layout { title: title.clone(), rows, lines: Vec::new() }.figure(alt, format!("{title}: {about}"))
    }
}
