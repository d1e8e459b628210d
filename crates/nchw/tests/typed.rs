//! Layers with channels in the type: what they compute, the compiler's error for a wrong number of
//! channels, and the error for the same mistake at run time.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use common::compiled;
use nchw::prelude::*;
use nchw::typed::{Conv, MaxPool, Net, Relu, Step, lay_on};

fn zeros(sizes: &[i64]) -> Tensor {
    Tensor::zeros(sizes, (Kind::Float, Device::Cpu))
}

#[test]
fn the_layers_of_the_lecture_have_the_shapes_of_the_lecture() {
    let (first, second) = (Conv::<3, 10>::new(3), Conv::<10, 20>::new(3));
    assert_eq!(first.weight().unwrap().size(), [10, 3, 3, 3]);
    assert_eq!(second.weight().unwrap().size(), [20, 10, 3, 3]);
    let net: Net<3, 20> = first.then(second);
    assert_eq!(net.forward(&zeros(&[32, 3, 7, 7])).unwrap().size(), [32, 20, 3, 3]);
    assert_eq!(net.forward(&zeros(&[3, 7, 7])).unwrap().size(), [20, 3, 3]);
}

#[test]
fn the_output_is_that_of_libtorch() {
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
fn initial_weights_are_uniform_within_pytorch_s_bound() {
    let layer = Conv::<4, 50>::new(5);
    let weight = layer.weight().unwrap();
    let bound = 1.0 / (4.0f64 * 25.0).sqrt();
    assert!(weight.abs().max().double_value(&[]) <= bound);
    // The standard deviation of a uniform distribution is its bound divided by the root of 3.
    assert!((weight.std(true).double_value(&[]) - bound / 3f64.sqrt()).abs() < 0.03 * bound);
    let other = Conv::<4, 50>::new(5).weight().unwrap();
    assert_ne!(weight, other);
}

#[test]
fn errors_at_run_time() {
    let error = |result: nchw::Result<Tensor>| result.unwrap_err().to_string();
    assert_eq!(
        error(lay_on(&zeros(&[20, 3, 3, 3]), &zeros(&[32, 10, 5, 7]))),
        "libtorch says: Given groups=1, weight of size [20, 3, 3, 3], expected input[32, 10, 5, 7] to have 3 channels, \
         but got 10 channels instead\n\
         `conv 3->20 3x3 nobias` does not fit on N=32 C=10 H=5 W=7\n  \
         axis C (channels): expected 10 (a filter must have as many channels as its input), got 3\n  \
         likely cause: these are the channels of an earlier layer, not those of the layer directly before\n  \
         instead: 10, or omit the number: the input determines it; `conv 10->20 3x3 nobias` would fit"
    );
    assert_eq!(
        error(lay_on(&zeros(&[3, 3]), &zeros(&[32, 10, 5, 7]))),
        "expected filters with four axes (filters x channels x rows x columns, such as 20x10x3x3), got 3x3"
    );
    let net = Conv::<3, 10>::new(3).then(MaxPool::new(4));
    assert_eq!(
        error(net.forward(&zeros(&[1, 3, 5, 9]))),
        "layer 2: libtorch says: Given input size: (10x3x7). Calculated output size: (10x0x1). Output size is too small\n\
         `maxpool 4x4` does not fit on N=1 C=10 H=3 W=7\n  \
         axis H (rows): expected a window of at most 3 rows (input 3 + padding 0 + 0), got 4: \
         floor((3 - 4) / 4) + 1 = floor(-1 / 4) + 1 = 0\n  \
         likely cause: the window is larger than its input (N=1 C=10 H=3 W=7): earlier strides and pooling layers left \
         too few positions\n  \
         instead: a smaller window, more padding, or fewer pooling layers before; `maxpool 3x4` would fit"
    );
    assert_eq!(
        error(net.forward(&zeros(&[1, 3, 7, 9]).to_kind(Kind::Uint8))),
        "layer 1: libtorch says: Input type (unsigned char) and bias type (float) should be the same\n\
         likely cause: the input and the weights have different kinds (the input may be the bytes of an image)\n\
         instead: `.to_kind(Kind::Float)` on the input"
    );
    assert_eq!(
        error(Conv::<3, 10>::new(0).forward(&zeros(&[3, 7, 7]))),
        "kernel size: expected at least 1, got 0x0"
    );
    assert_eq!(
        error(Conv::<3, 10>::new(u64::MAX).weight()),
        "a weight of 10x3x18446744073709551615x18446744073709551615 would hold more numbers than can be counted: \
         expected at most 100,000,000 (400 MB)\n\
         likely cause: a number has too many digits\n\
         instead: fewer filters, a smaller window or less padding"
    );
}

#[test]
fn the_compiler_explains_a_wrong_number_of_channels() {
    let typed = "use nchw::typed::*;";
    let right = "let _net = Conv::<3, 10>::new(3).then(Relu).then(Conv::<10, 20>::new(3));";
    let (compiles, message) = compiled("typed-right", &[typed, right]);
    assert!(compiles, "{message}");
    let wrong = "let _net = Conv::<3, 10>::new(3).then(Relu).then(Conv::<3, 20>::new(3));";
    let (compiles, message) = compiled("typed-wrong", &[typed, wrong]);
    assert!(!compiles);
    let lines = [
        "error[E0277]: a filter must have as many channels as its input: the input has 10 channels, and \
         `nchw::typed::Conv<3, 20>` does not accept 10\n",
        "the input has 10 channels: write `Conv::<10, …>` here\n",
        "= note: a filter covers all channels of its input, so you cannot choose their number (채, C): it is that \
         of the layer before, 10\n",
        "= note: `Conv::<IN, OUT>`: IN is the number of input channels; OUT is the number of filters that you choose, \
         and so of output channels\n",
    ];
    for line in lines {
        assert!(message.contains(line), "expected {line} in\n{message}");
    }
    assert_eq!(message.matches("error[").count(), 1, "{message}");
}

/// The type of a layer's description has the options of its kind only.
#[test]
fn an_option_of_another_layer_does_not_compile() {
    let prelude = "use nchw::prelude::*;";
    let right = "let _net = chain![conv(8, 3).stride(2), relu(), linear(10).nobias()];";
    let (compiles, message) = compiled("options-right", &[prelude, right]);
    assert!(compiles, "{message}");
    for (wrong, says) in [
        ("let _layer = linear(10).stride(2);", "no method named `stride` found for struct"),
        ("let _layer = relu().padding(1);", "no method named `padding` found for struct"),
        ("let _net = chain([conv(8, 3), relu()]);", "use `!` to invoke the macro"),
    ] {
        let (compiles, message) = compiled("options-wrong", &[prelude, wrong]);
        assert!(!compiles && message.contains(says), "expected {says} in\n{message}");
    }
}

/// Such as a padding with a digit too many.
#[test]
fn an_output_that_would_fill_the_memory_is_refused() {
    let error = |result: nchw::Result<Tensor>| result.unwrap_err().to_string();
    let padded = error(Conv::<3, 10>::new(3).padding(50_000).forward(&zeros(&[1, 3, 7, 9])));
    assert!(
        padded.starts_with("the output of `conv 3->10 3x3 padding 50000` would hold 100,")
            && padded.contains("(400.0 GB): expected at most 1,000,000,000 (4.0 GB)"),
        "{padded}"
    );
    let large = error(Conv::<3, 10>::new(3000).weight());
    assert!(large.contains("270,000,000 numbers (1.1 GB): expected at most 100,000,000 (400 MB)"), "{large}");
    let filters = zeros(&[1, 3, 1, 1]).expand([40_000, 3, 1, 1], false);
    let maps = zeros(&[1, 3, 1, 1]).expand([1, 3, 1000, 1000], false);
    assert!(
        error(lay_on(&filters, &maps))
            .contains("the output of `conv 3->40000 1x1 nobias` would hold 40,000,000,000")
    );
}

#[test]
fn nothing_panics_for_any_sizes() {
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
