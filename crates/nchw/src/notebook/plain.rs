//! Numbers, texts, lists and tensors as the last expression of a cell.
//!
//! evcxr would display them as well, but only after it has compiled the cell without success: it tries
//! `evcxr_display` first. Here the method exists, so the cell is compiled once.

use super::{Output, Show};
use crate::shapes::Nchw;
use std::fmt::Debug;
use tch::{Device, Kind, Tensor};

macro_rules! shows_debug {
    ($([$($parameter:ident),*] $type:ty),* $(,)?) => { $(
        impl<$($parameter: Debug),*> Show for $type {
            fn evcxr_display(&self) {
                Output::Value(format!("{self:?}")).print();
            }
        }
    )* };
}

shows_debug!(
    [] i8, [] i16, [] i32, [] i64, [] isize, [] u8, [] u16, [] u32, [] u64, [] usize, [] f32, [] f64,
    [] bool, [] char, [] str, [] String,
    [] Nchw, [] Tensor, [] Kind, [] Device,
    [T] [T], [T] Vec<T>, [T] Option<T>,
    [A, B] (A, B), [A, B, C] (A, B, C), [A, B, C, D] (A, B, C, D),
);

impl<T: Debug, const N: usize> Show for [T; N] {
    fn evcxr_display(&self) {
        self.as_slice().evcxr_display();
    }
}

/// Nothing: a loop at the end of a cell has no value that a reader wants to see.
impl Show for () {
    fn evcxr_display(&self) {}
}
