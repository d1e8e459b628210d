//! `tests/maps.py` computes the expected numbers of the convolutions with PyTorch.

use super::*;
use crate::answer;
use serde_json::{Value, json};

/// The same numbers as `image` and `kernel` of `maps.py`, as text.
fn image(channels: usize, height: usize, width: usize) -> String {
    text(channels, height, width, |i| (((i * 7 + 3) % 13) as f32) - 5.0)
}

fn kernel(channels: usize, height: usize, width: usize) -> String {
    text(channels, height, width, |i| ((((i * 5 + 2) % 11) as f32) - 4.0) / 2.0)
}

fn text(channels: usize, height: usize, width: usize, value: impl Fn(usize) -> f32) -> String {
    let row =
        |row: usize| (0..width).map(|col| value(row * width + col).to_string()).collect::<Vec<_>>().join(" ");
    let sheet = |sheet: usize| (0..height).map(|at| row(sheet * height + at)).collect::<Vec<_>>().join("\n");
    (0..channels).map(sheet).collect::<Vec<_>>().join("\n\n")
}

fn ask(image: &str, kernel: &str) -> Ask {
    let (image, kernel) = (image.to_string(), kernel.to_string());
    Ask { image, kernel, bias: String::new(), stride: 1, padding: 0, dilation: 1 }
}

fn error(ask: Ask) -> String {
    Window::new(&ask).err().unwrap().to_string()
}

/// The answer to a call with these arguments.
fn call(name: &str, image: &str, kernel: &str, more: Value) -> Value {
    let mut request =
        json!({"call": name, "image": image, "kernel": kernel, "stride": 1, "padding": 0, "dilation": 1});
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    serde_json::from_str(&answer(&mut Module::default(), request.to_string().as_bytes())).unwrap()
}

#[test]
fn convolutions_are_those_of_pytorch() {
    type Case<'a> = (usize, [usize; 2], [usize; 2], [u64; 3], &'a str, [usize; 2], &'a [f32]);
    let cases: [Case; 5] = [
        (
            1,
            [5, 7],
            [3, 2],
            [1, 0, 1],
            "0",
            [3, 6],
            &[
                8.5, -8.5, 7.0, -10.0, 5.5, -18.0, -6.5, 9.0, -8.0, 7.5, -9.5, -7.0, -8.5, 7.0, -10.0, 5.5,
                -18.0, 10.5,
            ],
        ),
        (
            1,
            [5, 7],
            [3, 2],
            [2, 1, 1],
            "1/2",
            [3, 4],
            &[-4.0, -14.0, -16.0, -18.0, -1.0, 9.5, 8.0, -6.5, 2.5, 0.0, 0.0, 19.5],
        ),
        (
            1,
            [7, 6],
            [2, 3],
            [1, 2, 2],
            "\u{2212}1",
            [9, 6],
            &[
                2.5, -8.0, -1.0, -4.5, -2.0, -9.0, -2.0, 7.0, -2.5, 0.5, -5.0, 1.0, -8.0, 1.0, -3.5, -7.5,
                -7.0, 2.5, -19.0, -3.5, 11.5, 1.0, 4.5, -5.5, 2.5, -8.0, -6.0, -3.5, 3.0, -7.0, 17.5, -19.0,
                -10.5, 11.5, -5.0, 4.5, -6.5, 2.5, -2.0, -6.0, -6.5, 3.0, -2.5, 17.0, -2.5, -9.5, 1.0, -2.0,
                -2.5, -2.5, -5.5, 0.5, 2.5, -0.5,
            ],
        ),
        (
            3,
            [4, 5],
            [3, 3],
            [1, 1, 1],
            "0.25",
            [4, 5],
            &[
                19.25, -2.75, 43.25, -34.25, 28.25, -36.75, 80.75, -90.25, 70.25, -10.75, 60.75, -59.25,
                62.25, 8.25, 6.25, 0.75, 6.75, 25.25, -34.25, 34.75,
            ],
        ),
        (3, [6, 9], [2, 4], [3, 0, 2], "", [2, 1], &[-23.0, -14.0]),
    ];
    for (channels, [h, w], [kh, kw], [stride, padding, dilation], bias, output, expected) in cases {
        let ask = ask(&image(channels, h, w), &kernel(channels, kh, kw));
        let window = Window::new(&Ask { bias: bias.into(), stride, padding, dilation, ..ask }).unwrap();
        assert_eq!(window.output, output);
        let found = window.results();
        assert!(
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4)
        );
    }
}

