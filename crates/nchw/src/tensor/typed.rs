//! Layers with their numbers of channels in the type, so that the compiler finds mismatches.
//!
//! `Conv<3, 10>` has ten filters with three channels each. The next layer must accept ten
//! channels; otherwise the program does not compile, and the compiler explains why. [`lay_on`] is a
//! convolution without such types, where the same mistake is found only when the line runs.
//!
//! ```
//! use nchw::{prelude::*, typed::{Conv, MaxPool, Relu}};
//! let net = Conv::<3, 10>::new(3).then(Relu).then(MaxPool::new(2)).then(Conv::<10, 20>::new((1, 2)));
//! let images = Tensor::zeros([32, 3, 7, 9], (Kind::Float, Device::Cpu));
//! assert_eq!(net.forward(&images)?.size(), [32, 20, 2, 2]);
//! # Ok::<(), nchw::Error>(())
//! ```
//!
//! ```compile_fail,E0277
//! use nchw::typed::Conv;
//! let net = Conv::<3, 10>::new(3).then(Conv::<3, 20>::new(3)); // the input has ten channels, not three
//! ```

use crate::{
    Error, Result,
    check::{holds_something, sizes},
    hints::hint,
    init::init_like_pytorch,
    random::Rng,
    run::apply,
    shapes::{self, AFFORDABLE, Layer, Pair, Shape, affordable, chain, count, times},
    summary::{Layered, Layers},
};
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use tch::{Device, Kind, TchError, Tensor};

/// The seed of all initial weights; each layer has its own stream of random numbers.
const SEED: u64 = 1;
/// The largest output of a layer: one billion numbers (4 GB).
const MAX_VALUES: u64 = 10 * AFFORDABLE;

/// A layer with `IN` input channels and `OUT` output channels.
#[diagnostic::on_unimplemented(
    message = "a filter must have as many channels as its input: the input has {IN} channels, and `{Self}` does not accept {IN}",
    label = "the input has {IN} channels: write `Conv::<{IN}, …>` here",
    note = "a filter covers all channels of its input, so you cannot choose their number (채, C): it is that of the layer before, {IN}",
    note = "`Conv::<IN, OUT>`: IN is the number of input channels; OUT is the number of filters that you choose, and so of output channels"
)]
pub trait LaidOn<const IN: usize, const OUT: usize>: Step + 'static {}

/// A layer, for any number of channels.
pub trait Step: fmt::Debug + Send {
    /// Applies the layer to feature maps.
    ///
    /// # Shapes
    /// N C H W, or C H W for one image.
    ///
    /// # Errors
    /// If libtorch refuses the input: what was expected, what it got, and what to write instead.
    fn forward(&self, maps: &Tensor) -> Result<Tensor>;

    /// The parameters; they share their memory with the layer.
    fn variables(&self) -> Vec<Tensor> {
        Vec::new()
    }
}

/// A convolution: `OUT` filters, each with `IN` channels, and a bias for each.
///
/// The initial weights have the same distribution as in PyTorch. A program that creates the same
/// layers in the same order gets the same weights.
///
/// Source: PyTorch `torch.nn.Conv2d`; lecture parts 2 and 3.
pub struct Conv<const IN: usize, const OUT: usize> {
    layer: shapes::Conv,
    /// Weight and bias, or the error message that `forward` returns.
    parameters: Result<[Tensor; 2], String>,
}

/// ReLU: negative values become 0. The number of channels stays the same.
#[derive(Clone, Copy)]
pub struct Relu;

/// Max pooling: the largest value of every window. Windows do not overlap; the number of channels
/// stays the same.
///
/// Source: PyTorch `torch.nn.MaxPool2d`; lecture part 5.
#[derive(Clone, Copy)]
pub struct MaxPool {
    kernel: Pair,
}

/// A sequence of layers, with `IN` input channels and `OUT` output channels.
pub struct Net<const IN: usize, const OUT: usize> {
    steps: Vec<Box<dyn Step>>,
}

impl<const IN: usize, const OUT: usize> LaidOn<IN, OUT> for Conv<IN, OUT> {}
impl<const IN: usize, const OUT: usize> LaidOn<IN, OUT> for Net<IN, OUT> {}
impl<const C: usize> LaidOn<C, C> for Relu {}
impl<const C: usize> LaidOn<C, C> for MaxPool {}

