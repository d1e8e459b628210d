//! The C++ wrapper through which tch calls libtorch: torch-sys's C++ code, as a shared library.
//!
//! A static library would become a part of `nchw`'s own shared library, which exports only Rust's
//! symbols, and a cell that uses a generic function of tch would not link.

use crate::paths;
use crate::setup::shared::{self, Shared};
use crate::setup::{machine::Machine, source, step::Step, steps::cuda_graph};
use crate::system::{platform, progress, run, tools};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{fs, process::Command};

/// Compiles it.
pub fn step(machine: &Machine) -> Step<'_> {
    Step {
        name: "wrapper",
        what: "the C++ side of tch, compiled once",
        size: "3 MB; about 40 s",
        outside: vec![],
        inputs: &[
            file!(),
            "crates/xtask/cpp/cuda_graph.cpp",
            "crates/xtask/cpp/short_errors.h",
            "crates/xtask/src/paths.rs",
            "crates/xtask/src/setup/source.rs",
            "crates/xtask/src/setup/steps/cuda_graph.rs",
            "crates/xtask/src/system/platform.rs",
        ],
        values: Box::new(|| {
            let cxx = machine.tools.cxx.display().to_string();
            Ok(vec![machine.source.identity()?, tools::locked_version("torch-sys")?, cxx])
        }),
        early: None,
        exists: Box::new(|| source::wrapper_folder().join(platform::HERE.library("tch")).exists()),
        act: Box::new(|| {
            build(machine)?;
            cuda_graph::build(machine)
        }),
    }
}

fn build(machine: &Machine) -> Result<()> {
    let (folder, libtorch) = (source::wrapper_folder(), source::folder());
    let cxx = machine.tools.cxx.display().to_string();
    let others = vec![tools::locked_version("torch-sys")?, cxx];
    let values = [shared::values(&machine.tools, &machine.source)?, others].concat();
    let inputs = [file!(), "crates/xtask/cpp/short_errors.h", "crates/xtask/src/system/platform.rs"];
    let inputs = inputs.map(PathBuf::from);
    let shared = Shared::of("wrapper", &inputs, &values)?;
    let _ = fs::remove_dir_all(&folder);
    if shared.copy_to(&folder) {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    // Not optimised: each function only passes a call on, and optimisation would take twice as long.
    let script = format!(
        "\
        set -e\n\
        for name in torch_api torch_api_generated; do\n\
          \"$CXX\" -c -O0 -fPIC -w -std=c++17 -D_GLIBCXX_USE_CXX11_ABI=1 -DGLOG_USE_GLOG_EXPORT \
            -I\"$SOURCES\" -I\"$INCLUDE\" -I\"$INCLUDE/torch/csrc/api/include\" \
            -include \"$SHORT\" \"$SOURCES/$name.cpp\" -o \"$name.o\" & pids=\"$pids $!\"\n\
        done\n\
        for pid in $pids; do wait $pid; done\n\
        \"$CXX\" -shared torch_api.o torch_api_generated.o -o {library}.new \
          {options} -L\"$LIB\" -ltorch_cpu -lc10\n\
        mv {library}.new {library}\n\
        rm torch_api.o torch_api_generated.o\n",
        library = platform::HERE.library("tch"),
        options = platform::HERE.shared_library_options("tch", "../libtorch/lib"),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(&folder).env("CXX", &machine.tools.cxx);
    shell.env("SOURCES", torch_sys(&machine.tools.cargo)?.join("libtch"));
    shell.env("INCLUDE", libtorch.join("include")).env("LIB", libtorch.join("lib"));
    shell.env("SHORT", paths::root().join("crates/xtask/cpp/short_errors.h"));
    progress::run_logged(&mut shell, "wrapper")?;
    shared.keep(&folder, |_| true);
    Ok(())
}

/// The folder with torch-sys's source.
fn torch_sys(cargo: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(cargo);
    cargo.args(["metadata", "--format-version=1", "--locked", "--offline"]).current_dir(paths::root());
    let metadata: Value = serde_json::from_str(&run::quiet(&mut cargo)?)?;
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let torch_sys = packages.find(|p| p["name"] == "torch-sys").context("torch-sys is not in Cargo.lock")?;
    let manifest = torch_sys["manifest_path"].as_str().map(Path::new);
    Ok(manifest.and_then(Path::parent).context("torch-sys has no manifest path")?.to_owned())
}
