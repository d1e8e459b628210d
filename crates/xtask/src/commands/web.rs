//! `cargo xtask web`: the WebAssembly module of the interactive figures.

use crate::setup::steps::rust_source;
use crate::system::{files, run, tools};
use crate::{checks::skips, paths};
use anyhow::{Context, Result, bail};
use std::{fs, path::PathBuf, process::Command};

const TARGET: &str = "wasm32-unknown-unknown";

/// The committed module, and the version of rustc that compiled it.
fn committed() -> [PathBuf; 2] {
    ["nchw.wasm", "rustc-version"].map(|name| paths::root().join("crates/web/assets").join(name))
}

/// Builds the module and replaces the committed one.
pub fn web() -> Result<()> {
    let bytes = build()?;
    let [module, version] = committed();
    let unpacked = bytes.len() / 1000;
    files::write(&module, bytes)?;
    files::write(&version, tools::find()?.rust + "\n")?;
    println!("{}: {unpacked} kB", module.display());
    check_answers()
}

/// Fails if the committed module is not what the source compiles to.
pub fn check() -> Result<()> {
    let [module, version] = committed();
    let (ours, theirs) = (tools::find()?.rust, fs::read_to_string(version)?);
    // Always built: the code must compile for WebAssembly with every version of rustc.
    let built = build()?;
    if ours != theirs.trim() {
        // Another compiler writes other bytes, so only the answers can be compared.
        println!("  the module is from rustc {}, this is {ours}: compared by its answers", theirs.trim());
    } else if built != fs::read(&module)? {
        bail!("{} is not what its source compiles to: run `cargo xtask web` and commit it", module.display());
    }
    check_answers()
}

/// Compiles the module. Its bytes do not depend on the folders of the course, of cargo and of Rust.
fn build() -> Result<Vec<u8>> {
    let tools = tools::find()?;
    if !rust_source::full_source(&tools.sysroot).is_dir() {
        bail!("the source of the standard library is missing: run `{}`", rust_source::add_source(&tools));
    }
    let (root, home) = (paths::root(), paths::cargo_home()?);
    let remapped = [(&root, "/nchw"), (&home, "/cargo"), (&tools.sysroot, "/rust")];
    // Nobody would see where in the source a panic happened.
    let mut flags = ["-Ctarget-feature=+simd128", "-Zlocation-detail=none"].map(String::from).to_vec();
    flags.extend(remapped.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())));
    let target = root.join("target/web");
    let mut cargo = Command::new(&tools.cargo);
    // The standard library is always compiled from its source, because rustup's copy would lead to other
    // bytes. Only nightly has this option.
    cargo
        .args(["rustc", "--locked", "--quiet", "--profile", "web", "--package", "nchw-web", "--target", TARGET])
        // As an rlib, too, cargo would compile it without link-time optimisation: twice as large.
        .args(["--crate-type", "cdylib"])
        .arg("-Zbuild-std=std,panic_abort")
        .arg("--target-dir")
        .arg(&target)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", tools.sysroot.join("bin/rustc"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .current_dir(&root);
    run::run(&mut cargo)?;
    let module = target.join(TARGET).join("web/nchw_web.wasm");
    fs::read(&module).with_context(|| format!("{} cannot be read", module.display()))
}

/// Compares the answers of the committed module with those of the same code on this machine, which
/// `crates/web/tests/answers.rs` keeps in `answers.txt`.
fn check_answers() -> Result<()> {
    if which::which("node").is_err() {
        return skips::skip("the answers of the WebAssembly module: Node is not installed (Debian: apt-get install nodejs)");
    }
    let tests = paths::root().join("crates/web/tests");
    run::run(Command::new("node").arg(tests.join("answers.mjs")).arg(&committed()[0]))
}
