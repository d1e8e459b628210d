//! The folder of a training: the names of its files, and the results of earlier trainings.

use crate::{Error, Result, files, net::LectureNet, weights::Weights};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The file with the weights of a completed training.
pub(super) const WEIGHTS: &str = "weights.safetensors";
/// The parent folder of trainings whose recipe names no folder, in the working directory.
const RUNS: &str = "runs";
/// The subfolder with the weights after each epoch, 2 MB per file.
pub(super) const EPOCHS: &str = "epochs";
/// The keys of a weight file's metadata: the training data, and the accuracy on the test images.
pub(super) const DATA: &str = "data";
pub(super) const ACCURACY: &str = "accuracy";

/// The parent folder of trainings whose recipe names no folder: `NCHW_RUNS` if it is set, else `runs`.
pub(crate) fn runs() -> PathBuf {
    std::env::var_os("NCHW_RUNS").filter(|runs| !runs.is_empty()).unwrap_or(RUNS.into()).into()
}

/// The file with the weights after an epoch; epoch 0 means the initial weights.
pub(super) fn snapshot(folder: &Path, epoch: usize) -> PathBuf {
    folder.join(EPOCHS).join(format!("{epoch:04}.safetensors"))
}

/// The epochs whose weights are in a training's folder, with their files, in order.
///
/// # Errors
/// If there are none.
pub(crate) fn snapshots(folder: &Path) -> Result<Vec<(usize, PathBuf)>> {
    let epoch = |file: &PathBuf| file.file_name()?.to_str()?.strip_suffix(".safetensors")?.parse().ok();
    let all = files::listed(&folder.join(EPOCHS))?;
    let mut found: Vec<_> = all.into_iter().filter_map(|file| Some((epoch(&file)?, file))).collect();
    found.sort();
    if found.is_empty() {
        return Err(Error::new(format!("there are no weights of single epochs in {}", shown(folder))));
    }
    Ok(found)
}

impl LectureNet {
    /// The best network that you trained on CIFAR-10 (notebook 06), if there is one.
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn mine() -> Result<Option<LectureNet>> {
        best_in(&runs())
    }
}

/// The most accurate network among the trainings in a folder. A damaged file is skipped; it is an
/// error only if there is no other network.
pub(super) fn best_in(runs: &Path) -> Result<Option<LectureNet>> {
    let accuracy = |notes: &HashMap<String, String>| {
        let is_cifar10 = notes.get(DATA)?.starts_with("CIFAR-10");
        notes.get(ACCURACY)?.parse::<f64>().ok().filter(|_| is_cifar10)
    };
    let (mut found, mut damaged): (Vec<(f64, PathBuf)>, _) = (Vec::new(), None);
    for file in
        files::listed(runs)?.into_iter().map(|folder| folder.join(WEIGHTS)).filter(|file| file.is_file())
    {
        match Weights::read(&file).map(|weights| accuracy(&weights.notes)) {
            Ok(Some(accuracy)) => found.push((accuracy, file)),
            Ok(None) => {}
            Err(error) => damaged = Some(error),
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, file) in found {
        match LectureNet::load(file) {
            Ok(net) => return Ok(Some(net)),
            Err(error) => damaged = Some(error),
        }
    }
    damaged.map_or(Ok(None), Err)
}

/// The last two components of a path. Notebooks are published with their outputs, which must not
/// contain the user's home folder.
pub(super) fn shown(folder: &Path) -> String {
    let names: Vec<_> = folder.iter().map(|name| name.to_string_lossy()).collect();
    names[names.len().saturating_sub(2)..].join("/")
}
