//! Which files of a crate import which others; only for tests.

use crate::{paths, system::files};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ItemMod, ItemUse, UseName, UseRename, UseTree, Visibility};

/// The files of the same crate that a file imports, not counting its tests. A name that a `mod.rs`
/// re-exports counts as an import of the file that defines it.
pub fn imports(file: &Path) -> HashSet<PathBuf> {
    let source = file.ancestors().find(|folder| folder.ends_with("src")).unwrap();
    // A re-export is no import: it only gives a name another path.
    let private = uses(file).into_iter().filter(|(public, _)| !public);
    let found = private.filter_map(|(_, path)| defined_in(source, &absolute(source, file, path)));
    found.filter(|found| found != file).collect()
}

/// The paths in the `use` declarations of a file, and whether they are public.
fn uses(file: &Path) -> Vec<(bool, Vec<String>)> {
    let mut uses = Uses(vec![]);
    uses.visit_file(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap());
    uses.0
}

struct Uses(Vec<(bool, Vec<String>)>);

impl<'a> Visit<'a> for Uses {
    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        if !is_test(&item.attrs) {
            let public = !matches!(item.vis, Visibility::Inherited);
            self.0.extend(paths_of(&item.tree).into_iter().map(|path| (public, path)));
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|a| a.path().is_ident("cfg") && a.parse_args::<Ident>().is_ok_and(|cfg| cfg == "test"))
}

/// `a::{b, c::{d, self}}` as `a::b`, `a::c::d`, `a::c`.
fn paths_of(tree: &UseTree) -> Vec<Vec<String>> {
    let names = |ident: &Ident| if ident == "self" { vec![] } else { vec![ident.to_string()] };
    match tree {
        UseTree::Path(path) => {
            let first = names(&path.ident);
            paths_of(&path.tree).into_iter().map(|rest| [first.clone(), rest].concat()).collect()
        }
        UseTree::Group(group) => group.items.iter().flat_map(paths_of).collect(),
        UseTree::Name(UseName { ident }) | UseTree::Rename(UseRename { ident, .. }) => vec![names(ident)],
        UseTree::Glob(_) => vec![vec!["*".into()]],
    }
}

/// The modules of a path from the crate's root: `super::layer::Op` in `shapes/kinds.rs` is
/// `shapes::layer::Op`.
fn absolute(source: &Path, file: &Path, path: Vec<String>) -> Vec<String> {
    let mut modules: Vec<String> = file
        .strip_prefix(source)
        .unwrap()
        .with_extension("")
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    if ["mod", "lib", "main"].contains(&modules.last().unwrap().as_str()) {
        modules.pop();
    }
    let mut names = path.into_iter().peekable();
    match names.peek().map(String::as_str) {
        Some("crate" | "xtask") => {
            modules.clear();
            names.next();
        }
        _ => {
            while names.next_if(|name| name == "super").is_some() {
                modules.pop();
            }
        }
    }
    modules.into_iter().chain(names).collect()
}

/// The file that a path leads to; None if it leads out of the crate.
fn defined_in(source: &Path, path: &[String]) -> Option<PathBuf> {
    let (file, rest) = (0..=path.len()).rev().find_map(|length| {
        let module = source.join(path[..length].join("/"));
        let names = [module.with_extension("rs"), module.join("mod.rs"), module.join("lib.rs")];
        names.into_iter().find(|file| file.is_file()).map(|file| (file, &path[length..]))
    })?;
    let Some(name) = rest.first() else { return Some(file) };
    let public = uses(&file).into_iter().filter(|(public, path)| *public && path.last() == Some(name));
    let mut definitions =
        public.map(|(_, path)| absolute(source, &file, path)).filter(|found| found[..] != *path);
    let definition = definitions.next().and_then(|definition| defined_in(source, &definition));
    // The root of the crate imports its modules, and they its re-exports.
    definition.or(Some(file).filter(|file| !file.ends_with("lib.rs")))
}

#[test]
fn no_file_imports_itself_through_others() {
    for name in ["core", "draw", "files", "nchw", "program", "xtask"] {
        let source = paths::root().join("crates").join(name).join("src");
        let mut files = files::files_in(&source).unwrap();
        files.retain(|file| file.extension().is_some_and(|e| e == "rs") && !file.ends_with("tests.rs"));
        let mut open: HashMap<_, _> = files.into_iter().map(|file| (file.clone(), imports(&file))).collect();
        // Files that import no open file, or that none imports, are closed, until only cycles are left.
        loop {
            let names: HashSet<PathBuf> = open.keys().cloned().collect();
            let imported: HashSet<PathBuf> = open.values().flatten().cloned().collect();
            open.retain(|file, imports| !imports.is_disjoint(&names) && imported.contains(file));
            if open.len() == names.len() {
                break;
            }
        }
        assert!(open.is_empty(), "a cycle of imports is among {open:#?}");
    }
}

#[test]
fn a_folder_has_at_most_a_dozen_files() {
    let mut counts: HashMap<PathBuf, usize> = HashMap::new();
    for file in files::files_in(&paths::root().join("crates")).unwrap() {
        let source = file.iter().any(|part| part == "src" || part == "python");
        if source && file.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            *counts.entry(file.parent().unwrap().into()).or_default() += 1;
        }
    }
    assert!(!counts.is_empty());
    counts.retain(|_, count| *count > 12);
    assert!(counts.is_empty(), "these folders need subfolders: {counts:#?}");
}

#[test]
fn imports_are_followed_to_the_file_that_defines_them() {
    let source = paths::root().join("crates");
    let of = |file: &str| imports(&source.join(file));
    assert!(of("core/src/shapes/apply/row.rs").contains(&source.join("core/src/shapes/apply/slide.rs")));
    // Through the re-export in shapes/mod.rs.
    assert!(of("core/src/shapes/explain.rs").contains(&source.join("core/src/shapes/apply/row.rs")));
    assert!(of("xtask/src/main.rs").contains(&source.join("xtask/src/setup/mod.rs")));
}

#[test]
fn values_know_neither_drawing_nor_what_is_built_on_them() {
    let source = paths::root().join("crates/nchw/src");
    for file in files::files_in(&source).unwrap() {
        let name = file.strip_prefix(&source).unwrap();
        let is_in = |folder: &str| name.with_extension("").iter().any(|part| part == folder);
        if name.extension().is_none_or(|extension| extension != "rs") || is_in("tests") {
            continue;
        }
        // `notebook` displays figures; `lib` and `prelude` export them.
        if !["figures", "notebook", "lib", "prelude"].into_iter().any(is_in) {
            let draws = |path: &[String]| match path {
                [crate_name, module, ..] if crate_name == "crate" => module == "figure" || module == "chart",
                [crate_name, ..] => crate_name == "nchw_draw",
                [] => false,
            };
            let drawn = uses(&file).into_iter().find(|(_, path)| draws(path));
            assert_eq!(drawn, None, "{}: only figures may import the drawing crate", name.display());
        }
        let unknown: &[&str] = match name.iter().next().and_then(|folder| folder.to_str()) {
            Some("image" | "filter") => &["data", "net", "see", "train"],
            Some("data") => &["net", "see", "train"],
            _ => &[],
        };
        for imported in imports(&file) {
            let known = imported.strip_prefix(&source).unwrap();
            let known = known.iter().next().unwrap().to_string_lossy();
            assert!(!unknown.contains(&&*known), "{} must not import {known}", name.display());
        }
    }
}
