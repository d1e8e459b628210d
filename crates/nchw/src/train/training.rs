//! The training loop: epochs of steps, for the small networks and for the lecture's network.
//!
//! A training can be interrupted between any two steps. What a step does to the network is up to
//! its [`Model`].

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Instant};
use tch::{Kind, Reduction, Tensor};

/// A loss far above ln 10 = 2.3 (random guessing) means divergence, even if it is finite.
const LARGEST_LOSS: f64 = 1000.0;

/// A network, its optimizer and its images, as the loop sees them.
pub(super) trait Model {
    /// Draws the random numbers of an epoch: the order of the images, and their augmentation. They
    /// depend only on the seed and the epoch, so a resumed training draws the same.
    fn start_epoch(&mut self, epoch: usize) -> Result<()>;

    /// Takes one step with `count` images of this epoch, starting with image `from`: see [`step`].
    fn step(&mut self, from: usize, count: usize, steps: Steps) -> Result<Tensor>;

    /// All numbers of the network, to detect divergence.
    fn numbers(&self) -> Vec<Tensor>;

    /// The fraction of the test images that are classified correctly.
    fn test(&mut self) -> Result<f64>;

    /// The learning rate after this fraction of all steps, 0 to 1.
    fn lr(&self, done: f64) -> f64;

    /// The setting for the maximum learning rate: its name and its value.
    fn max_lr(&self) -> (&'static str, f64);
}

/// Changes the parameters by `update`, so that the loss of these logits falls → the loss, and how many images were
/// classified correctly. A fraction `smoothing` of the target is spread over all classes.
///
/// Reads no number, because that would wait for a GPU.
///
/// # Shapes
/// logits `[N, classes]`, labels `[N]` → `[2]`
pub(super) fn step(
    logits: &Tensor,
    labels: &Tensor,
    smoothing: f64,
    update: impl FnOnce(&Tensor) -> Result<()>,
) -> Result<Tensor> {
    let loss = logits.f_cross_entropy_loss(labels, None::<Tensor>, Reduction::Mean, -100, smoothing)?;
    update(&loss)?;
    let right = logits.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Float)?;
    Ok(Tensor::f_stack(&[loss.detach(), right], 0)?)
}

/// How many steps of a training are done, and how many there are in all epochs.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub done: usize,
    pub all: usize,
}

impl Steps {
    /// The fraction of all steps that are done, 0 to 1.
    pub fn fraction(self) -> f64 {
        self.done as f64 / self.all as f64
    }
}

/// A training between two steps.
pub(crate) struct Training<M> {
    pub model: M,
    pub epochs: usize,
    /// How many images an epoch uses, and how many a step; the last step of an epoch may use fewer.
    images: usize,
    batch_size: usize,
    pub position: Position,
    pub log: Vec<EpochLog>,
    /// Whether the model has drawn the random numbers of the current epoch.
    drawn: bool,
}

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

impl<M: Model> Training<M> {
    /// A training that has not begun: `epochs` with `images` each, `batch_size` of them in a step.
    pub fn of(model: M, epochs: usize, images: usize, batch_size: usize) -> Training<M> {
        let (position, log) = (Position::default(), vec![]);
        Training { model, epochs, images, batch_size, position, log, drawn: false }
    }

    /// Steps per epoch.
    pub fn steps(&self) -> usize {
        self.images.div_ceil(self.batch_size)
    }

    pub fn is_done(&self) -> bool {
        self.position.epoch >= self.epochs
    }

    /// The fraction of all steps that are done, 0 to 1.
    pub fn done(&self) -> f64 {
        self.all_steps().fraction()
    }

    fn all_steps(&self) -> Steps {
        let Position { epoch, step, .. } = self.position;
        Steps { done: epoch * self.steps() + step, all: self.epochs * self.steps() }
    }

    /// Continues from another position, such as that of a checkpoint.
    pub fn go_to(&mut self, position: Position) {
        (self.position, self.drawn) = (position, false);
    }

