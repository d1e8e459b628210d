//! `summary` of real layers, and its errors, compared with `tests/summary.txt`.
//!
//! `UPDATE_EXPECT=1 cargo test --test summary` rewrites the file; review the changes.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use nchw::prelude::*;
use nchw::typed::{Conv, MaxPool, Relu};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use tch::nn;

fn zeros(sizes: &[i64]) -> Tensor {
    Tensor::zeros(sizes, (Kind::Float, Device::Cpu))
}

#[test]
fn every_text_is_the_reviewed_one() {
    let vs = nn::VarStore::new(Device::Cpu);
    let root = vs.root();
    let conv1 = nn::conv2d(&root / "conv1", 3, 10, 3, Default::default());
    let norm1 = nn::batch_norm2d(&root / "norm1", 10, Default::default());
    let relu = nn::func(|maps| maps.relu());
    let pool = nn::func(|maps| maps.max_pool2d_default(2));
    let flat = nn::func(|maps| maps.flatten(1, -1));
    let head = nn::linear(&root / "head", 60, 4, Default::default());
    let wrong = nn::conv2d(&root / "conv2", 3, 20, 3, Default::default());
    let batch = nn::conv2d(&root / "conv3", 8, 20, 3, Default::default());
    let norm3 = nn::batch_norm2d(&root / "norm3", 3, Default::default());
    let far = nn::linear(&root / "far", 490, 4, Default::default());
    let panics = nn::func(|_| panic!("a closure of one's own"));
    let images = zeros(&[8, 3, 7, 9]);
    let net: [(&str, &dyn nn::ModuleT); 6] = [
        ("conv1", &conv1),
        ("norm1", &norm1),
        ("relu", &relu),
        ("pool", &pool),
        ("flatten", &flat),
        ("head", &head),
    ];
    let mut all = String::new();
    let mut add = |case: &str, text: String| writeln!(all, "=== {case}\n{text}\n").unwrap();
    let whole = summary(&named(&vs, &net), &images).unwrap();
    assert_eq!(whole.rows.iter().map(|row| row.parameters.unwrap()).sum::<u64>(), whole.parameters.unwrap());
    assert_eq!(whole.parameters, Some(280 + 20 + 244));
    add("a whole net, and layers that were left out", whole.to_string());
    add("without a VarStore", summary(&named(None, &net[..2]), &images).unwrap().to_string());
    add(
        "one picture without its batch",
        summary(&named(&vs, &net[..1]), zeros(&[3, 7, 9])).unwrap().to_string(),
    );
    add("no layers", summary(&named(None, &[]), zeros(&[2, 3, 4, 5, 6])).unwrap().to_string());

    let mut fails = |case: &str, layers: &[(&str, &dyn nn::ModuleT)], input: &Tensor| {
        add(case, summary(&named(&vs, layers), input).expect_err(case).to_string());
    };
    fails("an earlier layer's channels", &[("conv1", &conv1), ("conv2", &wrong)], &images);
    fails("the batch in the weight", &[("conv1", &conv1), ("conv3", &batch)], &images);
    fails("channels of batch normalisation", &[("conv1", &conv1), ("norm3", &norm3)], &images);
    fails("a wrong number of features", &[("flatten", &flat), ("far", &far)], &images);
    fails("no flatten", &[("conv1", &conv1), ("head", &head)], &images);
    fails("a flatten too early", &[("flatten", &flat), ("conv1", &conv1)], &images);
    fails("five axes", &[("conv1", &conv1)], &zeros(&[1, 8, 3, 7, 9]));
    fails("too small for the filter", &[("conv1", &conv1)], &zeros(&[8, 3, 2, 9]));
    fails("too small for the window", &[("pool", &pool), ("pool2", &pool)], &zeros(&[8, 3, 2, 9]));
    fails("bytes to a convolution", &[("conv1", &conv1)], &images.to_kind(Kind::Uint8));
    fails("bytes to a linear layer", &[("head", &head)], &zeros(&[8, 60]).to_kind(Kind::Uint8));
    fails("the same name twice", &[("pool", &pool), ("pool", &pool)], &images);
    fails("a panic of another kind", &[("mine", &panics)], &images);
    networks(&mut add);
    common::as_kept("summary.txt", &all);
}

