//! The build folder of a kernel: a copy of the one that set-up compiled.
//!
//! Cargo gives the library of every cell the same name, `libctx.so`. If two kernels used the same
//! folder, one would sometimes run a cell of the other.

use crate::{kernel::fresh, system::files};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

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
        // What the compiler stores for the next cell is of no use to another kernel.
        let wanted = |path: &Path| path.file_name().is_none_or(|name| name != "incremental");
        files::copy(&original, &build, wanted)
            .with_context(|| format!("could not copy {}", original.display()))?;
    }
    fs::write(stamp, compiled)?;
    Ok(build)
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
