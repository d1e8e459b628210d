//! The small networks of notebook 01.
//!
//! They are on the CPU, where the same seed gives the same numbers again.

use crate::{
    Result,
    check::check_images,
    data::Examples,
    init::{INITIAL_WEIGHTS, init_like_pytorch},
    random::Rng,
    summary::{Layered, Layers},
};
use std::{fmt, rc::Rc};
use tch::{
    Device, Kind, Tensor,
    nn::{self, Module},
};

/// The batch size for predictions, small enough for any memory.
const PREDICT_BATCH: i64 = 500;

/// A small network for 32 × 32 RGB images of ten classes.
///
/// A clone is the same network: training one trains the other.
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
#[derive(Clone)]
pub struct SmallNet {
    pub(crate) name: &'static str,
    pub(crate) weights: Rc<nn::VarStore>,
    /// The names of the layers.
    names: Vec<&'static str>,
    layers: Rc<nn::Sequential>,
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
        let names = vec!["flatten", "linear1", "relu1", "linear2", "relu2", "linear3"];
        SmallNet { name: "MLP", weights: Rc::new(weights), names, layers: Rc::new(layers) }
    }

    /// A convolutional network: three 3 × 3 convolutions with 16, 32 and 64 filters, max pooling after
    /// the first two, global average pooling after the third, and a linear layer from 64 to 10.
    ///
    /// The same seed gives the same initial weights.
    pub fn cnn(seed: u64) -> SmallNet {
        let mean = |maps: &Tensor| maps.relu().mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        SmallNet::convolutional(seed, "CNN", "relu3, global mean", mean, 64)
    }

    /// The same convolutions as in [`SmallNet::cnn`], but with another end: the 64 maps of 8 × 8 are
    /// flattened, and a linear layer connects all 4,096 numbers to the classes.
    ///
    /// The same seed gives the same initial weights.
    pub fn cnn_flat(seed: u64) -> SmallNet {
        let flatten = |maps: &Tensor| maps.relu().flatten(1, -1);
        SmallNet::convolutional(seed, "CNN, flattened", "relu3, flatten", flatten, 64 * 8 * 8)
    }

    /// Three convolutions, then what `end` makes of the last maps: `inputs` numbers for the linear layer.
    fn convolutional(
        seed: u64,
        name: &'static str,
        end_name: &'static str,
        end: fn(&Tensor) -> Tensor,
        inputs: i64,
    ) -> SmallNet {
        let mut rng = Rng::new(seed, INITIAL_WEIGHTS);
        let weights = nn::VarStore::new(Device::Cpu);
        let root = weights.root();
        let layers = nn::seq()
            .add(conv(&root / "conv1", &mut rng, 3, 16))
            .add_fn(|maps| maps.relu().max_pool2d_default(2))
            .add(conv(&root / "conv2", &mut rng, 16, 32))
            .add_fn(|maps| maps.relu().max_pool2d_default(2))
            .add(conv(&root / "conv3", &mut rng, 32, 64))
            .add_fn(end)
            .add(linear(&root / "linear", &mut rng, inputs, 10));
        let names = vec!["conv1", "relu1, max pool", "conv2", "relu2, max pool", "conv3", end_name, "linear"];
        SmallNet { name, weights: Rc::new(weights), names, layers: Rc::new(layers) }
    }

    /// The number of parameters: weights and biases.
    pub fn parameters(&self) -> i64 {
        self.weights.trainable_variables().iter().map(|v| v.numel() as i64).sum()
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
        predictions(images, |part| self.logits(part))
    }

    /// The fraction of images that are classified correctly, 0 to 1.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`
    ///
    /// # Errors
    /// If the images or the labels have another shape or kind, or a label is not from 0 to 9.
    pub fn accuracy(&self, data: &Examples) -> Result<f64> {
        data.check("the data")?;
        accuracy(data, |part| self.logits(part))
    }

    /// One score per class.
    ///
    /// # Shapes
    /// `[N, 3, 32, 32]` bytes → `[N, 10]`
    pub(crate) fn logits(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.layers.forward(&standardised(images)?))
    }
}

/// The class with the largest logit, for each image.
fn predictions(images: &Tensor, logits: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    tch::no_grad(|| {
        let parts = images.f_split(PREDICT_BATCH, 0)?;
        let classes = parts.iter().map(|part| Ok(logits(part)?.f_argmax(1, false)?));
        Ok(Tensor::f_cat(&classes.collect::<Result<Vec<Tensor>>>()?, 0)?)
    })
}

/// The fraction of images whose class has the largest logit, 0 to 1.
pub(crate) fn accuracy(data: &Examples, logits: impl Fn(&Tensor) -> Result<Tensor>) -> Result<f64> {
    let right = predictions(&data.images, logits)?.f_eq_tensor(&data.labels)?.f_sum(Kind::Double)?;
    Ok(right.f_double_value(&[])? / data.len() as f64)
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
        Ok(Layers::named(["normalise"].iter().chain(&self.names).copied(), Some(&self.weights)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shapes10;

    /// Parameters of a fully connected layer: inputs x outputs + outputs; of a convolution: channels x
    /// 3 x 3 x filters + filters.
    #[test]
    fn parameters_add_up() {
        let mlp = 3072 * 128 + 128 + (128 * 64 + 64) + (64 * 10 + 10);
        let cnn = 3 * 9 * 16 + 16 + (16 * 9 * 32 + 32) + (32 * 9 * 64 + 64) + (64 * 10 + 10);
        assert_eq!(SmallNet::mlp(1).parameters(), mlp);
        assert_eq!(SmallNet::cnn(1).parameters(), cnn);
        assert_eq!(SmallNet::cnn_flat(1).parameters(), cnn + (4096 - 64) * 10);
        assert_eq!(format!("{:?}", SmallNet::cnn(1)), "CNN with 24234 parameters");
        assert_eq!(format!("{:?}", SmallNet::cnn_flat(1)), "CNN, flattened with 64554 parameters");
    }

    #[test]
    fn predictions_are_one_class_per_image() {
        let net = SmallNet::cnn(1);
        let classes = net.predict(&Shapes10::draw(7, 1).unwrap().images).unwrap();
        assert_eq!((classes.size(), classes.kind()), (vec![7], Kind::Int64));
        let grey = Tensor::zeros([8, 1, 32, 32], (Kind::Uint8, Device::Cpu));
        let error = net.predict(&grey).unwrap_err().to_string();
        assert!(error.starts_with("the images: expected N C=3 H=32 W=32, got 8x1x32x32"), "{error}");
    }
}
