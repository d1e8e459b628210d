//! Starts evcxr for Jupyter.

use crate::kernel::cell::package;
use crate::kernel::relay_process::{self, Jupyter};
use crate::kernel::{build_folder, fresh, metadata, slots, stand_in, variable};
use crate::paths;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, os::unix::process::CommandExt};

/// The path to the crate in the first cell of every notebook.
const CRATE: &str = "../crates/nchw";

/// Becomes evcxr, in a working folder that no other kernel uses.
///
/// A working folder is used again later: then cells are compiled incrementally, and the notebooks'
/// dependencies are compiled already.
pub fn as_kernel(jupyter: Jupyter) -> Result<()> {
    let home = variable("NCHW_KERNEL")?;
    let (slot, lock) = slots::take_free(&slots::make_folder(&home)?)?;
    package::link_crates(&variable("NCHW_COURSE")?, &slot)?;
    // With a crate that was just edited, evcxr would compile it before it answers Jupyter, and after a
    // compile error the kernel would seem to be dead. The configuration `plain` does not load the
    // crate: the first cell does, and shows the error.
    let is_fresh = fresh::is_fresh(&home);
    let config = if is_fresh { "warm" } else { "plain" };
    // Set-up compiles in the folder that all others are copied from.
    let build = match env::var_os("NCHW_BUILD") {
        Some(_) => home.join("build"),
        None => build_folder::of_slot(&home, &slot)?,
    };
    configure(&home.join(config), &build, &slot.join("config"))?;
    let connection = relay_process::start(jupyter, &slot.join("connection.json"))?;
    // evcxr and the process that runs the cells inherit the lock.
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
    let mut evcxr = Command::new(variable("NCHW_EVCXR")?);
    // The first cell's path to the crate is relative to the folder `notebooks`. For a notebook in
    // another folder, evcxr must run in `notebooks`; the cells run in the notebook's folder.
    if !Path::new(CRATE).is_dir()
        && let notebooks = variable("NCHW_COURSE")?.join("notebooks")
        && notebooks.join(CRATE).is_dir()
    {
        evcxr.env("NCHW_NOTEBOOK_FOLDER", env::current_dir()?).current_dir(notebooks);
    }
    // Otherwise the first cell would wait for cargo whenever the kernel is started in another way than the last time.
    let error = paths::as_in_any_shell(&mut evcxr)
        .arg("--control_file")
        .arg(connection)
        .env("EVCXR_TMPDIR", &slot)
        .env("EVCXR_CONFIG_DIR", slot.join("config"))
        .env("RUST_SRC_PATH", metadata::standard_library(&home, &slot, is_fresh)?)
        .env("PATH", paths::prepend("PATH", &[home.join(stand_in::FIRST_ON_PATH)])?)
        // The relay has the socket that a spare kernel gets as its stdin.
        .stdin(Stdio::null())
        // Its only output, a note that there is no evcxr.toml, would confuse readers of Jupyter's log.
        .stdout(Stdio::null())
        .exec();
    bail!("could not start evcxr ({error}): run `cargo xtask setup`")
}

/// Copies evcxr's configuration and inserts this kernel's build folder.
fn configure(from: &Path, build: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let (code, build) = (fs::read_to_string(from.join("init.evcxr"))?, build.display().to_string());
    fs::write(to.join("init.evcxr"), code.replace("{build}", &build))?;
    Ok(())
}
