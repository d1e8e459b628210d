//! The library for CUDA graphs, which `nchw` opens where there is a GPU. tch has no functions for them.

use crate::setup::machine::Machine;
use crate::setup::source::{self, Source};
use crate::system::{progress, run};
use crate::{paths, system::environment};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::{fs, process::Command};

/// Its name: `crates/nchw/src/tensor/cuda_graph.rs` opens it.
pub const LIBRARY: &str = "libnchw_cuda.so";
/// Its source.
pub const CPP: &str = "crates/xtask/cpp/cuda_graph.cpp";

/// Compiles it next to the wrapper of tch, for PyTorch's wheel with CUDA. Training works without it, more slowly, so a
/// failure does not stop set-up.
pub fn build(machine: &Machine) -> Result<()> {
    if machine.source != Source::WheelCuda {
        return Ok(());
    }
    let base = machine.source.base()?;
    let cuda = [base.join("../nvidia/cu13/include")];
    let compiled = progress::run_logged(
        &mut compiler(&machine.tools.cxx, &base, &cuda, &source::wrapper_folder().join(LIBRARY)),
        "cuda-graph",
    );
    if let Err(error) = compiled {
        println!(
            "      remark: the library for CUDA graphs could not be compiled, so training on the GPU is slower, with \
             the same results: {error:#}"
        );
    }
    Ok(())
}

/// The command that compiles it against this libtorch and CUDA's headers. A GPU or its driver is not needed.
fn compiler(cxx: &Path, libtorch: &Path, cuda: &[PathBuf], library: &Path) -> Command {
    let mut compiler = Command::new(cxx);
    compiler.args(["-O1", "-fPIC", "-shared", "-w", "-std=c++17", "-D_GLIBCXX_USE_CXX11_ABI=1"]);
    let include = libtorch.join("include");
    let api = include.join("torch/csrc/api/include");
    for folder in [&include, &api].into_iter().chain(cuda) {
        compiler.arg("-I").arg(folder);
    }
    compiler.arg(paths::root().join(CPP)).arg("-o").arg(library).arg("-L").arg(libtorch.join("lib"));
    compiler.args(["-ltorch_cuda", "-lc10_cuda", "-lc10", "-ltorch_cpu"]);
    // libtorch's own libraries need some that are found only where there is a driver.
    compiler.args(["-Wl,--unresolved-symbols=ignore-in-shared-libs", "-Wl,-rpath,$ORIGIN/../libtorch/lib"]);
    compiler
}

/// Compiles it on a machine without a GPU, from headers of PyPI, and compares its functions with those that `nchw`
/// calls.
pub fn check(machine: &Machine) -> Result<()> {
    let base = machine.source.base()?;
    let is_wheel = matches!(machine.source, Source::WheelCpu | Source::WheelCuda);
    if !is_wheel || !base.join("lib/libtorch_cuda.so").is_file() {
        println!("{CPP}: not compiled, because this libtorch has no CUDA part with headers");
        return Ok(());
    }
    let python = environment::python_of(".venv-lint", "lint.lock")?;
    let code = "import sysconfig; print(sysconfig.get_paths()['platlib'])";
    let packages = PathBuf::from(run::quiet(Command::new(python).args(["-c", code]))?.trim());
    let cuda = [base.join("../nvidia/cu13/include"), packages.join("nvidia/cu13/include")];
    let temp = tempfile::tempdir()?;
    let library = temp.path().join(LIBRARY);
    run::run(&mut compiler(&machine.tools.cxx, &base, &cuda, &library))?;
    let names = run::quiet(Command::new("nm").args(["-D", "--defined-only"]).arg(&library))?;
    let calls = fs::read_to_string(paths::root().join("crates/nchw/src/tensor/cuda_graph.rs"))?;
    let called: Vec<&str> = calls.split("(b\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for name in &called {
        if !names.lines().any(|line| line.ends_with(&format!(" T {name}"))) {
            bail!("crates/nchw calls `{name}`, which {CPP} does not define; it defines:\n{names}");
        }
    }
    match called.len() {
        7 => Ok(()),
        count => bail!("expected 7 functions that crates/nchw calls, found {count}: {called:?}"),
    }
}
