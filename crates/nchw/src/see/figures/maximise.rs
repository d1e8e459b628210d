//! Figures of images that were computed to activate channels.

use crate::{Result, notebook::shows_its_figure, see::Maximised, text::number};
use nchw_draw::{Figure, Layout, Panel};

/// The width of an image on the page, and the most that a row takes.
const WIDTH: f64 = 150.0;
const PAGE: f64 = 940.0;

impl Maximised {
    /// Draws a column for each channel: the noise, the image after some steps, and the image at the end, each with
    /// the channel's activation.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let width = WIDTH.min(PAGE / self.channels.len() as f64 - 16.0);
        let mut rows = Vec::new();
        for (number_of, stage) in self.stages.iter().enumerate() {
            let heading = match stage.steps {
                0 => "noise".to_owned(),
                steps => format!("after {steps} steps"),
            };
            rows.push(vec![Panel::heading(heading)]);
            let images = stage.images.iter().zip(&stage.activations).zip(&self.channels);
            let row = images.map(|((image, activation), channel)| {
                let title = if number_of == 0 { channel.to_string() } else { String::new() };
                Panel::picture(title, image.pixels(), width).bare().caption(number(*activation))
            });
            rows.push(row.collect());
        }
        let title = format!("{}: images that activate these channels, computed from noise", self.layer);
        let lines = vec!["below each image: the activation of its channel, before ReLU".to_owned()];
        Layout { title, rows, lines }.figure(self.to_string(), self.to_string())
    }
}

shows_its_figure!(Maximised);
