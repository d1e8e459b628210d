//! The tools that must be on the machine before set-up begins. For each missing tool, the error has
//! a line that says what to install.

use crate::paths;
use crate::system::{platform, run};
use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};
use std::{ffi::OsStr, process::Command};

/// The tools that set-up and the kernel use.
#[derive(Default)]
pub struct Tools {
    /// The toolchain's cargo itself, not rustup's proxy, which starts more slowly.
    pub cargo: PathBuf,
    /// The version that `rustc` reports.
    pub rust: String,
    /// The toolchain's folder.
    pub sysroot: PathBuf,
    /// The target triple of this machine.
    pub host: String,
    /// A Python that can make environments.
    pub python: PathBuf,
    /// Its version.
    pub python_version: String,
    /// The C++ compiler.
    pub cxx: PathBuf,
}

impl Tools {
    /// Where this toolchain has Rust's own source.
    pub fn full_source(&self) -> PathBuf {
        full_source(&self.sysroot)
    }

    /// The command that adds Rust's own source to this toolchain, and to no other of rustup's.
    pub fn add_source(&self) -> String {
        let toolchain = rustup_name(&self.sysroot).map(|name| format!(" --toolchain {name}"));
        format!("rustup component add rust-src{}", toolchain.unwrap_or_default())
    }
}

fn full_source(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib/src/rust/library")
}

/// The name that rustup has for a toolchain; None if it is not one of rustup's.
pub fn rustup_name(sysroot: &Path) -> Option<String> {
    let from_rustup = sysroot.parent().is_some_and(|folder| folder.ends_with("toolchains"));
    sysroot.file_name().filter(|_| from_rustup).map(|name| name.to_string_lossy().into_owned())
}

/// Finds all of them. With `wheel`, a Python for which PyTorch has a wheel.
///
/// # Errors
/// If some are missing or too old; the message has a line for each.
pub fn find(wheel: bool) -> Result<Tools> {
    match (find_rust(), find_python(wheel), find_cxx()) {
        (Ok((rust, sysroot, host)), Ok((python, python_version)), Ok(cxx)) => {
            Ok(Tools { cargo: cargo(&sysroot), rust, sysroot, host, python, python_version, cxx })
        }
        (rust, python, cxx) => {
            let errors = [rust.err(), python.err(), cxx.err()].into_iter().flatten();
            let lines: Vec<String> = errors.map(|error| format!("- {error}")).collect();
            bail!("some tools are missing; nothing has been changed yet:\n{}", lines.join("\n"))
        }
    }
}

fn find_rust() -> Result<(String, PathBuf, String)> {
    let rustup = "install Rust from https://rustup.rs, or run `rustup update stable`";
    let verbose = run::quiet(Command::new("rustc").arg("-vV"))
        .with_context(|| format!("Rust's compiler `rustc` was not found: {rustup}"))?;
    let field =
        |name: &str| verbose.lines().find_map(|line| line.strip_prefix(name)).map(|v| v.trim().to_owned());
    let version = field("release:").context("the output of `rustc -vV` has no release")?;
    require_rust(&version)?;
    let host = field("host:").context("the output of `rustc -vV` has no host")?;
    let sysroot = run::quiet(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(sysroot.trim());
    require_source(&sysroot)?;
    Ok((version, sysroot, host))
}

/// Set-up adds a missing source only to a toolchain of rustup's.
fn require_source(sysroot: &Path) -> Result<()> {
    if !full_source(sysroot).is_dir() && rustup_name(sysroot).is_none() {
        bail!(
            "Rust's own source is missing, from which the kernel learns the types of variables; the Rust in {} is not \
             from rustup, so install it from where this Rust came (Debian, Ubuntu: `sudo apt install rust-src`; Fedora: \
             `sudo dnf install rust-src`; Arch: `sudo pacman -S rust-src`; conda: `conda install rust-src`), or install \
             Rust from https://rustup.rs",
            sysroot.display()
        );
    }
    Ok(())
}

/// The toolchain's own cargo; a distribution may have it elsewhere than the compiler.
fn cargo(sysroot: &Path) -> PathBuf {
    let own = sysroot.join("bin/cargo");
    if own.is_file() { own } else { which::which("cargo").unwrap_or(own) }
}

fn require_rust(version: &str) -> Result<()> {
    let (major, minor) = paths::RUST;
    if major_and_minor(version).is_none_or(|found| found < paths::RUST) {
        bail!("Rust {major}.{minor} or newer is needed, this is {version}: run `rustup update stable`");
    }
    Ok(())
}

/// The first Python that works: `python3`, or else another one, the newest first.
fn find_python(wheel: bool) -> Result<(PathBuf, String)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    python_on(&path, &paths::venv().join("bin"), wheel)
}

