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

/// How cargo builds the program.
pub const BUILD: [&str; 5] = ["build", "--locked", "--package", "nchw-program", "--bins"];

/// Installs the command. It starts the program, and builds it again if its source has changed.
pub fn install(machine: &Machine) -> Result<()> {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    let host = &machine.tools.host;
    let standard = machine.tools.sysroot.join("lib/rustlib").join(host).join("lib");
    let mut libraries = machine.source.library_folders()?;
    libraries.push(paths::target().join(host).join("debug/deps"));
    libraries.push(standard.clone());
    let libraries = env::join_paths(libraries)?;
    let script = format!(
        "#!/bin/sh\n\
         # Written by `cargo xtask setup`: runs the course's program, built from its current source.\n\
         root={root}\n\
         export LIBTORCH={libtorch}\n\
         export LD_LIBRARY_PATH={libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\n\
         export GLIBC_TUNABLES=${{GLIBC_TUNABLES:-{MEMORY}}}\n\
         target=\"$root/.nchw/target\"\n\
         built=\"$target/{host}/debug\"\n\
         # Cargo needs a third of a second to find out that nothing has changed, so it is not asked then.\n\
         # The stamp contains the standard library that the program loads: after an update of Rust, it is another one.\n\
         stamp=\"$built/nchw-built\"\n\
         standard=''\n\
         [ ! -e \"$stamp\" ] || read -r standard < \"$stamp\"\n\
         if [ ! -x \"$built/nchw\" ] || [ ! -e \"$standard\" ] || [ -n \"$(find \"$root/Cargo.toml\" \"$root/Cargo.lock\" \\\n\
         \x20   \"$root/.nchw/libtorch.toml\" \"$root/crates\" -newer \"$stamp\" | head -n 1)\" ]; then\n\
         \x20 echo 'nchw: compiling what has changed, which takes up to two minutes' >&2\n\
         \x20 unset {variables}\n\
         \x20 begun=$(mktemp) || exit 2\n\
         \x20 trap 'rm -f \"$begun\"' EXIT\n\
         \x20 {cargo} {build} --quiet --manifest-path \"$root/Cargo.toml\" --config \"$root/.nchw/libtorch.toml\" --target-dir \"$target\" || exit 2\n\
         \x20 # Not the time of its end: a file may have been edited during the build.\n\
         \x20 printf '%s\\n' {standard}/libstd-*.so > \"$stamp\"\n\
         \x20 touch -r \"$begun\" \"$stamp\"\n\
         \x20 rm -f \"$begun\"\n\
         fi\n\
         exec \"$built/nchw\" \"$@\"\n",
        root = quoted(&paths::root()),
        libtorch = quoted(&source::folder()),
        libraries = quoted(Path::new(&libraries)),
        standard = quoted(&standard),
        cargo = quoted(&machine.tools.cargo),
        build = BUILD.join(" "),
        variables = paths::CARGO_VARIABLES.join(" "),
    );
    files::write_program(&paths::venv_program("nchw"), script)
}
