//! The working folders of the kernels ("slots"): where they are, and which clone they belong to.

use crate::paths;
use crate::system::files;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The folder with cargo's settings for cells, in `.nchw/kernel`.
const SETTINGS: &str = ".cargo";

/// Where a clone's kernels have their working folders; `home` is its `.nchw/kernel`.
///
/// evcxr tells the process that runs the cells the path of the next cell, and that path ends at the
/// first space. A clone with a space in its path has its working folders in the cache of all clones.
///
/// # Errors
/// If the path of this cache contains a space, too.
pub fn folder(home: &Path) -> Result<PathBuf> {
    let has_space = |path: &Path| path.to_string_lossy().contains(char::is_whitespace);
    if !has_space(home) {
        return Ok(home.join("slots"));
    }
    let cache = paths::cache().ok().filter(|cache| !has_space(cache)).with_context(|| {
        format!(
            "the kernel needs a folder without a space in its path, unlike {}: set NCHW_CACHE to one",
            home.display()
        )
    })?;
    // A hash that does not change with the version of Rust, so that the folder is found again.
    let hash = format!("{:x}", Sha256::digest(home.as_os_str().as_bytes()));
    Ok(cache.join(format!("slots-{}", &hash[..16])))
}

/// Makes this folder, if it does not exist. In the cache, a file in it names its clone, and a link leads to the clone's
/// settings for cargo, which looks for them in every folder above a cell.
pub fn make_folder(home: &Path) -> Result<PathBuf> {
    let slots = folder(home)?;
    fs::create_dir_all(&slots).with_context(|| format!("could not make {}", slots.display()))?;
    if !slots.starts_with(home) {
        mark(&slots, home)?;
    }
    Ok(slots)
}

fn mark(slots: &Path, home: &Path) -> Result<()> {
    fs::write(slots.join("of"), home.as_os_str().as_bytes())?;
    files::link(&home.join(SETTINGS), &slots.join(SETTINGS))
}

/// The clone that working folders in the cache belong to: its `.nchw/kernel`. None if it is unknown.
pub fn owner(slots: &Path) -> Option<PathBuf> {
    let home = fs::read(slots.join("of")).ok()?;
    Some(OsString::from_vec(home).into())
}

/// The first working folder that no other kernel uses, and the lock on it.
///
/// The lock is on an open file that evcxr inherits. It is released when evcxr and the process that
/// runs the cells have ended, even if they were killed.
pub fn take_free(slots: &Path) -> Result<(PathBuf, File)> {
    for number in 0..64 {
        let slot = slots.join(number.to_string());
        fs::create_dir_all(&slot).with_context(|| format!("could not make {}", slot.display()))?;
        if let Some(lock) = files::lock(&slot.join("lock"))? {
            return Ok((slot, lock));
        }
    }
    bail!("64 kernels are running already: shut some down (in JupyterLab: Kernel, Shut Down All Kernels)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_folders_have_no_space_in_their_path() {
        let plain = Path::new("/course/.nchw/kernel");
        assert_eq!(folder(plain).unwrap(), plain.join("slots"));
        match (folder(Path::new("/my course/.nchw/kernel")), folder(Path::new("/합성 곱/.nchw/kernel"))) {
            (Ok(one), Ok(two)) => {
                // The first eight bytes of the path's SHA-256, as `sha256sum` prints it.
                assert!(one.ends_with("slots-e86832feff697a4c"), "{}", one.display());
                assert!(two.ends_with("slots-38341a565b04ad8d"), "{}", two.display());
            }
            // The home folder of this machine contains a space, too.
            (error, _) => {
                assert!(format!("{:#}", error.unwrap_err()).contains("set NCHW_CACHE"), "says what to do")
            }
        }
    }

    #[test]
    fn cargo_finds_the_settings_for_cells_above_every_working_folder() {
        let temp = tempfile::tempdir().unwrap();
        let (home, slots) = (temp.path().join("my course/.nchw/kernel"), temp.path().join("slots-1"));
        fs::create_dir_all(home.join(SETTINGS)).unwrap();
        fs::create_dir(&slots).unwrap();
        fs::write(home.join(".cargo/config.toml"), "[target]").unwrap();
        for _ in 0..2 {
            mark(&slots, &home).unwrap();
            assert_eq!(fs::read_to_string(slots.join(".cargo/config.toml")).unwrap(), "[target]");
        }
        assert_eq!(owner(&slots), Some(home));
    }

    #[test]
    fn two_kernels_get_two_folders_and_a_free_one_is_used_again() {
        let temp = tempfile::tempdir().unwrap();
        let slots = temp.path();
        let (first, lock) = take_free(slots).unwrap();
        assert_eq!(first, slots.join("0"));
        assert_eq!(take_free(slots).unwrap().0, slots.join("1"));
        drop(lock);
        assert!(files::soon(|| take_free(slots).unwrap().0 == first), "the lock is released");
    }
}
