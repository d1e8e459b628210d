//! The shuffled-pixels experiment of lecture part 1, really run.
//!
//! Shuffle the places of all pixels, the same way on every picture, and train
//! again. A fully connected network does no worse: it never knew which pixels
//! are neighbours. A convolutional network loses what it lives on.
//!
//! Everything here computes on the CPU: small enough for it, and the same
//! seed gives the same curves again.

use crate::random::Dice;
use crate::shapes10::Shapes10;
use crate::summary::{Layered, Layers};
use crate::{Error, Result, error::debug_as_display};
use std::{fmt, time::Instant};
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};

/// Pictures at a time where nothing is learned: few enough for any memory.
const ASK_BATCH: i64 = 500;
/// The stream of lots for weights; the epochs' orders have 1, 2, 3, …
const FIRST_WEIGHTS: u64 = u64::MAX;

/// A fixed order of the places of a picture.
///
/// Place `p` of a shuffled picture (counted along the rows: p = row × W +
/// column) holds the pixel that was at place `places()[p]`.
///
/// # Source
/// Lecture part 1.
///
/// ```
/// use nchw::prelude::*;
/// let order = Permutation::random(32 * 32, 7)?;
/// let data = Shapes10::draw(4, 1)?;
/// let shuffled = order.apply(&data.images)?;
/// assert_eq!(order.inverse().apply(&shuffled)?, data.images);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Permutation(Vec<i64>);

impl Permutation {
    /// An order of `len` places (H × W of the pictures) drawn by lot; the same
    /// seed gives the same order on every machine.
    ///
    /// # Errors
    /// When `len` is less than 1, or more than 100 million.
    pub fn random(len: i64, seed: u64) -> Result<Permutation> {
        if !(1..=100_000_000).contains(&len) {
            return Err(Error::new(format!(
                "expected the number of places of a picture, H x W, such as 32 * 32; got {len}"
            )));
        }
        Ok(Permutation(Dice::new(seed, 0).order(len as usize)))
    }

    /// Moves the pixels of every picture in the same way. The channels of a
    /// pixel move together: a pixel keeps its colour.
    ///
    /// # Shapes
    /// `[N, C, H, W]` with H × W = the number of places → `[N, C, H, W]`, of
    /// the same kind
    ///
    /// # Errors
    /// When `images` has not four axes, or H × W is another number.
    ///
    /// # Source
    /// Lecture part 1.
    pub fn apply(&self, images: &Tensor) -> Result<Tensor> {
        let shape = images.size();
        let &[n, c, h, w] = shape.as_slice() else {
            return Err(Error::new(format!(
                "expected pictures of shape [N, C, H, W], four axes; got {shape:?}, {}. {}",
                count_of(shape.len(), "axis", "axes"),
                hint_for_axes(shape.len())
            )));
        };
        if h * w != self.0.len() as i64 {
            return Err(Error::new(format!(
                "this permutation has {} places, but the pictures {shape:?} have H x W = {h} x {w} = {} \
                 (axes 2 and 3). Make one that fits: Permutation::random({h} * {w}, 1)?",
                self.0.len(),
                h * w
            )));
        }
        let order = Tensor::f_from_slice(&self.0)?.f_to_device(images.device())?;
        Ok(images.f_reshape([n, c, h * w])?.f_index_select(2, &order)?.f_view([n, c, h, w])?)
    }

    /// The order that undoes this one.
    pub fn inverse(&self) -> Permutation {
        let mut back = vec![0; self.0.len()];
        for (to, &from) in self.0.iter().enumerate() {
            back[from as usize] = to as i64;
        }
        Permutation(back)
    }

    /// For each place of a shuffled picture, the place its pixel came from.
    pub fn places(&self) -> Vec<i64> {
        self.0.clone()
    }
}

impl fmt::Debug for Permutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: Vec<String> = self.0.iter().take(8).map(i64::to_string).collect();
        let more = if self.0.len() > 8 { ", …" } else { "" };
        write!(f, "Permutation of {} places: {}{more}", self.0.len(), first.join(", "))
    }
}

/// How to train. `ShuffleSettings::default()` is what the notebook runs.
///
/// ```
/// use nchw::prelude::*;
/// let settings = ShuffleSettings { epochs: 2, ..ShuffleSettings::default() };
/// assert_eq!(settings.epochs, 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ShuffleSettings {
    /// How often every picture is seen.
    pub epochs: usize,
    /// Pictures to a step.
    pub batch: usize,
    /// Adam's step size at the start; it falls to 0 in a straight line.
    pub learning_rate: f64,
    /// Decides the first weights, the order of the pictures and the permutation.
    pub seed: u64,
}

