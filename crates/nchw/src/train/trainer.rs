//! The training of the lecture's network: SGD, weights averaged over steps, a time limit.

use super::{
    batches::{Batches, Epoch},
    recipe::{Recipe, old_name},
    test_pass::TestPass,
    training::{self, Model, Position, Steps, Training},
};
use crate::{
    Error, Result,
    cuda_graph::Repeated,
    data::Dataset,
    gradient::gradients,
    net::{LectureNet, in_line, with_gap},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, time::Instant};
use tch::{Kind, Tensor};

/// The training of the lecture's network.
pub(crate) type Trainer = Training<Lecture>;

/// The lecture's network with its optimizer and its images.
pub(crate) struct Lecture {
    pub recipe: Recipe,
    train: Batches,
    test: TestPass,
    /// The name, the size and a hash of the data.
    pub data: String,
    net: LectureNet,
    /// The same network with averaged weights: this one is tested and saved.
    averaged: LectureNet,
    optimizer: Optimizer,
    /// The order of the images and their augmentation in the current epoch.
    augmented: Option<Epoch>,
    repeated: Repeated,
    /// The part of `augmented` for a step that a GPU repeats: always the same tensors.
    batch: Option<Epoch>,
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
    /// The negative learning rate of this step, and how far the averaged weights move, `[1]`. In tensors, because a GPU
    /// that repeats a recorded step reads them again, and would repeat a plain number.
    minus_lr: Tensor,
    share: Tensor,
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
        let one = |number: f64| Tensor::f_full([1], number, (Kind::Float, recipe.device));
        let (momentum, minus_lr, share) = (one(recipe.momentum)?, one(0.0)?, one(0.0)?);
        Ok(Optimizer {
            all,
            averaged,
            variables,
            gaps,
            numbers,
            velocity,
            weight_decay,
            lr_scale,
            momentum,
            minus_lr,
            share,
        })
    }

    /// Sets the learning rate of the next step, and by how much the averaged weights move towards the present ones:
    /// they are an average over the fraction `average` of all steps.
    fn prepare(&mut self, lr: f64, average: f64, steps: Steps) -> Result<()> {
        let over = average * steps.all as f64;
        // At the beginning they move further, so that the initial weights soon lose their influence.
        let share = 1.0 / over.min(steps.done as f64 / 2.0).max(1.0);
        let _ = (self.minus_lr.f_fill_(-lr)?, self.share.f_fill_(share)?);
        Ok(())
    }

    /// One step with Nesterov momentum, computed as in PyTorch; then the averaged weights follow.
    fn step(&mut self, loss: &Tensor) -> Result<()> {
        let gradients = gradients(loss, &self.variables)?;
        tch::no_grad(|| {
            let mut lines = Vec::with_capacity(2 * gradients.len());
            for (gradient, gap) in gradients.iter().zip(&self.gaps) {
                lines.extend([in_line(gradient)?, gap.shallow_clone()]);
            }
            let gradient = Tensor::f_cat(&lines, 0)?.f_addcmul(&self.numbers, &self.weight_decay)?;
            // Into the same memory, where the next step of a GPU's recording will look for it.
            let _ = gradient.f_addcmul_out(&self.velocity, &self.velocity, &self.momentum)?;
            let update = gradient.f_addcmul(&self.velocity, &self.momentum)?;
            let _ = self.numbers.f_addcmul_(&update, &self.lr_scale.f_mul(&self.minus_lr)?)?;
            let _ = self.averaged.f_lerp_tensor_(&self.all, &self.share)?;
            Ok(())
        })
    }
}

/// How many images a test classifies at once.
const TEST_BATCH: usize = 500;
/// The name of the optimizer's velocity in a checkpoint: one tensor for all parameters.
const VELOCITY: &str = "momentum";
/// How many steps are timed to find out how many epochs fit the minutes, after as many to warm up.
const TRIAL_STEPS: usize = 8;

/// How many epochs fit the remaining seconds, if each takes `epoch` seconds: at least one, and
/// only complete ones, because the last epoch, with the lowest learning rate, is the best.
fn epochs_that_fit(seconds: f64, epoch: f64, max: usize) -> usize {
    ((seconds / epoch) as usize).clamp(1, max)
}

impl Model for Lecture {
    fn start_epoch(&mut self, epoch: usize) -> Result<()> {
        // Two epochs at once would take twice the memory.
        self.augmented = None;
        self.augmented = Some(self.train.epoch(self.recipe.augmentation(), epoch)?);
        Ok(())
    }

    fn step(&mut self, from: usize, count: usize, steps: Steps) -> Result<Tensor> {
        let epoch = self.augmented.as_ref().ok_or_else(|| Error::new("the epoch has not been started"))?;
        let mut part = epoch.part(from, count)?;
        if self.repeated.is_recorded() {
            let mut batch = self.batch.take().unwrap_or_else(|| part.copy());
            batch.copy_from(&part)?;
            part = batch;
        }
        self.optimizer.prepare(self.recipe.lr(steps.fraction()), self.recipe.average, steps)?;
        let Lecture { recipe, train, net, optimizer, repeated, .. } = self;
        let state = [&optimizer.all, &optimizer.averaged, &optimizer.velocity].map(Tensor::shallow_clone);
        let results = repeated.run(&state.each_ref(), &mut || {
            let (images, labels) = train.batch(&part, recipe.precision.kind())?;
            let logits = net.forward(&images, true)?;
            training::step(&logits, &labels, recipe.label_smoothing, |loss| optimizer.step(loss))
        })?;
        self.batch = self.repeated.is_recorded().then_some(part);
        Ok(results)
    }