#[test]
fn a_summary_does_not_change_the_network() {
    let vs = nn::VarStore::new(Device::Cpu);
    let norm = nn::batch_norm2d(vs.root() / "norm", 3, Default::default());
    let before: Vec<f32> = Vec::try_from(&norm.running_mean).unwrap();
    let images = Tensor::ones([8, 3, 7, 9], (Kind::Float, Device::Cpu));
    summary(&named(&vs, &[("norm", &norm)]), &images).unwrap();
    assert_eq!(Vec::<f32>::try_from(&norm.running_mean).unwrap(), before);
    let mean = norm.running_mean.shallow_clone();
    let net = nn::seq_t().add(norm);
    summary(&net, &images).unwrap();
    summary(&with_weights(&net, &vs), &images).unwrap();
    assert!(vs.trainable_variables().iter().all(|variable| !variable.grad().defined()));
    assert_eq!(Vec::<f32>::try_from(&mean).unwrap(), before);
}

/// Networks whose layers are not listed with `named`.
fn networks(add: &mut impl FnMut(&str, String)) {
    let vs = nn::VarStore::new(Device::Cpu);
    let conv = |inputs, filters| nn::conv2d(vs.root(), inputs, filters, 3, Default::default());
    let images = zeros(&[8, 3, 7, 9]);
    let net = nn::seq().add(conv(3, 10)).add_fn(Tensor::relu).add(conv(10, 20));
    add("a Sequential", summary(&net, &images).unwrap().to_string());
    add(
        "a Sequential, too small for its third layer",
        summary(&net, zeros(&[8, 3, 4, 9])).unwrap_err().to_string(),
    );
    add(
        "a Sequential, too small for its first layer",
        summary(&net, zeros(&[8, 3, 2, 9])).unwrap_err().to_string(),
    );
    let net = nn::seq_t()
        .add(conv(3, 10))
        .add(nn::batch_norm2d(vs.root(), 10, Default::default()))
        .add_fn_t(|maps, train| maps.dropout(0.5, train));
    add("a SequentialT", summary(&net, &images).unwrap().to_string());
    add("a SequentialT on other channels", summary(&net, zeros(&[8, 4, 7, 9])).unwrap_err().to_string());
    add("a Sequential without layers", summary(&nn::seq(), &images).unwrap().to_string());

    stored(add, &images);
    let bytes = zeros(&[8, 3, 32, 32]).to_kind(Kind::Uint8);
    for net in [SmallNet::mlp(1), SmallNet::cnn(1)] {
        let whole = summary(&net, &bytes).unwrap();
        assert_eq!(whole.parameters, Some(net.parameters() as u64));
        assert_eq!(whole.rows.last().unwrap().output, [8, 10]);
        add(&format!("{net:?}"), whole.to_string());
    }
    let grey = zeros(&[8, 1, 32, 32]).to_kind(Kind::Uint8);
    add("a small net on grey pictures", summary(&SmallNet::cnn(1), &grey).unwrap_err().to_string());

    let net = Conv::<3, 10>::new(3).then(Relu).then(Conv::<10, 20>::new((2, 3)).then(MaxPool::new(2)));
    let whole = summary(&net, &images).unwrap();
    let parameters: usize = net.variables().iter().map(Tensor::numel).sum();
    assert_eq!(whole.parameters, Some(parameters as u64));
    add("typed layers", whole.to_string());
    add("typed layers on other channels", summary(&net, zeros(&[8, 4, 7, 9])).unwrap_err().to_string());
    let net = Conv::<3, 10>::new(3).then(Relu).then(MaxPool::new(6));
    add("a typed layer that is too large", summary(&net, &images).unwrap_err().to_string());
}

