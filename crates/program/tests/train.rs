//! `nchw train` and `nchw eval`, run as commands.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use common::{PHOTO, WEIGHTS, nchw, ran};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::tempdir;

/// The program with these arguments, in a folder of its own.
fn program(arguments: &str, folder: &Path) -> Command {
    let mut nchw = nchw(folder);
    nchw.args(arguments.split(' ').filter(|word| !word.is_empty()));
    nchw
}

/// Runs it: standard output, error output and exit code.
fn output(arguments: &str, folder: &Path) -> (String, String, i32) {
    ran(&mut program(arguments, folder))
}

const SMALL: &str =
    "train --preset quick --stand-in 96 --set batch_size=32 --device cpu --precision fp32 --out run";

#[test]
fn a_training_can_be_evaluated_and_resumed() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    let (out, err, code) = output(&format!("{SMALL} --epochs 1"), here);
    assert_eq!(code, 0, "{err}");
    // Without a terminal, there is still a line per epoch, on standard error like the progress bar.
    assert!(err.starts_with("quick on Shapes-10") && err.contains("\nepoch   1 of 1 █"), "{err}");
    assert!(
        out.contains(
            "Shapes-10 (stand-in: drawn by this course), 96 + 20 images; CPU, fp32: done, step 3 of 3 (1.0 of 1 epochs)"
        ),
        "{out}"
    );
    let log = fs::read_to_string(here.join("run/log.jsonl")).unwrap();
    assert!(log.lines().count() == 1 && log.contains("\"epoch\":1"), "{log}");

    let (_, err, code) = output(&format!("{SMALL} --epochs 1"), here);
    assert_eq!(
        (err.as_str(), code),
        ("nchw: run contains a training already: --resume continues it, or choose another folder\n", 2)
    );
    let (out, err, code) = output(&format!("{SMALL} --epochs 1 --resume"), here);
    assert!(code == 0 && out.contains("done"), "{out}{err}");
    let (_, err, code) = output(&format!("{SMALL} --epochs 2 --resume"), here);
    assert!(
        code == 2 && err.contains("contains a training with another recipe: epochs 1 there, 2 here"),
        "{err}"
    );

    // Three records of a label and 3072 bytes each.
    let record = |label: u8| [vec![label], vec![17 * label; 3072]].concat();
    fs::write(here.join("three.bin"), [record(3), record(9), record(3)].concat()).unwrap();
    let (out, err, code) = output("eval --weights run/weights.safetensors --batch three.bin", here);
    assert!(code == 0 && out.contains("% on 3 images") && out.contains("with mirror images: "), "{out}{err}");
    let (out, _, code) = output("eval --weights run/weights.safetensors --batch three.bin --json", here);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let confusion = report["plain"]["confusion"].as_array().unwrap();
    let row =
        |class: usize| confusion[class].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((code, row(3), row(9), row(0)), (0, 2, 1, 0));
    assert_eq!(report["plain"]["class_accuracy"][0], serde_json::Value::Null);
}

#[test]
fn invalid_options_and_files_give_errors() {
    let folder = tempdir().unwrap();
    let refused = |arguments: &str| {
        let (out, err, code) = output(arguments, folder.path());
        assert_eq!((out.as_str(), code), ("", 2), "{err}");
        err
    };
    let err = refused("train --out run");
    assert!(err.contains("CIFAR-10 was not found") && err.contains("`nchw data fetch`"), "{err}");
    fs::write(folder.path().join("page.html"), "<html>Sign in</html>").unwrap();
    for (arguments, why) in [
        (
            "train --out run --preset slow --stand-in",
            "there is no preset `slow`: expected quick, lecture or best",
        ),
        ("train --out run --stand-in 9 --set speed=1", "there is no option `speed`"),
        ("train --out run --stand-in 9 --precision int8", "expected the precision fp32 or bf16, got `int8`"),
        ("train --out run --stand-in 9 --device tpu", "expected cpu, cuda or mps, got `tpu`"),
        #[cfg(target_os = "linux")]
        ("train --out run --stand-in 9 --device mps", "libtorch finds no GPU of a Mac"),
        ("eval --weights none.safetensors --batch none.bin", "none.safetensors could not be read"),
        (
            "eval --weights page.html --batch none.bin",
            "page.html: this is not a whole safetensors file (20 bytes",
        ),
    ] {
        let err = refused(arguments);
        assert!(err.contains(why), "{arguments}: {err}");
    }
}