    fn numbers(&self) -> Vec<Tensor> {
        vec![self.optimizer.all.shallow_clone()]
    }

    /// Tests the averaged network.
    fn test(&mut self) -> Result<f64> {
        self.test.accuracy(|images| self.averaged.forward(images, false))
    }

    fn lr(&self, done: f64) -> f64 {
        self.recipe.lr(done)
    }

    fn max_lr(&self) -> (&'static str, f64) {
        ("max_lr", self.recipe.max_lr)
    }
}

impl Trainer {
    pub(crate) fn new(recipe: Recipe, data: &Dataset) -> Result<Trainer> {
        recipe.check()?;
        data.train.check("the training set")?;
        data.test.check("the test set")?;
        let device = recipe.device;
        let net = LectureNet::new(recipe.config, recipe.seed, device)?;
        let averaged = LectureNet::new(recipe.config, recipe.seed, device)?;
        let optimizer = Optimizer::new(&net, &averaged, &recipe)?;
        let train = Batches::new(&data.train, device)?;
        let test = TestPass::new(Batches::new(&data.test, device)?, TEST_BATCH, recipe.precision.kind());
        // All images are one batch if there are fewer than the batch size. An incomplete batch is
        // dropped; it has other images in every epoch.
        let batch_size = recipe.batch_size.min(train.len());
        let (epochs, images) = (recipe.epochs, train.len() / batch_size * batch_size);
        let data = fingerprint(data)?;
        let (augmented, repeated, batch) = (None, Repeated::on(device), None);
        let model =
            Lecture { recipe, train, test, data, net, averaged, optimizer, augmented, repeated, batch };
        Ok(Training::of(model, epochs, images, batch_size))
    }

    /// Decides how many epochs fit the recipe's minutes. Saving the files of an epoch takes
    /// `saving` seconds. The steps that it times are undone, so that the initial weights do
    /// not depend on the machine's speed.
    pub(crate) fn fit_minutes(&mut self, saving: f64) -> Result<()> {
        if self.model.recipe.minutes <= 0.0 || self.position != Position::default() {
            return Ok(());
        }
        let start = Instant::now();
        let before = self.weights();
        self.time_steps(TRIAL_STEPS)?;
        let step = self.time_steps(TRIAL_STEPS)?;
        let test_start = Instant::now();
        self.model.test()?;
        let epoch = step * self.steps() as f64 + test_start.elapsed().as_secs_f64() + saving;
        self.restore(&before)?;
        self.go_to(Position::default());
        let left = self.model.recipe.minutes * 60.0 - start.elapsed().as_secs_f64();
        self.epochs = epochs_that_fit(left, epoch, self.model.recipe.epochs);
        Ok(())
    }

    /// Takes `count` steps, in several epochs if one has fewer → seconds per step.
    fn time_steps(&mut self, count: usize) -> Result<f64> {
        let start = Instant::now();
        let mut left = count;
        while left > 0 {
            if self.position.step == self.steps() {
                self.go_to(Position::default());
            }
            let first = self.position.step;
            self.learn(left)?;
            left -= self.position.step - first;
        }
        Ok(start.elapsed().as_secs_f64() / count as f64)
    }

    /// The whole state of the training: tensors by name.
    pub(super) fn weights(&self) -> Vec<(String, Tensor)> {
        let copy = |tensor: &Tensor| tensor.detach().copy();
        let net = self.model.net.variables().into_iter().map(|(name, t)| (format!("net.{name}"), copy(&t)));
        let averaged = self
            .model
            .averaged
            .variables()
            .into_iter()
            .map(|(name, t)| (format!("averaged.{name}"), copy(&t)));
        net.chain(averaged).chain([(VELOCITY.to_owned(), copy(&self.model.optimizer.velocity))]).collect()
    }

    /// Restores the state that [`Trainer::weights`] returned.
    pub(super) fn restore(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        let by_name: HashMap<&str, &Tensor> = weights.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let own = self.model.net.variables().into_iter().map(|(name, t)| (format!("net.{name}"), t));
        let own = own.chain(
            self.model.averaged.variables().into_iter().map(|(name, t)| (format!("averaged.{name}"), t)),
        );
        let velocity = (VELOCITY.to_owned(), self.model.optimizer.velocity.shallow_clone());
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

    /// The network with averaged weights.
    pub(crate) fn network(&self) -> &LectureNet {
        &self.model.averaged
    }

    /// The data, the device and the precision, for people.
    pub(crate) fn about(&self) -> String {
        let data = self.model.data.rsplit_once(", ").map_or(self.model.data.as_str(), |(data, _)| data);
        let data = data.strip_suffix("pictures").map_or(data.to_owned(), |start| format!("{start}images"));
        let device = crate::device::kind(self.model.recipe.device).to_uppercase();
        format!("{data}; {device}, {}", self.model.recipe.precision)
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
            self.model.recipe.options().into_iter().map(|(name, value)| (old_name(name), value)).collect();
        format!("{options:?} {} {}", self.model.recipe.minutes, self.model.data)
    }
}

#[cfg(test)]
impl Trainer {
    pub(crate) fn trained(&self) -> &LectureNet {
        &self.model.net
    }

    pub(crate) fn unaugmented(&self) -> Result<Tensor> {
        Ok(self.model.train.plain(0, self.model.train.len(), self.model.recipe.precision.kind())?.0)
    }
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

#[cfg(test)]
mod tests {
    use super::{Trainer, epochs_that_fit};
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
}
