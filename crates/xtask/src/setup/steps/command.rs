//! The command `nchw` in `.venv/bin`.

use crate::paths;
use crate::setup::{machine::Machine, source};
use crate::system::platform::{self, Platform};
use crate::system::{files, tools};
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
    let [libraries, standard] = [Path::new(&libraries), &standard].map(quoted);
    let script = format!(
        "#!/bin/sh\n\
         # Written by `cargo xtask setup`: runs the course's program, built from its current source.\n\
         root={root}\n\
         export LIBTORCH={libtorch}\n\
         export NCHW_COURSE=\"$root\"\n\
         {exports}\
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
         \x20 if [ ! -x {cargo} ]; then\n\
         \x20   echo 'nchw: the Rust that set-up used is no longer there: run `cargo xtask setup`' >&2\n\
         \x20   exit 2\n\
         \x20 fi\n\
         {toolchain}\
         \x20 begun=$(mktemp) || exit 2\n\
         \x20 trap 'rm -f \"$begun\"' EXIT\n\
         \x20 {cargo} {build} --quiet --manifest-path \"$root/Cargo.toml\" --config \"$root/.nchw/libtorch.toml\" --target-dir \"$target\" || exit 2\n\
         \x20 # Not the time of its end: a file may have been edited during the build.\n\
         \x20 printf '%s\\n' {standard}/{library} > \"$stamp\"\n\
         \x20 touch -r \"$begun\" \"$stamp\"\n\
         \x20 rm -f \"$begun\"\n\
         fi\n\
         exec \"$built/nchw\" \"$@\"\n",
        root = quoted(&paths::root()),
        libtorch = quoted(&platform::HERE.libtorch_for_cargo(&source::folder())),
        exports = exports(platform::HERE, &libraries),
        library = platform::HERE.library("std-*"),
        cargo = quoted(&machine.tools.cargo),
        build = BUILD.join(" "),
        variables = [&paths::CARGO_VARIABLES[..], &paths::CARGO_RUN_VARIABLES].concat().join(" "),
        toolchain = toolchain(tools::rustup_name(&machine.tools.sysroot)),
    );
    files::write_program(&paths::venv_program("nchw"), script)
}

/// The line that chooses set-up's compiler. Cargo runs the `rustc` on the PATH, which for rustup is the default toolchain of
/// this moment, and that may have changed.
fn toolchain(name: Option<String>) -> String {
    name.map(|name| format!("  export RUSTUP_TOOLCHAIN='{name}'\n")).unwrap_or_default()
}

/// The lines that tell the loader where the libraries are and, on Linux, how the C library treats memory.
fn exports(platform: Platform, libraries: &str) -> String {
    let variable = platform.loader_variable();
    let loader = format!("export {variable}={libraries}${{{variable}:+:${variable}}}\n");
    match platform {
        Platform::Linux => format!("{loader}export GLIBC_TUNABLES=${{GLIBC_TUNABLES:-{MEMORY}}}\n"),
        Platform::MacOs => loader,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::run;
    use std::process::Command;

    #[test]
    fn the_program_gets_the_loader_s_variable_of_its_system() {
        let value = |platform: Platform, variable: &str, before: &str| {
            let script = exports(platform, "'/a b:/c'") + "printenv \"$0\"";
            let mut shell = Command::new("sh");
            shell.args(["-c", &script, variable]).env_remove("GLIBC_TUNABLES");
            run::quiet(shell.env(platform.loader_variable(), before)).unwrap_or_default().trim().to_owned()
        };
        assert_eq!(value(Platform::Linux, "LD_LIBRARY_PATH", ""), "/a b:/c");
        assert_eq!(value(Platform::Linux, "LD_LIBRARY_PATH", "/mine"), "/a b:/c:/mine");
        assert_eq!(value(Platform::Linux, "GLIBC_TUNABLES", ""), MEMORY);
        assert_eq!(value(Platform::MacOs, "DYLD_FALLBACK_LIBRARY_PATH", ""), "/a b:/c");
        assert_eq!(value(Platform::MacOs, "GLIBC_TUNABLES", ""), "");
    }
}
