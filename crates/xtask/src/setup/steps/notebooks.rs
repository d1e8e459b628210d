//! What the notebooks link, compiled once.
//!
//! Plain evcxr compiles a notebook's dependencies at every start, which takes minutes. Here they stay
//! in `.nchw/kernel/build`.

use crate::kernel::metadata;
use crate::paths::SOURCES;
use crate::setup::reduced::{self, Docs};
use crate::setup::shared::{self, Shared};
use crate::setup::{machine::Machine, step::Step, steps::kernelspec};
use crate::system::{files, progress, run};
use crate::{kernel::fresh, paths};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{process::Command, time::SystemTime};

/// Compiles it.
pub fn step(machine: &Machine) -> Step<'_> {
    Step {
        name: "notebooks",
        what: "what the notebooks link, compiled so that no cell waits for it",
        size: "350 MB on disk; 1 to 4 minutes the first time",
        outside: vec![],
        // The source of the crate is not an input: its age is compared (`fresh.rs`).
        inputs: &[
            file!(),
            "crates/xtask/python/common.py",
            "crates/xtask/python/kernel.py",
            "crates/xtask/python/kernel_probe.py",
            "crates/xtask/src/kernel/metadata.rs",
            "crates/xtask/src/paths.rs",
            "crates/xtask/src/setup/reduced.rs",
        ],
        values: Box::new(|| Ok(vec![kernelspec::step(machine).stamp()?, machine.tools.rust.clone()])),
        early: None,
        exists: Box::new(|| {
            let copies = metadata::copies(&paths::kernel().join(SOURCES)).len();
            fresh::is_fresh(&paths::kernel()) && copies == metadata::VISIBLE.len()
        }),
        act: Box::new(|| build(machine)),
    }
}

/// Compiles through evcxr itself, so that the result is exactly what a notebook's first cell needs.
fn build(machine: &Machine) -> Result<()> {
    let kernel = paths::kernel();
    let (folder, stamp) = (kernel.join("build"), fresh::built_stamp(&kernel));
    let begun = SystemTime::now();
    let shared = packages("notebooks", machine)?;
    let complete = complete("complete-notebooks", &fresh::CRATES, machine)?;
    if fresh::built_size(&kernel).is_some_and(|size| fresh::library_size(&folder) != Some(size)) {
        // Cargo would not notice that a file was truncated, and keep it.
        let _ = fs::remove_dir_all(&folder);
    }
    // Packages of another list, or of another Rust, would stay for ever, and be kept for other clones.
    let packages = kernel.join("packages");
    if !fs::read_to_string(&packages).is_ok_and(|hash| hash == shared.hash()) {
        let _ = fs::remove_dir_all(&folder);
    }
    if !folder.exists() {
        if complete.copy_to(&folder) {
            shared::date(&folder, begun)?;
        } else {
            shared.copy_to(&folder);
        }
        files::write(&packages, shared.hash())?;
    }
    let _ = fs::remove_file(&stamp);
    copy_sources(&kernel.join(SOURCES), machine)?;
    progress::run_logged(run::script("kernel_probe").arg("--build").env("NCHW_BUILD", "1"), "kernel")?;
    let size = fresh::library_size(&folder).context("the kernel compiled no library of the crate")?;
    files::write(&stamp, size.to_string())?;
    // A file that was edited during the compilation must be newer than the result.
    File::options().write(true).open(&stamp)?.set_modified(begun)?;
    shared.keep(&folder, shared::is_of_packages);
    if fresh::is_unchanged(&paths::root(), &fresh::CRATES, begun) {
        complete.keep(&folder, shared::is_compiled);
    }
    Ok(())
}

/// Copies what evcxr's rust-analyzer reads of the course's crates and of their packages.
fn copy_sources(to: &Path, machine: &Machine) -> Result<()> {
    let mut cargo = Command::new(&machine.tools.cargo);
    let answer =
        run::quiet(cargo.args(["metadata", "--locked", "--format-version", "1"]).current_dir(paths::root()))?;
    let answer: Value = serde_json::from_str(&answer)?;
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let packages = answer["packages"].as_array().into_iter().flatten();
    for package in packages.filter(|package| metadata::VISIBLE.iter().any(|name| package["name"] == *name)) {
        let manifest = Path::new(package["manifest_path"].as_str().context("a package has no manifest")?);
        let copy = to.join(metadata::name_of_copy(package).context("a package has no version")?);
        reduced::copy(&manifest.with_file_name("src"), &copy.join("src"), Docs::Whole)?;
        fs::copy(manifest, copy.join("Cargo.toml"))?;
    }
    Ok(())
}

/// The packages and these crates of the course.
pub fn complete(kind: &'static str, crates: &[&str], machine: &Machine) -> Result<Shared> {
    let packages = packages(kind, machine)?.hash().to_owned();
    Shared::of(kind, &fresh::sources(&paths::root(), crates), &[packages])
}

/// The packages that the course's crates depend on, compiled for cells; `kind` says what else is there.
pub fn packages(kind: &'static str, machine: &Machine) -> Result<Shared> {
    let home = paths::cargo_home()?.display().to_string();
    // How the packages are compiled, and which, with which features.
    let how = vec![paths::EVCXR.into(), home, kernelspec::settings(machine)?];
    let values = [shared::values(&machine.tools, &machine.source)?, how].concat();
    let manifests =
        fresh::CRATES.into_iter().chain(["program"]).map(|name| format!("crates/{name}/Cargo.toml"));
    let inputs = ["Cargo.lock", "Cargo.toml"].map(String::from).into_iter().chain(manifests);
    Shared::of(kind, &inputs.map(PathBuf::from).collect::<Vec<_>>(), &values)
}
