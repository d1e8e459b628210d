//! Every layer of the lecture's network against PyTorch's numbers (`layers.py` wrote them).

#![allow(clippy::unwrap_used)] // a panic fails the test

use nchw_web::net::{Net, Pass};
use safetensors::SafeTensors;
use std::{collections::BTreeSet, path::PathBuf};

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn floats(values: &SafeTensors, name: &str) -> (Vec<usize>, Vec<f32>) {
    let view = values.tensor(name).unwrap();
    let (numbers, _) = view.data().as_chunks();
    (view.shape().to_vec(), numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

#[test]
fn every_layer_has_pytorch_s_numbers() {
    let bytes = file("tests/layers/values.safetensors");
    let values = SafeTensors::deserialize(&bytes).unwrap();
    let names: BTreeSet<String> = values.names().into_iter().cloned().collect();
    let cases: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix("/image")).collect();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let weights = match case.split('-').next() {
            Some("odd") => file("tests/layers/odd.safetensors"),
            Some("unpooled") => file("tests/layers/unpooled.safetensors"),
            _ => file("../nchw/assets/lecture-net.safetensors"),
        };
        let net = Net::parse(&weights).unwrap();
        let (shape, pixels) = floats(&values, &format!("{case}/image"));
        let mut pass = Pass::new(&net, shape[1], shape[2]).unwrap();
        pass.show(&net, &pixels).unwrap();
        let mut compared = 0;
        for name in
            names.iter().filter(|name| name.starts_with(&format!("{case}/")) && name.ends_with("/values"))
        {
            let layer = &name[case.len() + 4..name.len() - "/values".len()];
            let numbers = match net.layers.iter().position(|own| own.name == layer) {
                Some(index) => pass.output(&net, index).unwrap().planes(),
                None => pass.probabilities.clone(),
            };
            compared += 1;
            // `layers.py` takes every `step`-th number.
            let step = match numbers.len().div_ceil(100) {
                step if step > 1 && step % 2 == 0 => step + 1,
                step => step,
            };
            let (_, expected) = floats(&values, name);
            assert_eq!(expected.len(), numbers.len().div_ceil(step), "{name}");
            for (index, expected) in expected.iter().enumerate() {
                let found = numbers[index * step];
                assert!((found - expected).abs() <= 1e-4, "{name} {index}: expected {expected}, got {found}");
            }
            let (_, sums) = floats(&values, &name.replace("/values", "/sums"));
            let sum: f64 = numbers.iter().map(|n| f64::from(*n)).sum();
            let absolute: f64 = numbers.iter().map(|n| f64::from(n.abs())).sum();
            let bound = 1e-5 * absolute.max(1.0);
            assert!((sum - f64::from(sums[0])).abs() <= bound, "{name}: the sum {sum} is not {}", sums[0]);
            assert!((absolute - f64::from(sums[1])).abs() <= bound, "{name}: {absolute} is not {}", sums[1]);
        }
        let expected = net.layers.len() + 1 - if shape[1..] == [32, 32] { 0 } else { 3 };
        assert_eq!(compared, expected, "{case}");
    }
}
