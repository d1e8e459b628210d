//! Training small networks, such as the two of notebook 01 or a learner's own.

use super::training::{EpochLog, Model, Steps, Training};
use crate::{
    Error, Result,
    check::{check_classes, check_labels},
    data::Examples,
    gradient::check_graph,
    net::{SmallNet, small_net::accuracy},
    random::Rng,
    runtime::caught,
    shapes::times,
};
use std::time::Instant;
use tch::{
    Kind, Tensor,
    nn::{self, OptimizerConfig},
};

/// More epochs would take hours.
const MAX_EPOCHS: usize = 10_000;

/// How to train a small network with [`fit`], [`SmallNet::train`] or
/// [`shuffled_pixels`](super::shuffled_pixels); notebook 01 uses the default.
///
/// ```
/// use nchw::prelude::*;
/// let settings = FitSettings { epochs: 2, ..FitSettings::default() };
/// assert_eq!(settings.epochs, 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FitSettings {
    /// How many times the training sees every image.
    pub epochs: usize,
    /// How many images a step uses.
    pub batch_size: usize,
    /// Adam's learning rate at the start; it falls linearly to 0.
    pub learning_rate: f64,
    /// The seed of the order of the images. `shuffled_pixels` also takes the initial weights and the
    /// permutation from it.
    pub seed: u64,
}

impl Default for FitSettings {
    fn default() -> FitSettings {
        FitSettings { epochs: 12, batch_size: 64, learning_rate: 3e-3, seed: 1 }
    }
}

impl FitSettings {
    pub(super) fn check(&self) -> Result<()> {
        if self.epochs == 0 || self.batch_size == 0 {
            return Err(Error::new(format!(
                "expected at least 1 epoch and a batch size of at least 1; got epochs = {}, batch_size = {}",
                self.epochs, self.batch_size
            )));
        }
        if self.epochs > MAX_EPOCHS {
            return Err(Error::new(format!(
                "expected at most {MAX_EPOCHS} epochs, which take hours; got epochs = {}",
                self.epochs
            )));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return Err(Error::new(format!(
                "expected a learning rate above 0 and up to 1, such as 0.003; got {}",
                self.learning_rate
            )));
        }
        Ok(())
    }
}

/// The results of one training, a value per epoch.
///
/// ```
/// use nchw::prelude::*;
/// let data = Shapes10::draw(20, 1)?;
/// let settings = FitSettings { epochs: 1, ..FitSettings::default() };
/// let curve: Curve = SmallNet::cnn(1).train("CNN", &data, &data, &settings)?;
/// assert_eq!(curve.accuracy.len(), 1);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The network and the data, such as "CNN, plain pixels".
    pub name: String,
    /// Mean cross-entropy on the training images, measured during the epoch.
    pub loss: Vec<f64>,
    /// Fraction of the training images that were classified correctly, measured during the epoch.
    pub train_accuracy: Vec<f64>,
    /// Fraction of the test images that are classified correctly after the epoch, 0 to 1.
    pub accuracy: Vec<f64>,
    /// How long the training took, in seconds.
    pub seconds: f64,
}

impl Curve {
    /// Test accuracy after the last epoch.
    pub fn last_accuracy(&self) -> f64 {
        self.accuracy.last().copied().unwrap_or(0.0)
    }
}

