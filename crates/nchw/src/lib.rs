//! Convolutional networks you can see.
//!
//! The support crate of the course: what the notebooks call. Modules stand in
//! reading order; ARCHITECTURE.md says what each may know.

pub use nchw_core::shapes;
pub use nchw_draw::{chart, figure};

use nchw_core::{error, random};
use nchw_draw::{canvas, colour, grid, panels};
use nchw_files as files;

mod notebook;
mod tensor;

pub mod data;
pub mod exercise;
pub mod filter;
pub mod image;
pub mod net;
pub mod quiz;
pub mod see;
pub mod train;

pub mod prelude;

#[cfg(test)]
#[path = "../../draw/tests/common/pixels.rs"]
mod pixels;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod testing;

pub use data::shapes10;
pub use error::{Error, Result};
pub use filter::matrix;
pub use image::{maps, trace};
pub use net::{shuffle, small_net};
pub use notebook::Show;
pub use quiz::quiz;
pub use tensor::{
    check::{check, check_all},
    device::{device, machine},
    summary::{Named, Summary, SummaryRow, named, summary},
    typed,
};

use net::weights;
use notebook::runtime;
pub use tch;
use tensor::{check, device, gradient, hints, summary};

/// Called by the kernel while the learner still reads: loads libtorch and has
/// it compute once, so that the first cell need not wait for it.
#[doc(hidden)]
pub fn warm_up() -> tch::Tensor {
    // Before anything is computed, or libtorch will see no GPU.
    let _ = device();
    let picture = tch::Tensor::ones([1, 1, 3, 4], (tch::Kind::Float, tch::Device::Cpu));
    let kernel = tch::Tensor::ones([1, 1, 2, 2], (tch::Kind::Float, tch::Device::Cpu));
    picture.conv2d::<&tch::Tensor>(&kernel, None, 1, 0, 1, 1)
}
