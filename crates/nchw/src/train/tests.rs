use super::{Precision, Recipe, State, batches::Batches, train, trainer::Trainer};
use crate::{
    data::{Dataset, Examples},
    net::{LectureNet, LectureNetConfig},
    testing::TempFolder,
};
use std::path::Path;
use tch::{Device, Kind, Reduction, Tensor};

mod limits;

/// The CPU, and the GPU where there is one.
fn devices() -> Vec<Device> {
    let mut all = vec![Device::Cpu, crate::device()];
    all.dedup();
    if all.len() == 1 {
        crate::testing::skip("gpu: training there, and PyTorch's numbers there");
    }
    all
}

/// A small set, and a recipe that is over in a second.
fn small() -> (Recipe, Dataset) {
    let plan = LectureNetConfig { maps: [16, 32, 48], ..LectureNetConfig::default() }; // oneDNN keeps them.
    let recipe = Recipe {
        name: "small".into(),
        plan,
        epochs: 3,
        batch: 16,
        peak_rate: 0.05,
        device: Device::Cpu,
        precision: Precision::Fp32,
        ..Recipe::lecture()
    };
    (recipe, Dataset::shapes10(100, 40, 3).unwrap())
}

/// Something to be learned in seconds: what tells the classes is which channel
/// is bright, and how bright.
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
    Dataset { name: "colours".into(), classes: [""; 10], train: part(320), test: part(100) }
}

/// Whatever a training has learned, in one list.
fn weights(folder: &Path) -> Vec<(String, Vec<f32>)> {
    let file = crate::weights::Weights::read(&super::trainer::checkpoint(folder)).unwrap();
    file.tensors.into_iter().map(|(name, t)| (name, Vec::try_from(t.view([-1])).unwrap())).collect()
}

/// PyTorch's numbers: what, name, shape, and norm with eight numbers.
fn frozen() -> Vec<(&'static str, &'static str, Vec<i64>, Vec<f64>)> {
    fn numbers<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Vec<T> {
        text.split(' ').map(|n| n.parse().unwrap()).collect()
    }
    let lines = include_str!("../../tests/net/pytorch.txt").lines();
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split("; ").collect();
            (fields[0], fields[1], numbers(fields[2]), numbers(fields[3]))
        })
        .collect()
}

