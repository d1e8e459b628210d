//! Where the kernels' working folders are, and whose they are.

use crate::paths;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::{
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// Where the working folders of a clone's kernels are; `home` is its `.nchw/kernel`.
///
/// evcxr tells the process that runs the cells the path of the next one, and that path ends at a
/// space: a clone with a space in its path has its working folders in the cache for all clones.
///
/// # Errors
/// When that cache has a space in its path, too.
pub fn folder(home: &Path) -> Result<PathBuf> {
    let spaced = |path: &Path| path.to_string_lossy().contains(char::is_whitespace);
    if !spaced(home) {
        return Ok(home.join("slots"));
    }
    let cache = paths::cache().ok().filter(|cache| !spaced(cache)).with_context(|| {
        format!(
            "the kernel needs a folder without a space in its path, unlike {}: set NCHW_CACHE to one",
            home.display()
        )
    })?;
    // A hash that is the same with every version of Rust: the folder is to be found again.
    let hash = Sha256::digest(home.as_os_str().as_bytes());
    let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(cache.join(format!("slots-{name}")))
}

/// The same folder, made where it does not exist. In the cache it says whose it is.
pub fn made_folder(home: &Path) -> Result<PathBuf> {
    let slots = folder(home)?;
    fs::create_dir_all(&slots).with_context(|| format!("could not make {}", slots.display()))?;
    if !slots.starts_with(home) {
        fs::write(slots.join("of"), home.as_os_str().as_bytes())?;
    }
    Ok(slots)
}

/// Which clone the working folders in the cache belong to: its `.nchw/kernel`. None when that is not known.
pub fn owner(slots: &Path) -> Option<PathBuf> {
    let home = fs::read(slots.join("of")).ok()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(home)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn working_folders_have_no_space_in_their_path() {
        let plain = Path::new("/course/.nchw/kernel");
        assert_eq!(folder(plain).unwrap(), plain.join("slots"));
        match (folder(Path::new("/my course/.nchw/kernel")), folder(Path::new("/합성 곱/.nchw/kernel"))) {
            (Ok(one), Ok(two)) => {
                // The first eight bytes of the path's SHA-256, as `sha256sum` says it.
                assert!(one.ends_with("slots-e86832feff697a4c"), "{}", one.display());
                assert!(two.ends_with("slots-38341a565b04ad8d"), "{}", two.display());
            }
            // A home with a space in its path, too.
            (error, _) => {
                assert!(format!("{:#}", error.unwrap_err()).contains("set NCHW_CACHE"), "says what to do")
            }
        }
    }
}
