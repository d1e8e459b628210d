//! The kernel "Rust (nchw)": what Jupyter reads to start it, and what makes it
//! start in seconds.
//!
//! Plain evcxr compiles a notebook's dependencies anew at every start, for
//! minutes. Here they stay in `.nchw/kernel/build`; rust-analyzer reads a
//! smaller standard library and five packages (see `bin/nchw-kernel.rs`); and
//! the crate is loaded while the learner still reads.

use crate::{files, fresh, libtorch, outside, paths, run, tools::Tools, watch};
use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// Downloads the packages that Cargo.lock names.
pub fn fetch_packages(tools: &Tools) -> Result<()> {
    let mut cargo = Command::new(&tools.cargo);
    cargo.args(["fetch", "--locked"]).current_dir(paths::root());
    // On a machine without a network, say so in seconds.
    cargo.env("CARGO_NET_RETRY", "1").env("CARGO_HTTP_TIMEOUT", "20");
    run::quiet(&mut cargo).map(drop).context("could not download Rust packages")
}

/// evcxr as it was found or installed.
pub fn evcxr() -> Result<PathBuf> {
    let link = paths::kernel().join("evcxr_jupyter");
    fs::read_link(&link).with_context(|| "evcxr is not set up yet: `cargo xtask setup`")
}

/// The version of an evcxr, as the tool that installed it noted it.
///
/// evcxr itself cannot be asked: it has no option for it, and a copied binary
/// of which nothing is known is not worth the risk.
pub fn evcxr_version(program: &Path) -> Option<String> {
    let home = program.canonicalize().ok()?.ancestors().nth(2)?.to_path_buf();
    let cargo = fs::read_to_string(home.join(".crates.toml")).unwrap_or_default();
    let installed = cargo.lines().find_map(|line| line.strip_prefix("\"evcxr_jupyter ")).map(str::to_owned);
    let conda = || {
        let notes = fs::read_dir(home.join("conda-meta")).ok()?;
        let names = notes.flatten().map(|note| note.file_name().to_string_lossy().into_owned());
        names.into_iter().find_map(|name: String| Some(name.strip_prefix("evcxr-")?.replace('-', " ")))
    };
    installed.or_else(conda)?.split_whitespace().next().map(str::to_owned)
}

/// Finds evcxr of the right version on the PATH, or installs it for all clones.
pub fn provide_evcxr(tools: &Tools) -> Result<()> {
    let home = paths::cache()?.join(format!("evcxr-{}", paths::EVCXR));
    files::make(&home)?;
    // Two clones, set up at once, would compile in the same folder.
    let lock = fs::File::create(home.join("lock"))?;
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        println!("      another clone installs evcxr: waiting for it");
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    }
    let ours = home.join("bin/evcxr_jupyter");
    let right = |program: &PathBuf| evcxr_version(program).as_deref() == Some(paths::EVCXR);
    let found =
        run::which("evcxr_jupyter").into_iter().chain([ours.clone()]).find(|p| p.is_file() && right(p));
    if found.is_none() {
        let build = home.join("build");
        let mut cargo = Command::new(&tools.cargo);
        cargo.args(["install", "--locked", "evcxr_jupyter", "--version", paths::EVCXR, "--force", "--root"]);
        // A folder that stays: interrupted, the next try goes on.
        cargo.arg(&home).env("CARGO_TARGET_DIR", &build).current_dir(&home);
        for variable in ["RUSTFLAGS", "LIBTORCH", "CARGO_BUILD_BUILD_DIR"] {
            cargo.env_remove(variable);
        }
        watch::watched(&mut cargo, "evcxr")?;
        let _ = fs::remove_dir_all(build);
    }
    let link = paths::kernel().join("evcxr_jupyter");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(found.unwrap_or(ours), link)?;
    Ok(())
}

