//! Draws grids of numbers, images and line charts.
//!
//! This crate depends neither on libtorch nor on notebooks. Callers pass plain numbers and get a
//! [`figure::Figure`]: a PNG file with its alternative text.

pub mod bars;
pub mod canvas;
mod cells;
pub mod chart;
pub mod confusion;
pub mod figure;
pub mod layout;
mod page;
pub mod panels;
pub mod volumes;

pub use cells::Highlights;
pub use chart::{Chart, stacked};
pub use confusion::Confusion;
pub use figure::{Figure, PIXEL_RATIO, Pixels};
pub use layout::{Layout, in_rows};
pub use nchw_core::{
    Error, Result,
    colour::{self, Palette},
};
pub use panels::{Content, Frame, Panel};
pub use volumes::{Network, Volume};

#[cfg(test)]
#[path = "../tests/common/pixels.rs"]
mod pixels;
