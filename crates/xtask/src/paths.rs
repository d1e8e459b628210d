//! Where things are, and the versions that belong together.

use anyhow::{Context, Result};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The PyTorch that tch 0.24.0 is written for.
pub const TORCH: &str = "2.11.0";
/// The evcxr whose behaviour the kernel's set-up relies on.
pub const EVCXR: &str = "0.22.0";
/// The oldest rustc that compiles everything.
pub const RUST: (u32, u32) = (1, 89);

/// The top of the course's folder.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// What set-up makes for this clone, apart from `.venv`.
pub fn made() -> PathBuf {
    root().join(".nchw")
}

/// The kernel's files.
pub fn kernel() -> PathBuf {
    made().join("kernel")
}

/// Cargo's options for building against the same libtorch wrapper as the
/// notebooks.
pub fn cargo_config() -> PathBuf {
    made().join("libtorch.toml")
}

/// A program of the course's Python environment.
pub fn venv(program: &str) -> PathBuf {
    root().join(".venv/bin").join(program)
}

/// The Python scripts of the chores.
pub fn script(name: &str) -> PathBuf {
    root().join("crates/xtask/python").join(name)
}

/// What later clones of the course can use again.
pub fn cache() -> Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("NCHW_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|c| c.join("nchw")))
        .or_else(|| env::home_dir().map(|h| h.join(".cache/nchw")))
        .context("no home folder is known: set NCHW_CACHE to a folder for what set-up downloads")
}

/// `folders` in front of what the variable holds already.
pub fn prepend(variable: &str, folders: &[PathBuf]) -> Result<OsString> {
    let before = env::var_os(variable).unwrap_or_default();
    let all = folders.iter().cloned().chain(env::split_paths(&before).filter(|p| !p.as_os_str().is_empty()));
    Ok(env::join_paths(all)?)
}
