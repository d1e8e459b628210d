//! The checkpoint of a training. A training that resumes from it continues with exactly the same
//! steps as one that was never interrupted.

use super::{
    folder::snapshots,
    recipe::{Recipe, old_name},
    trainer::Trainer,
    training::{EpochLog, Position},
};
use crate::{Error, Result, files, net::LectureNet, weights::Weights};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// The log: one line of JSON per epoch.
pub(crate) const LOG: &str = "log.jsonl";

/// The file from which a training resumes.
pub(crate) fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

/// Reads a checkpoint.
///
/// # Errors
/// If it is incomplete or damaged. The message says what to do.
fn read_checkpoint(folder: &Path) -> Result<Weights> {
    let path = checkpoint(folder);
    Weights::read(&path).map_err(|error| {
        let kept = snapshots(folder).ok().and_then(|epochs| epochs.last().cloned());
        let kept = kept.map_or(String::new(), |(epoch, file)| {
            format!(
                ". The weights after epoch {epoch} are in {}: `LectureNet::load` and `nchw eval --weights` read \
                 them, but a training cannot resume from them",
                file.display()
            )
        });
        Error::new(format!(
            "the training cannot resume from its checkpoint: {error}. If you have an older copy of this file, put it \
             in its place. To start from the beginning, move the folder away (`mv '{folder}' '{folder}-old'`) and \
             run the same again{kept}",
            folder = folder.display()
        ))
    })
}

/// The format of a checkpoint; other files and other versions are refused.
const FORMAT: &str = "nchw training 2";

impl Trainer {
    /// Writes the checkpoint and the log. A file is either written completely or not changed.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let options: BTreeMap<&str, Value> = self.model.recipe.options().into_iter().collect();
        let notes = json!({
            "format": FORMAT, "options": options, "epochs": self.epochs, "data": self.model.data,
            "position": self.position, "log": self.log,
        });
        let notes = HashMap::from([("training".to_owned(), notes.to_string())]);
        Weights { tensors: self.weights(), notes }.write(&checkpoint(folder))?;
        let lines: Vec<String> = self.log.iter().map(|line| json!(line).to_string() + "\n").collect();
        let log = folder.join(LOG);
        files::write(&log, lines.concat().as_bytes()).map_err(|e| files::not_written(&log, &e))
    }

    /// Resumes from the checkpoint in this folder; if there is none, does nothing and returns false.
    ///
    /// # Errors
    /// If the checkpoint belongs to another recipe or to other data (the message says what
    /// differs), or cannot be read.
    pub(crate) fn resume(&mut self, folder: &Path) -> Result<bool> {
        let path = checkpoint(folder);
        let exists = path.try_exists();
        if !exists.map_err(|e| Error::new(format!("{} could not be read: {e}", path.display())))? {
            return Ok(false);
        }
        let Weights { tensors, notes } = read_checkpoint(folder)?;
        let unknown_format = || {
            Error::new(format!(
                "{} is not a checkpoint of a training, or it is one of another version of this course: \
                 choose another folder, or move this one away",
                path.display()
            ))
        };
        let notes: Notes = notes
            .get("training")
            .and_then(|text| serde_json::from_str(text).ok())
            .filter(|notes: &Notes| notes.format == FORMAT)
            .ok_or_else(unknown_format)?;
        let mut differs: Vec<String> = Vec::new();
        for (name, own) in self.model.recipe.options() {
            let found = notes.options.get(name).or_else(|| notes.options.get(old_name(name)));
            let found = found.unwrap_or(&Value::Null);
            if *found != own {
                differs.push(format!("{name} {found} there, {own} here"));
            }
        }
        if notes.data != self.model.data {
            differs.push(format!("the data: {} there, {} here", notes.data, self.model.data));
        }
        // The training in the folder had a time limit and therefore fewer epochs; this recipe has no limit.
        if self.model.recipe.minutes == 0.0 && notes.epochs != self.model.recipe.epochs {
            differs.push(format!(
                "epochs {} there, to fit its minutes, {} here",
                notes.epochs, self.model.recipe.epochs
            ));
        }
        if !differs.is_empty() {
            return Err(Error::new(format!(
                "{} contains a training with another recipe: {}. Choose another folder for this training, \
                 or delete that one",
                folder.display(),
                differs.join("; ").replace('"', "")
            )));
        }
        self.restore(&tensors)?;
        (self.epochs, self.log) = (notes.epochs, notes.log);
        self.go_to(notes.position);
        Ok(true)
    }

    /// The network with averaged weights, from a checkpoint.
    pub(crate) fn network_of(folder: &Path, recipe: &Recipe) -> Result<LectureNet> {
        let Weights { tensors, .. } = read_checkpoint(folder)?;
        let averaged =
            tensors.into_iter().filter_map(|(name, t)| Some((name.strip_prefix("averaged.")?.to_owned(), t)));
        LectureNet::from_tensors(recipe.config, &averaged.collect::<Vec<_>>(), recipe.device)
    }
}

/// The metadata of a checkpoint. `choices` is the old name of `options`.
#[derive(Deserialize)]
struct Notes {
    format: String,
    #[serde(alias = "choices")]
    options: serde_json::Map<String, Value>,
    epochs: usize,
    data: String,
    position: Position,
    log: Vec<EpochLog>,
}

#[cfg(test)]
mod tests {
    use super::{EpochLog, Notes};

    #[test]
    fn logs_and_checkpoints_with_old_names_are_read() {
        let log = r#"{"epoch":1,"loss":2.0,"train_accuracy":0.2,"accuracy":0.3,
            "rate":0.15,"seconds":9.5,"speed":80.0}"#;
        let line: EpochLog = serde_json::from_str(log).unwrap();
        assert_eq!((line.epoch, line.lr), (1, 0.15));
        let new = serde_json::to_string(&line).unwrap();
        assert!(new.contains("\"lr\":0.15"), "{new}");
        assert_eq!(serde_json::from_str::<EpochLog>(&new).unwrap(), line);
        let position = r#"{"epoch":1,"step":0,"loss":0.0,"right":0.0,"seconds":9.5,"epoch_seconds":0.0}"#;
        let notes = format!(
            r#"{{"format":"nchw training 2","choices":{{"peak_rate":0.3}},"epochs":7,"data":"x",
                "position":{position},"log":[{log}]}}"#
        );
        let notes: Notes = serde_json::from_str(&notes).unwrap();
        assert_eq!((&notes.options["peak_rate"], notes.log), (&serde_json::json!(0.3), vec![line]));
    }
}
