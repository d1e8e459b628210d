//! Descriptions of layers: what the learner chooses, before the input is known.

use super::shape::Pair;
use crate::error::debug_as_display;
use std::fmt;

/// The description of one layer, not yet applied to an input.
///
/// The functions of this module create layers; the methods set their options. An
/// option that the layer does not have (a stride for a `linear`) is reported when
/// the layer is applied to an input. [`Chain`](super::Chain) can read its text.
///
/// ```
/// use nchw::shapes::{conv, max_pool};
/// assert_eq!(conv(10, 3).stride(2).padding(1).to_string(), "conv 10 3x3 stride 2 padding 1");
/// assert_eq!(max_pool((2, 3)).to_string(), "maxpool 2x3");
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct Layer {
    /// The kind of layer.
    pub op: Op,
    /// Output channels of a convolution, or output features of a linear layer; else 0.
    pub out: u64,
    /// Rows and columns of the window.
    pub kernel: Pair,
    /// The input channels or features, if given.
    pub input: Option<u64>,
    /// The stride, if given.
    pub stride: Option<Pair>,
    /// The padding, if given as a number.
    pub padding: Option<Pair>,
    /// The dilation, if given.
    pub dilation: Option<Pair>,
    /// The number of groups, if given.
    pub groups: Option<u64>,
    /// The output padding of a transposed convolution, if given.
    pub output_padding: Option<Pair>,
    /// `padding same`: the output has as many rows and columns as the input.
    pub same: bool,
    /// Whether pooling rounds its output size up.
    pub ceil: bool,
    /// Whether the layer has no bias.
    pub nobias: bool,
    /// The dropout rate: the fraction of values that become 0.
    pub rate: f64,
}

/// The kinds of layer.
#[derive(Clone, Copy, PartialEq, Eq)]
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
    /// The name in the text of a chain.
    pub(super) fn name(self) -> &'static str {
        match self {
            Op::Conv => "conv",
            Op::ConvTranspose => "convt",
            Op::MaxPool => "maxpool",
            Op::AvgPool => "avgpool",
            Op::GlobalAvgPool => "gap",
            Op::GlobalMaxPool => "gmp",
            Op::Flatten => "flatten",
            Op::Linear => "linear",
            Op::Relu => "relu",
            Op::BatchNorm => "bn",
            Op::Dropout => "dropout",
        }
    }

    /// The options that it takes, by their names in the text.
    pub(super) fn takes(self) -> &'static [&'static str] {
        match self {
            Op::Conv => &["in_channels", "stride", "padding", "same", "dilation", "groups", "nobias"],
            Op::ConvTranspose => {
                &["in_channels", "stride", "padding", "output_padding", "dilation", "groups", "nobias"]
            }
            Op::MaxPool => &["stride", "padding", "dilation", "ceil"],
            Op::AvgPool => &["stride", "padding", "ceil"],
            Op::Linear => &["in_channels", "nobias"],
            Op::BatchNorm => &["in_channels"],
            _ => &[],
        }
    }

    pub(super) fn convolves(self) -> bool {
        matches!(self, Op::Conv | Op::ConvTranspose)
    }

    pub(super) fn pools(self) -> bool {
        matches!(self, Op::MaxPool | Op::AvgPool)
    }
}

/// A convolution with this many filters of this size.
///
/// # Shapes
/// N C H W becomes N `filters` H' W', with
/// `H' = floor((H + 2*padding - dilation*(kernel-1) - 1) / stride) + 1`.
/// The weight is `filters` x C/groups x kernel, for any N.
///
/// Source: PyTorch `torch.nn.Conv2d`; lecture parts 2 to 4.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(conv(10, 3).on([3, 20, 30])?.output, [10, 18, 28].into());
/// assert_eq!(conv(10, 3).padding(1).stride(2).on([3, 20, 30])?.output, [10, 10, 15].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn conv(filters: u64, kernel: impl Into<Pair>) -> Layer {
    Layer { out: filters, kernel: kernel.into(), ..plain(Op::Conv) }
}

/// A transposed convolution: the shapes of a convolution in reverse, to enlarge maps.
///
/// # Shapes
/// N C H W becomes N `filters` H' W', with
/// `H' = (H-1)*stride - 2*padding + dilation*(kernel-1) + output_padding + 1`.
/// The weight is C x `filters`/groups x kernel: the first two axes are swapped compared to `conv`.
///
/// Source: PyTorch `torch.nn.ConvTranspose2d`.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(conv_transpose(4, 2).stride(2).on([8, 10, 15])?.output, [4, 20, 30].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn conv_transpose(filters: u64, kernel: impl Into<Pair>) -> Layer {
    Layer { out: filters, kernel: kernel.into(), ..plain(Op::ConvTranspose) }
}

/// Max pooling; the default stride is the size of the window.
///
/// # Shapes
/// Like [`conv`], with C unchanged; the padding is at most half the window.
///
/// Source: PyTorch `torch.nn.MaxPool2d`; lecture part 5.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(max_pool(2).on([8, 20, 30])?.output, [8, 10, 15].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn max_pool(kernel: impl Into<Pair>) -> Layer {
    Layer { kernel: kernel.into(), ..plain(Op::MaxPool) }
}

/// Average pooling; the default stride is the size of the window.
///
/// # Shapes
/// Like [`max_pool`].
///
/// Source: PyTorch `torch.nn.AvgPool2d`; lecture part 5.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(avg_pool(2).on([8, 20, 30])?.output, [8, 10, 15].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn avg_pool(kernel: impl Into<Pair>) -> Layer {
    Layer { kernel: kernel.into(), ..plain(Op::AvgPool) }
}

