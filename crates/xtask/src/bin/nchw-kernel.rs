//! What Jupyter starts for the kernel "Rust (nchw)"; three small jobs, told
//! apart by how it is called.
//!
//! As `nchw-kernel` it finds a free working folder for evcxr, starts itself
//! anew as the relay between Jupyter and evcxr (see `relay.rs`), and becomes
//! evcxr. A folder that is used again lets a cell compile incrementally and
//! keeps the notebooks' dependencies built; two kernels must not share one.
//!
//! As `cargo` it answers evcxr's rust-analyzer. To tell the type of a variable
//! rust-analyzer reads the source of every package that `cargo metadata`
//! names, some 150; the types in a notebook come from the few in `VISIBLE`.
//! Leaving out the others halves the time to a notebook's first variable.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    collections::HashSet,
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

#[path = "../fresh.rs"]
mod fresh;
#[path = "../paths.rs"]
#[allow(dead_code, reason = "set-up uses the others")]
mod paths;
#[path = "../relay.rs"]
mod relay;
#[path = "../slots.rs"]
#[allow(dead_code, reason = "`cargo xtask clean` uses the others")]
mod slots;

/// Packages whose types a notebook's variables have.
const VISIBLE: [&str; 5] = ["ctx", "nchw", "tch", "torch-sys", "anyhow"];

/// Where the first cell of every notebook looks for the crate.
const CRATE: &str = "../crates/nchw";

fn main() -> Result<()> {
    let mut args = env::args_os();
    let name = args.next().map(PathBuf::from).unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    match args.as_slice() {
        _ if name.file_name().is_some_and(|n| n == "cargo") => as_cargo(&args),
        [relay, evcxr, connection, behind] if relay == "--relay" => {
            as_relay(evcxr, connection.as_ref(), behind.as_ref())
        }
        [option, connection] if option == "--control_file" => as_kernel(connection.as_ref()),
        _ => bail!("Jupyter starts this: choose the kernel \"Rust (nchw)\""),
    }
}

fn variable(name: &str) -> Result<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .with_context(|| format!("{name} is not set: start this through Jupyter's kernel \"Rust (nchw)\""))
}

fn as_kernel(connection: &Path) -> Result<()> {
    let home = variable("NCHW_KERNEL")?;
    let (slot, lock) = free_slot(&slots::made_folder(&home)?)?;
    // With a crate that has just been edited, evcxr would compile before it
    // answers Jupyter, and an error in it would look like a dead kernel. The
    // plain configuration leaves that to the first cell, which shows it.
    let config = if fresh::is_fresh(&home) { "warm" } else { "plain" };
    // Set-up builds in the folder that all others start from.
    let build = match env::var_os("NCHW_BUILD") {
        Some(_) => home.join("build"),
        None => own_build(&home, &slot)?,
    };
    configure(&home.join(config), &build, &slot.join("config"))?;
    let connection = start_relay(connection, &slot.join("connection.json"))?;
    // Held from here on by evcxr, and by the process that runs the cells.
    rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
    let mut evcxr = Command::new(variable("NCHW_EVCXR")?);
    // Every notebook's first cell says where the crate is, seen from the course's notebooks. evcxr
    // looks from its own working folder, so that has to be there; the cells work in the notebook's.
    if !Path::new(CRATE).is_dir()
        && let Some(notebooks) = home.ancestors().nth(2).map(|course| course.join("notebooks"))
        && notebooks.join(CRATE).is_dir()
    {
        evcxr.env("NCHW_NOTEBOOK_FOLDER", env::current_dir()?).current_dir(notebooks);
    }
    let error = evcxr
        .arg("--control_file")
        .arg(connection)
        .env("EVCXR_TMPDIR", &slot)
        .env("EVCXR_CONFIG_DIR", slot.join("config"))
        // Says only that it found no evcxr.toml, in the middle of Jupyter's log.
        .stdout(Stdio::null())
        .exec();
    bail!("could not start evcxr ({error}): run `cargo xtask setup`")
}

/// Writes what evcxr runs when it starts, for this kernel's build folder.
fn configure(from: &Path, build: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for name in ["init.evcxr", "prelude.rs"] {
        let code = fs::read_to_string(from.join(name))?;
        fs::write(to.join(name), code.replace("{build}", &build.display().to_string()))?;
    }
    Ok(())
}

