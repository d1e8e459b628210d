//! What evcxr's rust-analyzer reads: the source of the standard library, and what `cargo metadata` answers.
//!
//! To find the type of a variable, rust-analyzer reads the source of every package in the output of
//! `cargo metadata`, about 150. The types in a notebook come from only seven of them. Leaving out the
//! others halves the time until a notebook's first variable.
//!
//! The answer is changed as plain JSON: the crate `cargo_metadata` would drop fields that it does not know.

use crate::kernel::answers::Answer;
use crate::paths::{EMPTY_STD, STD};
use crate::system::files;
use anyhow::Result;
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{ffi::OsString, fs};

/// The packages that the types of a notebook's variables come from, besides evcxr's own. Of torch-sys: what a stride may be
/// (`IntList`).
pub const VISIBLE: [&str; 6] = ["nchw", "nchw-core", "nchw-draw", "tch", "torch-sys", "anyhow"];
/// evcxr's package, which contains one cell.
const CELL: &str = "ctx";

/// Where the kernel in this working folder finds the standard library's source: a link, which stays the same path.
///
/// When evcxr starts, it computes `42`, and rust-analyzer reads everything. When evcxr then adds the course's crate,
/// rust-analyzer reads everything again. So the kernel begins `without` the standard library, which takes more than a
/// second, and gets it with the course's crate ([`cells_have_dependencies`]).
pub fn standard_library(home: &Path, slot: &Path, without: bool) -> Result<PathBuf> {
    let link = slot.join(STD);
    files::link(&home.join(if without { EMPTY_STD } else { STD }), &link)?;
    Ok(link)
}