impl<const IN: usize, const OUT: usize> Conv<IN, OUT> {
    /// A convolution with filters of this size: `3` means 3 × 3, `(3, 5)` means 3 rows and 5 columns.
    pub fn new(kernel: impl Into<Pair>) -> Conv<IN, OUT> {
        const { assert!(IN > 0 && OUT > 0, "a convolution has at least 1 channel and at least 1 filter") }
        let kernel = kernel.into();
        let layer = shapes::conv(OUT as u64, kernel).in_channels(IN as u64);
        Conv { layer, parameters: initial_parameters(IN, OUT, kernel) }
    }

    /// By how many rows and columns the window moves.
    pub fn stride(self, stride: impl Into<Pair>) -> Conv<IN, OUT> {
        Conv { layer: self.layer.stride(stride), ..self }
    }

    /// How many rows and columns of zeros are added on each side.
    pub fn padding(self, padding: impl Into<Pair>) -> Conv<IN, OUT> {
        Conv { layer: self.layer.padding(padding), ..self }
    }

    /// Adds a layer after this one. It must have `OUT` input channels.
    pub fn then<const NEXT: usize>(self, next: impl LaidOn<OUT, NEXT>) -> Net<IN, NEXT> {
        Net { steps: vec![Box::new(self), Box::new(next)] }
    }

    /// The filters: `OUT` x `IN` x rows x columns. The weight does not depend on the batch.
    ///
    /// # Errors
    /// If the size of the filters is 0 or too large.
    pub fn weight(&self) -> Result<Tensor> {
        Ok(self.parameters()?[0].shallow_clone())
    }

    fn parameters(&self) -> Result<&[Tensor; 2]> {
        self.parameters.as_ref().map_err(Error::new)
    }

    /// Applies the filters to feature maps.
    ///
    /// # Shapes
    /// N `IN` H W → N `OUT` H' W'; N may be missing.
    ///
    /// # Errors
    /// If the maps have another number of channels or are too small: what was expected, what it
    /// got, the likely cause, and what to write instead.
    pub fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        let [weight, bias] = self.parameters()?;
        let layer = Layer::from(self.layer);
        check_output_size(layer, maps)?;
        apply(&layer, maps, Some(weight), Some(bias)).map_err(|error| explained(layer, maps, error))
    }
}

impl<const IN: usize, const OUT: usize> Step for Conv<IN, OUT> {
    fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        Conv::forward(self, maps)
    }

    fn variables(&self) -> Vec<Tensor> {
        self.parameters.iter().flatten().map(Tensor::shallow_clone).collect()
    }
}

impl<const IN: usize, const OUT: usize> Net<IN, OUT> {
    /// Adds a layer at the end. It must have `OUT` input channels.
    pub fn then<const NEXT: usize>(mut self, next: impl LaidOn<OUT, NEXT>) -> Net<IN, NEXT> {
        self.steps.push(Box::new(next));
        Net { steps: self.steps }
    }

    /// Applies all layers in order.
    ///
    /// # Shapes
    /// N `IN` H W → N `OUT` H' W'; N may be missing.
    ///
    /// # Errors
    /// If a layer refuses its input: the number of the layer, and why.
    pub fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        let mut maps = maps.shallow_clone();
        for (step, position) in self.steps.iter().zip(1..) {
            maps = step.forward(&maps).map_err(|e| Error::new(format!("layer {position}: {e}")))?;
        }
        Ok(maps)
    }

    /// The parameters; they share their memory with the layers.
    pub fn variables(&self) -> Vec<Tensor> {
        self.steps.iter().flat_map(|step| step.variables()).collect()
    }
}

impl<const IN: usize, const OUT: usize> Step for Net<IN, OUT> {
    fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        Net::forward(self, maps)
    }

    fn variables(&self) -> Vec<Tensor> {
        Net::variables(self)
    }
}

impl<const IN: usize, const OUT: usize> Layered for Net<IN, OUT> {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::described(self.steps.iter().map(|step| (format!("{step:?}"), step.variables()))))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        let mut outputs: Vec<Tensor> = Vec::new();
        for step in &self.steps[..count] {
            outputs.push(step.forward(outputs.last().unwrap_or(input))?);
        }
        Ok(outputs)
    }
}

impl Step for Relu {
    fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        Ok(maps.f_relu()?)
    }
}

impl MaxPool {
    /// Windows of this size: `2` means 2 × 2, `(2, 3)` means 2 rows and 3 columns.
    pub fn new(kernel: impl Into<Pair>) -> MaxPool {
        MaxPool { kernel: kernel.into() }
    }
}

