//! Which libtorch the course uses, and the C++ wrapper that Rust calls it by.

use crate::{files, paths, run, tools::Tools, watch};
use anyhow::{Context, Result, bail};
use std::{
    env, fmt, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Where libtorch comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The folder that the user's `LIBTORCH` names.
    Variable(PathBuf),
    /// The active conda environment.
    Conda(PathBuf),
    /// PyTorch's wheel in `.venv`, with only what the CPU needs.
    WheelCpu,
    /// PyTorch's wheel in `.venv`, with all of CUDA.
    WheelCuda,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Variable(folder) => write!(f, "LIBTORCH={}", folder.display()),
            Source::Conda(prefix) => write!(f, "conda environment {}", prefix.display()),
            Source::WheelCpu => write!(f, "PyTorch's wheel in .venv (CPU)"),
            Source::WheelCuda => write!(f, "PyTorch's wheel in .venv (CUDA)"),
        }
    }
}

/// What the command line asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// Whatever fits this machine.
    Any,
    /// The slim CPU set, even where there is a GPU.
    Cpu,
    /// The CUDA set, even where no driver is seen.
    Cuda,
}

/// Chooses: what was asked for; else the user's own; else the conda
/// environment's; else the wheel this clone has; else what the machine can use.
pub fn choose(wish: Wish) -> Source {
    match wish {
        Wish::Cpu => return Source::WheelCpu,
        Wish::Cuda => return Source::WheelCuda,
        Wish::Any => {}
    }
    // Cargo sets LIBTORCH to our own folder for what it runs; that is no wish.
    let variable = env::var_os("LIBTORCH").filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(folder) = variable.filter(|f| *f != folder()) {
        return Source::Variable(folder);
    }
    if let Some(prefix) = conda_prefix().filter(|p| p.join("lib/libtorch_cpu.so").is_file()) {
        return Source::Conda(prefix);
    }
    match fs::read_to_string(choice_file()).as_deref().map(str::trim) {
        Ok("cpu") => Source::WheelCpu,
        Ok("cuda") => Source::WheelCuda,
        _ if has_nvidia_driver() => Source::WheelCuda,
        _ => Source::WheelCpu,
    }
}

