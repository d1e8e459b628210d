//! Where everything is, and the versions that belong together.

use anyhow::{Context, Result};
use etcetera::BaseStrategy;
use std::path::PathBuf;
use std::process::Command;
use std::{env, ffi::OsString};

/// The source of the standard library, in the kernel's folder.
pub const STD: &str = "std";
/// The same files, without a line.
pub const EMPTY_STD: &str = "empty-std";
/// The source of the packages that a notebook's types come from, in the kernel's folder.
pub const SOURCES: &str = "sources";
/// The version of PyTorch that tch 0.24.0 is written for.
pub const TORCH: &str = "2.11.0";
/// The version of evcxr that the kernel is written for.
pub const EVCXR: &str = "0.22.0";
/// The oldest and the newest Python for which PyTorch of this version has wheels.
pub const PYTHON: ((u32, u32), (u32, u32)) = ((3, 10), (3, 14));
/// The oldest rustc that compiles everything.
pub const RUST: (u32, u32) = (1, 89);

/// The user's settings for cargo that would compile the course's packages in another way than set-up, for which they
/// would all have to be compiled again.
pub const CARGO_VARIABLES: [&str; 5] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_TARGET",
];

/// What `cargo run` tells a program about its package.
pub const CARGO_RUN_VARIABLES: [&str; 17] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The folder of the course: this clone.
pub fn root() -> PathBuf {
    root_from(variable("CARGO_MANIFEST_DIR"))
}

/// `started_by` is what `cargo run` sets. It comes first: two clones with one CARGO_TARGET_DIR share this program, and
/// the path that it was compiled with can be the other clone's.
fn root_from(started_by: Option<PathBuf>) -> PathBuf {
    let manifest = started_by.filter(|folder| folder.ends_with("crates/xtask") && folder.is_dir());
    let manifest = manifest.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    manifest.ancestors().nth(2).unwrap_or(&manifest).to_path_buf()
}

/// Everything that set-up makes for this clone, except `.venv`.
pub fn dot_nchw() -> PathBuf {
    root().join(".nchw")
}

/// The kernel's files.
pub fn kernel() -> PathBuf {
    dot_nchw().join("kernel")
}

/// Cargo's settings for building with the same libtorch wrapper as the notebooks.
pub fn cargo_config() -> PathBuf {
    dot_nchw().join("libtorch.toml")
}

/// Where cargo compiles the program and the checks.
pub fn target() -> PathBuf {
    dot_nchw().join("target")
}

/// The published notebooks, with outputs.
pub fn notebooks() -> PathBuf {
    root().join("notebooks")
}

/// The learner's own copies of the notebooks.
pub fn my_notebooks() -> PathBuf {
    root().join("my-notebooks")
}

/// The course's Python environment.
pub fn venv() -> PathBuf {
    root().join(".venv")
}

/// A program of the course's Python environment.
pub fn venv_program(name: &str) -> PathBuf {
    venv().join("bin").join(name)
}

/// The Python scripts of the commands.
pub fn scripts() -> PathBuf {
    root().join("crates/xtask/python")
}

/// A file that says what pip or npm installs.
pub fn requirements(name: &str) -> PathBuf {
    root().join("requirements").join(name)
}

/// What all clones of the course share.
pub fn cache() -> Result<PathBuf> {
    variable("NCHW_CACHE")
        .or_else(|| Some(user_cache()?.join("nchw")))
        .context("the home folder is unknown: set NCHW_CACHE to a folder for what set-up downloads")
}

/// The cache folder of the user: `XDG_CACHE_HOME`, or `~/.cache`.
pub fn user_cache() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir())
}

/// Cargo's home of the user.
pub fn cargo_home() -> Result<PathBuf> {
    variable("CARGO_HOME")
        .or_else(|| Some(env::home_dir()?.join(".cargo")))
        .context("the home folder is unknown: set CARGO_HOME")
}

/// The path in an environment variable, unless it is empty.
pub fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The value of a variable with a list of folders, with these folders in front.
pub fn prepend(variable: &str, folders: &[PathBuf]) -> Result<OsString> {
    let before = env::var_os(variable).unwrap_or_default();
    let all = folders.iter().cloned().chain(env::split_paths(&before).filter(|p| !p.as_os_str().is_empty()));
    Ok(env::join_paths(all)?)
}

/// Makes cargo compile as it does in every shell: without the user's own flags, and without what `cargo run` has told
/// this program about itself. Some packages, such as ring, are compiled again when that changes.
pub fn as_in_any_shell(cargo: &mut Command) -> &mut Command {
    for name in CARGO_VARIABLES.iter().chain(&CARGO_RUN_VARIABLES) {
        cargo.env_remove(name);
    }
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_not_told_which_program_called_it() {
        assert!(env::var_os("CARGO_PKG_NAME").is_some(), "cargo also runs this test");
        let told = crate::system::run::quiet(as_in_any_shell(&mut Command::new("env"))).unwrap();
        assert!(!told.contains("\nCARGO_PKG_") && !told.contains("\nCARGO_MANIFEST_"), "{told}");
        assert!(told.contains("\nPATH="), "{told}");
    }

    #[test]
    fn a_program_that_another_clone_compiled_works_on_this_clone() {
        let temp = tempfile::tempdir().unwrap();
        let this = temp.path().join("crates/xtask");
        std::fs::create_dir_all(&this).unwrap();
        assert_eq!(root_from(Some(this)), temp.path());
        // Other programs that cargo runs have other folders.
        let compiled = root_from(None);
        assert!(compiled.join("crates/xtask/Cargo.toml").is_file());
        assert_eq!(root_from(Some(temp.path().join("crates/nchw"))), compiled);
    }
}
