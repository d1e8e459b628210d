//! Weight files: safetensors, as the course and PyTorch write them.
//!
//! The crate `safetensors` reads the format: in WebAssembly it takes a few kilobytes, because `serde_json`
//! is there anyway.

use nchw_core::{
    Error, Result,
    lecture::{Given, LectureNetConfig, SIDE},
};
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The key of the hash in the metadata.
const HASH: &str = "sha256";

/// The checked weights of a network.
pub struct Weights {
    /// The configuration of the network.
    pub config: LectureNetConfig,
    tensors: HashMap<String, Vec<f32>>,
}

impl Weights {
    /// Reads a weight file of the course's network.
    ///
    /// # Errors
    /// If the file is incomplete, damaged or of another format, if it is that of another network (the
    /// message lists the differences), or if its numbers are not finite.
    pub fn parse(bytes: &[u8]) -> Result<Weights> {
        let file = open(bytes)?;
        let notes = notes(bytes)?;
        check_hash(&file, &notes)?;
        let config = LectureNetConfig::read_from(&notes)?;
        if config.average || config.side != SIDE {
            return Err(Error::new(format!(
                "this network was trained on {0} x {0} pixels or averages its maps, which the explorer cannot show: \
                 expected a network for {SIDE} x {SIDE}, as `with_classes` makes it",
                config.side
            )));
        }
        let views = file.tensors();
        let given = views.iter().map(|(name, view)| Given {
            name,
            size: view.shape().iter().map(|n| *n as i64).collect(),
            kind: format!("{:?}", view.dtype()),
            is_float: matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64),
        });
        config.check(&given.collect::<Vec<_>>())?;
        let mut tensors = HashMap::new();
        for (name, view) in &views {
            // PyTorch's counter of batches is the only tensor of another kind that passes the check.
            let Some(numbers) = numbers(view.dtype(), view.data()) else { continue };
            check_numbers(name, view.shape(), &numbers)?;
            tensors.insert(name.clone(), numbers);
        }
        Ok(Weights { config, tensors })
    }

    /// The numbers of a tensor. The check has found it, so it is there.
    pub(crate) fn take(&mut self, name: &str) -> Result<Vec<f32>> {
        self.tensors.remove(name).ok_or_else(|| Error::new(format!("`{name}` is missing")))
    }
}

/// The same weight file in half of its size, for a web page: its large tensors as F16. The small ones (those
/// of batch normalisation, where a tiny variance matters) and those too large for F16 stay as they are.
///
/// # Errors
/// Like [`Weights::parse`].
#[cfg(not(target_arch = "wasm32"))]
pub fn halved(bytes: &[u8]) -> Result<Vec<u8>> {
    use half::f16;
    const LARGE: usize = 600;

    Weights::parse(bytes)?;
    let mut notes = notes(bytes)?;
    let config = LectureNetConfig::read_from(&notes)?;
    config.write_to(&config.names_from(&notes)?, &mut notes);
    let file = open(bytes)?;
    let stored: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let size = view.shape().to_vec();
            let halves = numbers(view.dtype(), view.data()).filter(|numbers| numbers.len() >= LARGE);
            let halves: Option<Vec<f16>> =
                halves.map(|numbers| numbers.into_iter().map(f16::from_f32).collect());
            match halves.filter(|halves| halves.iter().all(|half| half.is_finite())) {
                Some(halves) => {
                    (name, Dtype::F16, size, halves.iter().flat_map(|half| half.to_le_bytes()).collect())
                }
                None => (name, view.dtype(), size, view.data().to_vec()),
            }
        })
        .collect();
    let views = stored
        .iter()
        .map(|(name, kind, size, data)| Ok((name.as_str(), TensorView::new(*kind, size.clone(), data)?)));
    let views = views.collect::<Result<Vec<_>, SafeTensorError>>().map_err(|error| not_written(&error))?;
    notes.insert(HASH.to_owned(), hash(views.iter().map(|(name, view)| (*name, view))));
    let mut bytes = safetensors::serialize(views, &Some(notes)).map_err(|error| not_written(&error))?;
    sort_header(&mut bytes).map_err(|error| not_written(&error))?;
    Ok(bytes)
}

#[cfg(not(target_arch = "wasm32"))]
fn not_written(error: &dyn std::fmt::Display) -> Error {
    Error::new(format!("the weights could not be written: {error}"))
}

