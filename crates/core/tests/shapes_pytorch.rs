//! Compares layers, chains, receptive fields and well-known networks with PyTorch and torchinfo.
//!
//! The expected values are in `tests/shapes/`, next to the scripts that generate them.

#![allow(clippy::unwrap_used)] // a panic fails the test

use nchw_core::shapes::{Chain, Layer, Shape, table};

fn one_layer(text: &str) -> Layer {
    text.parse::<Chain>().unwrap().layers[0]
}

fn sizes(text: &str) -> Vec<u64> {
    if text == "-" { vec![] } else { text.split('x').map(|size| size.parse().unwrap()).collect() }
}

fn numbers(text: &str) -> Vec<u64> {
    text.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().unwrap()).collect()
}

#[test]
fn random_layers_match_pytorch() {
    let (mut valid, mut invalid) = (0, 0);
    for line in include_str!("shapes/layers.txt").lines() {
        let parts = line.split('|').collect::<Vec<_>>();
        let (input, layer) = (parts[0].parse::<Shape>().unwrap(), one_layer(parts[1]));
        let row = layer.on(input);
        let [_, _, output, weight, biases, parameters] = parts[..] else {
            assert!(row.is_err(), "PyTorch rejects {line}, but we returned {row:?}");
            invalid += 1;
            continue;
        };
        let row = row.unwrap_or_else(|error| panic!("PyTorch accepts {line}, but we reported\n{error}"));
        assert_eq!(row.output.to_string(), output, "{line}");
        assert_eq!(row.weight, sizes(weight), "{line}");
        assert_eq!(row.bias.iter().sum::<u64>(), biases.parse::<u64>().unwrap(), "{line}");
        assert_eq!(row.parameters, parameters.parse::<u64>().unwrap(), "{line}");
        assert_eq!(row.bytes, 4 * row.output.sizes().iter().product::<u64>(), "{line}");
        let explanation = row.explain().to_string();
        assert!(explanation.contains(&format!("output {output}:")), "{explanation}");
        valid += 1;
    }
    assert!(valid > 3000 && invalid > 1000 && valid + invalid >= 5000, "{valid} valid, {invalid} invalid");
}

#[test]
fn random_chains_fail_at_the_same_layer_as_pytorch() {
    let (mut valid, mut invalid) = (0, 0);
    for line in include_str!("shapes/chains.txt").lines() {
        let [input, chain, outputs, parameters] = line.split('|').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let got = table(input, chain).unwrap();
        let mut shapes = got.rows.iter().map(|row| row.output.to_string()).collect::<Vec<_>>();
        if let Some(problem) = &got.problem {
            assert_eq!(problem.position, got.rows.len() + 1);
            shapes.push("x".into());
            invalid += 1;
        } else {
            valid += 1;
        }
        assert_eq!(shapes.join(">"), outputs, "{line}");
        assert_eq!(got.totals.parameters.to_string(), parameters, "{line}");
        assert_eq!(got.totals.multiply_adds, got.rows.iter().map(|row| row.multiply_adds).sum::<u64>());
        assert_eq!(got.totals.bytes, got.rows.iter().map(|row| row.bytes).sum::<u64>());
    }
    assert!(valid > 200 && invalid > 200, "{valid} valid, {invalid} invalid");
}

#[test]
fn receptive_fields_match_the_gradients() {
    let (mut formula, mut exact) = (0, 0);
    for line in include_str!("shapes/fields.txt").lines() {
        let [input, chain, position, rows, cols] = line.split('|').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let got = table(input, chain).unwrap().ok().unwrap();
        let last = got.rows.last().unwrap();
        let position = numbers(position);
        let seen = last.sees(position[0], position[1]).unwrap();
        assert_eq!((&seen.rows, &seen.cols), (&numbers(rows), &numbers(cols)), "{line}");
        exact += 1;
        // The formula holds for values that see no padding; with convt, the size is an upper bound.
        let input = sizes(input);
        let field = last.field.unwrap();
        for (axis, seen, position, input) in
            [(field.h, seen.rows, position[0], input[2]), (field.w, seen.cols, position[1], input[3])]
        {
            if chain.contains("convt") {
                let span = seen.last().zip(seen.first()).map_or(0, |(last, first)| last - first + 1);
                assert!(span <= axis.size, "{line}");
                continue;
            }
            let middle = axis.first + position as f64 * axis.jump;
            let (first, last) =
                (middle - (axis.size as f64 - 1.0) / 2.0, middle + (axis.size as f64 - 1.0) / 2.0);
            if first < 0.0 || last > (input - 1) as f64 {
                continue;
            }
            assert_eq!((seen[0] as f64, seen[seen.len() - 1] as f64), (first, last), "{line}");
            formula += 1;
        }
    }
    assert!(exact >= 300 && formula >= 300, "{exact} exact, {formula} by the formula");
}

