//! The list of everything that the checks skip, and why. It is printed at their end.

use crate::paths;
use anyhow::{Result, bail};
use std::fs::{self, File};
use std::{io::Write, path::PathBuf};

/// The environment variable that names the list: tests in Rust and Python append a line to it.
pub const VARIABLE: &str = "NCHW_SKIPS";
/// The beginning of lines about tests that need a GPU.
const GPU: &str = "gpu: ";

/// The file with the list.
pub fn list() -> PathBuf {
    paths::dot_nchw().join("skips")
}

/// Begins a new list.
pub fn begin() -> Result<()> {
    Ok(fs::write(list(), "")?)
}

/// Prints that something is skipped, and adds it to the list.
pub fn skip(what: &str) -> Result<()> {
    println!("skipped: {what}");
    let mut list = File::options().append(true).create(true).open(list())?;
    Ok(writeln!(list, "{what}")?)
}

/// Prints the list.
///
/// # Errors
/// If `strict`, and something was skipped that needs no GPU.
pub fn report(strict: bool) -> Result<()> {
    let all = lines(&String::from_utf8_lossy(&fs::read(list())?));
    println!("\n{} skipped{}", all.len(), if all.is_empty() { "" } else { ":" });
    for line in &all {
        println!("  {line}");
    }
    require_only_gpu(&all, strict)
}

/// Each line once: a test that is part of several programs adds the same line every time.
fn lines(list: &str) -> Vec<String> {
    let mut all: Vec<String> = list.lines().filter(|line| !line.trim().is_empty()).map(Into::into).collect();
    all.sort();
    all.dedup();
    all
}

fn require_only_gpu(all: &[String], strict: bool) -> Result<()> {
    let more: Vec<&String> = all.iter().filter(|line| !line.starts_with(GPU)).collect();
    if strict && !more.is_empty() {
        bail!(
            "{} of the skips above need no GPU: install what they mention, or run `cargo xtask test` without `--strict`",
            more.len()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_checks_may_skip_only_what_needs_a_gpu() {
        let gpu = lines("gpu: training on CUDA\ngpu: training on CUDA\n\n");
        assert_eq!(gpu, ["gpu: training on CUDA"]);
        require_only_gpu(&gpu, true).unwrap();
        let more = lines("npm is missing\ngpu: training on CUDA\n");
        require_only_gpu(&more, false).unwrap();
        let error = require_only_gpu(&more, true).unwrap_err().to_string();
        assert!(error.contains("1 of the skips above need no GPU"), "{error}");
    }
}
