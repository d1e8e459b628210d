//! Training small networks, such as the two of notebook 01 or a learner's own.

mod fine_tune;

use super::{
    batches::{Augmentation, reflect},
    training::{self, EpochLog, Model, Steps, Training, bar, duration},
};
use crate::{
    Error, Result,
    check::{check_classes, check_labels},
    data::Examples,
    error::debug_as_display,
    gradient::check_graph,
    net::{SmallNet, small_net::accuracy},
    random::Rng,
    runtime::caught,
    shapes::times,
};
use std::{fmt, time::Instant};
use tch::{
    Kind, Tensor,
    nn::{self, OptimizerConfig},
};

/// More epochs would take hours.
const MAX_EPOCHS: usize = 10_000;
/// An image of 32 × 32, shifted by more, is mostly reflection.
const MAX_SHIFT: usize = 16;
/// A training prints a line after so many seconds, if it has come a quarter further; a slow one also without.
const LINE_SECONDS: f64 = 5.0;
const SLOW_LINE_SECONDS: f64 = 30.0;

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
    /// Augmentation: in each epoch, every training image is shifted at random by up to so many rows and
    /// columns, with reflection at the edge. 0 leaves them where they are.
    pub shift: usize,
    /// Augmentation: whether each training image is mirrored left to right in every second epoch.
    pub flip: bool,
    /// The seed of the order of the images, and of their shifts. `shuffled_pixels` also takes the initial weights and the
    /// permutation from it.
    pub seed: u64,
}

impl Default for FitSettings {
    fn default() -> FitSettings {
        FitSettings { epochs: 12, batch_size: 64, learning_rate: 3e-3, shift: 0, flip: false, seed: 1 }
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
        if self.shift > MAX_SHIFT {
            return Err(Error::new(format!(
                "expected a shift by up to {MAX_SHIFT} pixels, such as 2; got {}",
                self.shift
            )));
        }
        Ok(())
    }

    /// The random changes of the images.
    pub(super) fn augmentation(&self) -> Augmentation {
        Augmentation { seed: self.seed, flip: self.flip, shift: self.shift, cutout: 0 }
    }

    /// Refuses images that cannot be shifted so far.
    pub(super) fn check_shift(&self, images: &Tensor) -> Result<()> {
        match images.size()[..] {
            _ if self.shift == 0 && !self.flip => Ok(()),
            [_, _, h, w] if h.min(w) > self.shift as i64 => Ok(()),
            _ => Err(Error::new(format!(
                "expected images N C H W with more than {} rows and columns, to shift them by up to {} or to mirror them; \
                 got {:?}. `shift: 0, flip: false` leaves them as they are",
                self.shift,
                self.shift,
                images.size()
            ))),
        }
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
#[derive(Clone, PartialEq)]
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

    /// Test accuracy after each epoch, in %.
    pub fn test_percent(&self) -> Vec<f64> {
        self.accuracy.iter().map(|share| 100.0 * share).collect()
    }

    /// Training accuracy during each epoch, in %.
    pub fn train_percent(&self) -> Vec<f64> {
        self.train_accuracy.iter().map(|share| 100.0 * share).collect()
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |values: &[f64]| values.last().copied().unwrap_or(f64::NAN);
        write!(
            f,
            "{}, epoch {}: training loss {:.3}, training accuracy {:.1} %, test accuracy {:.1} %",
            self.name,
            self.loss.len(),
            last(&self.loss),
            100.0 * last(&self.train_accuracy),
            100.0 * last(&self.accuracy)
        )
    }
}

debug_as_display!(Curve);

/// Trains a network of your own with Adam: any module of tch that gives one score per class. Tests it
/// after every epoch, and prints its progress. `name` is the name of the curve.
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
/// let settings = FitSettings { epochs: 20, batch_size: 10, learning_rate: 0.1, ..FitSettings::default() };
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
    settings.check_shift(&train.images)?;
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
    /// Trains on `train`, tests on `test` after every epoch, and prints its progress. `name` is the name
    /// of the curve.
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

/// Trains a network that computes `logits`.
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
        shifted: None,
    };
    finish(name, Training::of(model, settings.epochs, train.len(), settings.batch_size), start)
}

