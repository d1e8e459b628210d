//! `cargo xtask deny`: licences, sources and duplicates of the dependencies.

use crate::paths;
use crate::system::{cargo_install::Program, run};
use anyhow::Result;
use std::{path::Path, process::Command};

/// The cargo-deny that deny.toml is written for.
fn cargo_deny() -> Program {
    // It runs for only a second, so a short compilation matters more: this one takes seven minutes of
    // processor time.
    let profile = ["profile.release.opt-level=0", "profile.release.lto=\"off\""].map(String::from).into();
    Program { package: "cargo-deny", version: "0.18.9", prefix: "deny", profile }
}

/// Also a part of `cargo xtask test`.
pub fn deny(advisories: bool) -> Result<()> {
    let mut deny = Command::new(cargo_deny().provide(Path::new("cargo"))?);
    let options = "--log-level error --all-features check --hide-inclusion-graph licenses bans sources";
    deny.args(options.split(' ')).args(advisories.then_some("advisories"));
    run::run(deny.current_dir(paths::root()))
}
