//! The description of a layer: what the learner chooses, before the input is known.

use super::shape::Pair;
use crate::error::debug_as_display;
use std::fmt;

/// A layer of any kind, not yet applied to an input.
///
/// A layer comes from a function such as [`conv`](super::conv), whose result has the options of
/// its kind as methods, or from a text. A [`Chain`](super::Chain) contains layers of all kinds.
///
/// All kinds share one description because formulas, error messages and the text of a chain treat
/// the options of all kinds alike. Its fields are private, so a layer only ever has the options of
/// its kind.
///
/// ```
/// use nchw::shapes::{Layer, Op, conv, max_pool};
/// let layers: [Layer; 2] = [conv(10, 3).padding(1).into(), max_pool(2).into()];
/// assert_eq!(layers[0].to_string(), "conv 10 3x3 padding 1");
/// assert_eq!((layers[1].op(), layers[1].stride()), (Op::MaxPool, 2.into()));
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct Layer {
    pub(crate) op: Op,
    /// Output channels of a convolution, or output features of a linear layer; else 1.
    pub(crate) out: u64,
    /// Rows and columns of the window; else 1 x 1.
    pub(crate) kernel: Pair,
    /// The input channels or features.
    pub(crate) input: Option<u64>,
    pub(crate) stride: Option<Pair>,
    pub(crate) padding: Option<Pair>,
    pub(crate) dilation: Option<Pair>,
    pub(crate) groups: Option<u64>,
    pub(crate) output_padding: Option<Pair>,
    /// Instead of a padding: the output has as many rows and columns as the input.
    pub(crate) same: bool,
    pub(crate) ceil: bool,
    pub(crate) nobias: bool,
    /// The dropout rate.
    pub(crate) rate: f64,
}

/// The kinds of layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A convolution.
    Conv,
    /// A transposed convolution.
    ConvTranspose,
    /// Max pooling.
    MaxPool,
    /// Average pooling.
    AvgPool,
    /// The average over all rows and columns.
    GlobalAvgPool,
    /// The maximum over all rows and columns.
    GlobalMaxPool,
    /// From C x H x W to one row of features.
    Flatten,
    /// A fully connected layer.
    Linear,
    /// max(0, x).
    Relu,
    /// Batch normalisation.
    BatchNorm,
    /// Dropout.
    Dropout,
}

impl Op {
    pub(super) fn convolves(self) -> bool {
        matches!(self, Op::Conv | Op::ConvTranspose)
    }

    pub(super) fn pools(self) -> bool {
        matches!(self, Op::MaxPool | Op::AvgPool)
    }
}

impl Layer {
    /// A layer of this kind without options.
    pub(super) fn new(op: Op) -> Layer {
        Layer {
            op,
            out: 1,
            kernel: 1.into(),
            input: None,
            stride: None,
            padding: None,
            dilation: None,
            groups: None,
            output_padding: None,
            same: false,
            ceil: false,
            nobias: false,
            rate: 0.5,
        }
    }

    /// The kind of layer.
    pub fn op(&self) -> Op {
        self.op
    }

    /// The output channels of a convolution, or the output features of a linear layer.
    pub fn out(&self) -> u64 {
        self.out
    }

    /// The rows and columns of the window.
    pub fn kernel(&self) -> Pair {
        self.kernel
    }

    /// The stride; by default, pooling moves by the size of its window.
    pub fn stride(&self) -> Pair {
        let default = if self.op.pools() { self.kernel } else { 1.into() };
        self.stride.unwrap_or(default)
    }

    /// The padding on each side; 0 for [`Layer::is_same`], where it depends on the window.
    pub fn padding(&self) -> Pair {
        self.padding.unwrap_or(0.into())
    }

    /// Whether the padding keeps the number of rows and columns.
    pub fn is_same(&self) -> bool {
        self.same
    }

    /// The distance between the values of a window.
    pub fn dilation(&self) -> Pair {
        self.dilation.unwrap_or(1.into())
    }

    /// The number of groups that the channels are split into.
    pub fn groups(&self) -> u64 {
        self.groups.unwrap_or(1)
    }

    /// The rows and columns added to one side of a transposed convolution's output.
    pub fn output_padding(&self) -> Pair {
        self.output_padding.unwrap_or(0.into())
    }

    /// Whether pooling rounds its output size up.
    pub fn is_ceil(&self) -> bool {
        self.ceil
    }

    /// Whether a convolution or a linear layer has a bias.
    pub fn has_bias(&self) -> bool {
        !self.nobias
    }
}

/// `2` when both are 2, else `2x3`.
fn short(pair: Pair) -> String {
    if pair.h == pair.w { pair.h.to_string() } else { pair.to_string() }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.name())?;
        if let Some(input) = self.input {
            write!(f, " {input}")?;
        }
        match self.op {
            Op::Conv | Op::ConvTranspose | Op::Linear if self.input.is_some() => write!(f, "->{}", self.out)?,
            Op::Conv | Op::ConvTranspose | Op::Linear => write!(f, " {}", self.out)?,
            Op::Dropout => write!(f, " {}", self.rate)?,
            _ => {}
        }
        if self.op.convolves() || self.op.pools() {
            write!(f, " {}", self.kernel)?;
        }
        let pairs = [
            ("stride", self.stride),
            ("padding", self.padding),
            ("output_padding", self.output_padding),
            ("dilation", self.dilation),
            ("groups", self.groups.map(Pair::from)),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                write!(f, " {name} {}", short(value))?;
            }
        }
        let words = [("padding same", self.same), ("ceil", self.ceil), ("nobias", self.nobias)];
        words.iter().filter(|(_, set)| *set).try_for_each(|(word, _)| write!(f, " {word}"))
    }
}

debug_as_display!(Layer);

/// The text of several layers: `relu; flatten`.
pub(super) fn joined(layers: &[Layer]) -> String {
    layers.iter().map(Layer::to_string).collect::<Vec<_>>().join("; ")
}