#[test]
fn well_known_networks_match_torchinfo() {
    let mut nets = 0;
    for net in include_str!("shapes/nets.txt").split('=').skip(1) {
        let mut lines = net.lines();
        let head = lines.next().unwrap().split('|').collect::<Vec<_>>();
        let got = table(head[1], head[2]).unwrap().ok().unwrap();
        let (mut torchinfo, mut normalised) = (0, 0);
        for row in &got.rows {
            let [output, parameters, multiply_adds] =
                lines.next().unwrap().split('|').collect::<Vec<_>>()[..]
            else {
                panic!("{net}")
            };
            assert_eq!(row.output.to_string(), output, "{} {}", head[0], row.layer);
            assert_eq!(row.parameters.to_string(), parameters, "{} {}", head[0], row.layer);
            let sizes = row.output.sizes();
            let theirs = if row.layer.to_string() == "bn" {
                // torchinfo counts scale and shift once per channel; we count one for every value.
                normalised += row.multiply_adds;
                assert_eq!(row.multiply_adds, sizes.iter().product::<u64>());
                sizes[0] * row.parameters
            } else {
                // torchinfo counts a bias as an additional multiply-add.
                let biases = row.bias.iter().sum::<u64>();
                row.multiply_adds + sizes[0] * biases * sizes[2..].iter().product::<u64>()
            };
            assert_eq!(theirs.to_string(), multiply_adds, "{} {}", head[0], row.layer);
            torchinfo += theirs;
        }
        assert_eq!(lines.next(), None, "{} has more layers", head[0]);
        assert_eq!(got.totals.parameters.to_string(), head[3], "{}", head[0]);
        assert_eq!(torchinfo.to_string(), head[4], "{}", head[0]);
        // PyTorch's own counter includes neither biases nor batch normalisation.
        assert_eq!((2 * (got.totals.multiply_adds - normalised)).to_string(), head[5], "{}", head[0]);
        nets += 1;
    }
    assert_eq!(nets, 4);
    let vgg = table("224x3x224x224", "conv 64 3x3 padding 1").unwrap();
    assert_eq!(vgg.totals.parameters, 1792);
}

