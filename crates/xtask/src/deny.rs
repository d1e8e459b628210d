//! Licences, sources and duplicates of what the course depends on.

use crate::{paths, run, watch};
use anyhow::Result;
use std::{fs, path::PathBuf, process::Command};

/// The cargo-deny that deny.toml is written for.
const VERSION: &str = "0.18.9";

/// `cargo xtask deny`.
pub fn deny(advisories: bool) -> Result<()> {
    let program = program()?;
    if !program.is_file() {
        println!("  cargo-deny {VERSION}, compiled once for all clones; about 3 minutes");
        let home = paths::cache()?.join(format!("deny-{VERSION}"));
        let build = paths::cache()?.join("deny-build");
        fs::create_dir_all(&home)?;
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--locked", "cargo-deny", "--version", VERSION, "--root"]).arg(&home);
        cargo.env("CARGO_TARGET_DIR", &build).current_dir(&home);
        watch::watched(&mut cargo, "deny")?;
        let _ = fs::remove_dir_all(build);
    }
    check(program, advisories)
}

/// As a part of `cargo xtask test`: compiling the tool takes too long for every clone.
pub fn deny_if_there() -> Result<()> {
    let program = program()?;
    if program.is_file() {
        return check(program, false);
    }
    println!("skipped: cargo-deny is not there; `cargo xtask deny` compiles it once (the public CI does)");
    Ok(())
}

fn program() -> Result<PathBuf> {
    Ok(paths::cache()?.join(format!("deny-{VERSION}/bin/cargo-deny")))
}

fn check(program: PathBuf, advisories: bool) -> Result<()> {
    let mut deny = Command::new(program);
    deny.args([
        "--log-level",
        "error",
        "--all-features",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]);
    if advisories {
        deny.arg("advisories");
    }
    run::run(deny.current_dir(paths::root()))
}