/// Networks of tch whose variables are found in the computation graph.
fn stored(add: &mut impl FnMut(&str, String), images: &Tensor) {
    let vs = nn::VarStore::new(Device::Cpu);
    let root = vs.root();
    let conv = |path: nn::Path<'_>, inputs, filters| {
        nn::conv2d(path, inputs, filters, 3, nn::ConvConfig { padding: 1, ..Default::default() })
    };
    let norm = |path: nn::Path<'_>, channels| nn::batch_norm2d(path, channels, Default::default());
    let inner =
        nn::seq_t().add(conv(&root / "block2" / "conv", 10, 10)).add(norm(&root / "block2" / "norm", 10));
    let _unused = nn::linear(&root / "unused", 2, 5, Default::default());
    let net = nn::seq_t()
        .add_fn(|maps| maps.relu())
        .add(conv(&root / "block1" / "conv", 3, 10))
        .add(norm(&root / "block1" / "norm", 10))
        .add_fn_t(move |maps, train| maps + nn::ModuleT::forward_t(&inner, maps, train))
        .add_fn(|maps| maps.max_pool2d_default(2))
        .add_fn(|maps| maps.flatten(1, -1));
    let whole = summary(&with_weights(&net, &vs), images).unwrap();
    let names: Vec<&str> = whole.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["1", "block1.conv", "block1.norm", "block2", "5", "6"]);
    let all: usize = vs.trainable_variables().iter().map(Tensor::numel).sum();
    assert_eq!(whole.parameters, Some(all as u64 - (2 * 5 + 5)));
    assert_eq!(whole.left_over, ["unused.bias", "unused.weight"]);
    let listed = [("block1.conv", &root / "block1"), ("block1.norm", &root / "block1")];
    for ((name, _), row) in listed.iter().zip(&whole.rows[1..]) {
        let mut variables: Vec<String> =
            row.variables.iter().map(|(own, _)| format!("{name}.{own}")).collect();
        variables.sort();
        let mut inside: Vec<String> =
            vs.variables().into_keys().filter(|full| full.starts_with(name)).collect();
        inside.sort();
        assert_eq!(variables, inside);
    }
    add("a SequentialT with its VarStore", whole.to_string());

    let mut vs = nn::VarStore::new(Device::Cpu);
    let net = nn::seq_t().add(conv(vs.root(), 3, 10)).add(norm(vs.root(), 10)).add(conv(vs.root(), 10, 5));
    let plain = summary(&with_weights(&net, &vs), images).unwrap();
    let all: usize = vs.trainable_variables().iter().map(Tensor::numel).sum();
    assert_eq!((plain.parameters, plain.left_over.len()), (Some(all as u64), 0));
    add("layers without a path", plain.to_string());
    vs.freeze();
    let frozen = summary(&with_weights(&net, &vs), images).unwrap();
    assert!(vs.trainable_variables().iter().all(|variable| !variable.requires_grad()));
    assert_eq!(frozen.rows[0].variables, plain.rows[0].variables);
    assert_eq!(frozen.parameters, Some(0));
    vs.unfreeze();
    add(
        "with its VarStore, too small for the third layer",
        summary(
            &with_weights(&net.add(nn::conv2d(vs.root() / "far", 5, 2, 20, Default::default())), &vs),
            images,
        )
        .unwrap_err()
        .to_string(),
    );
    let other = nn::VarStore::new(Device::Cpu);
    let _linear = nn::linear(other.root(), 2, 5, Default::default());
    let net = nn::seq().add(conv(vs.root(), 3, 10));
    let unknown = summary(&with_weights(&net, &other), images).unwrap();
    assert_eq!(unknown.parameters, None);
    add("with another VarStore", unknown.to_string());
}

