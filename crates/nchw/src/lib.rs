//! Convolutional networks you can see.
//!
//! The library that the notebooks of the course use. The modules are listed in
//! reading order; ARCHITECTURE.md says what each may depend on.

pub use nchw_core::shapes;
pub use nchw_draw::{chart, figure};

use nchw_core::{error, grid, lecture, random, text};
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

pub use error::{Error, Result};
pub use filter::matrix;
pub use image::{maps, trace};
pub use notebook::{Interactive, Show, shape_lab};
pub use quiz::quiz;
pub use tensor::{
    check::{check, check_all},
    device::{device, machine},
    summary::{Named, Summary, SummaryRow, WithWeights, named, summary, with_weights},
    typed,
};

use net::weights;
use notebook::runtime;
pub use tch;
use tensor::{check, cuda_graph, device, gradient, hints, init, normalise, numbers, ranking, run, summary};

/// The kernel calls this at its start, while the learner is still reading: it loads
/// libtorch and runs one convolution, so that the first cell does not have to wait.
#[doc(hidden)]
pub fn warm_up() -> tch::Tensor {
    // This must come before any computation, or libtorch will not find the GPU.
    let _ = device();
    let image = tch::Tensor::ones([1, 1, 3, 4], (tch::Kind::Float, tch::Device::Cpu));
    let kernel = tch::Tensor::ones([1, 1, 2, 2], (tch::Kind::Float, tch::Device::Cpu));
    image.conv2d::<&tch::Tensor>(&kernel, None, 1, 0, 1, 1)
}
