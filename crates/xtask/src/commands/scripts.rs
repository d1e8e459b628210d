//! Commands whose work is done by a Python script in `crates/xtask/python`.

use crate::system::{environment, run};
use crate::{paths, setup::source::Source};
use anyhow::Result;
use std::process::Command;

/// `cargo xtask notebooks`: builds and runs notebooks, or only checks them.
pub fn notebooks(check: bool, names: &[String]) -> Result<()> {
    let mut python = run::script("notebooks.py");
    python.arg("--root").arg(paths::root()).args(check.then_some("--check"));
    run::run(python.args(names))
}

/// `cargo xtask mistakes`: types common mistakes, and compares or renews docs/mistakes.md.
pub fn mistakes(check: bool) -> Result<()> {
    let mut python = run::script("mistakes.py");
    run::run(python.arg("--root").arg(paths::root()).args(check.then_some("--check")))
}

/// `cargo xtask faults`.
pub fn faults(source: &Source) -> Result<()> {
    run::run(run::script("faults.py").arg("--libtorch").arg(source.base()?))
}

/// `cargo xtask book`.
pub fn book() -> Result<()> {
    let mut python = Command::new(environment::python_of(".venv-book", "book.lock")?);
    run::run(python.arg(paths::script("book.py")).arg("--root").arg(paths::root()))
}

/// `cargo xtask grading`.
pub fn grading() -> Result<()> {
    let mut python = Command::new(environment::python_of(".venv-grading", "grading.lock")?);
    run::run(python.arg(paths::script("grading.py")).arg("--root").arg(paths::root()))
}

/// `cargo xtask bench kernel`.
pub fn bench_kernel(rounds: u32) -> Result<()> {
    let mut python = run::module(paths::venv_program("python"), "bench.kernel");
    python.arg("--python").arg(environment::python_of(".venv-bench", "bench.lock")?);
    run::run(python.args(["--rounds", &rounds.to_string()]))
}

/// `cargo xtask bench day`.
pub fn bench_day(rounds: u32) -> Result<()> {
    let mut python = run::module(paths::venv_program("python"), "bench.day");
    run::run(python.args(["--rounds", &rounds.to_string()]))
}

/// `cargo xtask bench train`.
pub fn bench_train(rounds: u32, device: &str) -> Result<()> {
    let mut python = run::module(paths::venv_program("python"), "bench.train");
    python.arg("--nchw").arg(paths::venv_program("nchw"));
    python.arg("--python").arg(environment::python_of(".venv-bench", "bench.lock")?);
    run::run(python.args(["--rounds", &rounds.to_string(), "--device", device]))
}

/// `cargo xtask bench class`.
pub fn bench_class(kernels: u32) -> Result<()> {
    let mut python = run::module(paths::venv_program("python"), "bench.classroom");
    run::run(python.args(["--kernels", &kernels.to_string()]))
}