    /// Takes up to `count` steps, but stops at the end of the epoch.
    ///
    /// # Errors
    /// If the training diverges: the loss is NaN or very large.
    pub fn learn(&mut self, count: usize) -> Result<()> {
        let start = Instant::now();
        if !self.drawn {
            self.model.start_epoch(self.position.epoch)?;
            self.drawn = true;
        }
        let first = self.position.step;
        let last = first.saturating_add(count).min(self.steps());
        let mut results = Vec::with_capacity(last - first + 1);
        // Training needs gradients, even if it is called inside `tch::no_grad`.
        tch::with_grad(|| -> Result<()> {
            for step in first..last {
                let (from, count) = (step * self.batch_size, self.images_in(step));
                results.push(self.model.step(from, count, self.all_steps())?);
                self.position.step = step + 1;
            }
            Ok(())
        })?;
        tch::no_grad(|| self.add(results, first))?;
        let seconds = start.elapsed().as_secs_f64();
        self.position.seconds += seconds;
        self.position.epoch_seconds += seconds;
        self.check_loss()
    }

    /// How many images a step uses.
    fn images_in(&self, step: usize) -> usize {
        self.batch_size.min(self.images - step * self.batch_size)
    }

    /// Adds the results of the steps from `first` on. They are read together, because reading a
    /// number from a GPU waits for its computation.
    fn add(&mut self, mut results: Vec<Tensor>, first: usize) -> Result<()> {
        // A NaN among the weights may not reach the loss (see `onednn_keeps` in `net/lecture.rs`).
        for numbers in self.model.numbers() {
            results.push((numbers.f_sum(Kind::Float)? * 0.0).f_view([1])?);
        }
        let results = Vec::<f64>::try_from(Tensor::f_cat(&results, 0)?.f_to_kind(Kind::Double)?)?;
        let (of_steps, of_weights) = results.split_at(2 * (self.position.step - first));
        for (result, step) in of_steps.chunks_exact(2).zip(first..) {
            self.position.loss += result[0] * self.images_in(step) as f64;
            self.position.right += result[1];
        }
        self.position.loss += of_weights.iter().sum::<f64>();
        Ok(())
    }

    fn check_loss(&self) -> Result<()> {
        let seen = (self.position.step * self.batch_size).min(self.images);
        let mean = self.position.loss / seen as f64;
        if mean <= LARGEST_LOSS {
            return Ok(());
        }
        let (name, max_lr) = self.model.max_lr();
        Err(Error::new(format!(
            "the loss became {} in epoch {} of {}, at a learning rate of {:.3}: the training diverged. \
             Likely cause: the maximum learning rate of {max_lr} is too high; try `{name}` {}",
            if mean.is_finite() { format!("{mean:.0}") } else { mean.to_string() },
            self.position.epoch + 1,
            self.epochs,
            self.model.lr(self.done()),
            max_lr / 4.0
        )))
    }

    /// Tests the network and adds the epoch to the log.
    pub fn end_epoch(&mut self) -> Result<()> {
        let seen = self.images as f64;
        let Position { epoch, loss, right, seconds, epoch_seconds, .. } = self.position;
        self.log.push(EpochLog {
            epoch: epoch + 1,
            loss: loss / seen,
            train_accuracy: right / seen,
            accuracy: self.model.test()?,
            lr: self.model.lr(self.done()),
            seconds,
            speed: seen / epoch_seconds,
        });
        self.go_to(Position { epoch: epoch + 1, seconds, ..Position::default() });
        Ok(())
    }
}

/// A progress bar: `████░░░░░░░░░░░░░░░░`.
pub(super) fn bar(done: usize, all: usize) -> String {
    const LENGTH: usize = 20;
    let full = LENGTH * done / all;
    "█".repeat(full) + &"░".repeat(LENGTH - full)
}

/// A duration for people, such as `3 min 05 s`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

impl fmt::Display for EpochLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.3}, test {:.1} %", self.loss, 100.0 * self.accuracy)
    }
}