/// Puts the standard library's source beside the kernel, without what no
/// variable in a notebook has a type from: vector intrinsics (half of all its
/// text) and tests. rust-analyzer reads it at every start.
pub fn slim_standard_library(tools: &Tools) -> Result<()> {
    let full = outside::full_source(&tools.sysroot);
    if !full.is_dir() {
        // Set-up has said that this changes the user's toolchain, and which one.
        let add = outside::add_source(tools);
        let mut words = add.split(' ');
        let mut rustup = Command::new(words.next().unwrap_or_default());
        run::quiet(rustup.args(words)).with_context(|| {
            format!(
                "Rust's own source is needed to tell the types of variables: `{add}` \
                 (conda: `conda install rust-src`; Debian, Ubuntu: `sudo apt install rust-src`)"
            )
        })?;
    }
    let slim = paths::kernel().join("std");
    if slim.exists() {
        fs::remove_dir_all(&slim)?;
    }
    for krate in ["core", "alloc", "std", "proc_macro"] {
        copy_sources(&full.join(krate).join("src"), &slim.join(krate).join("src"))?;
    }
    Ok(())
}

fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let (path, name) = {
            let entry = entry?;
            (entry.path(), entry.file_name())
        };
        if path.is_dir() {
            if name != "tests" && name != "benches" {
                copy_sources(&path, &to.join(name))?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Cargo's home of the user.
pub fn cargo_home() -> Result<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|h| h.join(".cargo")))
        .context("no home folder is known: set CARGO_HOME")
}

/// Writes the kernelspec, evcxr's configuration and cargo's, and builds the
/// program that Jupyter starts.
pub fn install(tools: &Tools, source: &libtorch::Source) -> Result<()> {
    let kernel = paths::kernel();
    let mut cargo = Command::new(&tools.cargo);
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--package",
        "xtask",
        "--bin",
        "nchw-kernel",
        "--message-format=json",
    ]);
    let messages = run::quiet(cargo.current_dir(paths::root()))?;
    let program = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built no nchw-kernel")?;
    fs::create_dir_all(kernel.join("bin"))?;
    for name in ["nchw-kernel", "cargo"] {
        // Renamed into place: a kernel that runs keeps the old one.
        let new = kernel.join("bin").join(format!("{name}.new"));
        fs::copy(&program, &new)?;
        fs::rename(&new, kernel.join("bin").join(name))?;
    }

    let profile = "\n[profile.dev.package.\"*\"]\nopt-level = 3\n";
    files::write(&kernel.join(".cargo/config.toml"), libtorch::cargo_settings(&tools.host) + profile)?;
    for (name, warm) in [("plain", false), ("warm", true)] {
        files::write(&kernel.join(name).join("init.evcxr"), configuration(warm)?)?;
        files::write(&kernel.join(name).join("prelude.rs"), after_configuration(warm))?;
    }

    let mut libraries = libtorch::library_folders(source)?;
    // The compiler notes in a cell where the standard library is, seen from the folder that it
    // builds in, and evcxr loads the cell from another: with a clone in one's home, not there.
    libraries.push(tools.sysroot.join("lib/rustlib").join(&tools.host).join("lib"));
    let spec = json!({
        "argv": [kernel.join("bin/nchw-kernel"), "--control_file", "{connection_file}"],
        "display_name": "Rust (nchw)",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {
            "NCHW_KERNEL": kernel,
            "NCHW_EVCXR": evcxr()?,
            "NCHW_CARGO": tools.cargo,
            "NCHW_CARGO_HOME": cargo_home()?,
            // rust-analyzer looks for cargo here first.
            "CARGO_HOME": kernel,
            "RUST_SRC_PATH": kernel.join("std"),
            "LD_LIBRARY_PATH": env::join_paths(libraries)?.to_string_lossy(),
            "LIBTORCH": libtorch::folder(),
            // Threads that wait by spinning take the cores from those that
            // work, as soon as two kernels run: 25 s became 4 s.
            "OMP_WAIT_POLICY": "passive",
        },
    });
    let folder = paths::root().join(".venv/share/jupyter/kernels/nchw");
    copy_asset("logo-svg.svg", &folder)?;
    files::write(&folder.join("kernel.json"), serde_json::to_string_pretty(&spec)? + "\n")
}

/// What is there when the kernel, JupyterLab's settings and the command are installed; a part may
/// have been deleted.
pub fn installed() -> Vec<PathBuf> {
    let (kernel, venv) = (paths::kernel(), paths::root().join(".venv"));
    let in_kernel = [
        "bin/nchw-kernel",
        "bin/cargo",
        ".cargo/config.toml",
        "plain/init.evcxr",
        "plain/prelude.rs",
        "warm/init.evcxr",
        "warm/prelude.rs",
    ];
    let in_venv = [
        "bin/nchw",
        "share/jupyter/kernels/nchw/kernel.json",
        "share/jupyter/kernels/nchw/logo-svg.svg",
        "share/jupyter/lab/settings/overrides.json",
        "etc/jupyter/jupyter_server_config.json",
    ];
    in_kernel.map(|name| kernel.join(name)).into_iter().chain(in_venv.map(|name| venv.join(name))).collect()
}

