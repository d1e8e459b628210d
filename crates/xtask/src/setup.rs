//! Set-up: named steps, each skipped when it is done already, so that an
//! interrupted set-up goes on where it was.

use crate::{
    environment, files, inputs, kernel,
    libtorch::{self, Source, Wish},
    outside, paths, run,
    tools::{self, Tools},
};
use anyhow::{Context, Result, bail};
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
    /// What it changes outside of the course's folder, a line each.
    outside: Vec<String>,
    result: Vec<PathBuf>,
    stamp: String,
    /// Where the stamp is kept.
    stamps: &'a Path,
    act: &'a dyn Fn() -> Result<()>,
}

impl Step<'_> {
    fn stamp_file(&self) -> PathBuf {
        self.stamps.join(self.name)
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
        for line in &self.outside {
            println!("      outside this folder: {line}");
        }
        let start = Instant::now();
        let _ = fs::remove_file(self.stamp_file());
        (self.act)().with_context(|| {
            format!(
                "set-up stopped at \"{}\"; what is done is kept: run the same command again to go on",
                self.name
            )
        })?;
        files::write(&self.stamp_file(), &self.stamp)?;
        println!("      done in {:.0} s", start.elapsed().as_secs_f64());
        Ok(true)
    }
}

/// Brings the machine to where notebooks run, doing only what is not done.
pub fn setup(wish: Wish) -> Result<Ready> {
    require_plain_path(&paths::root())?;
    let tools = tools::find()?;
    let source = libtorch::choose(wish);
    files::make(&paths::made())?;
    fs::create_dir_all(paths::kernel())?;
    let _alone = only_one(&paths::made())?;
    require_space(&source)?;
    let conda = conda_with_jupyter(&tools);

    let places = outside::places(&tools)?;
    let outside = |step: &str| -> Vec<String> {
        let of_step = places.iter().filter(|place| place.step == step);
        of_step.map(|place| format!("{}: {}", place.folder.display(), place.what)).collect()
    };
    let stamps = &paths::made().join("steps");
    let start = Instant::now();
    let python = Step {
        name: "python",
        stamps,
        outside: if conda.is_some() { vec![] } else { outside("python") },
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
        result: environment::parts(conda.is_some(), &tools.python_version),
        stamp: inputs::stamp(
            "python",
            &[
                &tools.python.display().to_string(),
                &tools.python_version,
                conda.as_deref().unwrap_or("no conda"),
                environment::RECIPE,
            ],
        )?,
        act: &|| environment::make(&tools, conda.is_some()),
    };
    let packages = Step {
        name: "packages",
        stamps,
        outside: outside("packages"),
        what: "the Rust packages the course is built from",
        size: "40 MB to download; about 10 s",
        result: vec![paths::root().join("Cargo.lock")],
        stamp: inputs::stamp("packages", &[&kernel::cargo_home()?.display().to_string()])?,
        act: &|| kernel::fetch_packages(&tools),
    };
    let evcxr = Step {
        name: "evcxr",
        stamps,
        outside: outside("evcxr"),
        what: "evcxr_jupyter, the Rust kernel; kept for later clones",
        size: "60 MB to download; 3 to 8 minutes, unless it is there already",
        result: vec![paths::kernel().join("evcxr_jupyter")],
        stamp: inputs::stamp("evcxr", &[paths::EVCXR, &paths::cache()?.display().to_string()])?,
        act: &|| kernel::provide_evcxr(&tools),
    };
    let rust_source = Step {
        name: "rust-source",
        stamps,
        outside: outside("rust-source"),
        what: "the standard library's source, by which the kernel tells types",
        size: "15 MB; about 5 s",
        result: vec![paths::kernel().join("std/core/src/lib.rs")],
        stamp: inputs::stamp("rust-source", &[&tools.rust, &tools.sysroot.display().to_string()])?,
        act: &|| kernel::slim_standard_library(&tools),
    };
    let mut worked = false;
    for step in [&packages, &python] {
        worked |= step.run()?;
    }
    let wheel = Step {
        name: "libtorch",
        stamps,
        outside: match source {
            Source::WheelCpu | Source::WheelCuda => outside("libtorch"),
            Source::Variable(_) | Source::Conda(_) => vec![],
        },
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
        stamp: inputs::stamp("libtorch", &[&source.to_string(), &tools.python_version, &tools.host])?,
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
        stamps,
        outside: outside("wrapper"),
        what: "the C++ side of tch, compiled once",
        size: "3 MB; about 40 s",
        result: vec![libtorch::wrapper_folder().join("libtch.so")],
        stamp: inputs::stamp(
            "wrapper",
            &[&identity, &libtorch::torch_sys_version(), &tools.cxx.display().to_string()],
        )?,
        act: &|| libtorch::build_wrapper(&tools),
    };
    for step in [&wrapper, &evcxr] {
        worked |= step.run()?;
    }
    let kernelspec = Step {
        name: "kernel",
        stamps,
        outside: outside("kernel"),
        what: "the Jupyter kernel \"Rust (nchw)\", JupyterLab's settings and the command nchw, in .venv",
        size: "5 MB; 10 to 60 s",
        result: kernel::installed(),
        stamp: inputs::stamp(
            "kernel",
            &[
                &identity,
                &tools.sysroot.display().to_string(),
                &python.stamp,
                // The kernelspec names them.
                &kernel::evcxr()?.display().to_string(),
                &kernel::cargo_home()?.display().to_string(),
            ],
        )?,
        act: &|| {
            kernel::install(&tools, &source)?;
            kernel::install_command(&tools, &source)?;
            kernel::settle_jupyterlab()
        },
    };
    worked |= kernelspec.run()?;
    let build = Step {
        name: "notebooks",
        stamps,
        outside: outside("notebooks"),
        what: "what the notebooks link, compiled so that no cell waits for it",
        size: "350 MB on disk; 1 to 4 minutes the first time",
        result: vec![paths::kernel().join("build")],
        stamp: inputs::stamp("notebooks", &[&kernelspec.stamp, &tools.rust])?,
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

/// Set-up's lock on this clone, until it is dropped.
pub struct Alone(fs::File);

/// Takes the lock, in the folder that set-up makes: a second set-up at the same time would write over the first.
///
/// # Errors
/// When another one has it.
pub fn only_one(made: &Path) -> Result<Alone> {
    let Some(lock) = files::lock(&made.join("lock"))? else {
        bail!(
            "another set-up of this clone is running, or what one that was killed had started: \
             wait until it has ended, then run the same command again"
        );
    };
    // What set-up starts holds it, too: a pip whose set-up was killed still writes.
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
    Ok(Alone(lock))
}

impl Drop for Alone {
    /// For all who hold it: a compiler's cache server that set-up started may run for days.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, rustix::fs::FlockOperation::Unlock);
    }
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

/// The active conda environment, where it brings JupyterLab, and when it was
/// last changed: made anew at the same place, it is another one.
fn conda_with_jupyter(tools: &Tools) -> Option<String> {
    let prefix = libtorch::conda_prefix().filter(|prefix| tools.python.starts_with(prefix))?;
    let modules = "import jupyterlab, nbclient, jupytext";
    run::quiet(Command::new(&tools.python).args(["-c", modules])).ok()?;
    let changed = fs::metadata(prefix.join("conda-meta/history")).and_then(|history| history.modified());
    Some(format!("{} {:?}", prefix.display(), changed.ok()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_step_runs_once_and_again_when_what_it_depends_on_changes() {
        let temp = tempfile::tempdir().unwrap();
        let (stamps, result) = (temp.path().join("steps"), temp.path().join("result"));
        let count = Cell::new(0);
        let act = || {
            count.set(count.get() + 1);
            fs::write(&result, "").map_err(Into::into)
        };
        let step = |stamp: &str| Step {
            name: "test",
            what: "a test",
            size: "nothing",
            outside: vec![],
            result: vec![result.clone()],
            stamp: stamp.to_owned(),
            stamps: &stamps,
            act: &act,
        };
        assert!(step("a").run().unwrap());
        assert!(!step("a").run().unwrap(), "done already");
        assert!(step("b").run().unwrap(), "depends on something new");
        fs::remove_file(&result).unwrap();
        assert!(step("b").run().unwrap(), "its result is gone");
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn what_set_up_left_running_does_not_hold_its_lock() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let lock = files::lock(&path).unwrap().unwrap();
        rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty()).unwrap();
        let alone = Alone(lock);
        let mut server = Command::new("sleep").arg("20").spawn().unwrap();
        assert!(files::lock(&path).unwrap().is_none());
        drop(alone);
        let free = files::lock(&path).unwrap().is_some();
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(free, "the process in the background still holds the lock");
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
        let temp = tempfile::tempdir().unwrap();
        let act = || bail!("the network went away");
        let step = Step {
            name: "test",
            what: "a test",
            size: "nothing",
            outside: vec![],
            result: vec![temp.path().into()],
            stamp: "x".into(),
            stamps: temp.path(),
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
