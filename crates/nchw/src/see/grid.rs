//! The feature maps of a layer in a grid, and the strongest maps of all three blocks.

use super::view::{View, numbers, shape};
use crate::{
    Result,
    canvas::number,
    colour::Palette,
    error::debug_as_display,
    figure::Figure,
    grid::Grid,
    notebook::shows_its_figure,
    panels::{Content, Layout, Panel},
};
use std::fmt;
use tch::Tensor;

/// Maps of each block in [`View::blocks`].
const MAPS_PER_BLOCK: usize = 7;
/// How many channels the text lists.
const LISTED: usize = 6;

/// The feature maps of a layer, each in a tile with its channel number. See [`View::maps`].
pub struct MapGrid {
    title: String,
    answer_line: String,
    pub(super) maps: Tensor,
    own_scale: bool,
    strongest_first: bool,
}

impl View {
    /// The feature maps of a layer or a block, side by side, on one colour scale.
    ///
    /// # Shapes
    /// `[1, C, H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), or it has no feature maps.
    pub fn maps(&self, name: &str) -> Result<MapGrid> {
        let (_, maps) = self.layer(name)?;
        let title = format!("{name}: {} \u{2192} {}", self.before(name)?, shape(maps));
        Ok(MapGrid {
            title,
            answer_line: self.answer_line(),
            maps: maps.shallow_clone(),
            own_scale: false,
            strongest_first: false,
        })
    }

    /// Draws the image and the strongest feature maps of all three blocks.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn blocks(&self) -> Result<Figure> {
        let mut rows = vec![vec![self.panel(150.0).bare()]];
        rows[0].extend(self.bars(380.0));
        let mut words = vec![self.to_string()];
        for block in ["block1", "block2", "block3"] {
            let grid = self.maps(block)?.strongest_first().own_scale();
            words.push(format!("{}, the strongest: {}", grid.title, grid.strongest(MAPS_PER_BLOCK)?));
            rows.push(vec![Panel::heading(grid.title.clone())]);
            rows.push(grid.tiles(MAPS_PER_BLOCK, 112.0)?);
        }
        let lines = vec![OWN_SCALE.to_owned()];
        let title = "The strongest feature maps of each block".to_owned();
        Layout { title, rows, lines }.figure(words.join(". "), words.join("\n"))
    }
}

const OWN_SCALE: &str = "each map on its own scale: dark is its minimum, bright its maximum";

impl MapGrid {
    /// Draws each map on its own scale, from its minimum to its maximum, which shows shapes. By default all
    /// maps share one scale, which shows strengths.
    pub fn own_scale(self) -> MapGrid {
        MapGrid { own_scale: true, ..self }
    }

    /// Sorts the maps by their largest activation, strongest first.
    pub fn strongest_first(self) -> MapGrid {
        MapGrid { strongest_first: true, ..self }
    }

    /// The feature maps.
    ///
    /// # Shapes
    /// `[1, C, H, W]`
    pub fn tensor(&self) -> Tensor {
        self.maps.copy()
    }

    /// The channels in the order in which they are shown.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn order(&self) -> Result<Vec<usize>> {
        let count = self.maps.size()[1] as usize;
        let mut order: Vec<usize> = (0..count).collect();
        if self.strongest_first {
            let largest = self.largest()?;
            order.sort_by(|a, b| largest[*b].total_cmp(&largest[*a]));
        }
        Ok(order)
    }

    /// The largest number of each channel; negative infinity where it has a NaN.
    fn largest(&self) -> Result<Vec<f32>> {
        let largest = numbers(&self.maps.f_amax([0, 2, 3], false)?)?;
        Ok(largest.into_iter().map(|max| if max.is_nan() { f32::NEG_INFINITY } else { max }).collect())
    }

    /// The first `count` maps as panels of this width.
    fn tiles(&self, count: usize, width: f64) -> Result<Vec<Panel<'static>>> {
        let all = numbers(&self.maps)?;
        let (h, w) = (self.maps.size()[2] as usize, self.maps.size()[3] as usize);
        let palette = Palette::fitting(&all);
        let common = palette.clear_range(&all);
        let tile = |channel: usize| {
            let values = Grid::new(h, w, all[channel * h * w..][..h * w].to_vec())?;
            // On its own scale, a map of zeros is white rather than the darkest colour.
            let zeros = self.own_scale && values.values().iter().all(|value| *value == 0.0);
            let palette = if zeros { Palette::Signed } else { palette };
            let range = if self.own_scale { palette.range(values.values()) } else { common };
            let content = Content::Heat { values, palette, range, bar: false, under: None };
            Ok(Panel::new(channel.to_string(), content, width).bare())
        };
        self.order()?.into_iter().take(count).map(tile).collect()
    }

    /// Draws all tiles, under the layer's name and shapes.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let size = self.maps.size();
        let (count, h, w) = (size[1] as usize, size[2] as f64, size[3] as f64);
        // As many columns as make the page about as high as it is wide.
        let columns: usize = if count <= 32 { 8 } else { 16 };
        let width = (PAGE / columns as f64 - 16.0) * (w / h).min(1.0);
        let mut tiles = self.tiles(count, width)?;
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        while !tiles.is_empty() {
            rows.push(tiles.drain(..columns.min(tiles.len())).collect());
        }
        let all = numbers(&self.maps)?;
        let palette = Palette::fitting(&all);
        let (min, max) = palette.clear_range(&all);
        let scale = if self.own_scale {
            ["its minimum".to_owned(), "its maximum".to_owned()]
        } else {
            let sign_if = |clipped: bool, sign| if clipped { sign } else { "" };
            [
                format!("{}{}", sign_if(all.iter().any(|v| *v < min), "\u{2264} "), number(min)),
                format!("{}{}", sign_if(all.iter().any(|v| *v > max), "\u{2265} "), number(max)),
            ]
        };
        rows.push(vec![Panel::new("", Content::Scale { palette, range: (min, max), ends: scale }, 420.0)]);
        let mut line = if self.own_scale { OWN_SCALE } else { "all maps on one scale" }.to_owned();
        if self.strongest_first {
            line += "; strongest first";
        }
        let alt = format!(
            "{}. {line}. The strongest: {}. {}",
            self.title,
            self.strongest(LISTED)?,
            self.answer_line
        );
        Layout { title: self.title.clone(), rows, lines: vec![line] }.figure(alt, self.to_string())
    }

    /// Lists at most `max` channels with the largest activations; channels without a number above 0 are left
    /// out.
    fn strongest(&self, max: usize) -> Result<String> {
        let largest = self.largest()?;
        let sorted = MapGrid { strongest_first: true, ..self.shallow() }.order()?;
        let active: Vec<usize> = sorted.into_iter().filter(|channel| largest[*channel] > 0.0).collect();
        Ok(match active.len() {
            0 => "none has a number above 0".into(),
            all => listed(&active[..all.min(max)]),
        })
    }

    fn shallow(&self) -> MapGrid {
        MapGrid {
            title: self.title.clone(),
            answer_line: self.answer_line.clone(),
            maps: self.maps.shallow_clone(),
            ..*self
        }
    }
}

/// The width of a grid on the page.
const PAGE: f64 = 940.0;

fn listed(channels: &[usize]) -> String {
    channels.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for MapGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strongest = self.strongest(LISTED).map_err(|_| fmt::Error)?;
        write!(f, "{}; the strongest: {strongest}", self.title)
    }
}

debug_as_display!(MapGrid);
shows_its_figure!(MapGrid);