/// Starts the relay for Jupyter's connection: the connection file for evcxr.
fn start_relay(connection: &Path, behind: &Path) -> Result<PathBuf> {
    let mut relay = Command::new(env::current_exe()?);
    relay.args(["--relay", &std::process::id().to_string()]).args([connection, behind]);
    relay.stdin(Stdio::null()).stdout(Stdio::piped());
    let relay = relay.spawn().context("could not start the relay between Jupyter and evcxr")?;
    let mut chosen = String::new();
    relay.stdout.context("the relay has no output")?.read_to_string(&mut chosen)?;
    match chosen.as_str() {
        "relay" => Ok(behind.to_owned()),
        "none" => Ok(connection.to_owned()),
        _ => bail!("the relay between Jupyter and evcxr ended; what it said stands above"),
    }
}

/// Passes on what Jupyter and evcxr say to each other. It was started by what becomes evcxr, and ends with it.
fn as_relay(evcxr: &OsString, connection: &Path, behind: &Path) -> Result<()> {
    let orphaned =
        || rustix::process::getppid().is_none_or(|parent| *evcxr != *parent.as_raw_nonzero().to_string());
    let text = fs::read_to_string(connection)
        .with_context(|| format!("Jupyter's connection file {} cannot be read", connection.display()))?;
    let opened = relay::Relay::open(&serde_json::from_str(&text)?)?;
    if let Some((_, connection)) = &opened {
        // With the key to this kernel in it. An old one may be readable for others.
        let _ = fs::remove_file(behind);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(behind)?;
        file.write_all(connection.to_string().as_bytes())?;
    }
    print!("{}", if opened.is_some() { "relay" } else { "none" });
    io::stdout().flush()?;
    // Who reads it waits for the end.
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    let Some((relay, _)) = opened else { return Ok(()) };
    relay.start();
    while !orphaned() {
        thread::sleep(Duration::from_millis(50));
    }
    // For evcxr's last words.
    thread::sleep(Duration::from_millis(100));
    Ok(())
}

/// The build folder of this kernel alone, a copy of what set-up built.
///
/// Cargo names the library of a cell `libctx.so`, whoever's cell it is: in one
/// folder, two kernels would now and then run each other's cells.
fn own_build(home: &Path, slot: &Path) -> Result<PathBuf> {
    let (build, stamp) = (slot.join("build"), slot.join("build-of"));
    let built = fs::metadata(fresh::built_stamp(home)).and_then(|m| m.modified());
    let built = built.map_or_else(|_| "never".into(), |time| format!("{time:?}"));
    // An edited crate has been compiled again by a cell, and has a size of its own.
    let whole = !fresh::is_fresh(home) || fresh::library_size(&build) == fresh::built_size(home);
    if whole && fs::read_to_string(&stamp).is_ok_and(|of| of == built) {
        return Ok(build);
    }
    if build.exists() {
        fs::remove_dir_all(&build)?;
    }
    let master = home.join("build");
    if master.is_dir() {
        copy_tree(&master, &build).with_context(|| format!("could not copy {}", master.display()))?;
    }
    fs::write(stamp, built)?;
    Ok(build)
}

/// Large files are linked: compilers put new ones in their place, and the copy
/// takes neither time nor room. Small ones, which cargo overwrites, are copied,
/// with the times by which cargo knows what is built.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, new, about) = (entry.path(), to.join(entry.file_name()), entry.metadata()?);
        // What the compiler keeps for the next cell belongs to the cell.
        if entry.file_name() == "incremental" {
            continue;
        }
        if about.is_dir() {
            copy_tree(&path, &new)?;
        } else if about.len() < 65_536 || fs::hard_link(&path, &new).is_err() {
            fs::copy(&path, &new)?;
            File::options().write(true).open(&new)?.set_modified(about.modified()?)?;
        }
    }
    Ok(())
}

/// The first working folder that no other kernel holds, and the lock on it.
///
/// The lock is on an open file that evcxr is to inherit: it goes when evcxr and
/// the process that runs the cells are gone, however they ended.
fn free_slot(slots: &Path) -> Result<(PathBuf, File)> {
    for number in 0..64 {
        let slot = slots.join(number.to_string());
        fs::create_dir_all(&slot).with_context(|| format!("could not make {}", slot.display()))?;
        let lock = File::create(slot.join("lock"))?;
        if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok((slot, lock));
        }
    }
    bail!("64 kernels run already: shut some down (in JupyterLab: Kernel, Shut Down All Kernels)")
}

