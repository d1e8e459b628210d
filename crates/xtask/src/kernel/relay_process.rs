//! The process in which the relay runs. It lives as long as evcxr.

use crate::kernel::{relay::Relay, spare};
use crate::system::files;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, ffi::OsStr, thread, time::Duration};

/// How the relay learns Jupyter's connection.
#[derive(Clone, Copy)]
pub enum Jupyter<'a> {
    /// From Jupyter's connection file.
    File(&'a Path),
    /// Later, from the socket that is this program's stdin; see [`spare`].
    Socket,
}

/// Starts the relay; returns the connection file for evcxr.
pub fn start(jupyter: Jupyter, inner: &Path) -> Result<PathBuf> {
    let mut relay = Command::new(env::current_exe()?);
    relay.args(["--relay", &std::process::id().to_string()]).arg(inner);
    let connection = match jupyter {
        Jupyter::File(connection) => {
            relay.arg(connection).stdin(Stdio::null());
            connection
        }
        Jupyter::Socket => inner,
    };
    let relay = relay
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start the relay between Jupyter and evcxr")?;
    let mut answer = String::new();
    relay.stdout.context("the relay has no output")?.read_to_string(&mut answer)?;
    match answer.as_str() {
        "relay" => Ok(inner.to_owned()),
        "none" => Ok(connection.to_owned()),
        _ => bail!("the relay between Jupyter and evcxr ended; its error is above"),
    }
}

/// Runs the relay until its parent ends. The process `parent` started this one and then became evcxr.
pub fn run(parent: &OsStr, inner: &Path, jupyter: Jupyter) -> Result<()> {
    let parent_has_ended =
        || rustix::process::getppid().is_none_or(|pid| *parent != *pid.as_raw_nonzero().to_string());
    // It contains the key to this kernel.
    let write = |connection: &serde_json::Value| files::write_private(inner, connection.to_string());
    match jupyter {
        Jupyter::File(connection) => {
            let text = fs::read_to_string(connection).with_context(|| {
                format!("Jupyter's connection file {} cannot be read", connection.display())
            })?;
            let Some((relay, connection)) = Relay::open(&serde_json::from_str(&text)?)? else {
                return answer("none");
            };
            write(&connection)?;
            relay.start();
        }
        Jupyter::Socket => {
            let (spare, connection) = spare::Spare::from_stdin()?;
            write(&connection)?;
            thread::spawn(|| spare.wait_for_jupyter());
        }
    }
    answer("relay")?;
    while !parent_has_ended() {
        thread::sleep(Duration::from_millis(50));
    }
    // Time to pass on evcxr's last messages.
    thread::sleep(Duration::from_millis(100));
    Ok(())
}

/// Answers `start`, which reads this output to its end.
fn answer(text: &str) -> Result<()> {
    print!("{text}");
    io::stdout().flush()?;
    Ok(rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?)
}
