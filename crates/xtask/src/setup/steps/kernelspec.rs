//! The kernel "Rust (nchw)": the kernelspec that Jupyter reads, the program that it starts, and
//! evcxr's configuration; also JupyterLab's settings and the command `nchw`.
//!
//! The configuration loads the crate before the learner's first cell.

use crate::kernel::slots;
use crate::paths;
use crate::setup::step::{self, Outside, Step};
use crate::setup::steps::{command, evcxr, libtorch, python};
use crate::setup::{machine::Machine, source};
use crate::system::{files, platform, run};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::{env, fs, process::Command};

/// Installs all of this in `.venv` and `.nchw/kernel`.
pub fn step(machine: &Machine) -> Step<'_> {
    let slots = slots::folder(&paths::kernel()).ok().filter(|slots| !slots.starts_with(paths::dot_nchw()));
    let what = "the kernels' working folders, whose path must not contain a space";
    Step {
        name: "kernel",
        what: "the Jupyter kernel \"Rust (nchw)\", JupyterLab's settings and the command nchw, in .venv",
        size: "5 MB; about 5 s",
        outside: slots.into_iter().map(|slots| Outside(slots, what.into())).collect(),
        inputs: &[
            file!(),
            "Cargo.lock",
            "Cargo.toml",
            "crates/xtask/Cargo.toml",
            "crates/xtask/assets",
            "crates/xtask/src/bin",
            "crates/xtask/src/kernel",
            "crates/xtask/src/paths.rs",
            "crates/xtask/src/setup/source.rs",
            "crates/xtask/src/setup/steps/command.rs",
            "crates/xtask/src/setup/steps/evcxr.rs",
            "crates/xtask/src/setup/steps/libtorch.rs",
            "crates/xtask/src/system/files.rs",
            "crates/xtask/src/system/platform.rs",
        ],
        values: Box::new(|| {
            Ok(vec![
                machine.source.identity()?,
                machine.tools.sysroot.display().to_string(),
                python::step(machine).stamp()?,
                // The kernelspec contains these two paths.
                evcxr::program()?.display().to_string(),
                paths::cargo_home()?.display().to_string(),
            ])
        }),
        early: None,
        exists: Box::new(|| step::all_exist(installed())),
        act: Box::new(|| {
            install_program(&machine.tools.cargo)?;
            configure(machine)?;
            write_kernelspec(machine)?;
            write_jupyterlab_settings()?;
            command::install(machine)
        }),
    }
}

/// All files that this step installs.
fn installed() -> impl Iterator<Item = PathBuf> {
    let in_kernel = [
        "bin/nchw-kernel",
        "bin/cargo",
        "bin/rustc",
        "path/rustup",
        ".cargo/config.toml",
        "plain/init.evcxr",
        "warm/init.evcxr",
    ];
    let in_venv = [
        "bin/nchw",
        "share/jupyter/kernels/nchw/kernel.json",
        "share/jupyter/kernels/nchw/logo-svg.svg",
        "share/jupyter/lab/settings/overrides.json",
        "etc/jupyter/jupyter_server_config.json",
        "etc/jupyter/jupyter_server_config.py",
        "etc/jupyter/nchw_answers.py",
        "etc/jupyter/nchw_spare.py",
        "etc/jupyter/jupyter_server_config.d/nchw_answers.json",
        "etc/jupyter/jupyter_server_config.d/nchw_spare.json",
    ];
    let in_kernel = in_kernel.map(|name| paths::kernel().join(name));
    in_kernel.into_iter().chain(in_venv.map(|name| paths::venv().join(name)))
}

/// Builds the program that Jupyter starts.
fn install_program(cargo: &Path) -> Result<()> {
    let mut cargo = Command::new(cargo);
    // In the profile in which `cargo xtask` itself was compiled, together with all of its packages.
    let build =
        "build --quiet --locked --profile xtask --package xtask --bin nchw-kernel --message-format=json";
    let messages = run::quiet(cargo.args(build.split(' ')).current_dir(paths::root()))?;
    let program = serde_json::Deserializer::from_str(&messages)
        .into_iter::<Value>()
        .find_map(|message| message.ok()?["executable"].as_str().map(PathBuf::from))
        .context("cargo built no nchw-kernel")?;
    for name in ["bin/nchw-kernel", "bin/cargo", "bin/rustc", "path/rustup"] {
        files::write_program(&paths::kernel().join(name), fs::read(&program)?)?;
    }
    Ok(())
}

/// Writes evcxr's configuration, and cargo's for cells.
fn configure(machine: &Machine) -> Result<()> {
    let kernel = paths::kernel();
    files::write(&kernel.join(".cargo/config.toml"), settings(machine)?)?;
    for (name, warm) in [("plain", false), ("warm", true)] {
        files::write(&kernel.join(name).join("init.evcxr"), init(warm)?)?;
    }
    Ok(())
}

/// Cargo's configuration for cells: how packages are linked and optimised.
pub fn settings(machine: &Machine) -> Result<String> {
    Ok(libtorch::cargo_settings(&machine.tools.host) + "\n" + &profile()?)
}

/// How a cell's packages and the course's crates are optimised: as in the course's workspace.
fn profile() -> Result<String> {
    let manifest = fs::read_to_string(paths::root().join("Cargo.toml"))?;
    let table =
        manifest.split_once("[profile.dev.package]\n").context("Cargo.toml has no profile for packages")?.1;
    let packages = table.split("\n[").next().unwrap_or_default();
    Ok(format!("[profile.dev.package]\n{}\n", packages.trim_end()))
}

