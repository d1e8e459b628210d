//! The two small networks of notebook 01, and how they are trained.
//!
//! Both train on the CPU, where the same seed gives the same curves again.

use crate::gradient::check_graph;
use crate::random::Rng;
use crate::shapes10::Shapes10;
use crate::summary::{Layered, Layers};
use crate::{Error, Result};
use nchw_core::text::count_of;
use std::{fmt, time::Instant};
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};

/// The batch size for predictions, small enough for any memory.
const PREDICT_BATCH: i64 = 500;
/// More epochs would take hours.
const MAX_EPOCHS: usize = 10_000;
/// The stream of random numbers for the initial weights; those for the order of the epochs have
/// the numbers 1, 2, 3, …
const INITIAL_WEIGHTS: u64 = u64::MAX;

/// The settings of the shuffled-pixels experiment. The notebook uses `ShuffleSettings::default()`.
///
/// ```
/// use nchw::prelude::*;
/// let settings = ShuffleSettings { epochs: 2, ..ShuffleSettings::default() };
/// assert_eq!(settings.epochs, 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ShuffleSettings {
    /// How many times the training sees every image.
    pub epochs: usize,
    /// How many images a step uses.
    pub batch_size: usize,
    /// Adam's learning rate at the start; it falls linearly to 0.
    pub learning_rate: f64,
    /// The seed of the initial weights, the order of the images and the permutation.
    pub seed: u64,
}

impl Default for ShuffleSettings {
    fn default() -> ShuffleSettings {
        ShuffleSettings { epochs: 12, batch_size: 64, learning_rate: 3e-3, seed: 1 }
    }
}

impl ShuffleSettings {
    pub(crate) fn check(&self) -> Result<()> {
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
/// let settings = ShuffleSettings { epochs: 1, ..ShuffleSettings::default() };
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

/// A small network for 32 × 32 RGB images of ten classes.
///
/// # Source
/// Lecture part 1: a fully connected network compared with a convolutional one.
///
/// ```
/// use nchw::prelude::*;
/// let net = SmallNet::cnn(1);
/// let data = Shapes10::draw(6, 1)?;
/// assert_eq!(net.predict(&data.images)?.size(), [6]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct SmallNet {
    pub(crate) name: &'static str,
    weights: nn::VarStore,
    /// The names of the layers.
    names: &'static [&'static str],
    layers: nn::Sequential,
}

impl SmallNet {
    /// A fully connected network (multilayer perceptron): 3,072 inputs, layers of 128, 64 and 10 units.
    ///
    /// The same seed gives the same initial weights.
    pub fn mlp(seed: u64) -> SmallNet {
        let mut rng = Rng::new(seed, INITIAL_WEIGHTS);
        let weights = nn::VarStore::new(Device::Cpu);
        let root = weights.root();
        let layers = nn::seq()
            .add_fn(|images| images.flatten(1, -1))
            .add(linear(&root / "linear1", &mut rng, 3 * 32 * 32, 128))
            .add_fn(Tensor::relu)
            .add(linear(&root / "linear2", &mut rng, 128, 64))
            .add_fn(Tensor::relu)
            .add(linear(&root / "linear3", &mut rng, 64, 10));
        let names = &["flatten", "linear1", "relu1", "linear2", "relu2", "linear3"];
        SmallNet { name: "MLP", weights, names, layers }
    }

    /// A convolutional network: three 3 × 3 convolutions with 16, 32 and 64 filters, max pooling after
    /// the first two, global average pooling after the third, and a linear layer from 64 to 10.
    ///
    /// The same seed gives the same initial weights.
    pub fn cnn(seed: u64) -> SmallNet {
        let mut rng = Rng::new(seed, INITIAL_WEIGHTS);
        let weights = nn::VarStore::new(Device::Cpu);
        let root = weights.root();
        let layers = nn::seq()
            .add(conv(&root / "conv1", &mut rng, 3, 16))
            .add_fn(|maps| maps.relu().max_pool2d_default(2))
            .add(conv(&root / "conv2", &mut rng, 16, 32))
            .add_fn(|maps| maps.relu().max_pool2d_default(2))
            .add(conv(&root / "conv3", &mut rng, 32, 64))
            .add_fn(|maps| maps.relu().mean_dim([2i64, 3].as_slice(), false, Kind::Float))
            .add(linear(&root / "linear", &mut rng, 64, 10));
        let names = &[
            "conv1",
            "relu1, max pool",
            "conv2",
            "relu2, max pool",
            "conv3",
            "relu3, global mean",
            "linear",
        ];
        SmallNet { name: "CNN", weights, names, layers }
    }

