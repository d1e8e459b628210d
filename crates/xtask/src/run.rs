//! Running other programs, and saying plainly when one fails.

use anyhow::{Context, Error, Result, anyhow, bail};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

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
pub fn quiet(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("could not start {}", name(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let all = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<&str> = all.trim_end().lines().collect();
        let tail = lines[lines.len().saturating_sub(25)..].join("\n  ");
        let failed = anyhow!("{} ended with {}:\n  {tail}", name(command), output.status);
        return Err(advised(failed, &all));
    }
    Ok(stdout)
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
    if has(&["No space left on device", "Disk quota exceeded", "os error 28"]) {
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
}
