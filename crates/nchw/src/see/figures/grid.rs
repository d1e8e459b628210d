//! Figures of feature maps: those of a layer in a grid, and the strongest of each block.

use crate::{
    Result,
    notebook::shows_its_figure,
    numbers::{grids_of, values_of},
    see::{MapGrid, View, grid::LISTED},
    text::number,
};
use nchw_draw::{Figure, Layout, Palette, Panel, in_rows};

/// Maps of each block in [`View::blocks`].
const MAPS_PER_BLOCK: usize = 7;
/// The width of a grid on the page.
const PAGE: f64 = 940.0;
/// How to read maps that are drawn on their own scales.
const OWN_SCALE: &str = "each map on its own scale, from 0 (white) to its maximum";

impl View {
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

impl MapGrid {
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
        let mut rows = in_rows(self.tiles(count, width)?, columns);
        let all = values_of(&self.maps)?;
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
        rows.push(vec![Panel::scale(palette, (min, max), scale)]);
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

    /// The first `count` maps as panels of this width.
    fn tiles(&self, count: usize, width: f64) -> Result<Vec<Panel<'static>>> {
        let all = values_of(&self.maps)?;
        let palette = Palette::fitting(&all);
        let common = palette.clear_range(&all);
        let maps = grids_of(&self.maps)?;
        let tile = |channel: usize| {
            let values = maps[channel].clone();
            // On its own scale, a map of zeros is white rather than the darkest colour.
            let zeros = self.own_scale && values.values().iter().all(|value| *value == 0.0);
            let palette = if zeros { Palette::Signed } else { palette };
            let range = if self.own_scale { palette.range(values.values()) } else { common };
            Panel::tile(channel.to_string(), values, palette, range, width)
        };
        Ok(self.order()?.into_iter().take(count).map(tile).collect())
    }
}

shows_its_figure!(MapGrid);
