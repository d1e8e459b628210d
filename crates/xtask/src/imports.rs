//! Which files of this crate import which others; only for tests.

use crate::{paths, system::files};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files that a file imports with `use crate::…` or `use xtask::…`, not counting its tests.
pub fn imports(file: &Path) -> HashSet<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
    let uses = ["\nuse crate::", "\nuse xtask::"].into_iter().flat_map(|start| code.split(start).skip(1));
    let paths = uses.flat_map(|rest| {
        let path: String = rest.split(';').next().unwrap().split_whitespace().collect();
        let (prefix, list) = path.split_once('{').unwrap_or(("", &path));
        assert!(!list.contains('{'), "{}: write a `use` for each module in `{path}`", file.display());
        list.trim_end_matches('}').split(',').map(|item| format!("{prefix}{item}")).collect::<Vec<_>>()
    });
    paths.filter_map(|path| module(&path)).collect()
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
    let files = files::files_in(&source()).unwrap();
    let mut open: HashMap<_, _> = files.into_iter().map(|file| (file.clone(), imports(&file))).collect();
    assert!(open[&source().join("main.rs")].contains(&source().join("setup/mod.rs")));
    // Files that import no open file are closed, until only cycles are left.
    loop {
        let names: HashSet<PathBuf> = open.keys().cloned().collect();
        open.retain(|_, imports| !imports.is_disjoint(&names));
        if open.len() == names.len() {
            break;
        }
    }
    assert!(open.is_empty(), "a cycle of imports is among {open:#?}");
}