/// The command that makes cells use the package versions of the course. Without a lock file, cargo
/// takes the newest versions that any project on this machine has downloaded, and stops if one of
/// these needs a package that was never downloaded.
fn copy_lock_file() -> String {
    format!("!cp '{}' \"$EVCXR_TMPDIR/Cargo.lock\"\n", paths::root().join("Cargo.lock").display())
}

/// `init.evcxr`, which evcxr runs before it answers Jupyter; `warm` loads the crate.
fn init(warm: bool) -> Result<String> {
    let mut code = format!(
        ":build_env CARGO_BUILD_BUILD_DIR={{build}}\n:build_env CARGO_HOME={}\n:offline 1\n:opt 0\n{}",
        paths::cargo_home()?.display(),
        copy_lock_file(),
    );
    if warm {
        code += &format!(":dep nchw = {{ path = \"{}\" }}\n", paths::root().join("crates/nchw").display());
    }
    // evcxr shows the warnings of a failing cell and of all earlier cells as errors: of a macro that no
    // cell uses yet, of a parameter that a function does not use.
    // This is the first line of Rust; evcxr accepts no command after it.
    code += "#![allow(warnings)]\n";
    let warm_up = if warm { "nchw::warm_up()" } else { "()" };
    if warm {
        code += "use nchw::prelude::*;\n";
    }
    // Only after the first `?` does evcxr know that cells may contain one. Before that, it takes the
    // compile error of such a cell for a value that cannot be displayed, and prints the figure's
    // name instead of the figure. To know the type of a variable, its rust-analyzer reads the crate.
    code += &format!("let nchw_warm_up = Ok::<_, std::fmt::Error>({warm_up})?; drop(nchw_warm_up);\n");
    Ok(code)
}

fn write_kernelspec(machine: &Machine) -> Result<()> {
    let (kernel, tools) = (paths::kernel(), &machine.tools);
    let mut libraries = machine.source.library_folders()?;
    // In a cell's library, the compiler records the path of the standard library relative to the folder
    // in which it compiles. evcxr loads the cell from another folder, where this path may be wrong.
    libraries.push(tools.sysroot.join("lib/rustlib").join(&tools.host).join("lib"));
    let spec = json!({
        "argv": [kernel.join("bin/nchw-kernel"), "--control_file", "{connection_file}"],
        "display_name": "Rust (nchw)",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {
            "NCHW_KERNEL": kernel,
            "NCHW_EVCXR": evcxr::program()?,
            "NCHW_CARGO": tools.cargo,
            "NCHW_CARGO_HOME": paths::cargo_home()?,
            // The first place where rust-analyzer looks for cargo.
            "CARGO_HOME": kernel,
            platform::HERE.loader_variable(): env::join_paths(libraries)?.to_string_lossy(),
            "LIBTORCH": platform::HERE.libtorch_for_cargo(&source::folder()),
            "NCHW_COURSE": paths::root(),
            // Threads that spin while they wait take the cores from the threads that work, as soon as
            // two kernels run: without spinning, 25 s became 4 s.
            "OMP_WAIT_POLICY": "passive",
        },
    });
    let folder = paths::venv().join("share/jupyter/kernels/nchw");
    copy_asset("logo-svg.svg", &folder)?;
    files::write(&folder.join("kernel.json"), serde_json::to_string_pretty(&spec)? + "\n")
}

/// In `.venv`, so that the user's own settings stay as they are.
fn write_jupyterlab_settings() -> Result<()> {
    copy_asset("overrides.json", &paths::venv().join("share/jupyter/lab/settings"))?;
    let server = paths::venv().join("etc/jupyter");
    for name in ["jupyter_server_config.json", "jupyter_server_config.py", "nchw_answers.py", "nchw_spare.py"]
    {
        copy_asset(name, &server)?;
    }
    let extensions = server.join("jupyter_server_config.d");
    copy_asset("nchw_answers.json", &extensions)?;
    copy_asset("nchw_spare.json", &extensions)
}

fn copy_asset(name: &str, to: &Path) -> Result<()> {
    files::write(&to.join(name), fs::read(paths::root().join("crates/xtask/assets").join(name))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fresh;

    #[test]
    fn what_notebooks_link_is_optimised_as_in_the_workspace() {
        let profile = profile().unwrap();
        assert!(profile.starts_with("[profile.dev.package]\n\"*\" = { opt-level = 1"), "{profile}");
        let of_packages = profile.lines().nth(1).unwrap().split_once("opt-level = 1").unwrap().1;
        for name in fresh::CRATES {
            let name = if name == "nchw" { name.to_owned() } else { format!("nchw-{name}") };
            let level = if name == "nchw-web" { 1 } else { 3 };
            let line = format!("\n{name} = {{ opt-level = {level}{of_packages}\n");
            assert!(profile.contains(&line), "{name}: {profile}");
        }
        assert_eq!(profile.matches('[').count(), 1, "only this table: {profile}");
    }

    #[test]
    fn evcxr_s_commands_come_before_the_first_line_of_rust() {
        for warm in [false, true] {
            let code = init(warm).unwrap();
            let (commands, rust) = code.split_once("#![allow(warnings)]\n").unwrap();
            let is_command = |line: &str| line.starts_with([':', '!']);
            assert!(commands.lines().all(is_command), "{code}");
            assert!(!rust.lines().any(is_command), "{code}");
            assert_eq!(warm, commands.contains(":dep nchw") && rust.contains("use nchw::prelude::*;"));
        }
    }
}