/// Trains to the end, and prints a line every few seconds and at the end.
pub(super) fn finish<M: Model>(name: &str, mut training: Training<M>, start: Instant) -> Result<Curve> {
    let epochs = training.epochs;
    let mut printed = (0, 0.0);
    while !training.is_done() {
        training.learn(usize::MAX)?;
        training.end_epoch()?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(last) = training.log.last() {
            let (trained, waited) = (last.epoch - printed.0, seconds - printed.1);
            let quarter = waited >= LINE_SECONDS && 4 * trained >= epochs;
            if training.is_done() || quarter || waited >= SLOW_LINE_SECONDS {
                println!("{name}: {}", line(last, epochs, seconds));
                printed = (last.epoch, seconds);
            }
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

/// The last epoch as a line: progress bar, loss, accuracy, time and remaining time.
fn line(last: &EpochLog, epochs: usize, seconds: f64) -> String {
    let left = seconds / last.epoch as f64 * (epochs - last.epoch) as f64;
    let left = if last.epoch < epochs { format!(", {} left", duration(left)) } else { String::new() };
    format!(
        "{} epoch {} of {epochs}, loss {:.3}, test {:.1} %, {}{left}",
        bar(last.epoch, epochs),
        last.epoch,
        last.loss,
        100.0 * last.accuracy,
        duration(seconds)
    )
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
    /// The shifted images of the current epoch, in this order: which rows and which columns of the images
    /// they consist of, `[N, H, 1]` and `[N, 1, W]`.
    shifted: Option<[Tensor; 2]>,
}

impl Small<'_> {
    /// Draws by how much each image is shifted in this epoch, and which are mirrored.
    fn draw_shifts(&self, rng: &mut Rng, epoch: usize) -> Result<Option<[Tensor; 2]>> {
        let &[n, _, h, w] = &self.train.images.size()[..] else { return Ok(None) };
        let shift = self.settings.shift as i64;
        // As in `Batches::epoch`: each image is mirrored in every second epoch.
        let mut first = Rng::new(self.settings.seed, 0);
        let mirrored: Vec<bool> =
            (0..n).map(|_| self.settings.flip && (first.below(2) + epoch) % 2 == 1).collect();
        let mut draw = |side: i64, mirrored: &[bool]| -> Result<Tensor> {
            let shifts =
                mirrored.iter().map(|mirrored| (rng.below(2 * shift as usize + 1) as i64 - shift, *mirrored));
            let from = shifts.flat_map(|(by, mirrored)| {
                let from = move |at| reflect(at - by, side);
                (0..side).map(move |at| if mirrored { side - 1 - from(at) } else { from(at) })
            });
            let from = Tensor::f_from_slice(&from.collect::<Vec<i64>>())?.f_view([n, side])?;
            Ok(from.f_to_device(self.train.images.device())?)
        };
        let (rows, columns) = (draw(h, &vec![false; n as usize])?, draw(w, &mirrored)?);
        Ok(Some([rows.f_unsqueeze(2)?, columns.f_unsqueeze(1)?]))
    }
}

/// Changes the parameters of a tch optimizer so that the loss falls.
fn backward_step(optimizer: &mut nn::Optimizer, loss: &Tensor) -> Result<()> {
    check_graph(loss)?;
    optimizer.backward_step(loss);
    Ok(())
}

/// Images that consist of these rows and columns of others.
///
/// # Shapes
/// `[N, C, H, W]`, rows `[N, H, 1]`, columns `[N, 1, W]` → `[N, C, H, W]`
fn shifted(images: &Tensor, rows: &Tensor, columns: &Tensor) -> Result<Tensor> {
    let size = images.size();
    let (n, c, area) = (size[0], size[1], size[2] * size[3]);
    let pixels = rows.f_mul_scalar(size[3])?.f_add(columns)?.f_view([n, 1, area])?;
    Ok(images
        .f_reshape([n, c, area])?
        .f_gather(2, &pixels.f_expand([n, c, area], false)?, false)?
        .f_view(&size[..])?)
}

impl Model for Small<'_> {
    fn start_epoch(&mut self, epoch: usize) -> Result<()> {
        let mut rng = Rng::new(self.settings.seed, 1 + epoch as u64);
        let order = rng.order(self.train.len());
        self.order = Tensor::f_from_slice(&order)?.f_to_device(self.train.images.device())?;
        if self.settings.shift > 0 || self.settings.flip {
            self.shifted = self.draw_shifts(&mut rng, epoch)?;
        }
        Ok(())
    }

    fn step(&mut self, from: usize, count: usize, steps: Steps) -> Result<Tensor> {
        let indices = self.order.f_narrow(0, from as i64, count as i64)?;
        let mut images = self.train.images.f_index_select(0, &indices)?;
        if let Some([rows, columns]) = &self.shifted {
            let part = |all: &Tensor| all.f_narrow(0, from as i64, count as i64);
            images = shifted(&images, &part(rows)?, &part(columns)?)?;
        }
        let (logits, labels) = ((self.logits)(&images)?, self.train.labels.f_index_select(0, &indices)?);
        self.optimizer.set_lr(self.lr(steps.fraction()));
        training::step(&logits, &labels, 0.0, |loss| backward_step(&mut self.optimizer, loss))
    }

    fn numbers(&self) -> Vec<Tensor> {
        self.weights.trainable_variables()
    }

    fn test(&mut self) -> Result<f64> {
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
    use tch::{Device, IndexOp};

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
                FitSettings { shift: 17, ..default() },
                "expected a shift by up to 16 pixels, such as 2; got 17",
            ),
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

    #[test]
    fn a_shift_moves_whole_images() {
        let images = Tensor::arange(2 * 3 * 4 * 5, (Kind::Int64, Device::Cpu)).view([2, 3, 4, 5]);
        let rows = Tensor::from_slice(&[1i64, 0, 1, 2, 0, 1, 2, 3]).view([2, 4, 1]);
        let columns = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 2, 3, 4, 3, 2]).view([2, 1, 5]);
        let moved = shifted(&images, &rows, &columns).unwrap();
        // The first image one row down, the second one two columns to the left; the edge is reflected.
        let padded = images.to_kind(Kind::Float).reflection_pad2d([2, 2, 2, 2]).to_kind(Kind::Int64);
        assert_eq!(moved.i(0), padded.i((0, .., 1..5, 2..7)));
        assert_eq!(moved.i(1), padded.i((1, .., 2..6, 4..9)));
    }

    #[test]
    fn augmentation_draws_other_images_in_every_epoch_and_repeats_with_the_seed() {
        let data = Shapes10::draw(30, 1).unwrap();
        let settings = FitSettings { epochs: 2, batch_size: 8, shift: 2, ..FitSettings::default() };
        let train = |settings: &FitSettings| SmallNet::mlp(3).train("MLP", &data, &data, settings).unwrap();
        assert_eq!(train(&settings).loss, train(&settings).loss);
        assert_ne!(train(&settings).loss, train(&FitSettings { shift: 0, ..settings.clone() }).loss);
        let flat = Examples { images: data.images.flatten(1, -1), labels: data.labels.shallow_clone() };
        let vs = nn::VarStore::new(Device::Cpu);
        let net = nn::seq().add(nn::linear(vs.root(), 3072, 10, Default::default()));
        let error = fit("flat", &net, &vs, &flat, &flat, &settings).unwrap_err().to_string();
        assert!(error.starts_with("expected images N C H W with more than 2 rows and columns"), "{error}");
    }

    #[test]
    fn a_curve_reads_like_a_sentence() {
        let curve = Curve {
            name: "MLP".into(),
            loss: vec![1.5, 0.0041],
            train_accuracy: vec![0.5, 0.9996],
            accuracy: vec![0.25, 0.846],
            seconds: 4.0,
        };
        assert_eq!(
            format!("{curve:?}"),
            "MLP, epoch 2: training loss 0.004, training accuracy 100.0 %, test accuracy 84.6 %"
        );
        assert_eq!(curve.test_percent(), [25.0, 84.6]);
        let last = EpochLog {
            epoch: 3,
            loss: 0.7,
            train_accuracy: 0.7,
            accuracy: 0.8,
            lr: 0.1,
            seconds: 5.0,
            speed: 1.0,
        };
        assert_eq!(
            line(&last, 12, 6.0),
            "█████░░░░░░░░░░░░░░░ epoch 3 of 12, loss 0.700, test 80.0 %, 6 s, 18 s left"
        );
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