/// JupyterLab's settings, in `.venv`: nothing of the user's own is touched.
pub fn settle_jupyterlab() -> Result<()> {
    let venv = paths::root().join(".venv");
    copy_asset("overrides.json", &venv.join("share/jupyter/lab/settings"))?;
    copy_asset("jupyter_server_config.json", &venv.join("etc/jupyter"))
}

fn copy_asset(name: &str, to: &Path) -> Result<()> {
    files::write(&to.join(name), fs::read(paths::root().join("crates/xtask/assets").join(name))?)
}

/// Memory that a step of a training gave back is kept for the next one, in large pages. Else it is
/// asked of the system anew, page by page: up to 18,000 of them a step, a sixth of its time. Not
/// for notebooks, whose kernels give back what a training needed.
const MEMORY: &str = "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1:\
                      glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296";

/// Puts the program `nchw` into `.venv/bin`. It is compiled when it is first
/// called: most learners never do, and set-up need not wait for it.
pub fn install_command(tools: &Tools, source: &libtorch::Source) -> Result<()> {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    let libraries = env::join_paths(libtorch::library_folders(source)?)?;
    let script = format!(
        "#!/bin/sh\n\
         # Written by `cargo xtask setup`: the course's own program, as its source is now.\n\
         root={root}\n\
         export LIBTORCH={libtorch}\n\
         export LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n\
         export GLIBC_TUNABLES=${{GLIBC_TUNABLES:-{MEMORY}}}\n\
         if [ ! -x \"${{CARGO_TARGET_DIR:-$root/target}}/debug/nchw\" ]; then\n\
         \x20 echo 'nchw is compiled when it is first called: 2 to 4 minutes' >&2\n\
         fi\n\
         exec {cargo} run --quiet --locked --manifest-path \"$root/Cargo.toml\" --package nchw --features program --bin nchw \\\n\
         \x20 --config \"$root/.nchw/libtorch.toml\" -- \"$@\"\n",
        root = quoted(&paths::root()),
        libtorch = quoted(&libtorch::folder()),
        libraries = quoted(Path::new(&libraries)),
        cargo = quoted(&tools.cargo),
    );
    files::write_program(&paths::venv("nchw"), script)
}

/// The command that has cells built with the package versions of the course. Without a lock file,
/// cargo takes the newest versions that any project on this machine has downloaded, and stops where
/// one of these needs a package that was never downloaded.
fn lock_command() -> String {
    format!("!cp '{}' \"$EVCXR_TMPDIR/Cargo.lock\"\n", paths::root().join("Cargo.lock").display())
}

/// What evcxr runs after `configuration`. There, without the crate, cargo has just removed from the
/// lock file all packages that no cell needed yet; with the crate, they are all needed.
fn after_configuration(warm: bool) -> String {
    if warm { ":offline 1\n".into() } else { lock_command() }
}

/// What evcxr runs before it answers Jupyter.
fn configuration(warm: bool) -> Result<String> {
    let root = paths::root();
    let mut code = format!(
        ":build_env CARGO_BUILD_BUILD_DIR={{build}}\n:build_env CARGO_HOME={}\n:offline 1\n:opt 0\n{}",
        cargo_home()?.display(),
        lock_command(),
    );
    if warm {
        code += &format!(":dep nchw = {{ path = \"{}\" }}\n", root.join("crates/nchw").display());
    }
    // evcxr shows a failing cell's warnings as errors, those of all earlier cells among them:
    // of a macro that no cell uses yet, of a parameter that a function does not use.
    // It takes no command after this, the first line of Rust.
    code += "#![allow(warnings)]\n";
    if warm {
        code += "use nchw::prelude::*;\nlet nchw_warm_up = nchw::warm_up(); drop(nchw_warm_up);\n";
    }
    // After its first `?` evcxr knows that cells may have one. Not knowing, it
    // takes that cell's compile error for a value that cannot show itself, and
    // prints the figure's name instead of the figure.
    code += "let nchw_question = Ok::<(), std::fmt::Error>(())?; drop(nchw_question);\n";
    Ok(code)
}

