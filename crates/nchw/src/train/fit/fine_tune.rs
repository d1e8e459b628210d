//! Fine-tuning: a trained network learns other classes from few images.

use super::{Curve, FitSettings, backward_step, finish};
use crate::{
    Error, Result,
    data::{Dataset, Examples},
    net::LectureNet,
    train::{
        batches::{Batches, Epoch},
        report::check_examples,
        test_pass::TestPass,
        training::{self, Model, Steps, Training},
    },
};
use std::time::Instant;
use tch::{
    Device, Kind, Tensor,
    nn::{self, OptimizerConfig},
};

/// How many images a test uses at once.
const BATCH: usize = 250;

impl LectureNet {
    /// Fine-tuning, first step: trains only the head, and leaves the convolutions as they are. Prints its progress.
    ///
    /// A new head is random, and its mistakes would spoil convolutions that are trained. With Adam, and a learning rate
    /// that falls linearly to 0.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`, in both parts; other sizes if the head averages the maps
    ///
    /// # Errors
    /// If the classes of the data are not those of the network, the images have another shape or kind, a setting is
    /// out of range, or the training diverges.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let data = Dataset::animals_and_vehicles()?.first(40, 20)?;
    /// let net = LectureNet::shipped()?.with_classes(&data.classes)?;
    /// let curve = net.train_head(&data, &FitSettings { epochs: 2, ..FitSettings::default() })?;
    /// assert!(curve.last_accuracy() > 0.5);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn train_head(&self, data: &Dataset, settings: &FitSettings) -> Result<Curve> {
        fine_tune("head", self, data, settings, true)
    }

    /// Fine-tuning, second step: trains all layers. Choose a learning rate that is a tenth of the head's, so that
    /// the convolutions change only a little. Prints its progress.
    ///
    /// # Shapes
    /// As [`LectureNet::train_head`]
    ///
    /// # Errors
    /// As [`LectureNet::train_head`].
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let data = Dataset::animals_and_vehicles()?.first(40, 20)?;
    /// let net = LectureNet::shipped()?.with_classes(&data.classes)?;
    /// let settings = FitSettings { epochs: 1, learning_rate: 3e-4, flip: true, shift: 2, ..FitSettings::default() };
    /// assert_eq!(net.train_all(&data, &settings)?.loss.len(), 1);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn train_all(&self, data: &Dataset, settings: &FitSettings) -> Result<Curve> {
        fine_tune("all layers", self, data, settings, false)
    }
}

impl Examples {
    /// One of the images as a training sees it in its first `epochs` epochs: mirrored and shifted at random, as the
    /// settings say.
    ///
    /// # Shapes
    /// → `[epochs, 3, H, W]`, bytes
    ///
    /// # Errors
    /// When there is no such image, a setting is out of range, or `epochs` is not from 1 to 64.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let data = Dataset::animals_and_vehicles()?;
    /// let settings = FitSettings { flip: true, shift: 2, ..FitSettings::default() };
    /// let seen = data.train.augmented(0, &settings, 8)?;
    /// pictures("The same photo in eight epochs", &seen, &[])?;
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn augmented(&self, index: usize, settings: &FitSettings, epochs: usize) -> Result<Tensor> {
        settings.check()?;
        settings.check_shift(&self.images)?;
        self.picture(index)?;
        if !(1..=64).contains(&epochs) {
            return Err(Error::new(format!("expected 1 to 64 epochs, got {epochs}")));
        }
        let batches = Batches::new(self, Device::Cpu)?;
        let seen = (0..epochs).map(|epoch| batches.seen(settings.augmentation(), index, epoch));
        Ok(Tensor::f_cat(&seen.collect::<Result<Vec<Tensor>>>()?, 0)?)
    }
}

/// Trains the head, or all layers, and prints a line every few seconds and at the end.
fn fine_tune(
    name: &str,
    net: &LectureNet,
    data: &Dataset,
    settings: &FitSettings,
    only_head: bool,
) -> Result<Curve> {
    let start = Instant::now();
    settings.check()?;
    settings.check_shift(&data.train.images)?;
    if net.classes() != data.classes {
        return Err(Error::new(format!(
            "the classes of the network are {}, those of the data {}: `net.with_classes(&data.classes)?` gives \
             it a head for them",
            net.classes().join(", "),
            data.classes.join(", ")
        )));
    }
    check_examples("the training set", &data.train, net)?;
    check_examples("the test set", &data.test, net)?;
    let (device, weights) = (net.device(), net.store());
    let model = Tuned {
        net,
        settings,
        only_head,
        optimizer: nn::Adam::default().build(weights, settings.learning_rate)?,
        train: Batches::new(&data.train, device)?,
        test: TestPass::new(Batches::new(&data.test, device)?, BATCH, Kind::Float),
        epoch: None,
    };
    let training = Training::of(model, settings.epochs, data.train.len(), settings.batch_size);
    finish(name, training, start)
}

/// A network that is fine-tuned: Adam, and a learning rate that falls linearly to 0.
struct Tuned<'a> {
    net: &'a LectureNet,
    settings: &'a FitSettings,
    only_head: bool,
    optimizer: nn::Optimizer,
    train: Batches,
    test: TestPass,
    /// The order of the images and their augmentation in the current epoch.
    epoch: Option<Epoch>,
}

impl Model for Tuned<'_> {
    fn start_epoch(&mut self, epoch: usize) -> Result<()> {
        self.epoch = Some(self.train.epoch(self.settings.augmentation(), epoch)?);
        Ok(())
    }

    fn step(&mut self, from: usize, count: usize, steps: Steps) -> Result<Tensor> {
        let epoch = self.epoch.as_ref().ok_or_else(|| Error::new("the epoch has not been started"))?;
        let (images, labels) = self.train.batch(&epoch.part(from, count)?, Kind::Float)?;
        let logits = match self.only_head {
            true => self.net.forward_with_frozen_maps(&images)?,
            false => self.net.forward(&images, true)?,
        };
        self.optimizer.set_lr(self.lr(steps.fraction()));
        training::step(&logits, &labels, 0.0, |loss| backward_step(&mut self.optimizer, loss))
    }

    fn numbers(&self) -> Vec<Tensor> {
        self.net.store().trainable_variables()
    }

    fn test(&mut self) -> Result<f64> {
        self.test.accuracy(|images| self.net.forward(images, false))
    }

    fn lr(&self, done: f64) -> f64 {
        self.settings.learning_rate * (1.0 - done)
    }

    fn max_lr(&self) -> (&'static str, f64) {
        ("learning_rate", self.settings.learning_rate)
    }
}
