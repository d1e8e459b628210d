//! libtorch: PyTorch's wheel in `.venv`, if it is the source; and `.nchw/libtorch`, which links to it.

use crate::paths;
use crate::setup::machine::Machine;
use crate::setup::source::{self, Source};
use crate::setup::step::{Outside, Step};
use crate::system::platform::Platform;
use crate::system::{environment, files, platform};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::{fs, os::unix::fs::symlink};

/// Installs the wheel and makes the links.
pub fn step(machine: &Machine) -> Step<'_> {
    let (tools, source) = (&machine.tools, &machine.source);
    let (what, size) = match source {
        Source::WheelCpu if platform::HERE == Platform::MacOs => {
            ("PyTorch 2.11.0, for its libtorch", "80 MB to download, 350 MB on disk; about a minute")
        }
        Source::WheelCpu => (
            "PyTorch 2.11.0 for the CPU, for its libtorch",
            "545 MB to download, 1.4 GB on disk; 1 to 5 minutes",
        ),
        Source::WheelCuda => (
            "PyTorch 2.11.0 with CUDA, for its libtorch",
            "2.6 GB to download, 6 GB on disk; 5 to 20 minutes",
        ),
        Source::Variable(_) => ("your own libtorch, from LIBTORCH", "nothing to download"),
        Source::Conda(_) => ("the conda environment's libtorch", "nothing to download"),
    };
    let pip_cache = environment::pip_cache().filter(|_| wheel(source).is_some());
    let in_cache = "PyTorch's packages, in pip's own cache";
    Step {
        name: "libtorch",
        what,
        size,
        outside: pip_cache.into_iter().map(|cache| Outside(cache, in_cache.into())).collect(),
        inputs: &[
            file!(),
            "crates/xtask/src/paths.rs",
            "crates/xtask/src/setup/source.rs",
            "crates/xtask/src/system/files.rs",
            "crates/xtask/src/system/platform.rs",
            "requirements/libtorch-cpu.lock",
            "requirements/libtorch-cuda.lock",
        ],
        values: Box::new(|| Ok(vec![source.to_string(), tools.python_version.clone(), tools.host.clone()])),
        // A link into the wheel, which is broken when `.venv` was made again.
        early: None,
        exists: Box::new(|| library().exists()),
        act: Box::new(|| {
            install(source)?;
            link(source, &tools.host)
        }),
    }
}

/// The link to libtorch's largest part.
pub fn library() -> PathBuf {
    source::folder().join("lib").join(platform::HERE.library("torch_cpu"))
}

/// For a wheel: its name in `.nchw/wheel`, its lock file, and options for pip. The course needs only the libraries: to
/// compile PyTorch's Python code would take a third of the time.
fn wheel(source: &Source) -> Option<(&'static str, &'static str, &'static [&'static str])> {
    match source {
        // Without CUDA's packages, on which PyTorch depends.
        Source::WheelCpu => Some(("cpu", "libtorch-cpu.lock", &["--no-compile", "--no-deps"])),
        Source::WheelCuda => Some(("cuda", "libtorch-cuda.lock", &["--no-compile"])),
        Source::Variable(_) | Source::Conda(_) => None,
    }
}

fn install(source: &Source) -> Result<()> {
    let Some((name, lock, options)) = wheel(source) else { return Ok(()) };
    let python = paths::venv_program("python");
    environment::install(&python, &paths::requirements(lock), options, "libtorch")?;
    files::write(&source::chosen_wheel(), name)
}