impl Default for ShuffleSettings {
    fn default() -> ShuffleSettings {
        ShuffleSettings { epochs: 12, batch: 64, learning_rate: 3e-3, seed: 1 }
    }
}

impl ShuffleSettings {
    fn check(&self) -> Result<()> {
        if self.epochs == 0 || self.batch == 0 {
            return Err(Error::new(format!(
                "expected at least 1 epoch and 1 picture to a batch; got epochs = {}, batch = {}",
                self.epochs, self.batch
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

/// What one training showed, a number per epoch.
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
    /// What was trained on what, such as "CNN, plain pixels".
    pub name: String,
    /// Mean cross-entropy on the training pictures, while they were learned.
    pub loss: Vec<f64>,
    /// Share of training pictures answered rightly, while they were learned.
    pub train_accuracy: Vec<f64>,
    /// Share of test pictures answered rightly after the epoch, 0 to 1.
    pub accuracy: Vec<f64>,
    /// How long the training took.
    pub seconds: f64,
}

impl Curve {
    /// Test accuracy after the last epoch.
    pub fn last_accuracy(&self) -> f64 {
        self.accuracy.last().copied().unwrap_or(0.0)
    }
}

/// A small network for 32 × 32 RGB pictures of ten classes.
///
/// # Source
/// Lecture part 1: a fully connected network against a convolutional one.
///
/// ```
/// use nchw::prelude::*;
/// let net = SmallNet::cnn(1);
/// let data = Shapes10::draw(6, 1)?;
/// assert_eq!(net.predict(&data.images)?.size(), [6]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct SmallNet {
    name: &'static str,
    weights: nn::VarStore,
    /// One for each of the layers.
    names: &'static [&'static str],
    layers: nn::Sequential,
}

impl SmallNet {
    /// A fully connected network: every pixel to 128 units, to 64, to 10.
    ///
    /// The same seed gives the same first weights, whatever else draws lots.
    pub fn mlp(seed: u64) -> SmallNet {
        let mut dice = Dice::new(seed, FIRST_WEIGHTS);
        let weights = nn::VarStore::new(Device::Cpu);
        let root = weights.root();
        let layers = nn::seq()
            .add_fn(|pictures| pictures.flatten(1, -1))
            .add(linear(&root / "linear1", &mut dice, 3 * 32 * 32, 128))
            .add_fn(Tensor::relu)
            .add(linear(&root / "linear2", &mut dice, 128, 64))
            .add_fn(Tensor::relu)
            .add(linear(&root / "linear3", &mut dice, 64, 10));
        let names = &["flatten", "linear1", "relu1", "linear2", "relu2", "linear3"];
        SmallNet { name: "MLP", weights, names, layers }
    }

    /// A convolutional network: three times 3 × 3 convolution and pooling,
    /// with 16, 32 and 64 filters; then the mean of each map (global average
    /// pooling), and 64 numbers to 10.
    ///
    /// The same seed gives the same first weights, whatever else draws lots.
    pub fn cnn(seed: u64) -> SmallNet {
        let mut dice = Dice::new(seed, FIRST_WEIGHTS);
        let weights = nn::VarStore::new(Device::Cpu);
        let root = weights.root();
        let layers = nn::seq()
            .add(conv(&root / "conv1", &mut dice, 3, 16))
            .add_fn(|maps| maps.relu().max_pool2d_default(2))
            .add(conv(&root / "conv2", &mut dice, 16, 32))
            .add_fn(|maps| maps.relu().max_pool2d_default(2))
            .add(conv(&root / "conv3", &mut dice, 32, 64))
            .add_fn(|maps| maps.relu().mean_dim([2i64, 3].as_slice(), false, Kind::Float))
            .add(linear(&root / "linear", &mut dice, 64, 10));
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

    /// How many weights and biases it learns.
    pub fn parameters(&self) -> i64 {
        self.weights.trainable_variables().iter().map(|v| v.numel() as i64).sum()
    }

    /// Trains on `train` and asks for `test` after every epoch; prints a line
    /// an epoch. `name` is the curve's.
    ///
    /// Called again, it goes on with the weights it has.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`, in both
    ///
    /// # Errors
    /// When a shape, a kind or a label is another, or a setting makes no sense.
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
            let (loss, right) = self.epoch(train, epoch, settings, &mut optimizer)?;
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

    /// Every picture once, in an order of this epoch's own → mean loss and
    /// share of right answers.
    fn epoch(
        &self,
        train: &Shapes10,
        epoch: usize,
        settings: &ShuffleSettings,
        optimizer: &mut nn::Optimizer,
    ) -> Result<(f64, f64)> {
        let count = train.labels.size()[0] as usize;
        let order = Dice::new(settings.seed, 1 + epoch as u64).order(count);
        let steps = count.div_ceil(settings.batch) * settings.epochs;
        let (mut loss_sum, mut right) = (0.0, 0.0);
        for (step, places) in order.chunks(settings.batch).enumerate() {
            let done = (epoch * count.div_ceil(settings.batch) + step) as f64 / steps as f64;
            optimizer.set_lr(settings.learning_rate * (1.0 - done));
            let places = Tensor::f_from_slice(places)?;
            let labels = train.labels.f_index_select(0, &places)?;
            let scores = self.scores(&train.images.f_index_select(0, &places)?)?;
            let loss = scores.f_cross_entropy_loss(&labels, None::<Tensor>, Reduction::Mean, -100, 0.0)?;
            optimizer.backward_step(&loss);
            loss_sum += loss.f_double_value(&[])? * labels.size()[0] as f64;
            right += agreeing(&scores.f_argmax(1, false)?, &labels)?;
        }
        Ok((loss_sum / count as f64, right / count as f64))
    }

    /// The class it takes each picture for.
    ///
    /// # Shapes
    /// `[N, 3, 32, 32]` bytes → `[N]`, whole numbers from 0 to 9
    ///
    /// # Errors
    /// When the shape or the kind is another.
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        check_images("the pictures", images)?;
        tch::no_grad(|| {
            let parts: Result<Vec<Tensor>> = images
                .f_split(ASK_BATCH, 0)?
                .iter()
                .map(|part| Ok(self.scores(part)?.f_argmax(1, false)?))
                .collect();
            Ok(Tensor::f_cat(&parts?, 0)?)
        })
    }

    /// The share of pictures that it takes for what they are, 0 to 1.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`
    ///
    /// # Errors
    /// When a shape, a kind or a label is another.
    pub fn accuracy(&self, data: &Shapes10) -> Result<f64> {
        check("the data", data)?;
        Ok(agreeing(&self.predict(&data.images)?, &data.labels)? / data.labels.size()[0] as f64)
    }

    /// A score for each class.
    fn scores(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.layers.forward(&evened(images)?))
    }
}

/// Every picture without its mean colour and with a contrast of 1: what is left
/// is the same whatever the order of its pixels, so neither network is favoured.
fn evened(images: &Tensor) -> Result<Tensor> {
    let numbers = images.f_to_kind(Kind::Float)?;
    let centred = numbers.f_sub(&numbers.f_mean_dim([2i64, 3].as_slice(), true, Kind::Float)?)?;
    let contrast = centred.f_square()?.f_mean_dim([1i64, 2, 3].as_slice(), true, Kind::Float)?.f_sqrt()?;
    // An even picture has no contrast to divide by.
    Ok(centred.f_div(&contrast.f_clamp_min(1.0)?)?)
}

impl Layered for SmallNet {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::named(["contrast 1"].iter().chain(self.names).copied(), Some(&self.weights)))
    }

