//! The quiz forms in headless Chromium, by keyboard alone.
//!
//! That needs the browser's driver (`requirements/browser.in`), so a plain
//! `cargo test` ignores it; `cargo xtask test` runs it, in its step "browser".
//! `NCHW_BROWSER_PYTHON` is a Python with selenium. `NCHW_AXE` names axe-core's
//! `axe.min.js`; with it, the page is checked for accessibility, too.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use nchw::quiz::quiz_form;
use std::{env, fs, path::Path, process::Command};

#[test]
#[ignore = "needs a browser: the step \"browser\" of `cargo xtask test` runs it"]
fn forms_are_answered_by_keyboard_alone() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = env::var_os("NCHW_BROWSER_PYTHON")
        .map_or_else(|| here.join("../../.venv-browser/bin/python"), Into::into);
    let folder = common::TempFolder::new("quiz-form");
    let page = folder.path().join("forms.html");
    let forms = quiz_form(&["a3", "b2", "e1", "why1", "chan1", "pool1"]).html();
    let head = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Forms</title></head>";
    fs::write(&page, format!("{head}<body><main><h1>Quizzes</h1>{forms}</main></body></html>")).unwrap();
    let mut test = Command::new(python);
    test.arg(here.join("tests/quiz/form_by_keyboard.py")).arg(&page).args(env::var_os("NCHW_AXE"));
    // libtorch's folder is on the loader's path here, and is none of the browser's business.
    for variable in ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"] {
        test.env_remove(variable);
    }
    let done = test.output().expect("a Python with selenium: NCHW_BROWSER_PYTHON");
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}\n{error}");
    println!("{out}");
}

#[test]
fn an_unknown_id_is_reported_in_its_position() {
    let html = quiz_form(&["a1", "a11"]).html();
    assert!(html.contains("there is no quiz `a11`: did you mean `a1`?"), "{html}");
    assert_eq!(html.matches("<form").count(), 1);
}

/// Two runs of a notebook differ only in `nchw-form-[0-9a-f]+`.
#[test]
fn only_one_pattern_varies_and_no_id_comes_twice() {
    let html = || quiz_form(&["b2", "e1", "b2"]).html();
    let (one, other) = (html(), html());
    let constant = |html: &str| -> Vec<String> {
        let pieces = html.split("nchw-form-");
        pieces.map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_hexdigit()).to_string()).collect()
    };
    assert_ne!(one, other);
    assert_eq!(constant(&one), constant(&other));
    let page = one + &other;
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), all), (24, 24));
}