#[test]
fn every_product_is_listed_with_the_padding() {
    let at = call("window_at", "1 2 0\n0 1 3\n4 0 1", "1 0\n2 -1", json!({"row": 1, "col": 0}));
    let texts = |name: &str| -> Vec<String> {
        let products = at["channels"][0]["products"].as_array().unwrap();
        products.iter().map(|product| product[name].as_str().unwrap().into()).collect()
    };
    assert_eq!(texts("factors"), ["0 × 1", "1 × 0", "4 × 2", "0 × (−1)"]);
    assert_eq!(texts("text"), ["0", "0", "8", "0"]);
    assert_eq!((&at["total"], &at["rounded"]), (&json!("sum of the products = 8"), &json!(false)));
    assert_eq!((&at["rows"], &at["cols"]), (&json!([1, 2]), &json!([0, 1])));
    let more = json!({"row": 0, "col": 0, "padding": 1, "bias": "-3", "dilation": 2});
    let at = call("window_at", "1 2 0\n0 1 3\n4 0 1", "1 0\n2 -1", more);
    assert_eq!(
        (&at["rows"], &at["total"]),
        (&json!([0, 2]), &json!("sum of the products (−1) + bias (−3) = −4"))
    );
    let padding: Vec<&Value> =
        at["channels"][0]["products"].as_array().unwrap().iter().map(|product| &product["padding"]).collect();
    assert_eq!(padding, [&json!(true), &json!(true), &json!(true), &json!(false)]);
}

#[test]
fn three_channels_have_27_products_three_sums_and_one_number() {
    // The numbers are those of notebook 3, which libtorch computed.
    let presets =
        serde_json::to_value(presets(&mut Module::default(), presets::Ask { seed: 1 }).unwrap()).unwrap();
    let find = |kind: &str, name: &str| {
        let found =
            presets[kind].as_array().unwrap().iter().find(|p| p["name"] == name && p["channels"] == 3);
        found.unwrap()["text"].as_str().unwrap().to_string()
    };
    let (image, kernel) =
        (find("images", "Photo: a red column, 4 x 5"), find("kernels", "Red vertical edge"));
    let at = |col: usize| call("window_at", &image, &kernel, json!({"row": 0, "col": col}));
    assert_eq!(at(0)["total"], "red (−0.3) + green 0.15 + blue 0.15 = 0");
    assert_eq!(at(1)["total"], "red 1.4 + green (−0.35) + blue (−0.3) = 0.75");
    assert_eq!(at(2)["total"], "red 0.4 + green (−0.3) + blue (−0.2) = −0.1");
    assert_eq!(at(2)["says"], "Output row 0, column 2: −0.1");
    let count = |channel: &Value| channel["products"].as_array().unwrap().len();
    assert_eq!(at(0)["channels"].as_array().unwrap().iter().map(count).sum::<usize>(), 27);
}

#[test]
fn an_input_says_where_it_is_used() {
    let uses = |more: Value| call("window_uses", &image(1, 5, 7), &kernel(1, 3, 2), more);
    let middle = uses(json!({"row": 2, "col": 3}));
    assert_eq!(
        middle["says"],
        "Image row 2, column 3 (0) is used by 6 outputs: rows 0 to 2; columns 2 to 3."
    );
    assert_eq!(middle["nearest"], json!([1, 3]));
    let corner = uses(json!({"row": 0, "col": 0, "padding": 1}));
    assert_eq!(corner["says"], "This zero of the padding is used by 1 output: rows 0; columns 0.");
    let left_out = uses(json!({"row": 4, "col": 6, "stride": 4}));
    assert!(left_out["says"].as_str().unwrap().ends_with("in no window: the output does not depend on it."));
    assert!(uses(json!({"row": 9, "col": 0}))["error"].as_str().unwrap().contains("no row 9"));
    // Every position of the image, for each output that uses it, is in the window of this output.
    for (stride, padding, dilation) in [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 1, 3)] {
        let ask = || Ask { stride, padding, dilation, ..ask(&image(1, 7, 9), &kernel(1, 2, 3)) };
        let window = Window::new(&ask()).unwrap();
        let mut pairs = 0;
        for (row, col) in
            (0..7 + 2 * padding as usize).flat_map(|r| (0..9 + 2 * padding as usize).map(move |c| (r, c)))
        {
            let uses = uses_of(ask(), row, col);
            for (to_row, to_col) in uses.rows.iter().flat_map(|r| uses.cols.iter().map(move |c| (*r, *c))) {
                let [rows, cols] = window.reads([to_row as usize, to_col as usize]);
                assert!(rows.contains(&row) && cols.contains(&col));
                pairs += 1;
            }
            assert!(uses.nearest[0] < window.output[0] && uses.nearest[1] < window.output[1]);
        }
        assert_eq!(pairs, window.output[0] * window.output[1] * 6);
    }
}

fn uses_of(ask: Ask, row: usize, col: usize) -> Uses {
    uses(&mut Module::default(), Position { ask, row, col }).unwrap()
}

