//! Running other programs, and explaining when one fails.

use crate::paths;
use anyhow::{Context, Error, Result, anyhow, bail};
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::{ffi::OsStr, fs::File, path::Path};

/// What programs write when a disk is full.
pub const NO_SPACE: &str = "No space left on device";

/// The program's name for messages.
pub fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// A Python script of the commands, such as `notebooks` or `bench.day`, in the course's environment.
pub fn script(name: &str) -> Command {
    script_of(paths::venv_program("python"), name)
}

/// A Python script of the commands, in another environment.
pub fn script_of(python: impl AsRef<OsStr>, name: &str) -> Command {
    let mut python = Command::new(python);
    // As a module: from this folder, Python also finds the modules that the scripts share.
    python.args(["-m", name]).current_dir(paths::scripts());
    python
}

/// Runs a program that writes to this terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start {}", name(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", name(command));
    }
    Ok(())
}

/// Runs a program and returns its output; if it fails, the error contains its last lines.
///
/// It writes into files that no other process sees. A pipe would not end before every process that
/// inherited it ends, and a program may leave a process in the background.
pub fn quiet(command: &mut Command) -> Result<String> {
    let (mut out, mut error) = (unnamed_file()?, unnamed_file()?);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(error.try_clone()?);
    let status = command.status().with_context(|| format!("could not start {}", name(command)))?;
    let stdout = read_text(&mut out)?;
    if !status.success() {
        let all = format!("{stdout}{}", read_text(&mut error)?);
        let last = last_lines(&all).replace('\n', "\n  ");
        let failed = anyhow!("{} ended with {status}:\n  {last}", name(command));
        return Err(with_advice(failed, &all));
    }
    Ok(stdout)
}

/// A file without a name: in memory, because the disk may be full; in a file if the system has no such memory.
fn unnamed_file() -> Result<File> {
    #[cfg(target_os = "linux")]
    if let Ok(memory) = rustix::fs::memfd_create("output", rustix::fs::MemfdFlags::CLOEXEC) {
        return Ok(memory.into());
    }
    tempfile::tempfile().context("could not make a temporary file")
}

/// The content of a file; bytes that are not UTF-8 are replaced.
fn read_text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last 25 lines.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// The error, with advice that fits the program's output.
pub fn with_advice(error: Error, output: &str) -> Error {
    match advice(output) {
        Some(advice) => error.context(advice),
        None => error,
    }
}

/// What the user can do about a failed program, if its output shows the cause.
fn advice(output: &str) -> Option<&'static str> {
    let has = |signs: &[&str]| signs.iter().any(|sign| output.contains(sign));
    if has(&[NO_SPACE, "Disk quota exceeded", "os error 28"]) {
        return Some("a disk is full: make room (`df -h` shows which disk), then run the same command again");
    }
    if has(&["Read-only file system", "Permission denied", "os error 13", "os error 30"]) {
        return Some(
            "a file cannot be written: check that this folder is yours (`ls -ld .`) and that its disk is not \
             read-only (`cargo xtask` needs no sudo; if you ran it as root, `sudo chown -R $USER .` gives the \
             files back to you)",
        );
    }
    if has(&["Killed", "signal: 9"]) {
        return Some("a program was killed, most likely because memory ran out: 4 GB should be free");
    }
    let certificate = [
        "CERTIFICATE_VERIFY_FAILED",
        "certificate verify failed",
        "SSL certificate problem",
        "SSL peer certificate",
        "self-signed certificate",
        "self signed certificate",
        "unable to get local issuer certificate",
        "problem confirming the ssl certificate",
        "certificate has expired",
        "invalid peer certificate",
    ];
    if has(&certificate) {
        return Some(
            "a server's certificate was not accepted. In the network of a company or school, whose own server reads all \
             connections: ask for its certificate (a .pem file), `export SSL_CERT_FILE=/path/to/it.pem`, and for cargo \
             `export CARGO_HTTP_CAINFO=$SSL_CERT_FILE`. Also check this machine's clock (`date`)",
        );
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
    ];
    if has(&network) {
        return Some(
            "the network is not available: check this machine's connection (set HTTPS_PROXY if it needs a proxy)",
        );
    }
    has(&["No matching distribution found"]).then_some(
        "the package index has no package that fits this machine and this Python: docs/platforms.md lists those with \
         packages. If pip uses another index (`pip config list` shows it), it may lack this version: \
         `PIP_INDEX_URL=https://pypi.org/simple` uses the public one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_the_output_of_the_program() {
        let full = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device";
        assert!(advice(full).unwrap().contains("df -h"));
        assert!(advice("curl: (6) Could not resolve host: index.crates.io").unwrap().contains("HTTPS_PROXY"));
        assert!(
            advice("mkdir: cannot create directory: Read-only file system")
                .unwrap()
                .contains("this folder is yours")
        );
        assert_eq!(advice("error[E0425]: cannot find value `x`"), None);
        // pip ends with the same line for each of these.
        let last = "ERROR: No matching distribution found for torch==2.11.0";
        let retrying = "WARNING: Retrying after connection broken by";
        let with = |cause: &str| advice(&format!("{retrying} '{cause}'\n{last}")).unwrap();
        assert!(
            with("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]")
                .contains("SSL_CERT_FILE")
        );
        assert!(with("NewConnectionError: [Errno -2] Name or service not known").contains("HTTPS_PROXY"));
        assert!(advice(last).unwrap().contains("pip config list"));
        let curl = "[60] SSL peer certificate or SSH remote key was not OK (SSL certificate problem: self-signed certificate)";
        assert!(advice(curl).unwrap().contains("CARGO_HTTP_CAINFO"));
    }

    #[test]
    fn the_advice_comes_first_in_the_chain_of_errors() {
        let mut shell = Command::new("sh");
        let error = quiet(shell.args(["-c", "echo 'cp: No space left on device' >&2; exit 1"])).unwrap_err();
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        assert!(chain[0].contains("a disk is full") && chain[1].contains("sh ended with"), "{chain:?}");
    }

    #[test]
    fn a_process_left_in_the_background_does_not_delay_the_result() {
        let start = std::time::Instant::now();
        let mut shell = Command::new("sh");
        assert_eq!(quiet(shell.args(["-c", "sleep 20 & echo out"])).unwrap(), "out\n");
        assert!(start.elapsed().as_secs() < 10, "waited for the process in the background");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let mut shell = Command::new("sh");
        assert_eq!(quiet(shell.args(["-c", r"printf '\277\300 end\n'"])).unwrap(), "\u{fffd}\u{fffd} end\n");
    }
}