/// The number of epochs in a training's log.
fn epochs(folder: &Path) -> usize {
    fs::read_to_string(folder.join("run/log.jsonl")).unwrap().lines().count()
}

/// `--epochs` is short for `--set epochs=`; both remove the preset's time limit.
#[test]
fn epochs_and_seed_are_short_for_set() {
    // The preset quick has 5 epochs and a limit of 3 minutes.
    for (options, expected) in [
        ("--epochs 2", 2),
        ("--set epochs=2", 2),
        ("--set epochs=40 --set minutes=0.000001", 1),
        ("--set minutes=0.000001 --epochs 40", 1),
        ("--set minutes=0.000001", 1),
        ("--set minutes=0 --set epochs=3", 3),
        ("--seed 7 --set epochs=1", 1),
    ] {
        let folder = tempdir().unwrap();
        let (_, err, code) = output(&format!("{SMALL} {options}"), folder.path());
        assert_eq!((code, epochs(folder.path())), (0, expected), "{options}: {err}");
    }
    let folder = tempdir().unwrap();
    let here = folder.path();
    let weights = |options: &str, out: &str| {
        let (_, err, code) = output(&SMALL.replace("--out run", &format!("--out {out} {options}")), here);
        assert_eq!(code, 0, "{options}: {err}");
        // Equal weights give equal bytes.
        fs::read(here.join(out).join("weights.safetensors")).unwrap()
    };
    let seven = weights("--seed 7 --epochs 1", "a");
    assert_eq!(seven, weights("--set seed=7 --set epochs=1", "b"));
    assert_ne!(seven, weights("--seed 8 --epochs 1", "c"));

    let refused = |arguments: &str| {
        let (out, err, code) = output(&format!("train --out new --stand-in 9 {arguments}"), here);
        assert_eq!((out.as_str(), code), ("", 2), "{err}");
        assert!(!here.join("new").exists());
        err
    };
    for twice in ["--epochs 3 --set epochs=5", "--set epochs=3 --set epochs=5"] {
        let err = refused(twice);
        assert!(err.contains("`epochs` is given twice, as epochs=3 and epochs=5: give it once"), "{err}");
    }
    assert!(refused("--seed 1 --set seed=1").contains("`seed` is given twice"));
    for value in ["0", "-1", "1.5", "many", "10001"] {
        let option = refused(&format!("--epochs {value}"));
        assert_eq!(option, refused(&format!("--set epochs={value}")));
        assert!(option.contains("epochs: expected a whole number from 1 to 10000, got "), "{option}");
    }
    for (old, new) in
        [("peak_rate=0.3", "max_lr=0.3"), ("head_pace=0.1", "head_lr_scale=0.1"), ("batch=8", "batch_size=8")]
    {
        let err = refused(&format!("--set {old}"));
        assert!(err.contains("is now called") && err.contains(&format!("`--set {new}`")), "{err}");
    }
    let err = refused("--set max_lr=1000");
    assert!(err.contains("a learning rate above 0 and up to 100, such as 0.3, got 1000"), "{err}");
}

