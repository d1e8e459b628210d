//! The steps of set-up: each file does the work of one. `setup/mod.rs` has them in order.

pub mod command;
pub mod cuda_graph;
pub mod evcxr;
pub mod kernelspec;
pub mod libtorch;
pub mod notebooks;
pub mod packages;
pub mod program;
pub mod python;
pub mod rust_source;
pub mod wrapper;
