//! Figures of weighted sums of feature maps.

use crate::{
    Result,
    grid::Grid,
    notebook::shows_its_figure,
    numbers::{grid_of, values_of},
    see::Mix,
    text::number,
};
use nchw_draw::{Content, Figure, Highlights, Layout, Palette, Panel};
use tch::Tensor;

/// The width of the photo and of a map on the page.
const WIDTH: f64 = 180.0;

impl Mix {
    /// Draws the photo and the maps, each map times its weight, and the sum; all on one scale, so that 0 × a map is
    /// empty. After [`Mix::nearest`] also the learned map, and its weights for your maps.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let times = |(part, (_, weight)): (&Tensor, &(usize, f64))| Ok(part.f_mul_scalar(*weight)?);
        let weighted: Vec<Tensor> = self.parts.iter().zip(&self.weights).map(times).collect::<Result<_>>()?;
        let mut all = values_of(&self.sum)?;
        for map in self.parts.iter().chain(&weighted) {
            all.extend(values_of(map)?);
        }
        let palette = Palette::fitting(&all);
        let range = palette.range(&all);
        let count = self.parts.len() as f64;
        let width = WIDTH.min((900.0 - 38.0 * count) / (count + 1.0));
        let tile = |title: String, map: &Tensor, bar: bool| -> Result<Panel<'static>> {
            let content = Content::Heat { values: grid_of(map)?, palette, range, bar, under: None };
            Ok(Panel::new(title, content, width).bare())
        };
        let photo = Panel::picture(self.image.name(), self.image.pixels(), width).bare();
        let mut maps = vec![photo];
        let mut sum: Vec<Panel> = Vec::new();
        for ((part, weighted), (channel, weight)) in self.parts.iter().zip(&weighted).zip(&self.weights) {
            maps.push(tile(format!("channel {channel}"), part, false)?);
            if !sum.is_empty() {
                sum.push(Panel::sign("+"));
            }
            sum.push(tile(format!("{} \u{d7} channel {channel}", number(*weight as f32)), weighted, false)?);
        }
        sum.push(Panel::sign("="));
        sum.push(tile("sum".into(), &self.sum, true)?);
        let mut rows = vec![maps, sum];
        let mut lines = Vec::new();
        let mut kernels: Vec<Grid> = Vec::new();
        if let Some(nearest) = &self.nearest {
            for kernel in &nearest.kernels {
                // Three digits are enough to compare weights.
                let rounded = kernel.f_mul_scalar(1000.0)?.f_round()?.f_div_scalar(1000.0)?;
                kernels.push(grid_of(&rounded)?);
            }
            let values = grid_of(&nearest.map)?;
            let (palette, range) =
                (Palette::fitting(values.values()), Palette::fitting(values.values()).range(values.values()));
            let learned = Content::Heat { values, palette, range, bar: true, under: None };
            let title = format!("{}, channel {}", nearest.layer, nearest.channel);
            rows.push(vec![Panel::heading("what the network learned".to_owned())]);
            rows.push(vec![
                tile("your sum".into(), &self.sum, true)?,
                Panel::new(title, learned, width).bare(),
            ]);
            lines.push(nearest.in_words());
        }
        if !kernels.is_empty() {
            let most =
                kernels.iter().flat_map(|kernel| kernel.values()).fold(0.0_f32, |most, v| most.max(v.abs()));
            let range = (-most.max(f32::MIN_POSITIVE), most.max(f32::MIN_POSITIVE));
            let cells = kernels.iter().zip(&self.weights).map(|(matrix, (channel, _))| {
                let highlights = Highlights::default();
                let content = Content::Cells { matrix, palette: Palette::Signed, range, highlights };
                Panel::new(format!("its weights on channel {channel}"), content, 210.0)
            });
            rows.push(cells.collect());
        }
        Layout { title: format!("Weighted sum of maps of {}", self.name), rows, lines }
            .figure(self.to_string(), self.to_string())
    }
}

shows_its_figure!(Mix);
