//! The image patches that activate a channel most.

use crate::see::{
    progress::Progress,
    view::{layer_with_maps, layers_until},
};
use crate::{
    Error, Result, data::Examples, error::debug_as_display, image::Image, net::LectureNet,
    numbers::values_of, ranking::descending, shapes::Row,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};
use tch::Tensor;

/// Batch size of the search.
const BATCH: i64 = 250;
/// Patches that are kept for each channel, and how many of them a figure shows.
const PER_CHANNEL: usize = 16;
const SHOWN: usize = 8;

/// A position in the feature map of an image, and the activation of a channel there.
#[derive(Clone)]
pub(in crate::see) struct Patch {
    pub(in crate::see) image: usize,
    pub(in crate::see) row: usize,
    pub(in crate::see) column: usize,
    pub(in crate::see) activation: f32,
}

/// The image patches that activate each channel of a layer most. See [`patches`].
pub struct Patches {
    pub(in crate::see) layer: String,
    /// The first 16 digits of the SHA-256 of the network's weights: names of channels belong to them.
    pub(in crate::see) network: String,
    pub(in crate::see) searched: usize,
    /// For each channel, strongest first.
    pub(in crate::see) best: Vec<Vec<Patch>>,
    /// The images that contain the patches, by their index in the data set.
    pub(in crate::see) images: BTreeMap<usize, Image>,
    /// The layer's row in the shape table, which has the receptive field.
    pub(in crate::see) row: Row,
}

/// Finds the image patches that activate each channel of a layer most, and takes only the best patch of each
/// image. The 300 images of [`Cifar10::album`](crate::data::Cifar10::album) take a second or two; a search that takes
/// longer says so and shows its progress.
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
    let table = layers_until(net, layer_with_maps(net, layer)?).on([3, 32, 32]).ok()?;
    let row = table.rows.last().cloned().ok_or_else(|| Error::new("the network has no layers"))?;
    let count = examples.len() as i64;
    let mut progress = Progress::new(examples.len());
    let mut best: Vec<Vec<Patch>> = Vec::new();
    for from in (0..count).step_by(BATCH as usize) {
        let batch = examples.images.f_narrow(0, from, BATCH.min(count - from))?;
        let maps = net.map(&batch, layer)?;
        let &[n, channels, _, width] = &maps.size()[..] else { continue };
        let (largest, positions) = maps.f_reshape([n, channels, -1])?.f_max_dim(2, false)?;
        let positions =
            Vec::<i64>::try_from(&positions.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
        best.resize(channels as usize, Vec::new());
        for (i, (activation, position)) in values_of(&largest)?.into_iter().zip(positions).enumerate() {
            let (image, channel) = (from as usize + i / channels as usize, i % channels as usize);
            let (row, column) = ((position / width) as usize, (position % width) as usize);
            let patch = Patch { image, row, column, activation };
            best[channel].push(patch);
            if best[channel].len() > 4 * PER_CHANNEL {
                best[channel] = strongest(&best[channel]);
            }
        }
        progress.done((from + n) as usize);
    }
    let best: Vec<Vec<Patch>> = best.iter().map(|patches| strongest(patches)).collect();
    let mut images = BTreeMap::new();
    for patch in best.iter().flatten() {
        if let Entry::Vacant(entry) = images.entry(patch.image) {
            entry.insert(examples.picture(patch.image)?);
        }
    }
    let network = net.fingerprint()?.chars().take(16).collect();
    Ok(Patches { layer: layer.to_owned(), network, searched: count as usize, best, images, row })
}

/// The largest activations above 0, strongest first; an inactive channel has no patches.
fn strongest(patches: &[Patch]) -> Vec<Patch> {
    let activations: Vec<f32> = patches.iter().map(|patch| patch.activation).collect();
    let ranked = descending(&activations).into_iter().map(|index| patches[index].clone());
    ranked.filter(|patch| patch.activation > 0.0).take(PER_CHANNEL).collect()
}

impl Patches {
    /// Where a channel is activated most: per patch, the image's index in the data set, row and column in the
    /// layer's feature map, and the activation.
    ///
    /// # Shapes
    /// → `[up to 16, 4]`
    ///
    /// # Errors
    /// When there is no such channel.
    pub fn tensor(&self, channel: usize) -> Result<Tensor> {
        let patches = self.of_channel(channel)?.iter();
        let numbers: Vec<f32> =
            patches.flat_map(|p| [p.image as f32, p.row as f32, p.column as f32, p.activation]).collect();
        Ok(Tensor::f_from_slice(&numbers)?.f_view([-1, 4])?)
    }

    pub(in crate::see) fn of_channel(&self, channel: usize) -> Result<&[Patch]> {
        self.best.get(channel).map(Vec::as_slice).ok_or_else(|| {
            let last = self.best.len().saturating_sub(1);
            Error::new(format!("there is no channel {channel} in `{}`: expected 0 to {last}", self.layer))
        })
    }

    /// The strongest patches of a channel: the ones that a figure shows.
    pub(in crate::see) fn shown(&self, channel: usize) -> Result<&[Patch]> {
        let all = self.of_channel(channel)?;
        Ok(&all[..all.len().min(SHOWN)])
    }

    /// The next patches of a channel, after those of [`Patches::shown`].
    pub(in crate::see) fn others(&self, channel: usize) -> Result<&[Patch]> {
        let all = self.of_channel(channel)?;
        Ok(&all[all.len().min(SHOWN)..])
    }

    /// Height and width of the receptive field.
    pub(in crate::see) fn field(&self) -> [u64; 2] {
        self.row.field.map_or([32, 32], |field| [field.h.size, field.w.size])
    }
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
