//! Which of the course's files each step of set-up reads: when one of them changes, the step runs
//! again. A file that is on neither list fails a test, so that none is forgotten.

use crate::paths;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::{fs, path::Path};

/// (a step, what it reads and what does its work), from the course's folder.
const READ: [(&str, &[&str]); 8] = [
    ("packages", &["Cargo.lock", "crates/xtask/src/kernel.rs"]),
    // How it is made has a number of its own (`environment::RECIPE`): to make it anew costs libtorch, too.
    ("python", &["requirements/lab.lock"]),
    (
        "libtorch",
        &[
            "requirements/libtorch-cpu.lock",
            "requirements/libtorch-cuda.lock",
            "crates/xtask/src/libtorch.rs",
            "crates/xtask/src/paths.rs",
        ],
    ),
    ("rust-source", &["crates/xtask/src/kernel.rs"]),
    (
        "wrapper",
        &["crates/xtask/cpp/short_errors.h", "crates/xtask/src/libtorch.rs", "crates/xtask/src/paths.rs"],
    ),
    // An evcxr of the right version is taken as it is: this compiles nothing again.
    ("evcxr", &["crates/xtask/src/kernel.rs", "crates/xtask/src/paths.rs"]),
    (
        "kernel",
        &[
            "Cargo.lock",
            "Cargo.toml",
            "crates/xtask/Cargo.toml",
            "crates/xtask/assets/jupyter_server_config.json",
            "crates/xtask/assets/logo-svg.svg",
            "crates/xtask/assets/overrides.json",
            "crates/xtask/src/bin/nchw-kernel.rs",
            "crates/xtask/src/fresh.rs",
            "crates/xtask/src/kernel.rs",
            "crates/xtask/src/libtorch.rs",
            "crates/xtask/src/paths.rs",
            "crates/xtask/src/relay.rs",
            "crates/xtask/src/slots.rs",
        ],
    ),
    // The crate itself is compared by age (`fresh.rs`).
    ("notebooks", &["crates/xtask/python/kernel_probe.py", "crates/xtask/python/kernels.py"]),
];

/// (a file of these folders that no step depends on, why).
#[cfg(test)]
const NOT_READ: [(&str, &str); 15] = [
    ("crates/xtask/src/checks.rs", "runs when everything is set up"),
    ("crates/xtask/src/clean.rs", "removes what steps made"),
    ("crates/xtask/src/deny.rs", "a check of its own"),
    ("crates/xtask/src/doctor.rs", "looks, and changes nothing"),
    ("crates/xtask/src/environment.rs", "its RECIPE is in the stamp"),
    ("crates/xtask/src/files.rs", "how files are written, not what is in them"),
    ("crates/xtask/src/inputs.rs", "the stamps hold what it lists"),
    ("crates/xtask/src/lab.rs", "runs when everything is set up"),
    ("crates/xtask/src/main.rs", "the command line"),
    ("crates/xtask/src/outside.rs", "says where steps write outside of this folder"),
    ("crates/xtask/src/run.rs", "how programs are run, not what they do"),
    ("crates/xtask/src/setup.rs", "the order of the steps; what they do is in other files"),
    ("crates/xtask/src/skips.rs", "a part of the checks"),
    ("crates/xtask/src/tools.rs", "the stamps hold what it found"),
    ("crates/xtask/src/watch.rs", "how programs are run, not what they do"),
];

/// A hash of all that a step depends on: `texts`, and the files it reads.
pub fn stamp(step: &str, texts: &[&str]) -> Result<String> {
    stamp_in(&paths::root(), step, texts)
}

fn stamp_in(root: &Path, step: &str, texts: &[&str]) -> Result<String> {
    let (_, files) =
        READ.iter().find(|(name, _)| *name == step).with_context(|| format!("no step {step}"))?;
    let mut hash = Sha256::new();
    // What is made holds paths of this folder: moved, it has to be made again.
    for text in [&root.to_string_lossy()].into_iter().map(AsRef::as_ref).chain(texts.iter().copied()) {
        hash.update(text);
        hash.update([0]);
    }
    for file in *files {
        let path = root.join(file);
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        hash.update(Sha256::digest(bytes));
    }
    Ok(hex(&hash.finalize()))
}

/// A hash as text.
pub fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_of_set_up_is_read_by_a_step_or_it_is_said_why_not() {
        let root = paths::root();
        let read: Vec<&str> = READ.iter().flat_map(|(_, files)| files.iter().copied()).collect();
        for folder in ["src", "assets", "cpp"] {
            for path in files(&root.join("crates/xtask").join(folder)) {
                let file = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let reasons = NOT_READ.iter().filter(|(name, _)| *name == file).count();
                let listed = usize::from(read.contains(&file)) + reasons;
                assert_eq!(
                    listed, 1,
                    "{file}: put it on one of the two lists of inputs.rs, READ or NOT_READ"
                );
            }
        }
        for file in read.iter().chain(NOT_READ.iter().map(|(name, _)| name)) {
            assert!(root.join(file).is_file(), "{file} is on a list of inputs.rs and does not exist");
        }
    }

    #[test]
    fn whatever_the_kernels_program_is_made_of_is_read_by_its_step() {
        let source = fs::read_to_string(paths::root().join("crates/xtask/src/bin/nchw-kernel.rs")).unwrap();
        let parts =
            source.lines().filter_map(|line| line.strip_prefix("#[path = \"../")?.strip_suffix("\"]"));
        let (_, read) = READ.iter().find(|(step, _)| *step == "kernel").unwrap();
        let mut count = 0;
        for part in parts {
            assert!(read.contains(&&*format!("crates/xtask/src/{part}")), "{part}");
            count += 1;
        }
        assert!(count >= 3, "found {count} parts");
    }

    #[test]
    fn a_step_depends_on_every_file_it_reads_and_on_no_other() {
        let temp = tempfile::tempdir().unwrap();
        let all = READ.iter().flat_map(|(_, files)| files.iter().copied());
        let all: Vec<&str> = all.chain(NOT_READ.iter().map(|(name, _)| *name)).collect();
        for file in &all {
            let path = temp.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "as it was").unwrap();
        }
        let stamps = || READ.map(|(step, _)| stamp_in(temp.path(), step, &["1.95"]).unwrap());
        let before = stamps();
        for file in &all {
            fs::write(temp.path().join(file), "edited").unwrap();
            for ((step, files), (old, new)) in READ.iter().zip(before.iter().zip(stamps())) {
                assert_eq!(*old != new, files.contains(file), "{step}, after an edit of {file}");
            }
            fs::write(temp.path().join(file), "as it was").unwrap();
        }
        assert_eq!(stamps(), before);
        assert_ne!(stamp_in(temp.path(), "evcxr", &["1.96"]).unwrap(), before[5]);
    }

    #[test]
    fn what_earlier_stamps_left_out_is_read() {
        let read = |step: &str| READ.iter().find(|(name, _)| *name == step).unwrap().1;
        for asset in ["overrides.json", "jupyter_server_config.json", "logo-svg.svg"] {
            assert!(read("kernel").contains(&&*format!("crates/xtask/assets/{asset}")), "{asset}");
        }
        for step in ["libtorch", "wrapper", "kernel"] {
            for file in ["libtorch.rs", "paths.rs"] {
                assert!(read(step).contains(&&*format!("crates/xtask/src/{file}")), "{step}: {file}");
            }
        }
    }
}