/// Makes `.nchw/libtorch`: links to the headers and to the two libraries that programs are linked
/// against; and cargo's settings for it.
///
/// torch-sys would also link CUDA's libraries. With only these two, one build works on machines with
/// and without a GPU.
fn link(source: &Source, host: &str) -> Result<()> {
    let base = source.base()?;
    let (include, lib) = (base.join("include"), base.join("lib"));
    let found = source::version(&include).with_context(|| format!("looked for libtorch in {source}"))?;
    if found != paths::TORCH {
        bail!(
            "libtorch {} is needed (tch 0.24.0 is written for it), {source} has {found}: \
             install that version there, or unset LIBTORCH, or use `cargo xtask setup --cpu`",
            paths::TORCH
        );
    }
    let folder = source::folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("lib"))?;
    symlink(&include, folder.join("include"))?;
    link_libraries(&lib, &folder.join("lib"), platform::HERE)?;
    // The wheel's library looks for CUDA's libraries next to its own folder; here, next to the link.
    let (nvidia, beside) = (lib.join("../../nvidia"), paths::dot_nchw().join("nvidia"));
    let _ = fs::remove_file(&beside);
    if nvidia.is_dir() {
        symlink(nvidia.canonicalize()?, beside)?;
    }
    let settings = cargo_settings(host);
    // The machine as a target, and these flags, as evcxr gives them to cargo: the same packages serve both.
    let as_cells =
        format!("[target.{host}]\nrustflags = [\"-Cprefer-dynamic\"]\n\n[build]\ntarget = \"{host}\"\n");
    files::write(&paths::cargo_config(), settings + "\n" + &as_cells)
}

fn link_libraries(from: &Path, to: &Path, platform: Platform) -> Result<()> {
    let (needed, others) = platform.libtorch();
    for name in needed.iter().chain(others) {
        let file = platform.library(name);
        let real = from.join(&file);
        if real.is_file() {
            symlink(real, to.join(file))?;
        } else if needed.contains(name) {
            bail!("{} is missing: install libtorch again, or use `cargo xtask setup --cpu`", real.display());
        }
    }
    if platform == Platform::Linux {
        // For a build without the settings below, which links this name.
        fs::write(to.join("libtorch.so"), "INPUT(libtorch_cpu.so)\n")?;
    }
    Ok(())
}

/// Cargo's settings that replace torch-sys's build script, so that no learner compiles C++ again.
///
/// The linker reads only the wrapper: what it needs itself, GNU's linker finds through `LD_LIBRARY_PATH`. To read
/// libtorch's own list of symbols would take 50 ms, for every cell.
///
/// The folders are relative to the one in which rustc links, the workspace's: this clone, or a kernel's working folder,
/// where `crates` is a link into this clone. So nothing of the path of this clone is in what cargo compares, and what
/// one clone compiled serves another.
pub fn cargo_settings(host: &str) -> String {
    format!(
        "# Written by `cargo xtask setup`.\n\
         [target.{host}.tch]\n\
         rustc-link-lib = [\"dylib=tch\"]\n\
         rustc-link-search = [\"native=crates/../.nchw/libtch\", \"native=crates/../.nchw/libtorch/lib\"]\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_are_those_that_the_linker_of_each_system_needs() {
        let names = |platform: Platform, wheel: &[&str]| -> Result<Vec<String>> {
            let temp = tempfile::tempdir()?;
            let (from, to) = (temp.path().join("from"), temp.path().join("to"));
            fs::create_dir(&from)?;
            fs::create_dir(&to)?;
            wheel.iter().try_for_each(|name| fs::write(from.join(name), ""))?;
            link_libraries(&from, &to, platform)?;
            let mut names: Vec<String> =
                fs::read_dir(&to)?.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            Ok(names)
        };
        let linux = ["libtorch_cpu.so", "libc10.so", "libtorch.so", "libtorch_python.so"];
        assert_eq!(names(Platform::Linux, &linux).unwrap(), ["libc10.so", "libtorch.so", "libtorch_cpu.so"]);
        // The libraries in PyTorch 2.11.0's wheel for macOS.
        let mac = [
            "libc10",
            "libomp",
            "libshm",
            "libtorch",
            "libtorch_cpu",
            "libtorch_global_deps",
            "libtorch_python",
        ];
        let mac = mac.map(|name| format!("{name}.dylib"));
        let mac: Vec<&str> = mac.iter().map(String::as_str).collect();
        let linked = ["libc10.dylib", "libomp.dylib", "libtorch.dylib", "libtorch_cpu.dylib"];
        assert_eq!(names(Platform::MacOs, &mac).unwrap(), linked);
        // The libtorch of a user may have another OpenMP, but not another system's libraries.
        assert_eq!(names(Platform::MacOs, &["libc10.dylib", "libtorch_cpu.dylib"]).unwrap().len(), 2);
        let error = names(Platform::MacOs, &linux).unwrap_err().to_string();
        assert!(error.contains("libtorch_cpu.dylib is missing"), "{error}");
    }
}
