//! `cargo xtask lab`: JupyterLab, for one person on this machine.
//!
//! Everybody who can connect to a Jupyter server can run commands as the user who started it.
//! Therefore it listens only on this machine and requires a token. The user's own settings of Jupyter
//! do not change this: they may be meant for another server.

use crate::system::{files, run};
use crate::{paths, setup::source};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::{env, process::Command};

/// Opens JupyterLab on the notebooks in a folder, and waits until it ends.
pub fn lab(notebooks: &Path, no_browser: bool, port: Option<u16>) -> Result<()> {
    let port = free_port(port)?;
    let variable = |name| env::var(name).ok();
    let codespace =
        codespace(variable("CODESPACE_NAME"), variable("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN"), port);
    let (settings, token) = write_settings(codespace.as_deref())?;
    if !files::is_writable(notebooks) {
        println!(
            "{} cannot be written: you can run cells, but your changes are not saved.",
            notebooks.display()
        );
    }
    // JupyterLab itself prints only a token that it has chosen itself.
    let page = "/lab/tree/00-start.ipynb";
    let (whose, address) = match codespace {
        Some(address) => ("only for you, from this codespace", address),
        None => ("only on this machine", format!("http://127.0.0.1:{port}")),
    };
    println!("JupyterLab, {whose} (Ctrl-C twice ends it):\n\n    {address}{page}?token={token}\n");
    let mut jupyter = Command::new(paths::venv_program("python"));
    jupyter.args(["-m", "jupyterlab", "--ServerApp.port_retries=0"]);
    jupyter.args([format!("--port={port}"), format!("--LabApp.default_url={page}")]);
    // Its other messages would hide the address.
    jupyter.arg("--log-level=WARN");
    jupyter.arg(format!("--ServerApp.root_dir={}", notebooks.display()));
    // Before the user's own settings.
    jupyter.env("JUPYTER_CONFIG_PATH", paths::prepend("JUPYTER_CONFIG_PATH", &[settings])?);
    // For the command `nchw` in JupyterLab's terminals.
    jupyter.env("PATH", paths::prepend("PATH", &[paths::venv().join("bin")])?);
    // Keeps a kernel ready for the next notebook (`nchw_spare.py`), unless the user has set it to 0.
    if paths::variable("NCHW_SPARE").is_none() {
        jupyter.env("NCHW_SPARE", "1");
    }
    if no_browser {
        jupyter.arg("--no-browser");
    }
    if rustix::process::geteuid().is_root() {
        jupyter.arg("--allow-root");
    }
    source::use_conda_jupyterlab(&mut jupyter);
    run::run(&mut jupyter)
}

/// The requested port, or the first free one from Jupyter's default.
///
/// # Errors
/// If another program uses it.
fn free_port(requested: Option<u16>) -> Result<u16> {
    let free = |port| Some(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?.local_addr().ok()?.port());
    match requested {
        Some(port) => free(port).with_context(|| {
            format!("another program uses port {port}: without `--port`, a free port is chosen")
        }),
        None => (8888..8988).find_map(free).context(
            "other programs use all ports from 8888 to 8987: choose another, such as `cargo xtask lab --port 9999`",
        ),
    }
}

/// If root starts JupyterLab, a cell can change anything on this machine. In a container, that is
/// only the container, and root is often its only user.
///
/// # Errors
/// For root outside of a container, unless `allow_root`.
pub fn check_root(allow_root: bool) -> Result<()> {
    let root = rustix::process::geteuid().is_root();
    if let Some(line) = about_root(root, container(), allow_root)? {
        println!("{line}");
    }
    Ok(())
}

fn about_root(root: bool, container: Option<&str>, allowed: bool) -> Result<Option<String>> {
    match (root, container) {
        (false, _) => Ok(None),
        (true, Some(sign)) => Ok(Some(format!(
            "You are root in a container ({sign}): every cell runs as the container's root."
        ))),
        (true, None) if allowed => {
            Ok(Some("You are root: every cell can change anything on this machine.".into()))
        }
        (true, None) => bail!(
            "you are root, and every cell could change anything on this machine: start this as another user \
             (nothing here needs root), or, if you want this, with `cargo xtask lab --allow-root`"
        ),
    }
}

/// A sign that this is a container.
fn container() -> Option<&'static str> {
    let file = |path: &'static str| Path::new(path).exists().then_some(path);
    let variable = |name: &'static str| paths::variable(name).map(|_| name);
    file("/.dockerenv")
        .or_else(|| file("/run/.containerenv"))
        .or_else(|| variable("container"))
        .or_else(|| variable("KUBERNETES_SERVICE_HOST"))
}

/// The address at which the browser of a codespace's owner reaches a port, which GitHub forwards to nobody else. None
/// outside of GitHub Codespaces.
fn codespace(name: Option<String>, domain: Option<String>, port: u16) -> Option<String> {
    let (name, domain) = (name.filter(|name| !name.is_empty())?, domain.filter(|domain| !domain.is_empty())?);
    Some(format!("https://{name}-{port}.{domain}"))
}

/// Writes settings that take precedence over the user's own. Only the user can read them, and they
/// contain a new token at every start. Returns their folder and the token.
///
/// JupyterLab answers only pages of its own address; `origin` is one more, if a server forwards requests to it.
fn write_settings(origin: Option<&str>) -> Result<(PathBuf, String)> {
    let folder = paths::dot_nchw().join("jupyter");
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
            "allow_origin": origin.unwrap_or_default(),
            "allow_origin_pat": "",
            "disable_check_xsrf": false,
        },
        "IdentityProvider": {"token": token},
    });
    let file = folder.join("jupyter_server_config.json");
    files::write_private(&file, serde_json::to_string_pretty(&settings)?)?;
    Ok((folder, token))
}

/// 192 random bits, as text.
fn token() -> Result<String> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("/dev/urandom cannot be read, so there is no token")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_may_start_it_in_a_container_and_elsewhere_only_on_request() {
        assert_eq!(about_root(false, None, false).unwrap(), None);
        assert!(about_root(true, Some("/.dockerenv"), false).unwrap().unwrap().contains("in a container"));
        assert!(about_root(true, None, true).unwrap().unwrap().contains("anything on this machine"));
        let error = about_root(true, None, false).unwrap_err().to_string();
        assert!(error.contains("as another user") && error.contains("--allow-root"), "{error}");
    }

    #[test]
    fn a_port_that_another_program_uses_is_not_taken() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let error = free_port(Some(port)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("uses port {port}")) && error.contains("without `--port`"),
            "{error}"
        );
        drop(other);
        assert_eq!(free_port(Some(port)).unwrap(), port);
        assert!((8888..8988).contains(&free_port(None).unwrap()));
    }

    #[test]
    fn in_a_codespace_the_address_is_that_of_its_owner() {
        let of = |name: &str, domain: &str| codespace(Some(name.into()), Some(domain.into()), 8888);
        assert_eq!(
            of("fuzzy-tree-x1", "app.github.dev").unwrap(),
            "https://fuzzy-tree-x1-8888.app.github.dev"
        );
        assert_eq!(of("", "app.github.dev"), None);
        assert_eq!(codespace(None, Some("app.github.dev".into()), 8888), None);
        assert_eq!(codespace(Some("fuzzy-tree-x1".into()), None, 8888), None);
    }

    #[test]
    fn a_token_is_long_and_always_new() {
        let (one, two) = (token().unwrap(), token().unwrap());
        assert_eq!(one.len(), 48);
        assert_ne!(one, two);
    }
}
