//! Drawing: grids of numbers, images and lines become figures.
//!
//! Nothing here knows libtorch or a notebook. Whoever draws brings plain numbers and gets a
//! [`figure::Figure`]: a PNG with its alternative text.

pub mod canvas;
pub mod chart;
pub mod colour;
pub mod figure;
pub mod grid;
pub mod panels;

pub use nchw_core::{Error, Result};

#[cfg(test)]
#[path = "../tests/common/pixels.rs"]
mod pixels;
