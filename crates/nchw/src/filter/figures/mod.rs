//! Figures of filters and of their results.

mod matrix;
mod steps;

pub use matrix::side_by_side;

use super::{Filter, Filtered};
use crate::{
    Result,
    image::Image,
    notebook::{Output, shows},
    numbers::{extent, grid_of, values_of},
    text::number,
};
use nchw_draw::{Figure, Highlights, Layout, Palette, Panel};
use tch::Kind;

impl Filter {
    /// Draws the filter's weights.
    ///
    /// # Errors
    /// When the filter is too large to read.
    pub fn figure(&self) -> Result<Figure> {
        self.kernel.require_readable()?;
        let rows = vec![vec![self.panel()]];
        let text = format!("{self:?}");
        let alt = format!("The filter {}: {}", self.name, self.kernel.to_string().replace('\n', " / "));
        Layout { title: "Filter".into(), rows, lines: Vec::new() }.figure(alt, text)
    }

    fn panel(&self) -> Panel<'_> {
        let panel = Panel::cells(&self.name, self.kernel.grid(), Palette::Signed, Highlights::default());
        if self.bias == 0.0 { panel } else { panel.caption(format!("bias {}", number(self.bias))) }
    }
}

impl Filtered {
    /// Draws photo, filter and result side by side. The result of a filter whose weights add up to 1 is
    /// drawn as an image, any other as a heat map.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        self.filter.kernel.require_readable()?;
        let size = self.map.size();
        let width = self.photo.page_width(285.0);
        let range = extent(&values_of(&self.map)?);
        let shape = format!("C={} H={} W={}", size[1], size[2], size[3]);
        // An image cannot show NaN or numbers far outside 0 to 1.
        let image = Image::from_tensor(&self.map).ok().filter(|_| self.filter.keeps_brightness());
        let result = if let Some(image) = image {
            Panel::picture("result", image.pixels(), width).caption(format!("{shape}, shown from 0 to 1"))
        } else {
            let sum = self.map.f_sum_dim_intlist([1_i64].as_slice(), true, Kind::Float)?;
            let note = if size[1] > 1 { ", sum over the channels" } else { "" };
            Panel::heat("result", grid_of(&sum)?, width).caption(format!("{shape}, {range}{note}"))
        };
        let (c, h, w) = (self.photo.channels(), self.photo.height(), self.photo.width());
        let photo = Panel::picture(self.photo.name(), self.photo.pixels(), width)
            .caption(format!("C={c} H={h} W={w}"));
        let row = vec![photo, Panel::sign("\u{2217}"), self.filter.panel(), Panel::sign("="), result];
        let title = format!("{} filtered with \"{}\"", self.photo.name(), self.filter.name);
        let text = format!("{title}: {shape}, {range}");
        let alt = format!(
            "{title}: the photo, the filter's {} x {} weights, and the result, {range}",
            self.filter.kernel.height(),
            self.filter.kernel.width()
        );
        Layout { title, rows: vec![row], lines: Vec::new() }.figure(alt, text)
    }
}

shows!(
    Filter: |filter| Output::figure_or_text(filter.figure(), filter),
    Filtered: |filtered| Output::figure(filtered.figure()),
);
