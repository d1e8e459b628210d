//! `cargo xtask clean`: removes what set-up made and nobody uses; says what it keeps, and why.

use crate::setup::{lock, shared::PREFIX};
use crate::{kernel::slots, paths, system::files};
use anyhow::{Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
use walkdir::WalkDir;

/// The folders that commands make in a clone, and files that identify older ones, which have no mark.
/// `.nchw` is the last, because it contains set-up's lock.
const FOLDERS: [(&str, &[&str]); 10] = [
    (".venv", &["share/jupyter/kernels/nchw"]),
    (".venv-bench", &["stamp"]),
    (".venv-book", &["stamp"]),
    (".venv-browser", &["stamp"]),
    (".venv-grading", &["stamp"]),
    (".venv-lint", &["stamp"]),
    (".venv-publish", &["stamp"]),
    ("target", &[CARGO]),
    ("test-artifacts", &["jupyterlab.log"]),
    (".nchw", &["steps"]),
];
/// With this file, cargo and others mark a folder that can be made again.
const CARGO: &str = "CACHEDIR.TAG";

/// Removes only what set-up made: data sets in the cache stay.
///
/// # Errors
/// If set-up or a kernel of this clone is running; then nothing is removed.
pub fn clean(all: bool) -> Result<()> {
    clean_in(&paths::root(), if all { Some(paths::cache()?) } else { None })
}

fn clean_in(root: &Path, cache: Option<PathBuf>) -> Result<()> {
    let dot_nchw = root.join(".nchw");
    files::make(&dot_nchw)?;
    let _lock = lock::take(&dot_nchw)?;
    let home = dot_nchw.join("kernel");
    let own_slots = slots::folder(&home).ok();
    let (_locks, running) = own_slots.as_deref().map(lock_free_slots).transpose()?.unwrap_or_default();
    if running > 0 {
        bail!(
            "kernels of this course are running ({running}) and would lose files: shut them down (in JupyterLab: \
             Kernel, Shut Down All Kernels; a spare kernel ends with JupyterLab), then run the same command again; nothing has been removed"
        );
    }
    let venv = root.join(".venv");
    if let Some(process) = process_of(&venv) {
        bail!(
            "process {process} runs from {} (JupyterLab?): end it first, then run the same command again; \
             nothing has been removed",
            venv.display()
        );
    }
    for (path, signs) in cache.iter().flat_map(|cache| shared(cache)) {
        // This clone's own are removed below: this function holds their locks.
        if own_slots.as_ref() == Some(&path) {
            continue;
        }
        remove(&path, signs, in_use(&path))?;
    }
    if let Some(slots) = own_slots.filter(|slots| !slots.starts_with(&dot_nchw)) {
        remove(&slots, &["of"], None)?;
    }
    for (name, signs) in FOLDERS {
        let path = root.join(name);
        // Cargo's lock is in the folder of the profile, for the program and the checks in that of the machine.
        let hosts = fs::read_dir(path.join("target")).into_iter().flatten().flatten().map(|host| host.path());
        let building =
            [path.clone(), path.join("target")].into_iter().chain(hosts).any(|at| is_building(&at));
        remove(&path, signs, building.then(|| "a build is running in it".into()))?;
    }
    Ok(())
}

/// Removes a folder, or says why it is kept.
fn remove(path: &Path, signs: &[&str], in_use: Option<String>) -> Result<()> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    let why = match files::is_ours(path, signs) {
        true => in_use,
        false => Some("it does not contain set-up's mark, so it may be yours".into()),
    };
    if let Some(why) = why {
        println!("  keeping  {}: {why}", path.display());
        return Ok(());
    }
    println!("  removing {}", path.display());
    files::remove(path, signs)
}

/// The folders in the cache that all clones share, except data sets.
fn shared(cache: &Path) -> Vec<(PathBuf, &'static [&'static str])> {
    let signs = |name: &str| -> Option<&'static [&'static str]> {
        match name {
            "evcxr-build" | "deny-build" => Some(&[CARGO]),
            _ if name.starts_with("evcxr-") || name.starts_with("deny-") => Some(&[".crates.toml"]),
            _ if name.starts_with("slots-") => Some(&["of"]),
            _ if name.starts_with(PREFIX) => Some(&[]),
            _ => None,
        }
    };
    let entries = WalkDir::new(cache).min_depth(1).max_depth(1).sort_by_file_name().into_iter().flatten();
    entries
        .filter_map(|entry| {
            signs(&entry.file_name().to_string_lossy()).map(|signs| (entry.into_path(), signs))
        })
        .collect()
}

