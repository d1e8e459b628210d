//! What differs between the systems on which the course can be set up: the names of shared libraries, and how a program
//! finds them.

use std::path::{Path, PathBuf};

/// A system. Every function gets it as a parameter, so that tests cover both on each of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Platform {
    Linux,
    MacOs,
}

/// The system of this machine.
pub const HERE: Platform = if cfg!(target_os = "macos") { Platform::MacOs } else { Platform::Linux };

impl Platform {
    /// The file name of a shared library: `libc10.so`.
    pub fn library(self, name: &str) -> String {
        format!("lib{name}.{}", self.library_extension())
    }

    /// The ending of shared libraries' file names.
    pub fn library_extension(self) -> &'static str {
        match self {
            Platform::Linux => "so",
            Platform::MacOs => "dylib",
        }
    }

    /// The environment variable with the folders in which the loader looks for libraries.
    ///
    /// macOS removes such variables when a program of the system itself starts, such as `/bin/sh`: a shell script must
    /// set it for what it starts. This is the one that cargo sets, too: it is used only for libraries that are nowhere
    /// else, so it cannot replace one of the system's.
    pub fn loader_variable(self) -> &'static str {
        match self {
            Platform::Linux => "LD_LIBRARY_PATH",
            Platform::MacOs => "DYLD_FALLBACK_LIBRARY_PATH",
        }
    }

    /// The parts of libtorch that programs are linked against, and others that are linked to beside them, if libtorch
    /// has them.
    ///
    /// On macOS, `libtorch_cpu` looks for its OpenMP beside itself. `libtorch` is for a build without set-up's settings,
    /// which links it; on Linux, a text file of the linker replaces it.
    pub fn libtorch(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Platform::Linux => (&["torch_cpu", "c10"], &[]),
            Platform::MacOs => (&["torch_cpu", "c10"], &["torch", "omp"]),
        }
    }

    /// What `LIBTORCH` is while cargo compiles the course's crates, whose build scripts write it into programs, as a folder
    /// for the loader.
    ///
    /// On Linux, set-up tells the loader in its variable. A program without a path serves another clone, too.
    pub fn libtorch_for_cargo(self, folder: &Path) -> PathBuf {
        match self {
            Platform::Linux => PathBuf::new(),
            Platform::MacOs => folder.to_owned(),
        }
    }

    /// The options, for a shell, with which the C++ compiler links the library `name` so that it finds others in `folder`,
    /// which is relative to its own folder.
    ///
    /// On macOS, what is linked against a library records the name that is written into it; by default, the path at which
    /// the linker wrote it.
    pub fn shared_library_options(self, name: &str, folder: &str) -> String {
        match self {
            Platform::Linux => format!("-Wl,-rpath,'$ORIGIN/{folder}'"),
            Platform::MacOs => {
                format!("-Wl,-rpath,@loader_path/{folder} -Wl,-install_name,@rpath/{}", self.library(name))
            }
        }
    }

    /// Where pip keeps its downloads; `cache` is the user's folder for caches on Linux.
    pub fn pip_cache(self, home: Option<&Path>, cache: Option<PathBuf>) -> Option<PathBuf> {
        match self {
            Platform::Linux => Some(cache?.join("pip")),
            Platform::MacOs => Some(home?.join("Library/Caches/pip")),
        }
    }

    /// How to get a C++ compiler.
    pub fn cxx_advice(self) -> &'static str {
        match self {
            Platform::Linux => "install one (Debian, Ubuntu: `sudo apt install g++`)",
            Platform::MacOs => "install Apple's with `xcode-select --install`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Platform::{Linux, MacOs};
    use super::*;
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};

    #[test]
    fn libraries_are_named_as_the_compiler_names_them() {
        assert_eq!(Linux.library("tch"), "libtch.so");
        assert_eq!(MacOs.library("tch"), "libtch.dylib");
        assert_eq!(HERE.library("tch"), format!("{DLL_PREFIX}tch{DLL_SUFFIX}"));
    }

    #[test]
    fn a_library_finds_others_relative_to_its_own_folder() {
        let options = |platform: Platform| platform.shared_library_options("tch", "../libtorch/lib");
        assert_eq!(options(Linux), "-Wl,-rpath,'$ORIGIN/../libtorch/lib'");
        assert_eq!(
            options(MacOs),
            "-Wl,-rpath,@loader_path/../libtorch/lib -Wl,-install_name,@rpath/libtch.dylib"
        );
    }

    #[test]
    fn the_loader_and_pip_look_where_the_system_s_own_do() {
        assert_eq!(Linux.loader_variable(), "LD_LIBRARY_PATH");
        assert_eq!(MacOs.loader_variable(), "DYLD_FALLBACK_LIBRARY_PATH");
        let home = Path::new("/home/me");
        let pip = |platform: Platform| platform.pip_cache(Some(home), Some(home.join(".cache")));
        assert_eq!(pip(Linux), Some(home.join(".cache/pip")));
        assert_eq!(pip(MacOs), Some(home.join("Library/Caches/pip")));
        assert_eq!(Linux.pip_cache(None, None), None);
    }
}
