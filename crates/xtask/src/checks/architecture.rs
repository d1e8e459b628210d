//! Checks the source against those invariants in ARCHITECTURE.md that the compiler does not enforce.

use crate::paths;
use crate::system::{files, run};
use anyhow::{Result, bail};
use std::{collections::BTreeSet, fs, process::Command};

/// Fails if a file breaks an invariant.
pub fn check() -> Result<()> {
    let source = paths::root().join("crates");
    let reasons = fs::read_to_string(paths::root().join("ARCHITECTURE.md"))?;
    let prelude = fs::read_to_string(source.join("nchw/src/prelude.rs"))?;
    let prelude: Vec<&str> = prelude.split(|c| !is_name(c)).filter(|name| !name.is_empty()).collect();
    let mut wrong = Vec::new();
    for path in files::files_in(&source)? {
        let name = path.strip_prefix(&source)?.to_string_lossy().into_owned();
        if !(name.contains("/src/") && name.ends_with(".rs")) || name.starts_with("xtask/") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let only_tests = name.ends_with("tests.rs") || name.contains("/tests/");
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if lines > 500 && !only_tests && !reasons.contains(&format!("| `{name}` |")) {
            wrong.push(format!("{name} has {lines} lines: split it, or give the reason in ARCHITECTURE.md"));
        }
        if text.contains("EVCXR_BEGIN_CONTENT") && !name.starts_with("nchw/src/notebook/") {
            wrong.push(format!("{name} must not contain the notebook's output format (ARCHITECTURE.md)"));
        }
        // Notebooks do not name the items of `web`, some of which have a name of the prelude.
        let named = |item: &&str| prelude.contains(item) && !name.starts_with("web/");
        let missing = without_example(&text).into_iter().filter(named);
        wrong.extend(missing.map(|item| format!("`{item}` is in the prelude, and its docs have no example")));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}

/// Fails if a package that notebooks link has other features for the program or for tests: set-up would compile it,
/// and everything that depends on it, twice.
pub fn packages_are_compiled_once() -> Result<()> {
    let linked = packages("--package nchw --edges normal,build")?;
    for others in ["--package nchw-program --edges normal,build", "--workspace --edges normal,build,dev"] {
        let others = packages(others)?;
        let twice: Vec<_> = linked.difference(&others).map(String::as_str).collect();
        if !twice.is_empty() {
            bail!(
                "only notebooks link these packages with these features: {}; add the features that the program needs \
                 to crates/nchw/Cargo.toml",
                twice.join(", ")
            );
        }
    }
    Ok(())
}

/// All packages of a selection, with their features.
fn packages(selection: &str) -> Result<BTreeSet<String>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p} [{f}]"]);
    let tree = run::quiet(cargo.args(selection.split(' ')).current_dir(paths::root()))?;
    Ok(tree.lines().map(|line| line.replace(" (proc-macro)", "")).collect())
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The public functions, types and constants of a file whose docs have no example. Doc tests compile the examples.
fn without_example(text: &str) -> Vec<&str> {
    let mut missing = Vec::new();
    let (mut docs, mut example) = (false, false);
    for line in text.lines() {
        // Only the items of the module: methods are indented.
        if let Some(doc) = line.strip_prefix("///") {
            example = (docs && example) || doc.contains("```");
            docs = true;
        } else if !line.starts_with("#[") {
            let item = ["pub fn ", "pub struct ", "pub enum ", "pub const "]
                .iter()
                .find_map(|kind| line.strip_prefix(kind));
            let name = item.and_then(|item| item.split(|c| !is_name(c)).next());
            missing.extend(name.filter(|_| !(docs && example)));
            (docs, example) = (false, false);
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_keeps_them() {
        check().unwrap();
    }

    #[test]
    fn items_without_an_example_are_found() {
        let text = "/// Docs.\npub fn one() {}\n/// ```\n/// two();\n/// ```\n#[inline]\npub fn two() {}\nstruct Three;\n";
        assert_eq!(without_example(text), ["one"]);
    }
}
