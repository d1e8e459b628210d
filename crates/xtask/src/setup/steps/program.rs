//! The program behind the command `nchw`.

use crate::paths;
use crate::setup::steps::{command, kernelspec};
use crate::setup::{machine::Machine, source, step::Step};
use crate::system::{progress, run};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the program, so that its first call answers at once.
pub fn step(machine: &Machine) -> Step<'_> {
    Step {
        name: "program",
        what: "the program behind the command nchw: shapes, downloads, training",
        size: "600 MB on disk; 2 to 4 minutes the first time",
        outside: vec![],
        // The command itself compares the age of the program's source.
        inputs: &[file!()],
        values: Box::new(|| Ok(vec![kernelspec::step(machine).stamp()?, machine.tools.rust.clone()])),
        exists: Box::new(|| built().join("nchw").exists()),
        act: Box::new(|| build(&machine.tools.cargo)),
    }
}

/// The folder of the compiled program.
fn built() -> PathBuf {
    paths::variable("CARGO_TARGET_DIR").unwrap_or_else(|| paths::root().join("target")).join("debug")
}

fn build(cargo: &Path) -> Result<()> {
    let mut cargo = Command::new(cargo);
    cargo.args(command::BUILD).arg("--config").arg(paths::cargo_config()).env("LIBTORCH", source::folder());
    progress::run_logged(cargo.current_dir(paths::root()), "program")?;
    // The first call notes when the program was built.
    run::quiet(Command::new(paths::venv_program("nchw")).args(["shapes", "3x8x9", "conv 4 3x3"])).map(drop)
}