/// Tries outputs that cannot be written: a pipe whose reader is gone, and a full disk (/dev/full).
#[cfg(target_os = "linux")]
#[test]
fn no_command_panics_if_its_output_cannot_be_written() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("one.bin"), vec![3; 3073]).unwrap();
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let commands = [
        (format!("{SMALL} --epochs 1"), 0),
        (format!("eval --weights {WEIGHTS} --batch one.bin"), 0),
        (format!("eval --weights {WEIGHTS} --batch one.bin --json"), 0),
        (format!("see --image {PHOTO} --out see.png"), 0),
        ("quiz sheet".into(), 0),
        ("shapes 3x7x7 relu".into(), 0),
        ("shapes 3x7x7 relu --json".into(), 0),
        // These write to standard error.
        ("shapes 3x7x7 maxpool".into(), 2),
        ("shapes 3x7x7 conv\t5->6\t3".into(), 1),
        ("data where".into(), 1),
        ("data verify none".into(), 2),
        ("data import none".into(), 2),
        ("data fetch --to fetched --source http://127.0.0.1:9/".into(), 2),
        ("eval --weights none --batch one.bin".into(), 2),
        ("see --image none --out see.png".into(), 2),
        ("train --out x --preset none".into(), 2),
        ("--help".into(), 0),
        ("train --help".into(), 0),
        ("".into(), 2),
    ];
    for (command, expected) in commands {
        let start = |out: Stdio, err: Stdio| {
            let _ = fs::remove_dir_all(here.join("run"));
            let done = program(&command, here).stdout(out).stderr(err).spawn().unwrap().wait_with_output();
            let done = done.unwrap();
            (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
        };
        let (code, err) = start(closed(), Stdio::piped());
        assert_eq!((code, err.contains("panicked")), (Some(expected), false), "{command} >closed: {err}");
        assert_eq!(start(closed(), closed()).0, Some(expected), "{command} >closed 2>closed");
        // The exit code may be that of an error, but not 101, that of a panic.
        let code = start(full(), full()).0;
        assert!(code.is_some_and(|code| code <= 2), "{command} >full 2>full: {code:?}");
        if command.starts_with(SMALL) {
            assert!(here.join("run/weights.safetensors").exists(), "{command}");
        }
    }
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    use nchw::prelude::*;
    let folder = tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("one.bin"), vec![3; 3073]).unwrap();
    let written = |value: Option<f64>, all: bool| {
        let tensors = Tensor::read_safetensors(WEIGHTS).unwrap();
        let tensors = tensors.into_iter().map(|(name, tensor)| {
            if let Some(value) = value.filter(|_| all || name == "block2.norm1.weight") {
                let _ =
                    tensor.view([-1]).narrow(0, 0, if all { tensor.numel() as i64 } else { 1 }).fill_(value);
            }
            (name, tensor)
        });
        Tensor::write_safetensors(&tensors.collect::<Vec<_>>(), here.join("w.safetensors")).unwrap();
    };
    let eval = "eval --weights w.safetensors --batch one.bin".to_owned();
    let see = |what: &str| format!("see --weights w.safetensors --image {PHOTO} --out see.png --what {what}");
    for (value, kind) in [(f64::NAN, "NaN"), (f64::INFINITY, "infinite numbers")] {
        written(Some(value), false);
        for command in [eval.clone(), see("answer"), see("gradcam"), see("sum --fit whole")] {
            let (out, err, code) = output(&command, here);
            assert_eq!((out.as_str(), code), ("", 2), "{command}");
            let says = format!("w.safetensors: `block2.norm1.weight` [64] holds {kind}: 1 of its 64 numbers");
            assert!(err.contains(&says), "{err}");
            assert!(!here.join("see.png").exists());
        }
    }
    written(None, false);
    assert_eq!(output(&eval, here).2, 0);
    // If all weights are 0, every class is equally likely, and figures show the first one.
    written(Some(0.0), true);
    let (out, err, code) = output(&eval, here);
    assert!(code == 0 && out.contains("0.00 % on 1 images"), "{out}{err}");
    let (out, _, code) = output(&see("gradcam"), here);
    let first = "Grad-CAM of block3 for airplane";
    assert!(code == 0 && out.contains(first) && out.contains("the answer: airplane 10 %"), "{out}");
    let (out, _, code) = output(&see("compare"), here);
    assert!(code == 0 && out.contains("Grad-CAM, airplane") && !out.contains("truck"), "{out}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_a_checkpoint() {
    let folder = tempdir().unwrap();
    let mut child = program(&format!("{SMALL} --epochs 9999"), folder.path());
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let checkpoint = folder.path().join("run/checkpoint.safetensors");
    for _ in 0..600 {
        if checkpoint.exists() {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let (_, err, code) = output(&format!("{SMALL} --epochs 9999 --resume"), folder.path());
    assert!(code == 2 && err.contains("another program trains in"), "{err}");
    let done = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
    let done = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(130), "{out}");
    assert!(out.contains("the same command with --resume continues"), "{out}");
    let (out, err, code) = output(&format!("{SMALL} --epochs 3 --resume"), folder.path());
    assert!(code == 2 && err.contains("epochs 9999 there, 3 here"), "{out}{err}");
}
