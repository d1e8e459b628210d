//! The Rust packages in Cargo.lock.

use crate::setup::machine::Machine;
use crate::setup::step::{Outside, Step};
use crate::{paths, system::run};
use anyhow::{Context, Result};
use std::{path::Path, process::Command};

/// Downloads them.
pub fn step(machine: &Machine) -> Result<Step<'_>> {
    let cargo_home = paths::cargo_home()?;
    Ok(Step {
        name: "packages",
        what: "the Rust packages that the course depends on",
        size: "40 MB to download; about 10 s",
        outside: vec![Outside(cargo_home.join("registry"), "Rust packages, in cargo's own cache".into())],
        inputs: &[file!(), "Cargo.lock", "crates/xtask/src/paths.rs"],
        values: Box::new(move || Ok(vec![cargo_home.display().to_string()])),
        early: None,
        exists: Box::new(|| true),
        act: Box::new(|| fetch(&machine.tools.cargo)),
    })
}

fn fetch(cargo: &Path) -> Result<()> {
    let mut cargo = Command::new(cargo);
    cargo.args(["fetch", "--locked"]).current_dir(paths::root());
    // Without a network, fail within seconds.
    cargo.env("CARGO_NET_RETRY", "1").env("CARGO_HTTP_TIMEOUT", "20");
    run::quiet(&mut cargo).map(drop).context("could not download Rust packages")
}
