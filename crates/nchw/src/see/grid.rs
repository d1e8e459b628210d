//! The maps of a layer in a grid, and a strip through all three blocks.

use super::view::{View, numbers, shape};
use crate::{
    Result,
    canvas::number,
    colour::Palette,
    error::debug_as_display,
    figure::Figure,
    grid::Grid,
    notebook::shows_its_figure,
    panels::{Content, Panel, Sheet},
};
use std::fmt;
use tch::Tensor;

/// Maps of each block in the strip.
const STRIP: usize = 7;
/// Channels that the text names.
const LISTED: usize = 6;

/// The maps of a layer, each in a tile with its number. See [`View::maps`].
pub struct MapGrid {
    title: String,
    verdict: String,
    pub(super) maps: Tensor,
    own_scale: bool,
    strongest_first: bool,
}

impl View {
    /// The maps of a layer or a block, side by side, all on one scale.
    ///
    /// # Shapes
    /// `[1, C, H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), or it has no maps.
    pub fn maps(&self, name: &str) -> Result<MapGrid> {
        let (_, maps) = self.layer(name)?;
        let title = format!("{name}: {} \u{2192} {}", self.before(name)?, shape(maps));
        Ok(MapGrid {
            title,
            verdict: self.verdict(),
            maps: maps.shallow_clone(),
            own_scale: false,
            strongest_first: false,
        })
    }

    /// The picture on its way through all three blocks: the strongest maps of each.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn blocks(&self) -> Result<Figure> {
        let mut rows = vec![vec![self.panel(150.0).bare()]];
        rows[0].extend(self.bars(380.0));
        let mut words = vec![self.to_string()];
        for block in ["block1", "block2", "block3"] {
            let grid = self.maps(block)?.strongest_first().own_scale();
            words.push(format!("{}, the strongest: {}", grid.title, grid.strongest(STRIP)?));
            rows.push(vec![Panel::heading(grid.title.clone())]);
            rows.push(grid.tiles(STRIP, 112.0)?);
        }
        let lines = vec![OWN_SCALE.to_owned()];
        let title = "One picture, three blocks: the strongest maps of each".to_owned();
        Sheet { title, rows, lines }.figure(words.join(". "), words.join("\n"))
    }
}

const OWN_SCALE: &str = "each map on its own scale: dark is its least, bright its most";

impl MapGrid {
    /// Each map on its own scale, from its least to its most: for seeing shapes. Else
    /// all are on one, for comparing strengths.
    pub fn own_scale(self) -> MapGrid {
        MapGrid { own_scale: true, ..self }
    }

    /// Those that answer most come first: by the largest number of each.
    pub fn strongest_first(self) -> MapGrid {
        MapGrid { strongest_first: true, ..self }
    }

    /// The numbers.
    ///
    /// # Shapes
    /// `[1, C, H, W]`
    pub fn tensor(&self) -> Tensor {
        self.maps.copy()
    }

    /// The channels in the order in which they are shown.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn order(&self) -> Result<Vec<usize>> {
        let count = self.maps.size()[1] as usize;
        let mut order: Vec<usize> = (0..count).collect();
        if self.strongest_first {
            let largest = self.largest()?;
            order.sort_by(|a, b| largest[*b].total_cmp(&largest[*a]));
        }
        Ok(order)
    }

    /// The largest number of each channel; the least there is where it has a NaN.
    fn largest(&self) -> Result<Vec<f32>> {
        let largest = numbers(&self.maps.f_amax([0, 2, 3], false)?)?;
        Ok(largest.into_iter().map(|most| if most.is_nan() { f32::NEG_INFINITY } else { most }).collect())
    }

    /// The first `count` maps as panels of this width.
    fn tiles(&self, count: usize, width: f64) -> Result<Vec<Panel<'static>>> {
        let all = numbers(&self.maps)?;
        let (h, w) = (self.maps.size()[2] as usize, self.maps.size()[3] as usize);
        let palette = Palette::fitting(&all);
        let common = palette.clear_range(&all);
        let tile = |channel: usize| {
            let values = Grid::new(h, w, all[channel * h * w..][..h * w].to_vec())?;
            // On a scale of its own a map of zeros is white, not the darkest of colours.
            let zeros = self.own_scale && values.values().iter().all(|value| *value == 0.0);
            let palette = if zeros { Palette::Signed } else { palette };
            let range = if self.own_scale { palette.range(values.values()) } else { common };
            let content = Content::Heat { values, palette, range, bar: false, under: None };
            Ok(Panel::new(channel.to_string(), content, width).bare())
        };
        self.order()?.into_iter().take(count).map(tile).collect()
    }

    /// All tiles, under the layer's name and shapes.
    ///
    /// # Errors
    /// When it cannot be drawn.
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
        let (least, most) = palette.clear_range(&all);
        let scale = if self.own_scale {
            ["its least".to_owned(), "its most".to_owned()]
        } else {
            let beyond = |is: bool, sign| if is { sign } else { "" };
            [
                format!("{}{}", beyond(all.iter().any(|v| *v < least), "\u{2264} "), number(least)),
                format!("{}{}", beyond(all.iter().any(|v| *v > most), "\u{2265} "), number(most)),
            ]
        };
        rows.push(vec![Panel::new("", Content::Scale { palette, range: (least, most), ends: scale }, 420.0)]);
        let mut line = if self.own_scale { OWN_SCALE } else { "all maps on one scale" }.to_owned();
        if self.strongest_first {
            line += "; the strongest first";
        }
        let alt =
            format!("{}. {line}. The strongest: {}. {}", self.title, self.strongest(LISTED)?, self.verdict);
        Sheet { title: self.title.clone(), rows, lines: vec![line] }.figure(alt, self.to_string())
    }

    /// The channels that answer most, at most so many; those without a number above 0
    /// do not answer.
    fn strongest(&self, most: usize) -> Result<String> {
        let largest = self.largest()?;
        let sorted = MapGrid { strongest_first: true, ..self.shallow() }.order()?;
        let answer: Vec<usize> = sorted.into_iter().filter(|channel| largest[*channel] > 0.0).collect();
        Ok(match answer.len() {
            0 => "none has a number above 0".into(),
            all => listed(&answer[..all.min(most)]),
        })
    }

    fn shallow(&self) -> MapGrid {
        MapGrid {
            title: self.title.clone(),
            verdict: self.verdict.clone(),
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
