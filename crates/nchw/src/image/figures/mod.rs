//! Figures of images.

mod boxes;
pub mod maps;
pub mod trace;

use super::Image;
use crate::{
    Result,
    notebook::{Output, shows},
};
use nchw_draw::{Figure, Layout, Palette, Panel, Pixels, colour::TINTS};

impl Image {
    /// Draws the image with its name and shape.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let (c, h, w) = (self.channels(), self.height(), self.width());
        let title = format!("{}   C={c}  H={h}  W={w}", self.name);
        let panel = Panel::picture("", self.pixels(), self.page_width(620.0));
        let text = format!("{}: {c} x {h} x {w} (C x H x W)", self.name);
        let alt = format!("The image {}, {c} channels, {h} rows, {w} columns", self.name);
        Layout { title, rows: vec![vec![panel]], lines: Vec::new() }.figure(alt, text)
    }

    /// Draws the image and each of its channels, tinted in its colour: what the red, the green and the blue
    /// channel hold.
    ///
    /// # Errors
    /// When drawing fails.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let photo = Image::from_tensor(&Tensor::zeros([3, 20, 30], (Kind::Float, Device::Cpu)))?;
    /// assert!(photo.channels_figure()?.alt().contains("red, green, blue"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn channels_figure(&self) -> Result<Figure> {
        let (c, h, w) = (self.channels(), self.height(), self.width());
        let whole = self.pixels();
        let channels: &[&str] = if c == 3 { &["red", "green", "blue"] } else { &["grey"] };
        let tinted = |channel: usize| {
            let tint = if c == 3 { Palette::Tint(TINTS[channel]) } else { Palette::Grey };
            let pixels = whole.rgb.chunks_exact(3).map(|pixel| f32::from(pixel[channel]) / 255.0);
            Pixels { rgb: pixels.flat_map(|value| tint.rgb(value, (0.0, 1.0))).collect(), ..whole.clone() }
        };
        let panel =
            |(channel, name): (usize, &&str)| Panel::picture(*name, tinted(channel), self.page_width(320.0));
        let row = channels.iter().enumerate().map(panel).collect();
        let photo = vec![Panel::picture("", whole.clone(), self.page_width(320.0))];
        let title = format!("{}   C={c}  H={h}  W={w}", self.name);
        let text = format!("{title}: the image, and its channels {}", channels.join(", "));
        Layout { title, rows: vec![photo, row], lines: Vec::new() }.figure(text.clone(), text)
    }

    /// RGB pixels for drawing.
    pub(crate) fn pixels(&self) -> Pixels {
        let rgb = self.pixels.to_rgb8();
        Pixels { width: rgb.width(), height: rgb.height(), rgb: rgb.into_raw() }
    }

    /// The width on the page: `max`, or less for a tall image, so that it fits the screen.
    pub(crate) fn page_width(&self, max: f64) -> f64 {
        let (h, w) = (self.height() as f64, self.width() as f64);
        max.min(0.75 * max * w / h)
    }
}

shows!(Image: |image| Output::figure(image.figure()));
