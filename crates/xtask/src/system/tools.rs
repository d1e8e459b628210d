//! The tools that must be on the machine before set-up begins. For each missing tool, the error has
//! a line that says what to install.

use crate::{paths, system::run};
use anyhow::{Context, Result, bail};
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

/// Finds all of them.
///
/// # Errors
/// If some are missing or too old; the message has a line for each.
pub fn find() -> Result<Tools> {
    match (find_rust(), find_python(), find_cxx()) {
        (Ok((rust, sysroot, host)), Ok((python, python_version)), Ok(cxx)) => {
            Ok(Tools { cargo: sysroot.join("bin/cargo"), rust, sysroot, host, python, python_version, cxx })
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
    Ok((version, PathBuf::from(sysroot.trim()), host))
}

fn require_rust(version: &str) -> Result<()> {
    let (major, minor) = paths::RUST;
    if major_and_minor(version).is_none_or(|found| found < paths::RUST) {
        bail!("Rust {major}.{minor} or newer is needed, this is {version}: run `rustup update stable`");
    }
    Ok(())
}

fn find_python() -> Result<(PathBuf, String)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let python = python_on(&path, &paths::venv().join("bin")).context(
        "Python was not found: install it (Debian, Ubuntu: `sudo apt install python3 python3-venv`)",
    )?;
    let version =
        run::quiet(Command::new(&python).args(["-c", "import platform; print(platform.python_version())"]))
            .context("`python3` does not run")?;
    let version = version.trim().to_owned();
    if major_and_minor(&version).is_none_or(|found| found < (3, 10)) {
        bail!("Python 3.10 or newer is needed, `python3` is {version}: install a newer one");
    }
    if run::quiet(Command::new(&python).args(["-c", "import venv, ensurepip"])).is_err() {
        bail!(
            "Python {version} cannot make environments: install its venv package (`sudo apt install python3-venv`)"
        );
    }
    Ok((python, version))
}

/// The first Python on the PATH that is not in the folder `own`. Set-up replaces `.venv`, so it cannot
/// run from it, and in an activated `.venv` that Python comes first.
fn python_on(path: &OsStr, own: &Path) -> Option<PathBuf> {
    let own = own.canonicalize().ok();
    let is_own =
        |python: &PathBuf| own.is_some() && python.parent().and_then(|f| f.canonicalize().ok()) == own;
    which::which_in_all("python3", Some(path), "/").ok()?.find(|python| !is_own(python))
}

fn find_cxx() -> Result<PathBuf> {
    let names = std::env::var("CXX").into_iter().chain(["g++", "c++", "clang++"].map(String::from));
    names
        .into_iter()
        .find_map(|name| which::which(name).ok())
        .context("no C++ compiler was found: install one (Debian, Ubuntu: `sudo apt install g++`)")
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
    fn set_up_does_not_run_the_python_that_it_replaces() {
        let temp = tempfile::tempdir().unwrap();
        let [own, system] = ["course/.venv/bin", "usr/bin"].map(|name| temp.path().join(name));
        for folder in [&own, &system] {
            crate::system::files::write_program(&folder.join("python3"), "").unwrap();
        }
        let spelled = temp.path().join("course/../course/.venv/bin");
        let path = std::env::join_paths([&spelled, &own, &system]).unwrap();
        assert_eq!(python_on(&path, &own), Some(system.join("python3")));
        assert_eq!(python_on(own.as_os_str(), &own), None);
        assert_eq!(python_on(own.as_os_str(), &temp.path().join("another")), Some(own.join("python3")));
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
