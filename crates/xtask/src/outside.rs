//! What set-up and the checks change outside of the course's folder: said before it happens, and by `doctor`.

use crate::{kernel, paths, slots, tools::Tools};
use anyhow::Result;
use std::{
    env,
    path::{Path, PathBuf},
};

/// A folder outside of the course's, and what a step of set-up puts there.
pub struct Place {
    /// The step of set-up.
    pub step: &'static str,
    pub folder: PathBuf,
    pub what: String,
}

/// Every place outside of the course's folder that set-up may write to.
pub fn places(tools: &Tools) -> Result<Vec<Place>> {
    let place = |step, folder, what: &str| Place { step, folder, what: what.to_owned() };
    let mut all = vec![place(
        "packages",
        kernel::cargo_home()?.join("registry"),
        "Rust packages, in cargo's own cache",
    )];
    if let Some(cache) = pip_cache() {
        all.push(place("python", cache.clone(), "Python packages, in pip's own cache"));
        all.push(place("libtorch", cache, "PyTorch's packages, in pip's own cache"));
    }
    if !full_source(&tools.sysroot).is_dir() {
        let what = format!(
            "the component rust-src, which `{}` adds (4 MB to download, 55 MB on disk)",
            add_source(tools)
        );
        all.push(Place { step: "rust-source", folder: tools.sysroot.clone(), what });
    }
    all.push(place("evcxr", paths::cache()?, "evcxr for all clones (20 MB; 600 MB while it is compiled)"));
    if let Some(slots) =
        slots::folder(&paths::kernel()).ok().filter(|slots| !slots.starts_with(paths::made()))
    {
        all.push(place("kernel", slots, "the kernels' working folders, whose path must have no space"));
    }
    Ok(all)
}

/// Rust's own source, which rust-analyzer reads.
pub fn full_source(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib/src/rust/library")
}

/// The command that adds Rust's own source to the toolchain in use, and to no other of rustup's.
pub fn add_source(tools: &Tools) -> String {
    let of_rustup = tools.sysroot.parent().is_some_and(|folder| folder.ends_with("toolchains"));
    let name = tools.sysroot.file_name().filter(|_| of_rustup);
    let toolchain = name.map(|name| format!(" --toolchain {}", name.to_string_lossy()));
    format!("rustup component add rust-src{}", toolchain.unwrap_or_default())
}

/// Where pip keeps what it downloads; None when it is told not to.
fn pip_cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if set("PIP_NO_CACHE_DIR").is_some() {
        return None;
    }
    let usual = if cfg!(target_os = "macos") { "Library/Caches/pip" } else { ".cache/pip" };
    set("PIP_CACHE_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("pip")))
        .or_else(|| env::home_dir().map(|home| home.join(usual)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_toolchain_without_its_source_is_named_before_it_is_changed() {
        let temp = tempfile::tempdir().unwrap();
        let sysroot = temp.path().join("toolchains/stable-of-this-test");
        let tools = Tools {
            cargo: sysroot.join("bin/cargo"),
            rust: "1.95.0".into(),
            sysroot: sysroot.clone(),
            host: "a-machine".into(),
            python: "python3".into(),
            python_version: "3.12.0".into(),
            cxx: "c++".into(),
        };
        let of = |tools: &Tools| places(tools).unwrap().into_iter().find(|place| place.step == "rust-source");
        let said = of(&tools).unwrap();
        assert_eq!(said.folder, sysroot);
        for words in ["rustup component add rust-src --toolchain stable-of-this-test", "MB on disk"] {
            assert!(said.what.contains(words), "{}", said.what);
        }
        std::fs::create_dir_all(full_source(&sysroot)).unwrap();
        assert!(of(&tools).is_none(), "nothing is changed where it is there already");
    }
}
