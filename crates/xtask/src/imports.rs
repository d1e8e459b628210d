//! Which files of this crate import which others; only for tests.

use crate::paths;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The files that a file imports with `use crate::…` or `use xtask::…`, not counting its tests.
pub fn imports(file: &Path) -> HashSet<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
    let uses = code.split("\nuse crate::").skip(1).chain(code.split("\nuse xtask::").skip(1));
    let paths = uses.flat_map(|rest| {
        let tree: String = rest.split(';').next().unwrap().split_whitespace().collect();
        expand(&tree)
    });
    paths.filter_map(|path| module(&path)).collect()
}

/// `a::{b, c::d}` becomes `a::b` and `a::c::d`.
fn expand(tree: &str) -> Vec<String> {
    let Some((prefix, list)) = tree.split_once('{') else { return vec![tree.to_owned()] };
    let (mut depth, mut items) = (0, vec![String::new()]);
    for c in list.strip_suffix('}').unwrap().chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        items.last_mut().unwrap().push(c);
    }
    items.retain(|item| !item.is_empty());
    items.iter().flat_map(|item| expand(item)).map(|item| format!("{prefix}{item}")).collect()
}

/// The file of the innermost module in a path such as `system::files::write`.
fn module(path: &str) -> Option<PathBuf> {
    let names: Vec<&str> = path.split("::").filter(|name| *name != "self").collect();
    (1..=names.len()).rev().find_map(|length| {
        let module = source().join(names[..length].join("/"));
        [module.with_extension("rs"), module.join("mod.rs")].into_iter().find(|file| file.is_file())
    })
}

/// The folder with this crate's source.
pub fn source() -> PathBuf {
    paths::root().join("crates/xtask/src")
}

#[test]
fn no_file_imports_itself_through_others() {
    let files = WalkDir::new(source()).into_iter().map(|entry| entry.unwrap().into_path());
    let mut open: HashMap<PathBuf, HashSet<PathBuf>> =
        files.filter(|file| file.is_file()).map(|file| (file.clone(), imports(&file))).collect();
    assert!(open[&source().join("main.rs")].contains(&source().join("setup/mod.rs")));
    // Files that import no open file are closed, until only cycles are left.
    while let Some(file) = open.iter().find(|(_, of)| of.iter().all(|file| !open.contains_key(file))) {
        let file = file.0.clone();
        open.remove(&file);
    }
    assert!(open.is_empty(), "a cycle of imports is among {open:#?}");
}
