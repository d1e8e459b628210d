//! `summary` of real layers, and what it says when one refuses, kept in `tests/shapes/summaries.txt`.
//!
//! `UPDATE_EXPECT=1 cargo test --test summary` writes the file anew: look at what changed.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use nchw::prelude::*;
use std::fmt::Write;
use tch::nn;

fn zeros(sizes: &[i64]) -> Tensor {
    Tensor::zeros(sizes, (Kind::Float, Device::Cpu))
}

#[test]
fn every_text_is_as_it_was_looked_at() {
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
    let pictures = zeros(&[8, 3, 7, 9]);
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
    let whole = summary(&vs, &net, &pictures).unwrap();
    assert_eq!(whole.rows.iter().map(|row| row.parameters.unwrap()).sum::<u64>(), whole.parameters.unwrap());
    assert_eq!(whole.parameters, Some(280 + 20 + 244));
    add("a whole net, and layers that were left out", whole.to_string());
    add("without a VarStore", summary(None, &net[..2], &pictures).unwrap().to_string());
    add("one picture without its batch", summary(&vs, &net[..1], &zeros(&[3, 7, 9])).unwrap().to_string());
    add("no layers", summary(None, &[], &zeros(&[2, 3, 4, 5, 6])).unwrap().to_string());

    let mut fails = |case: &str, layers: &[(&str, &dyn nn::ModuleT)], input: &Tensor| {
        add(case, summary(&vs, layers, input).expect_err(case).to_string());
    };
    fails("an earlier layer's channels", &[("conv1", &conv1), ("conv2", &wrong)], &pictures);
    fails("the batch in the weight", &[("conv1", &conv1), ("conv3", &batch)], &pictures);
    fails("channels of batch normalisation", &[("conv1", &conv1), ("norm3", &norm3)], &pictures);
    fails("a wrong number of features", &[("flatten", &flat), ("far", &far)], &pictures);
    fails("no flatten", &[("conv1", &conv1), ("head", &head)], &pictures);
    fails("a flatten too early", &[("flatten", &flat), ("conv1", &conv1)], &pictures);
    fails("five axes", &[("conv1", &conv1)], &zeros(&[1, 8, 3, 7, 9]));
    fails("too small for the filter", &[("conv1", &conv1)], &zeros(&[8, 3, 2, 9]));
    fails("too small for the window", &[("pool", &pool), ("pool2", &pool)], &zeros(&[8, 3, 2, 9]));
    fails("bytes to a convolution", &[("conv1", &conv1)], &pictures.to_kind(Kind::Uint8));
    fails("bytes to a linear layer", &[("head", &head)], &zeros(&[8, 60]).to_kind(Kind::Uint8));
    fails("the same name twice", &[("pool", &pool), ("pool", &pool)], &pictures);
    fails("a panic of another kind", &[("mine", &panics)], &pictures);
    common::as_kept("shapes/summaries.txt", &all);
}

#[test]
fn nothing_is_learned_and_nothing_changes() {
    let vs = nn::VarStore::new(Device::Cpu);
    let norm = nn::batch_norm2d(vs.root() / "norm", 3, Default::default());
    let before: Vec<f32> = Vec::try_from(&norm.running_mean).unwrap();
    summary(&vs, &[("norm", &norm)], &Tensor::ones([8, 3, 7, 9], (Kind::Float, Device::Cpu))).unwrap();
    assert_eq!(Vec::<f32>::try_from(&norm.running_mean).unwrap(), before);
}
