//! Python environments: `.venv`, in which JupyterLab runs, and others for single purposes.

use crate::paths;
use crate::system::{files, platform, progress, run};
use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, process::Command};

/// The Python of an environment for a single purpose, which is made again if its lock file changes.
pub fn python_of(name: &str, lock: &str) -> Result<PathBuf> {
    let folder = paths::root().join(name);
    let lock_file = paths::requirements(lock);
    let stamp = format!("{:x}", Sha256::digest(fs::read(&lock_file)?));
    let stamp_file = folder.join("stamp");
    let python = folder.join("bin/python");
    if !fs::read_to_string(&stamp_file).is_ok_and(|s| s == stamp) {
        files::make(&paths::dot_nchw())?;
        let log = name.trim_start_matches('.');
        let Some(_lock) = files::lock(&paths::dot_nchw().join(log).with_extension("lock"))? else {
            bail!("another command is installing {name}: wait until it has ended, then run this again");
        };
        println!("  installing {lock} into {name}");
        // Environments of earlier versions contain the stamp, but not the mark.
        files::remove(&folder, &["stamp"])?;
        create(Path::new("python3"), &folder, &[])?;
        install(&python, &lock_file, &["--retries", "2"], log)?;
        files::write(&stamp_file, stamp)?;
    }
    Ok(python)
}

/// Installs the packages of package-lock.json into an environment, which must exist, and returns their folder.
pub fn node_modules(name: &str) -> Result<PathBuf> {
    let environment = paths::root().join(name);
    let stamp = fs::read(paths::requirements("package-lock.json"))?;
    let stamp_file = environment.join("npm-stamp");
    let folder = environment.join("node_modules");
    if !(folder.is_dir() && fs::read(&stamp_file).is_ok_and(|s| s == stamp)) {
        println!("  installing package-lock.json into {name}");
        for file in ["package.json", "package-lock.json"] {
            files::write(&environment.join(file), fs::read(paths::requirements(file))?)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&environment);
        // Otherwise npm leaves its downloads and logs in the user's home folder.
        npm.env("npm_config_cache", environment.join("npm-cache"));
        run::quiet(&mut npm)?;
        files::write(&stamp_file, stamp)?;
    }
    Ok(folder)
}

/// Makes an empty environment. It contains the mark from the beginning.
pub fn create(python: &Path, folder: &Path, options: &[&str]) -> Result<()> {
    files::make(folder)?;
    run::quiet(python_alone(python).args(["-m", "venv"]).args(options).arg(folder)).map(drop)
}

/// Installs the packages of a lock file.
pub fn install(python: &Path, lock: &Path, options: &[&str], log: &str) -> Result<()> {
    let mut pip = python_alone(python);
    pip.args(["-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]);
    pip.args(["--disable-pip-version-check", "--progress-bar", "off"]).args(options);
    progress::run_logged(pip.arg("-r").arg(lock), log)
}

/// A Python without those of the user's settings that would put packages elsewhere than into the environment, or make pip
/// believe that it contains them already.
///
/// All others stay: an index in the company's network, a proxy, certificates. Older versions of pip don't know the
/// variable for certificates that cargo and Python know.
fn python_alone(python: &Path) -> Command {
    let mut command = Command::new(python);
    for name in ["PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"] {
        command.env_remove(name);
    }
    // Also instead of one in pip's configuration.
    command.env("PIP_USER", "0");
    let known = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].iter().any(|name| paths::variable(name).is_some());
    if let Some(certificates) = paths::variable("SSL_CERT_FILE").filter(|_| !known) {
        command.env("REQUESTS_CA_BUNDLE", certificates);
    }
    command
}

/// Where pip keeps its downloads; None if the user switched that off.
pub fn pip_cache() -> Option<PathBuf> {
    match paths::variable("PIP_NO_CACHE_DIR") {
        Some(_) => None,
        None => paths::variable("PIP_CACHE_DIR")
            .or_else(|| platform::HERE.pip_cache(std::env::home_dir().as_deref(), paths::user_cache())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_that_the_user_made_is_not_replaced() {
        let folder = tempfile::Builder::new().prefix(".venv-test-").tempdir_in(paths::root()).unwrap();
        let mine = folder.path().join("notes.txt");
        fs::write(&mine, "mine").unwrap();
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        let error = python_of(name, "lint.lock").unwrap_err().to_string();
        assert!(error.contains("set-up did not make it"), "{error}");
        assert_eq!(fs::read_to_string(mine).unwrap(), "mine");
        let lock = name.trim_start_matches('.').to_owned() + ".lock";
        fs::remove_file(paths::dot_nchw().join(lock)).unwrap();
    }
}
