//! `cargo xtask web`: the WebAssembly modules of the interactive figures.

use crate::system::{files, run, tools};
use crate::{checks::skips, paths};
use anyhow::{Context, Result, bail};
use std::{fs, path::PathBuf, process::Command};

const TARGET: &str = "wasm32-unknown-unknown";

/// The modules: a feature of the crate each, so that a page carries only what its figures need.
const MODULES: [&str; 3] = ["maps", "shapes", "net"];

fn assets() -> PathBuf {
    paths::root().join("crates/web/assets")
}

/// A committed module.
fn committed(name: &str) -> PathBuf {
    assets().join(name).with_extension("wasm")
}

/// The version of rustc that compiled the committed modules.
fn version() -> PathBuf {
    assets().join("rustc-version")
}

/// Builds the modules and replaces the committed ones.
pub fn web() -> Result<()> {
    for name in MODULES {
        let bytes = build(name, true)?;
        println!("  {name}.wasm: {} kB", bytes.len() / 1000);
        files::write(&committed(name), bytes)?;
    }
    files::write(&version(), tools::find(false)?.rust + "\n")?;
    check_answers()
}

/// Fails if a committed module is not what the source compiles to.
pub fn check() -> Result<()> {
    let (ours, theirs) = (tools::find(false)?.rust, fs::read_to_string(version())?);
    let mut other = Vec::new();
    for name in MODULES {
        // Always built: the code must compile for WebAssembly with every version of rustc.
        if build(name, ours == theirs.trim())? != fs::read(committed(name))? {
            other.push(name);
        }
    }
    if ours != theirs.trim() {
        // Another compiler writes other bytes, so only the answers can be compared.
        println!("  the modules are from rustc {}, this is {ours}: compared by their answers", theirs.trim());
    } else if !other.is_empty() {
        bail!(
            "in {}, these are not what their source compiles to: {}; run `cargo xtask web` and commit them",
            assets().display(),
            other.join(", ")
        );
    }
    check_answers()
}

/// Compiles a module. Its bytes do not depend on the folders of the course, of cargo and of Rust.
///
/// `small` leaves out the texts of panics, which nobody would see: a panic ends the module in any case. Older
/// versions of rustc don't know this option, and then the module is only checked, never committed.
fn build(name: &str, small: bool) -> Result<Vec<u8>> {
    let tools = tools::find(false)?;
    if !tools.full_source().is_dir() {
        bail!("the source of the standard library is missing: run `{}`", tools.add_source());
    }
    let (root, home) = (paths::root(), paths::cargo_home()?);
    let remapped = [(&root, "/nchw"), (&home, "/cargo"), (&tools.sysroot, "/rust")];
    // Nobody would see where in the source a panic happened.
    let mut flags = ["-Ctarget-feature=+simd128", "-Zlocation-detail=none"].map(String::from).to_vec();
    if small {
        flags.extend(["-Zunstable-options", "-Cpanic=immediate-abort"].map(String::from));
    }
    flags.extend(remapped.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())));
    let target = root.join("target/web");
    let mut cargo = Command::new(&tools.cargo);
    // The standard library is always compiled from its source, because rustup's copy would lead to other
    // bytes. Only nightly has this option.
    cargo
        .args([
            "rustc",
            "--locked",
            "--quiet",
            "--profile",
            "web",
            "--package",
            "nchw-web",
            "--target",
            TARGET,
        ])
        // As an rlib, too, cargo would compile it without link-time optimisation: twice as large.
        .args(["--crate-type", "cdylib", "--no-default-features", "--features", name])
        .args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"])
        .arg("--target-dir")
        .arg(&target)
        // In a profile, cargo turns this into `debuginfo`, which leaves the names of all functions.
        .args(["--", "-Cstrip=symbols"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", tools.sysroot.join("bin/rustc"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .current_dir(&root);
    run::run(&mut cargo)?;
    let module = target.join(TARGET).join("web/nchw_web.wasm");
    fs::read(&module).with_context(|| format!("{} cannot be read", module.display()))
}

/// Compares the answers of the committed modules with those of the same code on this machine, which
/// `crates/web/tests/answers.rs` keeps in `answers.txt`, and the layers of the network with PyTorch's.
fn check_answers() -> Result<()> {
    if which::which("node").is_err() {
        return skips::skip(
            "the answers of the WebAssembly modules: Node is not installed (Debian: apt-get install nodejs)",
        );
    }
    let tests = paths::root().join("crates/web/tests");
    run::run(Command::new("node").arg(tests.join("answers.mjs")).arg(assets()))?;
    run::run(Command::new("node").arg(tests.join("filter.mjs")).arg(committed("maps")))?;
    run::run(Command::new("node").arg(tests.join("layers.mjs")).arg(committed("net")))
}
