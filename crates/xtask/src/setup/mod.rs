//! Set-up: a list of steps. A step that is done already is skipped, so an interrupted set-up resumes
//! where it stopped.
//!
//! [`machine`] finds out what is on the machine, [`source`] chooses libtorch. Each file of [`steps`]
//! does the work of one step; [`step`] runs them, [`inputs`] knows when one must run again.

pub mod inputs;
pub mod lock;
pub mod machine;
pub mod reduced;
pub mod shared;
pub mod source;
pub mod step;
pub mod steps;

use crate::paths;
use crate::setup::machine::Machine;
use crate::setup::source::{Request, Source};
use crate::setup::step::Step;
use crate::setup::steps::{
    evcxr, kernelspec, libtorch, notebooks, packages, program, python, rust_source, wrapper,
};
use crate::system::{files, wsl};
use anyhow::{Result, bail};
use std::{fs, path::Path, time::Instant};

/// With less memory, evcxr's largest packages and the C++ wrapper are compiled one after the other.
const EARLY_MEMORY_GB: f64 = 5.0;

/// Does all steps that are not done yet; returns where libtorch comes from.
pub fn setup(request: Request) -> Result<Source> {
    require_usable_path(&paths::root())?;
    let machine = Machine::find(request)?;
    files::make(&paths::dot_nchw())?;
    let _lock = lock::take(&paths::dot_nchw())?;
    require_space(&machine.source)?;
    fs::create_dir_all(paths::kernel())?;
    if let Some(slow) = wsl::slow_disk() {
        println!("  before you wait: {slow}");
    }
    let start = Instant::now();
    let (steps, stamps) = (all_steps(&machine)?, paths::dot_nchw().join("steps"));
    let mut worked = false;
    for (number, step) in steps.iter().enumerate() {
        worked |= step.run(&stamps)?;
        // After the first one: without a network, it fails within seconds.
        if number == 0 && machine::available_memory_gb().is_none_or(|gb| gb > EARLY_MEMORY_GB) {
            steps.iter().try_for_each(|step| step.begin(&stamps))?;
        }
    }
    drop(steps);
    if worked {
        println!("  set-up is complete, after {:.0} s\n", start.elapsed().as_secs_f64());
    }
    Ok(machine.source)
}

/// All steps, in order.
pub fn all_steps(machine: &Machine) -> Result<Vec<Step<'_>>> {
    Ok(vec![
        packages::step(machine)?,
        python::step(machine),
        libtorch::step(machine),
        rust_source::step(machine),
        wrapper::step(machine),
        evcxr::step(machine)?,
        kernelspec::step(machine),
        notebooks::step(machine),
        program::step(machine),
    ])
}

/// Spaces and letters of any language work. These few characters have a meaning in cargo's settings,
/// in a list of folders, or in a shell.
fn require_usable_path(folder: &Path) -> Result<()> {
    let special =
        |c: char| matches!(c, ':' | ';' | '"' | '\'' | '\\' | '$' | '`' | '{' | '}') || c.is_control();
    let Some(text) = folder.to_str() else {
        bail!("the path {} is not UTF-8: move the course to another folder", folder.display());
    };
    if let Some(found) = text.chars().find(|c| special(*c)) {
        bail!(
            "the path {text} contains {found:?}, which compilers cannot handle: move the course to a folder \
             without it; nothing has been changed yet"
        );
    }
    Ok(())
}

/// Stops before any long step if the disk is too full.
fn require_space(source: &Source) -> Result<()> {
    let done = paths::dot_nchw().join("steps/notebooks").exists();
    let needed = match source {
        _ if done => 0.5,
        Source::WheelCuda => 12.0,
        _ => 6.0,
    };
    let free = files::free_gb()?;
    if free < needed {
        bail!(
            "the disk is too full: set-up needs {needed} GB in {}, {free:.1} GB are free; \
             nothing has been changed yet",
            paths::root().display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_contain_spaces_and_korean_letters_but_no_colon() {
        assert!(require_usable_path(Path::new("/home/김 철수/합성곱 (1)")).is_ok());
        for name in ["/home/a:b", "/home/it's", "/home/a\nb", "/home/$x"] {
            let error = require_usable_path(Path::new(name)).unwrap_err().to_string();
            assert!(error.contains("move the course"), "{error}");
        }
    }
}
