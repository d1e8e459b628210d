//! Training, step by step. It can be saved between any two steps; a training that is loaded
//! again continues with exactly the same steps as one that was never interrupted.

use super::{
    batches::{Batches, Epoch, check_examples},
    folder::snapshots,
    recipe::{Recipe, old_name},
};
use crate::{
    Error, Result,
    data::Dataset,
    files,
    gradient::gradients,
    net::{LectureNet, in_line, with_gap},
    weights::Weights,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};
use tch::{Kind, Reduction, Tensor};

/// The results of one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochLog {
    /// The number of the epoch, from 1.
    pub epoch: usize,
    /// Mean loss on the training images, measured during the epoch.
    pub loss: f64,
    /// Fraction of the training images that were classified correctly, measured during the epoch.
    pub train_accuracy: f64,
    /// Fraction of the test images that the averaged weights classify correctly.
    pub accuracy: f64,
    /// The learning rate at the end of the epoch (`rate` in older logs).
    #[serde(alias = "rate")]
    pub lr: f64,
    /// Seconds of training since the start, without tests and interruptions.
    pub seconds: f64,
    /// Training images per second.
    pub speed: f64,
}

/// The log: one line of JSON per epoch.
pub(crate) const LOG: &str = "log.jsonl";

/// How far a training has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// How many epochs are complete.
    pub epoch: usize,
    /// How many steps of the current epoch are done.
    pub step: usize,
    /// The sums of the losses and of the correct predictions in the current epoch.
    loss: f64,
    right: f64,
    /// Seconds of training, in total and in the current epoch.
    pub seconds: f64,
    epoch_seconds: f64,
}

pub(crate) struct Trainer {
    pub recipe: Recipe,
    /// The number of epochs: the recipe's, or as many as fit its minutes.
    pub epochs: usize,
    train: Batches,
    test: Batches,
    data: String,
    net: LectureNet,
    /// The same network with averaged weights: this one is tested and saved.
    averaged: LectureNet,
    optimizer: Optimizer,
    pub position: Position,
    pub log: Vec<EpochLog>,
    /// The order of the images and their augmentation in the current epoch.
    augmented: Option<Epoch>,
}

/// SGD with Nesterov momentum and weight decay. All tensors of the network are stored in one
/// tensor, so that a step needs few operations.
struct Optimizer {
    /// All tensors of the network, and of the averaged network, `[numbers]`.
    all: Tensor,
    averaged: Tensor,
    /// The parameters, which come first in `all`, and the zeros between them.
    variables: Vec<Tensor>,
    gaps: Vec<Tensor>,
    /// The part of `all` with the parameters. For each of its numbers: the velocity, the
    /// weight decay, and the factor of the learning rate.
    numbers: Tensor,
    velocity: Tensor,
    weight_decay: Tensor,
    lr_scale: Tensor,
    /// The recipe's momentum, `[1]`.
    momentum: Tensor,
}

impl Optimizer {
    fn new(net: &LectureNet, averaged: &LectureNet, recipe: &Recipe) -> Result<Optimizer> {
        let ((all, parts), (averaged, _)) = (net.in_one()?, averaged.in_one()?);
        let (mut variables, mut gaps, mut weight_decay, mut lr_scale) = (vec![], vec![], vec![], vec![]);
        for (name, variable) in parts.into_iter().filter(|(_, variable)| variable.requires_grad()) {
            let full = |number: f64| with_gap(variable.f_detach()?.f_full_like(number)?);
            weight_decay.extend(full(if variable.dim() > 1 { recipe.weight_decay } else { 0.0 })?);
            let [line, gap] = full(if name.starts_with("head.") { recipe.head_lr_scale } else { 1.0 })?;
            gaps.push(gap.shallow_clone());
            lr_scale.extend([line, gap]);
            variables.push(variable);
        }
        let (weight_decay, lr_scale) = (Tensor::f_cat(&weight_decay, 0)?, Tensor::f_cat(&lr_scale, 0)?);
        let numbers = all.f_narrow(0, 0, weight_decay.numel() as i64)?;
        let velocity = numbers.f_zeros_like()?;
        let momentum = Tensor::f_full([1], recipe.momentum, (Kind::Float, recipe.device))?;
        Ok(Optimizer { all, averaged, variables, gaps, numbers, velocity, weight_decay, lr_scale, momentum })
    }