/// Compiles what the notebooks link, through evcxr itself, so that it is just
/// what a notebook's first cell asks for.
pub fn build() -> Result<()> {
    let kernel = paths::kernel();
    let (folder, stamp) = (kernel.join("build"), fresh::built_stamp(&kernel));
    if fresh::built_size(&kernel).is_some_and(|size| fresh::library_size(&folder) != Some(size)) {
        // Cargo would not notice that a file was cut off, and keep it.
        let _ = fs::remove_dir_all(&folder);
    }
    let begun = SystemTime::now();
    let _ = fs::remove_file(&stamp);
    let mut probe = Command::new(paths::venv("python"));
    probe
        .arg(paths::script("kernel_probe.py"))
        .arg("--build")
        .env("NCHW_BUILD", "1")
        .current_dir(paths::root().join("notebooks"));
    watch::watched(&mut probe, "kernel")?;
    let size = fresh::library_size(&folder).context("the kernel compiled no library of the crate")?;
    files::write(&stamp, size.to_string())?;
    // What was edited while it compiled is newer than what was built.
    fs::File::options().write(true).open(&stamp)?.set_modified(begun)?;
    Ok(())
}

/// Whether what `build` made is there and current.
pub fn is_built() -> bool {
    fresh::is_fresh(&paths::kernel())
}

/// Starts a kernel and runs a cell with a tensor.
pub struct Probe {
    /// Until the kernel answered, in seconds.
    pub start: f64,
    /// The cell with a tensor, in seconds.
    pub cell: f64,
    /// What libtorch computes on: `Cpu` or `Cuda(0)`.
    pub device: String,
    /// What a cell that asks for CIFAR-10 printed.
    pub data: String,
}

/// Starts a kernel as JupyterLab does, and runs cells in it.
pub fn probe() -> Result<Probe> {
    let mut python = Command::new(paths::venv("python"));
    python.arg(paths::script("kernel_probe.py")).current_dir(paths::root().join("notebooks"));
    let said = run::quiet(&mut python)?;
    let report: Value = said
        .lines()
        .find_map(|line| serde_json::from_str(line).ok())
        .with_context(|| format!("the kernel's probe said: {said}"))?;
    let text = |name: &str| report[name].as_str().map(str::to_owned);
    match (report["start"].as_f64(), report["cell"].as_f64(), text("device"), text("data")) {
        (Some(start), Some(cell), Some(device), Some(data)) => Ok(Probe { start, cell, device, data }),
        _ => bail!("the kernel's probe said: {said}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn evcxr_s_commands_come_before_the_first_line_of_rust() {
        for warm in [false, true] {
            let code = configuration(warm).unwrap();
            let (commands, rust) = code.split_once("#![allow(warnings)]\n").unwrap();
            let is_command = |line: &str| line.starts_with([':', '!']);
            assert!(commands.lines().all(is_command), "{code}");
            assert!(!rust.lines().any(is_command), "{code}");
            assert_eq!(warm, commands.contains(":dep nchw") && rust.contains("use nchw::prelude::*;"));
        }
    }

    #[test]
    fn the_version_of_evcxr_is_what_cargo_or_conda_noted() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path();
        let program = home.join("bin/evcxr_jupyter");
        fs::create_dir_all(home.join("bin")).unwrap();
        fs::create_dir_all(home.join("conda-meta")).unwrap();
        fs::write(&program, "").unwrap();
        assert_eq!(evcxr_version(&program), None, "nobody knows");
        fs::write(home.join("conda-meta/evcxr-0.20.0-h1234_0.json"), "").unwrap();
        assert_eq!(evcxr_version(&program).as_deref(), Some("0.20.0"));
        let note = "[v1]\n\"evcxr 0.17.0 (registry)\" = [\"evcxr\"]\n\"evcxr_jupyter 0.22.0 (registry)\" = [\"evcxr_jupyter\"]\n";
        fs::write(home.join(".crates.toml"), note).unwrap();
        assert_eq!(evcxr_version(&program).as_deref(), Some("0.22.0"));
    }
}
