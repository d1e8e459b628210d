//! What evcxr calls instead of `cargo` and `rustup`.

use crate::kernel::answers::{self, Question};
use crate::kernel::{cell, fresh, metadata, variable};
use crate::paths::SOURCES;
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

/// The folder in the kernel's folder that comes first on evcxr's PATH.
pub const FIRST_ON_PATH: &str = "path";

/// Compiles cells without cargo, and answers rust-analyzer with the packages that matter; for everything else it
/// becomes cargo.
pub fn as_cargo(args: &[OsString]) -> Result<()> {
    let home = variable("NCHW_KERNEL")?;
    let mut cargo = Command::new(variable("NCHW_CARGO")?);
    cargo.env("CARGO_HOME", variable("NCHW_CARGO_HOME")?);
    if let Some(status) = cell::compile(&home, &mut cargo, args)? {
        process::exit(status);
    }
    if !answers::is_question(args) {
        bail!("could not start cargo: {}", cargo.args(args).exec());
    }
    let (course, slot) = (variable("NCHW_COURSE")?, variable("EVCXR_TMPDIR")?);
    // Only in its own calls does evcxr set this variable; its rust-analyzer calls cargo without it.
    let is_evcxr = env::var_os("EVCXR_CORE_EXTERN").is_some();
    let lock = fs::read("Cargo.lock").ok().filter(|_| is_evcxr);
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let is_for_types = !is_evcxr && has("metadata") && !has("--no-deps");
    let sources = Some(home.join(SOURCES)).filter(|_| is_for_types && fresh::is_fresh(&home));
    let copies = sources.as_deref().map(metadata::copies);
    let question = Question { course: &course, slot: &slot, args, copies: copies.as_deref() };
    let visible = |answer| if is_evcxr { Ok(answer) } else { metadata::visible(answer, sources.as_deref()) };
    let answer = answers::ask(&question, &mut cargo, visible)?;
    // For `:dep`, evcxr asks about a package that has no other dependency, and cargo would remove all others from the lock
    // file. Then the next cell would take other versions, compile the course's crate again, and not load.
    if let Some(lock) = lock {
        fs::write("Cargo.lock", lock)?;
    }
    if !is_evcxr && metadata::cells_have_dependencies(&answer.out) {
        metadata::standard_library(&home, &slot, false)?;
    }
    print!("{}", answer.out);
    eprint!("{}", answer.err);
    process::exit(answer.status)
}

/// When evcxr asks rustup where cargo is, says that it is here; for everything else it becomes rustup.
pub fn as_rustup(args: &[OsString]) -> Result<()> {
    let home = variable("NCHW_KERNEL")?;
    if let [which, tool] = args
        && which == "which"
        && let Some(path) = path_of(tool, &home, &variable("NCHW_CARGO")?)
    {
        println!("{}", path.display());
        return Ok(());
    }
    let own = home.join(FIRST_ON_PATH);
    let path = env::var_os("PATH").unwrap_or_default();
    let rustup = which::which_in_all("rustup", Some(path), "/")?.find(|found| !found.starts_with(&own));
    let rustup = rustup.context("rustup is not installed")?;
    bail!("could not start rustup: {}", Command::new(rustup).args(args).exec());
}

/// Where evcxr finds a tool; None if it is another one.
fn path_of(tool: &OsStr, home: &Path, cargo: &Path) -> Option<PathBuf> {
    match tool.to_str()? {
        "cargo" => Some(home.join("bin/cargo")),
        "rustc" => Some(cargo.with_file_name("rustc")).filter(|rustc| rustc.is_file()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evcxr_finds_our_cargo_and_the_toolchain_s_compiler() {
        let temp = tempfile::tempdir().unwrap();
        let (home, cargo) = (Path::new("/course/.nchw/kernel"), temp.path().join("cargo"));
        let find = |tool: &str| path_of(tool.as_ref(), home, &cargo);
        assert_eq!(find("cargo"), Some(home.join("bin/cargo")));
        assert_eq!(find("rustc"), None, "is not there");
        fs::write(temp.path().join("rustc"), "").unwrap();
        assert_eq!(find("rustc"), Some(temp.path().join("rustc")));
        assert_eq!(find("rustdoc"), None);
    }
}
