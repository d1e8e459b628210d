//! Faults of weight files, sizes of images, and sums that add up. `tests/layers.rs` compares the layers
//! with PyTorch.

use super::*;
use crate::{Module, answer};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

const SHIPPED: &[u8] = include_bytes!("../../../nchw/assets/lecture-net.safetensors");
const ODD: &[u8] = include_bytes!("../../tests/layers/odd.safetensors");
const UNPOOLED: &[u8] = include_bytes!("../../tests/layers/unpooled.safetensors");

fn image(rows: usize, columns: usize) -> Vec<f32> {
    (0..3 * rows * columns).map(|i| (i * 37 % 251) as f32 / 250.0).collect()
}

fn shown(bytes: &[u8], rows: usize, columns: usize) -> (Net, Pass) {
    let net = Net::parse(bytes).unwrap();
    let mut pass = Pass::new(&net, rows, columns).unwrap();
    pass.show(&net, &image(rows, columns)).unwrap();
    (net, pass)
}

/// The odd network with one tensor replaced; without its hash and with its configuration.
fn with(name: &str, kind: Dtype, size: &[usize], data: &[u8]) -> Vec<u8> {
    let file = SafeTensors::deserialize(ODD).unwrap();
    let mut views: Vec<(String, TensorView)> = file.tensors();
    views.retain(|(own, _)| own != name);
    views.push((name.to_owned(), TensorView::new(kind, size.to_vec(), data).unwrap()));
    let notes = [("config".to_owned(), r#"{"maps":[5,7,3],"pooling":true}"#.to_owned())];
    safetensors::serialize(views, &Some(notes.into())).unwrap()
}

fn refused(bytes: &[u8], says: &str) {
    let error = Net::parse(bytes).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains(says), "expected `{says}` in: {error}");
}

#[test]
fn a_weight_file_that_cannot_be_used_is_refused_with_the_reason() {
    refused(b"", "not a whole safetensors file (0 bytes");
    refused(&[7; 100], "not a whole safetensors file");
    refused(b"PK\x03\x04 a zip", "one that `torch.save` wrote");
    refused(&SHIPPED[..SHIPPED.len() - 1], "the file is incomplete or has too many bytes");
    let mut damaged = SHIPPED.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    refused(&damaged, "the file was damaged or changed: expected the SHA-256");
    refused(
        include_bytes!("../../tests/layers/values.safetensors"),
        "these are not the weights of a LectureNet",
    );

    let bytes = |numbers: &[f32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
    let mut five = [1.0_f32; 5];
    let norm =
        |numbers: &[f32]| with("block1.norm1.running_var", Dtype::F32, &[numbers.len()], &bytes(numbers));
    Net::parse(&norm(&five)).unwrap();
    refused(&norm(&[1.0; 4]), "`block1.norm1.running_var`: expected [5], got [4] (axis 0)");
    let wide = with("block2.conv1.weight", Dtype::F16, &[7, 5, 3, 4], &[0; 840]);
    refused(&wide, "`block2.conv1.weight`: expected [7, 5, 3, 3], got [7, 5, 3, 4] (axis W)");
    five[3] = f32::NAN;
    refused(&norm(&five), "`block1.norm1.running_var` [5] holds NaN: 1 of its 5 numbers are not finite");
    five[3] = f32::INFINITY;
    refused(&norm(&five), "holds infinite numbers");
    five[3] = -1.0;
    refused(&norm(&five), "holds a negative number, and a variance is never negative");
    refused(&with("block9.conv1.weight", Dtype::F32, &[1], &[0; 4]), "`block9.conv1.weight` is unknown");
    let kind = with("block1.norm1.running_var", Dtype::I64, &[5], &[0; 40]);
    refused(&kind, "expected numbers of kind Float (Half, BFloat16 and Double are converted), got I64");
}

#[test]
fn half_of_the_size_gives_the_same_answers() {
    let half = halved(SHIPPED).unwrap();
    assert!(half.len() <= 1_000_000, "{}", half.len());
    assert_eq!(half, halved(SHIPPED).unwrap());
    let ((_, full), (_, small)) = (shown(SHIPPED, 32, 32), shown(&half, 32, 32));
    for (a, b) in full.probabilities.iter().zip(&small.probabilities) {
        assert!((a - b).abs() < 2e-3, "{a} {b}");
    }
}

#[test]
fn images_of_any_size_have_maps_and_those_of_32_by_32_scores() {
    for (bytes, rows, columns, says) in [
        (ODD, 7, 32, "at least 8 x 8, got 7 rows and 32 columns: the network halves it three times"),
        (UNPOOLED, 0, 3, "at least 1 x 1"),
        (ODD, 4000, 4000, "at most 65536 pixels"),
        (ODD, usize::MAX, 2, "at most 65536 pixels"),
    ] {
        let error = Pass::new(&Net::parse(bytes).unwrap(), rows, columns).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
    let (net, mut pass) = shown(UNPOOLED, 1, 1);
    assert!(pass.scores().unwrap_err().to_string().contains("no answer for an image of 1 x 1"));
    assert!(pass.output(&net, net.layers.len() - 1).is_err() && pass.output(&net, 99).is_err());
    let error = pass.show(&net, &[0.5, f32::NAN, 0.5]).unwrap_err().to_string();
    assert!(error.contains("1 of its 3 numbers are not finite"), "{error}");
    let error = pass.show(&net, &[0.5]).unwrap_err().to_string();
    assert!(error.contains("expected the 3 numbers of C=3 H=1 W=1, got 1"), "{error}");
}

#[test]
fn every_value_is_its_bias_and_its_products() {
    for (bytes, rows, columns) in [(ODD, 32, 32), (ODD, 20, 29), (UNPOOLED, 5, 7), (UNPOOLED, 1, 1)] {
        let (net, pass) = shown(bytes, rows, columns);
        for (layer, output) in pass.outputs.iter().enumerate() {
            let last = [output.channels - 1, output.rows - 1, output.columns - 1];
            for at in [[0, 0, 0], last, last.map(|n| n / 2)] {
                let all = pass.explain(&net, layer, at, 7).unwrap();
                let name = &net.layers[layer].name;
                let near = |a: f32, b: f32| (a - b).abs() <= 1e-4 * a.abs().max(1.0);
                assert!(near(all.sum, all.value), "{name} {at:?}: {all:?}");
                let terms: f32 = all.terms.iter().map(|term| term.product).sum();
                assert!(near(terms + all.rest + all.bias, all.value), "{name} {at:?}: {all:?}");
                let channels: f32 = all.channels.iter().map(|channel| channel.sum).sum();
                assert!(near(channels + all.others + all.bias, all.value), "{name} {at:?}: {all:?}");
                assert!(all.terms.len() <= 7 && all.count >= all.terms.len());
                assert_eq!(all.path.last().map(|sight| sight.layer), Some(None), "{name}");
                let field = all.path.last().unwrap().window;
                assert!(field.rows[0] >= 0 && field.rows[1] < rows as i64, "{name} {field:?}");
            }
        }
        assert!(pass.explain(&net, 0, [99, 0, 0], 3).unwrap_err().to_string().contains("axis C"));
    }
}

#[test]
fn the_head_s_products_add_up_to_its_scores() {
    let (net, pass) = shown(SHIPPED, 32, 32);
    for class in 0..10 {
        let sums = pass.head_sums(&net, class).unwrap();
        for parts in [&sums.channels, &sums.positions, &sums.products] {
            assert!((parts.iter().sum::<f32>() + sums.bias - sums.score).abs() < 1e-4);
        }
        assert_eq!([sums.channels.len(), sums.positions.len(), sums.products.len()], [128, 16, 2048]);
    }
    assert!(pass.head_sums(&net, 10).is_err());
}

#[test]
fn channels_are_switched_off_and_on() {
    let (net, mut pass) = shown(ODD, 32, 32);
    let before = pass.outputs.clone();
    let relu = net.layers.iter().position(|layer| layer.name == "block2.relu2").unwrap();
    pass.switch_off(&net, relu, &[0, 4]).unwrap();
    assert!(pass.outputs[relu].channel(4).all(|value| value == 0.0) && pass.is_off(relu, 4));
    assert_eq!(pass.outputs[..relu], before[..relu]);
    assert_ne!(pass.outputs.last(), before.last());
    let (off, other) = (pass.outputs.clone(), image(32, 32).iter().map(|p| 1.0 - p).collect::<Vec<_>>());
    pass.show(&net, &other).unwrap();
    pass.show(&net, &image(32, 32)).unwrap();
    assert_eq!(pass.outputs, off);
    pass.switch_on(&net).unwrap();
    assert_eq!(pass.outputs, before);
    assert!(pass.switch_off(&net, relu, &[7]).unwrap_err().to_string().contains("expected 0 to 6"));
    assert!(pass.switch_off(&net, net.layers.len() - 1, &[0]).is_err());
}

fn ask(module: &mut Module, request: Value) -> Value {
    serde_json::from_str(&answer(module, request.to_string().as_bytes())).unwrap()
}

/// Loads the odd network, shows it an image, and gives the addresses of the weights, the image and a buffer for
/// a picture of a layer.
pub(super) fn shown_in(module: &mut Module) -> [usize; 3] {
    let weights = module.memory.alloc(ODD.len()).unwrap();
    let numbers = module.memory.floats_mut(weights).unwrap();
    for (number, bytes) in numbers.iter_mut().zip(ODD.chunks(4)) {
        let mut four = [0; 4];
        four[..bytes.len()].copy_from_slice(bytes);
        *number = f32::from_ne_bytes(four);
    }
    let load = serde_json::json!({"call": "net_load", "weights": weights, "length": ODD.len()});
    assert_eq!(ask(module, load)["layers"][2]["name"], "block1.relu1");
    let address = module.memory.alloc(4 * 3072).unwrap();
    module.memory.floats_mut(address).unwrap().copy_from_slice(&image(32, 32));
    let show = serde_json::json!({"call": "net_show", "image": address, "rows": 32, "columns": 32});
    assert_eq!(ask(module, show)["probabilities"].as_array().unwrap().len(), 10);
    [weights, address, module.memory.alloc(4 * 65 * 98).unwrap()]
}

#[test]
fn scripts_get_answers_or_messages() {
    let mut module = Module::default();
    let error = ask(&mut module, serde_json::json!({"call": "net_maps", "layer": 0, "to": 0}));
    assert!(error["error"].as_str().unwrap().contains("no network yet"), "{error}");
    let [_, address, _] = shown_in(&mut module);
    for request in [
        serde_json::json!({"call": "net_explain", "layer": 27, "channel": 3, "row": 0, "column": 0, "most": 5}),
        serde_json::json!({"call": "net_head", "class": 3, "to": address}),
        serde_json::json!({"call": "net_switch", "layer": 2, "off": [1]}),
        serde_json::json!({"call": "net_switch"}),
        serde_json::json!({"call": "net_maps", "layer": -1, "to": address}),
    ] {
        let answer = ask(&mut module, request.clone());
        assert!(answer["error"].is_null(), "{request}: {answer}");
    }
    let short = ask(&mut module, serde_json::json!({"call": "net_maps", "layer": 0, "to": address}));
    assert!(
        short["error"].as_str().unwrap().contains("expected a buffer of 5120 numbers, got 3072"),
        "{short}"
    );
}
