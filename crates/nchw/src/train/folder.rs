//! The folder of a training: the names of its files, and what earlier trainings left there.

use crate::{Error, Result, files, net::LectureNet, weights::Weights};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The file with the weights of a training that is over.
pub(super) const WEIGHTS: &str = "weights.safetensors";
/// The folder of trainings that name none, in the one where the program stands.
const RUNS: &str = "runs";
/// The folder in that of a training with the weights of each epoch: two megabytes a file.
pub(super) const EPOCHS: &str = "epochs";
/// What weights note about where they come from.
pub(super) const LEARNED: &str = "data";
pub(super) const ACCURACY: &str = "accuracy";

/// The folder for trainings that name none: the environment variable `NCHW_RUNS`, else `runs`.
pub(crate) fn runs() -> PathBuf {
    std::env::var_os("NCHW_RUNS").filter(|runs| !runs.is_empty()).unwrap_or(RUNS.into()).into()
}

/// The file with the weights after an epoch; epoch 0 is before the first.
pub(super) fn snapshot(folder: &Path, epoch: usize) -> PathBuf {
    folder.join(EPOCHS).join(format!("{epoch:04}.safetensors"))
}

/// The epochs whose weights are in a training's folder, in their order.
///
/// # Errors
/// When there are none.
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
    /// The best network that you trained on CIFAR-10 (notebook 06), where there is one.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn mine() -> Result<Option<LectureNet>> {
        best_in(&runs())
    }
}

/// The best network of a folder's trainings. A damaged one is passed over, unless it is all there is.
pub(super) fn best_in(runs: &Path) -> Result<Option<LectureNet>> {
    let accuracy = |notes: &HashMap<String, String>| {
        let learned = notes.get(LEARNED)?.starts_with("CIFAR-10");
        notes.get(ACCURACY)?.parse::<f64>().ok().filter(|_| learned)
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

/// The last two parts of a path. Notebooks are published with their output, so it must not show
/// the user's home folder.
pub(super) fn shown(folder: &Path) -> String {
    let names: Vec<_> = folder.iter().map(|name| name.to_string_lossy()).collect();
    names[names.len().saturating_sub(2)..].join("/")
}
