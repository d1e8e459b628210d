//! One type for each kind of layer, and the functions that create them.

use super::apply::row::Row;
use super::layer::{Layer, Op};
use super::shape::{Pair, Shape};
use crate::{Result, error::debug_as_display};
use std::fmt;

/// The method that sets an option.
macro_rules! option {
    (in_channels) => {
        /// The number of channels (or features) that the layer expects. Without it, the
        /// layer takes the number from its input, which is always right.
        pub fn in_channels(self, channels: u64) -> Self {
            Self(Layer { input: Some(channels), ..self.0 })
        }
    };
    (stride) => {
        /// How many rows and columns the window moves at a time.
        pub fn stride(self, stride: impl Into<Pair>) -> Self {
            Self(Layer { stride: Some(stride.into()), ..self.0 })
        }
    };
    (padding) => {
        /// How many rows and columns of padding are added on **each** side.
        pub fn padding(self, padding: impl Into<Pair>) -> Self {
            Self(Layer { padding: Some(padding.into()), same: false, ..self.0 })
        }
    };
    (same) => {
        /// Padding that keeps the size (`padding="same"`). With an even kernel, the
        /// extra row and column are added at the bottom and on the right.
        pub fn same(self) -> Self {
            Self(Layer { same: true, padding: None, ..self.0 })
        }
    };
    (dilation) => {
        /// The distance between the values of a window; 1 means adjacent.
        pub fn dilation(self, dilation: impl Into<Pair>) -> Self {
            Self(Layer { dilation: Some(dilation.into()), ..self.0 })
        }
    };
    (groups) => {
        /// The number of groups that the channels are split into, each with its own filters.
        pub fn groups(self, groups: u64) -> Self {
            Self(Layer { groups: Some(groups), ..self.0 })
        }
    };
    (output_padding) => {
        /// Rows and columns added to one side of the output.
        pub fn output_padding(self, padding: impl Into<Pair>) -> Self {
            Self(Layer { output_padding: Some(padding.into()), ..self.0 })
        }
    };
    (ceil) => {
        /// Rounds the output size up (`ceil_mode=True`).
        pub fn ceil(self) -> Self {
            Self(Layer { ceil: true, ..self.0 })
        }
    };
    (nobias) => {
        /// Without a bias (`bias=False`).
        pub fn nobias(self) -> Self {
            Self(Layer { nobias: true, ..self.0 })
        }
    };
}

/// Defines the types from a table of the kinds and their options.
macro_rules! kinds {
    ($($function:ident -> $kind:ident: $($option:ident)*;)*) => {
        $(
            #[doc = concat!("The layer that [`", stringify!($function), "`] creates.")]
            #[derive(Clone, Copy, PartialEq)]
            pub struct $kind(Layer);

            impl $kind {
                $(option!($option);)*

                /// Every number of this layer for this input: see [`Layer::on`].
                ///
                /// # Errors
                /// When the layer does not fit.
                pub fn on(&self, input: impl Into<Shape>) -> Result<Row> {
                    self.0.on(input)
                }
            }

            impl From<$kind> for Layer {
                fn from(layer: $kind) -> Layer {
                    layer.0
                }
            }

            impl fmt::Display for $kind {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }

            debug_as_display!($kind);
        )*

        impl Op {
            /// All kinds, in the order of messages.
            pub(super) const ALL: &[Op] = &[$(Op::$kind),*];

            /// The options that it has, by their names in code and in the text of a chain.
            pub(super) fn options(self) -> &'static [&'static str] {
                match self {
                    $(Op::$kind => &[$(stringify!($option)),*],)*
                }
            }
        }
    };
}

kinds! {
    conv -> Conv: in_channels stride padding same dilation groups nobias;
    conv_transpose -> ConvTranspose: in_channels stride padding output_padding dilation groups nobias;
    max_pool -> MaxPool: stride padding dilation ceil;
    avg_pool -> AvgPool: stride padding ceil;
    global_avg_pool -> GlobalAvgPool: ;
    global_max_pool -> GlobalMaxPool: ;
    flatten -> Flatten: ;
    linear -> Linear: in_channels nobias;
    relu -> Relu: ;
    batch_norm -> BatchNorm: in_channels;
    dropout -> Dropout: ;
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
pub fn conv(filters: u64, kernel: impl Into<Pair>) -> Conv {
    Conv(Layer { out: filters, kernel: kernel.into(), ..Layer::new(Op::Conv) })
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
pub fn conv_transpose(filters: u64, kernel: impl Into<Pair>) -> ConvTranspose {
    ConvTranspose(Layer { out: filters, kernel: kernel.into(), ..Layer::new(Op::ConvTranspose) })
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
pub fn max_pool(kernel: impl Into<Pair>) -> MaxPool {
    MaxPool(Layer { kernel: kernel.into(), ..Layer::new(Op::MaxPool) })
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
pub fn avg_pool(kernel: impl Into<Pair>) -> AvgPool {
    AvgPool(Layer { kernel: kernel.into(), ..Layer::new(Op::AvgPool) })
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
pub fn global_avg_pool() -> GlobalAvgPool {
    GlobalAvgPool(Layer::new(Op::GlobalAvgPool))
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
pub fn global_max_pool() -> GlobalMaxPool {
    GlobalMaxPool(Layer::new(Op::GlobalMaxPool))
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
pub fn flatten() -> Flatten {
    Flatten(Layer::new(Op::Flatten))
}

/// A fully connected layer with this many nodes. N features becomes N `nodes`.
///
/// Source: PyTorch `torch.nn.Linear`; lecture part 6.
///
/// ```
/// use nchw::prelude::*;
/// let net = chain![flatten(), linear(10)];
/// println!("{:?}", net.on([8, 4, 4]));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn linear(nodes: u64) -> Linear {
    Linear(Layer { out: nodes, ..Layer::new(Op::Linear) })
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
pub fn relu() -> Relu {
    Relu(Layer::new(Op::Relu))
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
pub fn batch_norm() -> BatchNorm {
    BatchNorm(Layer::new(Op::BatchNorm))
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
pub fn dropout(rate: f64) -> Dropout {
    Dropout(Layer { rate, ..Layer::new(Op::Dropout) })
}
