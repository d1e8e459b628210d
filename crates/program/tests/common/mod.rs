//! Runs the program.

#![allow(dead_code, reason = "each test uses a part of this module")]

use std::{path::Path, process::Command};

/// A photo and the weights that come with the course.
pub const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/photos/chelsea.png");
pub const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../nchw/assets/lecture-net.safetensors");

/// The program with its own home folder, and without the data set and the proxy of the user who runs the tests.
pub fn nchw(home: &Path) -> Command {
    let mut nchw = Command::new(env!("CARGO_BIN_EXE_nchw"));
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        nchw.env_remove(name).env_remove(name.to_lowercase());
    }
    for name in ["NCHW_DATA", "NCHW_CACHE", "XDG_CACHE_HOME"] {
        nchw.env_remove(name);
    }
    nchw.env("HOME", home).current_dir(home);
    nchw
}

/// Standard output, error output and exit code.
pub fn ran(nchw: &mut Command) -> (String, String, i32) {
    let done = nchw.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(done.stdout), text(done.stderr), done.status.code().unwrap())
}
