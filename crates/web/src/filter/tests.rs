//! Maps as in PyTorch, and what a reader can do wrong.

use super::*;
use serde_json::{Value, json};

/// A module with a photo; the request for its map.
fn lab(image: &[f32], [channels, rows, columns]: [usize; 3]) -> (Module, Value) {
    let mut module = Module::default();
    let [address, map, rgba] = [(); 3].map(|()| module.memory.alloc(4 * image.len()).unwrap());
    module.memory.floats_mut(address).unwrap()[..image.len()].copy_from_slice(image);
    let ask = json!({
        "call": "filter_map", "image": address, "channels": channels, "rows": rows, "columns": columns,
        "kernel": [3, 3], "weights": [0, 0, 0, 0, 1, 0, 0, 0, 0], "bias": 0, "same": false, "relu": false,
        "map": map, "rgba": rgba, "position": [0, 0],
    });
    (module, ask)
}

fn with(ask: &Value, changes: Value) -> Value {
    let mut ask = ask.clone();
    let changes = changes.as_object().unwrap().clone();
    ask.as_object_mut().unwrap().extend(changes);
    ask
}

fn answer(module: &mut Module, ask: &Value) -> Value {
    serde_json::from_str(&crate::answer(module, ask.to_string().as_bytes())).unwrap()
}

