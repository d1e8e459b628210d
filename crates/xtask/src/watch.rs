//! Long commands: one line that shows they live, a log with all they wrote.

use crate::{paths, run};
use anyhow::{Context, Result, anyhow};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, IsTerminal, Write},
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
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
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
