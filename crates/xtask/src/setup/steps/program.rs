//! The program behind the command `nchw`.

use crate::kernel::fresh;
use crate::paths;
use crate::setup::steps::{command, kernelspec, notebooks};
use crate::setup::{machine::Machine, shared, source, step::Step};
use crate::system::{files, platform, progress, run};
use anyhow::Result;
use std::{fs, process::Command, time::SystemTime};

/// Compiles the program, so that its first call answers at once.
pub fn step(machine: &Machine) -> Step<'_> {
    Step {
        name: "program",
        what: "the program behind the command nchw: shapes, downloads, training",
        size: "400 MB on disk; 1 to 2 minutes the first time",
        outside: vec![],
        // The command itself compares the age of the program's source.
        inputs: &[
            file!(),
            "crates/xtask/src/kernel/metadata.rs",
            "crates/xtask/src/setup/reduced.rs",
            "crates/xtask/src/setup/steps/notebooks.rs",
        ],
        values: Box::new(|| Ok(vec![kernelspec::step(machine).stamp()?, machine.tools.rust.clone()])),
        early: None,
        exists: Box::new(|| paths::target().join(&machine.tools.host).join("debug/nchw").exists()),
        act: Box::new(|| build(machine)),
    }
}

/// Compiles only what the notebooks do not link. Not in their folder: kernels copy it while the program may be compiled
/// again.
fn build(machine: &Machine) -> Result<()> {
    let target = paths::target();
    let begun = SystemTime::now();
    let shared = notebooks::packages("program", machine)?;
    let crates = [&fresh::CRATES[..], &["program"]].concat();
    let complete = notebooks::complete("complete-program", &crates, machine)?;
    // Packages of another list, or of another Rust, would stay for ever.
    let packages = target.join("packages");
    if target.exists() && !fs::read_to_string(&packages).is_ok_and(|hash| hash == shared.hash()) {
        fs::remove_dir_all(&target)?;
    }
    // Exists while the folder contains nothing else than the program will need.
    let incomplete = target.join("incomplete");
    if !target.exists() {
        if complete.copy_to(&target) {
            shared::date(&target, begun)?;
        } else if !shared.copy_to(&target) {
            shared::copy_complete(&paths::kernel().join("build"), &target, shared::is_compiled)?;
        }
        files::write(&incomplete, "")?;
        files::write(&packages, shared.hash())?;
    }
    let mut cargo = Command::new(&machine.tools.cargo);
    cargo.args(command::BUILD).arg("--config").arg(paths::cargo_config()).arg("--target-dir").arg(&target);
    cargo.env("LIBTORCH", platform::HERE.libtorch_for_cargo(&source::folder()));
    let variable = platform::HERE.loader_variable();
    cargo.env(variable, paths::prepend(variable, &machine.source.library_folders()?)?);
    paths::as_in_any_shell(&mut cargo);
    progress::run_logged(cargo.current_dir(paths::root()), "program")?;
    if incomplete.exists() {
        // Before anything else is compiled there, such as the checks.
        shared.keep(&target, |path| shared::is_of_packages(path) && path != incomplete);
        if fresh::is_unchanged(&paths::root(), &crates, begun) {
            complete.keep(&target, |path| shared::is_compiled(path) && path != incomplete);
        }
    }
    let _ = fs::remove_file(incomplete);
    // The first call notes when the program was built.
    run::quiet(Command::new(paths::venv_program("nchw")).args(["shapes", "3x8x9", "conv 4 3x3"])).map(drop)
}
