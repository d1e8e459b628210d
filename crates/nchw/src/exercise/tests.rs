use super::*;
use crate::prelude::*;

fn said(checked: &Checked, words: &[&str]) {
    let text = checked.to_string();
    assert!(!checked.is_right() && !text.contains(['{', '}']), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}

fn right(checked: &Checked) {
    assert!(checked.is_right(), "{checked}");
    assert!(checked.to_string().starts_with(&format!("✓ Exercise {} is right.", checked.id)), "{checked}");
}

fn function(id: &str, yours: impl Fn(&Tensor) -> Tensor) -> Checked {
    exercise(id).check_function(|input| Ok(yours(input))).unwrap()
}

fn row(numbers: &[f32], size: &[i64]) -> Tensor {
    Tensor::from_slice(numbers).view(size)
}

#[test]
fn every_exercise_is_in_its_notebook_and_has_a_hint() {
    let tasks = tasks().unwrap();
    for (n, task) in tasks.iter().enumerate() {
        let id = task.text.id.as_str();
        assert!(tasks[..n].iter().all(|other| other.text.id != id), "{id} is there twice");
        assert_eq!(id.split('-').next(), task.notebook.split('-').next());
        let notebook = format!("{}/../../notebooks/src/{}.md", env!("CARGO_MANIFEST_DIR"), task.notebook);
        let yours = format!("your_turn(\"{}\")", id);
        assert!(std::fs::read_to_string(notebook).unwrap().contains(&yours), "{} is in no cell", id);
        assert!(exercise(id).hint().to_string().len() > 30, "{}", id);
        let says = your_turn::<u64>(id).unwrap_err().to_string();
        assert!(says.starts_with(&format!("exercise {0} is yours: replace `your_turn(\"{0}\")?` with", id)));
        assert!(exercise(id).to_string().contains("To check your answer"), "{}", id);
    }
}

#[test]
fn texts_and_code_belong_together() {
    static CODE: [(&str, list::Goal); 1] =
        [("09-1", list::Goal::Number { truth: || Ok(1), slips: &[("small", || Ok(0))] })];
    let said = |toml: &str| tasks::read(&[("09-new", toml)], &CODE).err().map(|error| error.to_string());
    let text =
        "[[exercise]]\nid = \"09-1\"\nwhat = \"\"\nhint = \"\"\nlearned = \"\"\nwrong = { small = \"\" }\n";
    assert_eq!(said(text), None);
    for (toml, words) in [
        (text.replace("09-1", "09-2"), "exercises/09-new.toml: exercise 09-2 has no code"),
        (text.replace("small", "large"), "`wrong` has the names [\"large\"]; expected [\"small\"]"),
        (text.replace("hint", "hnt"), "exercises/09-new.toml: TOML parse error at line 4"),
        (text.replace("hint", "hnt"), "unknown field `hnt`"),
        (text.replace("wrong = { small = \"\" }\n", ""), "missing field `wrong`"),
        ("exercise = []".into(), "exercise 09-1 has code, but no text"),
    ] {
        let said = said(&toml).unwrap();
        assert!(said.contains(words), "expected `{words}` in\n{said}");
    }
}

#[test]
fn what_replaces_your_turn_is_named() {
    let says = your_turn::<u64>("05-1").unwrap_err().to_string();
    assert!(says.contains("with the size of the window, for example `2`, then run"), "{says}");
}

#[test]
fn an_unknown_id_lists_the_known_ones() {
    let says = "there is no exercise `03-9`; the exercises are 03-1, 03-2";
    assert!(exercise("03-9").check(1).to_string().starts_with(&format!("? {says}")));
    assert!(exercise("03-9").hint().to_string().starts_with(says));
    assert!(your_turn::<u64>("03-9").unwrap_err().to_string().starts_with(says));
}

#[test]
fn another_kind_of_work_is_named() {
    let zeros = Tensor::zeros([2, 3, 4, 5], (Kind::Float, Device::Cpu));
    said(
        &exercise("03-2").check(&zeros),
        &["expected the four sizes", "got a tensor of shape [2, 3, 4, 5]", "`.size()`"],
    );
    said(
        &exercise("03-3").check([1, 3, 3, 3]),
        &["expected a weight", "got the sizes [1, 3, 3, 3]", "from_slice"],
    );
    said(&exercise("05-3").check(&zeros), &["expected the number of inputs", "`.numel()`"]);
    said(
        &exercise("03-1").check(12),
        &[
            "expected a layer with the number of filters that you found, for example `conv(8, 5)`",
            "the number 12",
        ],
    );
    said(&exercise("05-5").check(1.5), &["check_function"]);
    said(&function("05-1", |x| x.shallow_clone()), &["expected a layer with the window", "got a function"]);
}

#[test]
fn layers_are_run_and_judged_by_their_output() {
    right(&exercise("03-1").check(conv(12, 5)));
    said(&exercise("03-1").check(conv(8, 5)), &["axis N", "too few", "[8, 3, 5, 5], which is 600"]);
    said(&exercise("03-1").check(conv(20, 5)), &["too many"]);
    said(
        &exercise("03-1").check(conv(12, 3)),
        &["expected one convolution with 5 x 5 filters", "conv 12 3x3"],
    );
    said(&exercise("03-1").check(chain![conv(1, 5), conv(2, 5)]), &["got `conv 1 5x5; conv 2 5x5`"]);

    right(&exercise("04-1").check(conv(4, 7).padding(3)));
    right(&exercise("04-1").check(conv(4, 7).same()));
    said(
        &exercise("04-1").check(conv(4, 7)),
        &["axis H (rows): the input size is 20 and the output size is 14: too little padding", "axis W"],
    );
    said(&exercise("04-1").check(conv(4, 7).padding(4)), &["too much padding"]);

    right(&exercise("04-3").check(chain![conv(8, 3).stride(2).padding(1), conv(16, 3).stride(2).padding(1)]));
    let half = chain![conv(8, 3).stride(2), conv(16, 3).stride(2)];
    said(
        &exercise("04-3").check(&half),
        &["the output is [16, 11, 15]", "axis H (rows): 11", "axis W (columns): 15"],
    );

    let wide = |a, b, c| chain![conv(8, 3).dilation(a), conv(8, 3).dilation(b), conv(8, 3).dilation(c)];
    right(&exercise("04-4").check(wide(1, 2, 4)));
    right(&exercise("04-4").check(wide(4, 2, 1)));
    said(
        &exercise("04-4").check(wide(1, 1, 1)),
        &["axis H (rows): the receptive field is 7; expected 15: too small"],
    );
    said(&exercise("04-4").check(wide(4, 4, 4)), &["too large"]);
    said(
        &exercise("04-4").check(chain![conv(8, 3).stride(2), conv(8, 3), conv(8, 3)]),
        &["stride 1", "conv 8 3x3 stride 2"],
    );

    right(&exercise("05-1").check(max_pool(3)));
    said(
        &exercise("05-1").check(max_pool(2)),
        &["the output is [32, 12, 18]", "axis H (rows): 12 is not right"],
    );
    said(&exercise("05-1").check(avg_pool(3)), &["expected one max pooling"]);
}

#[test]
fn a_network_for_every_size_needs_a_global_pooling() {
    let with = |end: shapes::Chain| {
        let begin = chain![conv(16, 3).same(), max_pool(2), conv(32, 3).same(), max_pool(2)];
        shapes::Chain { layers: [begin.layers, end.layers].concat() }
    };
    right(&exercise("05-4").check(with(chain![global_avg_pool(), flatten(), linear(10)])));
    right(&exercise("05-4").check(with(chain![global_max_pool(), flatten(), linear(10)])));
    said(
        &exercise("05-4").check(with(chain![flatten(), linear(10)])),
        &["3 x 32 x 48", "[10, 3072]", "axis C"],
    );
    said(
        &exercise("05-4").check(with(chain![global_avg_pool(), flatten(), linear(7)])),
        &["ten numbers", "[7]"],
    );
    said(&exercise("05-4").check(with(chain![linear(10)])), &["layer 5", "`flatten` is missing"]);
    said(
        &exercise("05-4").check(chain![conv(10, 3), max_pool(2)]),
        &["at least two convolutions", "got 1 and 1"],
    );
    said(
        &exercise("05-4").check(with(chain![dropout(0.5), flatten(), linear(10)])),
        &["quizzes and exercises do not support", "dropout"],
    );
}

#[test]
fn sizes_name_the_axis_and_the_confusion() {
    right(&exercise("03-2").check([11, 6, 3, 4]));
    right(&exercise("03-2").check(vec![11i64, 6, 3, 4]));
    for (wrong, words) in [
        ([16, 6, 3, 4], "16 is the number of images"),
        ([11, 3, 3, 4], "the input of this layer is not the photo"),
        ([6, 3, 5, 5], "the first layer's weight"),
        ([16, 11, 24, 33], "the shape of the output"),
        ([11, 6, 4, 3], "H and W are swapped"),
        ([6, 11, 3, 4], "N and C are swapped"),
        ([12, 6, 3, 3], "axis N (filters): 12 is not right"),
    ] {
        said(&exercise("03-2").check(wrong), &[words]);
    }
    said(&exercise("03-2").check([6, 3, 4]), &["expected 4 sizes, N C H W, got 3"]);
    said(&exercise("03-2").check([1, 1, 1, 1, 1]), &["got 5"]);

    right(&exercise("04-2").check([8, 16, 25]));
    said(&exercise("04-2").check([8, 16, 26]), &["axis W (columns): 26 is not right"]);
    said(&exercise("04-2").check([8, 16, 24]), &["the padding is missing"]);
    said(&exercise("04-2").check([8, 17, 26]), &["round down"]);
    said(&exercise("04-2").check([8, 48, 73]), &["the stride is missing"]);
    said(&exercise("04-2").check([1, 8, 16, 25]), &["there is no N"]);
}

#[test]
fn a_number_is_too_small_or_a_known_confusion() {
    right(&exercise("05-3").check(2304));
    right(&exercise("05-3").check(2304.0));
    said(&exercise("05-3").check(7), &["7 is too small"]);
    said(&exercise("05-3").check(99_999), &["too large"]);
    said(&exercise("05-3").check(96), &["the number of values in one feature map"]);
    said(&exercise("05-3").check(1536), &["the channels of the first convolution"]);
    said(&exercise("05-3").check(24 * 16 * 24), &["the last pooling is missing"]);
    said(&exercise("05-3").check(24 * 10 * 14), &["no padding here"]);
    for (odd, words) in [
        (exercise("05-3").check(f64::NAN), "NaN is not a number"),
        (exercise("05-3").check(f32::NAN), "NaN is not a number"),
        (exercise("05-3").check(f64::INFINITY), "`inf` is infinite"),
        (exercise("05-3").check(2304.5), "2304.5 is not whole"),
        (exercise("05-3").check(1e300), "1e300 is out of range"),
        (exercise("05-3").check(i64::MAX), "9223372036854775807 is too large"),
        (exercise("05-3").check(u64::MAX), "18446744073709551615 is too large"),
        (exercise("05-3").check(usize::MAX), "18446744073709551615 is too large"),
        (exercise("05-3").check(i64::MIN), "-9223372036854775808 is too small"),
        (exercise("05-3").check(9_007_199_254_740_993i64), "9007199254740993 is too large"),
        (exercise("03-1").check(u64::MAX), "the number 18446744073709551615"),
        (exercise("03-2").check([u64::MAX, 6, 3, 4]), "18446744073709551615 is out of range"),
        (exercise("03-2").check([-11, 6, 3, 4]), "-11 is not right"),
    ] {
        said(&odd, &[words]);
        assert!(!odd.to_string().contains("NaN is too"), "{odd}");
    }
}

#[test]
fn a_weight_is_judged_by_its_outputs() {
    let flat = Filter::horizontal_edge().weight();
    let of = |r: f64, g: f64, b: f64| Tensor::cat(&[&flat * r, &flat * g, &flat * b], 1);
    right(&exercise("03-3").check(of(-0.5, -0.5, 1.0)));
    right(&exercise("03-3").check(of(0.0, -2.0, 2.0)));
    said(&exercise("03-3").check(of(0.0, 0.0, 1.0)), &["(grey) the output is 3", "axis C, must cancel"]);
    said(
        &exercise("03-3").check(of(1.0, -0.5, -0.5)),
        &["the output is -1.5, but should be above 0", "axis C = 2"],
    );
    let vertical = of(-0.5, -0.5, 1.0).transpose(2, 3);
    said(&exercise("03-3").check(&vertical), &["*vertical* blue edge", "axes H and W"]);
    said(
        &exercise("03-3").check(Tensor::ones([1, 3, 3, 3], (Kind::Double, Device::Cpu))),
        &["uniform white image", "add up to 0"],
    );
    said(&exercise("03-3").check(&flat), &["axis C (channels): 1 is not right"]);
    said(&exercise("03-3").check(flat.squeeze()), &["expected 4 sizes, N C H W, got 2"]);
    said(&exercise("03-3").check(Filter::vertical_edge()), &["axis C"]);

    let mixed = |six: [f32; 6]| row(&six, &[2, 3, 1, 1]);
    right(&exercise("03-4").check(mixed([0.5, 0.5, 0.0, -1.0, 0.0, 1.0])));
    said(
        &exercise("03-4").check(mixed([1.0, 1.0, 0.0, 1.0, 0.0, -1.0])),
        &["it is their sum", "it is map 0 minus map 2"],
    );
    said(
        &exercise("03-4").check(mixed([1.0 / 3.0; 6])),
        &["the mean of all three", "the second filter, N = 1, along axis C"],
    );
    said(&exercise("03-4").check(mixed([0.0; 6]).view([3, 2, 1, 1])), &["N and C are swapped"]);
}

#[test]
fn numbers_are_compared_one_by_one() {
    let best = Matrix::from([[5, 2, 9], [7, 8, 2]]);
    right(&exercise("05-2").check(&best));
    right(&exercise("05-2").check(best.tensor().to_kind(Kind::Int64)));
    right(&exercise("05-2").check(row(best.values(), &[2, 3])));
    let one_off = exercise("05-2").check(Matrix::from([[5, 2, 9], [7, 6, 2]]));
    said(&one_off, &["1 of 6 numbers are not", "The first is 6 at N=0 C=0 H=1 W=1"]);
    said(&exercise("05-2").check(Matrix::from([[3.0, 0.5, 4.0], [2.0, 4.0, 2.0]])), &["averages"]);
    said(&exercise("05-2").check(Matrix::from([[12, 2, 16], [8, 16, 8]])), &["sums"]);
    said(&exercise("05-2").check(best.transpose()), &["H and W are swapped"]);
    let nan = Matrix::new(2, 3, vec![f32::NAN; 6]).unwrap();
    said(&exercise("05-2").check(nan), &["6 of 6", "NaN at"]);
    assert!(!one_off.to_string().contains('8'), "the solution is not told: {one_off}");
}

#[test]
fn functions_are_called_with_several_sizes() {
    let edge = Filter::vertical_edge().weight();
    let lay = |x: &Tensor, n| x.narrow(1, n, 1).conv2d::<&Tensor>(&edge, None, 1, 0, 1, 1);
    let added = function("03-5", |x| lay(x, 0) + lay(x, 1) + lay(x, 2));
    right(&added);
    let stacked = function("03-5", |x| Tensor::cat(&[lay(x, 0), lay(x, 1), lay(x, 2)], 1));
    said(&stacked, &["input of shape [1, 3, 6, 9], your function returned [1, 3, 4, 7]", "stacked"]);
    said(&function("03-5", |x| lay(x, 0)), &["the red channel alone"]);
    said(
        &function("03-5", |x| (lay(x, 0) + lay(x, 1) + lay(x, 2)) / 3.0),
        &["the mean of the three results"],
    );
    said(&function("03-5", |x| lay(x, 0) + lay(x, 1)), &["of 28 numbers are not"]);

    let mean = |x: Tensor| x.avg_pool2d([3, 3], [1, 1], [0, 0], false, true, None);
    right(&function("04-5", |x| mean(x.replication_pad2d([1, 1, 1, 1]))));
    said(&function("04-5", |x| mean(x.constant_pad_nd([1, 1, 1, 1]))), &["consists of zeros"]);
    said(&function("04-5", |x| mean(x.reflection_pad2d([1, 1, 1, 1]))), &["a reflection"]);
    said(&function("04-5", |x| mean(x.shallow_clone())), &["there is no padding yet"]);

    let regions = |x: &Tensor| {
        let (n, c, h, w) = x.size4().unwrap();
        x.view([n, c, h / 2, 2, w / 2, 2])
    };
    right(&function("05-5", |x| regions(x).amax([3, 5], false)));
    said(&function("05-5", |x| regions(x).mean_dim([3, 5].as_slice(), false, Kind::Float)), &["the average"]);
    said(&function("05-5", |x| x.amax([2, 3], true)), &["that is global pooling"]);
    said(&function("05-5", |x| regions(x).amax([2, 4], false)), &["axis W (columns): 2"]);
    // Right for one size of input only: the second call finds it.
    let only_one = function("05-5", |x| regions(x).amax([3, 5], false).narrow(0, 0, 1));
    said(&only_one, &["input of shape [2, 3, 6, 10]", "axis N: 1"]);

    let sum =
        |dims: &'static [i64], keep| function("07-1", move |x| x.sum_dim_intlist(dims, keep, Kind::Float));
    right(&sum(&[1], false));
    said(&sum(&[1], true), &["axis 1 is still there"]);
    said(&sum(&[2, 3], false), &["axes H and W were added up"]);
    said(&function("07-1", |x| x.amax([1], false)), &["the largest value"]);
    said(&function("07-1", |x| x.mean_dim([1].as_slice(), false, Kind::Float)), &["the mean"]);
}

#[test]
fn an_error_of_the_function_is_returned() {
    let begun = exercise("05-5").check_function(|_| your_turn("05-5")).unwrap_err().to_string();
    assert!(begun.starts_with("exercise 05-5 is yours: replace"), "{begun}");
    let view = |maps: &Tensor| Ok(maps.f_view([7, 7])?);
    let failed = exercise("05-5").check_function(view).unwrap_err().to_string();
    assert!(
        failed.starts_with("your function, called with an input of shape [1, 1, 4, 6], returned"),
        "{failed}"
    );
    assert!(failed.contains("shape '[7, 7]' is invalid for input of size 24"), "{failed}");
    // A function where none is expected gets an answer, even if it would fail.
    let asked = exercise("05-1").check_function(|_| your_turn("05-1")).unwrap();
    said(&asked, &["got a function", "exercise(\"05-1\").check(…)"]);
}

/// `conv(90_000_000, 5)` asked libtorch for 27 GB.
#[test]
fn layers_that_would_fill_the_memory_are_refused() {
    let large = exercise("03-1").check(conv(90_000_000, 5));
    said(&large, &["`conv 90000000 5x5` on C=3 H=40 W=60", "GB", "at most 100,000,000 (400 MB)"]);
    let padded = chain![conv(8, 3).padding(40_000), conv(8, 3), conv(8, 3)];
    said(&exercise("04-1").check(conv(4, 7).padding(50_000)), &["conv 4 7x7 padding 50000", "GB"]);
    said(&exercise("04-4").check(&padded), &["layer", "GB"]);
    let mut many = shapes::Chain::from_iter([conv(64, 3).same(); 2000]);
    many.layers.extend(chain![max_pool(2), max_pool(2)].layers);
    said(&exercise("05-4").check(&many), &["these 2002 layers", "GB"]);
}

/// Nothing that is handed in makes an exercise panic, and none of this is right.
#[test]
fn nothing_that_is_handed_in_panics() {
    let odd = [0, 1, 2, 7, 1 << 31, i64::MAX as u64, u64::MAX];
    let cpu = (Kind::Float, Device::Cpu);
    for task in tasks().unwrap() {
        let exercise = exercise(&task.text.id);
        let mut all = vec![];
        for n in odd {
            all.extend([
                exercise.check(n),
                exercise.check(n as i64),
                exercise.check(n as f64),
                exercise.check(-(n as f64)),
            ]);
            all.extend([
                exercise.check([n; 4]),
                exercise.check([n; 3]),
                exercise.check(vec![n; n.min(6) as usize]),
            ]);
            let layers = chain![
                conv(n, n),
                conv(8, n),
                conv(n, 5),
                max_pool(n),
                avg_pool(n),
                linear(n),
                conv(8, 3).padding(n),
                conv(8, 3).stride(n),
                conv(4, 7).dilation(n),
                conv(8, 3).groups(n),
            ];
            for layer in layers.layers {
                let net = chain![conv(16, 3), max_pool(2), layer, max_pool(2), flatten(), linear(10)];
                all.extend([
                    exercise.check(layer),
                    exercise.check(chain![layer, layer, layer]),
                    exercise.check(net),
                ]);
            }
        }
        all.extend(
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN, f64::MAX, 0.5].map(|x| exercise.check(x)),
        );
        let tensors = [
            Tensor::new(),
            Tensor::zeros([0], cpu),
            Tensor::zeros([1, 3, 3, 3], (Kind::Bool, Device::Cpu)),
            Tensor::full([2, 3, 1, 1], f64::NAN, cpu),
            Tensor::full([1, 3, 3, 3], f64::INFINITY, cpu),
            Tensor::from(1.0f32),
            // Copied, these would be 4 TB.
            Tensor::zeros([1], cpu).expand([1_000_000, 1_000_000], false),
            Tensor::zeros([1, 1, 1, 1], cpu).expand([1000, 1000, 1000, 1000], false),
        ];
        for tensor in &tensors {
            all.push(exercise.check(tensor));
            if let Ok(checked) = exercise.check_function(|_| Ok(tensor.shallow_clone())) {
                all.push(checked);
            }
        }
        for checked in all {
            assert!(!checked.is_right() && checked.to_string().len() > 20, "{checked}");
        }
    }
    for id in ["", "03-1 ", "\u{0}", "０３-１", &"9".repeat(10_000)] {
        assert!(!exercise(id).check(1).is_right() && your_turn::<u64>(id).is_err());
    }
}
