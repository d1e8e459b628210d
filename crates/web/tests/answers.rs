//! The answers to a list of requests, kept in `answers.txt`: a request, then its answer.
//!
//! `answers.mjs` asks the WebAssembly modules the same. `UPDATE_EXPECT=1 cargo test -p nchw-web` writes
//! the file.

#![allow(clippy::unwrap_used)] // a panic fails the test

use nchw_web::{Module, answer};
use std::{env, fs};

/// The requests to each module in `assets/`.
const REQUESTS: &[(&str, &[&str])] = &[(
    "shapes",
    &[
        r#"{"call":"version"}"#,
        r#"{"call":"unknown"}"#,
        r#"{"call":"shapes"}"#,
        r#"{"call":"shapes_presets"}"#,
        r#"{"call":"shapes","input":"8x3x32x32","layers":"conv 32 3x3 padding 1; bn; relu; maxpool 2; flatten; linear 10"}"#,
        r#"{"call":"shapes","input":"3x224x224","layers":"nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2)"}"#,
        r#"{"call":"shapes","input":"3x32x32","layers":"conv 8 3x3; cnov 4 3x3"}"#,
        r#"{"call":"shapes","input":"3x32x32","layers":"conv 8 3x3；conv 3->4 3x3"}"#,
        r#"{"call":"shapes","input":"3x3q2x32","layers":"relu"}"#,
        r#"{"call":"field","input":"3x32x32","layers":"conv 8 3 stride 2 dilation 2; maxpool 2","layer":2,"row":3,"col":4}"#,
        r#"{"call":"field","input":"3x32x32","layers":"relu","layer":1,"row":32,"col":0}"#,
        r#"{"call":"quiz","seed":7,"level":2}"#,
        r#"{"call":"quiz","seed":7,"level":5}"#,
        r#"{"call":"quiz_check","seed":7,"level":2,"answer":"1 2 3 4"}"#,
        r#"{"call":"quiz_check","seed":7,"level":4,"answer":"1.5"}"#,
        r#"{"call":"quiz_explained","seed":7,"level":4}"#,
    ],
)];

#[test]
fn every_request_has_its_answer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/answers.txt");
    let mut found = String::new();
    for (name, requests) in REQUESTS {
        found += &format!("= {name}.wasm\n");
        // As on a page, a module answers all requests of a figure.
        let mut module = Module::default();
        for request in *requests {
            found += &format!("{request}\n{}\n", answer(&mut module, request.as_bytes()));
        }
    }
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(path).unwrap_or_default());
}
