//! The training itself, step by step. Between any two steps it can be written
//! to disk, and read again it does the very same steps as if nothing had happened.

use super::{
    batches::{Batches, Epoch, check_examples},
    folder::snapshots,
    recipe::Recipe,
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
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};
use tch::{Kind, Reduction, Tensor};

/// What one epoch showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochLog {
    /// Its number; the first is 1.
    pub epoch: usize,
    /// Mean loss of the training pictures, while they were learned.
    pub loss: f64,
    /// Share of training pictures answered rightly, while they were learned.
    pub train_accuracy: f64,
    /// Share of test pictures answered rightly, by the averaged weights.
    pub accuracy: f64,
    /// The step size at its end.
    pub rate: f64,
    /// Seconds of learning since the start, without the tests and the pauses.
    pub seconds: f64,
    /// Training pictures to a second.
    pub speed: f64,
}

/// The file with a line for every epoch, as JSON.
pub(crate) const LOG: &str = "log.jsonl";

/// Where a training stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Epochs that are over.
    pub epoch: usize,
    /// Steps done of the one that is not.
    pub step: usize,
    /// Loss and right answers of this epoch's pictures so far, added up.
    loss: f64,
    right: f64,
    /// Seconds of learning, all in all, and those of this epoch.
    pub seconds: f64,
    epoch_seconds: f64,
}

pub(crate) struct Trainer {
    pub recipe: Recipe,
    /// How many epochs there will be: the recipe's, or what fits its minutes.
    pub epochs: usize,
    train: Batches,
    test: Batches,
    data: String,
    net: LectureNet,
    /// The same network with averaged weights: what is tested and kept.
    averaged: LectureNet,
    learned: Learned,
    pub position: Position,
    pub log: Vec<EpochLog>,
    lots: Option<Epoch>,
}

/// What the steps change: the variables of the whole network, beside each other.
struct Learned {
    /// All that the network is, `[numbers]`, and the averages of it.
    all: Tensor,
    averaged: Tensor,
    /// The variables that learn, and what lies between them: together, the first numbers.
    variables: Vec<Tensor>,
    gaps: Vec<Tensor>,
    /// Those numbers, and for each of them: how it moves, how strongly it is drawn
    /// to 0, and what the step size is multiplied with.
    numbers: Tensor,
    velocity: Tensor,
    decay: Tensor,
    pace: Tensor,
    /// How much of a step goes on in the next one, `[1]`.
    momentum: Tensor,
}

impl Learned {
    fn new(net: &LectureNet, averaged: &LectureNet, recipe: &Recipe) -> Result<Learned> {
        let ((all, parts), (averaged, _)) = (net.in_one()?, averaged.in_one()?);
        let (mut variables, mut gaps, mut decay, mut pace) = (vec![], vec![], vec![], vec![]);
        for (name, variable) in parts.into_iter().filter(|(_, variable)| variable.requires_grad()) {
            let full = |number: f64| with_gap(variable.f_detach()?.f_full_like(number)?);
            decay.extend(full(if variable.dim() > 1 { recipe.weight_decay } else { 0.0 })?);
            let [line, gap] = full(if name.starts_with("head.") { recipe.head_pace } else { 1.0 })?;
            gaps.push(gap.shallow_clone());
            pace.extend([line, gap]);
            variables.push(variable);
        }
        let (decay, pace) = (Tensor::f_cat(&decay, 0)?, Tensor::f_cat(&pace, 0)?);
        let numbers = all.f_narrow(0, 0, decay.numel() as i64)?;
        let velocity = numbers.f_zeros_like()?;
        let momentum = Tensor::f_full([1], recipe.momentum, (Kind::Float, recipe.device))?;
        Ok(Learned { all, averaged, variables, gaps, numbers, velocity, decay, pace, momentum })
    }