#[test]
fn the_formula_has_its_floor_and_the_numbers() {
    let shown = call("window", &image(1, 5, 8), &kernel(1, 3, 2), json!({"stride": 2}));
    assert_eq!((&shown["size"], &shown["output"]), (&json!([5, 8]), &json!([2, 4])));
    assert_eq!(
        shown["formula"][0],
        json!(["H' = floor((H + 2*padding - dilation*(kernel-1) - 1) / stride) + 1"])
    );
    assert_eq!(
        shown["formula"][1],
        json!(["H' = floor((5 + 2*0 - 1*(3-1) - 1) / 2) + 1 = floor(2 / 2) + 1 = 2"])
    );
    assert_eq!(
        shown["formula"][2][0],
        json!("W' = floor((8 + 2*0 - 1*(2-1) - 1) / 2) + 1 = floor(6 / 2) + 1 = 4")
    );
    let odd = call("window", &image(1, 5, 7), &kernel(1, 3, 2), json!({"stride": 2}));
    assert_eq!(
        odd["formula"][2][1],
        json!("the floor rounds 2.50 down: 1 column of the padded input is left over")
    );
}

#[test]
fn numbers_that_are_no_numbers_and_small_images_have_an_answer() {
    let one = call("window", "3", "2", json!({"bias": "1"}));
    assert_eq!((&one["output"], &one["result"][0]["text"]), (&json!([1, 1]), &json!("7")));
    let [red, green, blue] = Palette::Signed.rgb(0.0, (-1.0, 1.0));
    let white = format!("#{red:02x}{green:02x}{blue:02x}");
    let zeros = call("window", "0 0 0\n0 0 0", "-1 1", json!({}));
    assert!(
        zeros["result"].as_array().unwrap().iter().all(|cell| cell["text"] == "0" && cell["paper"] == white)
    );
    let nan = call("window", "1 2 3\n4 5 6", "nan 1", json!({}));
    assert!(
        nan["result"]
            .as_array()
            .unwrap()
            .iter()
            .all(|cell| cell["text"] == "NaN" && cell["paper"] == "#ff00ff")
    );
    let at = call("window_at", "1 2\ninf 0", "0 -1/0\n1e38 1e-40", json!({"row": 0, "col": 0}));
    assert_eq!(at["total"], "sum of the products = NaN");
    // Tenths add up as by hand.
    let tenths = call("window", "0.4 0.3 0.1", "1 -1 -1", json!({}));
    assert_eq!(tenths["result"][0]["text"], "0");
    assert_eq!(call("window_at", "1 1 1", "1/9 1 1", json!({"row": 0, "col": 0}))["rounded"], true);
}

#[test]
fn what_does_not_fit_gets_the_message_of_the_notebooks() {
    let too_large = error(ask("1 2 3\n4 5 6", "1 1\n1 1\n1 1"));
    assert!(too_large.contains("axis H (rows): expected a window of at most 2 rows"), "{too_large}");
    assert!(too_large.contains("instead: a smaller window, more padding"), "{too_large}");
    assert!(error(Ask { stride: 0, ..ask("1 2", "1") }).contains("expected at least 1, got 0"));
    let channels = error(ask(&image(3, 2, 2), "1"));
    assert!(
        channels.contains("expected 3 (a filter must have as many channels as its input), got 1"),
        "{channels}"
    );
    assert_eq!(
        error(ask("1 x", "1")),
        "image: row 0, column 1: expected a number such as 2, -0.5 or 1/9, got `x`"
    );
    assert_eq!(error(ask("", "1")), "image: expected rows of numbers such as `1 2 0`, got none");
    assert!(error(ask("1 2\n\n3 4", "1")).contains("expected 1 channel, or 3"));
    assert!(error(ask("1 2\n\n3\n\n4", "1")).contains("in every channel, as in the first, got 1 x 1"));
    assert!(error(ask(&image(1, 13, 2), "1")).contains("at most 12 rows and 12 columns, got 13 x 2"));
    assert!(error(ask("1", &kernel(1, 6, 6))).starts_with("kernel: expected at most 5 rows"));
    assert!(error(Ask { padding: 5, ..ask("1 2", "1") }).contains("room for 4, got 5"));
    assert!(error(Ask { bias: "b".into(), ..ask("1 2", "1") }).starts_with("bias: expected a number"));
    for huge in [u64::MAX, 1 << 62] {
        let _ = Window::new(&Ask { stride: huge, ..ask("1 2", "1 1") }).map(|window| window.results());
        assert!(Window::new(&Ask { dilation: huge, ..ask("1 2", "1 1") }).is_err());
        let one = Window::new(&Ask { dilation: huge, stride: huge, ..ask("1 2", "1") });
        let _ = one.map(|window| window.results());
        assert!(Window::new(&Ask { padding: huge, ..ask("1 2", "1") }).is_err());
    }
    let far = call("window_at", "1 2", "1", json!({"row": 1, "col": 0}));
    assert!(far["error"].as_str().unwrap().starts_with("there is no row 1, column 0 in an output of 1 x 2"));
}

#[test]
fn every_preset_fits() {
    let presets = presets(&mut Module::default(), presets::Ask { seed: 7 }).unwrap();
    for image in &presets.images {
        for kernel in presets.kernels.iter().filter(|kernel| kernel.channels == image.channels) {
            let window = Window::new(&ask(&image.text, &kernel.text)).unwrap();
            let [h, w] = [window.image[0].height(), window.image[0].width()];
            assert!(image.name.ends_with(&format!("{h} x {w}")), "{}", image.name);
        }
    }
}
