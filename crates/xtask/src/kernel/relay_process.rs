//! The process in which the relay runs. It lives as long as evcxr.

use crate::{kernel::relay::Relay, system::files};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, ffi::OsStr, thread, time::Duration};

/// Starts the relay for Jupyter's connection; returns the connection file for evcxr.
pub fn start(connection: &Path, inner: &Path) -> Result<PathBuf> {
    let mut relay = Command::new(env::current_exe()?);
    relay.args(["--relay", &std::process::id().to_string()]).args([connection, inner]);
    relay.stdin(Stdio::null()).stdout(Stdio::piped());
    let relay = relay.spawn().context("could not start the relay between Jupyter and evcxr")?;
    let mut answer = String::new();
    relay.stdout.context("the relay has no output")?.read_to_string(&mut answer)?;
    match answer.as_str() {
        "relay" => Ok(inner.to_owned()),
        "none" => Ok(connection.to_owned()),
        _ => bail!("the relay between Jupyter and evcxr ended; its error is above"),
    }
}

/// Runs the relay until its parent ends. The process `parent` started this one and then became evcxr.
pub fn run(parent: &OsStr, connection: &Path, inner: &Path) -> Result<()> {
    let parent_has_ended =
        || rustix::process::getppid().is_none_or(|pid| *parent != *pid.as_raw_nonzero().to_string());
    let text = fs::read_to_string(connection)
        .with_context(|| format!("Jupyter's connection file {} cannot be read", connection.display()))?;
    let opened = Relay::open(&serde_json::from_str(&text)?)?;
    if let Some((_, connection)) = &opened {
        // It contains the key to this kernel.
        files::write_private(inner, connection.to_string())?;
    }
    print!("{}", if opened.is_some() { "relay" } else { "none" });
    io::stdout().flush()?;
    // `start` reads this output to its end.
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    let Some((relay, _)) = opened else { return Ok(()) };
    relay.start();
    while !parent_has_ended() {
        thread::sleep(Duration::from_millis(50));
    }
    // Time to pass on evcxr's last messages.
    thread::sleep(Duration::from_millis(100));
    Ok(())
}