    /// The number of parameters: weights and biases.
    pub fn parameters(&self) -> i64 {
        self.weights.trainable_variables().iter().map(|v| v.numel() as i64).sum()
    }

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
        train: &Shapes10,
        test: &Shapes10,
        settings: &ShuffleSettings,
    ) -> Result<Curve> {
        settings.check()?;
        check("the training set", train)?;
        check("the test set", test)?;
        let start = Instant::now();
        let mut optimizer = nn::Adam::default().build(&self.weights, settings.learning_rate)?;
        let mut curve = Curve {
            name: name.to_string(),
            loss: Vec::new(),
            train_accuracy: Vec::new(),
            accuracy: Vec::new(),
            seconds: 0.0,
        };
        for epoch in 0..settings.epochs {
            // Training needs gradients, even if it is called inside `tch::no_grad`.
            let (loss, right) = tch::with_grad(|| self.epoch(train, epoch, settings, &mut optimizer))?;
            if !loss.is_finite() {
                return Err(Error::new(format!(
                    "the loss became {loss} in epoch {} of {}: the learning rate of {} is too high, try {}",
                    epoch + 1,
                    settings.epochs,
                    settings.learning_rate,
                    settings.learning_rate / 4.0
                )));
            }
            curve.loss.push(loss);
            curve.train_accuracy.push(right);
            curve.accuracy.push(self.accuracy(test)?);
            curve.seconds = start.elapsed().as_secs_f64();
            println!(
                "{name}: epoch {:2} of {}, loss {loss:.3}, test accuracy {:5.1} %, {:.1} s",
                epoch + 1,
                settings.epochs,
                100.0 * curve.last_accuracy(),
                curve.seconds
            );
        }
        Ok(curve)
    }

    /// One epoch: every image once, in random order → mean loss and accuracy.
    fn epoch(
        &self,
        train: &Shapes10,
        epoch: usize,
        settings: &ShuffleSettings,
        optimizer: &mut nn::Optimizer,
    ) -> Result<(f64, f64)> {
        let count = train.labels.size()[0] as usize;
        let order = Rng::new(settings.seed, 1 + epoch as u64).order(count);
        let steps = count.div_ceil(settings.batch_size) * settings.epochs;
        let (mut loss_sum, mut right) = (0.0, 0.0);
        for (step, indices) in order.chunks(settings.batch_size).enumerate() {
            let done = (epoch * count.div_ceil(settings.batch_size) + step) as f64 / steps as f64;
            optimizer.set_lr(settings.learning_rate * (1.0 - done));
            let indices = Tensor::f_from_slice(indices)?;
            let labels = train.labels.f_index_select(0, &indices)?;
            let logits = self.logits(&train.images.f_index_select(0, &indices)?)?;
            let loss = logits.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, 0.0)?;
            check_graph(&loss)?;
            optimizer.backward_step(&loss);
            loss_sum += loss.f_double_value(&[])? * labels.size()[0] as f64;
            right += count_equal(&logits.f_argmax(1, false)?, &labels)?;
        }
        Ok((loss_sum / count as f64, right / count as f64))
    }

    /// The predicted class of each image.
    ///
    /// # Shapes
    /// `[N, 3, 32, 32]` bytes → `[N]`, whole numbers from 0 to 9
    ///
    /// # Errors
    /// If the images have another shape or kind.
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        check_images("the images", images)?;
        tch::no_grad(|| {
            let parts: Result<Vec<Tensor>> = images
                .f_split(PREDICT_BATCH, 0)?
                .iter()
                .map(|part| Ok(self.logits(part)?.f_argmax(1, false)?))
                .collect();
            Ok(Tensor::f_cat(&parts?, 0)?)
        })
    }

    /// The fraction of images that are classified correctly, 0 to 1.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`
    ///
    /// # Errors
    /// If the images or the labels have another shape or kind, or a label is not from 0 to 9.
    pub fn accuracy(&self, data: &Shapes10) -> Result<f64> {
        check("the data", data)?;
        Ok(count_equal(&self.predict(&data.images)?, &data.labels)? / data.labels.size()[0] as f64)
    }

    fn logits(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.layers.forward(&standardised(images)?))
    }
}

