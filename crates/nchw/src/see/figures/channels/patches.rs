//! Figures of the image patches that activate a channel most.

use crate::{
    Error, Result,
    image::Image,
    normalise::mean_colour,
    notebook::{Output, shows},
    see::{Patches, channels::patches::Patch},
    shapes::AxisField,
    text::number,
};
use nchw_draw::{Figure, Layout, Panel, Pixels};
use std::path::Path;

impl Patches {
    /// Draws the eight strongest patches of some channels: one row per channel, strongest first.
    ///
    /// # Errors
    /// When there is no such channel, or the number of channels is not from 1 to 12.
    pub fn figure(&self, channels: &[usize]) -> Result<Figure> {
        self.draw(channels, "the patches that activate each channel most", Patches::shown)
    }

    /// Draws the next eight patches, the ninth to the sixteenth: does a name that fits the best ones still hold?
    ///
    /// # Errors
    /// As [`Patches::figure`].
    pub fn next(&self, channels: &[usize]) -> Result<Figure> {
        self.draw(
            channels,
            "the ninth to the sixteenth of the patches that activate each channel",
            Patches::others,
        )
    }

    /// Draws the eight strongest patches of each channel that has a name, with a count of how often the name holds;
    /// patches that do not show what the name says are marked with a cross.
    ///
    /// # Errors
    /// When the patches belong to another network than the one that comes with the course, or to another layer than
    /// block3.
    pub fn named(&self) -> Result<Figure> {
        let (mut rows, mut words) = (Vec::new(), Vec::new());
        for named in self.names()? {
            let patches = self.shown(named.number)?;
            let mut row = self.panels(patches, 86.0)?;
            let judged = |list: &[usize]| patches.iter().filter(|patch| list.contains(&patch.image)).count();
            for (panel, patch) in row.iter_mut().zip(patches) {
                panel.title = match patch.image {
                    image if named.yes.contains(&image) => "\u{2713}".to_owned(),
                    image if named.no.contains(&image) => "\u{2717}".to_owned(),
                    _ => "?".to_owned(),
                };
            }
            let heading = match judged(&named.yes) + judged(&named.no) {
                all if all == patches.len() => {
                    format!("channel {}: {}, in {} of {all}", named.number, named.name, judged(&named.yes))
                }
                _ => format!("channel {}: {} (judged on other images)", named.number, named.name),
            };
            words.push(heading.clone());
            rows.push(vec![Panel::heading(heading)]);
            rows.push(row);
        }
        let title = format!("{}: channels with a name, and how often it holds", self.layer);
        let lines = vec![self.line(), "a cross: the frame does not show what the name says".to_owned()];
        Layout { title, rows, lines }.figure(words.join("; "), words.join("\n"))
    }

    fn draw(
        &self,
        channels: &[usize],
        what: &str,
        of: impl Fn(&Patches, usize) -> Result<&[Patch]>,
    ) -> Result<Figure> {
        if channels.is_empty() || channels.len() > 12 {
            return Err(Error::new(format!(
                "expected 1 to 12 channels, such as `figure(&[3, 7])`, got {}",
                channels.len()
            )));
        }
        let mut rows = Vec::new();
        let mut words = Vec::new();
        for &channel in channels {
            let patches = of(self, channel)?;
            let row = self.panels(patches, 86.0)?;
            words.push(format!("channel {channel}: {}", in_words(patches)));
            rows.push(vec![Panel::heading(if row.is_empty() {
                format!("channel {channel}: never active")
            } else {
                format!("channel {channel}")
            })]);
            rows.push(row);
        }
        let title = format!("{}: {what}", self.layer);
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
    pub(in crate::see) fn line(&self) -> String {
        let [height, width] = self.field();
        let shown = if height >= 32 {
            "frame: the centre of the receptive field"
        } else {
            "the receptive field, grey beyond the edge"
        };
        format!("{shown} ({height} \u{d7} {width}); the strongest in {} images", self.searched)
    }

    /// Patches as panels of this width.
    pub(in crate::see) fn panels(&self, patches: &[Patch], width: f64) -> Result<Vec<Panel<'static>>> {
        let [field_height, field_width] = self.field().map(|size| size as i64);
        let field = self.row.field;
        let mut panels = Vec::new();
        for patch in patches {
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

fn in_words(patches: &[Patch]) -> String {
    let each: Vec<String> =
        patches.iter().map(|p| format!("image {} with {}", p.image, number(p.activation))).collect();
    if each.is_empty() { "never active".to_owned() } else { each.join(", ") }
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
