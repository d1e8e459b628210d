//! What excites a channel most: the places of a data set with its strongest answers.

use super::view::numbers;
use crate::{
    Error, Result,
    canvas::number,
    data::Examples,
    error::debug_as_display,
    figure::{Figure, Pixels},
    image::Image,
    net::{LectureNet, MEAN, is_head},
    notebook::{Output, shows},
    panels::{Content, Panel, Sheet},
    shapes::{Row, chain},
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    path::Path,
};
use tch::Tensor;

/// Pictures at a time.
const BATCH: i64 = 250;
/// How many patches are kept for each channel.
const KEPT: usize = 8;
/// How many pictures are searched at most: some ten seconds on two CPU cores.
const SEARCHED: i64 = 2000;

/// A place of a picture, and how strongly a channel answered there.
#[derive(Clone)]
struct Patch {
    picture: usize,
    row: usize,
    column: usize,
    answer: f32,
}

/// The places that excite each channel of a layer most. See [`patches`].
pub struct Patches {
    layer: String,
    searched: usize,
    /// For each channel, the strongest first.
    best: Vec<Vec<Patch>>,
    /// The pictures that the patches are in, by their place in the data set.
    pictures: BTreeMap<usize, Image>,
    /// The layer's row in the table of shapes: what a value sees.
    row: Row,
}

/// Searches pictures (the first 2000 at most) for the places that excite each
/// channel of a layer most, the best of every picture.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]`
///
/// # Errors
/// When there is no such layer (the message lists them), or it has no maps.
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
    let place = net.position(layer)?;
    if is_head(layer) {
        return Err(Error::new(format!(
            "`{layer}` has no rows and columns any more; the last maps are block3's"
        )));
    }
    let layers = net.config().layers().into_iter().take(place + 1).map(|(_, layer)| layer);
    let table = chain(layers).on([3, 32, 32]).ok()?;
    let row = table.rows.last().cloned().ok_or_else(|| Error::new("the network has no layers"))?;
    let count = (examples.len() as i64).min(SEARCHED);
    let mut best: Vec<Vec<Patch>> = Vec::new();
    for from in (0..count).step_by(BATCH as usize) {
        let batch = examples.images.f_narrow(0, from, BATCH.min(count - from))?;
        let maps = net.map(&batch, layer)?;
        let &[n, channels, _, width] = &maps.size()[..] else { continue };
        let (strongest, places) = maps.f_reshape([n, channels, -1])?.f_max_dim(2, false)?;
        let places =
            Vec::<i64>::try_from(&places.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
        best.resize(channels as usize, Vec::new());
        for (i, (answer, at)) in numbers(&strongest)?.into_iter().zip(places).enumerate() {
            let (picture, channel) = (from as usize + i / channels as usize, i % channels as usize);
            let patch = Patch { picture, row: (at / width) as usize, column: (at % width) as usize, answer };
            best[channel].push(patch);
            if best[channel].len() > 4 * KEPT {
                keep(&mut best[channel]);
            }
        }
    }
    best.iter_mut().for_each(keep);
    let mut pictures = BTreeMap::new();
    for patch in best.iter().flatten() {
        if let Entry::Vacant(place) = pictures.entry(patch.picture) {
            place.insert(examples.picture(patch.picture)?);
        }
    }
    Ok(Patches { layer: layer.to_owned(), searched: count as usize, best, pictures, row })
}

/// The strongest, each above 0: what answers nowhere is excited by nothing.
fn keep(patches: &mut Vec<Patch>) {
    patches.retain(|patch| patch.answer > 0.0);
    patches.sort_by(|a, b| b.answer.total_cmp(&a.answer));
    patches.truncate(KEPT);
}

impl Patches {
    /// Where a channel answered most strongly: the picture's place in the data set,
    /// row and column of the layer's map, and the answer.
    ///
    /// # Shapes
    /// → `[up to 8, 4]`
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn tensor(&self, channel: usize) -> Result<Tensor> {
        let rows = self.of(channel)?.iter();
        let numbers: Vec<f32> =
            rows.flat_map(|p| [p.picture as f32, p.row as f32, p.column as f32, p.answer]).collect();
        Ok(Tensor::f_from_slice(&numbers)?.f_view([-1, 4])?)
    }

