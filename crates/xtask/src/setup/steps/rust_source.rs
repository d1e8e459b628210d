//! The source of the standard library, from which rust-analyzer learns the types of variables.

use crate::paths;
use crate::setup::machine::Machine;
use crate::setup::step::{Outside, Step};
use crate::system::{run, tools::Tools};
use anyhow::{Context, Result};
use std::path::Path;
use std::{ffi::OsStr, fs, process::Command};
use walkdir::WalkDir;

/// Copies the part that the kernel reads; adds the source to the toolchain if it is missing.
pub fn step(machine: &Machine) -> Step<'_> {
    let tools = &machine.tools;
    let mut outside = vec![];
    if !tools.full_source().is_dir() {
        let add = tools.add_source();
        let what = format!("the component rust-src, which `{add}` adds (4 MB to download, 55 MB on disk)");
        outside.push(Outside(tools.sysroot.clone(), what));
    }
    Step {
        name: "rust-source",
        what: "the standard library's source, from which the kernel learns the types of variables",
        size: "15 MB; about 5 s",
        outside,
        inputs: &[file!(), "crates/xtask/src/paths.rs"],
        values: Box::new(|| Ok(vec![tools.rust.clone(), tools.sysroot.display().to_string()])),
        early: None,
        exists: Box::new(|| paths::kernel().join("std/core/src/lib.rs").exists()),
        act: Box::new(|| copy_reduced(tools)),
    }
}

/// Copies only what the types of a notebook's variables come from, because rust-analyzer reads all of it
/// at every start: no tests, and no vector intrinsics, which are half of the source.
fn copy_reduced(tools: &Tools) -> Result<()> {
    let full = tools.full_source();
    if !full.is_dir() {
        // Set-up has told the user that this changes the toolchain, and which one.
        let add = tools.add_source();
        let mut words = add.split(' ');
        let mut rustup = Command::new(words.next().unwrap_or_default());
        run::quiet(rustup.args(words)).with_context(|| {
            format!("the kernel needs Rust's own source to know the types of variables: `{add}`")
        })?;
    }
    let reduced = paths::kernel().join("std");
    if reduced.exists() {
        fs::remove_dir_all(&reduced)?;
    }
    for name in ["core", "alloc", "std", "proc_macro"] {
        copy_sources(&full.join(name).join("src"), &reduced.join(name).join("src"))?;
    }
    Ok(())
}

fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    let is_test = |name: &OsStr| name == "tests" || name == "benches";
    for entry in WalkDir::new(from).into_iter().filter_entry(|entry| !is_test(entry.file_name())) {
        let entry = entry?;
        let copy = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(copy)?;
        } else if copy.extension().is_some_and(|e| e == "rs") {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_without_its_source_is_named_before_it_is_changed() {
        let temp = tempfile::tempdir().unwrap();
        let sysroot = temp.path().join("toolchains/stable-of-this-test");
        let machine = Machine::empty(&sysroot);
        let Outside(folder, what) = &step(&machine).outside[0];
        assert_eq!(*folder, sysroot);
        for words in ["rustup component add rust-src --toolchain stable-of-this-test", "MB on disk"] {
            assert!(what.contains(words), "{what}");
        }
        fs::create_dir_all(machine.tools.full_source()).unwrap();
        assert!(step(&machine).outside.is_empty(), "nothing is changed if the source is there");
    }
}
