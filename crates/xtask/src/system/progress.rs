//! Long commands: one line that shows the progress, and a log with all their output.
//!
//! The line is drawn here, not by a library for progress bars: such libraries draw nothing when the
//! output is not a terminal, and set-up's output in a log must show progress, too. indicatif would also
//! add five packages and about a twentieth to the time that every machine needs to compile `cargo xtask`.

use crate::paths;
use crate::system::{files, run};
use anyhow::{Context, Result, anyhow};
use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs a command and shows its latest line and the time; if it fails, the error contains the end of
/// its output, and where the rest is.
pub fn run_logged(command: &mut Command, log_name: &str) -> Result<()> {
    Running::start(command, log_name)?.finish()
}

/// A command that is running. If this is dropped before its end, the command is stopped.
pub struct Running {
    child: Child,
    program: String,
    log: PathBuf,
    start: Instant,
}

impl Running {
    /// Starts a command, and shows nothing yet.
    pub fn start(command: &mut Command, log_name: &str) -> Result<Running> {
        Running::start_into(command, paths::dot_nchw().join("log").join(log_name).with_extension("log"))
    }

    /// The command writes into the log itself. With a pipe, it would die if this program is killed, and a
    /// process that it leaves in the background (such as a compiler's cache server) would keep the pipe
    /// open for ever.
    fn start_into(command: &mut Command, log: PathBuf) -> Result<Running> {
        files::write(&log, "")?;
        let output = File::options().append(true).open(&log)?;
        let program = run::name(command);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("could not start {program}"))?;
        Ok(Running { child, program, log, start: Instant::now() })
    }

    /// Shows the progress until the command ends.
    ///
    /// # Errors
    /// If it fails.
    pub fn finish(mut self) -> Result<()> {
        let terminal = std::io::stdout().is_terminal();
        let interval = if terminal { Duration::from_millis(500) } else { Duration::from_secs(20) };
        let mut shown = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if shown.elapsed() >= interval {
                shown = Instant::now();
                show(&latest_line(&read_text(&self.log)), self.start.elapsed(), terminal)?;
            }
            thread::sleep(Duration::from_millis(50));
        };
        if terminal {
            print!("\r{:<78}\r", "");
        }
        if status.success() {
            return Ok(());
        }
        let last = run::last_lines(&read_text(&self.log));
        let ended = format!("{} ended with {status}", self.program);
        let failed = anyhow!("{last}\n{ended}; all of its output is in {}", self.log.display());
        // On a full disk, the log lacks the very line that says so.
        let full = if files::free_gb().is_ok_and(|free| free < 0.05) { run::NO_SPACE } else { "" };
        Err(run::with_advice(failed, &format!("{last}\n{ended}\n{full}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `finish`, both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn show(line: &str, elapsed: Duration, terminal: bool) -> Result<()> {
    let line: String = line.chars().take(60).collect();
    let line = format!("      … {:.0} s  {line}", elapsed.as_secs_f32());
    if terminal {
        print!("\r{line:<78}")
    } else {
        println!("{line}")
    }
    Ok(std::io::stdout().flush()?)
}

/// Compilers write in the user's language and encoding: bytes that are not UTF-8 are replaced.
fn read_text(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

/// A progress bar rewrites its line after a carriage return, so that counts as the end of a line, too.
fn latest_line(text: &str) -> String {
    let mut lines = text.rsplit(['\n', '\r']).map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or("running").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "오류" (error) in EUC-KR, which is not UTF-8.
    const EUC_KR: &[u8] = b"\xbf\xc0\xb7\xf9";

    fn sh(script: &str, log: &Path) -> Result<()> {
        Running::start_into(Command::new("sh").args(["-c", script]), log.to_owned())?.finish()
    }

    #[test]
    fn a_command_that_nobody_waits_for_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let running =
            Running::start_into(Command::new("sleep").arg("20"), folder.path().join("log")).unwrap();
        let process = rustix::process::Pid::from_child(&running.child);
        let exists = || rustix::process::test_kill_process(process).is_ok();
        assert!(exists());
        drop(running);
        assert!(!exists());
    }

    #[test]
    fn output_after_bytes_that_are_not_utf8_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        // Far more than a pipe holds.
        let script = r"printf '\277\300\267\371\n'; yes line | head -n 100000; echo 'the cause'; exit 7";
        let error = format!("{:#}", sh(script, &log).unwrap_err());
        assert!(error.contains("the cause") && error.contains("exit status: 7"), "{error}");
        let bytes = std::fs::read(&log).unwrap();
        assert!(bytes.starts_with(EUC_KR), "the log contains the exact bytes");
        assert_eq!(bytes.len(), EUC_KR.len() + 1 + 500_000 + "the cause\n".len());

        let error = format!("{:#}", sh(r"printf '\277\300: fatal\n' >&2; exit 1", &log).unwrap_err());
        assert!(error.contains(": fatal"), "{error}");
    }

    #[test]
    fn a_process_left_in_the_background_does_not_delay_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let start = Instant::now();
        sh("sleep 20 & echo started", &folder.path().join("log")).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "waited for the process in the background");
    }

    #[test]
    fn the_latest_line_is_the_last_one_that_is_not_empty() {
        assert_eq!(latest_line("one\n10 %\r20 %\r\n\n"), "20 %");
        assert_eq!(latest_line(""), "running");
    }
}
