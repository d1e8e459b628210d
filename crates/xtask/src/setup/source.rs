//! Where libtorch comes from.

use crate::paths;
use crate::system::{platform, run};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::{fmt, fs, process::Command};

/// Where libtorch comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The folder in the user's variable `LIBTORCH`.
    Variable(PathBuf),
    /// The active conda environment.
    Conda(PathBuf),
    /// PyTorch's wheel in `.venv`, with only the CPU part.
    WheelCpu,
    /// PyTorch's wheel in `.venv`, with CUDA.
    WheelCuda,
}

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request {
    /// No option: what fits this machine.
    Any,
    /// `--cpu`: the wheel for the CPU, even if there is a GPU.
    Cpu,
    /// `--cuda`: the wheel with CUDA, even if there is no driver.
    Cuda,
}

/// In this order: what the command line asks for, the user's own libtorch, the one of the conda
/// environment, the wheel that this clone has, the wheel that fits this machine.
pub fn choose(request: Request) -> Source {
    match request {
        Request::Cpu => return Source::WheelCpu,
        Request::Cuda => return Source::WheelCuda,
        Request::Any => {}
    }
    // Cargo sets LIBTORCH to our own folder in the programs that it runs: this is not the user's.
    if let Some(folder) = paths::variable("LIBTORCH").filter(|f| *f != folder()) {
        return Source::Variable(folder);
    }
    if let Some(prefix) =
        conda_prefix().filter(|p| p.join("lib").join(platform::HERE.library("torch_cpu")).is_file())
    {
        return Source::Conda(prefix);
    }
    match fs::read_to_string(chosen_wheel()).as_deref().map(str::trim) {
        Ok("cpu") => Source::WheelCpu,
        Ok("cuda") => Source::WheelCuda,
        _ if has_nvidia_driver() => Source::WheelCuda,
        _ => Source::WheelCpu,
    }
}

impl Source {
    /// The folder of this libtorch, as in `LIBTORCH`.
    pub fn base(&self) -> Result<PathBuf> {
        match self {
            Source::Variable(folder) | Source::Conda(folder) => Ok(folder.clone()),
            Source::WheelCpu | Source::WheelCuda => {
                let code = "import sysconfig; print(sysconfig.get_paths()['platlib'])";
                let python = paths::venv_program("python");
                let packages = run::quiet(Command::new(python).args(["-X", "utf8", "-c", code]))?;
                Ok(PathBuf::from(packages.trim()).join("torch"))
            }
        }
    }

    /// The folders that a program needs on its loader's path.
    pub fn library_folders(&self) -> Result<Vec<PathBuf>> {
        Ok(vec![wrapper_folder(), self.base()?.join("lib")])
    }

    /// The source, its folder and its version, for the stamps of steps.
    pub fn identity(&self) -> Result<String> {
        let base = self.base()?;
        let version = version(&base.join("include")).unwrap_or_default();
        Ok(format!("{self} {} {version}", base.display()))
    }
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

/// Links to `include/` and `lib/` of the chosen libtorch.
pub fn folder() -> PathBuf {
    paths::dot_nchw().join("libtorch")
}

/// The folder of the compiled C++ wrapper.
pub fn wrapper_folder() -> PathBuf {
    paths::dot_nchw().join("libtch")
}

/// The file that says which wheel this clone has: `cpu` or `cuda`.
pub fn chosen_wheel() -> PathBuf {
    paths::dot_nchw().join("wheel")
}

/// The folder of the active conda environment.
pub fn conda_prefix() -> Option<PathBuf> {
    paths::variable("CONDA_PREFIX")
}

/// Tells `.venv`'s Python where the web pages of the conda environment's JupyterLab are.
pub fn use_conda_jupyterlab(command: &mut Command) {
    if let Some(lab) = conda_prefix().map(|p| p.join("share/jupyter/lab")).filter(|lab| lab.is_dir()) {
        command.env("JUPYTERLAB_DIR", lab);
    }
}

/// Whether there is an NVIDIA driver: on Linux, in a container with only the device, or in WSL.
pub fn has_nvidia_driver() -> bool {
    let files = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"];
    files.iter().any(|file| Path::new(file).exists())
}

/// The version in the headers of a libtorch.
pub fn version(include: &Path) -> Result<String> {
    let header = include.join("torch/headeronly/version.h");
    // The numbers were in this file until 2.8.
    let older = include.join("torch/csrc/api/include/torch/version.h");
    let text = fs::read_to_string(&header)
        .or_else(|_| fs::read_to_string(older))
        .with_context(|| format!("no libtorch was found: {} is missing", header.display()))?;
    let number = |name| {
        let number = text.lines().find_map(|l| l.strip_prefix(&format!("#define TORCH_VERSION_{name} ")));
        number.map(str::trim)
    };
    let parts: Option<Vec<&str>> = ["MAJOR", "MINOR", "PATCH"].into_iter().map(number).collect();
    Ok(parts.with_context(|| format!("{} contains no version", header.display()))?.join("."))
}

#[cfg(test)]
mod tests {
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
    fn the_command_line_decides_before_the_machine() {
        assert_eq!(choose(Request::Cpu), Source::WheelCpu);
        assert_eq!(choose(Request::Cuda), Source::WheelCuda);
    }
}