/// Trains a network of your own with Adam: any module of tch that gives one score per class. Tests it
/// after every epoch, and prints a line per epoch. `name` is the name of the curve.
///
/// `weights` is the `VarStore` in which the layers were created. If `fit` is called again, it continues
/// with the present weights.
///
/// # Shapes
/// `images` `[N, …]`, of any shape that the network accepts, `labels` `[N]`. Bytes are scaled to 0 to 1.
///
/// # Errors
/// If the network does not accept the images or gives no scores, `weights` has no parameters, there is
/// not one label for each image, a setting is out of range, or the training diverges.
///
/// ```
/// use nchw::prelude::*;
/// use tch::nn;
/// // Bright images are of class 1, dark ones of class 0.
/// let labels = Tensor::from_slice(&[0i64, 1].repeat(20));
/// let images = labels.view([40, 1, 1, 1]).expand([40, 1, 8, 8], false).to_kind(Kind::Float);
/// let data = Examples { images, labels };
/// let vs = nn::VarStore::new(Device::Cpu);
/// let net = nn::seq()
///     .add(nn::conv2d(vs.root(), 1, 2, 3, Default::default()))
///     .add_fn(|maps| maps.mean_dim([2i64, 3].as_slice(), false, Kind::Float));
/// let settings = FitSettings { epochs: 20, batch_size: 10, learning_rate: 0.1, seed: 1 };
/// let curve = fit("brightness", &net, &vs, &data, &data, &settings)?;
/// assert_eq!(curve.last_accuracy(), 1.0);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn fit(
    name: &str,
    net: &impl nn::Module,
    weights: &nn::VarStore,
    train: &Examples,
    test: &Examples,
    settings: &FitSettings,
) -> Result<Curve> {
    settings.check()?;
    if weights.trainable_variables().is_empty() {
        return Err(Error::new(
            "this VarStore has no parameters: pass the one in which the layers of the network were created",
        ));
    }
    let logits = |images: &Tensor| -> Result<Tensor> {
        let images = match images.kind() {
            Kind::Uint8 => images.f_to_kind(Kind::Float)? / 255.0,
            _ => images.shallow_clone(),
        };
        caught(|| net.forward(&images)).map_err(|message| {
            let sizes: Vec<u64> = images.size().iter().map(|size| *size as u64).collect();
            Error::new(format!(
                "the network does not accept images of {} (kind {:?}): {message}\n\
                 `summary` runs it layer by layer and says which layer failed, and why",
                times(&sizes),
                images.kind()
            ))
        })
    };
    for (what, data) in [("the training set", train), ("the test set", test)] {
        check_labels(what, &data.images, &data.labels)?;
        let scores = tch::no_grad(|| logits(&data.images.f_narrow(0, 0, 1)?))?;
        let &[1, classes] = &scores.size()[..] else {
            return Err(Error::new(format!(
                "expected one score per class from the network, for one image a shape of [1, classes]; \
                 got {:?}. Does it end with `nn::linear`, or with the mean over rows and columns?",
                scores.size()
            )));
        };
        check_classes(what, &data.labels, classes)?;
    }
    let device = weights.device();
    run(name, &logits, weights, &train.to_device(device)?, &test.to_device(device)?, settings)
}

impl SmallNet {
    /// Trains on `train`, tests on `test` after every epoch, and prints a line per epoch. `name` is
    /// the name of the curve.
    ///
    /// If it is called again, it continues with the present weights.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`, in both
    ///
    /// # Errors
    /// If the images or the labels have another shape or kind, a label is not from 0 to 9, or a
    /// setting is out of range.
    ///
    /// # Source
    /// Lecture part 1.
    pub fn train(
        &self,
        name: &str,
        train: &Examples,
        test: &Examples,
        settings: &FitSettings,
    ) -> Result<Curve> {
        settings.check()?;
        train.check("the training set")?;
        test.check("the test set")?;
        run(name, &|images| self.logits(images), &self.weights, train, test, settings)
    }
}

