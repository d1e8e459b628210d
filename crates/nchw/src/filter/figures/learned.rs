//! Figures of a filter that was learned.

use super::cells::{on_one_scale, wrapped};
use crate::{
    Result,
    chart::Chart,
    filter::{Filter, Learned},
    matrix::Matrix,
    text::number,
};
use nchw_draw::{Figure, Highlights, Layout, Palette, Panel};

impl Learned {
    /// Draws the weights at five stages, from the first to the last step, on one scale.
    ///
    /// # Errors
    /// When the filter is too large to read.
    pub fn figure(&self) -> Result<Figure> {
        let mut kernels: Vec<(&Filter, Vec<Matrix>)> = Vec::new();
        for filter in &self.stages {
            kernels.push((filter, filter.drawn_kernels()?));
        }
        let panels = kernels.iter().flat_map(|(filter, kernels)| {
            kernels.iter().enumerate().map(|(channel, kernel)| {
                let on = match kernels.len() {
                    1 => String::new(),
                    _ => format!(", on {}", filter.channel_name(channel)),
                };
                Panel::cells(
                    format!("{}{on}", filter.name()),
                    kernel.grid(),
                    Palette::Signed,
                    Highlights::default(),
                )
            })
        });
        let mut panels: Vec<Panel> = panels.collect();
        on_one_scale(&mut panels);
        let loss = |loss: Option<&f64>| number(loss.map_or(f32::NAN, |loss| *loss as f32));
        let line = format!("loss: from {} to {}", loss(self.losses.first()), loss(self.losses.last()));
        let text = format!("{self:?}");
        let described = |(filter, kernels): &(&Filter, Vec<Matrix>)| {
            format!(
                "{}: {}",
                filter.name(),
                kernels.iter().map(|k| k.to_string().replace('\n', " / ")).collect::<Vec<_>>().join("; ")
            )
        };
        let alt = format!(
            "A filter that is learned. {}",
            kernels.iter().map(described).collect::<Vec<_>>().join(". ")
        );
        Layout { title: "A filter that is learned".into(), rows: wrapped(panels), lines: vec![line] }
            .figure(alt, text)
    }

    /// The loss after each step, as a chart.
    pub fn chart(&self, title: &str) -> Chart {
        Chart::new(title, "step", "loss").from(0.0).line("loss", &self.losses)
    }
}
