//! The compiler as teacher: layers with their channels in the type.
//!
//! `Conv<3, 10>` has ten filters of three channels each. What is laid on its
//! ten maps must be made for ten channels; anything else is no program, and the
//! compiler says why before anything runs. [`lay_on`] is the same step without
//! such types: there the mistake waits until the line runs.
//!
//! ```
//! use nchw::{prelude::*, typed::{Conv, MaxPool, Relu}};
//! let net = Conv::<3, 10>::new(3).then(Relu).then(MaxPool::new(2)).then(Conv::<10, 20>::new((1, 2)));
//! let pictures = Tensor::zeros([32, 3, 7, 9], (Kind::Float, Device::Cpu));
//! assert_eq!(net.forward(&pictures)?.size(), [32, 20, 2, 2]);
//! # Ok::<(), nchw::Error>(())
//! ```
//!
//! ```compile_fail,E0277
//! use nchw::typed::Conv;
//! let net = Conv::<3, 10>::new(3).then(Conv::<3, 20>::new(3)); // ten channels come, not three
//! ```

use crate::{
    Error, Result,
    check::{holds_something, sizes},
    hints::hint,
    random::Rng,
    shapes::{self, AFFORDABLE, Pair, Shape, affordable, chain, count, times},
    small_net::start_as_pytorch,
    summary::{Layered, Layers},
};
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};
use tch::{Device, Kind, TchError, Tensor};

/// The seed of all first weights; each layer has a stream of its own.
const SEED: u64 = 1;
/// The most numbers that may come out of a layer (4 GB): its maps are real ones, of a whole batch.
const MOST_VALUES: u64 = 10 * AFFORDABLE;

/// A layer that takes `IN` channels and gives `OUT`.
#[diagnostic::on_unimplemented(
    message = "a filter's channels must equal the channels of what it is laid on: {IN} channels come, and `{Self}` is not made for {IN}",
    label = "{IN} channels come here: make this layer `Conv::<{IN}, …>`",
    note = "a filter is laid on all channels at once, so their number (채, C) is not yours to choose: it is that of the layer just before, {IN}",
    note = "`Conv::<IN, OUT>`: IN is how many channels come, OUT how many filters you choose, and so how many channels come out"
)]
pub trait LaidOn<const IN: usize, const OUT: usize>: Step + 'static {}

/// What a layer does with maps, whatever its channels.
pub trait Step: fmt::Debug + Send {
    /// What the layer makes of the maps.
    ///
    /// # Shapes
    /// N C H W, or C H W for one picture.
    ///
    /// # Errors
    /// What libtorch refuses, with what was expected, what came, and what to write instead.
    fn forward(&self, maps: &Tensor) -> Result<Tensor>;

    /// The numbers that are learned: they share their memory with the layer.
    fn variables(&self) -> Vec<Tensor> {
        Vec::new()
    }
}

/// A convolution: `OUT` filters, each with `IN` channels, and a bias for each.
///
/// Its first weights are drawn as PyTorch's are; a program that makes the same
/// layers in the same order has the same weights again.
///
/// Source: PyTorch `torch.nn.Conv2d`; lecture parts 2 and 3.
pub struct Conv<const IN: usize, const OUT: usize> {
    layer: shapes::Layer,
    /// Weight and bias; or why they could not be made, which `forward` says.
    numbers: Result<[Tensor; 2], String>,
}

/// Negative values become 0; channels stay.
#[derive(Clone, Copy)]
pub struct Relu;

/// The largest value of every window; channels stay, windows do not overlap.
///
/// Source: PyTorch `torch.nn.MaxPool2d`; lecture part 5.
#[derive(Clone, Copy)]
pub struct MaxPool {
    kernel: Pair,
}

/// Layers one after the other, from `IN` channels to `OUT`.
pub struct Net<const IN: usize, const OUT: usize> {
    steps: Vec<Box<dyn Step>>,
}

impl<const IN: usize, const OUT: usize> LaidOn<IN, OUT> for Conv<IN, OUT> {}
impl<const IN: usize, const OUT: usize> LaidOn<IN, OUT> for Net<IN, OUT> {}
impl<const C: usize> LaidOn<C, C> for Relu {}
impl<const C: usize> LaidOn<C, C> for MaxPool {}