    fn outputs(&self, images: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        check_images("the pictures", images)?;
        let evened = evened(images)?;
        let behind = if count > 1 { self.layers.forward_all(&evened, Some(count - 1)) } else { vec![] };
        Ok(std::iter::once(evened).chain(behind).collect())
    }
}

impl fmt::Debug for SmallNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} parameters", self.name, self.parameters())
    }
}

/// A fully connected layer that starts as PyTorch's does; tch's starts wider.
fn linear(path: nn::Path, dice: &mut Dice, inputs: i64, outputs: i64) -> nn::Linear {
    let layer = nn::linear(path, inputs, outputs, Default::default());
    start_as_pytorch(dice, &layer.ws, layer.bs.as_ref());
    layer
}

/// A 3 × 3 convolution that keeps rows and columns, started as PyTorch's.
fn conv(path: nn::Path, dice: &mut Dice, inputs: i64, outputs: i64) -> nn::Conv2D {
    let layer = nn::conv2d(path, inputs, outputs, 3, nn::ConvConfig { padding: 1, ..Default::default() });
    start_as_pytorch(dice, &layer.ws, layer.bs.as_ref());
    layer
}

/// Weights and biases drawn evenly from ±1/√(inputs of a unit): Kaiming-uniform
/// with a = √5, worked out. Not from libtorch's generator, which is one for the
/// whole program: another thread's lots would change the weights.
pub(crate) fn start_as_pytorch(dice: &mut Dice, weight: &Tensor, bias: Option<&Tensor>) {
    let inputs = weight.numel() / weight.size()[0] as usize;
    let bound = 1.0 / (inputs as f32).sqrt();
    for numbers in [Some(weight), bias].into_iter().flatten() {
        let drawn: Vec<f32> = (0..numbers.numel()).map(|_| dice.between(-bound, bound)).collect();
        let drawn = Tensor::from_slice(&drawn).view_as(numbers);
        tch::no_grad(|| numbers.shallow_clone().copy_(&drawn));
    }
}

