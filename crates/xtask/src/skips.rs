//! What the checks left out, and why: nothing is skipped without being listed at the end.

use crate::paths;
use anyhow::{Result, bail};
use std::{
    fs::{self, File},
    io::Write,
    path::PathBuf,
};

/// The environment variable that names the list: tests in Rust and Python append a line to it.
pub const VARIABLE: &str = "NCHW_SKIPS";
/// How lines begin that say what only a GPU can test.
const GPU: &str = "gpu: ";

/// The list itself.
pub fn list() -> PathBuf {
    paths::made().join("skips")
}

/// Begins a new list.
pub fn begin() -> Result<()> {
    Ok(fs::write(list(), "")?)
}

/// Says that something is skipped, and adds it to the list.
pub fn skip(what: &str) -> Result<()> {
    println!("skipped: {what}");
    let mut list = File::options().append(true).create(true).open(list())?;
    Ok(writeln!(list, "{what}")?)
}

/// Prints the list.
///
/// # Errors
/// When `strict`, and something was skipped that a machine without a GPU could have run.
pub fn report(strict: bool) -> Result<()> {
    let all = lines(&String::from_utf8_lossy(&fs::read(list())?));
    println!("\n{} skipped{}", all.len(), if all.is_empty() { "" } else { ":" });
    for line in &all {
        println!("  {line}");
    }
    judge(&all, strict)
}

/// Each once: a test that runs in several programs says the same every time.
fn lines(list: &str) -> Vec<String> {
    let mut all: Vec<String> = list.lines().filter(|line| !line.trim().is_empty()).map(Into::into).collect();
    all.sort();
    all.dedup();
    all
}

fn judge(all: &[String], strict: bool) -> Result<()> {
    let more: Vec<&String> = all.iter().filter(|line| !line.starts_with(GPU)).collect();
    if strict && !more.is_empty() {
        bail!(
            "{} of the skips above need no GPU: install what they name, or run `cargo xtask test` without `--strict`",
            more.len()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn strict_checks_may_skip_what_needs_a_gpu_and_nothing_else() {
        let gpu = lines("gpu: training on CUDA\ngpu: training on CUDA\n\n");
        assert_eq!(gpu, ["gpu: training on CUDA"]);
        judge(&gpu, true).unwrap();
        let more = lines("npm is missing\ngpu: training on CUDA\n");
        judge(&more, false).unwrap();
        let error = judge(&more, true).unwrap_err().to_string();
        assert!(error.contains("1 of the skips above need no GPU"), "{error}");
    }
}
