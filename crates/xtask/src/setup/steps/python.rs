//! The Python environment `.venv`, in which JupyterLab runs.

use crate::paths;
use crate::setup::machine::Machine;
use crate::setup::step::{self, Outside, Step};
use crate::system::{environment, files};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Change this number if `.venv` must be made again. This file is not an input of the step, because
/// with `.venv`, libtorch must be installed again, too.
const RECIPE: &str = "recipe 1";

/// Makes `.venv`. If the active conda environment contains JupyterLab, `.venv` uses its packages.
pub fn step(machine: &Machine) -> Step<'_> {
    let (conda, tools) = (machine.conda.as_deref(), &machine.tools);
    let pip_cache = environment::pip_cache().filter(|_| conda.is_none());
    let (what, size) = match conda {
        Some(_) => ("JupyterLab of the conda environment, for .venv", "nothing to download; about 5 s"),
        None => ("JupyterLab, nbclient and jupytext in .venv", "60 MB to download; about 30 s"),
    };
    let in_cache = "Python packages, in pip's own cache";
    Step {
        name: "python",
        what,
        size,
        outside: pip_cache.into_iter().map(|cache| Outside(cache, in_cache.into())).collect(),
        inputs: &["requirements/lab.lock"],
        values: Box::new(move || {
            let python = tools.python.display().to_string();
            Ok([&python, &tools.python_version, conda.unwrap_or("no conda"), RECIPE].map(Into::into).into())
        }),
        early: None,
        exists: Box::new(|| step::all_exist(parts(machine))),
        act: Box::new(|| make(machine)),
    }
}

/// The files of a complete `.venv`.
fn parts(machine: &Machine) -> Vec<PathBuf> {
    let mut parts = vec![paths::venv_program("python")];
    if machine.conda.is_none() {
        let minor: Vec<&str> = machine.tools.python_version.split('.').take(2).collect();
        let packages = paths::venv().join(format!("lib/python{}/site-packages", minor.join(".")));
        let names = ["jupyterlab", "jupyter_server", "nbclient", "jupytext"];
        parts.extend(names.map(|name| packages.join(name).join("__init__.py")));
    }
    parts
}

fn make(machine: &Machine) -> Result<()> {
    let (folder, python) = (paths::venv(), &machine.tools.python);
    // Earlier versions of set-up left no mark, but the kernel.
    files::remove(&folder, &["share/jupyter/kernels/nchw"])?;
    if machine.conda.is_some() {
        return environment::create(python, &folder, &["--system-site-packages"]);
    }
    environment::create(python, &folder, &[])?;
    let lock = paths::requirements("lab.lock");
    environment::install(&paths::venv_program("python"), &lock, &["--retries", "2"], "python")
        .context("could not install Python packages")
}