    /// One step of Nesterov's momentum (as PyTorch takes it).
    fn step(&mut self, loss: &Tensor, rate: f64) -> Result<()> {
        let gradients = gradients(loss, &self.variables)?;
        tch::no_grad(|| {
            let mut lines = Vec::with_capacity(2 * gradients.len());
            for (gradient, gap) in gradients.iter().zip(&self.gaps) {
                lines.extend([in_line(gradient)?, gap.shallow_clone()]);
            }
            let gradient = Tensor::f_cat(&lines, 0)?.f_addcmul(&self.numbers, &self.decay)?;
            self.velocity = gradient.f_addcmul(&self.velocity, &self.momentum)?;
            let change = gradient.f_addcmul(&self.velocity, &self.momentum)?;
            let _ = self.numbers.f_addcmul_(&change, &self.pace.f_mul_scalar(-rate)?)?;
            Ok(())
        })
    }
}

/// The file that a training goes on from.
pub(crate) fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

/// Reads a checkpoint.
///
/// # Errors
/// When it is cut off or damaged: what can still be done.
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
             in its place. To start anew, move the folder away (`mv '{folder}' '{folder}-old'`) and run the same \
             again{kept}",
            folder = folder.display()
        ))
    })
}

/// What a checkpoint is called, so that other files are not taken for one.
const FORMAT: &str = "nchw training 2";
/// How all that learns moves, as one tensor.
const MOMENTUM: &str = "momentum";
/// Guessing costs ln 10 = 2.3; who loses more than this has lost its way, be it a number still.
const LARGEST_LOSS: f64 = 1000.0;
/// Steps by whose time the epochs that fit the minutes are judged, after as many to warm up.
const TRIAL_STEPS: usize = 8;

/// How many epochs of this length fit the seconds that are left: whole ones, because the last is
/// the best, and at least one.
fn epochs_that_fit(seconds: f64, epoch: f64, most: usize) -> usize {
    ((seconds / epoch) as usize).clamp(1, most)
}

impl Trainer {
    pub(crate) fn new(recipe: Recipe, data: &Dataset) -> Result<Trainer> {
        recipe.check()?;
        check_examples(&data.test)?;
        let device = recipe.device;
        let net = LectureNet::new(recipe.plan, recipe.seed, device)?;
        let averaged = LectureNet::new(recipe.plan, recipe.seed, device)?;
        let learned = Learned::new(&net, &averaged, &recipe)?;
        Ok(Trainer {
            epochs: recipe.epochs,
            train: Batches::new(&data.train, device)?,
            test: Batches::new(&data.test, device)?,
            data: fingerprint(data)?,
            net,
            averaged,
            learned,
            position: Position::default(),
            log: vec![],
            lots: None,
            recipe,
        })
    }

    /// Pictures of one step; a small set is one batch.
    fn batch(&self) -> usize {
        self.recipe.batch.min(self.train.len())
    }

    /// Steps of an epoch. Pictures that fill no batch are left out; others in every epoch.
    pub(crate) fn steps(&self) -> usize {
        (self.train.len() / self.batch()).max(1)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.position.epoch >= self.epochs
    }

    /// The part of all steps that is done.
    pub(crate) fn done(&self) -> f64 {
        let Position { epoch, step, .. } = self.position;
        (epoch * self.steps() + step) as f64 / (self.epochs * self.steps()) as f64
    }