impl<const IN: usize, const OUT: usize> Conv<IN, OUT> {
    /// Filters of this size: `3` is 3 by 3, `(3, 5)` is 3 rows by 5 columns.
    pub fn new(kernel: impl Into<Pair>) -> Conv<IN, OUT> {
        const { assert!(IN > 0 && OUT > 0, "a convolution has at least 1 channel and at least 1 filter") }
        let kernel = kernel.into();
        let layer = shapes::conv(OUT as u64, kernel).in_channels(IN as u64);
        Conv { layer, numbers: first_numbers(IN, OUT, kernel) }
    }

    /// How many rows and columns the window moves at a time.
    pub fn stride(self, stride: impl Into<Pair>) -> Conv<IN, OUT> {
        Conv { layer: self.layer.stride(stride), ..self }
    }

    /// How many rows and columns of zeros are put on each side.
    pub fn padding(self, padding: impl Into<Pair>) -> Conv<IN, OUT> {
        Conv { layer: self.layer.padding(padding), ..self }
    }

    /// Puts a layer behind this one. It must take `OUT` channels.
    pub fn then<const NEXT: usize>(self, next: impl LaidOn<OUT, NEXT>) -> Net<IN, NEXT> {
        Net { steps: vec![Box::new(self), Box::new(next)] }
    }

    /// The filters: `OUT` x `IN` x rows x columns. The batch is never in it.
    ///
    /// # Errors
    /// When the size of the filters makes no sense.
    pub fn weight(&self) -> Result<Tensor> {
        Ok(self.numbers()?[0].shallow_clone())
    }

    fn numbers(&self) -> Result<&[Tensor; 2]> {
        self.numbers.as_ref().map_err(Error::new)
    }

    /// What the filters find in the maps.
    ///
    /// # Shapes
    /// N `IN` H W becomes N `OUT` H' W'; N may be left out.
    ///
    /// # Errors
    /// When the maps have other channels or are too small: what was expected,
    /// what came, the likely cause, and what to write instead.
    pub fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        let [weight, bias] = self.numbers()?;
        room_for_output(self.layer, maps)?;
        let padding = self.layer.padding.unwrap_or(0.into());
        maps.f_conv2d(weight, Some(bias), self.layer.strides().axes(), padding.axes(), [1, 1], 1)
            .map_err(|error| explained(self.layer, maps, error))
    }
}

impl<const IN: usize, const OUT: usize> Step for Conv<IN, OUT> {
    fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        Conv::forward(self, maps)
    }

    fn variables(&self) -> Vec<Tensor> {
        self.numbers.iter().flatten().map(Tensor::shallow_clone).collect()
    }
}

impl<const IN: usize, const OUT: usize> Net<IN, OUT> {
    /// Puts a layer behind the last one. It must take `OUT` channels.
    pub fn then<const NEXT: usize>(mut self, next: impl LaidOn<OUT, NEXT>) -> Net<IN, NEXT> {
        self.steps.push(Box::new(next));
        Net { steps: self.steps }
    }

    /// What comes out behind the last layer.
    ///
    /// # Shapes
    /// N `IN` H W becomes N `OUT` H' W'; N may be left out.
    ///
    /// # Errors
    /// Which layer cannot be laid on its maps, and why.
    pub fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        let mut maps = maps.shallow_clone();
        for (step, position) in self.steps.iter().zip(1..) {
            maps = step.forward(&maps).map_err(|e| Error::new(format!("layer {position}: {e}")))?;
        }
        Ok(maps)
    }

    /// The numbers that are learned: they share their memory with the layers.
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
        Ok(Layers::shown(self.steps.iter().map(|step| (format!("{step:?}"), step.variables()))))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        let mut given: Vec<Tensor> = Vec::new();
        for step in &self.steps[..count] {
            given.push(step.forward(given.last().unwrap_or(input))?);
        }
        Ok(given)
    }
}

impl Step for Relu {
    fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        Ok(maps.f_relu()?)
    }
}

