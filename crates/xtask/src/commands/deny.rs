//! `cargo xtask deny`: licences, sources and duplicates of the dependencies.

use crate::paths;
use crate::system::{cargo_install::Program, run};
use anyhow::Result;
use std::{path::Path, process::Command};

/// The cargo-deny that deny.toml is written for.
const CARGO_DENY: Program = Program {
    package: "cargo-deny",
    version: "0.18.9",
    prefix: "deny",
    // It runs for only a second, so a short compilation matters more: this one takes seven minutes of
    // processor time.
    variables: &[("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"), ("CARGO_PROFILE_RELEASE_LTO", "off")],
};

/// Also a part of `cargo xtask test`.
pub fn deny(advisories: bool) -> Result<()> {
    let mut deny = Command::new(CARGO_DENY.provide(Path::new("cargo"))?);
    let options = "--log-level error --all-features check --hide-inclusion-graph licenses bans sources";
    deny.args(options.split(' ')).args(advisories.then_some("advisories"));
    run::run(deny.current_dir(paths::root()))
}
