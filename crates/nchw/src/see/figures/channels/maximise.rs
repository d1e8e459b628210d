//! Figures of images that were computed to activate channels.

use crate::{Result, notebook::shows_its_figure, see::Maximised, text::number};
use nchw_draw::{Figure, Layout, Panel};

/// The width of an image on the page, and the most that a row takes.
const WIDTH: f64 = 150.0;
const PAGE: f64 = 940.0;
/// How many pixels are drawn for one of the image, along each axis.
/// More would look the same, and fill the notebook: noise cannot be compressed.
const SMOOTH: usize = 2;

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
            let last = number_of + 1 == self.stages.len();
            let images =
                stage.images.iter().zip(&stage.activations).zip(self.channels.iter().zip(&self.names));
            let row = images.map(|((image, activation), (channel, name))| {
                let title = if number_of == 0 { channel.to_string() } else { String::new() };
                let caption =
                    if last { format!("{} {name}", number(*activation)) } else { number(*activation) };
                // Enlarged smoothly, because squares are hard to recognise; but noise is not recognised anyway.
                let times = if stage.steps == 0 { 1 } else { SMOOTH };
                let pixels = image.resize(times * image.height(), times * image.width())?.pixels();
                Ok(Panel::picture(title, pixels, width).bare().caption(caption))
            });
            rows.push(row.collect::<Result<_>>()?);
        }
        let title = format!("{}: images that activate these channels, computed from noise", self.layer);
        let lines = vec!["below each image: the activation of its channel, before ReLU".to_owned()];
        Layout { title, rows, lines }.figure(self.to_string(), self.to_string())
    }
}

shows_its_figure!(Maximised);
