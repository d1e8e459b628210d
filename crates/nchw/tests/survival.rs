//! A training that is killed many times, or that fills the disk, ends with exactly the same weights as
//! an uninterrupted one, and its checkpoint can be read at any time.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use common::{TempFolder, skip};
use nchw::prelude::*;
use serde_json::Value;
use std::{
    collections::hash_map::RandomState,
    env, fs,
    hash::{BuildHasher, Hasher},
    path::Path,
    process::{Child, Command},
    thread::sleep,
    time::Duration,
};

const KILLS: usize = 20;
/// The environment variable with the folder, for the process that trains and is killed.
const FOLDER: &str = "NCHW_TEST_TRAINING";

fn recipe(folder: &Path) -> Recipe {
    Recipe {
        config: LectureNetConfig { maps: [4, 6, 8], ..LectureNetConfig::default() },
        epochs: 60,
        batch_size: 32,
        device: Device::Cpu,
        precision: Precision::Fp32,
        folder: Some(folder.into()),
        ..Recipe::lecture()
    }
}

/// Not a test by itself: the other tests run this one in a process of its own.
#[test]
fn trains_in_the_folder_of_the_environment() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    tch::set_num_threads(1);
    let data = Dataset::shapes10(256, 32, 3).unwrap();
    train(recipe(Path::new(&folder)), &data).unwrap().wait().unwrap();
}

fn start(folder: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "trains_in_the_folder_of_the_environment", "--nocapture"]).env(FOLDER, folder);
    child.stdout(std::process::Stdio::null()).spawn().unwrap()
}

/// All tensors of the checkpoint.
fn checkpoint_tensors(folder: &Path) -> Vec<(String, Vec<f32>)> {
    let tensors = Tensor::read_safetensors(folder.join("checkpoint.safetensors")).unwrap();
    let mut all: Vec<_> =
        tensors.into_iter().map(|(name, t)| (name, Vec::try_from(t.view([-1])).unwrap())).collect();
    all.sort_by(|(a, _): &(String, Vec<f32>), (b, _)| a.cmp(b));
    all
}

#[test]
fn killed_at_20_moments() {
    let whole = TempFolder::new("survival-whole");
    assert!(start(whole.path()).wait().unwrap().success());
    let folder = TempFolder::new("survival-killed");
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let mut killed = 0;
    while killed < KILLS {
        let mut child = start(folder.path());
        // A random moment after the next checkpoint.
        let random = RandomState::new().build_hasher().finish();
        let before = fs::metadata(&checkpoint).and_then(|m| m.modified()).ok();
        for _ in 0..1000 {
            sleep(Duration::from_millis(10));
            let now = fs::metadata(&checkpoint).and_then(|m| m.modified()).ok();
            if now != before || child.try_wait().unwrap().is_some() {
                break;
            }
        }
        sleep(Duration::from_micros(random % 150_000));
        if child.try_wait().unwrap().is_some() {
            // The training ended before it was killed: start another one.
            assert_eq!(
                checkpoint_tensors(folder.path()),
                checkpoint_tensors(whole.path()),
                "after {killed} kills"
            );
            fs::remove_dir_all(folder.path()).unwrap();
            fs::create_dir(folder.path()).unwrap();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        // The checkpoint can be read at any moment.
        checkpoint_tensors(folder.path());
    }
    assert!(start(folder.path()).wait().unwrap().success());
    assert_eq!(checkpoint_tensors(folder.path()), checkpoint_tensors(whole.path()));
    let log = |folder: &Path| -> Vec<[Value; 3]> {
        let numbers = |line: &str| {
            let epoch: Value = serde_json::from_str(line).unwrap();
            ["epoch", "loss", "accuracy"].map(|key| epoch.get(key).expect(key).clone())
        };
        fs::read_to_string(folder.join("log.jsonl")).unwrap().lines().map(numbers).collect()
    };
    assert_eq!(log(folder.path()), log(whole.path()));
}

/// The folder is a separate disk that is too small for all epochs; then it is enlarged.
#[test]
fn a_full_disk_ends_the_training_and_more_space_lets_it_resume() {
    let unshare = |command: &[&str]| Command::new("unshare").arg("-rm").args(command).output();
    let (disk, copies) = (TempFolder::new("survival-disk"), TempFolder::new("survival-copies"));
    let script = r#"
        mount -t tmpfs -o size=500k none "$1" || exit 99
        export NCHW_TEST_TRAINING="$1"
        train() { "$0" --exact trains_in_the_folder_of_the_environment --nocapture; }
        train && exit 98
        cp "$1/checkpoint.safetensors" "$2/full.safetensors"
        mount -o remount,size=64m "$1" && train || exit 97
        cp "$1/checkpoint.safetensors" "$2/""#;
    let program = env::current_exe().unwrap();
    let [program, disk, to] =
        [program.as_path(), disk.path(), copies.path()].map(|path| path.to_str().unwrap());
    let done = match unshare(&["true"]) {
        Ok(unshared) if unshared.status.success() => {
            unshare(&["sh", "-c", script, program, disk, to]).unwrap()
        }
        _ => {
            return skip(
                "a training on a full disk: `unshare -rm`, which mounts a small one, is not allowed here",
            );
        }
    };
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ended with {}:\n{stderr}", done.status);
    for words in ["could not be written", "No space left on device", "the previous file is unchanged"] {
        assert!(stderr.contains(words), "expected `{words}` in:\n{stderr}");
    }
    assert!(!Tensor::read_safetensors(copies.path().join("full.safetensors")).unwrap().is_empty());
    let whole = TempFolder::new("survival-whole-disk");
    assert!(start(whole.path()).wait().unwrap().success());
    assert_eq!(checkpoint_tensors(copies.path()), checkpoint_tensors(whole.path()));
}
