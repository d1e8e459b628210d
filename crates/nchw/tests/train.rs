//! `nchw train` and `nchw eval`, as they are typed.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use common::TempFolder;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

fn nchw(arguments: &str, folder: &Path) -> Command {
    let mut nchw = Command::new(env!("CARGO_BIN_EXE_nchw"));
    nchw.args(arguments.split(' ')).current_dir(folder).env("NCHW_DATA", "").env("NCHW_CACHE", folder);
    nchw
}

/// Standard output, error output and exit code.
fn said(mut nchw: Command) -> (String, String, i32) {
    let done = nchw.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(done.stdout), text(done.stderr), done.status.code().unwrap())
}

const SMALL: &str =
    "train --preset quick --stand-in 96 --set batch=32 --device cpu --precision fp32 --out run";

#[test]
fn trained_tested_and_gone_on_with() {
    let folder = TempFolder::new("cli-train");
    let here = folder.path();
    let (out, err, code) = said(nchw(&format!("{SMALL} --epochs 1"), here));
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains(
            "Shapes-10 (stand-in: drawn by this course), 96 + 20 pictures; CPU, fp32: done, 1.0 of 1 epochs"
        ),
        "{out}"
    );
    let log = fs::read_to_string(here.join("run/log.jsonl")).unwrap();
    assert!(log.lines().count() == 1 && log.contains("\"epoch\":1"), "{log}");

    let (_, err, code) = said(nchw(&format!("{SMALL} --epochs 1"), here));
    assert_eq!(
        (err.as_str(), code),
        ("nchw: run holds a training already: --resume goes on with it, or choose another folder\n", 2)
    );
    let (out, err, code) = said(nchw(&format!("{SMALL} --epochs 1 --resume"), here));
    assert!(code == 0 && out.contains("done"), "{out}{err}");
    let (_, err, code) = said(nchw(&format!("{SMALL} --epochs 2 --resume"), here));
    assert!(code == 2 && err.contains("holds a training by another recipe: epochs 1 there, 2 here"), "{err}");

    // Three records: a label and 3072 bytes each.
    let record = |label: u8| [vec![label], vec![17 * label; 3072]].concat();
    fs::write(here.join("three.bin"), [record(3), record(9), record(3)].concat()).unwrap();
    let (out, err, code) = said(nchw("eval --weights run/weights.safetensors --batch three.bin", here));
    assert!(
        code == 0 && out.contains("of 3 pictures right") && out.contains("mirrored, too: "),
        "{out}{err}"
    );
    let (out, _, code) = said(nchw("eval --weights run/weights.safetensors --batch three.bin --json", here));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let confusion = report["plain"]["confusion"].as_array().unwrap();
    let row =
        |class: usize| confusion[class].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((code, row(3), row(9), row(0)), (0, 2, 1, 0));
    assert_eq!(report["plain"]["class_accuracy"][0], serde_json::Value::Null);
}

#[test]
fn what_cannot_be_done_is_told() {
    let folder = TempFolder::new("cli-train-errors");
    let refused = |arguments: &str| {
        let (out, err, code) = said(nchw(arguments, folder.path()));
        assert_eq!((out.as_str(), code), ("", 2), "{err}");
        err
    };
    let err = refused("train --out run");
    assert!(err.contains("CIFAR-10 is in no place") && err.contains("`nchw data fetch`"), "{err}");
    let err = refused("train --out run --preset slow --stand-in");
    assert!(err.contains("there is no preset `slow`: expected quick, lecture or best"), "{err}");
    let err = refused("train --out run --stand-in 9 --set speed=1");
    assert!(err.contains("there is no choice `speed`"), "{err}");
    let err = refused("train --out run --stand-in 9 --precision int8");
    assert!(err.contains("expected the precision fp32 or bf16, got `int8`"), "{err}");
    let err = refused("train --out run --stand-in 9 --device tpu");
    assert!(err.contains("expected cpu or cuda, got `tpu`"), "{err}");

    let err = refused("eval --weights none.safetensors --batch none.bin");
    assert!(err.contains("none.safetensors could not be read"), "{err}");
    fs::write(folder.path().join("page.html"), "<html>Sign in</html>").unwrap();
    let err = refused("eval --weights page.html --batch none.bin");
    assert!(err.contains("page.html: this is not a whole safetensors file (20 bytes"), "{err}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_checkpoint() {
    let folder = TempFolder::new("cli-interrupt");
    let mut child = nchw(&format!("{SMALL} --epochs 9999"), folder.path());
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let checkpoint = folder.path().join("run/checkpoint.safetensors");
    for _ in 0..600 {
        if checkpoint.exists() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let (_, err, code) = said(nchw(&format!("{SMALL} --epochs 9999 --resume"), folder.path()));
    assert!(code == 2 && err.contains("another program trains in"), "{err}");
    let done = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
    let done = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(130), "{out}");
    assert!(out.contains("the same command with --resume goes on"), "{out}");
    let (out, err, code) = said(nchw(&format!("{SMALL} --epochs 3 --resume"), folder.path()));
    assert!(code == 2 && err.contains("epochs 9999 there, 3 here"), "{out}{err}");
}
