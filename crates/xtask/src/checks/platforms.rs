//! Compiles the crates, without producing code, for the systems on which no check runs.

use crate::paths;
use crate::setup::steps::rust_source;
use crate::system::{run, tools};
use anyhow::{Result, bail};
use std::process::Command;

const TARGETS: [&str; 2] = ["aarch64-apple-darwin", "aarch64-unknown-linux-gnu"];

/// Fails if a crate does not compile for one of the targets, or with warnings.
///
/// The standard library is compiled from its source, which set-up has, because rustup's copy for another system may not be
/// installed. What is not Rust is left out: the linker, and C code, for which there is no compiler.
pub fn check() -> Result<()> {
    let tools = tools::find(false)?;
    if !rust_source::full_source(&tools.sysroot).is_dir() {
        bail!("the source of the standard library is missing: run `{}`", rust_source::add_source(&tools));
    }
    let mut cargo = Command::new(&tools.cargo);
    for name in paths::CARGO_VARIABLES {
        cargo.env_remove(name);
    }
    cargo.args(["check", "--locked", "--quiet", "--profile", "xtask", "-Zbuild-std=std,panic_abort"]);
    cargo.args(["--package", "xtask", "--package", "nchw"]);
    cargo.arg("--target-dir").arg(paths::root().join("target/platforms"));
    for target in TARGETS {
        // As set-up does: torch-sys's build script would look for a libtorch of that system.
        let no_script = format!("target.{target}.tch.rustc-link-lib=[\"dylib=tch\"]");
        cargo.args(["--target", target, "--config", &no_script]);
        // Build scripts call these for C code: `true` compiles nothing.
        for tool in ["CC", "AR", "RANLIB"] {
            cargo.env(format!("{tool}_{}", target.replace('-', "_")), "true");
        }
    }
    // Only nightly has `-Zbuild-std`.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", tools.sysroot.join("bin/rustc"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Dwarnings").env_remove("RUSTC_WRAPPER");
    run::run(cargo.current_dir(paths::root()))
}
