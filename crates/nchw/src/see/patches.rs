//! The image patches that activate a channel most.

use super::view::numbers;
use crate::{
    Error, Result,
    canvas::number,
    data::Examples,
    error::debug_as_display,
    figure::{Figure, Pixels},
    image::Image,
    net::{LectureNet, is_head},
    normalise::mean_colour,
    notebook::{Output, shows},
    panels::{Content, Layout, Panel},
    shapes::{Chain, Row},
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    path::Path,
};
use tch::Tensor;

/// Batch size of the search.
const BATCH: i64 = 250;
/// Patches for each channel.
const PER_CHANNEL: usize = 8;
/// The most images that are searched: this takes about ten seconds on two CPU cores.
const MAX_IMAGES: i64 = 2000;

/// A position in the feature map of an image, and the activation of a channel there.
#[derive(Clone)]
struct Patch {
    image: usize,
    row: usize,
    column: usize,
    activation: f32,
}

/// The image patches that activate each channel of a layer most. See [`patches`].
pub struct Patches {
    layer: String,
    searched: usize,
    /// For each channel, strongest first.
    best: Vec<Vec<Patch>>,
    /// The images that contain the patches, by their index in the data set.
    images: BTreeMap<usize, Image>,
    /// The layer's row in the shape table, which has the receptive field.
    row: Row,
}

/// Finds the image patches that activate each channel of a layer most. Searches the first 2000 images, and
/// takes only the best patch of each image.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]`
///
/// # Errors
/// When there is no such layer (the message lists them), or it has no feature maps.
///
/// # Source
/// Zeiler and Fergus, *Visualizing and Understanding Convolutional Networks*, 2014, arXiv:1311.2901.
///
/// ```
/// use nchw::prelude::*;
/// let found = patches(&LectureNet::shipped()?, &Cifar10::samples()?, "block2")?;
/// found.figure(&[3, 7])?;
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn patches(net: &LectureNet, examples: &Examples, layer: &str) -> Result<Patches> {
    let index = net.position(layer)?;
    if is_head(layer) {
        return Err(Error::new(format!(
            "`{layer}` has no rows and columns; the last feature maps are those of block3"
        )));
    }
    let layers = net.config().layers().into_iter().take(index + 1).map(|(_, layer)| layer);
    let table = layers.collect::<Chain>().on([3, 32, 32]).ok()?;
    let row = table.rows.last().cloned().ok_or_else(|| Error::new("the network has no layers"))?;
    let count = (examples.len() as i64).min(MAX_IMAGES);
    let mut best: Vec<Vec<Patch>> = Vec::new();
    for from in (0..count).step_by(BATCH as usize) {
        let batch = examples.images.f_narrow(0, from, BATCH.min(count - from))?;
        let maps = net.map(&batch, layer)?;
        let &[n, channels, _, width] = &maps.size()[..] else { continue };
        let (strongest, positions) = maps.f_reshape([n, channels, -1])?.f_max_dim(2, false)?;
        let positions =
            Vec::<i64>::try_from(&positions.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
        best.resize(channels as usize, Vec::new());
        for (i, (activation, position)) in numbers(&strongest)?.into_iter().zip(positions).enumerate() {
            let (image, channel) = (from as usize + i / channels as usize, i % channels as usize);
            let (row, column) = ((position / width) as usize, (position % width) as usize);
            let patch = Patch { image, row, column, activation };
            best[channel].push(patch);
            if best[channel].len() > 4 * PER_CHANNEL {
                keep_strongest(&mut best[channel]);
            }
        }
    }
    best.iter_mut().for_each(keep_strongest);
    let mut images = BTreeMap::new();
    for patch in best.iter().flatten() {
        if let Entry::Vacant(entry) = images.entry(patch.image) {
            entry.insert(examples.picture(patch.image)?);
        }
    }
    Ok(Patches { layer: layer.to_owned(), searched: count as usize, best, images, row })
}

/// Keeps the largest activations above 0; an inactive channel has no patches.
fn keep_strongest(patches: &mut Vec<Patch>) {
    patches.retain(|patch| patch.activation > 0.0);
    patches.sort_by(|a, b| b.activation.total_cmp(&a.activation));
    patches.truncate(PER_CHANNEL);
}

impl Patches {
    /// Where a channel is activated most: per patch, the image's index in the data set, row and column in the
    /// layer's feature map, and the activation.
    ///
    /// # Shapes
    /// → `[up to 8, 4]`
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn tensor(&self, channel: usize) -> Result<Tensor> {
        let patches = self.of_channel(channel)?.iter();
        let numbers: Vec<f32> =
            patches.flat_map(|p| [p.image as f32, p.row as f32, p.column as f32, p.activation]).collect();
        Ok(Tensor::f_from_slice(&numbers)?.f_view([-1, 4])?)
    }

    pub(super) fn layer(&self) -> &str {
        &self.layer
    }

    fn of_channel(&self, channel: usize) -> Result<&[Patch]> {
        self.best.get(channel).map(Vec::as_slice).ok_or_else(|| {
            let last = self.best.len().saturating_sub(1);
            Error::new(format!("there is no channel {channel} in `{}`: expected 0 to {last}", self.layer))
        })
    }

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

    /// Height and width of the receptive field.
    fn field(&self) -> [u64; 2] {
        self.row.field.map_or([32, 32], |field| [field.h.size, field.w.size])
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
            let start = |axis: crate::shapes::AxisField, index: usize| {
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
                let mut panel = Panel::new(title, Content::Picture(image.pixels()), width);
                panel.mark =
                    Some((from(top, field_height), from(left, field_width), jump as usize, jump as usize));
                panel
            } else {
                let part = part(image, top, left, field_height, field_width)?;
                Panel::new(title, Content::Picture(part), width)
            };
            panels.push(panel.bare());
        }
        Ok(panels)
    }

    /// Writes the patches of some channels as a PNG file.
    ///
    /// # Errors
    /// As [`Patches::figure`], or when the file cannot be written.
    pub fn save(&self, channels: &[usize], path: impl AsRef<Path>) -> Result<()> {
        self.figure(channels)?.save(path)
    }
}

/// Crops an image; positions outside of it have the mean colour of CIFAR-10.
fn part(image: &Image, top: i64, left: i64, height: i64, width: i64) -> Result<Pixels> {
    let grey = mean_colour();
    let pixels = image.pixels();
    let (h, w) = (i64::from(pixels.height), i64::from(pixels.width));
    let mut rgb = Vec::new();
    for (y, x) in (top..top + height).flat_map(|y| (left..left + width).map(move |x| (y, x))) {
        let inside = (0..h).contains(&y) && (0..w).contains(&x);
        let at = ((y * w + x) * 3) as usize;
        rgb.extend_from_slice(if inside { &pixels.rgb[at..at + 3] } else { &grey });
    }
    Ok(Pixels { width: width as u32, height: height as u32, rgb })
}

impl fmt::Display for Patches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "The patches of {} images that activate the {} channels of {} most",
            self.searched,
            self.best.len(),
            self.layer
        )
    }
}

debug_as_display!(Patches);

// Displays the first channels.
shows!(Patches: |patches| {
    let first: Vec<usize> = (0..patches.best.len().min(6)).collect();
    Output::figure(patches.figure(&first))
});