    /// One step with Nesterov momentum, computed as in PyTorch.
    fn step(&mut self, loss: &Tensor, lr: f64) -> Result<()> {
        let gradients = gradients(loss, &self.variables)?;
        tch::no_grad(|| {
            let mut lines = Vec::with_capacity(2 * gradients.len());
            for (gradient, gap) in gradients.iter().zip(&self.gaps) {
                lines.extend([in_line(gradient)?, gap.shallow_clone()]);
            }
            let gradient = Tensor::f_cat(&lines, 0)?.f_addcmul(&self.numbers, &self.weight_decay)?;
            self.velocity = gradient.f_addcmul(&self.velocity, &self.momentum)?;
            let update = gradient.f_addcmul(&self.velocity, &self.momentum)?;
            let _ = self.numbers.f_addcmul_(&update, &self.lr_scale.f_mul_scalar(-lr)?)?;
            Ok(())
        })
    }
}

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
/// The name of the optimizer's velocity in a checkpoint: one tensor for all parameters.
const VELOCITY: &str = "momentum";
/// A loss far above ln 10 = 2.3 (random guessing) means divergence, even if it is finite.
const LARGEST_LOSS: f64 = 1000.0;
/// How many steps are timed to find out how many epochs fit the minutes, after as many to warm up.
const TRIAL_STEPS: usize = 8;

/// How many epochs fit the remaining seconds, if each takes `epoch` seconds: at least one, and
/// only complete ones, because the last epoch, with the lowest learning rate, is the best.
fn epochs_that_fit(seconds: f64, epoch: f64, max: usize) -> usize {
    ((seconds / epoch) as usize).clamp(1, max)
}

impl Trainer {
    pub(crate) fn new(recipe: Recipe, data: &Dataset) -> Result<Trainer> {
        recipe.check()?;
        check_examples(&data.test)?;
        let device = recipe.device;
        let net = LectureNet::new(recipe.config, recipe.seed, device)?;
        let averaged = LectureNet::new(recipe.config, recipe.seed, device)?;
        let optimizer = Optimizer::new(&net, &averaged, &recipe)?;
        Ok(Trainer {
            epochs: recipe.epochs,
            train: Batches::new(&data.train, device)?,
            test: Batches::new(&data.test, device)?,
            data: fingerprint(data)?,
            net,
            averaged,
            optimizer,
            position: Position::default(),
            log: vec![],
            augmented: None,
            recipe,
        })
    }

    /// How many images a step uses: all of them if the data set is smaller than a batch.
    fn batch_size(&self) -> usize {
        self.recipe.batch_size.min(self.train.len())
    }

    /// Steps per epoch. The last, incomplete batch is dropped; it has other images in every epoch.
    pub(crate) fn steps(&self) -> usize {
        (self.train.len() / self.batch_size()).max(1)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.position.epoch >= self.epochs
    }

    /// The fraction of all steps that are done, 0 to 1.
    pub(crate) fn done(&self) -> f64 {
        let Position { epoch, step, .. } = self.position;
        (epoch * self.steps() + step) as f64 / (self.epochs * self.steps()) as f64
    }

