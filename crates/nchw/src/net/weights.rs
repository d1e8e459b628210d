//! Weight files: safetensors with a hash of the tensors, written completely or not at all.

use crate::{Error, Result, files};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fs, path::Path};
use tch::{Device, Kind, Tensor};

/// Tensors by name, with metadata.
pub(crate) struct Weights {
    pub tensors: Vec<(String, Tensor)>,
    pub notes: HashMap<String, String>,
}

/// The key of the hash in the metadata.
const HASH: &str = "sha256";

impl Weights {
    /// Writes the file in one step: even after a crash, a full disk or `kill -9`, nobody reads an
    /// incomplete file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let bytes =
            self.bytes().map_err(|e| Error::new(format!("{} could not be written: {e}", path.display())))?;
        files::write(path, &bytes).map_err(|e| files::not_written(path, &e))
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let stored: Vec<Stored> = self.tensors.iter().map(Stored::from_tensor).collect::<Result<_>>()?;
        let mut notes = self.notes.clone();
        notes.insert(HASH.into(), hash(stored.iter().map(Stored::parts)));
        let cannot = |e: &dyn std::fmt::Display| Error::new(e.to_string());
        let views = stored.iter().map(|s| Ok((s.name, TensorView::new(s.kind, s.size.clone(), &s.bytes)?)));
        let views: Vec<_> = views
            .collect::<std::result::Result<_, safetensors::SafeTensorError>>()
            .map_err(|e| cannot(&e))?;
        let mut bytes = safetensors::serialize(views, &Some(notes)).map_err(|e| cannot(&e))?;
        sort_header(&mut bytes).map_err(|e| cannot(&e))?;
        Ok(bytes)
    }

    /// Reads a file and checks its hash.
    ///
    /// # Errors
    /// If the file does not exist, is not a safetensors file, or is damaged.
    pub fn read(path: &Path) -> Result<Weights> {
        let bytes = fs::read(path)
            .map_err(|e| Error::new(format!("the weights {} could not be read: {e}", path.display())))?;
        Weights::parse(&bytes).map_err(|e| Error::new(format!("{}: {e}", path.display())))
    }

    /// Reads a file that is already in memory.
    pub fn parse(bytes: &[u8]) -> Result<Weights> {
        let broken = |e: safetensors::SafeTensorError| {
            Error::new(format!(
                "this is not a whole safetensors file ({} bytes; {e:?}). Is it incomplete, or is it another kind of file?",
                bytes.len()
            ))
        };
        let (_, head) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let notes = head.metadata().clone().unwrap_or_default();
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let mut views: Vec<(String, TensorView)> = file.tensors();
        views.sort_by(|(a, _), (b, _)| a.cmp(b));
        let found = hash(views.iter().map(|(name, v)| (name.as_str(), v.dtype(), v.shape(), v.data())));
        match notes.get(HASH) {
            Some(expected) if *expected != found => {
                return Err(Error::new(format!(
                    "the file was damaged or changed: expected the SHA-256 {expected} over its tensors, got {found}. \
                     Copy or download the file again"
                )));
            }
            _ => {}
        }
        let tensor = |name: &str, view: &TensorView| -> Result<Tensor> {
            let kind = kind(view.dtype()).ok_or_else(|| {
                Error::new(format!(
                    "`{name}` contains numbers of kind {:?}: expected weights of kind F32 (F16, BF16 and F64 are converted)",
                    view.dtype()
                ))
            })?;
            let size: Vec<i64> = view.shape().iter().map(|n| *n as i64).collect();
            Ok(Tensor::f_from_data_size(view.data(), &size, kind)?)
        };
        let tensors = views.iter().map(|(name, view)| Ok((name.clone(), tensor(name, view)?)));
        Ok(Weights { tensors: tensors.collect::<Result<_>>()?, notes })
    }
}

/// Sorts the JSON header of a file. The order of the metadata comes from a `HashMap` and is different
/// each time, but files with the same weights should have the same bytes.
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

/// A tensor as bytes.
struct Stored<'a> {
    name: &'a str,
    kind: Dtype,
    size: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored<'_> {
    fn from_tensor((name, tensor): &(String, Tensor)) -> Result<Stored<'_>> {
        let kind = match tensor.kind() {
            Kind::Float => Dtype::F32,
            Kind::BFloat16 => Dtype::BF16,
            Kind::Double => Dtype::F64,
            Kind::Int64 => Dtype::I64,
            other => {
                return Err(Error::new(format!(
                    "`{name}` has kind {other:?}, which weight files do not support"
                )));
            }
        };
        let plain = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let mut bytes = vec![0; plain.numel() * plain.kind().elt_size_in_bytes()];
        plain.f_copy_data_u8(&mut bytes, plain.numel())?;
        Ok(Stored { name, kind, size: plain.size().iter().map(|n| *n as usize).collect(), bytes })
    }

    fn parts(&self) -> (&str, Dtype, &[usize], &[u8]) {
        (self.name, self.kind, &self.size, &self.bytes)
    }
}

fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::F64 => Kind::Double,
        // PyTorch's counter of batches (`num_batches_tracked`).
        Dtype::I64 => Kind::Int64,
        _ => return None,
    })
}

/// The hash that a file with these tensors has.
pub(crate) fn fingerprint(tensors: &[(String, Tensor)]) -> Result<String> {
    let stored: Vec<Stored> = tensors.iter().map(Stored::from_tensor).collect::<Result<_>>()?;
    Ok(hash(stored.iter().map(Stored::parts)))
}

/// SHA-256 over names, kinds, shapes and values, sorted by name.
fn hash<'a>(tensors: impl Iterator<Item = (&'a str, Dtype, &'a [usize], &'a [u8])>) -> String {
    let mut tensors: Vec<_> = tensors.collect();
    tensors.sort_by_key(|(name, ..)| *name);
    let mut hasher = Sha256::new();
    for (name, kind, size, bytes) in tensors {
        hasher.update(format!("{name} {kind:?} {size:?}\n"));
        hasher.update(bytes);
    }
    format!("{:x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    #[test]
    fn the_same_weights_give_the_same_bytes() {
        let folder = TempFolder::new("weights-order");
        let written = |number: usize| {
            let notes = ["한", "b\"", "c", "d", "e", "f"].map(|name| (name.to_owned(), format!("{name} ×")));
            let tensors = ["b", "a"].map(|name| (name.to_owned(), Tensor::from_slice(&[1.5_f32, 2.0])));
            let file = folder.path().join(number.to_string());
            Weights { tensors: tensors.into(), notes: notes.into() }.write(&file).unwrap();
            assert_eq!(Weights::read(&file).unwrap().notes["한"], "한 ×");
            fs::read(file).unwrap()
        };
        let first = written(0);
        assert!((1..4).all(|number| written(number) == first));
    }
}