/// The active conda environment's folder.
pub fn conda_prefix() -> Option<PathBuf> {
    env::var_os("CONDA_PREFIX").filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// Has `.venv`'s Python find the pages of the conda environment's JupyterLab.
pub fn conda_jupyterlab(command: &mut Command) {
    if let Some(lab) = conda_prefix().map(|p| p.join("share/jupyter/lab")).filter(|lab| lab.is_dir()) {
        command.env("JUPYTERLAB_DIR", lab);
    }
}

/// Whether there is an NVIDIA driver: on Linux, in containers that see only the
/// device, and in Windows' Linux.
pub fn has_nvidia_driver() -> bool {
    let places = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"];
    places.iter().any(|file| Path::new(file).exists())
}

fn choice_file() -> PathBuf {
    paths::made().join("wheel")
}

/// `include/` and `lib/` of the chosen libtorch, as links.
pub fn folder() -> PathBuf {
    paths::made().join("libtorch")
}

/// The wrapper's folder.
pub fn wrapper_folder() -> PathBuf {
    paths::made().join("libtch")
}

fn torch_package() -> Result<PathBuf> {
    let code = "import sysconfig; print(sysconfig.get_paths()['platlib'])";
    let found = run::quiet(Command::new(paths::venv("python")).args(["-X", "utf8", "-c", code]))?;
    Ok(PathBuf::from(found.trim()).join("torch"))
}

/// Installs the wheel, where that is the source.
pub fn install(source: &Source) -> Result<()> {
    let (choice, lock, no_deps) = match source {
        Source::WheelCpu => ("cpu", "libtorch-cpu.lock", true),
        Source::WheelCuda => ("cuda", "libtorch-cuda.lock", false),
        Source::Variable(_) | Source::Conda(_) => return Ok(()),
    };
    let mut pip = Command::new(paths::venv("python"));
    pip.args(["-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]);
    pip.args(["--disable-pip-version-check", "--progress-bar", "off"]);
    if no_deps {
        pip.arg("--no-deps");
    }
    watch::watched(pip.arg("-r").arg(paths::root().join("requirements").join(lock)), "libtorch")?;
    files::write(&choice_file(), choice)
}

/// The folder of a libtorch, as `LIBTORCH` would name it.
pub fn base(source: &Source) -> Result<PathBuf> {
    match source {
        Source::Variable(folder) | Source::Conda(folder) => Ok(folder.clone()),
        Source::WheelCpu | Source::WheelCuda => torch_package(),
    }
}

/// The folders of the headers and of the libraries.
fn real_folders(source: &Source) -> Result<(PathBuf, PathBuf)> {
    let base = base(source)?;
    Ok((base.join("include"), base.join("lib")))
}

/// The folders a program needs on its loader's path.
pub fn library_folders(source: &Source) -> Result<Vec<PathBuf>> {
    Ok(vec![wrapper_folder(), real_folders(source)?.1])
}

/// What stamps depend on: the same source at the same place.
pub fn identity(source: &Source) -> Result<String> {
    let (include, lib) = real_folders(source)?;
    let version = version(&include).unwrap_or_default();
    Ok(format!("{source} {} {version}", lib.display()))
}

/// The version in libtorch's own header.
pub fn version(include: &Path) -> Result<String> {
    let header = include.join("torch/headeronly/version.h");
    // Until 2.8 the numbers stood here.
    let older = include.join("torch/csrc/api/include/torch/version.h");
    let text = fs::read_to_string(&header)
        .or_else(|_| fs::read_to_string(older))
        .with_context(|| format!("no libtorch here: {} is missing", header.display()))?;
    let number = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(&format!("#define {name} ")))?;
        line.split_whitespace().nth(2).map(str::to_owned)
    };
    let parts = ["TORCH_VERSION_MAJOR", "TORCH_VERSION_MINOR", "TORCH_VERSION_PATCH"].map(number);
    match parts {
        [Some(major), Some(minor), Some(patch)] => Ok(format!("{major}.{minor}.{patch}")),
        _ => bail!("{} does not say its version", header.display()),
    }
}

/// Makes `.nchw/libtorch`: links to the headers and to the two libraries that
/// are linked, and cargo's settings for it.
///
/// torch-sys would also link CUDA's libraries; naming only these two lets one
/// build serve machines with and without a GPU.
pub fn link(source: &Source, tools: &Tools) -> Result<()> {
    let (include, lib) = real_folders(source)?;
    let found = version(&include).with_context(|| format!("looked for libtorch in {source}"))?;
    if found != paths::TORCH {
        bail!(
            "libtorch {} is needed (tch 0.24.0 is written for it), {source} has {found}: \
             install that version there, or unset LIBTORCH, or use `cargo xtask setup --cpu`",
            paths::TORCH
        );
    }
    let folder = folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("lib"))?;
    symlink(&include, folder.join("include"))?;
    for name in ["libtorch_cpu.so", "libc10.so"] {
        let real = lib.join(name);
        if !real.is_file() {
            bail!("{} is missing: install libtorch again, or use `cargo xtask setup --cpu`", real.display());
        }
        symlink(real, folder.join("lib").join(name))?;
    }
    fs::write(folder.join("lib/libtorch.so"), "INPUT(libtorch_cpu.so)\n")?;
    // The wheel's library looks for CUDA's beside the folder it lies in, here: beside the link.
    let (nvidia, beside) = (lib.join("../../nvidia"), paths::made().join("nvidia"));
    let _ = fs::remove_file(&beside);
    if nvidia.is_dir() {
        symlink(nvidia.canonicalize()?, beside)?;
    }
    files::write(&paths::cargo_config(), cargo_settings(&tools.host))
}

