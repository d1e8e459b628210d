//! Helpers for unit tests (`crate::testing`) and for the tests in `tests/`.

#![allow(dead_code, reason = "each test uses a part of this module")]

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// Compares a text with the expected one, which is kept in a file under `tests/`.
///
/// `UPDATE_EXPECT=1` rewrites the file: review the changes.
pub fn as_kept(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, text).expect("the expected text can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == text {
        return;
    }
    let same = expected.lines().zip(text.lines()).take_while(|(expected, got)| expected == got).count();
    let context =
        |text: &str| text.lines().skip(same.saturating_sub(3)).take(7).collect::<Vec<_>>().join("\n");
    panic!(
        "{file} differs from line {} on\n--- expected\n{}\n--- got\n{}\n--- UPDATE_EXPECT=1 rewrites the file",
        same + 1,
        context(&expected),
        context(text)
    );
}

/// Reports that a test skips something, and why; `cargo xtask test` lists what was skipped.
///
/// Messages about tests that need a GPU begin with `gpu: `.
pub fn skip(what: &str) {
    eprintln!("skipped: {what}");
    if let Some(list) = env::var_os("NCHW_SKIPS") {
        let list = fs::File::options().append(true).create(true).open(list);
        list.and_then(|mut list| writeln!(list, "{what}")).expect("the list of skips can be written");
    }
}

/// A temporary folder, deleted when the test ends.
pub struct TempFolder(PathBuf);

impl TempFolder {
    pub fn new(name: &str) -> TempFolder {
        let folder = env::temp_dir().join(format!("nchw-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
        TempFolder(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether rustc accepts these lines of a program that uses the crate (without
/// linking it), and the compiler's output.
pub fn compiled(name: &str, lines: &[&str]) -> (bool, String) {
    let deps = env::current_exe().expect("a test is a file").parent().expect("in a folder").to_path_buf();
    let folder = TempFolder::new(name);
    let source = folder.path().join("cell.rs");
    let cell = format!("pub fn cell() {{\n    {}\n}}\n", lines.join("\n    "));
    fs::write(&source, cell).expect("the program can be written");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"]);
    rustc.arg("-L").arg(format!("dependency={}", deps.display()));
    // Where cargo puts macros if it is told to compile for a target: in `target/debug`, beside `target/TARGET/debug`.
    let macros = deps.ancestors().nth(3).map(|target| target.join("debug/deps"));
    rustc.args(macros.map(|macros| format!("-Ldependency={}", macros.display())));
    rustc.arg("--extern").arg(format!("nchw={}", deps.join("libnchw.rlib").display())).arg(&source);
    let output = rustc.arg("-o").arg(folder.path().join("cell.rmeta")).output().expect("rustc runs");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}
