//! The arithmetic of convolutional networks.
//!
//! Everything here is computed from numbers and text: no libtorch, no drawing, no file system.
//! It also compiles to WebAssembly, so that a web page computes the same numbers as a notebook.
//! Notebooks use it through the crate `nchw`, which re-exports it.

pub mod colour;
pub mod error;
pub mod grid;
pub mod html;
pub mod kernels;
pub mod lecture;
pub mod quiz;
pub mod random;
pub mod shapes;
pub mod text;

pub use error::{Error, Result};