    /// Takes up to `count` steps, but stops at the end of the epoch.
    ///
    /// # Errors
    /// If the training diverges: the loss is NaN or very large. The last checkpoint is kept.
    pub(crate) fn learn(&mut self, count: usize) -> Result<()> {
        let Position { epoch, step: first, .. } = self.position;
        let start = Instant::now();
        let augmented = match self.augmented.take() {
            Some(augmented) => augmented,
            None => self.train.epoch(&self.recipe, epoch)?,
        };
        let last = (first + count).min(self.steps());
        let float = (Kind::Float, self.recipe.device);
        let (mut loss, mut right) = (Tensor::f_zeros([], float)?, Tensor::f_zeros([], float)?);
        for step in first..last {
            let (step_loss, step_right) = self.step(&augmented, step)?;
            loss += step_loss;
            right += step_right;
            self.position.step = step + 1;
        }
        // A NaN among the weights may not reach the loss (see `LectureNetConfig::onednn_keeps`).
        loss += self.optimizer.all.f_sum(Kind::Float)? * 0.0;
        // Only once for all steps, because reading a number from a GPU waits for its computation.
        self.position.loss += loss.f_double_value(&[])? * self.batch_size() as f64;
        self.position.right += right.f_double_value(&[])?;
        let seconds = start.elapsed().as_secs_f64();
        self.position.seconds += seconds;
        self.position.epoch_seconds += seconds;
        self.augmented = Some(augmented);
        let mean = self.position.loss / (last * self.batch_size()) as f64;
        if mean.is_nan() || mean > LARGEST_LOSS {
            return Err(Error::new(format!(
                "the loss became {} in epoch {} of {}, at a learning rate of {:.3}: the training diverged. \
                 Likely cause: the maximum learning rate of {} is too high; try `max_lr` {}. The weights of the last \
                 complete epoch are kept",
                if mean.is_finite() { format!("{mean:.0}") } else { mean.to_string() },
                epoch + 1,
                self.epochs,
                self.recipe.lr(self.done()),
                self.recipe.max_lr,
                self.recipe.max_lr / 4.0
            )));
        }
        Ok(())
    }