fn as_cargo(args: &[OsString]) -> Result<()> {
    let mut cargo = Command::new(variable("NCHW_CARGO")?);
    cargo.args(args).env("CARGO_HOME", variable("NCHW_CARGO_HOME")?);
    if args.first().is_none_or(|a| a != "metadata") {
        bail!("could not start cargo: {}", cargo.exec());
    }
    let output = cargo.stderr(Stdio::inherit()).output().context("could not start cargo")?;
    if !output.status.success() {
        std::process::exit(output.status.code().unwrap_or(1));
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    keep_visible(&mut metadata);
    println!("{metadata}");
    Ok(())
}

/// Drops every package but `VISIBLE` from the answer of `cargo metadata`.
fn keep_visible(metadata: &mut Value) {
    let mut kept = HashSet::new();
    retain(&mut metadata["packages"], |package| {
        let visible = VISIBLE.iter().any(|name| package["name"] == **name);
        if visible {
            kept.insert(package["id"].clone());
        }
        visible
    });
    let Some(nodes) = metadata.pointer_mut("/resolve/nodes") else { return };
    retain(nodes, |node| kept.contains(&node["id"]));
    for node in nodes.as_array_mut().into_iter().flatten() {
        retain(&mut node["deps"], |dependency| kept.contains(&dependency["pkg"]));
        retain(&mut node["dependencies"], |id| kept.contains(id));
    }
}

fn retain(list: &mut Value, keep: impl FnMut(&Value) -> bool) {
    if let Some(list) = list.as_array_mut() {
        list.retain(keep);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn only_visible_packages_are_left_everywhere() {
        let mut metadata = json!({
            "packages": [{"name": "ctx", "id": "a"}, {"name": "nchw", "id": "b"}, {"name": "png", "id": "c"}],
            "resolve": {"root": "a", "nodes": [
                {"id": "a", "dependencies": ["b"], "deps": [{"pkg": "b"}]},
                {"id": "b", "dependencies": ["c"], "deps": [{"pkg": "c"}]},
                {"id": "c", "dependencies": [], "deps": []}]}});
        keep_visible(&mut metadata);
        let expected = json!({
            "packages": [{"name": "ctx", "id": "a"}, {"name": "nchw", "id": "b"}],
            "resolve": {"root": "a", "nodes": [
                {"id": "a", "dependencies": ["b"], "deps": [{"pkg": "b"}]},
                {"id": "b", "dependencies": [], "deps": []}]}});
        assert_eq!(metadata, expected);
    }

    #[test]
    fn an_answer_without_a_resolve_passes() {
        let mut metadata = json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null});
        keep_visible(&mut metadata);
        assert_eq!(metadata, json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null}));
    }

    #[test]
    fn every_kernel_builds_in_a_copy_of_its_own_with_the_same_times() {
        let temp = tempfile::tempdir().unwrap();
        let home = temp.path();
        let (deps, slot) = (home.join("build/debug/deps"), home.join("slots/3"));
        fs::create_dir_all(&deps).unwrap();
        fs::create_dir_all(&slot).unwrap();
        fs::write(deps.join("small.d"), "small").unwrap();
        fs::write(deps.join("large.so"), vec![7; 100_000]).unwrap();
        fs::write(home.join("built"), "").unwrap();
        let time = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
        let build = own_build(home, &slot).unwrap();
        for name in ["small.d", "large.so"] {
            assert_eq!(time(deps.join(name)), time(build.join("debug/deps").join(name)), "{name}");
        }
        fs::write(build.join("debug/deps/small.d"), "mine").unwrap();
        assert_eq!(fs::read_to_string(deps.join("small.d")).unwrap(), "small", "the others keep theirs");
        own_build(home, &slot).unwrap();
        assert_eq!(fs::read_to_string(build.join("debug/deps/small.d")).unwrap(), "mine", "kept");
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(home.join("built"), "").unwrap();
        own_build(home, &slot).unwrap();
        assert_eq!(fs::read_to_string(build.join("debug/deps/small.d")).unwrap(), "small", "built anew");

        let library =
            format!("a-machine/debug/deps/{}nchw{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        fs::create_dir_all(home.join("build").join(&library).parent().unwrap()).unwrap();
        fs::write(home.join("build").join(&library), "library").unwrap();
        fs::write(home.join("built"), "7").unwrap();
        own_build(home, &slot).unwrap();
        fs::write(build.join(&library), "").unwrap();
        own_build(home, &slot).unwrap();
        assert_eq!(fs::read_to_string(build.join(&library)).unwrap(), "library", "was cut off, built anew");
    }

    #[test]
    fn two_kernels_get_two_folders_and_a_freed_one_comes_back() {
        let temp = tempfile::tempdir().unwrap();
        let slots = temp.path();
        fs::create_dir_all(slots.join("0")).unwrap();
        let lock = File::create(slots.join("0/lock")).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(free_slot(slots).unwrap().0, slots.join("1"));
        drop(lock);
        assert_eq!(free_slot(slots).unwrap().0, slots.join("0"));
    }
}