/// What [`shuffled_pixels`] found out.
///
/// ```
/// use nchw::prelude::*;
/// let data = Shapes10::draw(20, 1)?;
/// let settings = ShuffleSettings { epochs: 1, ..ShuffleSettings::default() };
/// let result: ShuffledPixels = shuffled_pixels(&data, &data, &data, &settings)?;
/// assert_eq!(result.curves().len(), 4);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone)]
pub struct ShuffledPixels {
    /// The fully connected network on the pictures as they are.
    pub mlp_plain: Curve,
    /// The fully connected network on shuffled pictures.
    pub mlp_shuffled: Curve,
    /// The convolutional network on the pictures as they are.
    pub cnn_plain: Curve,
    /// The convolutional network on shuffled pictures.
    pub cnn_shuffled: Curve,
    /// Accuracy of the fully connected network of `mlp_plain` on the moved set.
    pub mlp_moved: f64,
    /// Accuracy of the convolutional network of `cnn_plain` on the moved set.
    pub cnn_moved: f64,
    /// Weights and biases of the fully connected network.
    pub mlp_parameters: i64,
    /// Weights and biases of the convolutional network.
    pub cnn_parameters: i64,
    /// The order that all shuffled pictures share.
    pub permutation: Permutation,
    /// How long the whole experiment took.
    pub seconds: f64,
}

impl ShuffledPixels {
    /// The four curves, fully connected first, plain before shuffled.
    pub fn curves(&self) -> [Curve; 4] {
        [&self.mlp_plain, &self.mlp_shuffled, &self.cnn_plain, &self.cnn_shuffled].map(Curve::clone)
    }
}

impl fmt::Display for ShuffledPixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        writeln!(f, "test accuracy   plain  shuffled     moved  parameters")?;
        let rows = [
            ("MLP", &self.mlp_plain, &self.mlp_shuffled, self.mlp_moved, self.mlp_parameters),
            ("CNN", &self.cnn_plain, &self.cnn_shuffled, self.cnn_moved, self.cnn_parameters),
        ];
        for (name, plain, shuffled, moved, parameters) in rows {
            let [plain, shuffled] = [plain, shuffled].map(|curve| percent(curve.last_accuracy()));
            writeln!(f, "{name:11}{plain:>10}{shuffled:>10}{:>10}{parameters:>12}", percent(moved))?;
        }
        write!(f, "{:.0} s", self.seconds)
    }
}

debug_as_display!(ShuffledPixels);