/// Subtracts the mean colour of each image and scales it to a contrast (standard deviation) of 1.
/// Both are the same for every order of the pixels, so neither network has an advantage.
fn standardised(images: &Tensor) -> Result<Tensor> {
    let numbers = images.f_to_kind(Kind::Float)?;
    let centred = numbers.f_sub(&numbers.f_mean_dim([2i64, 3].as_slice(), true, Kind::Float)?)?;
    let contrast = centred.f_square()?.f_mean_dim([1i64, 2, 3].as_slice(), true, Kind::Float)?.f_sqrt()?;
    // The contrast of an image in one colour is 0.
    Ok(centred.f_div(&contrast.f_clamp_min(1.0)?)?)
}

impl Layered for SmallNet {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::named(["contrast 1"].iter().chain(self.names).copied(), Some(&self.weights)))
    }

    fn outputs(&self, images: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        check_images("the images", images)?;
        let standardised = standardised(images)?;
        let outputs =
            if count > 1 { self.layers.forward_all(&standardised, Some(count - 1)) } else { vec![] };
        Ok(std::iter::once(standardised).chain(outputs).collect())
    }
}

impl fmt::Debug for SmallNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} parameters", self.name, self.parameters())
    }
}

/// A fully connected layer, initialised as in PyTorch; tch's own initial weights are larger.
fn linear(path: nn::Path, rng: &mut Rng, inputs: i64, outputs: i64) -> nn::Linear {
    let layer = nn::linear(path, inputs, outputs, Default::default());
    init_like_pytorch(rng, &layer.ws, layer.bs.as_ref());
    layer
}

/// A 3 × 3 convolution with padding 1, initialised as in PyTorch.
fn conv(path: nn::Path, rng: &mut Rng, inputs: i64, outputs: i64) -> nn::Conv2D {
    let layer = nn::conv2d(path, inputs, outputs, 3, nn::ConvConfig { padding: 1, ..Default::default() });
    init_like_pytorch(rng, &layer.ws, layer.bs.as_ref());
    layer
}

/// Initialises weights and biases uniformly in ±1/√(inputs of a unit), which is what PyTorch's
/// Kaiming-uniform with a = √5 amounts to. It does not use libtorch's random numbers, because all
/// threads share one generator, and another thread's draws would change the weights.
pub(crate) fn init_like_pytorch(rng: &mut Rng, weight: &Tensor, bias: Option<&Tensor>) {
    let inputs = weight.numel() / weight.size()[0] as usize;
    let bound = 1.0 / (inputs as f32).sqrt();
    for tensor in [Some(weight), bias].into_iter().flatten() {
        let values: Vec<f32> = (0..tensor.numel()).map(|_| rng.between(-bound, bound)).collect();
        let values = Tensor::from_slice(&values).view_as(tensor);
        tch::no_grad(|| tensor.shallow_clone().copy_(&values));
    }
}

/// How many elements of two tensors are equal.
fn count_equal(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(a.f_eq_tensor(b)?.f_sum(Kind::Double)?.f_double_value(&[])?)
}

pub(crate) fn check(what: &str, data: &Shapes10) -> Result<()> {
    check_images(what, &data.images)?;
    let (images, labels) = (data.images.size(), data.labels.size());
    if labels.len() != 1 || labels[0] != images[0] {
        return Err(Error::new(format!(
            "{what} has images {images:?}, so labels of shape [{n}] were expected, one for each image \
             (axis 0, N = {n}); got {labels:?}. Were only the images, or only the labels, cut or shuffled?",
            n = images[0]
        )));
    }
    if data.labels.kind() != Kind::Int64 {
        return Err(Error::new(format!(
            "{what} has labels of kind {:?}; expected Int64, whole numbers: labels.to_kind(Kind::Int64)",
            data.labels.kind()
        )));
    }
    let (min, max) = (data.labels.f_min()?.f_int64_value(&[])?, data.labels.f_max()?.f_int64_value(&[])?);
    if min < 0 || max > 9 {
        return Err(Error::new(format!(
            "{what} has labels from {min} to {max}; expected 0 to 9, as there are ten classes. \
             Do the labels count from 1? Then: labels - 1"
        )));
    }
    Ok(())
}