/// Leaves only the `VISIBLE` packages in what `cargo metadata` answers; another answer stays as it is. `sources` has copies
/// of their source, if these are up to date.
pub fn visible(answer: Answer, sources: Option<&Path>) -> Result<Answer> {
    let Ok(mut metadata) = serde_json::from_str::<Value>(&answer.out) else { return Ok(answer) };
    keep_visible(&mut metadata);
    if let Some(sources) = sources {
        metadata["packages"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .for_each(|package| show_copy(package, sources));
    }
    Ok(Answer { out: format!("{metadata}\n"), ..answer })
}

/// The name of the folder with the copy of a package's source.
pub fn name_of_copy(package: &Value) -> Option<String> {
    Some(format!("{}-{}", package["name"].as_str()?, package["version"].as_str()?))
}

/// The copies of packages in this folder.
pub fn copies(sources: &Path) -> Vec<OsString> {
    let folders = fs::read_dir(sources).into_iter().flatten().flatten();
    let complete = folders.filter(|folder| folder.path().join("src/lib.rs").is_file());
    let mut names: Vec<_> = complete.map(|folder| folder.file_name()).collect();
    names.sort();
    names
}

/// Names the copy of a package instead of the package, if there is one.
fn show_copy(package: &mut Value, sources: &Path) {
    let folder =
        package["manifest_path"].as_str().and_then(|path| Path::new(path).parent()).map(PathBuf::from);
    let (Some(name), Some(folder)) = (name_of_copy(package), folder) else { return };
    let copy = sources.join(name);
    let in_copy = |path: &Value| {
        let copy = copy.join(Path::new(path.as_str()?).strip_prefix(&folder).ok()?);
        copy.is_file().then(|| Value::from(copy.display().to_string()))
    };
    let Some(manifest) = in_copy(&package["manifest_path"]) else { return };
    package["manifest_path"] = manifest;
    retain(&mut package["targets"], |target| in_copy(&target["src_path"]).is_some());
    for target in package["targets"].as_array_mut().into_iter().flatten() {
        target["src_path"] = in_copy(&target["src_path"]).unwrap_or_default();
    }
}

/// Whether this is an answer of `cargo metadata` for a cell's package that has dependencies.
pub fn cells_have_dependencies(answer: &str) -> bool {
    let metadata: Value = serde_json::from_str(answer).unwrap_or_default();
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    packages.any(|package| {
        package["name"] == CELL && package["dependencies"].as_array().is_some_and(|all| !all.is_empty())
    })
}

fn keep_visible(metadata: &mut Value) {
    let mut kept = HashSet::new();
    retain(&mut metadata["packages"], |package| {
        let visible = [CELL].iter().chain(&VISIBLE).any(|name| package["name"] == **name);
        if visible {
            kept.insert(package["id"].clone());
        }
        visible
    });
    let Some(nodes) = metadata.pointer_mut("/resolve/nodes") else { return };
    retain(nodes, |node| kept.contains(&node["id"]));
    for node in nodes.as_array_mut().into_iter().flatten() {
        retain(&mut node["deps"], |dependency| kept.contains(&dependency["pkg"]));
        retain(&mut node["dependencies"], |id| kept.contains(id));
    }
}

fn retain(list: &mut Value, keep: impl FnMut(&Value) -> bool) {
    if let Some(list) = list.as_array_mut() {
        list.retain(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_visible_packages_are_left_in_all_lists() {
        let mut metadata = json!({
            "packages": [{"name": "ctx", "id": "a"}, {"name": "nchw", "id": "b"}, {"name": "png", "id": "c"}],
            "resolve": {"root": "a", "nodes": [
                {"id": "a", "dependencies": ["b"], "deps": [{"pkg": "b"}]},
                {"id": "b", "dependencies": ["c"], "deps": [{"pkg": "c"}]},
                {"id": "c", "dependencies": [], "deps": []}]}});
        keep_visible(&mut metadata);
        let expected = json!({
            "packages": [{"name": "ctx", "id": "a"}, {"name": "nchw", "id": "b"}],
            "resolve": {"root": "a", "nodes": [
                {"id": "a", "dependencies": ["b"], "deps": [{"pkg": "b"}]},
                {"id": "b", "dependencies": [], "deps": []}]}});
        assert_eq!(metadata, expected);
    }

    #[test]
    fn the_standard_library_comes_with_the_first_dependency() {
        let of = |dependencies| {
            let other = json!({"name": "b", "dependencies": [{"name": "c"}]});
            cells_have_dependencies(
                &json!({"packages": [other, {"name": "ctx", "dependencies": dependencies}]}).to_string(),
            )
        };
        assert!(of(json!([{"name": "nchw"}])) && !of(json!([])) && !cells_have_dependencies("cargo 1.95"));
        let temp = tempfile::tempdir().unwrap();
        for (without, leads_to) in [(true, "home/empty-std"), (false, "home/std"), (true, "home/empty-std")] {
            let link = standard_library(Path::new("home"), temp.path(), without).unwrap();
            assert_eq!(std::fs::read_link(&link).unwrap(), Path::new(leads_to));
        }
    }

    #[test]
    fn only_the_packages_in_an_answer_are_changed() {
        let out =
            |answer: &str| visible(Answer { status: 0, out: answer.into(), err: "a".into() }, None).unwrap();
        assert_eq!(out("cargo 1.95\n"), Answer { status: 0, out: "cargo 1.95\n".into(), err: "a".into() });
        let hidden = out(r#"{"packages":[{"name":"png","id":"c"}],"resolve":null}"#);
        assert_eq!(hidden.out, "{\"packages\":[],\"resolve\":null}\n");
    }

    #[test]
    fn a_package_is_read_from_its_copy() {
        let temp = tempfile::tempdir().unwrap();
        let sources = temp.path();
        for file in ["tch-0.24.0/Cargo.toml", "tch-0.24.0/src/lib.rs"] {
            fs::create_dir_all(sources.join(file).parent().unwrap()).unwrap();
            fs::write(sources.join(file), "").unwrap();
        }
        let package = |name: &str, folder: &str, targets: &[&str]| {
            let targets: Vec<_> =
                targets.iter().map(|path| json!({"src_path": format!("{folder}/{path}")})).collect();
            json!({"name": name, "version": "0.24.0", "manifest_path": format!("{folder}/Cargo.toml"), "targets": targets})
        };
        let both = ["src/lib.rs", "examples/mnist.rs"];
        let metadata =
            json!({"packages": [package("tch", "/registry/tch", &both), package("nchw", "/course", &both)]});
        assert_eq!(copies(sources), ["tch-0.24.0"]);
        let answer = Answer { out: metadata.to_string(), ..Answer::default() };
        let shown = visible(answer, Some(sources)).unwrap();
        let copy = sources.join("tch-0.24.0").display().to_string();
        let expected = [package("tch", &copy, &["src/lib.rs"]), package("nchw", "/course", &both)];
        assert_eq!(serde_json::from_str::<Value>(&shown.out).unwrap()["packages"], json!(expected));
    }

    #[test]
    fn an_answer_without_a_resolve_is_accepted() {
        let mut metadata = json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null});
        keep_visible(&mut metadata);
        assert_eq!(metadata, json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null}));
    }
}
