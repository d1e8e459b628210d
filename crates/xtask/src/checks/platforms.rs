//! Compiles all crates for macOS, without producing code.

use crate::paths;
use crate::system::{run, tools};
use anyhow::{Result, bail};
use std::process::Command;

/// Nothing in the source is only for Linux on arm64: what is not for x86-64 is compiled here, too.
const TARGET: &str = "aarch64-apple-darwin";

/// Fails if a crate does not compile.
///
/// The standard library is compiled from its source, which set-up has: rustup's copy for another system may not be
/// installed. What is not Rust is left out: the linker, and C code, for which there is no compiler.
pub fn check() -> Result<()> {
    let tools = tools::find(false)?;
    if !tools.full_source().is_dir() {
        bail!("the source of the standard library is missing: run `{}`", tools.add_source());
    }
    let mut cargo = Command::new(&tools.cargo);
    cargo.args(["check", "--locked", "--quiet", "--profile", "xtask", "--workspace", "--target", TARGET]);
    // As set-up does: torch-sys's build script would look for libtorch.
    let no_script = format!("target.{TARGET}.tch.rustc-link-lib=[\"dylib=tch\"]");
    cargo.args(["-Zbuild-std=std,panic_abort", "--config", &no_script]);
    cargo.arg("--target-dir").arg(paths::root().join("target/platforms"));
    paths::as_in_any_shell(&mut cargo);
    // Build scripts call these for C code: `true` compiles nothing.
    for tool in ["CC", "AR", "RANLIB"] {
        cargo.env(format!("{tool}_{}", TARGET.replace('-', "_")), "true");
    }
    // Only nightly has `-Zbuild-std`.
    run::run(cargo.env("RUSTC_BOOTSTRAP", "1").current_dir(paths::root()))
}