impl MaxPool {
    /// Windows of this size: `2` is 2 by 2, `(2, 3)` is 2 rows by 3 columns.
    pub fn new(kernel: impl Into<Pair>) -> MaxPool {
        MaxPool { kernel: kernel.into() }
    }
}

impl Step for MaxPool {
    fn forward(&self, maps: &Tensor) -> Result<Tensor> {
        room_for_output(shapes::max_pool(self.kernel), maps)?;
        let kernel = self.kernel.axes();
        maps.f_max_pool2d(kernel, kernel, [0, 0], [1, 1], false)
            .map_err(|error| explained(shapes::max_pool(self.kernel), maps, error))
    }
}

/// Lays filters on maps, with nothing but sizes to go by: whether the channels
/// agree shows when it runs.
///
/// # Shapes
/// `filters` N C h w on `maps` N C H W gives N (of the maps), N (of the
/// filters), H-h+1, W-w+1.
///
/// # Errors
/// libtorch's sentence; and what was expected, what came, the likely cause, and
/// what to write instead.
///
/// ```
/// use nchw::{prelude::*, typed::lay_on};
/// let zeros = |sizes: [i64; 4]| Tensor::zeros(sizes, (Kind::Float, Device::Cpu));
/// let error = lay_on(&zeros([20, 3, 3, 3]), &zeros([32, 10, 5, 7])).unwrap_err().to_string();
/// assert!(error.contains("axis C (channels): expected 10 (a filter has as many channels as what it is laid on), and got 3"));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn lay_on(filters: &Tensor, maps: &Tensor) -> Result<Tensor> {
    holds_something(filters)?;
    let &[filter_count, channels, h, w] = sizes(filters).as_slice() else {
        return Err(Error::new(format!(
            "expected filters of four axes (filters x channels x rows x columns, as 20x10x3x3), and got {}",
            times(&sizes(filters))
        )));
    };
    let layer = shapes::conv(filter_count, (h, w)).in_channels(channels).nobias();
    room_for_output(layer, maps)?;
    maps.f_conv2d(filters, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)
        .map_err(|error| explained(layer, maps, error))
}

/// Refuses an output that would fill the memory: a padding or a size with a digit too many.
fn room_for_output(layer: shapes::Layer, maps: &Tensor) -> Result<()> {
    holds_something(maps)?;
    let row = Shape::of(&sizes(maps)).and_then(|shape| layer.on(shape).ok());
    row.map_or(Ok(()), |row| {
        affordable(&format!("the output of `{layer}`"), Some(row.bytes / 4), MOST_VALUES)
    })
}

/// libtorch's sentence, and what it means.
fn explained(layer: shapes::Layer, maps: &Tensor, error: TchError) -> Error {
    let (said, sizes) = (Error::from(error).to_string(), sizes(maps));
    let problem = Shape::of(&sizes).and_then(|shape| chain([layer]).on(shape).problem);
    let problem = problem.map(|problem| problem.alone()).or_else(|| hint(&said, &sizes));
    Error::new(format!("{said}{}", problem.map_or(String::new(), |text| format!("\n{text}"))))
}

/// Weight and bias as PyTorch's `Conv2d` starts with.
fn first_numbers(channels: usize, filters: usize, kernel: Pair) -> Result<[Tensor; 2], String> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let shape = [filters as u64, channels as u64, kernel.h, kernel.w];
    match count(&shape) {
        Some(0) => return Err(format!("kernel size: expected at least 1, and got {kernel}")),
        numbers => affordable(&format!("a weight of {}", times(&shape)), numbers, AFFORDABLE)
            .map_err(|error| error.to_string())?,
    }
    let zeros = |shape: &[u64]| {
        let shape: Vec<i64> = shape.iter().map(|size| *size as i64).collect();
        Tensor::f_zeros(shape, (Kind::Float, Device::Cpu)).map_err(|e| Error::from(e).to_string())
    };
    let (weight, bias) = (zeros(&shape)?, zeros(&shape[..1])?);
    start_as_pytorch(&mut Rng::new(SEED, MADE.fetch_add(1, Ordering::Relaxed)), &weight, Some(&bias));
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