/// Not one in the folder `own`: set-up replaces `.venv`, so it cannot run from it, and in an activated `.venv` that
/// Python comes first.
fn python_on(path: &OsStr, own: &Path, wheel: bool) -> Result<(PathBuf, String)> {
    let own = own.canonicalize().ok();
    let is_own =
        |python: &PathBuf| own.is_some() && python.parent().and_then(|f| f.canonicalize().ok()) == own;
    let (oldest, newest) = paths::PYTHON;
    let others = (oldest.1..=newest.1).rev().map(|minor| format!("python3.{minor}"));
    let names = std::iter::once("python3".to_owned()).chain(others);
    let found =
        names.filter_map(|name| which::which_in_all(name, Some(path), "/").ok()?.find(|p| !is_own(p)));
    let mut unusable = None;
    for python in found {
        match usable_python(&python, wheel) {
            Ok(version) => return Ok((python, version)),
            // Advice about `python3` comes first.
            Err(error) => unusable = unusable.or(Some(error)),
        }
    }
    Err(unusable.unwrap_or_else(|| {
        anyhow!("Python was not found: install it (Debian, Ubuntu: `sudo apt install python3 python3-venv`)")
    }))
}

/// The version of a Python that can make environments and, with `wheel`, for which PyTorch has one.
fn usable_python(python: &Path, wheel: bool) -> Result<String> {
    let name = python.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version =
        run::quiet(Command::new(python).args(["-c", "import platform; print(platform.python_version())"]))
            .with_context(|| format!("`{name}` does not run"))?;
    let version = version.trim().to_owned();
    let (oldest, newest) = paths::PYTHON;
    let number = major_and_minor(&version);
    if number.is_none_or(|found| found < oldest) {
        bail!("Python 3.{} or newer is needed, `{name}` is {version}: install a newer one", oldest.1);
    }
    if wheel && number.is_some_and(|found| found > newest) {
        bail!(
            "PyTorch {} has no package for Python {version}: install Python 3.{} as well, for example by \
             `uv python install 3.{1}`; set-up finds it on the PATH as `python3.{1}`",
            paths::TORCH,
            newest.1
        );
    }
    if run::quiet(Command::new(python).args(["-c", "import venv, ensurepip"])).is_err() {
        bail!(
            "Python {version} cannot make environments: install its venv package (`sudo apt install {name}-venv`)"
        );
    }
    Ok(version)
}