/// A layer of the tables in PyTorch's notation: `conv 10 3x4 nobias` on 3 channels as
/// `nn.Conv2d(3, 10, kernel_size=(3, 4), bias=False)`.
fn in_pytorch(layer: &str, channels: u64, keywords: bool) -> String {
    let words = layer.split(' ').collect::<Vec<_>>();
    let pair = |size: &str| match size.split_once('x') {
        Some((h, w)) => format!("({h}, {w})"),
        None => size.to_string(),
    };
    let (given, out) = match words.get(1).map(|word| word.split_once("->")) {
        Some(Some((given, out))) => (given.to_string(), out),
        Some(None) => (channels.to_string(), words[1]),
        None => (channels.to_string(), ""),
    };
    let (name, first, rest) = match words[0] {
        "conv" => (
            "Conv2d",
            vec![("in_channels", given), ("out_channels", out.into()), ("kernel_size", pair(words[2]))],
            &words[3..],
        ),
        "convt" => (
            "ConvTranspose2d",
            vec![("in_channels", given), ("out_channels", out.into()), ("kernel_size", pair(words[2]))],
            &words[3..],
        ),
        "maxpool" => ("MaxPool2d", vec![("kernel_size", pair(words[1]))], &words[2..]),
        "avgpool" => ("AvgPool2d", vec![("kernel_size", pair(words[1]))], &words[2..]),
        "gap" => ("AdaptiveAvgPool2d", vec![("output_size", "(1, 1)".into())], &words[1..]),
        "gmp" => ("AdaptiveMaxPool2d", vec![("output_size", "1".into())], &words[1..]),
        "linear" => ("Linear", vec![("in_features", given), ("out_features", out.into())], &words[2..]),
        "bn" => (
            "BatchNorm2d",
            vec![("num_features", if out.is_empty() { given } else { out.into() })],
            &words[words.len()..],
        ),
        "dropout" => ("Dropout", vec![("p", out.into())], &words[2..]),
        "relu" => ("ReLU", vec![("inplace", "True".into())], &words[1..]),
        "flatten" => ("Flatten", vec![], &words[1..]),
        other => panic!("{other}"),
    };
    let mut arguments: Vec<String> = first
        .iter()
        .map(|(name, value)| if keywords { format!("{name}={value}") } else { value.clone() })
        .collect();
    let mut rest = rest.iter();
    while let Some(&option) = rest.next() {
        arguments.push(match option {
            "ceil" => "ceil_mode=True".into(),
            "nobias" => "bias=False".into(),
            name => match *rest.next().unwrap() {
                "same" => format!("{name}='same'"),
                size => format!("{name}={}", pair(size)),
            },
        });
    }
    format!("nn.{name}({})", arguments.join(", "))
}

#[test]
fn layers_in_pytorch_notation_match_pytorch() {
    let (mut valid, mut invalid) = (0, 0);
    for (line, keywords) in include_str!("shapes/layers.txt").lines().zip([false, true].into_iter().cycle()) {
        let parts = line.split('|').collect::<Vec<_>>();
        let input = parts[0].parse::<Shape>().unwrap();
        let sizes = input.sizes();
        let last = if parts[1].starts_with("linear") {
            sizes[sizes.len() - 1]
        } else {
            sizes[usize::from(sizes.len() != 3)]
        };
        let call = in_pytorch(parts[1], last, keywords);
        let row = call.parse::<Chain>().unwrap_or_else(|error| panic!("{call}\n{error}")).layers[0].on(input);
        match parts[..] {
            [_, _, output, _, _, parameters] => {
                let row = row.unwrap_or_else(|error| {
                    panic!("PyTorch accepts {call} on {input}, but we reported\n{error}")
                });
                assert_eq!(
                    (row.output.to_string(), row.parameters.to_string()),
                    (output.into(), parameters.into()),
                    "{call} on {input}"
                );
                valid += 1;
            }
            _ => {
                assert!(row.is_err(), "PyTorch rejects {call} on {input}, but we returned {row:?}");
                invalid += 1;
            }
        }
    }
    assert!(valid > 3000 && invalid > 1000, "{valid} valid, {invalid} invalid");
}

#[test]
fn a_pasted_sequential_matches_pytorch() {
    let mut nets = 0;
    for line in include_str!("shapes/chains.txt").lines() {
        let [input, layers, outputs, parameters] = line.split('|').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let mut channels = sizes(input)[1];
        let mut calls = vec![];
        for (layer, output) in layers.split("; ").zip(outputs.split('>')) {
            calls.push(in_pytorch(layer, channels, nets % 2 == 0));
            channels = if output == "x" { 0 } else { sizes(output)[1] };
        }
        let net =
            format!("net = nn.Sequential(\n    {},  # a comment; with a separator\n)", calls.join(",\n    "));
        let got = table(input, &net).unwrap_or_else(|error| panic!("{net}\n{error}"));
        let mut shapes = got.rows.iter().map(|row| row.output.to_string()).collect::<Vec<_>>();
        shapes.extend(got.problem.is_some().then(|| "x".to_string()));
        assert_eq!(
            (shapes.join(">").as_str(), got.totals.parameters.to_string().as_str()),
            (outputs, parameters),
            "{net}"
        );
        nets += 1;
    }
    assert!(nets >= 700, "{nets}");
}
