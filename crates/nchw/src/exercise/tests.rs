use super::*;
use crate::prelude::*;
use crate::quiz::IntoAnswer;
use expression::{evaluated, input};

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

/// Checks each work, and that the feedback contains the words.
fn all_say<const N: usize, W: IntoWork>(id: &str, cases: [(W, &[&str]); N]) {
    for (work, words) in cases {
        said(&exercise(id).check(work), words);
    }
}

fn function(id: &str, yours: impl Fn(&Tensor) -> Tensor) -> Checked {
    exercise(id).check_function(|input| Ok(yours(input))).unwrap()
}

/// Exercises are also named outside of their notebooks, where an id can come to mean another exercise.
#[test]
fn docs_and_the_assignment_check_each_exercise_as_it_asks() {
    let mut found = 0;
    for file in ["README.md", "docs/classroom.md", "crates/xtask/python/grading.py"] {
        let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        for call in text.split("exercise(\"").skip(1) {
            let Some((id, rest)) = call.split_once("\").check") else { continue };
            let task = tasks().unwrap().iter().find(|task| task.id == id);
            let is_function = matches!(task.unwrap().goal, Goal::Function(_));
            assert_eq!(rest.starts_with("_"), is_function, "{file}: {id}");
            found += 1;
        }
    }
    assert!(found >= 4, "{found}");
}

/// An exercise that the course does not have, with this goal.
fn new(goal: &str) -> Result<Exercise> {
    let text =
        format!("[[exercise]]\nid = \"09-1\"\nwhat = \"your work\"\nhint = \"\"\nlearned = \"\"\n{goal}");
    let task = tasks::parsed("09-new", &text)?.remove(0);
    Ok(Exercise(Ok(Box::leak(Box::new(task)))))
}

#[test]
fn every_file_of_exercises_is_read() {
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/exercises")).unwrap() {
        let path = file.unwrap().path();
        let read = tasks::FILES.iter().any(|(name, _)| path.file_stem().is_some_and(|stem| stem == *name));
        assert!(read, "{} is not read: add it to `FILES` in exercise/tasks.rs", path.display());
    }
}

#[test]
fn every_exercise_is_in_its_notebook_and_has_a_hint() {
    let tasks = tasks().unwrap();
    for (n, task) in tasks.iter().enumerate() {
        let id = task.id.as_str();
        assert!(tasks[..n].iter().all(|other| other.id != id), "{id} is there twice");
        assert_eq!(id.split('-').next(), task.notebook.split('-').next());
        let notebook = format!("{}/../../notebooks/src/{}.md", env!("CARGO_MANIFEST_DIR"), task.notebook);
        let yours = format!("your_turn(\"{id}\")");
        assert!(std::fs::read_to_string(notebook).unwrap().contains(&yours), "{id} is in no cell");
        assert!(exercise(id).hint().to_string().len() > 30, "{id}");
        let says = your_turn::<u64>(id).unwrap_err().to_string();
        assert!(says.starts_with(&format!("exercise {id} is yours: replace `{yours}?` with")));
        assert!(exercise(id).to_string().contains("To check your answer"), "{id}");
    }
}

/// Every expression and every question can be computed, and no known wrong answer is right.
#[test]
fn every_known_wrong_answer_is_named() {
    for task in tasks().unwrap() {
        let named = |says: Vec<String>, expected: &str| {
            assert_eq!(says.last().map(String::as_str), Some(expected), "{}", task.id)
        };
        match &task.goal {
            Goal::Numbers(asked) => {
                for wrong in asked.question().unwrap().wrong {
                    named(
                        task.goal.judge("", &Work::Numbers(wrong.answer.as_str().into_answer())).unwrap(),
                        &wrong.feedback,
                    );
                }
            }
            Goal::Tensor(computed) | Goal::Function(computed) => {
                for x in computed.inputs().unwrap() {
                    assert!(
                        computed.compared(&evaluated(&computed.equals, &x).unwrap(), &x).unwrap().is_empty()
                    );
                    for wrong in &computed.wrong {
                        let given = evaluated(&wrong.equals, &x).unwrap();
                        named(computed.compared(&given, &x).unwrap(), &wrong.says);
                    }
                }
            }
            Goal::Weight(weight) => {
                for output in &weight.outputs {
                    let x = input(&output.input).unwrap();
                    output.equals.iter().for_each(|equals| drop(evaluated(equals, &x).unwrap()));
                    output.wrong.iter().for_each(|wrong| drop(evaluated(&wrong.equals, &x).unwrap()));
                }
            }
            Goal::Network(network) => {
                let right = network.table(&network.layers).unwrap().totals.parameters;
                for wrong in &network.wrong {
                    assert_ne!(network.table(&wrong.layers).unwrap().totals.parameters, right, "{}", task.id);
                }
            }
            Goal::Layers(_) => {}
        }
    }
}