fn check_images(what: &str, images: &Tensor) -> Result<()> {
    let shape = images.size();
    let expected = "expected images of shape [N, 3, 32, 32] (count, channels, rows, columns)";
    let &[n, c, h, w] = shape.as_slice() else {
        return Err(Error::new(format!(
            "{what}: {expected}; got {shape:?}, {}. {}",
            count_of(shape.len(), "axis", "axes"),
            hint_for_axes(shape.len())
        )));
    };
    let wrong = [("0 (N)", n > 0, n), ("1 (C)", c == 3, c), ("2 (H)", h == 32, h), ("3 (W)", w == 32, w)];
    if let Some((axis, _, got)) = wrong.into_iter().find(|(_, fits, _)| !fits) {
        let hint = match shape[1..] {
            _ if n == 0 => "It contains no image: was it cut to nothing?",
            [32, 32, 3] => "The channels seem to come last: images.permute([0, 3, 1, 2])",
            [1, _, _] => "Grey images? Repeat the one channel: images.expand([-1, 3, -1, -1], false)",
            [3, _, _] => "These networks are made for 32 x 32: resize the images first",
            _ => "Which axis is which? Put them in the order N, C, H, W with permute",
        };
        return Err(Error::new(format!("{what}: {expected}; got {shape:?}: axis {axis} is {got}. {hint}")));
    }
    if images.kind() != Kind::Uint8 {
        return Err(Error::new(format!(
            "{what}: expected bytes, 0 to 255 (kind Uint8); got kind {:?}. The networks scale the bytes \
             themselves: pass the images as they were drawn, or (images * 255).to_kind(Kind::Uint8) \
             if they lie between 0 and 1",
            images.kind()
        )));
    }
    Ok(())
}

