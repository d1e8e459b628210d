//! Programs from crates.io that are compiled once, for all clones of the course.

use crate::paths;
use crate::system::{files, progress};
use anyhow::Result;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program from crates.io; its folder in the cache is `PREFIX-VERSION`.
pub struct Program {
    pub package: &'static str,
    pub version: &'static str,
    pub prefix: &'static str,
    /// Environment variables for the compilation.
    pub variables: &'static [(&'static str, &'static str)],
}

impl Program {
    /// The program, compiled now if it is not in the cache yet.
    pub fn provide(&self, cargo: &Path) -> Result<PathBuf> {
        let home = paths::cache()?.join(format!("{}-{}", self.prefix, self.version));
        let program = home.join("bin").join(self.package);
        let exists = || program.is_file() && version(&program, self.package).as_deref() == Some(self.version);
        if exists() {
            return Ok(program);
        }
        files::make(&home)?;
        // Two clones that install it at the same time would compile in the same folder.
        let lock = File::create(home.join("lock"))?;
        if lock.try_lock().is_err() {
            println!("      another clone is installing {}: waiting for it", self.package);
            lock.lock()?;
        }
        if !exists() {
            self.install(cargo, &home)?;
        }
        Ok(program)
    }

    fn install(&self, cargo: &Path, home: &Path) -> Result<()> {
        // A build folder that stays, so that an interrupted compilation can resume.
        let build = home.join("build");
        let mut cargo = Command::new(cargo);
        cargo.args(["install", "--locked", self.package, "--version", self.version, "--force", "--root"]);
        cargo.arg(home).env("CARGO_TARGET_DIR", &build).current_dir(home);
        for variable in ["RUSTFLAGS", "LIBTORCH", "CARGO_BUILD_BUILD_DIR"] {
            cargo.env_remove(variable);
        }
        progress::run_logged(cargo.envs(self.variables.iter().copied()), self.prefix)?;
        let _ = fs::remove_dir_all(build);
        Ok(())
    }
}

/// The version of an installed program, as cargo or conda recorded it when they installed it.
///
/// The program itself is not asked: evcxr has no option for it.
pub fn version(program: &Path, package: &str) -> Option<String> {
    let home = program.canonicalize().ok()?.ancestors().nth(2)?.to_path_buf();
    let cargo = || {
        let record: Value = serde_json::from_slice(&fs::read(home.join(".crates2.json")).ok()?).ok()?;
        // "evcxr_jupyter 0.22.0 (registry+https://…)"
        let mut installed = record["installs"].as_object()?.keys().map(|id| id.split(' '));
        installed
            .find_map(|mut id| if id.next() == Some(package) { id.next().map(str::to_owned) } else { None })
    };
    // conda's package evcxr contains evcxr_jupyter: evcxr-0.22.0-BUILD.json
    let conda = || {
        let prefix = format!("{}-", package.trim_end_matches("_jupyter"));
        let records = fs::read_dir(home.join("conda-meta")).ok()?.flatten();
        let mut names = records.map(|record| record.file_name().to_string_lossy().into_owned());
        names.find_map(|name| name.strip_prefix(&prefix)?.split('-').next().map(str::to_owned))
    };
    cargo().or_else(conda)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_cargo_or_conda_recorded() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path();
        let program = home.join("bin/evcxr_jupyter");
        let version = || version(&program, "evcxr_jupyter");
        fs::create_dir_all(home.join("bin")).unwrap();
        fs::create_dir_all(home.join("conda-meta")).unwrap();
        fs::write(&program, "").unwrap();
        assert_eq!(version(), None, "no record");
        fs::write(home.join("conda-meta/evcxr-0.20.0-h1234_0.json"), "").unwrap();
        assert_eq!(version().as_deref(), Some("0.20.0"));
        let record =
            r#"{"installs": {"evcxr 0.17.0 (registry)": {}, "evcxr_jupyter 0.22.0 (registry)": {}}}"#;
        fs::write(home.join(".crates2.json"), record).unwrap();
        assert_eq!(version().as_deref(), Some("0.22.0"));
    }
}