fn find_cxx() -> Result<PathBuf> {
    let names = std::env::var("CXX").into_iter().chain(["g++", "c++", "clang++"].map(String::from));
    // Without Apple's tools, macOS has programs of these names that only say so.
    let works = |found: &PathBuf| run::quiet(Command::new(found).arg("--version")).is_ok();
    names
        .into_iter()
        .find_map(|name| which::which(name).ok().filter(works))
        .with_context(|| format!("no C++ compiler was found: {}", platform::HERE.cxx_advice()))
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The version of a package in Cargo.lock.
pub fn locked_version(package: &str) -> Result<String> {
    let mut cargo = Command::new("cargo");
    let id = run::quiet(cargo.args(["pkgid", "--locked", "--offline", package]).current_dir(paths::root()))?;
    // registry+https://github.com/rust-lang/crates.io-index#tch@0.24.0
    let (_, version) = id.trim().rsplit_once('@').with_context(|| format!("{id} has no version"))?;
    Ok(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_rust_is_refused_with_the_command_that_updates_it() {
        assert!(require_rust("1.95.0").is_ok());
        assert!(require_rust("1.89.0-beta.2").is_ok());
        let error = require_rust("1.74.1").unwrap_err().to_string();
        assert!(
            error.contains("1.89") && error.contains("1.74.1") && error.contains("rustup update"),
            "{error}"
        );
    }

    #[test]
    fn a_rust_without_its_source_is_refused_unless_rustup_can_add_it() {
        let temp = tempfile::tempdir().unwrap();
        let (system, rustup) = (temp.path().join("usr"), temp.path().join("toolchains/stable-of-this-test"));
        assert!(require_source(&rustup).is_ok());
        let error = require_source(&system).unwrap_err().to_string();
        assert!(error.contains("apt install rust-src") && error.contains("https://rustup.rs"), "{error}");
        std::fs::create_dir_all(full_source(&system)).unwrap();
        assert!(require_source(&system).is_ok());
        assert_eq!(rustup_name(&rustup).as_deref(), Some("stable-of-this-test"));
        assert_eq!(rustup_name(&system), None);
    }

    /// A Python of this version in a folder; `venv` is what it does when it is asked for environments.
    fn python(folder: &Path, name: &str, version: &str, venv: &str) -> PathBuf {
        let script = format!("#!/bin/sh\ncase \"$2\" in *ensurepip*) {venv};; *) echo {version};; esac\n");
        crate::system::files::write_program(&folder.join(name), script).unwrap();
        folder.join(name)
    }

    #[test]
    fn set_up_does_not_run_the_python_that_it_replaces() {
        let temp = tempfile::tempdir().unwrap();
        let [own, system] = ["course/.venv/bin", "usr/bin"].map(|name| temp.path().join(name));
        for folder in [&own, &system] {
            python(folder, "python3", "3.12.1", "true");
        }
        let spelled = temp.path().join("course/../course/.venv/bin");
        let path = std::env::join_paths([&spelled, &own, &system]).unwrap();
        assert_eq!(python_on(&path, &own, true).unwrap().0, system.join("python3"));
        assert!(
            python_on(own.as_os_str(), &own, true).unwrap_err().to_string().contains("Python was not found")
        );
        assert_eq!(
            python_on(own.as_os_str(), &temp.path().join("another"), true).unwrap().0,
            own.join("python3")
        );
    }

    #[test]
    fn a_python_for_which_pytorch_has_no_package_makes_room_for_another_one() {
        let temp = tempfile::tempdir().unwrap();
        let (bin, own) = (temp.path().join("bin"), temp.path().join("own"));
        let found = || python_on(bin.as_os_str(), &own, true).map_err(|error| error.to_string());
        python(&bin, "python3", "3.15.0", "true");
        let error = found().unwrap_err();
        assert!(error.contains("PyTorch 2.11.0 has no package for Python 3.15.0"), "{error}");
        assert!(error.contains("uv python install 3.14") && error.contains("`python3.14`"), "{error}");
        assert_eq!(
            python_on(bin.as_os_str(), &own, false).unwrap().1,
            "3.15.0",
            "with the user's own libtorch"
        );
        python(&bin, "python3.11", "3.11.9", "true");
        python(&bin, "python3.13", "3.13.2", "false");
        assert_eq!(found().unwrap(), (bin.join("python3.11"), "3.11.9".into()), "3.13 makes no environments");
        python(&bin, "python3.13", "3.13.2", "true");
        assert_eq!(found().unwrap().1, "3.13.2", "the newest");
        python(&bin, "python3", "3.10.4", "true");
        assert_eq!(found().unwrap().1, "3.10.4", "the default first");
        python(&bin, "python3", "3.9.2", "true");
        assert_eq!(found().unwrap().1, "3.13.2");
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(major_and_minor("3.9.2").unwrap() < (3, 10));
        assert!(major_and_minor("3.13.0").unwrap() > (3, 10));
        assert_eq!(major_and_minor("garbage"), None);
    }

    #[test]
    fn cargo_knows_the_versions_in_its_lock_file() {
        assert!(locked_version("torch-sys").unwrap().starts_with("0."));
        assert!(locked_version("no-such-package").is_err());
    }
}
