//! The program behind the command `nchw`.

use crate::paths;
use crate::setup::shared::{add_missing, is_missing, is_of_packages};
use crate::setup::steps::{command, kernelspec, notebooks};
use crate::setup::{machine::Machine, source, step::Step};
use crate::system::{progress, run};
use anyhow::Result;
use std::process::Command;

/// Compiles the program, so that its first call answers at once.
pub fn step(machine: &Machine) -> Step<'_> {
    Step {
        name: "program",
        what: "the program behind the command nchw: shapes, downloads, training",
        size: "400 MB on disk; 1 to 2 minutes the first time",
        outside: vec![],
        // The command itself compares the age of the program's source.
        inputs: &[file!(), "crates/xtask/src/setup/steps/notebooks.rs"],
        values: Box::new(|| Ok(vec![kernelspec::step(machine).stamp()?, machine.tools.rust.clone()])),
        early: None,
        exists: Box::new(|| paths::target().join(&machine.tools.host).join("debug/nchw").exists()),
        act: Box::new(|| build(machine)),
    }
}

/// Compiles only what the notebooks do not link. Not in their folder: kernels copy it while the program may be compiled
/// again.
fn build(machine: &Machine) -> Result<()> {
    let (linked, target) = (paths::kernel().join("build"), paths::target());
    let shared = notebooks::packages("program", machine)?;
    let first = !target.exists();
    add_missing(&linked, &target)?;
    shared.add_to(&target)?;
    let mut cargo = Command::new(&machine.tools.cargo);
    cargo.args(command::BUILD).arg("--config").arg(paths::cargo_config()).arg("--target-dir").arg(&target);
    cargo.env("LIBTORCH", source::folder());
    cargo.env("LD_LIBRARY_PATH", paths::prepend("LD_LIBRARY_PATH", &machine.source.library_folders()?)?);
    progress::run_logged(cargo.current_dir(paths::root()), "program")?;
    if first {
        // Before anything else is compiled there, such as the checks.
        shared.keep(&target, |path| is_of_packages(path) && is_missing(path, &target, &linked));
    }
    // The first call notes when the program was built.
    run::quiet(Command::new(paths::venv_program("nchw")).args(["shapes", "3x8x9", "conv 4 3x3"])).map(drop)
}
