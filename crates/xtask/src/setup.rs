//! Set-up: named steps, each skipped when it is done already, so that an
//! interrupted set-up goes on where it was.

use crate::{
    kernel,
    libtorch::{self, Source, Wish},
    paths, run,
    tools::{self, Tools},
    watch,
};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// What the commands need to know once everything is set up.
pub struct Ready {
    /// Where libtorch comes from.
    pub source: Source,
}

/// One step. `stamp` names all it depends on: while that stays the same and
/// all of `result` exists, the step is done.
struct Step<'a> {
    name: &'a str,
    what: &'a str,
    size: &'a str,
    result: Vec<PathBuf>,
    stamp: String,
    act: &'a dyn Fn() -> Result<()>,
}

impl Step<'_> {
    fn stamp_file(&self) -> PathBuf {
        paths::made().join("steps").join(self.name)
    }

    fn is_done(&self) -> bool {
        self.result.iter().all(|result| result.exists())
            && fs::read_to_string(self.stamp_file()).is_ok_and(|s| s == self.stamp)
    }

    /// True when there was something to do.
    fn run(&self) -> Result<bool> {
        if self.is_done() {
            return Ok(false);
        }
        println!("  {}: {} ({})", self.name, self.what, self.size);
        let start = Instant::now();
        let _ = fs::remove_file(self.stamp_file());
        (self.act)().with_context(|| {
            format!(
                "set-up stopped at \"{}\"; what is done is kept: run the same command again to go on",
                self.name
            )
        })?;
        fs::create_dir_all(paths::made().join("steps"))?;
        fs::write(self.stamp_file(), &self.stamp)?;
        println!("      done in {:.0} s", start.elapsed().as_secs_f64());
        Ok(true)
    }
}