/// Trains a fully connected and a convolutional network, each on plain and on
/// shuffled pictures, from the same start; then shows the two that learned
/// plain pictures the `moved` ones, whose shapes lie where none lay before.
///
/// Prints a line an epoch. The same settings give the same curves again on
/// the same machine; another machine adds up in another order, and its curves
/// differ by chance, as with another seed.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`, in all three; N may differ
///
/// # Errors
/// When a shape, a kind or a label is another, or a setting makes no sense.
///
/// # Source
/// Lecture part 1: "shuffle all pixels with one fixed permutation, train
/// again, and a fully connected network does no worse".
///
/// ```
/// use nchw::prelude::*;
/// let data = Shapes10::draw(20, 1)?;
/// let settings = ShuffleSettings { epochs: 1, ..ShuffleSettings::default() };
/// println!("{:?}", shuffled_pixels(&data, &data, &data, &settings)?);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn shuffled_pixels(
    train: &Shapes10,
    test: &Shapes10,
    moved: &Shapes10,
    settings: &ShuffleSettings,
) -> Result<ShuffledPixels> {
    settings.check()?;
    check("the training set", train)?;
    check("the test set", test)?;
    check("the moved test set", moved)?;
    let start = Instant::now();
    let permutation = Permutation::random(32 * 32, settings.seed)?;
    let train_shuffled = train.with_images(permutation.apply(&train.images)?)?;
    let test_shuffled = test.with_images(permutation.apply(&test.images)?)?;
    let both = |new: fn(u64) -> SmallNet| -> Result<(Curve, Curve, f64, i64)> {
        let net = new(settings.seed);
        let plain = net.train(&format!("{}, plain pixels", net.name), train, test, settings)?;
        let other = new(settings.seed);
        let name = format!("{}, shuffled pixels", net.name);
        let shuffled = other.train(&name, &train_shuffled, &test_shuffled, settings)?;
        Ok((plain, shuffled, net.accuracy(moved)?, net.parameters()))
    };
    let (mlp_plain, mlp_shuffled, mlp_moved, mlp_parameters) = both(SmallNet::mlp)?;
    let (cnn_plain, cnn_shuffled, cnn_moved, cnn_parameters) = both(SmallNet::cnn)?;
    Ok(ShuffledPixels {
        mlp_plain,
        mlp_shuffled,
        cnn_plain,
        cnn_shuffled,
        mlp_moved,
        cnn_moved,
        mlp_parameters,
        cnn_parameters,
        permutation,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// How many places of two lists agree.
fn agreeing(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(a.f_eq_tensor(b)?.f_sum(Kind::Double)?.f_double_value(&[])?)
}

fn check(what: &str, data: &Shapes10) -> Result<()> {
    check_images(what, &data.images)?;
    let (images, labels) = (data.images.size(), data.labels.size());
    if labels.len() != 1 || labels[0] != images[0] {
        return Err(Error::new(format!(
            "{what} has images {images:?}, so labels of shape [{n}] were expected, one for each picture \
             (axis 0, N = {n}); got {labels:?}. Were only the images, or only the labels, cut or mixed?",
            n = images[0]
        )));
    }
    if data.labels.kind() != Kind::Int64 {
        return Err(Error::new(format!(
            "{what} has labels of kind {:?}; expected Int64, whole numbers: labels.to_kind(Kind::Int64)",
            data.labels.kind()
        )));
    }
    let (least, most) = (data.labels.f_min()?.f_int64_value(&[])?, data.labels.f_max()?.f_int64_value(&[])?);
    if least < 0 || most > 9 {
        return Err(Error::new(format!(
            "{what} has labels from {least} to {most}; expected 0 to 9, as there are ten classes. \
             Do the labels count from 1? Then: labels - 1"
        )));
    }
    Ok(())
}

fn check_images(what: &str, images: &Tensor) -> Result<()> {
    let shape = images.size();
    let expected = "expected pictures of shape [N, 3, 32, 32] (how many, channels, rows, columns)";
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
            _ if n == 0 => "There is no picture in it: was it cut to nothing?",
            [32, 32, 3] => "The channels seem to come last: images.permute([0, 3, 1, 2])",
            [1, _, _] => "Grey pictures? Repeat the one channel: images.expand([-1, 3, -1, -1], false)",
            [3, _, _] => "These networks are made for 32 x 32: resize the pictures first",
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

fn count_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn hint_for_axes(axes: usize) -> &'static str {
    match axes {
        3 => "A single picture? Make it a batch of one: images.unsqueeze(0)",
        _ => "N pictures, C channels, H rows, W columns: bring them into this form with view",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes10::Place;
    use tch::IndexOp;

    #[test]
    fn shuffling_and_its_inverse_give_the_picture_back() {
        let images = Tensor::arange(2 * 3 * 5 * 7, (Kind::Int64, Device::Cpu)).view([2, 3, 5, 7]);
        let permutation = Permutation::random(5 * 7, 4).unwrap();
        let shuffled = permutation.apply(&images).unwrap();
        assert_eq!(shuffled.size(), [2, 3, 5, 7]);
        assert_ne!(shuffled, images);
        assert_eq!(permutation.inverse().apply(&shuffled).unwrap(), images);
        assert_eq!(permutation.inverse().inverse(), permutation);
        // Also where the channels come last in memory.
        let strided = images.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        assert_eq!(permutation.apply(&strided).unwrap(), shuffled);
    }

    #[test]
    fn every_pixel_comes_from_its_place_with_all_its_channels() {
        let images = Tensor::arange(2 * 3 * 4 * 6, (Kind::Int64, Device::Cpu)).view([2, 3, 4, 6]);
        let permutation = Permutation::random(4 * 6, 1).unwrap();
        let shuffled = permutation.apply(&images).unwrap();
        for (to, from) in (0..).zip(permutation.places()) {
            assert_eq!(shuffled.i((.., .., to / 6, to % 6)), images.i((.., .., from / 6, from % 6)));
        }
    }

    #[test]
    fn a_seed_gives_this_order_on_every_machine() {
        let permutation = Permutation::random(10, 1).unwrap();
        assert_eq!(format!("{permutation:?}"), "Permutation of 10 places: 1, 4, 9, 8, 0, 5, 7, 6, …");
        assert_eq!(permutation, Permutation::random(10, 1).unwrap());
        assert_ne!(permutation, Permutation::random(10, 2).unwrap());
        let mut places = Permutation::random(1024, 1).unwrap().places();
        places.sort_unstable();
        assert_eq!(places, (0..1024).collect::<Vec<i64>>());
    }

    /// The numbers of a fully connected layer and of a convolution, counted
    /// by hand: inputs x outputs + outputs; channels x 3 x 3 x filters + filters.
    #[test]
    fn parameters_add_up() {
        let mlp = 3072 * 128 + 128 + (128 * 64 + 64) + (64 * 10 + 10);
        let cnn = 3 * 9 * 16 + 16 + (16 * 9 * 32 + 32) + (32 * 9 * 64 + 64) + (64 * 10 + 10);
        assert_eq!(SmallNet::mlp(1).parameters(), mlp);
        assert_eq!(SmallNet::cnn(1).parameters(), cnn);
        assert_eq!(format!("{:?}", SmallNet::cnn(1)), "CNN with 24234 parameters");
    }

    /// torch.nn.Conv2d and Linear: weight and bias within 1/sqrt(fan-in),
    /// standard deviation that divided by sqrt(3).
    #[test]
    fn weights_start_as_pytorchs_do() {
        let conv = conv(nn::VarStore::new(Device::Cpu).root(), &mut Dice::new(1, 0), 32, 64);
        let bound = 1.0 / (32.0 * 9.0_f64).sqrt();
        assert!(conv.ws.abs().max().double_value(&[]) <= bound);
        let spread = conv.ws.std(true).double_value(&[]);
        assert!((spread / (bound / 3.0_f64.sqrt()) - 1.0).abs() < 0.03, "{spread}");
        let bias = conv.bs.unwrap();
        assert!(bias.abs().max().double_value(&[]) <= bound && bias.std(true).double_value(&[]) > 0.0);
    }

    #[test]
    fn a_tiny_experiment_learns_and_repeats_itself() {
        let train = Shapes10::draw_at(Place::Left, 1000, 1).unwrap();
        let test = Shapes10::draw_at(Place::Left, 200, 2).unwrap();
        let moved = Shapes10::draw_at(Place::Right, 200, 2).unwrap();
        let settings = ShuffleSettings { epochs: 3, batch: 25, ..Default::default() };
        let result = shuffled_pixels(&train, &test, &moved, &settings).unwrap();
        for curve in result.curves() {
            assert_eq!([curve.loss.len(), curve.train_accuracy.len(), curve.accuracy.len()], [3; 3]);
            assert!(curve.loss[2] < curve.loss[0], "{curve:?}");
        }
        let names = result.curves().map(|curve| curve.name);
        assert_eq!(
            names,
            ["MLP, plain pixels", "MLP, shuffled pixels", "CNN, plain pixels", "CNN, shuffled pixels"]
        );
        assert!(result.mlp_plain.last_accuracy() > 0.2, "{result}");
        assert!(result.mlp_shuffled.last_accuracy() > 0.2, "{result}");
        assert!((0.0..=1.0).contains(&result.cnn_moved) && result.seconds > 0.0);
        assert_eq!(result.permutation, Permutation::random(1024, settings.seed).unwrap());
        let text = result.to_string();
        assert!(text.starts_with("test accuracy   plain  shuffled     moved  parameters\nMLP "), "{text}");

        let net = SmallNet::mlp(settings.seed);
        let again = net.train("again", &train, &test, &settings).unwrap();
        assert_eq!(again.loss, result.mlp_plain.loss);
        assert_eq!(net.accuracy(&moved).unwrap(), result.mlp_moved);
    }

    #[test]
    fn answers_are_one_class_a_picture() {
        let data = Shapes10::draw(7, 1).unwrap();
        let classes = SmallNet::cnn(1).predict(&data.images).unwrap();
        assert_eq!((classes.size(), classes.kind()), (vec![7], Kind::Int64));
    }

    fn complaint<T: fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_permutation_says_what_would_fit() {
        let permutation = Permutation::random(32 * 32, 1).unwrap();
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Uint8, Device::Cpu));
        assert_eq!(
            complaint(permutation.apply(&zeros(&[2, 3, 20, 30]))),
            "this permutation has 1024 places, but the pictures [2, 3, 20, 30] have H x W = 20 x 30 = 600 \
             (axes 2 and 3). Make one that fits: Permutation::random(20 * 30, 1)?"
        );
        assert_eq!(
            complaint(permutation.apply(&zeros(&[3, 32, 32]))),
            "expected pictures of shape [N, C, H, W], four axes; got [3, 32, 32], 3 axes. \
             A single picture? Make it a batch of one: images.unsqueeze(0)"
        );
        assert_eq!(
            complaint(Permutation::random(0, 1)),
            "expected the number of places of a picture, H x W, such as 32 * 32; got 0"
        );
    }

    #[test]
    fn a_network_says_which_axis_is_wrong_and_why() {
        let net = SmallNet::cnn(1);
        let ask = |shape: &[i64]| complaint(net.predict(&Tensor::zeros(shape, (Kind::Uint8, Device::Cpu))));
        assert_eq!(
            ask(&[8, 32, 32, 3]),
            "the pictures: expected pictures of shape [N, 3, 32, 32] (how many, channels, rows, columns); \
             got [8, 32, 32, 3]: axis 1 (C) is 32. \
             The channels seem to come last: images.permute([0, 3, 1, 2])"
        );
        let ends = [
            (
                vec![8, 1, 32, 32],
                "axis 1 (C) is 1. Grey pictures? Repeat the one channel: images.expand([-1, 3, -1, -1], false)",
            ),
            (
                vec![8, 3, 28, 32],
                "axis 2 (H) is 28. These networks are made for 32 x 32: resize the pictures first",
            ),
            (
                vec![8, 3, 32, 48],
                "axis 3 (W) is 48. These networks are made for 32 x 32: resize the pictures first",
            ),
            (vec![0, 3, 32, 32], "axis 0 (N) is 0. There is no picture in it: was it cut to nothing?"),
            (vec![3, 32, 32], "3 axes. A single picture? Make it a batch of one: images.unsqueeze(0)"),
        ];
        for (shape, end) in ends {
            let text = ask(&shape);
            assert!(text.ends_with(end), "{text}");
        }
        let floats = Tensor::zeros([2, 3, 32, 32], (Kind::Float, Device::Cpu));
        let text = complaint(net.predict(&floats));
        assert!(
            text.starts_with("the pictures: expected bytes, 0 to 255 (kind Uint8); got kind Float."),
            "{text}"
        );
    }

    #[test]
    fn training_says_what_is_wrong_with_labels_and_settings() {
        let data = Shapes10::draw(20, 1).unwrap();
        let settings = ShuffleSettings { epochs: 1, ..Default::default() };
        let train = |labels: Tensor, settings: &ShuffleSettings| {
            let train = Shapes10 { images: data.images.shallow_clone(), labels };
            complaint(SmallNet::mlp(1).train("x", &train, &data, settings))
        };
        assert_eq!(
            train(data.labels.i(..12), &settings),
            "the training set has images [20, 3, 32, 32], so labels of shape [20] were expected, one for each \
             picture (axis 0, N = 20); got [12]. Were only the images, or only the labels, cut or mixed?"
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
            "expected at least 1 epoch and 1 picture to a batch; got epochs = 0, batch = 64"
        );
        let fast = ShuffleSettings { learning_rate: -1.0, ..Default::default() };
        assert_eq!(
            train(data.labels.shallow_clone(), &fast),
            "expected a learning rate above 0 and up to 1, such as 0.003; got -1"
        );
    }
}