/// Who uses a folder of the cache, if this can be found out; None if nobody does.
fn in_use(path: &Path) -> Option<String> {
    if let Some(home) = slots::owner(path) {
        return match lock_free_slots(path) {
            Ok((_, 0)) if !home.exists() => None,
            Ok((_, 0)) => Some(format!("it belongs to {}", home.display())),
            Ok(_) => Some(format!("a kernel of {} is running", home.display())),
            Err(error) => Some(format!("{error:#}")),
        };
    }
    let lock = path.join("lock");
    if lock.exists() && matches!(files::lock(&lock), Ok(None)) {
        return Some("another clone is installing it".into());
    }
    if is_building(path) || is_building(&path.join("build")) {
        return Some("a build is running in it".into());
    }
    process_with_program_in(path).map(|process| format!("process {process} runs a program in it"))
}

/// Takes the locks of all working folders that no kernel uses, so that no kernel can begin to use them.
/// Also returns the number of those that kernels use.
fn lock_free_slots(slots: &Path) -> Result<(Vec<File>, usize)> {
    let entries = fs::read_dir(slots).into_iter().flatten().flatten();
    let locks = entries.map(|entry| entry.path().join("lock")).filter(|lock| lock.exists());
    let tried: Vec<Option<File>> = locks.map(|lock| files::lock(&lock)).collect::<Result<_>>()?;
    let running = tried.iter().filter(|lock| lock.is_none()).count();
    Ok((tried.into_iter().flatten().collect(), running))
}

/// Whether cargo is building in this folder: it locks a file in the folder of each profile.
fn is_building(target: &Path) -> bool {
    let entries = fs::read_dir(target).into_iter().flatten().flatten();
    let mut locks = entries.map(|entry| entry.path().join(".cargo-lock")).filter(|lock| lock.exists());
    // A lock that cannot be opened is not a sign of a build; removing it says what is not permitted.
    locks.any(|lock| matches!(files::lock(&lock), Ok(None)))
}

/// A process whose program is in this folder.
fn process_with_program_in(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    process(|process| fs::read_link(process.join("exe")).is_ok_and(|program| program.starts_with(&folder)))
}

/// A process of a Python environment. Its program is the system's Python, so only the command line
/// contains the environment's folder.
fn process_of(environment: &Path) -> Option<String> {
    process(|process| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
        Path::new(OsStr::from_bytes(first)).starts_with(environment.join("bin"))
    })
}