/// Brings the machine to where notebooks run, doing only what is not done.
pub fn setup(wish: Wish) -> Result<Ready> {
    require_plain_path(&paths::root())?;
    let tools = tools::find()?;
    let source = libtorch::choose(wish);
    fs::create_dir_all(paths::kernel())?;
    let _alone = only_one()?;
    require_space(&source)?;
    let conda = conda_with_jupyter(&tools);

    let start = Instant::now();
    let python = Step {
        name: "python",
        what: if conda.is_some() {
            "JupyterLab of the conda environment, seen from .venv"
        } else {
            "JupyterLab, nbclient and jupytext in .venv"
        },
        size: if conda.is_some() {
            "nothing to download; about 5 s"
        } else {
            "60 MB to download; about 30 s"
        },
        result: environment_parts(conda.is_some(), &tools.python_version),
        stamp: stamp(
            &[
                &tools.python.display().to_string(),
                &tools.python_version,
                conda.as_deref().unwrap_or("no conda"),
            ],
            &["lab.lock"],
        )?,
        act: &|| make_environment(&tools, conda.is_some()),
    };
    let packages = Step {
        name: "packages",
        what: "the Rust packages the course is built from",
        size: "40 MB to download; about 10 s",
        result: vec![paths::root().join("Cargo.lock")],
        stamp: stamp(&[], &["../Cargo.lock"])?,
        act: &|| fetch_packages(&tools),
    };
    let evcxr = Step {
        name: "evcxr",
        what: "evcxr_jupyter, the Rust kernel; kept for later clones",
        size: "60 MB to download; 3 to 8 minutes, unless it is there already",
        result: vec![paths::kernel().join("evcxr_jupyter")],
        stamp: paths::EVCXR.to_owned(),
        act: &|| kernel::provide_evcxr(&tools),
    };
    let rust_source = Step {
        name: "rust-source",
        what: "the standard library's source, by which the kernel tells types",
        size: "15 MB; about 5 s",
        result: vec![paths::kernel().join("std/core/src/lib.rs")],
        stamp: format!("{} {}", tools.rust, tools.sysroot.display()),
        act: &|| kernel::slim_standard_library(&tools),
    };
    let mut worked = false;
    for step in [&packages, &python] {
        worked |= step.run()?;
    }
    let lock = if source == Source::WheelCuda { "libtorch-cuda.lock" } else { "libtorch-cpu.lock" };
    let wheel = Step {
        name: "libtorch",
        what: match source {
            Source::WheelCpu => "PyTorch 2.11.0 for the CPU, for its libtorch",
            Source::WheelCuda => "PyTorch 2.11.0 with CUDA, for its libtorch",
            Source::Variable(_) => "your libtorch, which LIBTORCH names",
            Source::Conda(_) => "the conda environment's libtorch",
        },
        size: match source {
            Source::WheelCpu => "545 MB to download, 1.4 GB on disk; 1 to 5 minutes",
            Source::WheelCuda => "2.6 GB to download, 6 GB on disk; 5 to 20 minutes",
            Source::Variable(_) | Source::Conda(_) => "nothing to download",
        },
        // A link into the wheel: gone when `.venv` was made anew.
        result: vec![libtorch::folder().join("lib/libtorch_cpu.so")],
        stamp: stamp(&[&source.to_string(), &tools.python_version, &tools.host], &[lock])?,
        act: &|| {
            libtorch::install(&source)?;
            libtorch::link(&source, &tools)
        },
    };
    for step in [&wheel, &rust_source] {
        worked |= step.run()?;
    }
    let identity = libtorch::identity(&source)?;
    let wrapper = Step {
        name: "wrapper",
        what: "the C++ side of tch, compiled once",
        size: "3 MB; about 40 s",
        result: vec![libtorch::wrapper_folder().join("libtch.so")],
        stamp: stamp(&[&identity, &libtorch::torch_sys_version()], &["../crates/xtask/cpp/short_errors.h"])?,
        act: &|| libtorch::build_wrapper(&tools),
    };
    for step in [&wrapper, &evcxr] {
        worked |= step.run()?;
    }
    let spec = paths::root().join(".venv/share/jupyter/kernels/nchw/kernel.json");
    let kernel_files = [
        "../crates/xtask/src/kernel.rs",
        "../crates/xtask/src/fresh.rs",
        "../crates/xtask/src/relay.rs",
        "../crates/xtask/src/bin/nchw-kernel.rs",
        "../Cargo.lock",
    ];
    let kernelspec = Step {
        name: "kernel",
        what: "the Jupyter kernel \"Rust (nchw)\", JupyterLab's settings and the command nchw, in .venv",
        size: "5 MB; 10 to 60 s",
        result: vec![spec, paths::kernel().join("bin/nchw-kernel"), paths::kernel().join("warm/init.evcxr")],
        stamp: stamp(&[&identity, &tools.sysroot.display().to_string(), &python.stamp], &kernel_files)?,
        act: &|| {
            kernel::install(&tools, &source)?;
            kernel::install_command(&tools, &source)?;
            settle_jupyterlab()
        },
    };
    worked |= kernelspec.run()?;
    let build = Step {
        name: "notebooks",
        what: "what the notebooks link, compiled so that no cell waits for it",
        size: "350 MB on disk; 1 to 4 minutes the first time",
        result: vec![paths::kernel().join("build")],
        stamp: stamp(&[&kernelspec.stamp, &tools.rust], &[])?,
        act: &kernel::build,
    };
    if !kernel::is_built() {
        let _ = fs::remove_file(build.stamp_file());
    }
    worked |= build.run()?;
    if worked {
        println!("  set-up is complete, after {:.0} s\n", start.elapsed().as_secs_f64());
    }
    Ok(Ready { source })
}

/// A second set-up at the same time would write over the first.
fn only_one() -> Result<fs::File> {
    let lock = fs::File::create(paths::made().join("lock"))?;
    if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!(
            "another set-up of this clone is running, or what one that was killed had started: \
             wait until it has ended, then run the same command again"
        );
    }
    // What set-up starts holds it, too: a pip whose set-up was killed still writes.
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
    Ok(lock)
}

