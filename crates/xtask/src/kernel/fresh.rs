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
    let (Ok(built), Some(root)) = (built, kernel.parent().and_then(Path::parent)) else {
        return false;
    };
    // What is compiled into the library, which the tests are not.
    let parts = ["src", "assets", "script", "questions", "exercises", "build.rs", "Cargo.toml"];
    let crates = CRATES.iter().flat_map(|name| parts.map(|part| format!("crates/{name}/{part}")));
    let others = ["datasets/album", "datasets/samples", "Cargo.toml", "Cargo.lock"].map(String::from);
    crates.chain(others).all(|part| newest(&root.join(part)) <= built)
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
}
