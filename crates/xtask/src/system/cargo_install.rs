//! Programs from crates.io that are compiled once, for all clones of the course.

use crate::paths;
use crate::system::progress::{self, Running};
use crate::system::{files, run};
use anyhow::Result;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program from crates.io; its folder in the cache is `PREFIX-VERSION`.
pub struct Program {
    pub package: &'static str,
    pub version: &'static str,
    pub prefix: &'static str,
    /// How it is compiled: the profile `release` and those of packages, as in `--config`.
    pub profile: Vec<String>,
}

impl Program {
    /// The program, installed now if it is not in the cache yet.
    pub fn provide(&self, cargo: &Path) -> Result<PathBuf> {
        let home = self.home()?;
        loop {
            if let Some(compilation) = self.begin(cargo)? {
                compilation.finish()?;
                return Ok(self.program(&home));
            }
            if self.is_in(&home) {
                return Ok(self.program(&home));
            }
            println!("      another clone is installing {}: waiting for it", self.package);
            File::create(home.join("lock"))?.lock()?;
        }
    }

    /// Whether it is in the cache.
    pub fn exists(&self) -> Result<bool> {
        Ok(self.is_in(&self.home()?))
    }

    /// Begins to compile it; None if it is there, or if another clone is installing it.
    pub fn begin(&self, cargo: &Path) -> Result<Option<Compilation>> {
        self.begin_in(&self.home()?, cargo, which::which("cargo-binstall").ok())
    }

    fn begin_in(&self, home: &Path, cargo: &Path, binstall: Option<PathBuf>) -> Result<Option<Compilation>> {
        if self.is_in(home) {
            return Ok(None);
        }
        files::make(home)?;
        let Some(lock) = files::lock(&home.join("lock"))? else { return Ok(None) };
        // The other clone may have completed it just now.
        if self.is_in(home) {
            return Ok(None);
        }
        if let Some(binstall) = binstall {
            println!("      cargo-binstall is installed: it looks for an official binary");
            let downloaded = progress::run_logged(&mut self.download(&binstall, home), self.prefix);
            // It may need a newer C library than this machine has.
            let starts = || run::quiet(Command::new(self.program(home)).arg("--help")).is_ok();
            if downloaded.is_ok() && self.is_in(home) && starts() {
                return Ok(None);
            }
            let _ = fs::remove_file(self.program(home));
            println!("      there is none that works here: compiling it");
        }
        let (mut install, build) = self.compile(cargo, home);
        Ok(Some(Compilation { running: Running::start(&mut install, self.prefix)?, build, _lock: lock }))
    }

    /// Only binaries of the program's own authors.
    fn download(&self, binstall: &Path, home: &Path) -> Command {
        let mut binstall = Command::new(binstall);
        binstall.args([
            "--no-confirm",
            "--force",
            "--strategies",
            "crate-meta-data",
            "--version",
            self.version,
        ]);
        binstall.arg("--root").arg(home).arg(self.package);
        binstall
    }

    /// The command, and a build folder that stays, so that an interrupted compilation can resume.
    fn compile(&self, cargo: &Path, home: &Path) -> (Command, PathBuf) {
        let build = home.join("build");
        let mut cargo = Command::new(cargo);
        cargo.args(["install", "--locked", self.package, "--version", self.version, "--force", "--root"]);
        cargo.arg(home).env("CARGO_TARGET_DIR", &build).current_dir(home);
        cargo.args(self.profile.iter().flat_map(|setting| ["--config", setting]));
        paths::as_in_any_shell(&mut cargo).env_remove("LIBTORCH");
        (cargo, build)
    }

    fn home(&self) -> Result<PathBuf> {
        Ok(paths::cache()?.join(format!("{}-{}", self.prefix, self.version)))
    }

    fn program(&self, home: &Path) -> PathBuf {
        home.join("bin").join(self.package)
    }

    fn is_in(&self, home: &Path) -> bool {
        let program = self.program(home);
        program.is_file() && version(&program, self.package).as_deref() == Some(self.version)
    }
}