/// Spaces and letters of any language are fine; these few characters mean
/// something in cargo's settings, in the loader's path, or to a shell.
fn require_plain_path(folder: &Path) -> Result<()> {
    let special =
        |c: char| matches!(c, ':' | ';' | '"' | '\'' | '\\' | '$' | '`' | '{' | '}') || c.is_control();
    match folder.to_str().map(|text| text.chars().find(|c| special(*c))) {
        Some(None) => Ok(()),
        Some(Some(found)) => bail!(
            "{} has {found:?} in its name, which compilers and loaders stumble over: move the course to a \
             folder without it; nothing has been changed yet",
            folder.display()
        ),
        None => bail!("{} is not written in UTF-8: move the course to another folder", folder.display()),
    }
}

/// Says so before anything long begins when the disk is too full for it.
fn require_space(source: &Source) -> Result<()> {
    let done = paths::made().join("steps/notebooks").exists();
    let needed = match source {
        _ if done => 0.5,
        Source::WheelCuda => 12.0,
        _ => 6.0,
    };
    let free = tools::free_gb()?;
    if free < needed {
        bail!(
            "the disk is too full: set-up needs {needed} GB beside {}, {free:.1} GB are free; \
             nothing has been changed yet",
            paths::root().display()
        );
    }
    Ok(())
}

/// A hash of what a step depends on; files are named from `requirements/`.
fn stamp(texts: &[&str], files: &[&str]) -> Result<String> {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        hash.update([0]);
    }
    for file in files {
        let path = paths::root().join("requirements").join(file);
        hash.update(fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The active conda environment, where it brings JupyterLab, and when it was
/// last changed: made anew at the same place, it is another one.
fn conda_with_jupyter(tools: &Tools) -> Option<String> {
    let prefix = libtorch::conda_prefix().filter(|prefix| tools.python.starts_with(prefix))?;
    let modules = "import jupyterlab, nbclient, jupytext";
    run::quiet(Command::new(&tools.python).args(["-c", modules])).ok()?;
    let changed = fs::metadata(prefix.join("conda-meta/history")).and_then(|history| history.modified());
    Some(format!("{} {:?}", prefix.display(), changed.ok()))
}

fn fetch_packages(tools: &Tools) -> Result<()> {
    let mut cargo = Command::new(&tools.cargo);
    cargo.args(["fetch", "--locked"]).current_dir(paths::root());
    // On a machine without a network, say so in seconds.
    cargo.env("CARGO_NET_RETRY", "1").env("CARGO_HTTP_TIMEOUT", "20");
    run::quiet(&mut cargo).map(drop).context("could not download Rust packages")
}

/// What is there when the environment is whole; half of it may have been
/// deleted, by hand or by a tool that tidies up.
fn environment_parts(conda: bool, version: &str) -> Vec<PathBuf> {
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

/// The file by which a `.venv` of set-up's own is known.
const OURS: &str = "made-by-nchw-setup";
const MARK: &str = "`cargo xtask setup` made this folder, and may make it anew.\n";

/// Removes a `.venv`, if it is one that set-up made.
pub fn clear_environment(folder: &Path) -> Result<()> {
    if fs::symlink_metadata(folder).is_err() {
        return Ok(());
    }
    // Set-ups of before left the kernel there, and no such file.
    let ours = folder.join(OURS).exists() || folder.join("share/jupyter/kernels/nchw").exists();
    if !ours || folder.is_symlink() {
        bail!(
            "{0} is there, and set-up did not make it: move it away (`mv '{0}' '{0}-mine'`), then run the same command again",
            folder.display()
        );
    }
    let remove = || {
        // The mark goes last: interrupted, the rest is still known as set-up's own.
        let mark = folder.join(OURS);
        fs::write(&mark, MARK)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false if entry.path() == mark => {}
                false => fs::remove_file(entry.path())?,
            }
        }
        fs::remove_dir_all(folder)
    };
    remove().with_context(|| format!("could not remove {}", folder.display()))
}

fn make_environment(tools: &Tools, conda: bool) -> Result<()> {
    let folder = paths::root().join(".venv");
    clear_environment(&folder)?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(OURS), MARK)?;
    let mut venv = Command::new(&tools.python);
    venv.args(["-m", "venv"]);
    if conda {
        venv.arg("--system-site-packages");
    }
    run::quiet(venv.arg(&folder))?;
    if conda {
        return Ok(());
    }
    let mut pip = Command::new(paths::venv("python"));
    pip.args(["-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--retries", "2"]);
    pip.args(["--disable-pip-version-check", "--progress-bar", "off", "-r"]);
    watch::watched(pip.arg(paths::root().join("requirements/lab.lock")), "python")
        .context("could not install Python packages")
}