/// Trains a network that computes `logits`, and prints a line per epoch.
fn run(
    name: &str,
    logits: &dyn Fn(&Tensor) -> Result<Tensor>,
    weights: &nn::VarStore,
    train: &Examples,
    test: &Examples,
    settings: &FitSettings,
) -> Result<Curve> {
    let start = Instant::now();
    let model = Small {
        logits,
        weights,
        optimizer: nn::Adam::default().build(weights, settings.learning_rate)?,
        train,
        test,
        settings,
        order: Tensor::new(),
    };
    let mut training = Training::of(model, settings.epochs, train.len(), settings.batch_size);
    while !training.is_done() {
        training.learn(usize::MAX)?;
        training.end_epoch()?;
        if let Some(last) = training.log.last() {
            println!(
                "{name}: epoch {:2} of {}, loss {:.3}, test accuracy {:5.1} %, {:.1} s",
                last.epoch,
                settings.epochs,
                last.loss,
                100.0 * last.accuracy,
                start.elapsed().as_secs_f64()
            );
        }
    }
    let each = |value: fn(&EpochLog) -> f64| training.log.iter().map(value).collect();
    Ok(Curve {
        name: name.to_owned(),
        loss: each(|epoch| epoch.loss),
        train_accuracy: each(|epoch| epoch.train_accuracy),
        accuracy: each(|epoch| epoch.accuracy),
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// A small network in training: Adam, and a learning rate that falls linearly to 0.
struct Small<'a> {
    logits: &'a dyn Fn(&Tensor) -> Result<Tensor>,
    weights: &'a nn::VarStore,
    optimizer: nn::Optimizer,
    train: &'a Examples,
    test: &'a Examples,
    settings: &'a FitSettings,
    /// The order of the training images in the current epoch.
    order: Tensor,
}

impl Model for Small<'_> {
    fn start_epoch(&mut self, epoch: usize) -> Result<()> {
        let order = Rng::new(self.settings.seed, 1 + epoch as u64).order(self.train.len());
        self.order = Tensor::f_from_slice(&order)?.f_to_device(self.train.images.device())?;
        Ok(())
    }

    fn logits(&self, from: usize, count: usize) -> Result<(Tensor, Tensor)> {
        let indices = self.order.f_narrow(0, from as i64, count as i64)?;
        let images = self.train.images.f_index_select(0, &indices)?;
        Ok(((self.logits)(&images)?, self.train.labels.f_index_select(0, &indices)?))
    }

    fn update(&mut self, loss: &Tensor, steps: Steps) -> Result<()> {
        check_graph(loss)?;
        self.optimizer.set_lr(self.lr(steps.fraction()));
        self.optimizer.backward_step(loss);
        Ok(())
    }

    fn numbers(&self) -> Vec<Tensor> {
        self.weights.trainable_variables()
    }

    fn test(&self) -> Result<f64> {
        accuracy(self.test, self.logits)
    }

    fn lr(&self, done: f64) -> f64 {
        self.settings.learning_rate * (1.0 - done)
    }

    fn max_lr(&self) -> (&'static str, f64) {
        ("learning_rate", self.settings.learning_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shapes10;
    use tch::Device;

    #[test]
    fn training_gives_the_same_inside_no_grad() {
        let data = Shapes10::draw(30, 1).unwrap();
        let settings = FitSettings { epochs: 2, batch_size: 8, ..FitSettings::default() };
        let train = || SmallNet::mlp(3).train("MLP", &data, &data, &settings).unwrap().loss;
        let expected = train();
        assert!(expected[1] < expected[0], "{expected:?}");
        assert_eq!(tch::no_grad(train), expected);
        let _guard = tch::no_grad_guard();
        assert_eq!(train(), expected);
    }

    #[test]
    fn a_loss_that_is_not_a_number_ends_the_training() {
        let data = Shapes10::draw(16, 1).unwrap();
        let net = SmallNet::mlp(3);
        for mut variable in net.weights.trainable_variables() {
            let _ = tch::no_grad(|| variable.fill_(f64::INFINITY));
        }
        let error = net.train("MLP", &data, &data, &FitSettings::default()).unwrap_err().to_string();
        assert!(error.contains("the loss became NaN in epoch 1 of 12"), "{error}");
        assert!(error.contains("rate of 0.003 is too high; try `learning_rate` 0.00075"), "{error}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let data = Shapes10::draw(20, 1).unwrap();
        let default = FitSettings::default;
        let cases = [
            (
                FitSettings { epochs: 0, ..default() },
                "expected at least 1 epoch and a batch size of at least 1; got epochs = 0, batch_size = 64",
            ),
            (
                FitSettings { epochs: usize::MAX, ..default() },
                "expected at most 10000 epochs, which take hours; got epochs = 18446744073709551615",
            ),
            (
                FitSettings { learning_rate: -1.0, ..default() },
                "expected a learning rate above 0 and up to 1, such as 0.003; got -1",
            ),
        ];
        for (settings, expected) in cases {
            let error = SmallNet::mlp(1).train("x", &data, &data, &settings).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    /// Images and labels for [`fit`]: bright images are of class 1, dark ones of class 0.
    fn brightness(labels: &[i64], side: i64) -> Examples {
        let labels = Tensor::from_slice(labels);
        let images = labels.view([-1, 1, 1, 1]).expand([-1, 1, side, side], false).to_kind(Kind::Float);
        Examples { images, labels }
    }

    #[test]
    fn data_that_does_not_fit_the_network_is_refused() {
        let vs = nn::VarStore::new(Device::Cpu);
        let conv = || nn::conv2d(vs.root(), 1, 2, 3, Default::default());
        let maps = nn::seq().add(conv());
        let net =
            nn::seq().add(conv()).add_fn(|maps| maps.mean_dim([2i64, 3].as_slice(), false, Kind::Float));
        let good = brightness(&[0, 1, 1], 8);
        let refused = |net: &nn::Sequential, test: &Examples| {
            fit("x", net, &vs, &good, test, &FitSettings::default()).unwrap_err().to_string()
        };
        let small = brightness(&[0, 1, 1], 2);
        let few = Examples { labels: good.labels.narrow(0, 0, 2), ..brightness(&[0, 1, 1], 8) };
        let other = nn::VarStore::new(Device::Cpu);
        let error = fit("x", &net, &other, &good, &good, &FitSettings::default()).unwrap_err().to_string();
        assert!(error.starts_with("this VarStore has no parameters"), "{error}");
        for (net, test, expected) in [
            (&net, &small, "the network does not accept images of 1x1x2x2 (kind Float): libtorch says: "),
            (&net, &few, "the labels of the test set: expected N, got 2"),
            (
                &net,
                &brightness(&[0, 1, 2], 8),
                "the labels of the test set: expected numbers from 0 to 1, as there are 2 classes; got 0 to 2",
            ),
            (
                &maps,
                &good,
                "expected one score per class from the network, for one image a shape of [1, classes]",
            ),
        ] {
            let error = refused(net, test);
            assert!(error.starts_with(expected), "expected `{expected}` in: {error}");
        }
    }
}
