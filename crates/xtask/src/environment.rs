//! Python environments: `.venv`, from which JupyterLab runs, and one for each purpose that needs others.

use crate::{files, inputs, paths, run, tools::Tools, watch};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Raised when `.venv` has to be made anew because of how it is made.
pub const RECIPE: &str = "recipe 1";

/// What is in `.venv` when it is whole; half of it may have been deleted, by
/// hand or by a tool that tidies up.
pub fn parts(conda: bool, version: &str) -> Vec<PathBuf> {
    let mut parts = vec![paths::venv("python")];
    if !conda {
        let minor: Vec<&str> = version.split('.').take(2).collect();
        let packages = paths::root().join(format!(".venv/lib/python{}/site-packages", minor.join(".")));
        parts.extend(
            ["jupyterlab", "jupyter_server", "nbclient", "jupytext"]
                .map(|name| packages.join(name).join("__init__.py")),
        );
    }
    parts
}

/// Makes `.venv`; with conda, one that sees the packages of the conda environment.
pub fn make(tools: &Tools, conda: bool) -> Result<()> {
    let folder = paths::root().join(".venv");
    // Earlier set-ups left the kernel there, and no mark.
    files::remove(&folder, &["share/jupyter/kernels/nchw"])?;
    let options: &[&str] = if conda { &["--system-site-packages"] } else { &[] };
    create(&tools.python, &folder, options)?;
    if conda {
        return Ok(());
    }
    install(&paths::venv("python"), &paths::root().join("requirements/lab.lock"), "python")
        .context("could not install Python packages")
}

/// The Python of an environment apart from the course's own, made where it is missing or out of date.
pub fn of(name: &str, lock: &str) -> Result<PathBuf> {
    let folder = paths::root().join(name);
    let lock_file = paths::root().join("requirements").join(lock);
    let stamp = inputs::hex(&Sha256::digest(fs::read(&lock_file)?));
    let stamp_file = folder.join("stamp");
    let python = folder.join("bin/python");
    if !fs::read_to_string(&stamp_file).is_ok_and(|s| s == stamp) {
        files::make(&paths::made())?;
        let own = paths::made().join(format!("{}.lock", name.trim_start_matches('.')));
        let Some(_alone) = files::lock(&own)? else {
            bail!("another command is installing {name}: wait until it has ended, then run this again");
        };
        println!("  installing {lock} into {name}");
        // Earlier ones have a stamp, and no mark.
        files::remove(&folder, &["stamp"])?;
        create(Path::new("python3"), &folder, &[])?;
        install(&python, &lock_file, name.trim_start_matches('.'))?;
        files::write(&stamp_file, stamp)?;
    }
    Ok(python)
}

/// Makes a new environment that bears the mark from its first moment.
fn create(python: &Path, folder: &Path, options: &[&str]) -> Result<()> {
    files::make(folder)?;
    run::quiet(Command::new(python).args(["-m", "venv"]).args(options).arg(folder)).map(drop)
}

fn install(python: &Path, lock: &Path, log: &str) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--retries", "2"]);
    pip.args(["--disable-pip-version-check", "--progress-bar", "off", "-r"]);
    watch::watched(pip.arg(lock), log)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_environment_that_the_user_made_is_not_made_anew() {
        let folder = tempfile::Builder::new().prefix(".venv-test-").tempdir_in(paths::root()).unwrap();
        let mine = folder.path().join("notes.txt");
        fs::write(&mine, "mine").unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        let error = of(name, "lint.lock").unwrap_err().to_string();
        assert!(error.contains("set-up did not make it"), "{error}");
        assert_eq!(fs::read_to_string(mine).unwrap(), "mine");
    }
}
