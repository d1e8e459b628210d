//! Downloads CIFAR-10 for the program `nchw`. It is a library only so that the tests can use it.

pub mod fetch;

use nchw::{Error, Result, data, shapes};
use nchw_files as files;
