use super::{Precision, Recipe, State, batches::Batches, train, trainer::Trainer};
use crate::{
    data::{Dataset, Examples},
    net::{LectureNet, LectureNetConfig},
    testing::TempFolder,
};
use std::path::Path;
use tch::{Device, Kind, Reduction, Tensor};

mod limits;

/// The CPU, and the GPU if there is one.
fn devices() -> Vec<Device> {
    let mut all = vec![Device::Cpu, crate::device()];
    all.dedup();
    if all.len() == 1 {
        crate::testing::skip("gpu: training, and agreement with PyTorch's numbers");
    }
    all
}

/// A small data set, and a recipe that takes a second.
fn small() -> (Recipe, Dataset) {
    // Multiples of 16, so that oneDNN keeps the feature maps.
    let config = LectureNetConfig { maps: [16, 32, 48], ..LectureNetConfig::default() };
    let recipe = Recipe {
        name: "small".into(),
        config,
        epochs: 3,
        batch_size: 16,
        max_lr: 0.05,
        device: Device::Cpu,
        precision: Precision::Fp32,
        ..Recipe::lecture()
    };
    (recipe, Dataset::shapes10(100, 40, 3).unwrap())
}

/// A data set that is learned in seconds: the classes differ in which channel is bright, and in
/// how bright it is.
fn colours() -> Dataset {
    let part = |count: usize| {
        let mut rng = crate::random::Rng::new(count as u64, 0);
        let mut bytes = Vec::new();
        for n in 0..count {
            let class = n % 10;
            let level = |channel: usize| if channel == class % 3 { 70 + 50 * (class / 3) } else { 20 };
            bytes.extend((0..3072).map(|i| (level(i / 1024) + rng.below(30)) as u8));
        }
        let labels: Vec<i64> = (0..count as i64).map(|n| n % 10).collect();
        let images = Tensor::from_slice(&bytes).view([count as i64, 3, 32, 32]);
        Examples { images, labels: Tensor::from_slice(&labels) }
    };
    Dataset { name: "colours".into(), classes: names(), train: part(320), test: part(100), notes: vec![] }
}

/// Ten names that differ.
fn names() -> Vec<String> {
    (0..10).map(|class| format!("colour {class}")).collect()
}

/// All tensors of a training's checkpoint.
fn weights(folder: &Path) -> Vec<(String, Vec<f32>)> {
    let file = crate::weights::Weights::read(&super::checkpoint::checkpoint(folder)).unwrap();
    file.tensors.into_iter().map(|(name, t)| (name, Vec::try_from(t.view([-1])).unwrap())).collect()
}

/// PyTorch's results: the quantity, the name, the shape, and the norm followed by eight values.
fn pytorch_results() -> Vec<(&'static str, &'static str, Vec<i64>, Vec<f64>)> {
    fn numbers<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Vec<T> {
        text.split(' ').map(|n| n.parse().unwrap()).collect()
    }
    let lines = include_str!("../../../tests/net/pytorch.txt").lines();
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split("; ").collect();
            (fields[0], fields[1], numbers(fields[2]), numbers(fields[3]))
        })
        .collect()
}

