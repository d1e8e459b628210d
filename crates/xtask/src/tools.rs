//! What must be on the machine before set-up begins: found, or one line each
//! that says what to install.

use crate::{paths, run};
use anyhow::{Context, Result, bail};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

/// The tools that set-up and the kernel use.
pub struct Tools {
    /// The toolchain's own cargo, not rustup's stand-in: it starts faster.
    pub cargo: PathBuf,
    /// As `rustc --version` says it.
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

/// Finds all of them, or says about each that is missing what to do.
pub fn find() -> Result<Tools> {
    let mut missing = Vec::new();
    let mut keep = |found: Result<()>| {
        if let Err(error) = found {
            missing.push(format!("- {error}"));
        }
    };
    let (rust, python, cxx) = (find_rust(), find_python(), find_cxx());
    keep(rust.as_ref().map(drop).map_err(|e| anyhow::anyhow!("{e}")));
    keep(python.as_ref().map(drop).map_err(|e| anyhow::anyhow!("{e}")));
    keep(cxx.as_ref().map(drop).map_err(|e| anyhow::anyhow!("{e}")));
    if !missing.is_empty() {
        bail!("something is missing; nothing has been changed yet:\n{}", missing.join("\n"));
    }
    let ((rust, sysroot, host), (python, python_version), cxx) = (rust?, python?, cxx?);
    Ok(Tools { cargo: sysroot.join("bin/cargo"), rust, sysroot, host, python, python_version, cxx })
}

fn find_rust() -> Result<(String, PathBuf, String)> {
    let rustup = "install Rust from https://rustup.rs, or `rustup update stable`";
    let verbose = run::quiet(Command::new("rustc").arg("-vV"))
        .with_context(|| format!("Rust's compiler `rustc` was not found: {rustup}"))?;
    let field =
        |name: &str| verbose.lines().find_map(|line| line.strip_prefix(name)).map(|v| v.trim().to_owned());
    let version = field("release:").context("`rustc -vV` names no release")?;
    require_rust(&version)?;
    let host = field("host:").context("`rustc -vV` names no host")?;
    let sysroot = run::quiet(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok((version, PathBuf::from(sysroot.trim()), host))
}

fn require_rust(version: &str) -> Result<()> {
    let (major, minor) = paths::RUST;
    if number_pair(version).is_none_or(|found| found < paths::RUST) {
        bail!("Rust {major}.{minor} or newer is needed, this is {version}: `rustup update stable`");
    }
    Ok(())
}

fn find_python() -> Result<(PathBuf, String)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let python = python_on(&path, &paths::root().join(".venv/bin")).context(
        "Python was not found: install it (Debian, Ubuntu: `sudo apt install python3 python3-venv`)",
    )?;
    let version =
        run::quiet(Command::new(&python).args(["-c", "import platform; print(platform.python_version())"]))
            .context("`python3` does not run")?;
    let version = version.trim().to_owned();
    if number_pair(&version).is_none_or(|found| found < (3, 10)) {
        bail!("Python 3.10 or newer is needed, `python3` is {version}: install a newer one");
    }
    if run::quiet(Command::new(&python).args(["-c", "import venv, ensurepip"])).is_err() {
        bail!(
            "Python {version} cannot make environments: install its venv package (`sudo apt install python3-venv`)"
        );
    }
    Ok((python, version))
}

/// The first Python on the PATH that is not in `own`: set-up makes `.venv` anew and cannot run from
/// it, and it comes first where the learner has activated it.
fn python_on(path: &OsStr, own: &Path) -> Option<PathBuf> {
    let own = own.canonicalize().ok();
    let folders =
        std::env::split_paths(path).filter(|folder| own.is_none() || folder.canonicalize().ok() != own);
    folders.map(|folder| folder.join("python3")).find(|python| python.is_file())
}

fn find_cxx() -> Result<PathBuf> {
    let names = std::env::var("CXX").into_iter().chain(["g++", "c++", "clang++"].map(String::from));
    names
        .filter_map(run::which)
        .next()
        .context("no C++ compiler was found: install one (Debian, Ubuntu: `sudo apt install g++`)")
}

fn number_pair(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|n| n.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Whether something can be written into a folder.
pub fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Free space where the course lives, in GB.
pub fn free_gb() -> Result<f64> {
    let disk = rustix::fs::statvfs(paths::root())?;
    Ok((disk.f_bavail * disk.f_frsize) as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_old_rust_is_refused_with_the_command_that_mends_it() {
        assert!(require_rust("1.95.0").is_ok());
        assert!(require_rust("1.89.0-beta.2").is_ok());
        let error = require_rust("1.74.1").unwrap_err().to_string();
        assert!(
            error.contains("1.89") && error.contains("1.74.1") && error.contains("rustup update"),
            "{error}"
        );
    }

    #[test]
    fn the_python_that_set_up_makes_anew_is_not_the_one_it_runs() {
        let temp = tempfile::tempdir().unwrap();
        let [own, system] = ["course/.venv/bin", "usr/bin"].map(|name| temp.path().join(name));
        for folder in [&own, &system] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join("python3"), "").unwrap();
        }
        let spelled = temp.path().join("course/../course/.venv/bin");
        let path = std::env::join_paths([&spelled, &own, &system]).unwrap();
        assert_eq!(python_on(&path, &own), Some(system.join("python3")));
        assert_eq!(python_on(own.as_os_str(), &own), None);
        assert_eq!(python_on(own.as_os_str(), &temp.path().join("another")), Some(own.join("python3")));
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(number_pair("3.9.2").unwrap() < (3, 10));
        assert!(number_pair("3.13.0").unwrap() > (3, 10));
        assert_eq!(number_pair("garbage"), None);
    }
}
