//! Layers with channels in the type: what they compute, what the compiler says
//! of a wrong number, and what the same mistake says when it runs.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use common::compiled;
use nchw::prelude::*;
use nchw::typed::{Conv, MaxPool, Net, Relu, Step, lay_on};

fn zeros(sizes: &[i64]) -> Tensor {
    Tensor::zeros(sizes, (Kind::Float, Device::Cpu))
}

#[test]
fn the_lecture_s_layers_give_the_lecture_s_shapes() {
    let (first, second) = (Conv::<3, 10>::new(3), Conv::<10, 20>::new(3));
    assert_eq!(first.weight().unwrap().size(), [10, 3, 3, 3]);
    assert_eq!(second.weight().unwrap().size(), [20, 10, 3, 3]);
    let net: Net<3, 20> = first.then(second);
    assert_eq!(net.forward(&zeros(&[32, 3, 7, 7])).unwrap().size(), [32, 20, 3, 3]);
    assert_eq!(net.forward(&zeros(&[3, 7, 7])).unwrap().size(), [20, 3, 3]);
}

#[test]
fn what_comes_out_is_what_libtorch_computes() {
    let input = Tensor::arange(2 * 3 * 8 * 9, (Kind::Float, Device::Cpu)).view([2, 3, 8, 9]).sin();
    let net = Conv::<3, 4>::new((3, 2)).stride((1, 2)).padding((0, 1)).then(Relu).then(MaxPool::new((2, 1)));
    let [weight, bias] = net.variables().try_into().unwrap();
    let expected = input.conv2d(&weight, Some(&bias), [1, 2], [0, 1], [1, 1], 1).relu();
    let expected = expected.max_pool2d([2, 1], [2, 1], [0, 0], [1, 1], false);
    assert_eq!(net.forward(&input).unwrap(), expected);
    assert_eq!(format!("{net:?}"), "conv 3->4 3x2 stride 1x2 padding 0x1; relu; maxpool 2x1");
    net.forward(&input).unwrap().sum(Kind::Float).backward();
    assert_eq!(weight.grad().size(), [4, 3, 3, 2]);
}

#[test]
fn first_weights_lie_evenly_within_pytorch_s_bound() {
    let layer = Conv::<4, 50>::new(5);
    let weight = layer.weight().unwrap();
    let bound = 1.0 / (4.0f64 * 25.0).sqrt();
    assert!(weight.abs().max().double_value(&[]) <= bound);
    // The spread of an even distribution is its bound over the root of 3.
    assert!((weight.std(true).double_value(&[]) - bound / 3f64.sqrt()).abs() < 0.03 * bound);
    let other = Conv::<4, 50>::new(5).weight().unwrap();
    assert_ne!(weight, other);
}

#[test]
fn the_mistake_at_run_time() {
    let said = |result: nchw::Result<Tensor>| result.unwrap_err().to_string();
    assert_eq!(
        said(lay_on(&zeros(&[20, 3, 3, 3]), &zeros(&[32, 10, 5, 7]))),
        "libtorch says: Given groups=1, weight of size [20, 3, 3, 3], expected input[32, 10, 5, 7] to have 3 channels, \
         but got 10 channels instead\n\
         `conv 3->20 3x3 nobias` does not fit on N=32 C=10 H=5 W=7\n  \
         axis C (channels): expected 10 (a filter has as many channels as what it is laid on), and got 3\n  \
         likely cause: the channels of an earlier layer were written, not those of the layer just before\n  \
         instead: 10, or leave the number out: it is not yours to choose; `conv 10->20 3x3 nobias` would fit"
    );
    assert_eq!(
        said(lay_on(&zeros(&[3, 3]), &zeros(&[32, 10, 5, 7]))),
        "expected filters of four axes (filters x channels x rows x columns, as 20x10x3x3), and got 3x3"
    );
    let net = Conv::<3, 10>::new(3).then(MaxPool::new(4));
    assert_eq!(
        said(net.forward(&zeros(&[1, 3, 5, 9]))),
        "layer 2: libtorch says: Given input size: (10x3x7). Calculated output size: (10x0x1). Output size is too small\n\
         `maxpool 4x4` does not fit on N=1 C=10 H=3 W=7\n  \
         axis H (rows): expected a window of at most 3 rows (3 of the input + 0 + 0 of padding), and got one of 4: \
         floor((3 + 2*0 - 1*(4-1) - 1) / 4) + 1 = floor(-1 / 4) + 1 = 0\n  \
         likely cause: the window is larger than what it is laid on (N=1 C=10 H=3 W=7): strides and pools before left \
         too little\n  \
         instead: a smaller window, more padding, or fewer pools before; `maxpool 3x4` would fit"
    );
    assert_eq!(
        said(net.forward(&zeros(&[1, 3, 7, 9]).to_kind(Kind::Uint8))),
        "layer 1: libtorch says: Input type (unsigned char) and bias type (float) should be the same\n\
         likely cause: the input and the weights are numbers of different kinds (bytes of a picture, say)\n\
         instead: `.to_kind(Kind::Float)` on the input"
    );
    assert_eq!(
        said(Conv::<3, 10>::new(0).forward(&zeros(&[3, 7, 7]))),
        "kernel size: expected at least 1, and got 0x0"
    );
    assert_eq!(
        said(Conv::<3, 10>::new(u64::MAX).weight()),
        "a weight of 10x3x18446744073709551615x18446744073709551615 would hold more numbers than can be counted: \
         expected at most 100,000,000 (400 MB)\n\
         likely cause: a digit too many\n\
         instead: fewer filters, a smaller window or less padding"
    );
}

