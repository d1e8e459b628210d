//! Running other programs, and saying plainly when one fails.

use anyhow::{Context, Error, Result, anyhow, bail};
use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Seek},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What programs say when a disk is full.
pub const NO_SPACE: &str = "No space left on device";

/// The program's name for messages.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// Runs it on this terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {}", name(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", name(command));
    }
    Ok(())
}

/// Runs it silently; on failure the error holds the last lines it wrote.
///
/// It writes into files that nobody else sees: the end of a pipe comes only when every process that
/// inherited it has ended, and a program may leave one behind.
pub fn quiet(command: &mut Command) -> Result<String> {
    // In memory, because the disk may be full; a file where the system has no such memory.
    let file = || -> Result<File> {
        let memory = rustix::fs::memfd_create("output", rustix::fs::MemfdFlags::CLOEXEC).map(File::from);
        memory.or_else(|_| tempfile::tempfile()).context("could not make a temporary file")
    };
    let (mut out, mut error) = (file()?, file()?);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(error.try_clone()?);
    let status = command.status().with_context(|| format!("could not start {}", name(command)))?;
    let stdout = written(&mut out)?;
    if !status.success() {
        let all = format!("{stdout}{}", written(&mut error)?);
        let lines: Vec<&str> = all.trim_end().lines().collect();
        let tail = lines[lines.len().saturating_sub(25)..].join("\n  ");
        let failed = anyhow!("{} ended with {status}:\n  {tail}", name(command));
        return Err(advised(failed, &all));
    }
    Ok(stdout)
}

/// All of a file as text; what is not UTF-8 is replaced.
fn written(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The error, with the advice that fits what was written.
pub fn advised(error: Error, written: &str) -> Error {
    match advice(written) {
        Some(advice) => error.context(advice),
        None => error,
    }
}

/// What to do about what a program wrote before it failed, where that is known.
pub fn advice(written: &str) -> Option<&'static str> {
    let has = |signs: &[&str]| signs.iter().any(|sign| written.contains(sign));
    if has(&[NO_SPACE, "Disk quota exceeded", "os error 28"]) {
        return Some("a disk is full: make room (`df -h` shows which), then run the same command again");
    }
    if has(&["Read-only file system", "Permission denied", "os error 13", "os error 30"]) {
        return Some(
            "something cannot be written: is this folder yours (`ls -ld .`), and its disk not read-only? \
             (`cargo xtask` needs no sudo; what it made as root, root has to give back: `sudo chown -R $USER .`)",
        );
    }
    if has(&["Killed", "signal: 9"]) {
        return Some("a program was ended from outside, most likely for want of memory: 4 GB should be free");
    }
    let network = [
        "Temporary failure in name resolution",
        "Name or service not known",
        "Could not resolve host",
        "Couldn't resolve host",
        "Network is unreachable",
        "Failed to connect",
        "Connection refused",
        "NewConnectionError",
        "Cannot connect to proxy",
        "timed out",
        "spurious network error",
        "No matching distribution found",
    ];
    has(&network).then_some(
        "the network was not to be had: is this machine connected? (a proxy goes into HTTPS_PROXY)",
    )
}

/// Where a program of this name is on the PATH.
pub fn which(program: impl AsRef<OsStr>) -> Option<PathBuf> {
    let program = Path::new(program.as_ref());
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_path_buf());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_program_wrote_decides_what_is_advised() {
        let full = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device";
        assert!(advice(full).unwrap().contains("df -h"));
        assert!(advice("curl: (6) Could not resolve host: index.crates.io").unwrap().contains("HTTPS_PROXY"));
        assert!(
            advice("mkdir: cannot create directory: Read-only file system")
                .unwrap()
                .contains("is this folder yours")
        );
        assert_eq!(advice("error[E0425]: cannot find value `x`"), None);
    }

    #[test]
    fn the_advice_is_said_last() {
        let mut shell = Command::new("sh");
        let error = quiet(shell.args(["-c", "echo 'cp: No space left on device' >&2; exit 1"])).unwrap_err();
        let said: Vec<String> = error.chain().map(ToString::to_string).collect();
        assert!(said[0].contains("a disk is full") && said[1].contains("sh ended with"), "{said:?}");
    }

    #[test]
    fn a_process_that_is_left_behind_does_not_hold_it_up() {
        let start = std::time::Instant::now();
        let mut shell = Command::new("sh");
        assert_eq!(quiet(shell.args(["-c", "sleep 20 & echo out"])).unwrap(), "out\n");
        assert!(start.elapsed().as_secs() < 10, "waited for the process in the background");
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let mut shell = Command::new("sh");
        assert_eq!(quiet(shell.args(["-c", r"printf '\277\300 end\n'"])).unwrap(), "\u{fffd}\u{fffd} end\n");
    }
}
