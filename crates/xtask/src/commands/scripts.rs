//! Commands whose work is done by a Python script in `crates/xtask/python`.

use crate::paths;
use crate::setup::source::Source;
use crate::system::{environment, run};
use anyhow::Result;
use std::{path::PathBuf, process::Command};

/// `cargo xtask notebooks`: builds and runs notebooks, or only checks them.
pub fn notebooks(check: bool, names: &[String]) -> Result<()> {
    let mut python = run::script("notebooks");
    if !check {
        python.arg("--publish").arg(environment::python_of(".venv-publish", "publish.lock")?);
    }
    run::run(python.args(names))
}

/// `cargo xtask mistakes`: types common mistakes, and compares or renews docs/mistakes.md.
pub fn mistakes(check: bool) -> Result<()> {
    run::run(run::script("mistakes").args(check.then_some("--check")))
}

/// `cargo xtask faults`.
pub fn faults(source: &Source) -> Result<()> {
    run::run(run::script("faults").arg("--libtorch").arg(source.base()?))
}

/// `cargo xtask updates`, from these commits, or from those that the script knows.
pub fn updates(commits: &[String]) -> Result<()> {
    run::run(run::script("updates").args(commits))
}

/// `cargo xtask book`, for the address at which it will be published and its repository on GitHub.
pub fn book(site: Option<&str>, repository: Option<&str>) -> Result<()> {
    play_pages()?;
    let mut python = run::script_of(environment::python_of(".venv-book", "book.lock")?, "book");
    for (option, value) in [("--site", site), ("--repository", repository)] {
        python.args(value.iter().flat_map(|value| [option, value]));
    }
    run::run(&mut python)
}

/// Writes a web page for each interactive figure; returns their folder.
pub fn play_pages() -> Result<PathBuf> {
    let pages = paths::root().join("target/play");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["run", "--locked", "--quiet", "--package", "nchw-web", "--example", "pages", "--"])
        .arg(&pages);
    run::run(cargo.current_dir(paths::root()))?;
    Ok(pages)
}

/// `cargo xtask grading`.
pub fn grading() -> Result<()> {
    run::run(&mut run::script_of(environment::python_of(".venv-grading", "grading.lock")?, "grading"))
}

/// `cargo xtask bench kernel`.
pub fn bench_kernel(rounds: u32) -> Result<()> {
    let peer = environment::python_of(".venv-bench", "bench.lock")?;
    run::run(run::script("bench.kernel").arg("--python").arg(peer).args(["--rounds", &rounds.to_string()]))
}

/// `cargo xtask bench cell`.
pub fn bench_cell(rounds: u32) -> Result<()> {
    run::run(run::script("bench.cell").args(["--rounds", &rounds.to_string()]))
}

/// `cargo xtask bench class`.
pub fn bench_class(kernels: u32) -> Result<()> {
    run::run(run::script("bench.classroom").args(["--kernels", &kernels.to_string()]))
}

/// `cargo xtask bench day`.
pub fn bench_day(rounds: u32) -> Result<()> {
    run::run(run::script("bench.day").args(["--rounds", &rounds.to_string()]))
}

/// `cargo xtask bench setup`.
pub fn bench_setup() -> Result<()> {
    run::run(&mut run::script("bench.setup"))
}

/// `cargo xtask bench train`.
pub fn bench_train(rounds: u32, device: &str) -> Result<()> {
    let peer = environment::python_of(".venv-bench", "bench.lock")?;
    let mut python = run::script("bench.train");
    python.arg("--nchw").arg(paths::venv_program("nchw")).arg("--python").arg(peer);
    run::run(python.args(["--rounds", &rounds.to_string(), "--device", device]))
}