#[test]
fn an_error_in_a_file_names_the_file_the_line_and_the_field() {
    let goal = "[exercise.goal.numbers]\nask = \"output\"\ninput = \"1x3x4\"\nlayers = \"relu\"\n";
    assert!(new(goal).is_ok());
    for (goal, words) in [
        ("", "missing field `goal`"),
        ("hnt = \"\"\n", "line 6"),
        ("hnt = \"\"\n", "unknown field `hnt`"),
        ("[exercise.goal.sum]\n", "unknown variant `sum`, expected one of `numbers`, `layers`"),
        (&goal.replace("output", "outpt"), "unknown variant `outpt`"),
        (&goal.replace("layers", "wrong = [{ sys = \"\" }]\nlayers"), "unknown field `sys`"),
        (&format!("{goal}[exercise.goal.tensor]\ninputs = []\nequals = \"1\"\n"), "wanted exactly 1 element"),
    ] {
        let said = new(goal).err().unwrap().to_string();
        assert!(said.starts_with("exercises/09-new.toml: TOML parse error"), "{said}");
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
    let says = &format!("there is no exercise `03-9`; the exercises are {}, ", tasks().unwrap()[0].id);
    assert!(exercise("03-9").check(1).to_string().starts_with(&format!("? {says}")));
    assert!(exercise("03-9").check_function(|_| your_turn("03-9")).unwrap().to_string().contains(says));
    assert!(exercise("03-9").hint().to_string().starts_with(says));
    assert!(your_turn::<u64>("03-9").unwrap_err().to_string().starts_with(says));
}

#[test]
fn another_kind_of_work_is_named() {
    let zeros = Tensor::zeros([2, 3, 4, 5], (Kind::Float, Device::Cpu));
    all_say(
        "03-2",
        [(&zeros, &["expected the four sizes", "got a tensor of shape [2, 3, 4, 5]", "`.size()`"])],
    );
    all_say("03-3", [([1, 3, 3, 3], &["expected a weight", "got the sizes [1, 3, 3, 3]", "from_slice"])]);
    all_say("05-3", [(&zeros, &["expected the number of inputs", "`.numel()`"])]);
    let layer = "expected a layer with the number of filters that you found, for example `conv(8, 5)`";
    all_say("03-1", [(12, &[layer, "the number 12"])]);
    all_say("05-5", [(1.5, &["got the number 1.5", "check_function"])]);
    said(&function("05-1", |x| x.shallow_clone()), &["expected a layer with the window", "got a function"]);
}

#[test]
fn a_convolution_of_your_own_is_called_with_images_and_a_filter() {
    let convolution = |image: &Matrix, filter: &Matrix, turned: bool| {
        let (h, w) = (filter.height(), filter.width());
        let weight = |i, j| if turned { filter.at(h - 1 - i, w - 1 - j) } else { filter.at(i, j) };
        Matrix::from_fn(image.height() - h + 1, image.width() - w + 1, |row, column| {
            let products = (0..h * w).map(|k| image.at(row + k / w, column + k % w) * weight(k / w, k % w));
            products.sum()
        })
    };
    let exercise = exercise("02-4");
    assert!(exercise.to_string().contains(".check_convolution(…)"), "{exercise}");
    right(&exercise.check_convolution(|image, filter| convolution(image, filter, false)).unwrap());
    let turned = exercise.check_convolution(|image, filter| convolution(image, filter, true)).unwrap();
    said(&turned, &["shape [1, 1, 4, 7]", "upside down"]);
    let error = exercise.check_convolution(|_, _| your_turn("02-4")).unwrap_err().to_string();
    assert!(error.starts_with("exercise 02-4 is yours"), "{error}");
}

#[test]
fn the_gradient_of_a_filter_is_the_image_convolved_with_the_errors() {
    let image = input("1 2 0 / 0 1 3 / 4 0 1").unwrap();
    let errors = input("1 0 / -1 2").unwrap();
    let weight = Tensor::ones([1, 1, 2, 2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let output = image.conv2d::<&Tensor>(&weight, None, 1, 0, 1, 1);
    let wanted = output.detach() - errors;
    let half = (output - wanted).square().sum(Kind::Float) / 2.0;
    let gradient = Tensor::run_backward(&[&half], &[&weight], false, false).remove(0);
    right(&exercise("02-5").check(&gradient));
    all_say("02-5", [(&(-gradient), &["the signs are reversed"])]);
}

#[test]
fn layers_are_run_and_judged_by_their_output() {
    right(&exercise("03-1").check(conv(12, 5)));
    all_say(
        "03-1",
        [
            (conv(8, 5), &["weights: expected 900, got 600: too few filters (axis N"]),
            (conv(20, 5), &["got 1500: too many"]),
            (conv(12, 3), &["expected one convolution with 5 x 5 filters", "conv 12 3x3"]),
        ],
    );
    all_say("03-1", [(max_pool(5), &["got `maxpool 5x5`"])]);
    all_say("03-1", [(chain![conv(1, 5), conv(2, 5)], &["got `conv 1 5x5; conv 2 5x5`"])]);

    right(&exercise("04-1").check(conv(4, 7).padding(3)));
    right(&exercise("04-1").check(conv(4, 7).same()));
    all_say(
        "04-1",
        [
            (conv(4, 7), &["axis H (rows): expected 20, got 14: too little padding", "axis W"]),
            (conv(4, 7).padding(4), &["too much padding"]),
        ],
    );

    let halves = |padding| shapes::Chain::from_iter([8, 16].map(|n| conv(n, 3).stride(2).padding(padding)));
    right(&exercise("04-3").check(halves(1)));
    let rows = "axis H (rows): expected 12, got 11: too small";
    all_say("04-3", [(halves(0), &[rows, "axis W (columns): expected 16, got 15"])]);

    let wide = |dilations: [u64; 3]| shapes::Chain::from_iter(dilations.map(|n| conv(8, 3).dilation(n)));
    right(&exercise("04-4").check(wide([1, 2, 4])));
    right(&exercise("04-4").check(wide([4, 2, 1])));
    let strided = chain![conv(8, 3).stride(2), conv(8, 3), conv(8, 3)];
    all_say(
        "04-4",
        [
            (wide([1, 1, 1]), &["axis H (rows): expected 15, got 7: the receptive field is too small"]),
            (wide([4, 4, 4]), &["too large"]),
            (strided, &["stride 1", "conv 8 3x3 stride 2"]),
        ],
    );

    right(&exercise("05-1").check(max_pool(3)));
    all_say("05-1", [(max_pool(2), &["axis H (rows): expected 8, got 12: too large"])]);
    all_say("05-1", [(avg_pool(3), &["expected one max pooling"])]);
}

#[test]
fn a_network_for_every_size_needs_a_global_pooling() {
    let with = |end: shapes::Chain| {
        let begin = chain![conv(16, 3).same(), max_pool(2), conv(32, 3).same(), avg_pool(2)];
        shapes::Chain { layers: [begin.layers, end.layers].concat() }
    };
    right(&exercise("05-4").check(with(chain![global_avg_pool(), flatten(), linear(10)])));
    right(&exercise("05-4").check(with(chain![global_max_pool(), flatten(), linear(10)])));
    all_say(
        "05-4",
        [
            (with(chain![flatten(), linear(10)]), &["3x32x48", "[10, 3072]", "axis C"]),
            (with(chain![global_avg_pool(), flatten(), linear(7)]), &["features: expected 10, got 7"]),
            (with(chain![global_avg_pool()]), &["expected [10], got [32, 1, 1]"]),
            (with(chain![linear(10)]), &["layer 5", "`flatten` is missing"]),
            (
                chain![conv(10, 3), max_pool(2)],
                &["at least two convolutions", "got `conv 10 3x3; maxpool 2x2`"],
            ),
            (
                with(chain![dropout(0.5), flatten(), linear(10)]),
                &["quizzes and exercises do not support", "dropout"],
            ),
        ],
    );
}

#[test]
fn sizes_name_the_axis_and_the_confusion() {
    right(&exercise("03-2").check([11, 6, 3, 4]));
    right(&exercise("03-2").check(vec![11i64, 6, 3, 4]));
    all_say(
        "03-2",
        [
            ([16, 6, 3, 4], &["16 is the batch size"]),
            (
                [11, 3, 3, 4],
                &["the image had 3 channels; the input of this layer is the output of the previous"],
            ),
            ([6, 3, 5, 5], &["the first layer's weight"]),
            ([16, 11, 24, 33], &["the shape of the output"]),
            ([11, 6, 4, 3], &["H and W are swapped"]),
            ([6, 11, 3, 4], &["N and C are swapped"]),
            ([12, 6, 3, 3], &["N 개 = 12: too large; it counts the filters", "W 열 = 3: too small"]),
            ([-11, 6, 3, 4], &["N = -11 is not possible"]),
        ],
    );
    all_say("03-2", [([u64::MAX, 6, 3, 4], &["18446744073709551615 is out of range"])]);
    all_say(
        "03-2",
        [
            (vec![6, 3, 4], &["expected 4 numbers (N C H W), got 3; N, the number of filters, is missing"]),
            (vec![1, 1, 1, 1, 1], &["got 5"]),
        ],
    );

    right(&exercise("04-2").check([8, 16, 25]));
    all_say(
        "04-2",
        [
            ([8, 16, 26], &["W 열 = 26: one too many"]),
            ([8, 16, 24], &["W 열 = 24: the padding is on both sides"]),
            ([8, 17, 26], &["H 행 = 17: round down"]),
            ([8, 48, 73], &["the stride is missing"]),
        ],
    );
    all_say("04-2", [([1, 8, 16, 25], &["leave out N"])]);
}

#[test]
fn a_number_is_too_small_or_a_known_confusion() {
    right(&exercise("05-3").check(2304));
    right(&exercise("05-3").check(2304.0));
    all_say(
        "05-3",
        [
            (7, &["features = 7: too small"]),
            (99_999, &["too large"]),
            (96, &["that is one feature map"]),
            (24, &["the number of feature maps"]),
            (1536, &["the channels of the first convolution"]),
            (24 * 16 * 24, &["that is the size before `maxpool"]),
            (24 * 10 * 14, &["no padding here"]),
            (i64::MAX, &["features = 9223372036854775807: too large"]),
            (i64::MIN, &["-9223372036854775808 is not possible"]),
            (9_007_199_254_740_993, &["9007199254740993: too large"]),
        ],
    );
    all_say("05-3", [(u64::MAX, &["18446744073709551615 is out of range"])]);
    all_say("05-3", [(usize::MAX, &["18446744073709551615 is out of range"])]);
    all_say("05-3", [(f32::NAN, &["NaN is not a number"])]);
    all_say(
        "05-3",
        [
            (f64::NAN, &["NaN is not a number"]),
            (f64::INFINITY, &["`inf` is infinite"]),
            (2304.5, &["2304.5 is not whole"]),
            (1e300, &["1e300 is out of range"]),
        ],
    );
    all_say("03-1", [(u64::MAX, &["the number 18446744073709551615"])]);
}

#[test]
fn a_weight_is_judged_by_its_outputs() {
    let flat = Filter::horizontal_edge().weight();
    let of = |r: f64, g: f64, b: f64| Tensor::cat(&[&flat * r, &flat * g, &flat * b], 1);
    right(&exercise("03-3").check(of(-0.5, -0.5, 1.0)));
    right(&exercise("03-3").check(of(0.0, -2.0, 2.0)));
    let ones = Tensor::ones([1, 3, 3, 3], (Kind::Double, Device::Cpu));
    all_say(
        "03-3",
        [
            (of(0.0, 0.0, 1.0), &["(grey) the output is 3", "axis C, must cancel"]),
            (of(1.0, -0.5, -0.5), &["the output is -1.5, but should be above 0", "axis C = 2"]),
            (of(-0.5, -0.5, 1.0).transpose(2, 3), &["*vertical* blue edge", "axes H and W"]),
            (ones, &["uniform white image", "add up to 0"]),
            (flat.shallow_clone(), &["axis C (channels): 1 is not right"]),
            (flat.squeeze(), &["expected 4 sizes, N C H W, got 2"]),
        ],
    );
    all_say("03-3", [(Filter::vertical_edge(), &["axis C"])]);

    let mixed = |six: [f32; 6]| Tensor::from_slice(&six).view([2, 3, 1, 1]);
    right(&exercise("03-4").check(mixed([0.5, 0.5, 0.0, -1.0, 0.0, 1.0])));
    all_say(
        "03-4",
        [
            (mixed([1.0, 1.0, 0.0, 1.0, 0.0, -1.0]), &["it is their sum", "it is map 0 minus map 2"]),
            (mixed([1.0 / 3.0; 6]), &["the mean of all three", "the second filter, N = 1, along axis C"]),
            (mixed([0.0; 6]).view([3, 2, 1, 1]), &["N and C are swapped"]),
        ],
    );
}

#[test]
fn numbers_are_compared_one_by_one() {
    let best = Matrix::from([[5, 2, 9], [7, 8, 2]]);
    right(&exercise("05-2").check(&best));
    right(&exercise("05-2").check(best.tensor().to_kind(Kind::Int64)));
    right(&exercise("05-2").check(best.tensor().view([2, 3])));
    let one_off = exercise("05-2").check(Matrix::from([[5, 2, 9], [7, 6, 2]]));
    said(&one_off, &["1 of 6 numbers are not", "The first is 6 at N=0 C=0 H=1 W=1"]);
    assert!(!one_off.to_string().contains('8'), "the solution is not told: {one_off}");
    all_say(
        "05-2",
        [
            (Matrix::from([[3.0, 0.5, 4.0], [2.0, 4.0, 2.0]]), &["averages"]),
            (Matrix::from([[12, 2, 16], [8, 16, 8]]), &["sums"]),
            (best.transpose(), &["H and W are swapped"]),
            (Matrix::new(2, 3, vec![f32::NAN; 6]).unwrap(), &["6 of 6", "NaN at"]),
        ],
    );
}

/// The map of exercise 05-2 is the one in its notebook.
#[test]
fn the_map_to_pool_is_the_one_that_the_notebook_shows() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../notebooks/src/05-pooling.md");
    let notebook = std::fs::read_to_string(path).unwrap();
    let shown = notebook.split("let to_pool = Matrix::from([[").nth(1).unwrap().split("]]").next().unwrap();
    let numbers = |text: &str| {
        text.split(|c: char| !c.is_ascii_digit())
            .filter(|n| !n.is_empty())
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let Goal::Tensor(computed) = &exercise("05-2").0.unwrap().goal else { panic!("not a tensor") };
    assert_eq!(numbers(shown), numbers(&computed.inputs[0]));
}

#[test]
fn functions_are_called_with_several_sizes() {
    let edge = Filter::vertical_edge().weight();
    let lay = |x: &Tensor, n| x.narrow(1, n, 1).conv2d::<&Tensor>(&edge, None, 1, 0, 1, 1);
    right(&function("03-5", |x| lay(x, 0) + lay(x, 1) + lay(x, 2)));
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
    said(&function("05-5", |x| x.max_pool2d([2, 2], [1, 1], [0, 0], [1, 1], false)), &["moves by one"]);
    said(&function("05-5", |x| x.amax([2, 3], true)), &["that is global pooling"]);
    said(&function("05-5", |x| regions(x).amax([2, 4], false)), &["axis W (columns): 2"]);
    // Right for one size of input only: the second call finds it.
    let only_one = function("05-5", |x| regions(x).amax([3, 5], false).narrow(0, 0, 1));
    said(&only_one, &["input of shape [2, 3, 6, 10]", "axis N: 1"]);

    let sum =
        |dims: &'static [i64], keep| function("07-3", move |x| x.sum_dim_intlist(dims, keep, Kind::Float));
    right(&sum(&[1], false));
    said(&sum(&[1], true), &["axis 1 is still there"]);
    said(&sum(&[2, 3], false), &["axes H and W were added up"]);
    said(&function("07-3", |x| x.amax([1], false)), &["the largest value"]);
    said(&function("07-3", |x| x.mean_dim([1].as_slice(), false, Kind::Float)), &["the mean"]);
    said(&function("07-3", |_| Tensor::new()), &["your function returned no tensor", "never filled"]);
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

/// Kinds of exercises that the course does not have yet.
#[test]
fn a_new_exercise_needs_no_rust() {
    let number =
        new("[exercise.goal.tensor]\ninputs = [\"1 2 / 3 4\"]\nequals = \"(x * [1 0 / 0 -1]).sum()\"\n")
            .unwrap();
    right(&number.check(-3));
    right(&number.check(-3.0));
    said(&number.check(-2.5), &["-2.5 is too large"]);
    said(&number.check(-4), &["-4 is too small"]);
    said(&number.check(f64::NAN), &["NaN is not a number"]);
    said(&number.check([1, 2]), &["expected your work, got the sizes [1, 2]"]);

    let row =
        "[exercise.goal.numbers]\nask = { row = 0 }\ninput = \"1 2 3 / 4 5 6\"\nlayers = \"1 0 / 0 1\"\n";
    right(&new(row).unwrap().check([6, 8]));
    said(&new(row).unwrap().check([6, 9]), &["number 2 = 9: too large"]);

    let few = "[exercise.goal.layers]\nform = \"any\"\ninputs = [\"3x8x9\"]\nask = \"all-parameters\"\nanswer = \"56\"\n";
    right(&new(few).unwrap().check(chain![conv(2, 3), relu()]));
    said(&new(few).unwrap().check(conv(3, 3)), &["parameters: expected 56, got 84: too large"]);

    let map = "[exercise.goal.weight]\nsizes = [1, 1, 2, 2]\n[[exercise.goal.weight.outputs]]\n\
               input = \"1 2 4 / 0 1 3\"\nequals = \"[1 2]\"\nsays = \"it begins with {output}\"\n";
    right(&new(map).unwrap().check(Filter::new("", Matrix::from([[-1, 1], [0, 0]]))));
    said(&new(map).unwrap().check(Filter::new("", Matrix::from([[0, 0], [1, 0]]))), &["it begins with 0"]);
}

#[test]
fn expressions_are_computed_or_explained() {
    let x = input("1 -2 / 3 4 | 5 6 / 7 8").unwrap();
    for (text, value) in [
        ("1 + 2 * 3 - 8 / 4", 5.0),
        ("-(1 + 2) * -3", 9.0),
        ("x.sum() / 8", 4.0),
        ("x.channel(1).max(C H W)", 8.0),
        ("(x.channel(0) - x.channel(1)).mean()", -5.0),
        ("x.sum(C).max()", 12.0),
        ("x.max_pool(2).sum(N C H W)", 12.0),
        ("x.conv(1 0 / 0 0).sum()", 6.0),
        ("x.conv(1 0 / 0 0 | 0 0 / 0 1).sum()", 9.0),
        ("x.conv_each(0 1 / 0 0).max()", 6.0),
        ("x.pad(1, constant).avg_pool(2, 1).sum() * 4 - x.sum() * 4", 0.0),
    ] {
        assert_eq!(evaluated(text, &x).unwrap().double_value(&[0; 0]), value, "{text}");
    }
    for (text, words) in [
        ("x y", "`x y`: expected an operator, got `y`"),
        ("(x + 1", "expected `)`"),
        ("x.sum", "expected `(`"),
        ("x.channel(1", "expected `)`"),
        ("x.channel(red)", "expected a number, got `red`"),
        ("y + 1", "expected a number"),
        ("", "expected a number"),
        ("x.median()", "no operation `median`"),
        ("x.channel(2)", "exceeds"),
        ("x.pad(1, mirror)", "mirror"),
        ("[1 2 / 3]", "invalid for input of size 3"),
    ] {
        let said = evaluated(text, &x).err().unwrap_or_else(|| panic!("{text}")).to_string();
        assert!(said.contains(words), "{text}: expected `{words}` in\n{said}");
    }
    assert!(input("2xx3").unwrap_err().to_string().contains("expected a number"));
    assert_eq!(input("2x3x4x5").unwrap().size(), [2, 3, 4, 5]);
}

/// `conv(90_000_000, 5)` asked libtorch for 27 GB.
#[test]
fn layers_that_would_fill_the_memory_are_refused() {
    let padded = chain![conv(8, 3).padding(40_000), conv(8, 3), conv(8, 3)];
    let mut many = shapes::Chain::from_iter([conv(64, 3).same(); 2000]);
    many.layers.extend(chain![max_pool(2), max_pool(2)].layers);
    let limit = "at most 100,000,000 (400 MB)";
    all_say("03-1", [(conv(90_000_000, 5), &["`conv 90000000 5x5` on C=3 H=40 W=60", "GB", limit])]);
    all_say("04-1", [(conv(4, 7).padding(50_000), &["conv 4 7x7 padding 50000", "GB"])]);
    all_say("04-4", [(&padded, &["layer", "GB"])]);
    all_say("05-4", [(&many, &["these 2002 layers", "GB"])]);
}

/// Nothing that is handed in makes an exercise panic, and none of this is right.
#[test]
fn nothing_that_is_handed_in_panics() {
    let odd = [0, 1, 2, 7, 1 << 31, i64::MAX as u64, u64::MAX];
    let cpu = (Kind::Float, Device::Cpu);
    for task in tasks().unwrap() {
        let exercise = exercise(&task.id);
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

#[test]
fn a_network_is_judged_by_its_weights_and_outputs() {
    use crate::{summary, with_weights};
    use tch::nn;
    struct Kind {
        maps: [i64; 3],
        convolutions: [i64; 3],
        kernel: i64,
        padding: i64,
        bias: bool,
        norm: bool,
        nodes: i64,
    }
    let right_kind = || Kind {
        maps: [32, 64, 128],
        convolutions: [2, 3, 3],
        kernel: 3,
        padding: 1,
        bias: false,
        norm: true,
        nodes: 10,
    };
    let built = |kind: Kind, side: i64| {
        let vs = nn::VarStore::new(tch::Device::Cpu);
        let config = nn::ConvConfig { padding: kind.padding, bias: kind.bias, ..Default::default() };
        let (mut net, mut inputs) = (nn::seq_t(), 3);
        for (block, (maps, convolutions)) in kind.maps.into_iter().zip(kind.convolutions).enumerate() {
            let path = vs.root() / format!("block{block}");
            for number in 0..convolutions {
                net = net.add(nn::conv2d(&path / format!("conv{number}"), inputs, maps, kind.kernel, config));
                if kind.norm {
                    net =
                        net.add(nn::batch_norm2d(&path / format!("norm{number}"), maps, Default::default()));
                }
                net = net.add_fn(|maps| maps.relu());
                inputs = maps;
            }
            net = net.add_fn(|maps| maps.max_pool2d_default(2));
        }
        let images = Tensor::zeros([8, 3, side, side], (tch::Kind::Float, tch::Device::Cpu));
        let features = tch::no_grad(|| nn::ModuleT::forward_t(&net, &images, false)).flatten(1, -1).size()[1];
        let head = nn::linear(vs.root() / "head", features, kind.nodes, Default::default());
        let net = net.add_fn(|maps| maps.flatten(1, -1)).add(head);
        summary(&with_weights(&net, &vs), &images).unwrap()
    };
    let id = "08-1";
    right(&exercise(id).check(built(right_kind(), 32)));
    let cases: [(Kind, i64, &[&str]); 8] = [
        (right_kind(), 40, &["expected a summary for images of 8x3x32x32, got one for 8x3x40x40"]),
        (
            Kind { maps: [32, 48, 128], ..right_kind() },
            32,
            &["weight 3", "block1.conv0", "axis N: 48 is not right"],
        ),
        (Kind { kernel: 5, padding: 2, ..right_kind() }, 32, &["weight 1", "axis H (rows): 5 is not right"]),
        (Kind { padding: 2, ..right_kind() }, 32, &["output of layer `block0.conv0`", "H (rows): 34 is not"]),
        (Kind { convolutions: [2, 2, 3], ..right_kind() }, 32, &["weight 5", "axis N: 128 is not right"]),
        (Kind { bias: true, ..right_kind() }, 32, &["batch normalisation has a bias of its own"]),
        (Kind { norm: false, ..right_kind() }, 32, &["batch normalisation is missing"]),
        (Kind { nodes: 9, ..right_kind() }, 32, &["layer `head`", "N (nodes): 9 is not right"]),
    ];
    for (kind, side, words) in cases {
        said(&exercise(id).check(built(kind, side)), words);
    }
    said(
        &exercise(id).check([8i64, 10]),
        &["got the sizes [8, 10]: `summary(&with_weights(&net, &vs), &images)?`"],
    );
    let net = nn::seq().add_fn(|maps| maps.relu());
    let images = Tensor::zeros([8, 3, 32, 32], (tch::Kind::Float, tch::Device::Cpu));
    let vs = nn::VarStore::new(tch::Device::Cpu);
    let none = summary(&with_weights(&net, &vs), &images).unwrap();
    said(&exercise(id).check(&none), &["0 convolutions and linear layers are too few"]);
    let _unused = nn::linear(vs.root() / "head", 3, 4, Default::default());
    let left = summary(&with_weights(&net, &vs), &images).unwrap();
    said(&exercise(id).check(&left), &["no layer of the network uses head.bias, head.weight"]);
}