#[test]
fn the_compiler_explains_how_to_list_the_layers_of_your_own_network() {
    let own = ["struct Mine;", "let _ = nchw::summary(&Mine, nchw::tch::Tensor::new());"];
    let (compiles, message) = common::compiled("summary-own", &own);
    assert!(!compiles);
    for line in [
        "error[E0277]: `summary` cannot look into `Mine`\n",
        "list them with their names, in order: `summary(&named(&vs, &[(\"conv1\", &net.conv1), (\"relu\", &relu)]), &input)`",
    ] {
        assert!(message.contains(line), "expected {line} in\n{message}");
    }
}

/// Batch normalisation of an image without batch axis.
#[test]
fn a_missing_batch_axis_is_explained() {
    let vs = nn::VarStore::new(Device::Cpu);
    let norm = nn::batch_norm2d(vs.root(), 3, Default::default());
    let error = summary(&named(None, &[("norm", &norm)]), zeros(&[3, 7, 9])).unwrap_err().to_string();
    assert!(error.contains("`.unsqueeze(0)` on the input makes it 1x3x7x9"), "{error}");
    // libtorch's own function, which takes the rows for channels.
    let (mean, variance) = (zeros(&[3]), Tensor::ones([3], (Kind::Float, Device::Cpu)));
    let norm = nn::func(move |maps| {
        maps.batch_norm::<&Tensor>(None, None, Some(&mean), Some(&variance), false, 0.1, 1e-5, false)
    });
    let error = summary(&named(None, &[("norm", &norm)]), zeros(&[3, 7, 9])).unwrap_err().to_string();
    assert!(error.contains("`.unsqueeze(0)` on the input makes it 1x3x7x9"), "{error}");
    let error = summary(&named(None, &[("norm", &norm)]), zeros(&[2, 4, 7, 9])).unwrap_err().to_string();
    assert!(error.contains("made for 3 channels, and the input has 4"), "{error}");
}

#[test]
fn an_input_that_was_never_filled_is_refused() {
    let relu = nn::func(|maps| maps.relu());
    let error = summary(&named(None, &[("relu", &relu)]), Tensor::new()).unwrap_err().to_string();
    assert!(error.contains("never filled"), "{error}");
}

/// A binary search finds the layer that fails, and each layer before it is listed once.
#[test]
fn the_layer_that_fails_is_found_in_few_runs() {
    let vs = nn::VarStore::new(Device::Cpu);
    let names: Vec<String> = (0..20_000).map(|n| format!("layer{n}")).collect();
    let relu = nn::func(|maps| maps.shallow_clone());
    let first = CountRuns::default();
    let wrong = nn::linear(vs.root() / "layer15000", 4, 4, Default::default());
    let own = nn::linear(vs.root() / "layer7" / "inner", 3, 3, Default::default());
    let layers: Vec<(&str, &dyn nn::ModuleT)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let layer: &dyn nn::ModuleT = match n {
                0 => &first,
                7 => &own,
                15_000 => &wrong,
                _ => &relu,
            };
            (name.as_str(), layer)
        })
        .collect();
    let error = summary(&named(&vs, &layers), zeros(&[2, 3])).unwrap_err().to_string();
    assert!(
        error.contains("layer 15001, `layer15000`, does not fit on 2x3"),
        "{}",
        &error[error.len() - 500..]
    );
    assert!(error.contains("layer7  ") && error.lines().count() > 15_000);
    let runs = first.0.load(Ordering::Relaxed);
    assert!((2..40).contains(&runs), "{runs} runs");
}

/// Counts how often it is run.
#[derive(Debug, Default)]
struct CountRuns(AtomicUsize);

impl nn::ModuleT for CountRuns {
    fn forward_t(&self, maps: &Tensor, _: bool) -> Tensor {
        self.0.fetch_add(1, Ordering::Relaxed);
        maps.shallow_clone()
    }
}