/// Compares a tensor with PyTorch's result.
fn agrees(what: &str, name: &str, tensor: &Tensor) {
    let all = pytorch_results();
    let (.., size, expected) = all.iter().find(|(w, n, ..)| (*w, *n) == (what, name)).unwrap();
    assert_eq!(&tensor.size(), size, "{what} {name}");
    let flat: Vec<f64> = Vec::try_from(tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap();
    let norm = flat.iter().map(|v| v * v).sum::<f64>().sqrt();
    let spread = (0..8).map(|i| flat[(flat.len() - 1) * i / 7]);
    for (got, expected) in std::iter::once(norm).chain(spread).zip(expected) {
        let allowed = 1e-4 * (1.0 + expected.abs());
        assert!((got - expected).abs() < allowed, "{what} {name}: expected {expected}, got {got}");
    }
}

/// The same formula as in pytorch.py.
fn by_formula(name: &str, size: &[i64], number: usize) -> Tensor {
    let count: i64 = size.iter().product();
    let numbers = (0..count).map(|i| {
        let wave = (1.0 + 0.7 * i as f64 + number as f64).sin();
        let number = match name {
            _ if name.ends_with("running_var") => 1.0 + 0.3 * wave,
            _ if name.contains("norm") => f64::from(name.ends_with("weight")) + 0.1 * wave,
            _ if size.len() > 1 => wave / (size[1..].iter().product::<i64>() as f64).sqrt(),
            _ => wave,
        };
        number as f32
    });
    Tensor::from_slice(&numbers.collect::<Vec<f32>>()).view(size)
}

fn images() -> Tensor {
    let bytes: Vec<u8> = (0..6 * 3 * 32 * 32)
        .map(|i: i64| {
            let (n, c, h, w) = (i / 3072, i / 1024 % 3, i / 32 % 32, i % 32);
            ((41 * n + 31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256) as u8
        })
        .collect();
    Tensor::from_slice(&bytes).view([6, 3, 32, 32])
}

#[test]
fn the_network_and_its_steps_agree_with_pytorch() {
    devices().into_iter().for_each(steps_agree_with_pytorch);
}

fn steps_agree_with_pytorch(device: Device) {
    let examples = || Examples { images: images(), labels: Tensor::from_slice(&[3i64, 0, 9, 5, 1, 7]) };
    let data = Dataset {
        name: "formula".into(),
        classes: names(),
        train: examples(),
        test: examples(),
        notes: vec![],
    };
    let recipe = Recipe {
        epochs: 10_000,
        warm_up: 0.0,
        max_lr: 0.05,
        flip: false,
        shift: 0,
        head_lr_scale: 1.0,
        device,
        precision: Precision::Fp32,
        ..Recipe::lecture()
    };
    let labels = data.train.labels.to_device(device);
    let mut trainer = Trainer::new(recipe, &data).unwrap();
    let net = trainer.trained();
    for (number, (name, variable)) in net.variables().into_iter().enumerate() {
        // A GPU requires aligned tensors.
        assert_eq!(variable.data_ptr() as usize % 64, 0, "{name}");
        tch::no_grad(|| variable.shallow_clone().copy_(&by_formula(&name, &variable.size(), number)));
    }
    agrees("asked", "logits", &net.logits(&images()).unwrap());
    for step in 0..2 {
        let net = trainer.trained();
        // This forward pass changes the running statistics of batch normalisation; they are restored below.
        let kept: Vec<Tensor> = net.variables().iter().map(|(_, v)| v.detach().copy()).collect();
        let inputs = trainer.unaugmented().unwrap();
        let logits = net.forward(&inputs, true).unwrap();
        agrees(&format!("step {step}"), "logits", &logits);
        let loss = logits.cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.1);
        agrees(&format!("step {step}"), "loss", &loss.view([1]));
        let parameters: Vec<(String, Tensor)> =
            net.variables().into_iter().filter(|(_, v)| v.requires_grad()).collect();
        let variables: Vec<&Tensor> = parameters.iter().map(|(_, v)| v).collect();
        for ((name, _), gradient) in
            parameters.iter().zip(Tensor::run_backward(&[&loss], &variables, false, false))
        {
            agrees(&format!("gradient {step}"), name, &gradient);
        }
        for ((_, variable), kept) in net.variables().into_iter().zip(&kept) {
            tch::no_grad(|| variable.shallow_clone().copy_(kept));
        }
        trainer.learn(1).unwrap();
        trainer.end_epoch().unwrap();
    }
    for (name, variable) in trainer.trained().variables() {
        agrees("after", &name, &variable);
    }
}

#[test]
fn a_training_stopped_at_any_step_ends_with_exactly_the_same_weights() {
    for device in devices() {
        let (recipe, data) = small();
        check_stopped_at_every_step(&Recipe { device, ..recipe.clone() }, &data);
        if device != Device::Cpu {
            // The lecture's network, for which the GPU may choose other algorithms.
            let own = Recipe { device, config: LectureNetConfig::default(), ..recipe };
            check_stopped_at_every_step(&own, &data);
            check_stopped_at_every_step(&Recipe { precision: Precision::Bf16, ..own }, &data);
        }
    }
}

fn check_stopped_at_every_step(recipe: &Recipe, data: &Dataset) {
    let undisturbed = TempFolder::new("train-whole");
    let whole = Recipe { folder: Some(undisturbed.path().into()), ..recipe.clone() };
    let net = train(whole, data).unwrap().wait().unwrap();
    // Stopped after every step, and resumed from the file each time.
    let folder = TempFolder::new("train-steps");
    for epoch in 0..recipe.epochs {
        for step in 0..6 {
            let mut trainer = Trainer::new(recipe.clone(), data).unwrap();
            trainer.resume(folder.path()).unwrap();
            assert_eq!((trainer.position.epoch, trainer.position.step), (epoch, step));
            trainer.learn(1).unwrap();
            if step == 5 {
                trainer.end_epoch().unwrap();
            }
            trainer.save(folder.path()).unwrap();
        }
    }
    assert_eq!(weights(undisturbed.path()), weights(folder.path()));
    // The network in the file and the network that `wait` returned are the same.
    let saved = LectureNet::load(undisturbed.path().join("weights.safetensors")).unwrap();
    let saved = saved.to_device(recipe.device).unwrap();
    let logits = |net: &LectureNet| net.logits(&data.test.images).unwrap();
    assert_eq!(logits(&net), logits(&saved));
    let lines = std::fs::read_to_string(undisturbed.path().join("log.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn training_learns_and_another_seed_gives_other_weights() {
    let data = colours();
    let folder = TempFolder::new("train-learns");
    let (recipe, _) = small();
    let recipe = |seed| Recipe {
        seed,
        epochs: 6,
        config: LectureNetConfig { maps: [8, 16, 32], ..LectureNetConfig::default() },
        folder: Some(folder.path().join(seed.to_string())),
        ..recipe.clone()
    };
    let run = train(recipe(1), &data).unwrap();
    let net = run.wait().unwrap();
    let log = run.status().log;
    assert!(log[5].loss < 0.8 * log[0].loss, "{log:?}");
    assert!(log[5].accuracy > 0.3, "{log:?}");
    let report = data.judge(&net).unwrap();
    assert!((report.accuracy() - log[5].accuracy).abs() < 1e-9);
    assert!(
        run.curve().unwrap().alt().contains("colours, 320 + 100 images"),
        "{}",
        run.curve().unwrap().alt()
    );
    let other = train(recipe(2), &data).unwrap().wait().unwrap();
    assert_ne!(net.logits(&data.test.images).unwrap(), other.logits(&data.test.images).unwrap());
    // A completed training is not repeated: the same recipe is done at once, with the same network.
    let again = train(recipe(1), &data).unwrap();
    assert_eq!(
        again.wait().unwrap().logits(&data.test.images).unwrap(),
        net.logits(&data.test.images).unwrap()
    );
    assert_eq!(again.status().state, State::Done);
}

#[test]
fn stop_writes_a_checkpoint_and_the_same_cell_resumes() {
    let (recipe, data) = small();
    let folder = TempFolder::new("train-stop");
    let recipe = Recipe { epochs: 400, folder: Some(folder.path().into()), ..recipe };
    let run = train(recipe.clone(), &data).unwrap();
    // While it is running, the same recipe gives the same training.
    let same = train(recipe.clone(), &data).unwrap();
    let other = train(Recipe { epochs: 5, ..recipe.clone() }, &data).unwrap_err().to_string();
    assert!(other.contains("another training is running in") && other.contains("run.stop()"), "{other}");
    let stopped = same.stop();
    assert_eq!(stopped.state, State::Stopped);
    assert!(stopped.to_string().contains("run the same cell again to resume"), "{stopped}");
    assert!(run.wait().unwrap_err().to_string().contains("stopped"));
    let done = stopped.done;
    let run = train(recipe.clone(), &data).unwrap();
    assert!(run.status().done >= done);
    assert_eq!(run.stop().state, State::Stopped);
    let error = train(Recipe { max_lr: 0.1, ..recipe.clone() }, &data).unwrap_err().to_string();
    assert!(error.contains("max_lr 0.05 there, 0.1 here"), "{error}");
    // Format 1, from before all parameters were in one tensor, is refused.
    let checkpoint = super::checkpoint::checkpoint(folder.path());
    let mut file = crate::weights::Weights::read(&checkpoint).unwrap();
    let notes = file.notes.get_mut("training").unwrap();
    *notes = notes.replace("nchw training 2", "nchw training 1");
    file.write(&checkpoint).unwrap();
    let error = train(recipe, &data).unwrap_err().to_string();
    assert!(error.contains("of another version of this course: choose another folder"), "{error}");
}

#[test]
fn divergence_is_an_error_and_keeps_the_last_good_weights() {
    let (recipe, data) = small();
    let folder = TempFolder::new("train-nan");
    let recipe = Recipe { folder: Some(folder.path().into()), max_lr: 1e-3, epochs: 3, ..recipe };
    let mut trainer = Trainer::new(recipe.clone(), &data).unwrap();
    trainer.learn(6).unwrap();
    trainer.end_epoch().unwrap();
    trainer.save(folder.path()).unwrap();
    let good = weights(folder.path());
    // Images are bytes and cannot be NaN, but a weight can.
    let (_, weight) = trainer.trained().variables().swap_remove(0);
    let _ = tch::no_grad(|| weight.shallow_clone().fill_(f64::NAN));
    let error = trainer.learn(1).unwrap_err().to_string();
    assert!(error.contains("the loss became NaN in epoch 2 of 3"), "{error}");
    assert!(
        error.contains("the maximum learning rate of 0.001 is too high; try `max_lr` 0.00025"),
        "{error}"
    );
    assert_eq!(weights(folder.path()), good);
    // A learning rate with which every training diverges.
    let folder = TempFolder::new("train-too-fast");
    let recipe = Recipe {
        folder: Some(folder.path().into()),
        max_lr: 100.0,
        label_smoothing: 0.0,
        epochs: 30,
        ..recipe
    };
    let run = train(Recipe { momentum: 0.99, weight_decay: 0.9, ..recipe }, &data).unwrap();
    let error = run.wait().unwrap_err().to_string();
    assert!(error.contains("the loss became") && error.contains("try `max_lr` 25"), "{error}");
    assert!(matches!(run.status().state, State::Failed(_)));
}

#[test]
fn options_out_of_range_are_refused() {
    let (recipe, data) = small();
    let refused = |recipe: Recipe| train(recipe, &data).unwrap_err().to_string();
    // The tests of recipe.rs try the range of every option.
    let error = refused(Recipe { epochs: 0, ..recipe.clone() });
    assert_eq!(error, "epochs: expected a whole number from 1 to 10000, got 0");
    let config = LectureNetConfig { maps: [4, 0, 8], ..LectureNetConfig::default() };
    assert!(
        refused(Recipe { config, ..recipe.clone() }).contains("[4, 0, 8]; the lecture's are [32, 64, 128]")
    );
    let mut changed = recipe.clone();
    changed.set("max_lr=0.3").unwrap();
    assert_eq!(changed.max_lr, 0.3);
    assert!(Recipe::preset("slow").unwrap_err().to_string().contains("expected quick, lecture or best"));
}

/// An image with a different colour in each corner and grey elsewhere.
fn corners() -> Examples {
    let mut bytes = vec![100u8; 3 * 32 * 32];
    for (channel, corners) in [[1, 2, 3, 4], [11, 12, 13, 14], [21, 22, 23, 24]].into_iter().enumerate() {
        for (position, value) in [(0, 0), (0, 31), (31, 0), (31, 31)].into_iter().zip(corners) {
            bytes[channel * 1024 + position.0 * 32 + position.1] = value;
        }
    }
    let images = Tensor::from_slice(&bytes).view([1, 3, 32, 32]);
    Examples { images, labels: Tensor::from_slice(&[7i64]) }
}

/// Undoes the normalisation: bytes again.
fn as_bytes(normalised: &Tensor) -> Tensor {
    let per_channel = |numbers: [f32; 3]| Tensor::from_slice(&numbers).view([1, 3, 1, 1]);
    ((normalised * per_channel(crate::net::STD) + per_channel(crate::net::MEAN)) * 255.0)
        .round()
        .to_kind(Kind::Uint8)
}

#[test]
fn batches_are_the_images_mirrored_shifted_and_cut_out() {
    let examples = corners();
    let batches = Batches::new(&examples, Device::Cpu).unwrap();
    let (seen, labels) = batches.plain(0, 1, Kind::Float).unwrap();
    assert_eq!(as_bytes(&seen), examples.images);
    assert_eq!(Vec::<i64>::try_from(labels).unwrap(), [7]);
    // In one of two successive epochs the image is mirrored, in the other it is not.
    let plain = Recipe { flip: false, shift: 0, ..Recipe::lecture() };
    let batch = |recipe: &Recipe, epoch| {
        as_bytes(
            &batches.batch(&batches.epoch(recipe.augmentation(), epoch).unwrap(), Kind::Float).unwrap().0,
        )
    };
    let flipping = Recipe { flip: true, ..plain.clone() };
    let both = [batch(&flipping, 0), batch(&flipping, 1)];
    let mirrored = examples.images.flip([3]);
    assert!(both.contains(&examples.images) && both.contains(&mirrored));
    // Shifted: every epoch gives one of the 25 shifts, with reflection at the edge.
    let padded = examples.images.to_kind(Kind::Float).reflection_pad2d([2, 2, 2, 2]).to_kind(Kind::Uint8);
    let shifts: Vec<Tensor> =
        (0..25).map(|i| padded.narrow(2, i / 5, 32).narrow(3, i % 5, 32).contiguous()).collect();
    let mut found = std::collections::BTreeSet::new();
    let moving = Recipe { shift: 2, ..plain.clone() };
    for epoch in 0..200 {
        let moved = batch(&moving, epoch);
        found.insert(shifts.iter().position(|shifted| *shifted == moved).unwrap());
    }
    assert!(found.len() > 20, "{found:?}");
    // Cutout: one square of the mean colour, smaller at the edge of the image; all else is unchanged.
    let cutting = Recipe { cutout: 6, ..plain };
    let grey = Tensor::from_slice(&crate::normalise::mean_colour()).view([1, 3, 1, 1]);
    let mut areas = std::collections::BTreeSet::new();
    for epoch in 0..100 {
        let cut = batch(&cutting, epoch);
        let hidden = cut.eq_tensor(&grey).all_dim(1, true);
        let edges = |axis| Vec::<bool>::try_from(hidden.any_dim(axis, false).view([-1])).unwrap();
        let (rows, columns) = (edges(3), edges(2));
        let count = |line: &[bool]| line.iter().filter(|h| **h).count() as i64;
        let (height, width) = (count(&rows), count(&columns));
        assert!((3..=6).contains(&height) && (3..=6).contains(&width), "{height} x {width}");
        assert_eq!(hidden.sum(Kind::Int64).int64_value(&[]), height * width);
        let restored = examples.images.where_self(&hidden, &cut);
        assert_eq!(restored, examples.images);
        areas.insert(height * width);
    }
    assert!(areas.contains(&36) && areas.len() > 1, "{areas:?}");
}

#[test]
fn an_epoch_contains_every_image_once_with_its_label() {
    let data = colours();
    let batches = Batches::new(&data.train, Device::Cpu).unwrap();
    let epoch = batches
        .epoch(Recipe { seed: 3, flip: false, shift: 0, ..Recipe::lecture() }.augmentation(), 1)
        .unwrap();
    let (seen, labels) = batches.batch(&epoch, Kind::Float).unwrap();
    let (seen, labels) = (as_bytes(&seen), Vec::<i64>::try_from(labels).unwrap());
    let rows = |t: &Tensor| -> Vec<Vec<u8>> {
        t.contiguous().view([-1, 3072]).unbind(0).iter().map(|row| Vec::try_from(row).unwrap()).collect()
    };
    let own: std::collections::HashMap<Vec<u8>, i64> =
        rows(&data.train.images).into_iter().zip(Vec::<i64>::try_from(&data.train.labels).unwrap()).collect();
    assert_eq!(own.len(), 320);
    let seen = rows(&seen);
    assert_eq!(seen.iter().collect::<std::collections::HashSet<_>>().len(), 320);
    assert!(seen.iter().zip(&labels).all(|(image, label)| own[image] == *label));
}

#[test]
fn images_and_labels_that_do_not_fit_are_refused() {
    let (recipe, data) = small();
    let error = |data: &Dataset| train(recipe.clone(), data).unwrap_err().to_string();
    let part = |count: i64, kind| Examples {
        images: Tensor::zeros([count, 3, 32, 32], (kind, Device::Cpu)),
        labels: Tensor::zeros([2], (Kind::Int64, Device::Cpu)),
    };
    let floats = error(&Dataset { test: part(2, Kind::Float), ..data });
    assert!(floats.starts_with("the images of the test set: expected bytes"), "{floats}");
    let more = error(&Dataset { train: part(3, Kind::Uint8), ..small().1 });
    assert!(more.starts_with("the labels of the training set: expected N, got 2"), "{more}");
}

/// A learner with a GPU need not move the images to the device of the network.
#[test]
fn network_and_images_may_be_on_different_devices() {
    let samples = crate::data::Cifar10::samples().unwrap();
    let (recipe, data) = small();
    let own = LectureNet::shipped().unwrap();
    let report = |net: &LectureNet, examples: &Examples| {
        super::evaluate(net, examples, crate::data::Cifar10::NAMES, true).unwrap()
    };
    let expected = report(&own, &samples);
    for (net_device, image_device) in
        devices().into_iter().flat_map(|a| devices().into_iter().map(move |b| (a, b)))
    {
        let (net, examples) = (own.to_device(net_device).unwrap(), samples.to_device(image_device).unwrap());
        let report = report(&net, &examples);
        assert_eq!((&report.answers, &report.labels), (&expected.answers, &expected.labels));
        assert_eq!(net.logits(&examples.images).unwrap().device(), net_device);
        let names = crate::data::Cifar10::NAMES;
        let view = examples.see(&net, 3, names).unwrap();
        let strongest =
            |view: &crate::see::View| view.maps("block2").unwrap().strongest_first().order().unwrap()[0];
        assert_eq!(strongest(&view), strongest(&samples.see(&own, 3, names).unwrap()));
        crate::see::album(&net, &examples, &report, 4).unwrap();
        crate::see::patches(&net, &examples, "block2").unwrap();
        report.most_confident_mistakes(&examples, 3).unwrap();
        crate::summary(&net, &examples.images).unwrap();
        let folder = TempFolder::new("train-devices");
        let recipe =
            Recipe { device: net_device, epochs: 1, folder: Some(folder.path().into()), ..recipe.clone() };
        train(recipe, &data.to_device(image_device).unwrap()).unwrap().wait().unwrap();
    }
}

#[test]
fn a_report_counts_predictions_and_shows_mistakes() {
    let classes = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(str::to_owned).to_vec();
    let report = super::Report {
        about: "five images".into(),
        classes,
        labels: vec![0, 0, 0, 3, 3],
        answers: vec![0, 3, 3, 3, 0],
        confidence: vec![0.9, 0.6, 0.8, 0.5, 0.7],
    };
    assert_eq!(report.accuracy(), 0.4);
    assert_eq!(report.confusion()[0][..4], [1, 0, 0, 2]);
    assert_eq!(report.class_accuracy()[..4], [Some(1.0 / 3.0), None, None, Some(0.5)]);
    assert_eq!(report.mistakes(), [2, 4, 1]);
    assert!(report.figure().unwrap().alt().contains("a predicted as d, 2 times"));
    let examples = |count| Examples {
        images: Tensor::zeros([count, 3, 32, 32], (Kind::Uint8, Device::Cpu)),
        labels: Tensor::zeros([count], (Kind::Int64, Device::Cpu)),
    };
    let shown = |count| report.most_confident_mistakes(&examples(5), count).unwrap().text().to_owned();
    assert_eq!(shown(2), "a → d, 80 %\nd → a, 70 %");
    assert!(shown(9).ends_with("a → d, 60 %\nd d, 50 % (right)\na a, 90 % (right)"), "{}", shown(9));
    let error = report.most_confident_mistakes(&examples(4), 2).unwrap_err().to_string();
    assert!(error.contains("about 5 images, but these are 4"), "{error}");
}