    /// One step → the loss, and how many images of the batch were classified correctly.
    fn step(&mut self, augmented: &Epoch, step: usize) -> Result<(Tensor, Tensor)> {
        let Recipe { label_smoothing, precision, .. } = self.recipe;
        let lr = self.recipe.lr(self.done());
        let (images, labels) =
            self.train.batch(augmented, step * self.batch_size(), self.batch_size(), precision.kind())?;
        let logits = self.net.forward(&images, true)?;
        let loss =
            logits.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, label_smoothing)?;
        self.optimizer.step(&loss, lr)?;
        tch::no_grad(|| self.average())?;
        let right = logits.f_argmax(1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Float)?;
        Ok((loss.detach(), right))
    }

    /// Moves the averaged weights towards the present ones.
    fn average(&mut self) -> Result<()> {
        let step = self.position.epoch * self.steps() + self.position.step;
        let over = self.recipe.average * (self.epochs * self.steps()) as f64;
        // At the beginning the weight is larger, so that the initial weights soon lose their influence.
        let weight = 1.0 / over.min(step as f64 / 2.0).max(1.0);
        let _ = self.optimizer.averaged.f_lerp_(&self.optimizer.all, weight)?;
        Ok(())
    }

    /// Tests the averaged weights and adds the epoch to the log.
    pub(crate) fn end_epoch(&mut self) -> Result<()> {
        let seen = (self.steps() * self.batch_size()) as f64;
        let Position { epoch, loss, right, seconds, epoch_seconds, .. } = self.position;
        self.log.push(EpochLog {
            epoch: epoch + 1,
            loss: loss / seen,
            train_accuracy: right / seen,
            accuracy: self.test()?,
            lr: self.recipe.lr(self.done()),
            seconds,
            speed: seen / epoch_seconds,
        });
        self.position = Position { epoch: epoch + 1, seconds, ..Position::default() };
        self.augmented = None;
        Ok(())
    }

    /// The fraction of the test images that the averaged network classifies correctly.
    fn test(&self) -> Result<f64> {
        let mut right = 0;
        tch::no_grad(|| -> Result<()> {
            for from in (0..self.test.len()).step_by(500) {
                let count = 500.min(self.test.len() - from);
                let (images, labels) = self.test.plain(from, count, self.recipe.precision.kind())?;
                let predictions = self.averaged.forward(&images, false)?.f_argmax(1, false)?;
                right += predictions.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
            }
            Ok(())
        })?;
        Ok(right as f64 / self.test.len() as f64)
    }

    /// Decides how many epochs fit the recipe's minutes. Saving the files of an epoch takes
    /// `saving` seconds. The steps that it times are undone, so that the initial weights do
    /// not depend on the machine's speed.
    pub(crate) fn fit_minutes(&mut self, saving: f64) -> Result<()> {
        if self.recipe.minutes <= 0.0 || self.position != Position::default() {
            return Ok(());
        }
        let start = Instant::now();
        let before = self.weights();
        self.time_steps(TRIAL_STEPS)?;
        let step = self.time_steps(TRIAL_STEPS)?;
        let test_start = Instant::now();
        self.test()?;
        let epoch = step * self.steps() as f64 + test_start.elapsed().as_secs_f64() + saving;
        self.restore(&before)?;
        (self.position, self.augmented) = (Position::default(), None);
        let left = self.recipe.minutes * 60.0 - start.elapsed().as_secs_f64();
        self.epochs = epochs_that_fit(left, epoch, self.recipe.epochs);
        Ok(())
    }

    /// Takes `count` steps, in several epochs if one has fewer → seconds per step.
    fn time_steps(&mut self, count: usize) -> Result<f64> {
        let start = Instant::now();
        let mut left = count;
        while left > 0 {
            if self.position.step == self.steps() {
                (self.position, self.augmented) = (Position::default(), None);
            }
            let first = self.position.step;
            self.learn(left)?;
            left -= self.position.step - first;
        }
        Ok(start.elapsed().as_secs_f64() / count as f64)
    }

    /// The whole state of the training: tensors by name.
    fn weights(&self) -> Vec<(String, Tensor)> {
        let copy = |tensor: &Tensor| tensor.detach().copy();
        let net = self.net.variables().into_iter().map(|(name, t)| (format!("net.{name}"), copy(&t)));
        let averaged =
            self.averaged.variables().into_iter().map(|(name, t)| (format!("averaged.{name}"), copy(&t)));
        net.chain(averaged).chain([(VELOCITY.to_owned(), copy(&self.optimizer.velocity))]).collect()
    }

    /// Restores the state that [`Trainer::weights`] returned.
    fn restore(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        let by_name: HashMap<&str, &Tensor> = weights.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let own = self.net.variables().into_iter().map(|(name, t)| (format!("net.{name}"), t));
        let own =
            own.chain(self.averaged.variables().into_iter().map(|(name, t)| (format!("averaged.{name}"), t)));
        let velocity = (VELOCITY.to_owned(), self.optimizer.velocity.shallow_clone());
        for (name, mut tensor) in own.chain([velocity]) {
            let fits = |found: &&&Tensor| (found.size(), found.kind()) == (tensor.size(), tensor.kind());
            let Some(found) = by_name.get(name.as_str()).filter(fits) else {
                return Err(Error::new(format!(
                    "the checkpoint has no `{name}` of shape {:?} and kind {:?}: it belongs to another network",
                    tensor.size(),
                    tensor.kind()
                )));
            };
            tch::no_grad(|| tensor.f_copy_(found))?;
        }
        Ok(())
    }

    /// Writes the checkpoint and the log. A file is either written completely or not changed.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let options: BTreeMap<&str, Value> = self.recipe.options().into_iter().collect();
        let notes = json!({
            "format": FORMAT, "options": options, "epochs": self.epochs, "data": self.data,
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
        for (name, own) in self.recipe.options() {
            let found = notes.options.get(name).or_else(|| notes.options.get(old_name(name)));
            let found = found.unwrap_or(&Value::Null);
            if *found != own {
                differs.push(format!("{name} {found} there, {own} here"));
            }
        }
        if notes.data != self.data {
            differs.push(format!("the data: {} there, {} here", notes.data, self.data));
        }
        // The training in the folder had a time limit and therefore fewer epochs; this recipe has no limit.
        if self.recipe.minutes == 0.0 && notes.epochs != self.recipe.epochs {
            differs.push(format!(
                "epochs {} there, to fit its minutes, {} here",
                notes.epochs, self.recipe.epochs
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
        (self.epochs, self.position, self.log) = (notes.epochs, notes.position, notes.log);
        self.augmented = None;
        Ok(true)
    }

    /// The network with averaged weights.
    pub(crate) fn network(&self) -> &LectureNet {
        &self.averaged
    }

    /// The network with averaged weights, from a checkpoint.
    pub(crate) fn network_of(folder: &Path, recipe: &Recipe) -> Result<LectureNet> {
        let Weights { tensors, .. } = read_checkpoint(folder)?;
        let averaged =
            tensors.into_iter().filter_map(|(name, t)| Some((name.strip_prefix("averaged.")?.to_owned(), t)));
        LectureNet::from_tensors(recipe.config, &averaged.collect::<Vec<_>>(), recipe.device)
    }

    /// The data, the device and the precision, for people.
    pub(crate) fn about(&self) -> String {
        let data = self.data.rsplit_once(", ").map_or(self.data.as_str(), |(data, _)| data);
        let data = data.strip_suffix("pictures").map_or(data.to_owned(), |start| format!("{start}images"));
        let device = if self.recipe.device == tch::Device::Cpu { "CPU" } else { "CUDA" };
        format!("{data}; {device}, {}", self.recipe.precision)
    }

    /// A short hash of recipe and data, for the name of the folder.
    ///
    /// It uses the old names of options, so that a training that was started before they were
    /// renamed is found in its folder.
    pub(crate) fn identity(&self) -> String {
        format!("{:x}", Sha256::digest(self.identity_text()))[..6].to_owned()
    }

    fn identity_text(&self) -> String {
        let options: Vec<(&str, Value)> =
            self.recipe.options().into_iter().map(|(name, value)| (old_name(name), value)).collect();
        format!("{options:?} {} {}", self.recipe.minutes, self.data)
    }
}

#[cfg(test)]
impl Trainer {
    pub(crate) fn trained(&self) -> &LectureNet {
        &self.net
    }

    pub(crate) fn unaugmented(&self) -> Result<Tensor> {
        Ok(self.train.plain(0, self.train.len(), self.recipe.precision.kind())?.0)
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

/// The name and the size of a data set, and a hash of it. Checkpoints contain this text, and the
/// names of folders depend on it: it must not change.
fn fingerprint(data: &Dataset) -> Result<String> {
    let mut hasher = Sha256::new();
    for examples in [&data.train, &data.test] {
        for tensor in [&examples.images, &examples.labels] {
            let plain = tensor.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
            let mut bytes = vec![0; plain.numel() * plain.kind().elt_size_in_bytes()];
            plain.f_copy_data_u8(&mut bytes, plain.numel())?;
            hasher.update(&bytes);
        }
    }
    let hash = format!("{:x}", hasher.finalize());
    Ok(format!("{}, {} + {} pictures, {}", data.name, data.train.len(), data.test.len(), &hash[..8]))
}

impl fmt::Display for EpochLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.3}, test {:.1} %", self.loss, 100.0 * self.accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::{EpochLog, Notes, Trainer, epochs_that_fit};
    use crate::{data::Dataset, train::Recipe};

    #[test]
    fn only_complete_epochs_fit_but_at_least_one() {
        let cases = [
            // remaining seconds, seconds per epoch, epochs of the recipe → epochs
            (180.0, 30.0, 5, 5),
            (180.0, 36.0, 5, 5),
            (180.0, 36.1, 5, 4),
            (180.0, 91.0, 5, 1),
            (180.0, 1000.0, 5, 1),
            (-3.0, 30.0, 5, 1),
            (0.6, 0.004, 10_000, 150),
            (f64::INFINITY, 1.0, 7, 7),
        ];
        for (seconds, epoch, max, expected) in cases {
            assert_eq!(epochs_that_fit(seconds, epoch, max), expected, "{seconds} {epoch} {max}");
        }
    }

    #[test]
    fn the_name_of_a_folder_does_not_depend_on_renamed_options() {
        let recipe = Recipe { device: tch::Device::Cpu, ..Recipe::lecture() };
        let trainer = Trainer::new(recipe, &Dataset::shapes10(10, 10, 1).unwrap()).unwrap();
        let text = trainer.identity_text();
        for option in
            ["(\"batch\", Number(256))", "(\"peak_rate\", Number(0.3))", "(\"head_pace\", Number(0.05))"]
        {
            assert!(text.contains(option), "expected {option} in {text}");
        }
        assert!(text.contains("10 + 10 pictures") && trainer.about().contains("10 + 10 images"), "{text}");
    }

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
