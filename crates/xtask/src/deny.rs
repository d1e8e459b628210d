//! Licences, sources and duplicates of what the course depends on.

use crate::{files, paths, run, watch};
use anyhow::Result;
use std::{fs, path::PathBuf, process::Command};

/// The cargo-deny that deny.toml is written for.
const VERSION: &str = "0.18.9";
/// How its folder in the cache begins.
pub const FOLDER: &str = "deny-";

/// `cargo xtask deny`, and a part of `cargo xtask test`.
pub fn deny(advisories: bool) -> Result<()> {
    let home = paths::cache()?.join(format!("{FOLDER}{VERSION}"));
    let program = home.join("bin/cargo-deny");
    if !program.is_file() {
        println!("  cargo-deny {VERSION}, compiled once for all clones, into {}; 3 minutes", home.display());
        files::make(&home)?;
        // Two checks at once would compile in the same folder.
        let lock = fs::File::create(home.join("lock"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)?;
        let build = home.join("build");
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--locked", "cargo-deny", "--version", VERSION, "--root"]).arg(&home);
        // It runs for a second: what counts is how soon it is compiled (seven minutes of processor time).
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_LTO", "off");
        cargo.env("CARGO_TARGET_DIR", &build).current_dir(&home);
        watch::watched(&mut cargo, "deny")?;
        let _ = fs::remove_dir_all(build);
    }
    check(program, advisories)
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
