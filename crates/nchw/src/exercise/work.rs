//! What learners may hand in.

use crate::{
    filter::Filter,
    matrix::Matrix,
    quiz::{Answer, IntoAnswer, Whole},
    shapes::{self, Chain, chain},
    summary::Summary,
};
use nchw_core::quiz::grade::shown;
use tch::Tensor;

/// Work that is handed in, not checked yet.
#[derive(Debug)]
pub enum Work {
    /// A tensor.
    Tensor(Tensor),
    /// A number, or sizes.
    Numbers(Answer),
    /// Layers in sequence.
    Layers(Chain),
    /// A network that was run.
    Network(Summary),
}

/// Everything that can be handed in: a tensor, a `Matrix`, a `Filter`, a
/// number, an array or `Vec` of sizes, a layer, a chain, the `Summary` of a network.
pub trait IntoWork {
    /// The work.
    fn into_work(self) -> Work;
}

impl Work {
    /// A description for messages.
    pub(super) fn described(&self) -> String {
        match self {
            Work::Tensor(tensor) if !tensor.defined() => "an undefined tensor".into(),
            Work::Tensor(tensor) => format!("a tensor of shape {:?}", tensor.size()),
            Work::Numbers(Answer::Numbers(sizes)) if sizes.len() != 1 => format!("the sizes {sizes:?}"),
            Work::Numbers(number) => format!("the number {}", shown(number)),
            Work::Layers(layers) => format!("the layers `{layers}`"),
            Work::Network(summary) => format!("the summary of a network with {} layers", summary.rows.len()),
        }
    }
}

macro_rules! works {
    ($work:ident: $($kind:ty, $value:ident => $inside:expr;)*) => {$(
        impl IntoWork for $kind {
            fn into_work(self) -> Work {
                let $value = self;
                Work::$work($inside)
            }
        }
    )*};
}
works! { Tensor:
    Tensor, tensor => tensor;
    &Tensor, tensor => tensor.shallow_clone();
    Matrix, matrix => matrix.tensor();
    &Matrix, matrix => matrix.tensor();
    Filter, filter => filter.weight();
    &Filter, filter => filter.weight();
}
works! { Layers:
    Chain, layers => layers;
    &Chain, layers => layers.clone();
}
works! { Network:
    Summary, summary => summary;
    &Summary, summary => summary.clone();
}
macro_rules! layers {
    ($($kind:ident),*) => {
        works! { Layers: $(shapes::$kind, layer => chain![layer];)* }
    };
}
layers!(Layer, Conv, ConvTranspose, MaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool);
layers!(Flatten, Linear, Relu, BatchNorm, Dropout);

macro_rules! numbers {
    ($($kind:ty),*) => {
        works! { Numbers: $($kind, number => number.into_answer(); &$kind, number => (*number).into_answer();)* }
    };
}
numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64);

impl<T: Whole, const N: usize> IntoWork for [T; N] {
    fn into_work(self) -> Work {
        Work::Numbers(self.into_answer())
    }
}

impl<T: Whole, const N: usize> IntoWork for &[T; N] {
    fn into_work(self) -> Work {
        Work::Numbers(self.into_answer())
    }
}

impl<T: Whole> IntoWork for Vec<T> {
    fn into_work(self) -> Work {
        Work::Numbers(self.into_answer())
    }
}

impl<T: Whole> IntoWork for &Vec<T> {
    fn into_work(self) -> Work {
        Work::Numbers(self.into_answer())
    }
}