/// Replaces torch-sys's build script: no learner compiles C++ again.
pub fn cargo_settings(host: &str) -> String {
    format!(
        "# Written by `cargo xtask setup`.\n\
         [target.{host}.tch]\n\
         rustc-link-lib = [\"dylib=tch\", \"dylib=torch_cpu\", \"dylib=c10\"]\n\
         rustc-link-search = [\"native={}\", \"native={}\"]\n",
        wrapper_folder().display(),
        folder().join("lib").display()
    )
}

/// Compiles torch-sys's C++ once, as a shared library.
///
/// As a static one it would end inside `nchw`'s own shared library, which
/// exports only Rust's symbols: a cell that uses a generic function of tch
/// would not link.
pub fn build_wrapper(tools: &Tools) -> Result<()> {
    let sources = torch_sys_folder(tools)?.join("libtch");
    let folder = wrapper_folder();
    fs::create_dir_all(&folder)?;
    let include = self::folder().join("include");
    let script = "\
        set -e\n\
        for name in torch_api torch_api_generated; do\n\
          \"$CXX\" -c -O1 -fPIC -w -std=c++17 -D_GLIBCXX_USE_CXX11_ABI=1 -DGLOG_USE_GLOG_EXPORT \
            -I\"$SOURCES\" -I\"$INCLUDE\" -I\"$INCLUDE/torch/csrc/api/include\" \
            -include \"$SHORT\" \"$SOURCES/$name.cpp\" -o \"$name.o\" & pids=\"$pids $!\"\n\
        done\n\
        for pid in $pids; do wait $pid; done\n\
        \"$CXX\" -shared torch_api.o torch_api_generated.o -o libtch.so.new -L\"$LIB\" -ltorch_cpu -lc10\n\
        mv libtch.so.new libtch.so\n\
        rm torch_api.o torch_api_generated.o\n";
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(&folder).env("CXX", &tools.cxx).env("SOURCES", sources);
    shell.env("INCLUDE", include).env("LIB", self::folder().join("lib"));
    shell.env("SHORT", paths::root().join("crates/xtask/cpp/short_errors.h"));
    watch::watched(&mut shell, "wrapper")
}

/// The version of the C++ that the wrapper is made of.
pub fn torch_sys_version() -> String {
    let lock = fs::read_to_string(paths::root().join("Cargo.lock")).unwrap_or_default();
    let after = lock.lines().skip_while(|line| *line != "name = \"torch-sys\"").nth(1);
    after.unwrap_or_default().to_owned()
}

fn torch_sys_folder(tools: &Tools) -> Result<PathBuf> {
    let mut cargo = Command::new(&tools.cargo);
    cargo.args(["metadata", "--format-version=1", "--locked", "--offline"]).current_dir(paths::root());
    let metadata: serde_json::Value = serde_json::from_str(&run::quiet(&mut cargo)?)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let torch_sys =
        packages.iter().find(|p| p["name"] == "torch-sys").context("torch-sys is not in Cargo.lock")?;
    let manifest = torch_sys["manifest_path"].as_str().context("torch-sys has no manifest path")?;
    Ok(Path::new(manifest).parent().unwrap_or(Path::new("/")).to_path_buf())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_version_is_read_from_the_header() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        fs::create_dir_all(folder.join("torch/headeronly")).unwrap();
        let error = version(folder).unwrap_err().to_string();
        assert!(error.contains("torch/headeronly/version.h is missing"), "{error}");
        let header =
            "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 11\n#define TORCH_VERSION_PATCH 0\n";
        fs::write(folder.join("torch/headeronly/version.h"), header).unwrap();
        assert_eq!(version(folder).unwrap(), "2.11.0");
    }

    #[test]
    fn a_wish_wins_over_what_the_machine_has() {
        assert_eq!(choose(Wish::Cpu), Source::WheelCpu);
        assert_eq!(choose(Wish::Cuda), Source::WheelCuda);
    }
}
