//! Figures of images.

mod boxes;
pub mod maps;
pub mod trace;

use super::Image;
use crate::{
    Result,
    notebook::{Output, shows},
};
use nchw_draw::{Figure, Layout, Panel, Pixels};

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
