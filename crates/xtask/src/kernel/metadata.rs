//! What evcxr's rust-analyzer gets when it runs `cargo metadata`.
//!
//! To find the type of a variable, rust-analyzer reads the source of every package in the output of
//! `cargo metadata`, about 150. The types in a notebook come from only six of them. Leaving out the
//! others halves the time until a notebook's first variable.
//!
//! The answer is changed as plain JSON: the crate `cargo_metadata` would drop fields that it does not know.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::HashSet;
use std::process::{Command, Stdio};

/// The packages that the types of a notebook's variables come from.
const VISIBLE: [&str; 6] = ["ctx", "nchw", "nchw-core", "nchw-draw", "tch", "anyhow"];

/// Runs `cargo metadata`, and prints only the `VISIBLE` packages of its answer.
pub fn answer(mut cargo: Command) -> Result<()> {
    let output = cargo.stderr(Stdio::inherit()).output().context("could not start cargo")?;
    if !output.status.success() {
        std::process::exit(output.status.code().unwrap_or(1));
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    keep_visible(&mut metadata);
    println!("{metadata}");
    Ok(())
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
    fn an_answer_without_a_resolve_is_accepted() {
        let mut metadata = json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null});
        keep_visible(&mut metadata);
        assert_eq!(metadata, json!({"packages": [{"name": "ctx", "id": "a"}], "resolve": null}));
    }
}
