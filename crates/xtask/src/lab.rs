//! JupyterLab, for the one person at this machine.
//!
//! Whoever reaches a Jupyter server can run commands as the one who started it.
//! It therefore listens on this machine alone and wants a token, whatever the
//! user's own settings of Jupyter say: those may be meant for another server.

use crate::{libtorch, paths, run, tools};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::{
    env,
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Command,
};

/// What the command line asks for.
pub struct Wishes {
    /// Print the address instead of opening a browser.
    pub no_browser: bool,
    /// The port to listen on.
    pub port: Option<u16>,
}

/// Opens JupyterLab on the notebooks, until it is ended.
pub fn lab(wishes: &Wishes) -> Result<()> {
    let port = free_port(wishes.port)?;
    let (settings, token) = settle()?;
    if !tools::is_writable(&paths::root().join("notebooks")) {
        println!("notebooks/ cannot be written: cells run, and what you change is not kept.");
    }
    // JupyterLab itself prints a token only when it has made it up.
    let page = "/lab/tree/00-start.ipynb";
    println!(
        "JupyterLab, on this machine alone (Ctrl-C twice ends it):\n\n    http://127.0.0.1:{port}{page}?token={token}\n"
    );
    let mut jupyter = Command::new(paths::venv("python"));
    jupyter.args(["-m", "jupyterlab", "--ServerApp.port_retries=0"]);
    jupyter.args([format!("--port={port}"), format!("--LabApp.default_url={page}")]);
    // What it says of itself would bury the address.
    jupyter.arg("--log-level=WARN");
    jupyter.arg(format!("--ServerApp.root_dir={}", paths::root().join("notebooks").display()));
    // What authors edit, and what would spoil the exercises, is no learner's business.
    for hidden in ["src", "solutions", "__pycache__"] {
        jupyter.arg(format!("--ContentsManager.hide_globs={hidden}"));
    }
    // In front of the user's own settings.
    jupyter.env("JUPYTER_CONFIG_PATH", paths::prepend("JUPYTER_CONFIG_PATH", &[settings])?);
    // In JupyterLab's terminals the command `nchw` is there.
    jupyter.env("PATH", paths::prepend("PATH", &[paths::root().join(".venv/bin")])?);
    if wishes.no_browser {
        jupyter.arg("--no-browser");
    }
    if rustix::process::geteuid().is_root() {
        jupyter.arg("--allow-root");
    }
    libtorch::conda_jupyterlab(&mut jupyter);
    run::run(&mut jupyter)
}

/// The port that was asked for, or the first free one from Jupyter's own on.
///
/// # Errors
/// When another program has it.
fn free_port(wish: Option<u16>) -> Result<u16> {
    let free = |port| Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?.local_addr().ok()?.port());
    match wish {
        Some(port) => free(port).with_context(|| {
            format!(
                "another program on this machine has the port {port}: without `--port` a free one is taken"
            )
        }),
        None => (8888..8988).find_map(free).context(
            "other programs have the ports 8888 to 8987: name a free one, say `cargo xtask lab --port 9999`",
        ),
    }
}

/// As root a cell may do anything to this machine. In a container, which is
/// a machine of its own, there often is nobody else.
///
/// # Errors
/// As root outside of a container, unless that was asked for.
pub fn require_harmless_root(allow_root: bool) -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    if let Some(line) = root_line(root, container(), allow_root)? {
        println!("{line}");
    }
    Ok(())
}

fn root_line(root: bool, container: Option<&str>, allowed: bool) -> Result<Option<String>> {
    match (root, container) {
        (false, _) => Ok(None),
        (true, Some(sign)) => {
            Ok(Some(format!("You are root in a container ({sign}): every cell runs as its root.")))
        }
        (true, None) if allowed => {
            Ok(Some("You are root: every cell can change anything on this machine.".into()))
        }
        (true, None) => bail!(
            "you are root, and every cell could change anything on this machine: start this as another user \
             (nothing here needs root), or, if that is what you want, with `cargo xtask lab --allow-root`"
        ),
    }
}

/// By what one sees that this is a container.
fn container() -> Option<&'static str> {
    let file = |path: &'static str| Path::new(path).exists().then_some(path);
    let variable = |name: &'static str| env::var_os(name).filter(|v| !v.is_empty()).map(|_| name);
    file("/.dockerenv")
        .or_else(|| file("/run/.containerenv"))
        .or_else(|| variable("container"))
        .or_else(|| variable("KUBERNETES_SERVICE_HOST"))
}

/// Writes the settings that win over the user's own, readable for the user
/// alone, with a token that is new at every start: the folder that holds them,
/// and the token.
fn settle() -> Result<(PathBuf, String)> {
    let folder = paths::made().join("jupyter");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let token = match env::var("JUPYTER_TOKEN") {
        Ok(own) if !own.is_empty() => own,
        _ => token()?,
    };
    let settings = json!({
        "ServerApp": {
            "ip": "127.0.0.1",
            "base_url": "/",
            "allow_remote_access": false,
            "allow_origin": "",
            "allow_origin_pat": "",
            "disable_check_xsrf": false,
        },
        "IdentityProvider": {"token": token},
    });
    let (new, file) = (folder.join("new"), folder.join("jupyter_server_config.json"));
    let _ = fs::remove_file(&new);
    let mut writer = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    writer.write_all(serde_json::to_string_pretty(&settings)?.as_bytes())?;
    fs::rename(new, file)?;
    Ok((folder, token))
}

/// 192 bits of chance, as text.
fn token() -> Result<String> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")
        .and_then(|mut chance| chance.read_exact(&mut bytes))
        .context("/dev/urandom, from which the token is made, cannot be read")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn root_is_welcome_in_a_container_and_elsewhere_only_when_asked_for() {
        assert_eq!(root_line(false, None, false).unwrap(), None);
        assert!(root_line(true, Some("/.dockerenv"), false).unwrap().unwrap().contains("in a container"));
        assert!(root_line(true, None, true).unwrap().unwrap().contains("anything on this machine"));
        let error = root_line(true, None, false).unwrap_err().to_string();
        assert!(error.contains("as another user") && error.contains("--allow-root"), "{error}");
    }

    #[test]
    fn a_port_that_another_program_has_is_not_taken() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let error = free_port(Some(port)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("has the port {port}")) && error.contains("without `--port`"),
            "{error}"
        );
        drop(other);
        assert_eq!(free_port(Some(port)).unwrap(), port);
        assert!((8888..8988).contains(&free_port(None).unwrap()));
    }

    #[test]
    fn a_token_is_long_and_never_the_same() {
        let (one, two) = (token().unwrap(), token().unwrap());
        assert_eq!(one.len(), 48);
        assert_ne!(one, two);
    }
}
