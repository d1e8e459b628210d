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

/// The packages that the types of a notebook's variables come from. Of torch-sys: what a stride may be (`IntList`).
const VISIBLE: [&str; 7] = ["ctx", "nchw", "nchw-core", "nchw-draw", "tch", "torch-sys", "anyhow"];

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

/// Leaves only the `VISIBLE` packages in what `cargo metadata` answers; another answer stays as it is.
pub fn visible(answer: Answer) -> Result<Answer> {
    let Ok(mut metadata) = serde_json::from_str::<Value>(&answer.out) else { return Ok(answer) };
    keep_visible(&mut metadata);
    Ok(Answer { out: format!("{metadata}\n"), ..answer })
}

/// Whether this is an answer of `cargo metadata` for a cell's package that has dependencies.
pub fn cells_have_dependencies(answer: &str) -> bool {
    let metadata: Value = serde_json::from_str(answer).unwrap_or_default();
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    packages.any(|package| {
        package["name"] == "ctx" && package["dependencies"].as_array().is_some_and(|all| !all.is_empty())
    })
}

fn keep_visible(metadata: &mut Value) {
    let mut kept = HashSet::new();
    retain(&mut metadata["packages"], |package| {
        let visible = VISIBLE.iter().any(|name| package["name"] == **name);
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
        let out = |answer: &str| visible(Answer { status: 0, out: answer.into(), err: "a".into() }).unwrap();
        assert_eq!(out("cargo 1.95\n"), Answer { status: 0, out: "cargo 1.95\n".into(), err: "a".into() });
        let hidden = out(r#"{"packages":[{"name":"png","id":"c"}],"resolve":null}"#);
        assert_eq!(hidden.out, "{\"packages\":[],\"resolve\":null}\n");
    }

    #[test]
    fn an_answer_without_a_resolve_is_accepted() {
        let mut metadata = json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null});
        keep_visible(&mut metadata);
        assert_eq!(metadata, json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null}));
    }
}