impl Step for MaxPool {
    fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        let layer = Layer::from(shapes::max_pool(self.kernel));
        check_output_size(layer, maps)?;
        apply(&layer, maps, None, None).map_err(|error| explained(layer, maps, error))
    }
}

/// Convolves feature maps with filters. The types do not contain the numbers of channels, so a
/// mismatch is found only at run time.
///
/// # Shapes
/// `filters` N C h w on `maps` N C H W → N (of the maps), N (of the filters), H-h+1, W-w+1.
///
/// # Errors
/// If the filters do not fit the maps: libtorch's message, what was expected, what it got, the likely
/// cause, and what to write instead.
///
/// ```
/// use nchw::{prelude::*, typed::lay_on};
/// let zeros = |sizes: [i64; 4]| Tensor::zeros(sizes, (Kind::Float, Device::Cpu));
/// let error = lay_on(&zeros([20, 3, 3, 3]), &zeros([32, 10, 5, 7])).unwrap_err().to_string();
/// assert!(error.contains("axis C (channels): expected 10 (a filter must have as many channels as its input), got 3"));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn lay_on(filters: &Tensor, maps: &Tensor) -> Result<Tensor> {
    holds_something(filters)?;
    let &[filter_count, channels, h, w] = sizes(filters).as_slice() else {
        return Err(Error::new(format!(
            "expected filters with four axes (filters x channels x rows x columns, such as 20x10x3x3), got {}",
            times(&sizes(filters))
        )));
    };
    let layer = shapes::conv(filter_count, (h, w)).in_channels(channels).nobias().into();
    check_output_size(layer, maps)?;
    apply(&layer, maps, Some(filters), None).map_err(|error| explained(layer, maps, error))
}

/// Refuses an output that would fill the memory, such as after a typo in the padding.
fn check_output_size(layer: Layer, maps: &Tensor) -> Result<()> {
    holds_something(maps)?;
    let row = Shape::of(&sizes(maps)).and_then(|shape| layer.on(shape).ok());
    row.map_or(Ok(()), |row| affordable(&format!("the output of `{layer}`"), Some(row.bytes / 4), MAX_VALUES))
}

/// libtorch's message, followed by its likely cause.
fn explained(layer: Layer, maps: &Tensor, error: TchError) -> Error {
    let (message, sizes) = (Error::from(error).to_string(), sizes(maps));
    let problem = Shape::of(&sizes).and_then(|shape| chain![layer].on(shape).problem);
    let problem = problem.map(|problem| problem.alone()).or_else(|| hint(&message, &sizes));
    Error::new(format!("{message}{}", problem.map_or(String::new(), |text| format!("\n{text}"))))
}

/// Weight and bias, initialised as in PyTorch's `Conv2d`.
fn initial_parameters(channels: usize, filters: usize, kernel: Pair) -> Result<[Tensor; 2], String> {
    static LAYERS: AtomicU64 = AtomicU64::new(0);
    let shape = [filters as u64, channels as u64, kernel.h, kernel.w];
    match count(&shape) {
        Some(0) => return Err(format!("kernel size: expected at least 1, got {kernel}")),
        numbers => affordable(&format!("a weight of {}", times(&shape)), numbers, AFFORDABLE)
            .map_err(|error| error.to_string())?,
    }
    let zeros = |shape: &[u64]| {
        let shape: Vec<i64> = shape.iter().map(|size| *size as i64).collect();
        Tensor::f_zeros(shape, (Kind::Float, Device::Cpu)).map_err(|e| Error::from(e).to_string())
    };
    let (weight, bias) = (zeros(&shape)?, zeros(&shape[..1])?);
    init_like_pytorch(&mut Rng::new(SEED, LAYERS.fetch_add(1, Ordering::Relaxed)), &weight, Some(&bias));
    Ok([weight.set_requires_grad(true), bias.set_requires_grad(true)])
}

impl<const IN: usize, const OUT: usize> fmt::Debug for Conv<IN, OUT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layer)
    }
}

impl fmt::Debug for Relu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("relu")
    }
}

impl fmt::Debug for MaxPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shapes::max_pool(self.kernel))
    }
}

impl<const IN: usize, const OUT: usize> fmt::Debug for Net<IN, OUT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.steps.iter().map(|step| format!("{step:?}")).collect();
        f.write_str(&steps.join("; "))
    }
}