    /// Takes up to `count` steps, to the end of the epoch at most.
    ///
    /// # Errors
    /// When the loss is no number any more; the last checkpoint is untouched.
    pub(crate) fn learn(&mut self, count: usize) -> Result<()> {
        let Position { epoch, step: first, .. } = self.position;
        let start = Instant::now();
        let lots = match self.lots.take() {
            Some(lots) => lots,
            None => self.train.epoch(&self.recipe, epoch)?,
        };
        let last = (first + count).min(self.steps());
        let float = (Kind::Float, self.recipe.device);
        let (mut loss, mut right) = (Tensor::f_zeros([], float)?, Tensor::f_zeros([], float)?);
        for step in first..last {
            let (step_loss, step_right) = self.step(&lots, step)?;
            loss += step_loss;
            right += step_right;
            self.position.step = step + 1;
        }
        // A weight that is no number may not show in the loss (see `LectureNetConfig::onednn_keeps`).
        loss += self.learned.all.f_sum(Kind::Float)? * 0.0;
        // Once for all steps: on a GPU, looking at a number means waiting for it.
        self.position.loss += loss.f_double_value(&[])? * self.batch() as f64;
        self.position.right += right.f_double_value(&[])?;
        let seconds = start.elapsed().as_secs_f64();
        self.position.seconds += seconds;
        self.position.epoch_seconds += seconds;
        self.lots = Some(lots);
        let mean = self.position.loss / (last * self.batch()) as f64;
        if mean.is_nan() || mean > LARGEST_LOSS {
            return Err(Error::new(format!(
                "the loss became {} in epoch {} of {}, at a step size of {:.3}: the steps were too large. \
                 Likely the peak rate of {} is too high: try {}. The weights of the last whole epoch are kept",
                if mean.is_finite() { format!("{mean:.0}") } else { mean.to_string() },
                epoch + 1,
                self.epochs,
                self.recipe.rate(self.done()),
                self.recipe.peak_rate,
                self.recipe.peak_rate / 4.0
            )));
        }
        Ok(())
    }

