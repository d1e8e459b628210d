//! Long commands: one line that shows that they are alive, and a log with everything they wrote.

use crate::{files, paths, run, tools};
use anyhow::{Context, Result, anyhow};
use std::{
    fs::File,
    io::{IsTerminal, Read, Seek, SeekFrom, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Runs it; shows its latest line and the time; on failure the error holds the
/// end of what it wrote, and where all of it is.
pub fn watched(command: &mut Command, log_name: &str) -> Result<()> {
    let folder = paths::made().join("log");
    std::fs::create_dir_all(&folder)?;
    watched_into(command, &folder.join(log_name).with_extension("log"))
}

/// The command writes into the log itself. Through a pipe it would die with whoever reads it, and a
/// background process that it leaves behind (a compiler's cache server, say) would keep the pipe
/// open, so that reading never came to an end.
fn watched_into(command: &mut Command, log: &Path) -> Result<()> {
    files::write(log, "")?;
    let output = File::options().append(true).open(log)?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut child = command.spawn().with_context(|| format!("could not start {program}"))?;
    let start = Instant::now();
    let terminal = std::io::stdout().is_terminal();
    let every = if terminal { Duration::from_millis(500) } else { Duration::from_secs(20) };
    let mut shown = start;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if shown.elapsed() >= every {
            shown = Instant::now();
            show(&latest_line(&end_of(log)), start.elapsed(), terminal)?;
        }
        thread::sleep(Duration::from_millis(50));
    };
    if terminal {
        print!("\r{:<78}\r", "");
    }
    if status.success() {
        return Ok(());
    }
    let end = end_of(log);
    let lines: Vec<&str> = end.trim_end().lines().collect();
    let tail = lines[lines.len().saturating_sub(25)..].join("\n");
    let ended = format!("{program} ended with {status}");
    let failed = anyhow!("{tail}\n{ended}; everything it wrote is in {}", log.display());
    // On a full disk the log lacks the very line that says so.
    let full = if tools::free_gb().is_ok_and(|free| free < 0.05) { run::NO_SPACE } else { "" };
    Err(run::advised(failed, &format!("{tail}\n{ended}\n{full}")))
}

fn show(line: &str, passed: Duration, terminal: bool) -> Result<()> {
    let line: String = line.chars().take(60).collect();
    let line = format!("      … {:.0} s  {line}", passed.as_secs_f32());
    if terminal {
        print!("\r{line:<78}")
    } else {
        println!("{line}")
    }
    Ok(std::io::stdout().flush()?)
}

/// The last 64 KiB of a log. Compilers write in the language and encoding of the user: what is not
/// UTF-8 is replaced.
fn end_of(log: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let (mut file, mut bytes) = (File::open(log)?, Vec::new());
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(65_536)))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// A progress bar draws its line again and again, with a carriage return between.
fn latest_line(text: &str) -> String {
    let mut lines = text.rsplit(['\n', '\r']).map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or("at work").to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// "오류" (error) in EUC-KR, which is not UTF-8.
    const EUC_KR: &[u8] = b"\xbf\xc0\xb7\xf9";

    fn sh(script: &str, log: &Path) -> Result<()> {
        watched_into(Command::new("sh").args(["-c", script]), log)
    }

    #[test]
    fn what_comes_after_bytes_that_are_not_utf8_is_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        // Far more than a pipe holds: whoever does not read it lets the command die.
        let script = r"printf '\277\300\267\371\n'; yes line | head -n 100000; echo 'the cause'; exit 7";
        let error = format!("{:#}", sh(script, &log).unwrap_err());
        assert!(error.contains("the cause") && error.contains("exit status: 7"), "{error}");
        let bytes = std::fs::read(&log).unwrap();
        assert!(bytes.starts_with(EUC_KR), "the log holds what the command wrote, to the byte");
        assert_eq!(bytes.len(), EUC_KR.len() + 1 + 500_000 + "the cause\n".len());

        let error = format!("{:#}", sh(r"printf '\277\300: fatal\n' >&2; exit 1", &log).unwrap_err());
        assert!(error.contains(": fatal"), "{error}");
    }

    #[test]
    fn a_process_that_is_left_behind_does_not_hold_it_up() {
        let folder = tempfile::tempdir().unwrap();
        let start = Instant::now();
        sh("sleep 20 & echo started", &folder.path().join("log")).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "waited for the process in the background");
    }

    #[test]
    fn the_latest_line_is_the_last_one_with_something_in_it() {
        assert_eq!(latest_line("one\n10 %\r20 %\r\n\n"), "20 %");
        assert_eq!(latest_line(""), "at work");
    }
}