/// A program that is being compiled.
pub struct Compilation {
    running: Running,
    build: PathBuf,
    /// Two clones that install the same program at the same time would compile in the same folder.
    _lock: File,
}

impl Compilation {
    /// Waits for it and shows the progress.
    pub fn finish(self) -> Result<()> {
        self.running.finish()?;
        let _ = fs::remove_dir_all(self.build);
        Ok(())
    }
}

/// The version of an installed program, as cargo, cargo-binstall or conda recorded it when they installed it.
///
/// The program itself is not asked: evcxr has no option for it.
pub fn version(program: &Path, package: &str) -> Option<String> {
    let home = program.canonicalize().ok()?.ancestors().nth(2)?.to_path_buf();
    let cargo = || {
        // "evcxr_jupyter 0.22.0 (registry+https://…)" = ["evcxr_jupyter"]
        let record = fs::read_to_string(home.join(".crates.toml")).ok()?;
        let mut installed = record.lines().map(|line| line.trim_start_matches('"').split(' '));
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

    /// A program that runs a script; `INSTALL` in it installs the tool.
    fn stand_in(path: &Path, home: &Path, script: &str) {
        let install = r#"mkdir -p "$H/bin" && printf '#!/bin/sh\nexit 0\n' > "$H/bin/tool" && chmod +x "$H/bin/tool" && echo '"tool 1.2.3 (registry)" = []' > "$H/.crates.toml""#;
        let script = script.replace("INSTALL", install).replace("$H", &home.display().to_string());
        files::write_program(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    }

    #[test]
    fn an_official_binary_is_taken_if_there_is_one_and_otherwise_it_is_compiled() {
        let temp = tempfile::tempdir().unwrap();
        let (binstall, cargo) = (temp.path().join("cargo-binstall"), temp.path().join("cargo"));
        let profile = vec!["profile.release.opt-level=0".to_owned()];
        let tool = Program { package: "tool", version: "1.2.3", prefix: "test-of-cargo-install", profile };

        let home = temp.path().join("one");
        stand_in(&binstall, &home, "case \"$*\" in *'--version 1.2.3 --root'*) INSTALL;; esac");
        stand_in(&cargo, &home, "exit 1");
        assert!(tool.begin_in(&home, &cargo, Some(binstall.clone())).unwrap().is_none());
        assert!(tool.is_in(&home));

        let home = temp.path().join("other C library");
        stand_in(&binstall, &home, "INSTALL && printf '#!/bin/sh\\nexit 127\\n' > \"$H/bin/tool\"");
        stand_in(&cargo, &home, "INSTALL");
        tool.begin_in(&home, &cargo, Some(binstall.clone())).unwrap().unwrap().finish().unwrap();
        assert!(run::quiet(&mut Command::new(tool.program(&home))).is_ok());

        let home = temp.path().join("two");
        stand_in(&binstall, &home, "exit 76");
        stand_in(&cargo, &home, "case \"$*\" in *'--config profile.release.opt-level=0'*) INSTALL;; esac");
        tool.begin_in(&home, &cargo, Some(binstall)).unwrap().unwrap().finish().unwrap();
        assert!(tool.is_in(&home));
        assert!(tool.begin_in(&home, &cargo, None).unwrap().is_none(), "it is there");
    }

    #[test]
    fn only_one_clone_compiles_it() {
        let temp = tempfile::tempdir().unwrap();
        let (cargo, home) = (temp.path().join("cargo"), temp.path().join("home"));
        stand_in(&cargo, &home, "INSTALL");
        let tool =
            Program { package: "tool", version: "1.2.3", prefix: "test-of-cargo-install-2", profile: vec![] };
        let first = tool.begin_in(&home, &cargo, None).unwrap().unwrap();
        assert!(tool.begin_in(&home, &cargo, None).unwrap().is_none());
        first.finish().unwrap();
        assert!(tool.is_in(&home));
    }

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
            "[v1]\n\"evcxr 0.17.0 (registry)\" = []\n\"evcxr_jupyter 0.22.0 (registry)\" = [\"a\"]\n";
        fs::write(home.join(".crates.toml"), record).unwrap();
        assert_eq!(version().as_deref(), Some("0.22.0"));
    }
}