    /// One step → the loss and how many of the batch were answered rightly.
    fn step(&mut self, lots: &Epoch, step: usize) -> Result<(Tensor, Tensor)> {
        let Recipe { label_smoothing, precision, .. } = self.recipe;
        let rate = self.recipe.rate(self.done());
        let (pictures, labels) =
            self.train.batch(lots, step * self.batch(), self.batch(), precision.kind())?;
        let logits = self.net.forward(&pictures, true)?;
        let loss =
            logits.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, label_smoothing)?;
        self.learned.step(&loss, rate)?;
        tch::no_grad(|| self.average())?;
        let right = logits.f_argmax(1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Float)?;
        Ok((loss.detach(), right))
    }

    /// Moves the averaged network towards the one that learns.
    fn average(&mut self) -> Result<()> {
        let step = self.position.epoch * self.steps() + self.position.step;
        let over = self.recipe.average * (self.epochs * self.steps()) as f64;
        // In the beginning the mean of all, or the first weights would weigh most.
        let weight = 1.0 / over.min(step as f64 / 2.0).max(1.0);
        let _ = self.learned.averaged.f_lerp_(&self.learned.all, weight)?;
        Ok(())
    }

    /// Tests what was learned, and writes the epoch's line of the log.
    pub(crate) fn end_epoch(&mut self) -> Result<()> {
        let seen = (self.steps() * self.batch()) as f64;
        let Position { epoch, loss, right, seconds, epoch_seconds, .. } = self.position;
        self.log.push(EpochLog {
            epoch: epoch + 1,
            loss: loss / seen,
            train_accuracy: right / seen,
            accuracy: self.test()?,
            rate: self.recipe.rate(self.done()),
            seconds,
            speed: seen / epoch_seconds,
        });
        self.position = Position { epoch: epoch + 1, seconds, ..Position::default() };
        self.lots = None;
        Ok(())
    }

    /// The share of test pictures that the averaged network answers rightly.
    fn test(&self) -> Result<f64> {
        let mut right = 0;
        tch::no_grad(|| -> Result<()> {
            for from in (0..self.test.len()).step_by(500) {
                let count = 500.min(self.test.len() - from);
                let (pictures, labels) = self.test.plain(from, count, self.recipe.precision.kind())?;
                let answers = self.averaged.forward(&pictures, false)?.f_argmax(1, false)?;
                right += answers.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
            }
            Ok(())
        })?;
        Ok(right as f64 / self.test.len() as f64)
    }

    /// Settles how many epochs fit the recipe's minutes, if keeping what an epoch leaves takes
    /// `saving` seconds. The steps it tries are taken back: another machine's speed must not
    /// change the first weights.
    pub(crate) fn fit_minutes(&mut self, saving: f64) -> Result<()> {
        if self.recipe.minutes <= 0.0 || self.position != Position::default() {
            return Ok(());
        }
        let start = Instant::now();
        let before = self.weights();
        self.try_steps(TRIAL_STEPS)?;
        let step = self.try_steps(TRIAL_STEPS)?;
        let testing = Instant::now();
        self.test()?;
        let epoch = step * self.steps() as f64 + testing.elapsed().as_secs_f64() + saving;
        self.restore(&before)?;
        (self.position, self.lots) = (Position::default(), None);
        let left = self.recipe.minutes * 60.0 - start.elapsed().as_secs_f64();
        self.epochs = epochs_that_fit(left, epoch, self.recipe.epochs);
        Ok(())
    }

    /// Takes `count` steps, of several epochs where one has fewer → seconds for each.
    fn try_steps(&mut self, count: usize) -> Result<f64> {
        let start = Instant::now();
        let mut left = count;
        while left > 0 {
            if self.position.step == self.steps() {
                (self.position, self.lots) = (Position::default(), None);
            }
            let first = self.position.step;
            self.learn(left)?;
            left -= self.position.step - first;
        }
        Ok(start.elapsed().as_secs_f64() / count as f64)
    }

    /// Everything that a training is, as tensors by name.
    fn weights(&self) -> Vec<(String, Tensor)> {
        let copy = |tensor: &Tensor| tensor.detach().copy();
        let net = self.net.variables().into_iter().map(|(name, t)| (format!("net.{name}"), copy(&t)));
        let averaged =
            self.averaged.variables().into_iter().map(|(name, t)| (format!("averaged.{name}"), copy(&t)));
        net.chain(averaged).chain([(MOMENTUM.to_owned(), copy(&self.learned.velocity))]).collect()
    }

    /// Puts tensors back where [`Trainer::weights`] took them from.
    fn restore(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        let by_name: HashMap<&str, &Tensor> = weights.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let own = self.net.variables().into_iter().map(|(name, t)| (format!("net.{name}"), t));
        let own =
            own.chain(self.averaged.variables().into_iter().map(|(name, t)| (format!("averaged.{name}"), t)));
        let velocity = (MOMENTUM.to_owned(), self.learned.velocity.shallow_clone());
        for (name, mut place) in own.chain([velocity]) {
            let fits = |found: &&&Tensor| (found.size(), found.kind()) == (place.size(), place.kind());
            let Some(found) = by_name.get(name.as_str()).filter(fits) else {
                return Err(Error::new(format!(
                    "the checkpoint has no `{name}` of shape {:?} and kind {:?}: it belongs to another network",
                    place.size(),
                    place.kind()
                )));
            };
            tch::no_grad(|| place.f_copy_(found))?;
        }
        Ok(())
    }

    /// Writes the checkpoint and the log, both whole or not at all.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let choices: serde_json::Map<String, Value> =
            self.recipe.choices().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let notes = json!({
            "format": FORMAT, "choices": choices, "epochs": self.epochs, "data": self.data,
            "position": self.position, "log": self.log,
        });
        let notes = HashMap::from([("training".to_owned(), notes.to_string())]);
        Weights { tensors: self.weights(), notes }.write(&checkpoint(folder))?;
        let lines: Vec<String> = self.log.iter().map(|line| json!(line).to_string() + "\n").collect();
        let log = folder.join(LOG);
        files::write(&log, lines.concat().as_bytes()).map_err(|e| files::not_written(&log, &e))
    }

    /// Goes on where a checkpoint was written; without one, does nothing and returns false.
    ///
    /// # Errors
    /// When the checkpoint belongs to another recipe or other data (the message
    /// says what differs), or cannot be read.
    pub(crate) fn resume(&mut self, folder: &Path) -> Result<bool> {
        let path = checkpoint(folder);
        let there = path.try_exists();
        if !there.map_err(|e| Error::new(format!("{} could not be read: {e}", path.display())))? {
            return Ok(false);
        }
        let Weights { tensors, notes } = read_checkpoint(folder)?;
        let not_ours = || {
            Error::new(format!(
                "{} is no checkpoint of a training, or one of another version of this course: \
                 choose another folder, or move this one away",
                path.display()
            ))
        };
        let notes: Notes = notes
            .get("training")
            .and_then(|text| serde_json::from_str(text).ok())
            .filter(|notes: &Notes| notes.format == FORMAT)
            .ok_or_else(not_ours)?;
        let mut differs: Vec<String> = Vec::new();
        for (name, mine) in self.recipe.choices() {
            let theirs = notes.choices.get(name).unwrap_or(&Value::Null);
            if *theirs != mine {
                differs.push(format!("{name} {theirs} there, {mine} here"));
            }
        }
        if notes.data != self.data {
            differs.push(format!("the data: {} there, {} here", notes.data, self.data));
        }
        // There, the epochs were cut to fit minutes that this recipe does not have.
        if self.recipe.minutes == 0.0 && notes.epochs != self.recipe.epochs {
            differs.push(format!(
                "epochs {} there, to fit its minutes, {} here",
                notes.epochs, self.recipe.epochs
            ));
        }
        if !differs.is_empty() {
            return Err(Error::new(format!(
                "{} holds a training by another recipe: {}. Give this one a folder of its own, or delete that one",
                folder.display(),
                differs.join("; ").replace('"', "")
            )));
        }
        self.restore(&tensors)?;
        (self.epochs, self.position, self.log) = (notes.epochs, notes.position, notes.log);
        self.lots = None;
        Ok(true)
    }

    /// The network with averaged weights.
    pub(crate) fn network(&self) -> &LectureNet {
        &self.averaged
    }

    /// The same of a checkpoint.
    pub(crate) fn network_of(folder: &Path, recipe: &Recipe) -> Result<LectureNet> {
        let Weights { tensors, .. } = read_checkpoint(folder)?;
        let averaged =
            tensors.into_iter().filter_map(|(name, t)| Some((name.strip_prefix("averaged.")?.to_owned(), t)));
        LectureNet::from_tensors(recipe.plan, &averaged.collect::<Vec<_>>(), recipe.device)
    }

    /// What it learns from, where, and in which numbers.
    pub(crate) fn about(&self) -> String {
        let data = self.data.rsplit_once(", ").map_or(self.data.as_str(), |(data, _)| data);
        let device = if self.recipe.device == tch::Device::Cpu { "CPU" } else { "CUDA" };
        format!("{data}; {device}, {}", self.recipe.precision)
    }

    /// What tells this training from others: by recipe and by data.
    pub(crate) fn identity(&self) -> String {
        let text = format!("{:?} {} {}", self.recipe.choices(), self.recipe.minutes, self.data);
        format!("{:x}", Sha256::digest(text))[..6].to_owned()
    }
}

