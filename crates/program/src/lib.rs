//! Downloads CIFAR-10 for the program `nchw`. A library only so that the tests reach it.

pub mod fetch;

use nchw::{Error, Result, data, shapes};
use nchw_files as files;

#[cfg(test)]
#[path = "../../nchw/tests/common/mod.rs"]
mod testing;