pub(crate) fn hint_for_axes(axes: usize) -> &'static str {
    match axes {
        3 => "A single image? Make it a batch of one: images.unsqueeze(0)",
        _ => "N images, C channels, H rows, W columns: bring them into this form with view",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::IndexOp;

    /// Parameters of a fully connected layer: inputs x outputs + outputs; of a convolution: channels x
    /// 3 x 3 x filters + filters.
    #[test]
    fn parameters_add_up() {
        let mlp = 3072 * 128 + 128 + (128 * 64 + 64) + (64 * 10 + 10);
        let cnn = 3 * 9 * 16 + 16 + (16 * 9 * 32 + 32) + (32 * 9 * 64 + 64) + (64 * 10 + 10);
        assert_eq!(SmallNet::mlp(1).parameters(), mlp);
        assert_eq!(SmallNet::cnn(1).parameters(), cnn);
        assert_eq!(format!("{:?}", SmallNet::cnn(1)), "CNN with 24234 parameters");
    }

    /// As in torch.nn.Conv2d and Linear: weight and bias are at most 1/sqrt(fan-in), and their standard
    /// deviation is that divided by sqrt(3).
    #[test]
    fn initial_weights_are_distributed_as_in_pytorch() {
        let conv = conv(nn::VarStore::new(Device::Cpu).root(), &mut Rng::new(1, 0), 32, 64);
        let bound = 1.0 / (32.0 * 9.0_f64).sqrt();
        assert!(conv.ws.abs().max().double_value(&[]) <= bound);
        let std = conv.ws.std(true).double_value(&[]);
        assert!((std / (bound / 3.0_f64.sqrt()) - 1.0).abs() < 0.03, "{std}");
        let bias = conv.bs.unwrap();
        assert!(bias.abs().max().double_value(&[]) <= bound && bias.std(true).double_value(&[]) > 0.0);
    }

    #[test]
    fn training_gives_the_same_inside_no_grad() {
        let data = Shapes10::draw(30, 1).unwrap();
        let settings = ShuffleSettings { epochs: 2, batch_size: 8, ..ShuffleSettings::default() };
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
        let error = error_text(net.train("MLP", &data, &data, &ShuffleSettings::default()));
        assert!(error.contains("the loss became NaN in epoch 1 of 12"), "{error}");
        assert!(error.contains("the learning rate of 0.003 is too high, try 0.00075"), "{error}");
    }

    #[test]
    fn predictions_are_one_class_per_image() {
        let data = Shapes10::draw(7, 1).unwrap();
        let classes = SmallNet::cnn(1).predict(&data.images).unwrap();
        assert_eq!((classes.size(), classes.kind()), (vec![7], Kind::Int64));
    }

    fn error_text<T: fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_network_says_which_axis_is_wrong_and_why() {
        let net = SmallNet::cnn(1);
        let predict =
            |shape: &[i64]| error_text(net.predict(&Tensor::zeros(shape, (Kind::Uint8, Device::Cpu))));
        assert_eq!(
            predict(&[8, 32, 32, 3]),
            "the images: expected images of shape [N, 3, 32, 32] (count, channels, rows, columns); \
             got [8, 32, 32, 3]: axis 1 (C) is 32. \
             The channels seem to come last: images.permute([0, 3, 1, 2])"
        );
        let ends = [
            (
                vec![8, 1, 32, 32],
                "axis 1 (C) is 1. Grey images? Repeat the one channel: images.expand([-1, 3, -1, -1], false)",
            ),
            (
                vec![8, 3, 28, 32],
                "axis 2 (H) is 28. These networks are made for 32 x 32: resize the images first",
            ),
            (
                vec![8, 3, 32, 48],
                "axis 3 (W) is 48. These networks are made for 32 x 32: resize the images first",
            ),
            (vec![0, 3, 32, 32], "axis 0 (N) is 0. It contains no image: was it cut to nothing?"),
            (vec![3, 32, 32], "3 axes. A single image? Make it a batch of one: images.unsqueeze(0)"),
        ];
        for (shape, end) in ends {
            let text = predict(&shape);
            assert!(text.ends_with(end), "{text}");
        }
        let floats = Tensor::zeros([2, 3, 32, 32], (Kind::Float, Device::Cpu));
        let text = error_text(net.predict(&floats));
        assert!(
            text.starts_with("the images: expected bytes, 0 to 255 (kind Uint8); got kind Float."),
            "{text}"
        );
    }

    #[test]
    fn training_says_what_is_wrong_with_labels_and_settings() {
        let data = Shapes10::draw(20, 1).unwrap();
        let settings = ShuffleSettings { epochs: 1, ..Default::default() };
        let train = |labels: Tensor, settings: &ShuffleSettings| {
            let train = Shapes10 { images: data.images.shallow_clone(), labels };
            error_text(SmallNet::mlp(1).train("x", &train, &data, settings))
        };
        assert_eq!(
            train(data.labels.i(..12), &settings),
            "the training set has images [20, 3, 32, 32], so labels of shape [20] were expected, one for each \
             image (axis 0, N = 20); got [12]. Were only the images, or only the labels, cut or shuffled?"
        );
        assert_eq!(
            train(&data.labels + 1, &settings),
            "the training set has labels from 1 to 10; expected 0 to 9, as there are ten classes. \
             Do the labels count from 1? Then: labels - 1"
        );
        assert_eq!(
            train(data.labels.to_kind(Kind::Float), &settings),
            "the training set has labels of kind Float; expected Int64, whole numbers: \
             labels.to_kind(Kind::Int64)"
        );
        let none = ShuffleSettings { epochs: 0, ..Default::default() };
        assert_eq!(
            train(data.labels.shallow_clone(), &none),
            "expected at least 1 epoch and a batch size of at least 1; got epochs = 0, batch_size = 64"
        );
        let many = ShuffleSettings { epochs: usize::MAX, ..Default::default() };
        assert!(train(data.labels.shallow_clone(), &many).starts_with("expected at most 10000 epochs"));
        let fast = ShuffleSettings { learning_rate: -1.0, ..Default::default() };
        assert_eq!(
            train(data.labels.shallow_clone(), &fast),
            "expected a learning rate above 0 and up to 1, such as 0.003; got -1"
        );
    }
}
