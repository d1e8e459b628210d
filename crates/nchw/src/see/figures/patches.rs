//! Figures of the image patches that activate a channel most.

use crate::{
    Error, Result,
    image::Image,
    normalise::mean_colour,
    notebook::{Output, shows},
    see::Patches,
    shapes::AxisField,
    text::number,
};
use nchw_draw::{Figure, Layout, Panel, Pixels};
use std::path::Path;

impl Patches {
    /// Draws the patches of some channels: one row per channel, strongest first.
    ///
    /// # Errors
    /// When there is no such channel, or the number of channels is not from 1 to 12.
    pub fn figure(&self, channels: &[usize]) -> Result<Figure> {
        if channels.is_empty() || channels.len() > 12 {
            return Err(Error::new(format!(
                "expected 1 to 12 channels, such as `figure(&[3, 7])`, got {}",
                channels.len()
            )));
        }
        let mut rows = Vec::new();
        let mut words = Vec::new();
        for &channel in channels {
            let row = self.panels(channel, 86.0)?;
            words.push(format!("channel {channel}: {}", self.in_words(channel)?));
            rows.push(vec![Panel::heading(if row.is_empty() {
                format!("channel {channel}: never active")
            } else {
                format!("channel {channel}")
            })]);
            rows.push(row);
        }
        let title = format!("{}: the patches that activate each channel most", self.layer);
        let text = format!("{title}. {}", words.join("; "));
        Layout { title, rows, lines: vec![self.line()] }.figure(text, words.join("\n"))
    }

    /// Writes the patches of some channels as a PNG file.
    ///
    /// # Errors
    /// As [`Patches::figure`], or when the file cannot be written.
    pub fn save(&self, channels: &[usize], path: impl AsRef<Path>) -> Result<()> {
        self.figure(channels)?.save(path)
    }

    /// Describes the patches in one line.
    pub(super) fn line(&self) -> String {
        let [height, width] = self.field();
        let shown = if height >= 32 {
            "frame: the centre of the receptive field"
        } else {
            "the receptive field, grey beyond the edge"
        };
        format!("{shown} ({height} \u{d7} {width}); the strongest in {} images", self.searched)
    }

    fn in_words(&self, channel: usize) -> Result<String> {
        let each = self.of_channel(channel)?.iter();
        let each: Vec<String> =
            each.map(|p| format!("image {} with {}", p.image, number(p.activation))).collect();
        Ok(if each.is_empty() { "never active".to_owned() } else { each.join(", ") })
    }

    /// A channel's patches as panels of this width.
    pub(super) fn panels(&self, channel: usize, width: f64) -> Result<Vec<Panel<'static>>> {
        let [field_height, field_width] = self.field().map(|size| size as i64);
        let field = self.row.field;
        let mut panels = Vec::new();
        for patch in self.of_channel(channel)? {
            let Some(image) = self.images.get(&patch.image) else { continue };
            // The first row and column of the receptive field; negative ones are padding.
            let start = |axis: AxisField, index: usize| {
                (axis.first + axis.jump * index as f64 - (axis.size as f64 - 1.0) / 2.0).round() as i64
            };
            let (top, left) = field.map_or((0, 0), |f| (start(f.h, patch.row), start(f.w, patch.column)));
            let title = number(patch.activation);
            let panel = if field_height >= 32 || field_width >= 32 {
                let jump = field.map_or(8.0, |f| f.h.jump);
                let from = |start: i64, size: i64| {
                    let middle = start as f64 + size as f64 / 2.0 - jump / 2.0;
                    middle.clamp(0.0, 32.0 - jump).round() as usize
                };
                let mut panel = Panel::picture(title, image.pixels(), width);
                panel.mark =
                    Some((from(top, field_height), from(left, field_width), jump as usize, jump as usize));
                panel
            } else {
                Panel::picture(title, part(image, top, left, field_height, field_width), width)
            };
            panels.push(panel.bare());
        }
        Ok(panels)
    }
}

/// Crops an image; positions outside of it have the mean colour of CIFAR-10.
fn part(image: &Image, top: i64, left: i64, height: i64, width: i64) -> Pixels {
    let grey = mean_colour();
    let pixels = image.pixels();
    let (h, w) = (i64::from(pixels.height), i64::from(pixels.width));
    let mut rgb = Vec::new();
    for (y, x) in (top..top + height).flat_map(|y| (left..left + width).map(move |x| (y, x))) {
        let inside = (0..h).contains(&y) && (0..w).contains(&x);
        let at = ((y * w + x) * 3) as usize;
        rgb.extend_from_slice(if inside { &pixels.rgb[at..at + 3] } else { &grey });
    }
    Pixels { width: width as u32, height: height as u32, rgb }
}

// Displays the first channels.
shows!(Patches: |patches| {
    let first: Vec<usize> = (0..patches.best.len().min(6)).collect();
    Output::figure(patches.figure(&first))
});
