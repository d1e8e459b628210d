//! evcxr_jupyter, the Rust kernel for Jupyter.

use crate::paths;
use crate::setup::machine::Machine;
use crate::setup::step::{Outside, Step};
use crate::system::cargo_install::{self, Program};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::{fs, os::unix::fs::symlink};

const PACKAGE: &str = "evcxr_jupyter";

/// Finds evcxr on the PATH, or compiles it for all clones.
pub fn step(machine: &Machine) -> Result<Step<'_>> {
    let cache = paths::cache()?;
    let what = "evcxr for all clones (20 MB; 600 MB while it is compiled)";
    Ok(Step {
        name: "evcxr",
        what: "evcxr_jupyter, the Rust kernel; later clones use it, too",
        size: "60 MB to download; 3 to 8 minutes, unless it is installed already",
        outside: vec![Outside(cache.clone(), what.into())],
        // If evcxr is there in the right version, a change of these files compiles nothing.
        inputs: &[file!(), "crates/xtask/src/paths.rs"],
        values: Box::new(move || Ok(vec![paths::EVCXR.into(), cache.display().to_string()])),
        exists: Box::new(|| link().exists()),
        act: Box::new(|| provide(&machine.tools.cargo)),
    })
}

fn link() -> PathBuf {
    paths::kernel().join(PACKAGE)
}

/// The evcxr that set-up found or installed.
pub fn program() -> Result<PathBuf> {
    fs::read_link(link()).context("evcxr is not set up yet: run `cargo xtask setup`")
}

/// The version of an evcxr, if it is recorded.
pub fn version(program: &Path) -> Option<String> {
    cargo_install::version(program, PACKAGE)
}

fn provide(cargo: &Path) -> Result<()> {
    let on_path = which::which(PACKAGE).ok().filter(|found| version(found).as_deref() == Some(paths::EVCXR));
    let evcxr = Program { package: PACKAGE, version: paths::EVCXR, prefix: "evcxr", variables: &[] };
    let program = on_path.map_or_else(|| evcxr.provide(cargo), Ok)?;
    let _ = fs::remove_file(link());
    Ok(symlink(program, link())?)
}
