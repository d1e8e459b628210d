//! Time limit, blocked outputs, training without gradients, damaged checkpoints, equal logits.

use super::{colours, small};
use crate::{
    net::{LectureNet, LectureNetConfig},
    testing::TempFolder,
    train::{Recipe, State, train, trainer::Trainer},
};
use tch::Tensor;

/// A trainer that has decided how many epochs fit the minutes; saving takes no time.
fn limited_trainer(recipe: &Recipe, minutes: f64, epochs: usize, data: &crate::data::Dataset) -> Trainer {
    let recipe = Recipe { minutes, epochs, ..recipe.clone() };
    let mut trainer = Trainer::new(recipe, data).unwrap();
    trainer.fit_minutes(0.0).unwrap();
    trainer
}

#[test]
fn minutes_limit_the_epochs_and_do_not_change_the_weights() {
    let (recipe, data) = small();
    let weights = |trainer: &Trainer| -> Vec<Tensor> {
        trainer.trained().variables().into_iter().map(|(_, v)| v.detach().copy()).collect()
    };
    let untouched = limited_trainer(&recipe, 0.0, 9000, &data);
    assert_eq!(untouched.epochs, 9000);
    // 100 images: 1, 2, 6 and 50 steps per epoch; 16 steps are timed.
    for (batch_size, steps) in [(100, 1), (50, 2), (16, 6), (2, 50)] {
        let recipe = Recipe { batch_size, ..recipe.clone() };
        let limited = limited_trainer(&recipe, 1.0 / 60.0, 9000, &data);
        assert_eq!(limited.steps(), steps);
        // No machine trains 9000 epochs in a second: that would be 0.1 ms per epoch.
        assert!((1..9000).contains(&limited.epochs), "batch size {batch_size}: {}", limited.epochs);
        assert_eq!(limited_trainer(&recipe, 600.0, 3, &data).epochs, 3);
        assert_eq!(weights(&limited), weights(&untouched));
        assert_eq!(limited.done(), 0.0);
    }
}

/// An output that blocks must not block the training: the status is unlocked while a line is shown.
#[test]
fn the_status_is_unlocked_while_a_line_is_shown() {
    let (recipe, data) = small();
    let folder = TempFolder::new("train-wait");
    let run = train(Recipe { folder: Some(folder.path().into()), ..recipe }, &data).unwrap();
    let mut lines = Vec::new();
    run.wait_and_show(|line| {
        // The training holds the lock only for moments, so one of these attempts must find it free.
        let unlocked = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            run.is_unlocked()
        });
        assert!(unlocked, "locked while `{line}` is shown");
        lines.push(line.to_owned());
    })
    .unwrap();
    assert_eq!(lines.len(), 1 + 3, "{lines:?}");
    assert!(
        lines[0].starts_with("small on Shapes-10") && lines[3].starts_with("epoch   3 of 3"),
        "{lines:?}"
    );
}

#[test]
fn a_training_started_inside_no_grad_gives_the_same_weights() {
    let data = colours();
    let (recipe, _) = small();
    let trained = |name: &str| {
        let folder = TempFolder::new(name);
        let recipe = Recipe { epochs: 1, folder: Some(folder.path().into()), ..recipe.clone() };
        train(recipe, &data).unwrap().wait().unwrap().logits(&data.test.images).unwrap()
    };
    let expected = trained("train-with-gradients");
    assert_eq!(tch::no_grad(|| trained("train-no-grad")), expected);
    let _guard = tch::no_grad_guard();
    assert_eq!(trained("train-no-grad-guard"), expected);
}

#[test]
fn a_damaged_checkpoint_gives_advice() {
    let (recipe, data) = small();
    let folder = TempFolder::new("train-cut");
    let recipe = Recipe { epochs: 2, folder: Some(folder.path().into()), ..recipe };
    let whole = train(recipe.clone(), &data).unwrap().wait().unwrap();
    let file = folder.path().canonicalize().unwrap().join("checkpoint.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for damage in [&bytes[..bytes.len() / 2], &[], &damaged] {
        std::fs::write(&file, damage).unwrap();
        let error = train(recipe.clone(), &data).unwrap_err().to_string();
        let kept = file.with_file_name("epochs").join("0002.safetensors");
        for words in [
            "cannot resume from its checkpoint: ",
            "an older copy of this file, put it in its place",
            &format!("`mv '{0}' '{0}-old'`", file.parent().unwrap().display()),
            &format!("The weights after epoch 2 are in {}", kept.display()),
        ] {
            assert!(error.contains(words), "expected `{words}` in: {error}");
        }
        // The advice works: those weights can be read, and without the folder the training starts anew.
        LectureNet::load(&kept).unwrap();
        let away = TempFolder::new("train-cut-away");
        std::fs::rename(folder.path(), away.path()).unwrap();
        let run = train(recipe.clone(), &data).unwrap();
        let again = run.wait().unwrap();
        assert_eq!(run.status().state, State::Done);
        assert_eq!(
            again.logits(&data.test.images).unwrap(),
            whole.logits(&data.test.images).unwrap(),
            "trained anew"
        );
    }
}

/// If all weights are 0, every class is equally likely, and every function predicts the first one.
#[test]
fn of_equally_likely_classes_the_first_is_predicted() {
    use crate::{data::Cifar10, see::see, train::evaluate};
    let net = LectureNet::new(LectureNetConfig::default(), 1, tch::Device::Cpu).unwrap();
    let zero: Vec<(String, Tensor)> =
        net.variables().into_iter().map(|(name, tensor)| (name, tensor.zeros_like())).collect();
    let net = LectureNet::from_tensors(LectureNetConfig::default(), &zero, tch::Device::Cpu).unwrap();
    let samples = Cifar10::samples().unwrap();
    let report = evaluate(&net, &samples, Cifar10::NAMES, true).unwrap();
    assert!(report.answers.iter().all(|answer| *answer == 0), "{:?}", report.answers);
    let view = see(&net, &samples.picture(3).unwrap(), Cifar10::NAMES).unwrap();
    assert_eq!(view.answer().unwrap(), 0);
    let figure = view.compare("block3").unwrap();
    assert!(figure.alt().contains("Grad-CAM, airplane"), "{}", figure.alt());
    assert!(
        figure.alt().contains("the answer: airplane 10 %, automobile 10 %, bird 10 %"),
        "{}",
        figure.alt()
    );
}
