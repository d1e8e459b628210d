//! evcxr_jupyter, the Rust kernel for Jupyter.

use crate::paths;
use crate::setup::machine::Machine;
use crate::setup::step::{Outside, Step};
use crate::system::cargo_install::{self, Compilation, Program};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::{cell::RefCell, fs, os::unix::fs::symlink, rc::Rc};

const PACKAGE: &str = "evcxr_jupyter";

/// Finds evcxr on the PATH, or compiles it for all clones.
pub fn step(machine: &Machine) -> Result<Step<'_>> {
    let cache = paths::cache()?;
    let needed = on_path().is_none() && !evcxr().exists()?;
    // Its compilation, which begins early and is waited for later.
    let compilation = Rc::new(RefCell::new(None));
    let begun = compilation.clone();
    let what = "evcxr for all clones (60 MB; 800 MB while it is compiled)";
    Ok(Step {
        name: "evcxr",
        what: "evcxr_jupyter, the Rust kernel; later clones use it, too",
        size: "60 MB to download; 2 to 4 minutes, unless it is installed already",
        outside: vec![Outside(cache.clone(), what.into())],
        // If evcxr is there in the right version, a change of these files compiles nothing.
        inputs: &[file!(), "crates/xtask/src/paths.rs"],
        values: Box::new(move || Ok(vec![paths::EVCXR.into(), cache.display().to_string()])),
        early: needed.then(|| -> Box<dyn Fn() -> Result<()>> {
            Box::new(move || {
                *begun.borrow_mut() = evcxr().begin(&machine.tools.cargo)?;
                Ok(())
            })
        }),
        exists: Box::new(|| link().exists()),
        act: Box::new(move || provide(&machine.tools.cargo, compilation.take())),
    })
}

fn link() -> PathBuf {
    paths::kernel().join(PACKAGE)
}

/// The evcxr that set-up found or installed.
pub fn program() -> Result<PathBuf> {
    fs::read_link(link()).context("evcxr is not set up yet: run `cargo xtask setup`")
}

/// The version of an evcxr, if it is recorded.
pub fn version(program: &Path) -> Option<String> {
    cargo_install::version(program, PACKAGE)
}

/// evcxr's packages that read source code when a kernel starts, found with a profiler. Without optimisation for these,
/// a kernel needs 44 s to start (`bench/README.md`).
const STARTING: &str = "ra_ap_syntax ra_ap_parser ra_ap_tt ra_ap_mbe ra_ap_syntax-bridge ra_ap_span ra_ap_hir_expand \
    ra_ap_hir_def ra_ap_intern ra_ap_base_db ra_ap_vfs ra_ap_cfg ra_ap_edition ra_ap_paths ra_ap_stdx \
    ra-ap-rustc_lexer rustc-literal-escaper rowan salsa countme text-size la-arena drop_bomb \
    hashbrown indexmap equivalent foldhash rustc-hash dashmap triomphe arrayvec smallvec thin-vec smol_str boxcar \
    intrusive-collections itertools either bitflags memchr once_cell parking_lot parking_lot_core lock_api \
    crossbeam-channel crossbeam-queue crossbeam-utils mimalloc libmimalloc-sys";
/// Those that a cell waits for, besides the compiler.
const RUNNING: &str = "evcxr ra_ap_hir_ty ra_ap_hir ra_ap_ide_db ra_ap_project_model";

/// All other packages are not optimised.
fn evcxr() -> Program {
    let level = |packages: &'static str, level: u8| {
        let packages = packages.split_whitespace();
        packages.map(move |package| format!("profile.release.package.{package}.opt-level={level}"))
    };
    let others = ["profile.release.opt-level=0", "profile.release.lto=\"off\""].map(String::from);
    let profile = others.into_iter().chain(level(STARTING, 2)).chain(level(RUNNING, 1)).collect();
    Program { package: PACKAGE, version: paths::EVCXR, prefix: "evcxr", profile }
}

/// evcxr on the PATH, if it is the right version.
fn on_path() -> Option<PathBuf> {
    which::which(PACKAGE).ok().filter(|found| version(found).as_deref() == Some(paths::EVCXR))
}

fn provide(cargo: &Path, begun: Option<Compilation>) -> Result<()> {
    if let Some(compilation) = begun {
        compilation.finish()?;
    }
    let program = on_path().map_or_else(|| evcxr().provide(cargo), Ok)?;
    let _ = fs::remove_file(link());
    Ok(symlink(program, link())?)
}
