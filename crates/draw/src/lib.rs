//! Draws grids of numbers, images and line charts.
//!
//! This crate depends neither on libtorch nor on notebooks. Callers pass plain numbers and get a
//! [`figure::Figure`]: a PNG file with its alternative text.

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