/// Sorts the JSON header of a file. The order of the metadata comes from a `HashMap` and is different each
/// time, but the same weights should give the same page.
#[cfg(not(target_arch = "wasm32"))]
fn sort_header(bytes: &mut [u8]) -> serde_json::Result<()> {
    let (length, rest) = bytes.split_at_mut(8);
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let header = &mut rest[..length];
    let sorted: serde_json::Value = serde_json::from_slice(header)?;
    let sorted = sorted.to_string();
    header.fill(b' ');
    header[..sorted.len()].copy_from_slice(sorted.as_bytes());
    Ok(())
}

fn open(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).map_err(|error| not_read(bytes, &error))
}

/// The metadata of a file.
fn notes(bytes: &[u8]) -> Result<HashMap<String, String>> {
    let (_, head) = SafeTensors::read_metadata(bytes).map_err(|error| not_read(bytes, &error))?;
    Ok(head.metadata().clone().unwrap_or_default())
}

fn not_read(bytes: &[u8], error: &SafeTensorError) -> Error {
    let count = bytes.len();
    // `torch.save` writes a ZIP archive; its older versions wrote Python's own format, which begins with 0x80.
    if bytes.starts_with(b"PK") || bytes.starts_with(b"\x80\x02") {
        return Error::new(
            "expected a safetensors file, got one that `torch.save` wrote. In Python, \
             `safetensors.torch.save_file(net.state_dict(), \"net.safetensors\")` writes the right one",
        );
    }
    match error {
        SafeTensorError::MetadataIncompleteBuffer => Error::new(format!(
            "the file is incomplete or has too many bytes: its {count} bytes are not those that its header \
             announces. Copy or download it again"
        )),
        _ => Error::new(format!(
            "this is not a whole safetensors file ({count} bytes; {error:?}). Is it incomplete, or is it \
             another kind of file?"
        )),
    }
}

/// Checks the hash that the course writes into its files. Those of PyTorch have none.
fn check_hash(file: &SafeTensors, notes: &HashMap<String, String>) -> Result<()> {
    let Some(expected) = notes.get(HASH) else { return Ok(()) };
    let views = file.tensors();
    let found = hash(views.iter().map(|(name, view)| (name.as_str(), view)));
    if *expected == found {
        return Ok(());
    }
    Err(Error::new(format!(
        "the file was damaged or changed: expected the SHA-256 {expected} over its tensors, got {found}. \
         Copy or download the file again"
    )))
}

/// SHA-256 over names, kinds, shapes and values, sorted by name; the same as in `nchw`'s `net/weights.rs`.
fn hash<'a>(views: impl Iterator<Item = (&'a str, &'a TensorView<'a>)>) -> String {
    let mut views: Vec<_> = views.collect();
    views.sort_by_key(|(name, _)| *name);
    let mut hasher = Sha256::new();
    for (name, view) in views {
        hasher.update(format!("{name} {:?} {:?}\n", view.dtype(), view.shape()));
        hasher.update(view.data());
    }
    format!("{:x}", hasher.finalize())
}

/// The numbers of a tensor as fp32; `None` for kinds that are not floating-point numbers.
fn numbers(kind: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    let (pairs, _) = data.as_chunks();
    Some(match kind {
        Dtype::F32 => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect(),
        Dtype::F16 => pairs.iter().map(|bytes| half::f16::from_le_bytes(*bytes).to_f32()).collect(),
        Dtype::BF16 => pairs.iter().map(|bytes| half::bf16::from_le_bytes(*bytes).to_f32()).collect(),
        _ => return None,
    })
}

/// Refuses numbers that are not finite and negative variances, because all scores would be NaN.
fn check_numbers(name: &str, size: &[usize], numbers: &[f32]) -> Result<()> {
    const ADVICE: &str = "A training that diverged leaves such weights: use those of an earlier epoch, or \
                          train again with a smaller `max_lr`";
    let bad = numbers.iter().filter(|number| !number.is_finite()).count();
    if bad > 0 {
        let kind = if numbers.iter().any(|number| number.is_nan()) { "NaN" } else { "infinite numbers" };
        return Err(Error::new(format!(
            "`{name}` {size:?} holds {kind}: {bad} of its {} numbers are not finite. {ADVICE}",
            numbers.len()
        )));
    }
    if name.ends_with("running_var") && numbers.iter().any(|number| *number < 0.0) {
        return Err(Error::new(format!(
            "`{name}` holds a negative number, and a variance is never negative. {ADVICE}"
        )));
    }
    Ok(())
}