/// The numbers of a small generator that `tests/filter.py` has, too: multiples of 1/256.
fn numbers_of(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32 / 256.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn maps_have_pytorch_s_numbers() {
    let cases: Value = serde_json::from_str(include_str!("../../tests/filter.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 10);
    for case in cases {
        let size = |name: &str| -> Vec<usize> { serde_json::from_value(case[name].clone()).unwrap() };
        let (shape, kernel) = (size("image"), size("kernel"));
        let image = numbers_of(shape.iter().product(), 1);
        let weights: Vec<f32> =
            numbers_of(shape[0] * kernel[0] * kernel[1], 2).iter().map(|n| n - 0.5).collect();
        let (mut module, ask) = lab(&image, [shape[0], shape[1], shape[2]]);
        let ask = with(
            &ask,
            json!({
                "kernel": kernel, "weights": weights, "bias": case["bias"], "same": case["same"], "relu": case["relu"],
            }),
        );
        let drawn = answer(&mut module, &ask);
        let [rows, columns] = ["rows", "columns"].map(|name| drawn[name].as_u64().unwrap() as usize);
        assert_eq!([rows, columns].to_vec(), size("size"), "{case}");
        let map = module.memory.floats(ask["map"].as_u64().unwrap() as usize).unwrap().to_vec();
        let expected: Vec<f32> = serde_json::from_value(case["values"].clone()).unwrap();
        let step = case["step"].as_u64().unwrap() as usize;
        assert_eq!(expected.len(), (rows * columns).div_ceil(step));
        for (index, expected) in expected.iter().enumerate() {
            let found = map[index * step];
            assert!((found - expected).abs() <= 1e-4, "{case} {index}: expected {expected}, got {found}");
        }
        let sum: f64 = map[..rows * columns].iter().map(|n| f64::from(*n)).sum();
        let bound = 1e-5 * (rows * columns) as f64;
        assert!((sum - case["sum"].as_f64().unwrap()).abs() <= bound, "{case}: the sum is {sum}");
        // The window adds up to the same number.
        let position = [rows - 1, columns / 2];
        let window = answer(&mut module, &with(&ask, json!({"call": "filter_window", "position": position})));
        let text = number(map[position[0] * columns + position[1]]);
        assert!(window["says"].as_str().unwrap().ends_with(&format!(" {text}.")), "{window} {text}");
    }
}

#[test]
fn the_sum_of_the_weights_is_explained() {
    let (mut module, ask) = lab(&[0.5; 27], [3, 3, 3]);
    let grey = with(&ask, json!({"channels": 1}));
    let mut says =
        |changes: Value| answer(&mut module, &with(&grey, changes))["sum"].as_str().unwrap().to_owned();
    assert_eq!(says(json!({})), "The weights add up to 1: a uniform area keeps its brightness.");
    let edge = json!([-1, 0, 1, -1, 0, 1, -1, 0, 1]);
    assert_eq!(
        says(json!({"weights": edge, "bias": 0.5})),
        "The weights add up to 0: a uniform area becomes the bias, 0.5."
    );
    assert_eq!(
        says(json!({"weights": [-1, 0, 0, 0, 0, 0, 0, 0, 3], "bias": -1, "relu": true})),
        "The weights add up to 2: a uniform area becomes 2 times its brightness, minus 1. The ReLU then \
         replaces negative numbers with 0."
    );
    assert_eq!(says(json!({"weights": vec![0; 9]})), "All weights are 0, so every number of the map is 0.");
    assert_eq!(
        says(json!({"kernel": [5, 5], "same": true, "weights": vec![0.04; 25]})),
        "The weights add up to 1: a uniform area keeps its brightness."
    );
    assert!(says(json!({"weights": [3e38, 3e38, 0, 0, 0, 0, 0, 0, 0]})).contains("becomes infinite"));
}

#[test]
fn extreme_weights_give_a_map_and_a_message() {
    let (mut module, ask) = lab(&[0.0, 0.5, 1.0, 1.0], [1, 2, 2]);
    let big = json!({"kernel": [1, 2], "weights": [3e38, 3e38], "same": true});
    let drawn = answer(&mut module, &with(&ask, big));
    assert!(
        drawn["problem"].as_str().unwrap().contains("of 4 values, 1 are infinite and 0 are NaN"),
        "{drawn}"
    );
    let both = json!({"kernel": [1, 2], "weights": [1e39, -1e39], "same": true});
    let drawn = answer(&mut module, &with(&ask, both));
    assert!(drawn["problem"].as_str().unwrap().contains("NaN"), "{drawn}");
    let zeros = json!({"kernel": [1, 1], "weights": [0], "relu": true});
    let drawn = answer(&mut module, &with(&ask, zeros));
    assert_eq!((&drawn["size"], &drawn["problem"]), (&json!("C=1  H=2  W=2, all 0"), &Value::Null));
}

#[test]
fn the_scale_says_that_a_few_numbers_are_beyond_its_ends() {
    let mut image = vec![1.0; 2000];
    image[7] = 3.0;
    let (mut module, ask) = lab(&image, [1, 40, 50]);
    let drawn = answer(&mut module, &with(&ask, json!({"same": true})));
    assert_eq!(drawn["scale"], json!(["\u{2212}1", "0", "\u{2265} 1"]));
    assert_eq!(drawn["size"], "C=1  H=40  W=50, from 1 to 3");
}

#[test]
fn what_does_not_fit_is_explained() {
    let (mut module, ask) = lab(&[0.5], [1, 1, 1]);
    let mut says =
        |changes: Value| answer(&mut module, &with(&ask, changes))["error"].as_str().unwrap().to_owned();
    assert_eq!(
        says(json!({})),
        "the kernel (3 x 3) is larger than the photo (1 x 1), so no position fits: choose the padding \
         \"same\", or a larger photo"
    );
    assert!(says(json!({"weights": [1]})).ends_with("has 9 weights, got 1"));
    assert!(says(json!({"kernel": [9, 9]})).contains("expected a kernel of 1 x 1 to 7 x 7, got 9 x 9"));
    assert!(
        says(json!({"channels": 2})).starts_with("axis C (channels): expected 1 (grey) or 3 (RGB), got 2")
    );
    assert!(says(json!({"rows": 0})).contains("got 0 x 1 (H x W)"));
    assert!(says(json!({"same": true, "rows": 2})).contains("has 2 numbers, got 1"));
    assert!(says(json!({"same": true, "map": 7})).contains("no buffer"));
    assert!(says(json!({"same": true, "rgba": 7})).contains("no buffer"));
    let outside = json!({"call": "filter_window", "same": true, "position": [0, 1]});
    assert!(says(outside).contains("there is no position 0, 1"));
    // The map's buffer is still there.
    let drawn = answer(&mut module, &with(&ask, json!({"same": true})));
    assert_eq!(drawn["rows"], 1, "{drawn}");
}

#[test]
fn a_window_has_its_pixels_weights_and_products() {
    let (mut module, ask) = lab(&[0.0, 0.25, 0.5, 1.0], [1, 2, 2]);
    let changes = json!({
        "call": "filter_window", "same": true, "weights": [0, 0, 0, 0, 2, -1, 0, 0, 3], "bias": -4, "relu": true,
    });
    let window = answer(&mut module, &with(&ask, changes));
    let says = "Row 0, column 0 of the map: the 9 products add up to 2.75, minus 4 gives \u{2212}1.25; after the \
                ReLU 0.";
    assert_eq!((&window["says"], &window["top"], &window["left"]), (&json!(says), &json!(-1), &json!(-1)));
    let products = &window["channels"][0];
    assert_eq!((&products[0]["outside"], &products[4]["outside"]), (&json!(true), &json!(false)));
    assert_eq!(
        ["pixel", "weight", "product"].map(|part| &products[5][part]),
        [&json!("0.25"), &json!("\u{2212}1"), &json!("\u{2212}0.25")]
    );
}

#[test]
fn weights_are_rotated_negated_and_made_for_a_colour() {
    let changed = |how: &str| {
        let ask =
            json!({"call": "filter_change", "kernel": [2, 3], "weights": [1, 2, 3, 4, 0, 6], "how": how});
        let answer = answer(&mut Module::default(), &ask);
        (answer["kernel"].clone(), answer["weights"].clone())
    };
    assert_eq!(changed("rotate"), (json!([3, 2]), json!([4.0, 1.0, 0.0, 2.0, 6.0, 3.0])));
    assert_eq!(changed("negate"), (json!([2, 3]), json!([-1.0, -2.0, -3.0, -4.0, 0.0, -6.0])));
    let (_, red) = changed("red");
    assert_eq!(red.as_array().unwrap()[6..12], [-0.5, -1.0, -1.5, -2.0, 0.0, -3.0]);
    let presets = answer(&mut Module::default(), &json!({"call": "filter_presets"}));
    assert_eq!(presets[0]["name"], "vertical edge");
    assert_eq!(presets[4]["kernel"], json!([5, 5]));
}