/// The number of the first process whose folder in `/proc` fits.
fn process(fits: impl Fn(&Path) -> bool) -> Option<String> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = processes.map(|process| process.path()).find(|process| fits(process))?;
    Some(found.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::files::soon;
    use std::process::Command;

    /// Writes files, and makes their folders.
    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn working_folders_of_a_running_kernel_are_found() {
        let temp = tempfile::tempdir().unwrap();
        write(temp.path(), &[("0/lock", ""), ("1/lock", "")]);
        let kernel = files::lock(&temp.path().join("0/lock")).unwrap().unwrap();
        let (held, running) = lock_free_slots(temp.path()).unwrap();
        assert_eq!((held.len(), running), (1, 1));
        assert!(files::lock(&temp.path().join("1/lock")).unwrap().is_none(), "no kernel can take it now");
        drop((held, kernel));
        assert!(soon(|| lock_free_slots(temp.path()).unwrap().1 == 0), "the locks are released");
    }

    #[test]
    fn only_unused_folders_of_the_cache_are_removed() {
        let temp = tempfile::tempdir().unwrap();
        let cache = temp.path();
        let folder = |name: &str, files: &[(&str, &str)]| write(&cache.join(name), files);
        let clone = temp.path().join("a clone/.nchw/kernel");
        fs::create_dir_all(&clone).unwrap();
        let clone = clone.to_str().unwrap();
        folder("evcxr-0.1.0", &[(".crates.toml", ""), ("lock", "")]);
        folder("evcxr-0.2.0", &[(".crates.toml", ""), ("lock", "")]);
        folder("evcxr-mine", &[("notes", "mine")]);
        folder("evcxr-build", &[(CARGO, ""), ("release/.cargo-lock", "")]);
        folder("deny-0.1.0", &[(".crates.toml", "")]);
        folder("slots-0000000000000001", &[("of", clone), ("0/lock", "")]);
        folder("slots-0000000000000002", &[("of", "/gone/.nchw/kernel"), ("0/lock", "")]);
        folder("slots-0000000000000003", &[("of", "/gone/.nchw/kernel"), ("0/lock", "")]);
        folder("slots-0000000000000004", &[("0/lock", "")]);
        folder("cifar-10-batches-bin", &[("test_batch.bin", "")]);
        let lock = |name: &str| files::lock(&cache.join(name)).unwrap().unwrap();
        let held = [
            lock("evcxr-0.2.0/lock"),
            lock("evcxr-build/release/.cargo-lock"),
            lock("slots-0000000000000003/0/lock"),
        ];
        for (path, signs) in shared(cache) {
            remove(&path, signs, in_use(&path)).unwrap();
        }
        drop(held);
        let kept = [
            "a clone",
            "cifar-10-batches-bin",
            "evcxr-0.2.0",
            "evcxr-build",
            "evcxr-mine",
            "slots-0000000000000001",
            "slots-0000000000000003",
            "slots-0000000000000004",
        ];
        assert_eq!(names_in(cache), kept);
    }

    #[test]
    fn nothing_is_removed_while_a_kernel_or_set_up_is_running_and_never_the_users_files() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        let made = [
            ".nchw/steps/kernel",
            ".nchw/kernel/slots/0/lock",
            ".venv/share/jupyter/kernels/nchw/kernel.json",
            ".venv-lint/stamp",
            "target/debug/.cargo-lock",
            "target/CACHEDIR.TAG",
        ];
        let kept = [".venv-bench/bin/python", "notebooks/mine.ipynb", "test-artifacts/mine.png"];
        made.iter().chain(&kept).for_each(|file| write(root, &[(file, "")]));
        let refused = |words: &str, lock: &str| {
            let held = files::lock(&root.join(lock)).unwrap().unwrap();
            let error = clean_in(root, None).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert!(made.iter().all(|file| root.join(file).exists()));
            drop(held);
            assert!(soon(|| files::lock(&root.join(lock)).unwrap().is_some()));
        };
        refused("kernels of this course are running (1)", ".nchw/kernel/slots/0/lock");
        refused("another set-up of this clone is running", ".nchw/lock");

        clean_in(root, None).unwrap();
        assert_eq!(names_in(root), [".venv-bench", "notebooks", "test-artifacts"], "what no command made");
    }

    #[test]
    fn nothing_is_removed_while_jupyterlab_is_running() {
        let temp = tempfile::tempdir().unwrap();
        let (venv, made) = (temp.path().join(".venv"), temp.path().join(".nchw/steps"));
        fs::create_dir_all(venv.join("bin")).unwrap();
        fs::create_dir_all(&made).unwrap();
        fs::write(venv.join(files::MARK), "").unwrap();
        // Like an environment's Python: a link to the system's program.
        std::os::unix::fs::symlink("/bin/sleep", venv.join("bin/python")).unwrap();
        let mut server = Command::new(venv.join("bin/python")).arg("20").spawn().unwrap();
        let seen = soon(|| process_of(&venv).is_some());
        let refused = clean_in(temp.path(), None).unwrap_err().to_string();
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(seen && refused.contains(&format!("process {} runs from", server.id())), "{refused}");
        assert!(venv.exists() && made.exists());
        clean_in(temp.path(), None).unwrap();
        assert!(!venv.exists() && !made.exists());
    }

    #[test]
    fn the_folder_of_a_running_program_is_kept() {
        let temp = tempfile::tempdir().unwrap();
        let program = temp.path().join("bin/evcxr_jupyter");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::copy("/bin/sleep", &program).unwrap();
        assert_eq!(process_with_program_in(temp.path()), None);
        let mut child = Command::new(&program).arg("20").spawn().unwrap();
        // Until the new process has become the program.
        let seen = soon(|| process_with_program_in(temp.path()) == Some(child.id().to_string()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen);
    }
}
