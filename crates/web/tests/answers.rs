//! The answers to a list of requests, kept in `answers.txt`: a request, then its answer.
//!
//! `answers.mjs` asks the WebAssembly modules the same. `UPDATE_EXPECT=1 cargo test -p nchw-web` writes
//! the file.

#![allow(clippy::unwrap_used)] // a panic fails the test

use nchw_web::{Module, answer};
use std::{env, fs};

/// The requests to each module in `assets/`.
const REQUESTS: &[(&str, &[&str])] = &[
    (
        "maps",
        &[
            r#"{"call":"filter_presets"}"#,
            r#"{"call":"filter_change","kernel":[2,3],"weights":[1,2,3,4,5,6],"how":"rotate"}"#,
            r#"{"call":"filter_change","kernel":[1,2],"weights":[1,-2],"how":"red"}"#,
            r#"{"call":"window_presets","seed":1}"#,
            r#"{"call":"window","image":"1 2 0\n0 1 3\n4 0 1","kernel":"1 0\n2 -1","stride":1,"padding":0,"dilation":1}"#,
            r#"{"call":"window_at","image":"1 2 0\n0 1 3\n4 0 1","kernel":"1 0\n2 -1","bias":"1/9","stride":2,"padding":1,"dilation":2,"row":0,"col":0}"#,
            r#"{"call":"window_at","image":"1 2\n\n3 4\n\n5 6","kernel":"nan\n\n0.3\n\n-1","stride":1,"padding":0,"dilation":1,"row":0,"col":1}"#,
            r#"{"call":"window_uses","image":"1 2 0\n0 1 3","kernel":"1 0 1","stride":1,"padding":1,"dilation":1,"row":1,"col":2}"#,
            r#"{"call":"window","image":"1 2 0\n0 1 3","kernel":"1\n0\n1","stride":1,"padding":0,"dilation":1}"#,
            r#"{"call":"pool_presets","seed":1}"#,
            r#"{"call":"pool","map":"1 0 2 3 0\n4 6 6 8 0\n3 1 1 0 5","window":2,"stride":2,"right":1}"#,
            r#"{"call":"pool_at","map":"1 0 2 3 0\n4 6 6 8 0\n3 1 1 0 5","window":3,"stride":1,"down":-1,"row":0,"col":2}"#,
            r#"{"call":"pool_under","map":"1 0 2\n4 6 6","window":2,"stride":2,"row":0,"col":2}"#,
            r#"{"call":"pool","map":"1 0","window":2,"stride":2}"#,
        ],
    ),
    (
        "net",
        &[
            r#"{"call":"version"}"#,
            r#"{"call":"net_load","weights":8,"length":4}"#,
            r#"{"call":"net_show","image":8,"rows":32,"columns":32}"#,
            r#"{"call":"net_paint","layer":0,"columns":8,"gap":1,"rgba":8}"#,
            r#"{"call":"net_photo","rgba":8,"rows":2,"columns":2,"planes":8,"small":8}"#,
            r#"{"call":"net_switch","layer":0,"off":[1]}"#,
            r#"{"call":"colours","values":[-1,0,0.5,2],"palette":"signed","range":[-1,1]}"#,
        ],
    ),
    (
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
    ),
];

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
