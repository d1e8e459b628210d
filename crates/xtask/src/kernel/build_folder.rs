//! The build folder of a kernel: a copy of the one that set-up compiled.
//!
//! Cargo gives the library of every cell the same name, `libctx.so`. If two kernels used the same
//! folder, one would sometimes run a cell of the other.

use crate::kernel::fresh;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The build folder in a working folder, copied from `home` again if set-up has compiled since.
pub fn of_slot(home: &Path, slot: &Path) -> Result<PathBuf> {
    let (build, stamp) = (slot.join("build"), slot.join("build-of"));
    let compiled = fs::metadata(fresh::built_stamp(home)).and_then(|m| m.modified());
    let compiled = compiled.map_or_else(|_| "never".into(), |time| format!("{time:?}"));
    // If the crate was edited, a cell has compiled it again, and its library has another size.
    let complete = !fresh::is_fresh(home) || fresh::library_size(&build) == fresh::built_size(home);
    if complete && fs::read_to_string(&stamp).is_ok_and(|of| of == compiled) {
        return Ok(build);
    }
    if build.exists() {
        fs::remove_dir_all(&build)?;
    }
    let original = home.join("build");
    if original.is_dir() {
        copy(&original, &build).with_context(|| format!("could not copy {}", original.display()))?;
    }
    fs::write(stamp, compiled)?;
    Ok(build)
}

/// Large files become hard links, which take no time and no space: compilers replace such a file and do
/// not write into it. Cargo does write into small files. These are copied, with their times, from
/// which cargo knows what is up to date.
fn copy(from: &Path, to: &Path) -> Result<()> {
    // What the compiler stores for the next cell is of no use to another kernel.
    let entries = WalkDir::new(from).into_iter().filter_entry(|entry| entry.file_name() != "incremental");
    for entry in entries {
        let entry = entry?;
        let (path, metadata) = (to.join(entry.path().strip_prefix(from)?), entry.metadata()?);
        if metadata.is_dir() {
            fs::create_dir_all(path)?;
        } else if metadata.len() < 65_536 || fs::hard_link(entry.path(), &path).is_err() {
            fs::copy(entry.path(), &path)?;
            File::options().write(true).open(&path)?.set_modified(metadata.modified()?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};

    #[test]
    fn every_kernel_has_its_own_copy_with_the_same_times() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path();
        let (deps, slot) = (home.join("build/debug/deps"), home.join("slots/3"));
        fs::create_dir_all(&deps).unwrap();
        fs::create_dir_all(&slot).unwrap();
        fs::write(deps.join("small.d"), "small").unwrap();
        fs::write(deps.join("large.so"), vec![7; 100_000]).unwrap();
        fs::write(home.join("built"), "").unwrap();
        let time = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        let build = of_slot(home, &slot).unwrap();
        for name in ["small.d", "large.so"] {
            assert_eq!(time(deps.join(name)), time(build.join("debug/deps").join(name)), "{name}");
        }
        fs::write(build.join("debug/deps/small.d"), "mine").unwrap();
        assert_eq!(fs::read_to_string(deps.join("small.d")).unwrap(), "small", "the original is unchanged");
        of_slot(home, &slot).unwrap();
        assert_eq!(fs::read_to_string(build.join("debug/deps/small.d")).unwrap(), "mine", "not copied again");
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(home.join("built"), "").unwrap();
        of_slot(home, &slot).unwrap();
        assert_eq!(fs::read_to_string(build.join("debug/deps/small.d")).unwrap(), "small", "copied again");

        let library = format!("a-machine/debug/deps/{DLL_PREFIX}nchw{DLL_SUFFIX}");
        fs::create_dir_all(home.join("build").join(&library).parent().unwrap()).unwrap();
        fs::write(home.join("build").join(&library), "library").unwrap();
        fs::write(home.join("built"), "7").unwrap();
        of_slot(home, &slot).unwrap();
        fs::write(build.join(&library), "").unwrap();
        of_slot(home, &slot).unwrap();
        assert_eq!(
            fs::read_to_string(build.join(&library)).unwrap(),
            "library",
            "was truncated, copied again"
        );
    }
}
