//! Whether what the notebooks link still is what the crate's source says.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The file whose age is the age of the build, in the kernel's folder.
pub fn built_stamp(kernel: &Path) -> PathBuf {
    kernel.join("built")
}

/// Whether the crate is as it was when the notebooks' dependencies were built.
///
/// `kernel` is the folder `.nchw/kernel` of a clone.
pub fn is_fresh(kernel: &Path) -> bool {
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
    use std::env;

    #[test]
    fn an_edited_crate_is_not_fresh() {
        let root =
            env::temp_dir().join(format!("nchw-fresh-{}-{}", module_path!().len(), std::process::id()));
        let home = root.join(".nchw/kernel");
        let source = root.join("crates/nchw/src");
        fs::create_dir_all(&home).unwrap();
        fs::create_dir_all(&source).unwrap();
        fs::write(root.join("Cargo.lock"), "").unwrap();
        fs::write(source.join("lib.rs"), "").unwrap();
        assert!(!is_fresh(&home), "never built");
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(home.join("built"), "").unwrap();
        assert!(is_fresh(&home));
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(source.join("lib.rs"), "edited").unwrap();
        assert!(!is_fresh(&home));
        fs::remove_dir_all(&root).unwrap();
    }
}
