//! Long commands: one line that shows they live, a log with all they wrote.

use crate::{paths, run};
use anyhow::{Context, Result, anyhow};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, IsTerminal, Read, Write},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

/// Runs it; shows its latest line and the time; on failure the error holds the
/// end of what it wrote, and where all of it is.
pub fn watched(command: &mut Command, log_name: &str) -> Result<()> {
    let folder = paths::made().join("log");
    fs::create_dir_all(&folder)?;
    let log_path = folder.join(log_name).with_extension("log");
    let mut log = File::create(&log_path)?;
    let (reader, writer) = std::io::pipe()?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("could not start {program}"))?;
    // The command keeps the pipe's other end open: without this, reading
    // would never come to an end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = lines_of(reader).try_for_each(|line| send.send(line));
    });
    let (start, mut shown, mut tail) = (Instant::now(), Instant::now(), Vec::new());
    let terminal = std::io::stdout().is_terminal();
    let every = if terminal { Duration::from_millis(500) } else { Duration::from_secs(20) };
    loop {
        match lines.recv_timeout(every) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                tail.push(line);
                if tail.len() > 25 {
                    tail.remove(0);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if shown.elapsed() >= every {
            shown = Instant::now();
            let latest = tail.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
            let latest: String = latest.unwrap_or("at work").chars().take(60).collect();
            let line = format!("      … {:.0} s  {latest}", start.elapsed().as_secs_f32());
            if terminal {
                print!("\r{line:<78}")
            } else {
                println!("{line}")
            }
            std::io::stdout().flush()?;
        }
    }
    if terminal {
        print!("\r{:<78}\r", "");
    }
    let status = child.wait()?;
    if !status.success() {
        let tail = tail.join("\n");
        let ended = format!("{program} ended with {status}");
        let failed = anyhow!("{tail}\n{ended}; all it wrote is in {}", log_path.display());
        return Err(run::advised(failed, &format!("{tail}\n{ended}")));
    }
    Ok(())
}

/// All lines of it. Not `BufRead::lines`: that ends at the first byte that is not UTF-8, and a
/// command that nobody reads any more ends, too.
fn lines_of(from: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(from).split(b'\n').map_while(Result::ok);
    lines.map(|line| String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::lines_of;

    #[test]
    fn a_byte_that_is_not_utf_8_is_replaced_and_does_not_end_the_reading() {
        let lines: Vec<String> = lines_of(&b"a\xffb\nlast"[..]).collect();
        assert_eq!(lines, ["a\u{fffd}b", "last"]);
    }
}
