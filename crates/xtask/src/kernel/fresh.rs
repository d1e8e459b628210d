//! Whether the compiled crate that notebooks link is up to date with its source.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::{fs, time::SystemTime};
use walkdir::WalkDir;

/// The crates of this workspace that notebooks link: `nchw` and those that it depends on.
pub const CRATES: [&str; 5] = ["core", "draw", "files", "nchw", "web"];

/// The file in the kernel's folder whose age is the age of the build. It contains the size of the
/// compiled library.
pub fn built_stamp(kernel: &Path) -> PathBuf {
    kernel.join("built")
}

/// The size of the crate's library in a build folder, in bytes.
pub fn library_size(build: &Path) -> Option<u64> {
    let library = format!("debug/deps/{DLL_PREFIX}nchw{DLL_SUFFIX}");
    // `build` contains a folder for the target machine, which contains `debug`.
    let folders = fs::read_dir(build).ok()?.flatten().map(|folder| folder.path().join(&library));
    folders.filter_map(|path| Some(fs::metadata(path).ok()?.len())).next()
}

/// The size that the library had when set-up compiled it; None if it is unknown.
pub fn built_size(kernel: &Path) -> Option<u64> {
    fs::read_to_string(built_stamp(kernel)).ok()?.trim().parse().ok()
}

/// Whether neither the source of the crate nor the compiled library has changed since set-up compiled it.
///
/// Cargo notices an edited source, but not a library that was truncated by a full disk or a power
/// failure. The compiler would then use the crate's `rlib`, and every cell would have its own copy of
/// the crate.
///
/// `kernel` is the folder `.nchw/kernel` of a clone.
pub fn is_fresh(kernel: &Path) -> bool {
    let size = built_size(kernel);
    if size.is_none() || size != library_size(&kernel.join("build")) {
        return false;
    }
    let built = fs::metadata(built_stamp(kernel)).and_then(|m| m.modified());
    built.is_ok_and(|built| is_unchanged(&course(kernel), &CRATES, built))
}

/// Whether no source of these crates has changed since then.
pub fn is_unchanged(course: &Path, crates: &[&str], since: SystemTime) -> bool {
    sources(course, crates).iter().all(|path| newest(path) <= since)
}

/// What is compiled into these crates' libraries and programs, which their tests are not: files and folders, of which not
/// every crate has all.
pub fn sources(course: &Path, crates: &[&str]) -> Vec<PathBuf> {
    let parts = ["src", "assets", "script", "questions", "exercises", "build.rs", "Cargo.toml"];
    let crates = crates.iter().flat_map(|name| parts.map(|part| format!("crates/{name}/{part}")));
    let others = ["datasets/album", "datasets/samples", "Cargo.toml", "Cargo.lock"].map(String::from);
    crates.chain(others).map(|part| course.join(part)).collect()
}

/// The clone whose kernel is in this folder, `.nchw/kernel`.
fn course(kernel: &Path) -> PathBuf {
    kernel.join("../..")
}

/// Every file that a kernel reads when it starts, with its size and its time. If a spare kernel is needed
/// after one of them has changed, another kernel must start.
#[derive(PartialEq)]
pub struct Loaded(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Loaded {
    /// `programs` are files, and folders of libraries, outside of the clone.
    pub fn now(kernel: &Path, programs: &[PathBuf]) -> Loaded {
        let ours =
            ["built", "bin", "path", "plain", "warm", ".cargo/config.toml"].map(|name| kernel.join(name));
        let walks = sources(&course(kernel), &CRATES).into_iter().chain(ours).map(WalkDir::new);
        // The folders of a library's folder are not loaded.
        let walks =
            walks.chain(programs.iter().map(|path| WalkDir::new(path).follow_links(true).max_depth(1)));
        let mut files: Vec<_> = walks
            .flat_map(|walk| walk.into_iter().flatten())
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((entry.into_path(), metadata.len(), metadata.modified().ok()))
            })
            .collect();
        let library = library_size(&kernel.join("build"));
        files.push((PathBuf::from("the compiled library"), library.unwrap_or(0), None));
        files.sort();
        Loaded(files)
    }
}

/// The latest change in a file or folder.
fn newest(path: &Path) -> SystemTime {
    let times =
        WalkDir::new(path).into_iter().filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of a crate that is not on the list would be compiled in the learner's first cell.
    #[test]
    fn every_crate_that_notebooks_link_is_on_the_list() {
        let mut linked = vec!["nchw".to_string()];
        for at in 0.. {
            let Some(name) = linked.get(at) else { break };
            let manifest = crate::paths::root().join(format!("crates/{name}/Cargo.toml"));
            let text = fs::read_to_string(manifest).unwrap();
            let dependencies = text.split("[dev-dependencies]").next().unwrap().lines();
            for line in dependencies.filter_map(|line| line.strip_prefix("nchw-")) {
                let name = line.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_string();
                if !linked.contains(&name) {
                    linked.push(name);
                }
            }
        }
        linked.sort();
        assert_eq!(linked, CRATES);
    }

    #[test]
    fn an_edited_crate_or_a_truncated_library_is_not_fresh() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        let home = root.join(".nchw/kernel");
        let source = root.join("crates/core/src");
        fs::create_dir_all(&home).unwrap();
        fs::create_dir_all(&source).unwrap();
        fs::write(root.join("Cargo.lock"), "").unwrap();
        fs::write(source.join("lib.rs"), "").unwrap();
        assert!(!is_fresh(&home), "never compiled");
        std::thread::sleep(std::time::Duration::from_millis(20));
        let deps = home.join("build/a-machine/debug/deps");
        let library = deps.join(format!("{DLL_PREFIX}nchw{DLL_SUFFIX}"));
        fs::create_dir_all(&deps).unwrap();
        fs::write(&library, "library").unwrap();
        fs::write(home.join("built"), "7").unwrap();
        assert!(is_fresh(&home));
        fs::write(&library, "lib").unwrap();
        assert!(!is_fresh(&home), "truncated");
        fs::write(&library, "library").unwrap();
        assert!(is_fresh(&home));
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(source.join("lib.rs"), "edited").unwrap();
        assert!(!is_fresh(&home));
    }

    #[test]
    fn a_spare_kernel_is_stale_after_any_change_of_what_it_has_loaded() {
        let temp = tempfile::tempdir().unwrap();
        let (home, libtorch) = (temp.path().join(".nchw/kernel"), temp.path().join("lib"));
        let (evcxr, deps) = (temp.path().join("evcxr"), home.join("build/a-machine/debug/deps"));
        let library = deps.join(format!("{DLL_PREFIX}nchw{DLL_SUFFIX}"));
        let source = temp.path().join("crates/core/src/lib.rs");
        let torch = libtorch.join("libtorch.so");
        let read = [&source, &home.join("built"), &home.join("warm/init.evcxr"), &library, &evcxr, &torch];
        for path in read {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "1").unwrap();
        }
        let programs = [evcxr.clone(), libtorch.clone()];
        let mut before = Loaded::now(&home, &programs);
        assert!(before == Loaded::now(&home, &programs));
        for path in read {
            fs::write(path, "changed").unwrap();
            let after = Loaded::now(&home, &programs);
            assert!(before != after, "{}", path.display());
            before = after;
        }
        fs::write(home.join("slots"), "what a kernel writes").unwrap();
        assert!(before == Loaded::now(&home, &programs));
    }
}
