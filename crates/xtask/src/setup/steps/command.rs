//! The command `nchw` in `.venv/bin`.

use crate::setup::{machine::Machine, source};
use crate::{paths, system::files};
use anyhow::Result;
use std::{env, path::Path};

/// Keeps the memory that a step of training frees for the next step, in large pages. Otherwise the
/// system provides it again, page by page: up to 18,000 pages per step, which takes a sixth of the
/// time. Not for notebooks: their kernels return the memory of a training to the system.
const MEMORY: &str = "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1:\
                      glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296";

/// Installs it. The program is compiled when it is first called: most learners never call it, so
/// set-up does not wait for it.
pub fn install(machine: &Machine) -> Result<()> {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    let libraries = env::join_paths(machine.source.library_folders()?)?;
    let script = format!(
        "#!/bin/sh\n\
         # Written by `cargo xtask setup`: runs the course's program, built from its current source.\n\
         root={root}\n\
         export LIBTORCH={libtorch}\n\
         export LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n\
         export GLIBC_TUNABLES=${{GLIBC_TUNABLES:-{MEMORY}}}\n\
         if [ ! -x \"${{CARGO_TARGET_DIR:-$root/target}}/debug/nchw\" ]; then\n\
         \x20 echo 'nchw is compiled before its first use: 2 to 4 minutes' >&2\n\
         fi\n\
         exec {cargo} run --quiet --locked --manifest-path \"$root/Cargo.toml\" --package nchw-program --bin nchw \\\n\
         \x20 --config \"$root/.nchw/libtorch.toml\" -- \"$@\"\n",
        root = quoted(&paths::root()),
        libtorch = quoted(&source::folder()),
        libraries = quoted(Path::new(&libraries)),
        cargo = quoted(&machine.tools.cargo),
    );
    files::write_program(&paths::venv_program("nchw"), script)
}
