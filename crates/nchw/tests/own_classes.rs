//! Networks for other classes: their weight files in PyTorch, and PyTorch's files here; what a fine-tuning reaches.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod common;

use common::TempFolder;
use nchw::prelude::*;
use std::{env, fs, path::Path, process::Command};

/// What PyTorch says, in the order of [`networks`]: a line of JSON each.
const STORED: &str = "tests/net/own_classes.txt";

/// Networks with other numbers of classes: one with a flattened head, one that averages the maps of larger images.
fn networks() -> Vec<LectureNet> {
    let config = LectureNetConfig { maps: [3, 5, 7], ..LectureNetConfig::default() };
    let net = LectureNet::new(config, 7, Device::Cpu).unwrap();
    vec![
        net.with_classes(["cat", "my \"old\" dog", "고양이"]).unwrap(),
        net.with_classes_at(["b", "a"], 40).unwrap(),
    ]
}

/// The image of own_classes.py.
fn image(side: i64) -> Tensor {
    let byte = |i: i64| {
        let (c, h, w) = (i / (side * side), i / side % side, i % side);
        ((31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256) as u8
    };
    let bytes: Vec<u8> = (0..3 * side * side).map(byte).collect();
    Tensor::from_slice(&bytes).view([1, 3, side, side])
}

/// With `NCHW_PYTHON`, a Python with PyTorch and safetensors, the script runs now; with `UPDATE_EXPECT`, too, its answers
/// are stored. Else the stored answers are compared.
#[test]
fn pytorch_and_nchw_read_each_others_files() {
    let folder = TempFolder::new("own-classes");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut answers = Vec::new();
    for (number, net) in networks().iter().enumerate() {
        let kept = root.join(format!("tests/net/own_classes_{number}.safetensors"));
        let own = folder.path().join("own.safetensors");
        net.save(&own).unwrap();
        if let Ok(python) = env::var("NCHW_PYTHON") {
            let new = if env::var("UPDATE_EXPECT").is_ok() {
                &kept
            } else {
                &folder.path().join("new.safetensors")
            };
            let script = root.join("tests/net/own_classes.py");
            let done = Command::new(python).arg("-B").arg(script).arg(&own).arg(new).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            answers.push(String::from_utf8(done.stdout).unwrap());
            same(net, &LectureNet::load(new).unwrap());
        }
        // PyTorch wrote this file.
        same(net, &LectureNet::load(kept).unwrap());
    }
    if answers.is_empty() {
        answers = fs::read_to_string(root.join(STORED)).unwrap().lines().map(str::to_owned).collect();
    } else if env::var("UPDATE_EXPECT").is_ok() {
        fs::write(root.join(STORED), answers.concat()).unwrap();
    }
    assert_eq!(answers.len(), networks().len());
    for (net, answer) in networks().iter().zip(answers) {
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["classes"], serde_json::json!(net.classes()));
        let scores = Vec::<f64>::try_from(net.logits(&image(net.config().side)).unwrap().view([-1])).unwrap();
        let expected: Vec<f64> =
            answer["scores"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
        assert_eq!(scores.len(), expected.len());
        for (score, expected) in scores.iter().zip(expected) {
            assert!((score - expected).abs() < 1e-5, "expected {expected}, got {score}");
        }
    }
}

/// Whether two networks have the same configuration, classes and weights.
fn same(net: &LectureNet, other: &LectureNet) {
    assert_eq!((net.config(), net.classes()), (other.config(), other.classes()));
    let images = image(net.config().side);
    for ((name, maps), (_, others)) in
        net.maps(&images).unwrap().into_iter().zip(other.maps(&images).unwrap())
    {
        assert_eq!(maps, others, "{name}");
    }
}

#[test]
fn weight_files_store_the_classes_and_old_files_have_those_of_cifar10() {
    let shipped = LectureNet::shipped().unwrap();
    assert_eq!(shipped.classes(), Cifar10::NAMES);
    let folder = TempFolder::new("own-classes-file");
    let file = folder.path().join("my.safetensors");
    let net = shipped.with_classes(["고양이", "dog"]).unwrap();
    net.save(&file).unwrap();
    let loaded = LectureNet::load(&file).unwrap();
    same(&net, &loaded);
    assert_eq!(
        format!("{loaded:?}"),
        "LectureNet with 32, 64 and 128 feature maps, classes 고양이, dog: 476258 parameters"
    );
    assert_eq!(loaded.to_device(Device::Cpu).unwrap().classes(), net.classes());
    assert_eq!(loaded.without("block2", 3).unwrap().classes(), net.classes());
    // The convolutions are those of the shipped network, and only the head is new.
    let images = Cifar10::samples().unwrap().images;
    assert_eq!(net.map(&images, "block3").unwrap(), shipped.map(&images, "block3").unwrap());
    assert_eq!(net.logits(&images).unwrap().size(), [20, 2]);
    for (names, words) in [
        (&["cat"][..], "expected 2 to 1000 classes, got 1"),
        (&["cat", "dog", "cat"], "two classes have the name `cat`"),
    ] {
        let error = shipped.with_classes(names).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = shipped.with_classes_at(["a", "b"], 7).unwrap_err().to_string();
    assert!(error.contains("expected images of 8 to 256 rows and columns, got 7"), "{error}");
    // The network decides the number of classes; names for others are refused.
    let error = evaluate(&net, &Cifar10::samples().unwrap(), Cifar10::NAMES, false).unwrap_err().to_string();
    assert!(
        error.contains("the labels of the data: expected numbers from 0 to 1, as there are 2 classes"),
        "{error}"
    );
    let photo = Cifar10::samples().unwrap().picture(0).unwrap();
    let error = see(&net, &photo, Cifar10::NAMES).unwrap_err().to_string();
    assert!(error.contains("a name for each of the network's 2 classes, got 10 names: airplane"), "{error}");
    let error =
        net.train_head(&Dataset::signs(30, 1).unwrap(), &FitSettings::default()).unwrap_err().to_string();
    assert!(
        error.contains("the classes of the network are 고양이, dog, those of the data circle, square"),
        "{error}"
    );
}

/// The notebook's numbers: animals and vehicles from a folder, the head first, then all layers.
#[test]
fn fine_tuning_on_a_folder_reaches_the_accuracy_that_notebook_09_states() {
    let folder = TempFolder::new("own-classes-photos");
    let photos = Dataset::animals_and_vehicles().unwrap().write_folder(folder.path().join("photos")).unwrap();
    let data = Dataset::from_folder(photos).unwrap();
    let net = LectureNet::shipped().unwrap().with_classes(&data.classes).unwrap();
    let before = data.judge(&net).unwrap().accuracy();
    let settings = FitSettings { epochs: 5, shift: 2, flip: true, ..FitSettings::default() };
    let maps = |net: &LectureNet| net.map(&data.test.images, "block3").unwrap();
    let original = maps(&net);
    let head = net.train_head(&data, &settings).unwrap();
    assert_eq!(maps(&net), original, "the convolutions stay as they are");
    assert!(head.last_accuracy() > before && head.last_accuracy() >= 0.9, "{before} {head:?}");
    let all = net.train_all(&data, &FitSettings { learning_rate: 3e-4, ..settings }).unwrap();
    assert_ne!(maps(&net), original);
    let report = data.judge(&net).unwrap();
    let [low, high] = report.interval();
    println!(
        "{before:.3}, {:.3}, {:.3}, 95 %: {low:.3} to {high:.3}",
        head.last_accuracy(),
        all.last_accuracy()
    );
    assert!(report.accuracy() >= 0.9 && low > 0.8 && high <= 1.0, "{report}");
    assert_eq!(report.confusion().len(), 2);
    assert!((all.last_accuracy() - report.accuracy()).abs() < 1e-9);
    let view = data.test.see(&net, 0, net.classes()).unwrap();
    assert_eq!(view.occlusion(1).unwrap().tensor().size(), [32, 32]);
    assert!(view.occlusion(2).unwrap_err().to_string().contains("expected 0 to 1 (animal, vehicle)"));
}

#[test]
fn images_of_64_x_64_train_a_head_that_averages_the_maps() {
    let data = Dataset::signs(24, 1).unwrap();
    let folder = TempFolder::new("own-classes-signs");
    let settings = FolderSettings { side: 64, ..FolderSettings::default() };
    let data = Dataset::from_folder_with(data.write_folder(folder.path().join("signs")).unwrap(), &settings)
        .unwrap();
    let net = LectureNet::shipped().unwrap().with_classes_at(&data.classes, 64).unwrap();
    let settings = FitSettings { epochs: 2, shift: 4, flip: true, batch_size: 8, ..FitSettings::default() };
    let curve = net.train_all(&data, &settings).unwrap();
    assert!(curve.loss[1] < curve.loss[0], "{curve:?}");
    let report = data.judge(&net).unwrap();
    assert_eq!(report.labels.len(), data.test.len());
    let view = data.test.see(&net, 0, net.classes()).unwrap();
    assert_eq!(view.probabilities().unwrap().len(), 3);
    assert_eq!(view.occlusion(0).unwrap().tensor().size(), [64, 64]);
    assert_eq!(view.grad_cam("block3", 0).unwrap().tensor().size(), [8, 8]);
    // A network for 32 x 32 refuses them and says so.
    let small = LectureNet::shipped().unwrap().with_classes(&data.classes).unwrap();
    let error = small.train_head(&data, &settings).unwrap_err().to_string();
    assert!(error.contains("expected 32, got 64"), "{error}");
}