#[cfg(test)]
impl Trainer {
    pub(crate) fn learning(&self) -> &LectureNet {
        &self.net
    }

    pub(crate) fn seen_plainly(&self) -> Result<Tensor> {
        Ok(self.train.plain(0, self.train.len(), self.recipe.precision.kind())?.0)
    }
}

/// What stands beside the tensors of a checkpoint.
#[derive(Deserialize)]
struct Notes {
    format: String,
    choices: serde_json::Map<String, Value>,
    epochs: usize,
    data: String,
    position: Position,
    log: Vec<EpochLog>,
}

/// The name of a data set and a number that other pictures would not give.
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
    use super::epochs_that_fit;

    #[test]
    fn whole_epochs_that_fit_and_at_least_one() {
        let cases = [
            // seconds left, seconds an epoch takes, epochs of the recipe → epochs
            (180.0, 30.0, 5, 5),
            (180.0, 36.0, 5, 5),
            (180.0, 36.1, 5, 4),
            (180.0, 91.0, 5, 1),
            (180.0, 1000.0, 5, 1),
            (-3.0, 30.0, 5, 1),
            (0.6, 0.004, 10_000, 150),
            (f64::INFINITY, 1.0, 7, 7),
        ];
        for (seconds, epoch, most, expected) in cases {
            assert_eq!(epochs_that_fit(seconds, epoch, most), expected, "{seconds} {epoch} {most}");
        }
    }
}