#[test]
fn the_compiler_says_it_in_the_lecture_s_words() {
    let typed = "use nchw::typed::*;";
    let right = "let _net = Conv::<3, 10>::new(3).then(Relu).then(Conv::<10, 20>::new(3));";
    let (fits, said) = compiled("typed-right", &[typed, right]);
    assert!(fits, "{said}");
    let wrong = "let _net = Conv::<3, 10>::new(3).then(Relu).then(Conv::<3, 20>::new(3));";
    let (fits, said) = compiled("typed-wrong", &[typed, wrong]);
    assert!(!fits);
    let lines = [
        "error[E0277]: a filter's channels must equal the channels of what it is laid on: 10 channels come, and \
         `nchw::typed::Conv<3, 20>` is not made for 10\n",
        "10 channels come here: make this layer `Conv::<10, …>`\n",
        "= note: a filter is laid on all channels at once, so their number (채, C) is not yours to choose: it is that \
         of the layer just before, 10\n",
        "= note: `Conv::<IN, OUT>`: IN is how many channels come, OUT how many filters you choose, and so how many \
         channels come out\n",
    ];
    for line in lines {
        assert!(said.contains(line), "expected {line} in\n{said}");
    }
    assert_eq!(said.matches("error[").count(), 1, "{said}");
}

/// A padding with a digit too many would fill the memory.
#[test]
fn what_would_fill_the_memory_is_refused() {
    let said = |result: nchw::Result<Tensor>| result.unwrap_err().to_string();
    let padded = said(Conv::<3, 10>::new(3).padding(50_000).forward(&zeros(&[1, 3, 7, 9])));
    assert!(
        padded.starts_with("the output of `conv 3->10 3x3 padding 50000` would hold 100,")
            && padded.contains("(400.0 GB): expected at most 1,000,000,000 (4.0 GB)"),
        "{padded}"
    );
    let large = said(Conv::<3, 10>::new(3000).weight());
    assert!(large.contains("270,000,000 numbers (1.1 GB): expected at most 100,000,000 (400 MB)"), "{large}");
    let filters = zeros(&[1, 3, 1, 1]).expand([40_000, 3, 1, 1], false);
    let maps = zeros(&[1, 3, 1, 1]).expand([1, 3, 1000, 1000], false);
    assert!(
        said(lay_on(&filters, &maps))
            .contains("the output of `conv 3->40000 1x1 nobias` would hold 40,000,000,000")
    );
}

#[test]
fn nothing_panics_on_any_numbers() {
    let odd = [0, 1, 2, 3, 1 << 31, i64::MAX as u64, u64::MAX];
    let tensors = [
        Tensor::new(),
        zeros(&[0]),
        zeros(&[3]),
        zeros(&[3, 5, 7]),
        zeros(&[2, 3, 5, 7]),
        zeros(&[0, 3, 5, 7]),
    ];
    for maps in &tensors {
        for (a, b) in odd.iter().flat_map(|a| odd.map(|b| (*a, b))) {
            let layer = Conv::<3, 4>::new((a, b));
            let _ = (layer.weight(), layer.forward(maps), MaxPool::new((a, b)).forward(maps));
            let layer = Conv::<3, 4>::new(2).stride((a, 1)).padding((b, a));
            let _ = layer.then(Relu).forward(maps);
        }
        for filters in &tensors {
            let _ = lay_on(filters, maps);
        }
    }
}