/// Compares a tensor with PyTorch's line of it.
fn agrees(what: &str, name: &str, tensor: &Tensor) {
    let all = frozen();
    let (.., size, expected) = all.iter().find(|(w, n, ..)| (*w, *n) == (what, name)).unwrap();
    assert_eq!(&tensor.size(), size, "{what} {name}");
    let flat: Vec<f64> = Vec::try_from(tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap();
    let norm = flat.iter().map(|v| v * v).sum::<f64>().sqrt();
    let spread = (0..8).map(|i| flat[(flat.len() - 1) * i / 7]);
    for (got, expected) in std::iter::once(norm).chain(spread).zip(expected) {
        let allowed = 1e-4 * (1.0 + expected.abs());
        assert!((got - expected).abs() < allowed, "{what} {name}: {got} is not {expected}");
    }
}

/// As in pytorch.py.
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

fn pictures() -> Tensor {
    let bytes: Vec<u8> = (0..6 * 3 * 32 * 32)
        .map(|i: i64| {
            let (n, c, h, w) = (i / 3072, i / 1024 % 3, i / 32 % 32, i % 32);
            ((41 * n + 31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256) as u8
        })
        .collect();
    Tensor::from_slice(&bytes).view([6, 3, 32, 32])
}

#[test]
fn the_network_and_its_steps_are_pytorchs() {
    devices().into_iter().for_each(steps_are_pytorchs);
}

fn steps_are_pytorchs(device: Device) {
    let examples = || Examples { images: pictures(), labels: Tensor::from_slice(&[3i64, 0, 9, 5, 1, 7]) };
    let data = Dataset { name: "formula".into(), classes: [""; 10], train: examples(), test: examples() };
    let recipe = Recipe {
        epochs: 10_000,
        warm_up: 0.0,
        peak_rate: 0.05,
        flip: false,
        shift: 0,
        head_pace: 1.0,
        device,
        precision: Precision::Fp32,
        ..Recipe::lecture()
    };
    let labels = data.train.labels.to_device(device);
    let mut trainer = Trainer::new(recipe, &data).unwrap();
    let net = trainer.learning();
    for (number, (name, variable)) in net.variables().into_iter().enumerate() {
        // A GPU refuses to read what does not begin at a round address.
        assert_eq!(variable.data_ptr() as usize % 64, 0, "{name}");
        tch::no_grad(|| variable.shallow_clone().copy_(&by_formula(&name, &variable.size(), number)));
    }
    agrees("asked", "logits", &net.logits(&pictures()).unwrap());
    for step in 0..2 {
        let net = trainer.learning();
        // Batch normalisation remembers what it sees: this look must leave no trace.
        let kept: Vec<Tensor> = net.variables().iter().map(|(_, v)| v.detach().copy()).collect();
        let seen = trainer.seen_plainly().unwrap();
        let logits = net.forward(&seen, true).unwrap();
        agrees(&format!("step {step}"), "logits", &logits);
        let loss = logits.cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.1);
        agrees(&format!("step {step}"), "loss", &loss.view([1]));
        let learned: Vec<(String, Tensor)> =
            net.variables().into_iter().filter(|(_, v)| v.requires_grad()).collect();
        let variables: Vec<&Tensor> = learned.iter().map(|(_, v)| v).collect();
        for ((name, _), gradient) in
            learned.iter().zip(Tensor::run_backward(&[&loss], &variables, false, false))
        {
            agrees(&format!("gradient {step}"), name, &gradient);
        }
        for ((_, variable), kept) in net.variables().into_iter().zip(&kept) {
            tch::no_grad(|| variable.shallow_clone().copy_(kept));
        }
        trainer.learn(1).unwrap();
        trainer.end_epoch().unwrap();
    }
    for (name, variable) in trainer.learning().variables() {
        agrees("after", &name, &variable);
    }
}

#[test]
fn stopped_at_any_step_it_ends_with_the_very_same_weights() {
    for device in devices() {
        let (recipe, data) = small();
        stopped_anywhere(&Recipe { device, ..recipe.clone() }, &data);
        if device != Device::Cpu {
            // The lecture's own, with whatever algorithms the GPU chooses for it.
            let own = Recipe { device, plan: LectureNetConfig::default(), ..recipe };
            stopped_anywhere(&own, &data);
            stopped_anywhere(&Recipe { precision: Precision::Bf16, ..own }, &data);
        }
    }
}

fn stopped_anywhere(recipe: &Recipe, data: &Dataset) {
    let undisturbed = TempFolder::new("train-whole");
    let whole = Recipe { folder: Some(undisturbed.path().into()), ..recipe.clone() };
    let net = train(whole, data).unwrap().wait().unwrap();
    // Stopped after every single step, and begun anew from the file each time.
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
    // What is kept, what is handed out and what is read again is the same network.
    let kept = LectureNet::load(undisturbed.path().join("weights.safetensors")).unwrap();
    let kept = kept.to_device(recipe.device).unwrap();
    let asked = |net: &LectureNet| net.logits(&data.test.images).unwrap();
    assert_eq!(asked(&net), asked(&kept));
    let lines = std::fs::read_to_string(undisturbed.path().join("log.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn it_learns_and_another_seed_learns_something_else() {
    let data = colours();
    let folder = TempFolder::new("train-learns");
    let (recipe, _) = small();
    let recipe = |seed| Recipe {
        seed,
        epochs: 6,
        plan: LectureNetConfig { maps: [8, 16, 32], ..LectureNetConfig::default() },
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
        run.curve().unwrap().alt().contains("colours, 320 + 100 pictures"),
        "{}",
        run.curve().unwrap().alt()
    );
    let other = train(recipe(2), &data).unwrap().wait().unwrap();
    assert_ne!(net.logits(&data.test.images).unwrap(), other.logits(&data.test.images).unwrap());
    // Over is over: the same recipe again is done at once, and the network is the same.
    let again = train(recipe(1), &data).unwrap();
    assert_eq!(
        again.wait().unwrap().logits(&data.test.images).unwrap(),
        net.logits(&data.test.images).unwrap()
    );
    assert_eq!(again.status().state, State::Done);
}

#[test]
fn stop_leaves_a_checkpoint_and_the_same_cell_goes_on() {
    let (recipe, data) = small();
    let folder = TempFolder::new("train-stop");
    let recipe = Recipe { epochs: 400, folder: Some(folder.path().into()), ..recipe };
    let run = train(recipe.clone(), &data).unwrap();
    // Asked for again while it goes on, it is the same training.
    let same = train(recipe.clone(), &data).unwrap();
    let other = train(Recipe { epochs: 5, ..recipe.clone() }, &data).map(drop).unwrap_err().to_string();
    assert!(other.contains("another training goes on in") && other.contains("run.stop()"), "{other}");
    let stopped = same.stop();
    assert_eq!(stopped.state, State::Stopped);
    assert!(stopped.to_string().contains("the same cell goes on"), "{stopped}");
    assert!(run.wait().unwrap_err().to_string().contains("stopped"));
    let done = stopped.done;
    let run = train(recipe.clone(), &data).unwrap();
    assert!(run.status().done >= done);
    assert_eq!(run.stop().state, State::Stopped);
    let error = train(Recipe { peak_rate: 0.1, ..recipe.clone() }, &data).map(drop).unwrap_err().to_string();
    assert!(error.contains("peak_rate 0.05 there, 0.1 here"), "{error}");
    // Written before all that learns was one tensor.
    let checkpoint = super::trainer::checkpoint(folder.path());
    let mut file = crate::weights::Weights::read(&checkpoint).unwrap();
    let notes = file.notes.get_mut("training").unwrap();
    *notes = notes.replace("nchw training 2", "nchw training 1");
    file.write(&checkpoint).unwrap();
    let error = train(recipe, &data).map(drop).unwrap_err().to_string();
    assert!(error.contains("of another version of this course: choose another folder"), "{error}");
}

#[test]
fn steps_that_are_too_large_are_told_and_the_last_good_weights_stay() {
    let (recipe, data) = small();
    let folder = TempFolder::new("train-nan");
    let recipe = Recipe { folder: Some(folder.path().into()), peak_rate: 1e-3, epochs: 3, ..recipe };
    let mut trainer = Trainer::new(recipe.clone(), &data).unwrap();
    trainer.learn(6).unwrap();
    trainer.end_epoch().unwrap();
    trainer.save(folder.path()).unwrap();
    let good = weights(folder.path());
    // A picture cannot spoil it; a weight that is no number can.
    let (_, weight) = trainer.learning().variables().swap_remove(0);
    let _ = tch::no_grad(|| weight.shallow_clone().fill_(f64::NAN));
    let error = trainer.learn(1).unwrap_err().to_string();
    assert!(error.contains("the loss became NaN in epoch 2 of 3"), "{error}");
    assert!(error.contains("the peak rate of 0.001 is too high: try 0.00025"), "{error}");
    assert_eq!(weights(folder.path()), good);
    // Really: a rate that no network survives.
    let folder = TempFolder::new("train-too-fast");
    let recipe = Recipe {
        folder: Some(folder.path().into()),
        peak_rate: 100.0,
        label_smoothing: 0.0,
        epochs: 30,
        ..recipe
    };
    let run = train(Recipe { momentum: 0.99, weight_decay: 0.9, ..recipe }, &data).unwrap();
    let error = run.wait().unwrap_err().to_string();
    assert!(error.contains("the loss became") && error.contains("try 25"), "{error}");
    assert!(matches!(run.status().state, State::Failed(_)));
}

#[test]
fn choices_without_sense_are_refused() {
    let (recipe, data) = small();
    let refused = |recipe: Recipe| train(recipe, &data).map(drop).unwrap_err().to_string();
    // All of their ranges: the tests of recipe.rs.
    let error = refused(Recipe { epochs: 0, ..recipe.clone() });
    assert_eq!(error, "epochs: expected a whole number from 1 to 10000, got 0");
    let plan = LectureNetConfig { maps: [4, 0, 8], ..LectureNetConfig::default() };
    assert!(
        refused(Recipe { plan, ..recipe.clone() }).contains("[4, 0, 8]; the lecture's are [32, 64, 128]")
    );
    let mut changed = recipe.clone();
    changed.set("peak_rate=0.3").unwrap();
    assert_eq!(changed.peak_rate, 0.3);
    assert!(Recipe::preset("slow").unwrap_err().to_string().contains("expected quick, lecture or best"));
}

/// A picture with a colour of its own in each corner and grey elsewhere.
fn corners() -> Examples {
    let mut bytes = vec![100u8; 3 * 32 * 32];
    for (channel, corners) in [[1, 2, 3, 4], [11, 12, 13, 14], [21, 22, 23, 24]].into_iter().enumerate() {
        for (place, value) in [(0, 0), (0, 31), (31, 0), (31, 31)].into_iter().zip(corners) {
            bytes[channel * 1024 + place.0 * 32 + place.1] = value;
        }
    }
    let images = Tensor::from_slice(&bytes).view([1, 3, 32, 32]);
    Examples { images, labels: Tensor::from_slice(&[7i64]) }
}

/// What the network sees, as bytes again.
fn as_bytes(seen: &Tensor) -> Tensor {
    let along = |numbers: [f32; 3]| Tensor::from_slice(&numbers).view([1, 3, 1, 1]);
    ((seen * along(crate::net::STD) + along(crate::net::MEAN)) * 255.0).round().to_kind(Kind::Uint8)
}

#[test]
fn batches_are_the_pictures_themselves_mirrored_and_moved() {
    let examples = corners();
    let batches = Batches::new(&examples, Device::Cpu).unwrap();
    let (seen, labels) = batches.plain(0, 1, Kind::Float).unwrap();
    assert_eq!(as_bytes(&seen), examples.images);
    assert_eq!(Vec::<i64>::try_from(labels).unwrap(), [7]);
    // In one of two epochs in a row it is mirrored, in the other it is not.
    let plain = Recipe { flip: false, shift: 0, ..Recipe::lecture() };
    let batch = |recipe: &Recipe, epoch| {
        as_bytes(&batches.batch(&batches.epoch(recipe, epoch).unwrap(), 0, 1, Kind::Float).unwrap().0)
    };
    let flipping = Recipe { flip: true, ..plain.clone() };
    let both = [batch(&flipping, 0), batch(&flipping, 1)];
    let mirrored = examples.images.flip([3]);
    assert!(both.contains(&examples.images) && both.contains(&mirrored));
    // Moved: every epoch is one of the 25 places, the edge mirrored into the gap.
    let padded = examples.images.to_kind(Kind::Float).reflection_pad2d([2, 2, 2, 2]).to_kind(Kind::Uint8);
    let places: Vec<Tensor> =
        (0..25).map(|i| padded.narrow(2, i / 5, 32).narrow(3, i % 5, 32).contiguous()).collect();
    let mut found = std::collections::BTreeSet::new();
    let moving = Recipe { shift: 2, ..plain.clone() };
    for epoch in 0..200 {
        let moved = batch(&moving, epoch);
        found.insert(places.iter().position(|place| *place == moved).unwrap());
    }
    assert!(found.len() > 20, "{found:?}");
    // Cut out: one square of the mean colour, nothing else changed; at the edge, a part of it.
    let cutting = Recipe { cutout: 6, ..plain };
    let grey = Tensor::from_slice(&crate::net::MEAN.map(|m| (255.0 * m).round() as u8)).view([1, 3, 1, 1]);
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
fn every_picture_comes_once_in_an_epoch_with_its_own_label() {
    let data = colours();
    let batches = Batches::new(&data.train, Device::Cpu).unwrap();
    let epoch = batches.epoch(&Recipe { seed: 3, flip: false, shift: 0, ..Recipe::lecture() }, 1).unwrap();
    let (seen, labels) = batches.batch(&epoch, 0, 320, Kind::Float).unwrap();
    let (seen, labels) = (as_bytes(&seen), Vec::<i64>::try_from(labels).unwrap());
    let rows = |t: &Tensor| -> Vec<Vec<u8>> {
        t.contiguous().view([-1, 3072]).unbind(0).iter().map(|row| Vec::try_from(row).unwrap()).collect()
    };
    let own: std::collections::HashMap<Vec<u8>, i64> =
        rows(&data.train.images).into_iter().zip(Vec::<i64>::try_from(&data.train.labels).unwrap()).collect();
    assert_eq!(own.len(), 320);
    let seen = rows(&seen);
    assert_eq!(seen.iter().collect::<std::collections::HashSet<_>>().len(), 320);
    assert!(seen.iter().zip(&labels).all(|(picture, label)| own[picture] == *label));
}

#[test]
fn pictures_of_another_kind_are_refused() {
    let refused = |images: Tensor, labels: &[i64]| {
        let labels = Tensor::from_slice(labels);
        Batches::new(&Examples { images, labels }, Device::Cpu).map(drop).unwrap_err().to_string()
    };
    let zeros = |size: &[i64], kind| Tensor::zeros(size, (kind, Device::Cpu));
    let error = refused(zeros(&[2, 32, 32, 3], Kind::Uint8), &[0, 1]);
    assert!(error.contains("permute"), "{error}");
    let error = refused(zeros(&[2, 3, 32, 32], Kind::Float), &[0, 1]);
    assert!(error.contains("images: expected kind Uint8, got Float"), "{error}");
    let error = refused(zeros(&[2, 3, 32, 32], Kind::Uint8), &[0]);
    assert!(error.contains("a label for each picture"), "{error}");
    let error = refused(zeros(&[2, 3, 32, 32], Kind::Uint8), &[1, 10]);
    assert!(error.contains("got 1 to 10. Do they count from 1?"), "{error}");
}

/// Pictures here, the network there: a learner with a GPU need not think of it.
#[test]
fn network_and_pictures_may_lie_on_different_devices() {
    let samples = crate::data::Cifar10::samples().unwrap();
    let (recipe, data) = small();
    let own = LectureNet::shipped().unwrap();
    let judged = |net: &LectureNet, examples: &Examples| {
        super::evaluate(net, examples, crate::data::Cifar10::NAMES, true).unwrap()
    };
    let expected = judged(&own, &samples);
    for (there, here) in devices().into_iter().flat_map(|a| devices().into_iter().map(move |b| (a, b))) {
        let (net, examples) = (own.to_device(there).unwrap(), samples.to_device(here).unwrap());
        let report = judged(&net, &examples);
        assert_eq!((&report.answers, &report.labels), (&expected.answers, &expected.labels));
        assert_eq!(net.logits(&examples.images).unwrap().device(), there);
        let names = crate::data::Cifar10::NAMES;
        let view = examples.see(&net, 3, names).unwrap();
        let strongest =
            |view: &crate::see::View| view.maps("block2").unwrap().strongest_first().order().unwrap()[0];
        assert_eq!(strongest(&view), strongest(&samples.see(&own, 3, names).unwrap()));
        crate::see::album(&net, &examples, &report, 4).unwrap();
        crate::see::patches(&net, &examples, "block2").unwrap();
        report.surest_mistakes(&examples, 3).unwrap();
        crate::summary(&net, &examples.images).unwrap();
        let folder = TempFolder::new("train-devices");
        let recipe =
            Recipe { device: there, epochs: 1, folder: Some(folder.path().into()), ..recipe.clone() };
        train(recipe, &data.to_device(here).unwrap()).unwrap().wait().unwrap();
    }
}

#[test]
fn a_report_counts_and_shows() {
    let classes = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let report = super::Report {
        classes,
        labels: vec![0, 0, 0, 3, 3],
        answers: vec![0, 3, 3, 3, 0],
        sureness: vec![0.9, 0.6, 0.8, 0.5, 0.7],
    };
    assert_eq!(report.accuracy(), 0.4);
    assert_eq!(report.confusion()[0][..4], [1, 0, 0, 2]);
    assert_eq!(report.class_accuracy()[..4], [Some(1.0 / 3.0), None, None, Some(0.5)]);
    assert_eq!(report.mistakes(), [2, 4, 1]);
    assert!(report.figure().unwrap().alt().contains("a a was taken for a d: 2 times"));
    let examples = |count| Examples {
        images: Tensor::zeros([count, 3, 32, 32], (Kind::Uint8, Device::Cpu)),
        labels: Tensor::zeros([count], (Kind::Int64, Device::Cpu)),
    };
    let shown = |count| report.surest_mistakes(&examples(5), count).unwrap().text().to_owned();
    assert_eq!(shown(2), "a → d, 80 % sure\nd → a, 70 % sure");
    assert!(shown(9).ends_with("a → d, 60 % sure\nd 50 % sure\na 90 % sure"), "{}", shown(9));
    let error = report.surest_mistakes(&examples(4), 2).unwrap_err().to_string();
    assert!(error.contains("about 5 pictures, these are 4"), "{error}");
}
