//! The network and the training loop that learners write in notebook 08, compared with PyTorch.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use nchw::prelude::*;
use tch::nn::{self, ModuleT, OptimizerConfig};

/// Code of the notebook: compiled, and compared with the cells by `the_code_is_the_notebooks`.
macro_rules! of_the_notebook {
    ($($code:item)*) => {
        $($code)*
        const CODE: &[&str] = &[$(stringify!($code)),*];
    };
}

of_the_notebook! {
    fn layer(net: nn::SequentialT, path: &nn::Path, number: i64, inputs: i64, maps: i64) -> nn::SequentialT {
        let same = nn::ConvConfig { padding: 1, bias: false, ..Default::default() };
        let ones = nn::BatchNormConfig { ws_init: nn::Init::Const(1.0), ..Default::default() };
        net.add(nn::conv2d(path / format!("conv{number}"), inputs, maps, 3, same))
            .add(nn::batch_norm2d(path / format!("norm{number}"), maps, ones))
            .add_fn(|x| x.relu())
    }

    fn lecture(vs: &nn::VarStore) -> Result<nn::SequentialT> {
        let (root, mut net, mut inputs) = (vs.root(), nn::seq_t(), 3);
        for (number, maps, convolutions) in [(1, 32, 2), (2, 64, 3), (3, 128, 3)] {
            let path = &root / format!("block{number}");
            for number in 1..=convolutions {
                net = layer(net, &path, number, inputs, maps);
                inputs = maps;
            }
            net = net.add_fn(|x| x.max_pool2d_default(2));
        }
        let head = nn::linear(&root / "head", 128 * 4 * 4, 10, Default::default());
        Ok(net.add_fn(|x| x.flatten(1, -1)).add(head))
    }

    fn learn(net: &nn::SequentialT, opt: &mut nn::Optimizer, data: &Examples, steps: usize) -> Vec<f64> {
        let mut losses = vec![];
        for _ in 0..steps {
            let (images, labels) = batch(data, 32);
            let scores = net.forward_t(&images, true);
            let loss = scores.cross_entropy_for_logits(&labels);
            opt.zero_grad();
            loss.backward();
            opt.step();
            losses.push(loss.double_value(&[]));
        }
        losses
    }

    fn multiply_adds(table: &nchw::Summary) -> u64 {
        table.rows.iter().map(|row| {
            let positions = row.output.iter().skip(2).product::<u64>();
            let weights = row.variables.iter().filter(|(_, sizes)| sizes.len() > 1);
            weights.map(|(_, sizes)| sizes.iter().product::<u64>() * positions).sum::<u64>()
        }).sum()
    }
}

/// In place of the notebook's random images: all of them, in their order.
fn batch(data: &Examples, _size: i64) -> (Tensor, Tensor) {
    let images = data.images.to_kind(Kind::Float) / 255.0;
    ((images - 0.5) * 4.0, data.labels.shallow_clone())
}

#[test]
fn the_code_is_the_notebooks() {
    let read = |folder: &str| {
        let path = format!("{}/../../notebooks/{folder}/08-from-scratch.md", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let text = read("src") + &read("solutions");
    let plain = |code: &str| -> String {
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or(""));
        lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
    };
    let text = plain(&text);
    for code in CODE {
        assert!(text.contains(&plain(code)), "no cell of the notebook has this code:\n{code}");
    }
}

/// The formula of `pytorch.py`.
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

/// Six images, whose pixels are computed by the formula of `pytorch.py`.
fn examples() -> Examples {
    let pixel = |i: i64| {
        let (n, c, h, w) = (i / 3072, i / 1024 % 3, i / 32 % 32, i % 32);
        ((41 * n + 31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256) as u8
    };
    let pixels: Vec<u8> = (0..6 * 3072).map(pixel).collect();
    Examples {
        images: Tensor::from_slice(&pixels).view([6, 3, 32, 32]),
        labels: Tensor::from_slice(&[3i64, 0, 9, 5, 1, 7]),
    }
}

#[test]
fn the_losses_of_five_steps_are_those_of_pytorch() {
    let vs = nn::VarStore::new(Device::Cpu);
    let net = lecture(&vs).unwrap();
    let mut variables: Vec<(String, Tensor)> = vs.variables().into_iter().collect();
    variables.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (number, (name, variable)) in variables.iter_mut().enumerate() {
        tch::no_grad(|| variable.copy_(&by_formula(name, &variable.size(), number)));
    }
    let mut opt = nn::Sgd { momentum: 0.9, ..Default::default() }.build(&vs, 0.01).unwrap();
    let losses = learn(&net, &mut opt, &examples(), 5);
    let expected: Vec<f64> = include_str!("net/from_scratch.txt")
        .lines()
        .map(|line| line.split_once(' ').unwrap().1.parse().unwrap())
        .collect();
    assert_eq!(losses.len(), expected.len());
    for (step, (loss, expected)) in losses.iter().zip(&expected).enumerate() {
        assert!((loss - expected).abs() < 1e-4, "step {step}: expected {expected}, got {loss}");
    }
}

/// The learner's network has the names of the course's, so it can read its weights, and then answers alike.
#[test]
fn the_courses_weights_fit_the_learners_network() {
    let mut vs = nn::VarStore::new(Device::Cpu);
    let net = lecture(&vs).unwrap();
    let file = format!("{}/assets/lecture-net.safetensors", env!("CARGO_MANIFEST_DIR"));
    vs.load(file).unwrap();
    let images = examples().images;
    let per_channel = |numbers: [f32; 3]| Tensor::from_slice(&numbers).view([1, 3, 1, 1]);
    let normalised = (images.to_kind(Kind::Float) / 255.0 - per_channel([0.4914, 0.4822, 0.4465]))
        / per_channel([0.2470, 0.2435, 0.2616]);
    let mine = tch::no_grad(|| net.forward_t(&normalised, false));
    let theirs = LectureNet::shipped().unwrap().logits(&images).unwrap();
    let difference = (mine - &theirs).abs().max().double_value(&[]);
    assert!(difference < 1e-3 * theirs.abs().max().double_value(&[]), "{difference}");
}

/// What the notebook counts is what the arithmetic of the layers counts.
#[test]
fn the_multiply_adds_of_a_summary_are_those_of_the_table() {
    let vs = nn::VarStore::new(Device::Cpu);
    let net = lecture(&vs).unwrap();
    let image = Tensor::zeros([1, 3, 32, 32], (Kind::Float, Device::Cpu));
    let counted = multiply_adds(&summary(&with_weights(&net, &vs), &image).unwrap());
    let table = LectureNetConfig::default().chain().on([1, 3, 32, 32]);
    // The table also counts batch normalisation.
    let with_weight = table.rows.iter().filter(|row| row.weight.len() > 1);
    assert_eq!(counted, with_weight.map(|row| row.multiply_adds).sum::<u64>());
}