/// The mean of each channel. N C H W becomes N C 1 1.
///
/// Source: PyTorch `torch.nn.AdaptiveAvgPool2d(1)`; lecture part 5.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(global_avg_pool().on([8, 20, 30])?.output, [8, 1, 1].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn global_avg_pool() -> Layer {
    plain(Op::GlobalAvgPool)
}

/// The maximum of each channel. N C H W becomes N C 1 1.
///
/// Source: PyTorch `torch.nn.AdaptiveMaxPool2d(1)`; lecture part 5.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(global_max_pool().on([8, 20, 30])?.output, [8, 1, 1].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn global_max_pool() -> Layer {
    plain(Op::GlobalMaxPool)
}

/// All values of each image in one row. N C H W becomes N C\*H\*W.
///
/// Source: PyTorch `torch.nn.Flatten()`; lecture part 6.
///
/// ```
/// use nchw::prelude::*;
/// println!("{:?}", flatten().on([8, 10, 15])?.output); // 1200 features
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn flatten() -> Layer {
    plain(Op::Flatten)
}

/// A fully connected layer with this many nodes. N features becomes N `nodes`.
///
/// Source: PyTorch `torch.nn.Linear`; lecture part 6.
///
/// ```
/// use nchw::prelude::*;
/// let net = chain([flatten(), linear(10)]);
/// println!("{:?}", net.on([8, 4, 4]));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn linear(nodes: u64) -> Layer {
    Layer { out: nodes, ..plain(Op::Linear) }
}

/// Negative values become 0; the shape does not change.
///
/// Source: PyTorch `torch.nn.ReLU`.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(relu().on([8, 20, 30])?.output, [8, 20, 30].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn relu() -> Layer {
    plain(Op::Relu)
}

/// Batch normalisation, in two dimensions for maps and in one for flattened values; the
/// shape does not change. Each channel has two parameters, a scale and a shift.
///
/// Source: PyTorch `torch.nn.BatchNorm2d`, `torch.nn.BatchNorm1d`.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(batch_norm().on([8, 20, 30])?.output, [8, 20, 30].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn batch_norm() -> Layer {
    plain(Op::BatchNorm)
}

/// Dropout with this rate, from 0 to 1; the shape does not change.
///
/// Source: PyTorch `torch.nn.Dropout`.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(dropout(0.5).on([8, 20, 30])?.output, [8, 20, 30].into());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn dropout(rate: f64) -> Layer {
    Layer { rate, ..plain(Op::Dropout) }
}

pub(super) fn plain(op: Op) -> Layer {
    let one = Pair::from(1);
    Layer {
        op,
        out: 1,
        kernel: one,
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

impl Layer {
    /// How many rows and columns the window moves at a time.
    pub fn stride(self, stride: impl Into<Pair>) -> Layer {
        Layer { stride: Some(stride.into()), ..self }
    }

    /// How many rows and columns of padding are added on **each** side.
    pub fn padding(self, padding: impl Into<Pair>) -> Layer {
        Layer { padding: Some(padding.into()), same: false, ..self }
    }

    /// Padding that keeps the size (`padding="same"`). With an even kernel, the
    /// extra row and column are added at the bottom and on the right.
    pub fn same(self) -> Layer {
        Layer { same: true, padding: None, ..self }
    }

    /// The distance between the values of a window; 1 means adjacent.
    pub fn dilation(self, dilation: impl Into<Pair>) -> Layer {
        Layer { dilation: Some(dilation.into()), ..self }
    }

    /// The number of groups that the channels are split into, each with its own filters.
    pub fn groups(self, groups: u64) -> Layer {
        Layer { groups: Some(groups), ..self }
    }

    /// Rounds the output size of pooling up (`ceil_mode=True`).
    pub fn ceil(self) -> Layer {
        Layer { ceil: true, ..self }
    }

    /// Rows and columns added to one side of a transposed convolution's output.
    pub fn output_padding(self, padding: impl Into<Pair>) -> Layer {
        Layer { output_padding: Some(padding.into()), ..self }
    }

    /// The number of channels (or features) that the layer expects. Without it, the
    /// layer takes the number from its input, which is always right.
    pub fn in_channels(self, channels: u64) -> Layer {
        Layer { input: Some(channels), ..self }
    }

    /// Without a bias (`bias=False`).
    pub fn nobias(self) -> Layer {
        Layer { nobias: true, ..self }
    }

    /// The stride; by default, pooling moves by the size of its window.
    pub fn strides(&self) -> Pair {
        let default = if self.op.pools() { self.kernel } else { Pair::from(1) };
        self.stride.unwrap_or(default)
    }

    /// The options that were set, by their names in the text.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let all = [
            ("in_channels", self.input.is_some()),
            ("stride", self.stride.is_some()),
            ("padding", self.padding.is_some()),
            ("same", self.same),
            ("dilation", self.dilation.is_some()),
            ("groups", self.groups.is_some()),
            ("output_padding", self.output_padding.is_some()),
            ("ceil", self.ceil),
            ("nobias", self.nobias),
        ];
        all.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
    }

    /// The layer without the options that it does not have.
    pub(super) fn without_unknown_options(&self) -> Layer {
        let mut layer = Layer { out: self.out, kernel: self.kernel, rate: self.rate, ..plain(self.op) };
        for name in self.given().into_iter().filter(|name| self.op.takes().contains(name)) {
            match name {
                "in_channels" => layer.input = self.input,
                "stride" => layer.stride = self.stride,
                "padding" => layer.padding = self.padding,
                "same" => layer.same = true,
                "dilation" => layer.dilation = self.dilation,
                "groups" => layer.groups = self.groups,
                "output_padding" => layer.output_padding = self.output_padding,
                "ceil" => layer.ceil = true,
                _ => layer.nobias = true,
            }
        }
        layer
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