/// JupyterLab's settings for this environment only: nothing of the user's is
/// touched.
fn settle_jupyterlab() -> Result<()> {
    let copy = |name: &str, to: PathBuf| -> Result<()> {
        fs::create_dir_all(to.parent().unwrap_or(Path::new("/")))?;
        fs::copy(paths::root().join("crates/xtask/assets").join(name), &to)?;
        Ok(())
    };
    let venv = paths::root().join(".venv");
    copy("overrides.json", venv.join("share/jupyter/lab/settings/overrides.json"))?;
    copy("jupyter_server_config.json", venv.join("etc/jupyter/jupyter_server_config.json"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_step_runs_once_and_again_when_what_it_depends_on_changes() {
        let name = format!("test-{}", std::process::id());
        let result = std::env::temp_dir().join(&name);
        let count = Cell::new(0);
        let act = || {
            count.set(count.get() + 1);
            fs::write(&result, "").map_err(Into::into)
        };
        let step = |stamp: &str| Step {
            name: &name,
            what: "a test",
            size: "nothing",
            result: vec![result.clone()],
            stamp: stamp.to_owned(),
            act: &act,
        };
        assert!(step("a").run().unwrap());
        assert!(!step("a").run().unwrap(), "done already");
        assert!(step("b").run().unwrap(), "depends on something new");
        fs::remove_file(&result).unwrap();
        assert!(step("b").run().unwrap(), "its result is gone");
        assert_eq!(count.get(), 3);
        fs::remove_file(&result).unwrap();
        fs::remove_file(step("b").stamp_file()).unwrap();
    }

    #[test]
    fn an_environment_of_somebody_elses_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("nchw-venv-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("mine.py"), "").unwrap();
        let error = clear_environment(&folder).unwrap_err().to_string();
        assert!(error.contains("set-up did not make it") && error.contains("mv "), "{error}");
        assert!(folder.join("mine.py").exists());
        fs::write(folder.join(OURS), "").unwrap();
        fs::create_dir_all(folder.join("lib/python3.11")).unwrap();
        std::os::unix::fs::symlink("lib", folder.join("lib64")).unwrap();
        clear_environment(&folder).unwrap();
        assert!(!folder.exists());
        clear_environment(&folder).unwrap();
    }

    #[test]
    fn a_folder_may_have_spaces_and_korean_letters_and_no_colon() {
        assert!(require_plain_path(Path::new("/home/김 철수/합성곱 (1)")).is_ok());
        for name in ["/home/a:b", "/home/it's", "/home/a\nb", "/home/$x"] {
            let error = require_plain_path(Path::new(name)).unwrap_err().to_string();
            assert!(error.contains("move the course"), "{error}");
        }
    }

    #[test]
    fn an_interrupted_step_is_not_done_and_says_how_to_go_on() {
        let name = format!("test-fails-{}", std::process::id());
        let act = || bail!("the network went away");
        let step = Step {
            name: &name,
            what: "a test",
            size: "nothing",
            result: vec![std::env::temp_dir()],
            stamp: "x".into(),
            act: &act,
        };
        let error = format!("{:#}", step.run().unwrap_err());
        assert!(
            error.contains("run the same command again") && error.contains("the network went away"),
            "{error}"
        );
        assert!(!step.is_done());
    }
}
