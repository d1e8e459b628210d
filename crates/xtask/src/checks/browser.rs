//! Pages and notebooks in a browser, as a person sees and uses them.

use crate::system::{environment, run};
use crate::{checks::skips, commands::scripts, paths, setup::source};
use anyhow::Result;
use std::{ffi::OsStr, path::PathBuf};

/// Chromium.
pub struct Browser {
    /// The Python that controls it.
    pub python: PathBuf,
}

impl Browser {
    /// None, and a skip of `what`, if Chromium is not installed.
    pub fn find(what: &str) -> Result<Option<Browser>> {
        if which::which("chromium").is_err() {
            skips::skip(&format!(
                "{what}: Chromium is not installed (Debian: apt-get install chromium chromium-driver)"
            ))?;
            return Ok(None);
        }
        Ok(Some(Browser { python: environment::python_of(".venv-browser", "browser.lock")? }))
    }

    /// The script of axe-core, which checks a page against the accessibility rules. Installed next to
    /// the Python that controls the browser.
    pub fn axe(&self) -> Result<Option<PathBuf>> {
        if which::which("npm").is_err() {
            skips::skip("the accessibility rules: npm is not installed (Debian: apt-get install npm)")?;
            return Ok(None);
        }
        let folder = environment::node_modules(".venv-browser")?;
        Ok(Some(folder.join("axe-core/axe.min.js")))
    }

    /// Runs a script that opens a notebook in JupyterLab and uses it.
    pub fn visit(&self, script: &str, arguments: &[impl AsRef<OsStr>]) -> Result<()> {
        let mut python = run::script_of(&self.python, script);
        python.args(arguments).arg("--jupyter").arg(paths::venv_program("python"));
        source::use_conda_jupyterlab(&mut python);
        run::run(&mut python)
    }
}

/// The book from the disk, on a phone and on a desktop; then as it is published, in a folder of a website.
pub fn book() -> Result<()> {
    let browser = Browser::find("the book in a browser")?;
    let visit = |script| match &browser {
        Some(browser) => run::run(&mut run::script_of(&browser.python, script)),
        None => Ok(()),
    };
    scripts::book(None, None)?;
    visit("browser.book")?;
    scripts::book(Some("https://example.org/nchw/"), Some("example/nchw"))?;
    visit("browser.site")
}

/// The interactive figures, each on a page of its own.
pub fn play() -> Result<()> {
    let Some(browser) = Browser::find("the interactive figures in a browser")? else { return Ok(()) };
    let pages = scripts::play_pages()?;
    let mut python = run::script_of(&browser.python, "browser.play");
    python.arg(&pages).args(browser.axe()?.iter().flat_map(|axe| [OsStr::new("--axe"), axe.as_os_str()]));
    run::run(&mut python)
}
