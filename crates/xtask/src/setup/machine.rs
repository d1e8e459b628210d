//! What set-up finds on this machine before it begins.

use crate::setup::source::{self, Request, Source};
use crate::system::run;
use crate::system::tools::{self, Tools};
use anyhow::Result;
use std::{fs, process::Command};

/// What the steps depend on.
pub struct Machine {
    /// The programs that set-up and the kernel use.
    pub tools: Tools,
    /// Where libtorch comes from.
    pub source: Source,
    /// The active conda environment, if it contains JupyterLab, and when it was last changed: an
    /// environment that was made again is a different one.
    pub conda: Option<String>,
}

impl Machine {
    /// Looks for the tools and chooses libtorch.
    ///
    /// # Errors
    /// If tools are missing.
    pub fn find(request: Request) -> Result<Machine> {
        let source = source::choose(request);
        let tools = tools::find(matches!(source, Source::WheelCpu | Source::WheelCuda))?;
        let conda = conda_with_jupyter(&tools);
        Ok(Machine { tools, source, conda })
    }

    /// A machine with nothing on it, for tests.
    #[cfg(test)]
    pub fn empty(sysroot: &std::path::Path) -> Machine {
        let tools = Tools { sysroot: sysroot.to_owned(), ..Tools::default() };
        Machine { tools, source: Source::WheelCpu, conda: None }
    }
}

/// The memory that programs can still use; None if the system does not say.
pub fn available_memory_gb() -> Option<f64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1e6)
}

fn conda_with_jupyter(tools: &Tools) -> Option<String> {
    let prefix = source::conda_prefix().filter(|prefix| tools.python.starts_with(prefix))?;
    let modules = "import jupyterlab, nbclient, jupytext";
    run::quiet(Command::new(&tools.python).args(["-c", modules])).ok()?;
    let changed = fs::metadata(prefix.join("conda-meta/history")).and_then(|history| history.modified());
    Some(format!("{} {:?}", prefix.display(), changed.ok()))
}