    pub(super) fn layer(&self) -> &str {
        &self.layer
    }

    fn of(&self, channel: usize) -> Result<&[Patch]> {
        self.best.get(channel).map(Vec::as_slice).ok_or_else(|| {
            let last = self.best.len().saturating_sub(1);
            Error::new(format!("there is no channel {channel} in `{}`: expected 0 to {last}", self.layer))
        })
    }

    /// The patches of some channels, a row for each, the strongest first.
    ///
    /// # Errors
    /// When there is no such channel, or no channel is given, or more than 12.
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
                format!("channel {channel}: nothing excites it")
            } else {
                format!("channel {channel}")
            })]);
            rows.push(row);
        }
        let title = format!("{}: what excites these channels most", self.layer);
        let text = format!("{title}. {}", words.join("; "));
        Sheet { title, rows, lines: vec![self.line()] }.figure(text, words.join("\n"))
    }

    /// What the patches are, in a line.
    pub(super) fn line(&self) -> String {
        let [height, width] = self.field();
        let shown = if height >= 32 {
            "framed: the middle of what it sees"
        } else {
            "all that it sees, grey beyond the edge"
        };
        format!("{shown} ({height} \u{d7} {width}); the best of {} pictures", self.searched)
    }

    /// Rows and columns that a value sees.
    fn field(&self) -> [u64; 2] {
        self.row.field.map_or([32, 32], |field| [field.h.size, field.w.size])
    }

    fn in_words(&self, channel: usize) -> Result<String> {
        let each = self.of(channel)?.iter();
        let each: Vec<String> =
            each.map(|p| format!("picture {} with {}", p.picture, number(p.answer))).collect();
        Ok(if each.is_empty() { "nothing".to_owned() } else { each.join(", ") })
    }

    /// A channel's patches as panels of this width.
    pub(super) fn panels(&self, channel: usize, width: f64) -> Result<Vec<Panel<'static>>> {
        let [height, wide] = self.field().map(|size| size as i64);
        let field = self.row.field;
        let mut panels = Vec::new();
        for patch in self.of(channel)? {
            let Some(picture) = self.pictures.get(&patch.picture) else { continue };
            // The first row and column that it sees; before the edge is padding.
            let start = |sight: crate::shapes::AxisField, place: usize| {
                (sight.first + sight.jump * place as f64 - (sight.size as f64 - 1.0) / 2.0).round() as i64
            };
            let (top, left) = field.map_or((0, 0), |f| (start(f.h, patch.row), start(f.w, patch.column)));
            let answer = number(patch.answer);
            let panel = if height >= 32 || wide >= 32 {
                let jump = field.map_or(8.0, |f| f.h.jump);
                let from = |start: i64, size: i64| {
                    let middle = start as f64 + size as f64 / 2.0 - jump / 2.0;
                    middle.clamp(0.0, 32.0 - jump).round() as usize
                };
                let mut panel = Panel::new(answer, Content::Picture(picture.pixels()), width);
                panel.mark = Some((from(top, height), from(left, wide), jump as usize, jump as usize));
                panel
            } else {
                Panel::new(answer, Content::Picture(part(picture, top, left, height, wide)?), width)
            };
            panels.push(panel.bare());
        }
        Ok(panels)
    }

    /// Writes the patches of some channels as a PNG file.
    ///
    /// # Errors
    /// As [`Patches::figure`], or when it cannot be written.
    pub fn save(&self, channels: &[usize], path: impl AsRef<Path>) -> Result<()> {
        self.figure(channels)?.save(path)
    }
}

/// A part of a picture; what lies outside is the colour that means nothing.
fn part(picture: &Image, top: i64, left: i64, height: i64, width: i64) -> Result<Pixels> {
    let grey = MEAN.map(|mean| (255.0 * mean).round() as u8);
    let pixels = picture.pixels();
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
            "The places of {} pictures that excite the {} channels of {} most",
            self.searched,
            self.best.len(),
            self.layer
        )
    }
}

debug_as_display!(Patches);

// The first channels.
shows!(Patches: |patches| {
    let first: Vec<usize> = (0..patches.best.len().min(6)).collect();
    Output::figure(patches.figure(&first))
});
