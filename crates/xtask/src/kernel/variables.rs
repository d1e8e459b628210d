//! What the kernelspec tells the kernel's programs, in environment variables.

use crate::paths;
use anyhow::{Context, Result};
use std::path::PathBuf;

/// A path from the kernelspec.
pub fn variable(name: &str) -> Result<PathBuf> {
    paths::variable(name)
        .with_context(|| format!("{name} is not set: choose the kernel \"Rust (nchw)\" in Jupyter"))
}
