//! The source of the standard library, from which rust-analyzer learns the types of variables.

use crate::paths::{self, EMPTY_STD, STD};
use crate::setup::machine::Machine;
use crate::setup::reduced::{self, Docs};
use crate::setup::step::{Outside, Step};
use crate::system::{run, tools::Tools};
use anyhow::{Context, Result};
use std::{fs, process::Command};

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
        size: "14 MB; about 3 s",
        outside,
        inputs: &[file!(), "crates/xtask/src/paths.rs", "crates/xtask/src/setup/reduced.rs"],
        values: Box::new(|| Ok(vec![tools.rust.clone(), tools.sysroot.display().to_string()])),
        early: None,
        exists: Box::new(|| {
            [STD, EMPTY_STD].iter().all(|name| paths::kernel().join(name).join("core/src/lib.rs").exists())
        }),
        act: Box::new(|| copy(tools)),
    }
}

/// Copies the four crates of the standard library; also makes an empty one, with which a kernel begins.
fn copy(tools: &Tools) -> Result<()> {
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
    let [std, empty] = [STD, EMPTY_STD].map(|name| paths::kernel().join(name));
    for folder in [&std, &empty] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    for name in ["core", "alloc", "std", "proc_macro"] {
        reduced::copy(&full.join(name).join("src"), &std.join(name).join("src"), Docs::FirstParagraph)?;
        fs::create_dir_all(empty.join(name).join("src"))?;
        fs::write(empty.join(name).join("src/lib.rs"), "")?;
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
