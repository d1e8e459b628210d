//! The kernel "Rust (nchw)" while it runs: the program `nchw-kernel`, which Jupyter starts.
//!
//! [`start`] starts evcxr in a working folder of its own ([`slots`]) with a build folder of its own
//! ([`build_folder`]), behind a relay ([`relay`], [`relay_process`]). evcxr calls [`stand_in`] instead of cargo, which
//! compiles cells ([`cell`]) and answers questions ([`answers`], [`metadata`]). [`spare`] is a kernel that waits for the next notebook. [`fresh`] says whether set-up has to compile the crate again.

pub mod answers;
pub mod build_folder;
pub mod cell;
pub mod fresh;
pub mod metadata;
pub mod relay;
pub mod relay_process;
pub mod slots;
pub mod spare;
pub mod stand_in;
pub mod start;

use crate::paths;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// A path that the kernelspec tells the kernel's programs, in an environment variable.
pub fn variable(name: &str) -> Result<PathBuf> {
    paths::variable(name)
        .with_context(|| format!("{name} is not set: choose the kernel \"Rust (nchw)\" in Jupyter"))
}
