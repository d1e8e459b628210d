//! Whether what the notebooks link still is what the crate's source says.

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The file whose age is the age of the build, in the kernel's folder. It
/// holds the size of the library that was built.
pub fn built_stamp(kernel: &Path) -> PathBuf {
    kernel.join("built")
}

/// The size of the crate's library in a build folder, in bytes.
pub fn library_size(build: &Path) -> Option<u64> {
    let library = format!("debug/deps/{DLL_PREFIX}nchw{DLL_SUFFIX}");
    // Between the two is a folder that is named by the machine that is built for.
    let folders = fs::read_dir(build).ok()?.flatten().map(|folder| folder.path().join(&library));
    folders.filter_map(|path| Some(fs::metadata(path).ok()?.len())).next()
}

/// The size that the library in a build folder had when it was built; None when that is not known.
pub fn built_size(kernel: &Path) -> Option<u64> {
    fs::read_to_string(built_stamp(kernel)).ok()?.trim().parse().ok()
}

/// Whether the crate is as it was when the notebooks' dependencies were built,
/// and they are as they were then.
///
/// Cargo notices an edited source, but not a library that was cut off (a full
/// disk, a lost battery): the compiler takes the crate's other form instead,
/// and every cell would have a crate of its own.
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
    // What is compiled into the crate; its tests are not.
    let parts = [
        "src",
        "assets",
        "build.rs",
        "Cargo.toml",
        "../../datasets/samples",
        "../../Cargo.toml",
        "../../Cargo.lock",
    ];
    parts.iter().all(|part| newest(&root.join("crates/nchw").join(part)) <= built)
}

fn newest(path: &Path) -> SystemTime {
    let own = fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let inside = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| newest(&entry.path()));
    inside.fold(own, SystemTime::max)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_edited_crate_or_a_library_that_was_cut_off_is_not_fresh() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        let home = root.join(".nchw/kernel");
        let source = root.join("crates/nchw/src");
        fs::create_dir_all(&home).unwrap();
        fs::create_dir_all(&source).unwrap();
        fs::write(root.join("Cargo.lock"), "").unwrap();
        fs::write(source.join("lib.rs"), "").unwrap();
        assert!(!is_fresh(&home), "never built");
        std::thread::sleep(std::time::Duration::from_millis(20));
        let deps = home.join("build/a-machine/debug/deps");
        let library = deps.join(format!("{DLL_PREFIX}nchw{DLL_SUFFIX}"));
        fs::create_dir_all(&deps).unwrap();
        fs::write(&library, "library").unwrap();
        fs::write(home.join("built"), "7").unwrap();
        assert!(is_fresh(&home));
        fs::write(&library, "lib").unwrap();
        assert!(!is_fresh(&home), "cut off");
        fs::write(&library, "library").unwrap();
        assert!(is_fresh(&home));
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(source.join("lib.rs"), "edited").unwrap();
        assert!(!is_fresh(&home));
    }
}
