//! Stamps: a step of set-up runs again when a file that it reads has changed.
//!
//! Each step lists its inputs (`Step::inputs`). A test fails if a file of this crate is an input of no
//! step and not on the list of the others (`NOT_READ`), so no file can be forgotten.

use crate::{paths, system::files};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::{fs, path::Path};

/// A hash of values and of files in the course's folder; a folder stands for all its files.
pub fn stamp(inputs: &[&str], values: &[String]) -> Result<String> {
    stamp_in(&paths::root(), inputs, values)
}

fn stamp_in(root: &Path, inputs: &[&str], values: &[String]) -> Result<String> {
    let mut hash = Sha256::new();
    // The results contain paths of this folder, so after a move the steps must run again.
    for value in [&*root.to_string_lossy()].into_iter().chain(values.iter().map(String::as_str)) {
        hash.update(value);
        hash.update([0]);
    }
    for input in inputs {
        for path in files::files_in(&root.join(input))? {
            let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            hash.update(Sha256::digest(bytes));
        }
    }
    Ok(format!("{:x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports;
    use crate::setup::{self, machine::Machine};

    /// (a file or folder of this crate that no step depends on, why).
    const NOT_READ: [(&str, &str); 20] = [
        ("src/checks", "runs when everything is set up"),
        ("src/commands", "runs when everything is set up, or removes what the steps made"),
        ("src/imports.rs", "only for tests"),
        ("src/lib.rs", "the list of modules"),
        ("src/main.rs", "the command line"),
        ("src/setup/inputs.rs", "the stamps contain what it computes"),
        ("src/setup/lock.rs", "makes nothing"),
        ("src/setup/machine.rs", "the stamps contain what it found"),
        ("src/setup/mod.rs", "what is checked before the steps"),
        ("src/setup/shared.rs", "only copies what a step has made"),
        ("src/setup/step.rs", "runs the steps; their work is in other files"),
        ("src/setup/steps/mod.rs", "the order of the steps"),
        ("src/setup/steps/python.rs", "its RECIPE is in the stamp"),
        ("src/system/wsl.rs", "only messages"),
        ("src/system/cargo_install.rs", "how a program is installed; the steps say which"),
        ("src/system/environment.rs", "how pip is called; the lock files say what it installs"),
        ("src/system/mod.rs", "the list of modules"),
        ("src/system/progress.rs", "what is shown during a step"),
        ("src/system/run.rs", "how programs are run, not which"),
        ("src/system/tools.rs", "the stamps contain what it found"),
    ];

    type Inputs = &'static [&'static str];

    /// The name and the inputs of each step.
    fn all_inputs() -> Vec<(&'static str, Inputs)> {
        let machine = Machine::empty(Path::new("/sysroot"));
        setup::all_steps(&machine).unwrap().iter().map(|step| (step.name, step.inputs)).collect()
    }

    fn not_read(file: &str) -> bool {
        NOT_READ.iter().any(|(name, _)| Path::new(file).starts_with(Path::new("crates/xtask").join(name)))
    }

    fn contains(inputs: Inputs, file: &str) -> bool {
        inputs.iter().any(|input| Path::new(file).starts_with(input))
    }

    /// All files in folders of the course.
    fn files_in<'a>(folders: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let root = paths::root();
        let files = folders.into_iter().flat_map(|folder| files::files_in(&root.join(folder)).unwrap());
        files.map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_file_is_an_input_of_a_step_or_has_a_reason_why_not() {
        for file in files_in(["crates/xtask/src", "crates/xtask/assets", "crates/xtask/cpp"]) {
            let read = all_inputs().iter().any(|(_, inputs)| contains(inputs, &file));
            assert_ne!(
                read,
                not_read(&file),
                "{file}: make it an input of a step, or give a reason in NOT_READ of inputs.rs"
            );
        }
        let inputs = all_inputs().into_iter().flat_map(|(_, inputs)| inputs.iter().map(ToString::to_string));
        for path in inputs.chain(NOT_READ.map(|(name, _)| format!("crates/xtask/{name}"))) {
            assert!(paths::root().join(&path).exists(), "{path} is on a list and does not exist");
        }
    }

    #[test]
    fn a_step_reads_the_files_that_its_code_imports() {
        let mut count = 0;
        // The stamp of "kernel" is a value of these two.
        let kernel = all_inputs().into_iter().find(|(step, _)| *step == "kernel").unwrap().1;
        for (step, inputs) in all_inputs() {
            let after_kernel = ["notebooks", "program"].contains(&step);
            let reads = |file: &str| contains(inputs, file) || after_kernel && contains(kernel, file);
            for file in files_in(inputs.iter().copied()).iter().filter(|file| file.ends_with(".rs")) {
                for import in imports::imports(&paths::root().join(file)) {
                    let import = import.strip_prefix(paths::root()).unwrap().to_str().unwrap();
                    assert!(reads(import) || not_read(import), "{step}: {file} imports {import}");
                    count += 1;
                }
            }
        }
        assert!(count > 20, "found {count} imports");
    }

    #[test]
    fn a_step_depends_on_every_file_it_reads_and_on_no_other() {
        let (temp, steps) = (tempfile::tempdir().unwrap(), all_inputs());
        let mut all = files_in(steps.iter().flat_map(|(_, inputs)| inputs.iter().copied()));
        all.push("crates/xtask/src/main.rs".into());
        let write = |file: &str, text: &str| {
            let path = temp.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        all.iter().for_each(|file| write(file, "original"));
        let stamps = |value: &str| -> Vec<String> {
            let stamp = |inputs| stamp_in(temp.path(), inputs, &[value.into()]).unwrap();
            steps.iter().map(|(_, inputs)| stamp(inputs)).collect()
        };
        let before = stamps("1.95");
        for file in &all {
            write(file, "edited");
            for ((step, inputs), (old, new)) in steps.iter().zip(before.iter().zip(stamps("1.95"))) {
                assert_eq!(*old != new, contains(inputs, file), "{step}, after an edit of {file}");
            }
            write(file, "original");
        }
        assert_eq!(stamps("1.95"), before);
        assert!(stamps("1.96").iter().zip(&before).all(|(new, old)| new != old));
    }
}
