//! What learners may hand in.

use crate::{
    filter::Filter,
    matrix::Matrix,
    shapes::{self, Chain, chain},
};
use tch::Tensor;

/// Work that is handed in, not checked yet.
#[derive(Debug)]
pub enum Work {
    /// A tensor.
    Tensor(Tensor),
    /// Sizes, or other whole numbers.
    Sizes(Vec<i128>),
    /// One whole number.
    Whole(i128),
    /// One number with a decimal point.
    Number(f64),
    /// Layers in sequence.
    Layers(Chain),
}

/// Everything that can be handed in: a tensor, a `Matrix`, a `Filter`, a
/// number, an array or `Vec` of sizes, a layer, a chain.
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
            Work::Sizes(sizes) => format!("the sizes {sizes:?}"),
            Work::Whole(number) => format!("the number {number}"),
            Work::Number(number) => format!("the number {number:?}"),
            Work::Layers(layers) => format!("the layers `{layers}`"),
        }
    }
}

impl IntoWork for Tensor {
    fn into_work(self) -> Work {
        Work::Tensor(self)
    }
}

impl IntoWork for &Tensor {
    fn into_work(self) -> Work {
        Work::Tensor(self.shallow_clone())
    }
}

impl IntoWork for &Matrix {
    fn into_work(self) -> Work {
        Work::Tensor(self.tensor())
    }
}

impl IntoWork for Matrix {
    fn into_work(self) -> Work {
        (&self).into_work()
    }
}

impl IntoWork for &Filter {
    fn into_work(self) -> Work {
        Work::Tensor(self.weight())
    }
}

impl IntoWork for Filter {
    fn into_work(self) -> Work {
        (&self).into_work()
    }
}

macro_rules! layers {
    ($($kind:ident),*) => {$(
        impl IntoWork for shapes::$kind {
            fn into_work(self) -> Work {
                Work::Layers(chain![self])
            }
        }
    )*};
}
layers!(Layer, Conv, ConvTranspose, MaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool);
layers!(Flatten, Linear, Relu, BatchNorm, Dropout);

impl IntoWork for Chain {
    fn into_work(self) -> Work {
        Work::Layers(self)
    }
}

impl IntoWork for &Chain {
    fn into_work(self) -> Work {
        Work::Layers(self.clone())
    }
}

macro_rules! numbers {
    ($way:ident $from:ty: $($kind:ty),*) => {$(
        impl IntoWork for $kind {
            fn into_work(self) -> Work {
                Work::$way(self as $from)
            }
        }

        impl IntoWork for &$kind {
            fn into_work(self) -> Work {
                (*self).into_work()
            }
        }
    )*};
}
numbers!(Whole i128: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
numbers!(Number f64: f32, f64);

impl<T: crate::quiz::Whole, const N: usize> IntoWork for [T; N] {
    fn into_work(self) -> Work {
        Work::Sizes(self.iter().map(|size| size.whole()).collect())
    }
}

impl<T: crate::quiz::Whole> IntoWork for Vec<T> {
    fn into_work(self) -> Work {
        Work::Sizes(self.iter().map(|size| size.whole()).collect())
    }
}

impl<T: crate::quiz::Whole, const N: usize> IntoWork for &[T; N] {
    fn into_work(self) -> Work {
        (*self).into_work()
    }
}

impl<T: crate::quiz::Whole> IntoWork for &Vec<T> {
    fn into_work(self) -> Work {
        self.clone().into_work()
    }
}
