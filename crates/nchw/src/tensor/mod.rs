//! Tensors and layers of libtorch: checks, summaries, gradients, and the device they are on.

pub(crate) mod check;
pub(crate) mod cuda_graph;
pub(crate) mod device;
pub(crate) mod gradient;
pub(crate) mod hints;
pub(crate) mod init;
pub(crate) mod normalise;
pub(crate) mod numbers;
pub(crate) mod ranking;
pub(crate) mod run;
pub(crate) mod summary;
pub mod typed;
