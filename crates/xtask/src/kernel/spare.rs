//! A kernel that starts before Jupyter has chosen its ports.
//!
//! The Jupyter server's extension (`assets/nchw_spare.py`) starts it with a socket as its stdin:
//!
//! 1. It sends a line of JSON, `{"transport": "tcp", "key": …}`: what evcxr needs.
//! 2. When a notebook needs a kernel, it sends Jupyter's ports. The relay opens them and answers `ready`,
//!    or says why this kernel cannot be used.
//! 3. The socket is closed when the server ends, also by `kill -9`, or when it no longer needs the kernel.
//!    Then every process of the kernel is killed.

use crate::kernel::fresh::Loaded;
use crate::kernel::relay::{self, Inner};
use crate::kernel::variable;
use crate::system::platform;
use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, getpgrp, getppid, kill_process_group};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Write};
use std::os::{fd::AsFd, unix::net::UnixStream};
use std::{env, path::PathBuf};

/// The relay's part of such a kernel.
pub struct Spare {
    server: BufReader<UnixStream>,
    inner: Inner,
    kernel: PathBuf,
    programs: Vec<PathBuf>,
    loaded: Loaded,
}

impl Spare {
    /// Reads the first line from stdin. Also returns the connection file for evcxr.
    pub fn from_stdin() -> Result<(Spare, Value)> {
        // `wait_for_jupyter` kills the group.
        ensure!(getppid() == Some(getpgrp()), "a spare kernel must be started in a session of its own");
        let mut server = BufReader::new(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?));
        let connection = line(&mut server)?.context("the Jupyter server has ended")?;
        let (inner, connection) = Inner::reserve(&connection)?;
        let kernel = variable("NCHW_KERNEL")?;
        let mut programs =
            vec![variable("NCHW_EVCXR")?, variable("NCHW_CARGO")?, kernel.join("../libtorch.toml")];
        programs.extend(env::split_paths(&env::var_os(platform::HERE.loader_variable()).unwrap_or_default()));
        let loaded = Loaded::now(&kernel, &programs);
        Ok((Spare { server, inner, kernel, programs, loaded }, connection))
    }

    /// Waits until Jupyter needs this kernel, and ends the kernel together with the server.
    pub fn wait_for_jupyter(self) {
        let Spare { mut server, inner, .. } = self;
        if let Ok(Some(connection)) = line(&mut server) {
            let stale = self.loaded != Loaded::now(&self.kernel, &self.programs);
            let outer = if stale { Err(anyhow::anyhow!("stale")) } else { relay::outer(&connection) };
            let answer = match outer {
                Ok(outer) => {
                    inner.behind(outer).start();
                    "ready".into()
                }
                Err(error) => format!("{error:#}"),
            };
            // If the server has ended, the next line says so.
            let _ = writeln!(server.get_mut(), "{answer}");
            while let Ok(Some(_)) = line(&mut server) {}
        }
        // This process, too.
        let _ = kill_process_group(getpgrp(), Signal::KILL);
    }
}

/// The next line; None at the end.
fn line(server: &mut impl BufRead) -> Result<Option<Value>> {
    let mut text = String::new();
    server.read_line(&mut text)?;
    Ok(if text.is_empty() { None } else { Some(serde_json::from_str(&text)?) })
}
