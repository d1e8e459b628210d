//! What judges each exercise: libtorch computes the right answer and the known wrong ones. The texts
//! are in `exercises/*.toml`.

use super::compare::{self, Does, Found, Slips};
use super::text::Text;
use super::work::Work;
use crate::check::holds_something;
use crate::quiz::{out_of_range, run::Run, whole_number};
use crate::shapes::{Chain, Layer, Op};
use crate::{Error, Result, filter::Filter, matrix::Matrix};
use std::fmt::Display;
use tch::{Device, Kind, Tensor};

/// What the learner hands in, and how it is judged. `slips` are known wrong answers, with their names.
pub(super) enum Goal {
    /// These numbers.
    Tensor { truth: Found<Tensor>, slips: Slips<Found<Tensor>> },
    /// A weight of this shape, judged by its outputs.
    Weight { sizes: [i64; 4], judge: fn(&Text, &Tensor) -> Result<Vec<String>>, slips: Names },
    /// These sizes.
    Sizes { truth: Found<Vec<i64>>, slips: Slips<Found<Vec<i64>>> },
    /// This number.
    Number { truth: Found<i64>, slips: Slips<Found<i64>> },
    /// Layers, judged by their output.
    Layers { judge: fn(&Text, &Chain) -> Result<Vec<String>>, slips: Names },
    /// A function with the same results as `truth` on inputs of these sizes.
    Function { inputs: &'static [[i64; 4]], truth: Does, slips: Slips<Does> },
}

type Names = &'static [&'static str];

impl Goal {
    /// The names of the known wrong answers.
    pub fn slips(&self) -> Vec<&'static str> {
        fn names<F>(slips: Slips<F>) -> Vec<&'static str> {
            slips.iter().map(|(name, _)| *name).collect()
        }
        match self {
            Goal::Weight { slips, .. } | Goal::Layers { slips, .. } => slips.to_vec(),
            Goal::Tensor { slips, .. } => names(slips),
            Goal::Sizes { slips, .. } => names(slips),
            Goal::Number { slips, .. } => names(slips),
            Goal::Function { slips, .. } => names(slips),
        }
    }

    /// What is not right yet; empty if everything is.
    pub fn judge(&self, text: &Text, work: &Work) -> Result<Vec<String>> {
        if let Work::Tensor(given) = work {
            holds_something(given)?;
        }
        match (self, work) {
            (Goal::Tensor { truth, slips }, Work::Tensor(given)) => {
                compare::tensors(given, &truth()?, text, slips)
            }
            (Goal::Weight { sizes, judge, .. }, Work::Tensor(given)) => {
                let wrong = compare::sizes(&given.size(), sizes, compare::axes(4));
                // One dtype, one device, no history: only the numbers count.
                if wrong.is_empty() {
                    judge(text, &given.f_detach()?.f_to(Device::Cpu)?.f_to_kind(Kind::Float)?)
                } else {
                    Ok(wrong)
                }
            }
            (Goal::Sizes { truth, slips }, Work::Sizes(given)) => {
                if let Some(large) = given.iter().find(|size| i64::try_from(**size).is_err()) {
                    return Ok(vec![out_of_range(&large.to_string())]);
                }
                let given: Vec<i64> = given.iter().map(|size| *size as i64).collect();
                for (name, slip) in *slips {
                    if slip()? == given {
                        return Ok(vec![text.wrong(name, &[])?]);
                    }
                }
                Ok(compare::sizes(&given, &truth()?, &text.axes))
            }
            (Goal::Number { truth, slips }, Work::Whole(given)) => number(*given, truth()?, text, slips),
            (Goal::Number { truth, slips }, Work::Number(given)) => match whole_number(*given) {
                Ok(given) => number(given, truth()?, text, slips),
                Err(says) => Ok(vec![format!("{says}; expected a whole number")]),
            },
            (Goal::Layers { judge, .. }, Work::Layers(layers)) => judge(text, layers),
            (goal, given) => {
                Ok(vec![format!("expected {}, got {}{}", text.what, given.described(), goal.instead(given))])
            }
        }
    }

    fn instead(&self, given: &Work) -> &'static str {
        match (self, given) {
            (Goal::Sizes { .. }, Work::Tensor(_)) => ": `.size()` returns a tensor's sizes",
            (Goal::Number { .. }, Work::Tensor(_)) => ": `.numel()` counts its numbers",
            (Goal::Tensor { .. } | Goal::Weight { .. }, Work::Sizes(_)) => {
                ": `Tensor::from_slice(&[…]).view([…])` makes a tensor from numbers"
            }
            (Goal::Function { .. }, _) => {
                ": pass the function itself to `.check_function(…)`, without calling it"
            }
            _ => "",
        }
    }
}

fn number(given: i128, truth: i64, text: &Text, slips: Slips<Found<i64>>) -> Result<Vec<String>> {
    let truth = i128::from(truth);
    if given == truth {
        return Ok(vec![]);
    }
    for (name, slip) in slips {
        if i128::from(slip()?) == given {
            return Ok(vec![text.wrong(name, &[])?]);
        }
    }
    let way = if given < truth { "too small" } else { "too large" };
    Ok(vec![format!("{given} is {way}")])
}

/// The feature map of exercise 05-2.
pub(super) fn map_to_pool() -> Matrix {
    Matrix::from([[1, 5, 2, 0, 3, 3], [4, 2, 0, 0, 9, 1], [7, 0, 1, 6, 2, 2], [1, 0, 8, 1, 2, 2]])
}

/// What computes the right answer of each exercise, and its known wrong answers.
pub(super) static GOALS: [(&str, Goal); 16] = [
    ("03-1", Goal::Layers { judge: weights_900, slips: &["layers", "too-few", "too-many"] }),
    (
        "03-2",
        Goal::Sizes {
            truth: || weight_of_last("16x3x30x40", "conv 6 5x5; conv 11 3x4"),
            slips: &[
                ("batch", || {
                    let weight = weight_of_last("16x3x30x40", "conv 6 5x5; conv 11 3x4")?;
                    Ok([vec![16], weight[1..].to_vec()].concat())
                }),
                ("photo", || weight_of_last("16x3x30x40", "conv 11 3x4")),
                ("first-layer", || weight_of_last("16x3x30x40", "conv 6 5x5")),
                ("output", || Ok(Run::of("16x3x30x40", "conv 6 5x5; conv 11 3x4")?.sizes_out())),
            ],
        },
    ),
    (
        "03-3",
        Goal::Weight {
            sizes: [1, 3, 3, 3],
            judge: blue_horizontal,
            slips: &["flat", "vertical", "blue", "grey"],
        },
    ),
    (
        "03-4",
        Goal::Weight {
            sizes: [2, 3, 1, 1],
            judge: mean_and_difference,
            slips: &["sum", "mean-of-three", "mean", "reversed", "difference"],
        },
    ),
    (
        "03-5",
        Goal::Function {
            inputs: &[[1, 3, 6, 9], [2, 3, 5, 7]],
            truth: |image| conv2d(image, &Filter::vertical_edge().weight().f_repeat([1, 3, 1, 1])?),
            slips: &[
                ("stacked", |image| {
                    let edge = Filter::vertical_edge().weight().f_repeat([3, 1, 1, 1])?;
                    Ok(image.f_conv2d::<&Tensor>(&edge, None, 1, 0, 1, 3)?)
                }),
                ("red", |image| conv2d(&image.f_narrow(1, 0, 1)?, &Filter::vertical_edge().weight())),
                ("mean", |image| {
                    let mean = image.f_mean_dim([1].as_slice(), true, Kind::Float)?;
                    conv2d(&mean, &Filter::vertical_edge().weight())
                }),
            ],
        },
    ),
    ("04-1", Goal::Layers { judge: keeps_its_size, slips: &["layers", "too-little", "too-much"] }),
    (
        "04-2",
        Goal::Sizes {
            truth: || Ok(Run::of("3x50x75", "conv 8 5x5 stride 3 padding 1")?.sizes_out()),
            slips: &[
                ("padding", || Ok(Run::of("3x50x75", "conv 8 5x5 stride 3")?.sizes_out())),
                ("stride", || Ok(Run::of("3x50x75", "conv 8 5x5 padding 1")?.sizes_out())),
                ("floor", || Ok(Run::of("3x53x78", "conv 8 5x5 stride 3 padding 1")?.sizes_out())),
            ],
        },
    ),
    ("04-3", Goal::Layers { judge: quarter_the_size, slips: &["layers", "output"] }),
    ("04-4", Goal::Layers { judge: sees_15, slips: &["layers", "too-small", "too-large"] }),
    (
        "04-5",
        Goal::Function {
            inputs: &[[1, 1, 5, 8], [2, 1, 4, 3]],
            truth: |image| mean_3x3(&image.f_replication_pad2d([1, 1, 1, 1])?),
            slips: &[
                ("zeros", |image| mean_3x3(&image.f_constant_pad_nd([1, 1, 1, 1])?)),
                ("mirrored", |image| mean_3x3(&image.f_reflection_pad2d([1, 1, 1, 1])?)),
                ("no-padding", mean_3x3),
            ],
        },
    ),
    ("05-1", Goal::Layers { judge: third_of_the_size, slips: &["layers", "output"] }),
    (
        "05-2",
        Goal::Tensor {
            truth: || max_2x2(&map_to_pool().tensor(), 2),
            slips: &[
                ("averages", || mean_2x2(&map_to_pool().tensor())),
                ("sums", || Ok(mean_2x2(&map_to_pool().tensor())? * 4.0)),
            ],
        },
    ),
    (
        "05-3",
        Goal::Number {
            truth: || inputs("conv 16 5x5; maxpool 2; conv 24 3x3; maxpool 2"),
            slips: &[
                ("one-map", || Ok(inputs("conv 16 5x5; maxpool 2; conv 24 3x3; maxpool 2")? / 24)),
                ("channels", || Ok(24)),
                ("last-pooling", || inputs("conv 16 5x5; maxpool 2; conv 24 3x3")),
                ("padding", || {
                    inputs("conv 16 5x5 padding same; maxpool 2; conv 24 3x3 padding same; maxpool 2")
                }),
                ("first-channels", || inputs("conv 16 5x5; maxpool 2; conv 16 3x3; maxpool 2")),
            ],
        },
    ),
    ("05-4", Goal::Layers { judge: any_size, slips: &["layers", "classes", "size"] }),
    (
        "05-5",
        Goal::Function {
            inputs: &[[1, 1, 4, 6], [2, 3, 6, 10]],
            truth: |maps| max_2x2(maps, 2),
            slips: &[
                ("average", mean_2x2),
                ("stride", |maps| max_2x2(maps, 1)),
                ("global", |maps| Ok(maps.f_amax([2, 3], true)?)),
            ],
        },
    ),
    (
        "07-1",
        Goal::Function {
            inputs: &[[1, 4, 5, 7], [2, 3, 6, 4]],
            truth: |maps| Ok(maps.f_sum_dim_intlist([1].as_slice(), false, Kind::Float)?),
            slips: &[
                ("mean", |maps| Ok(maps.f_mean_dim([1].as_slice(), false, Kind::Float)?)),
                ("largest", |maps| Ok(maps.f_amax([1], false)?)),
                ("kept-axis", |maps| Ok(maps.f_sum_dim_intlist([1].as_slice(), true, Kind::Float)?)),
                ("rows-and-columns", |maps| {
                    Ok(maps.f_sum_dim_intlist([2, 3].as_slice(), false, Kind::Float)?)
                }),
            ],
        },
    ),
];

fn conv2d(image: &Tensor, weight: &Tensor) -> Result<Tensor> {
    Ok(image.f_conv2d::<&Tensor>(weight, None, 1, 0, 1, 1)?)
}

fn mean_3x3(image: &Tensor) -> Result<Tensor> {
    Ok(image.f_avg_pool2d([3, 3], [1, 1], [0, 0], false, true, None)?)
}

fn mean_2x2(maps: &Tensor) -> Result<Tensor> {
    Ok(maps.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?)
}

fn max_2x2(maps: &Tensor, stride: i64) -> Result<Tensor> {
    Ok(maps.f_max_pool2d([2, 2], [stride; 2], [0, 0], [1, 1], false)?)
}

fn weight_of_last(input: &str, layers: &str) -> Result<Vec<i64>> {
    let run = Run::of(input, layers)?;
    run.parameters
        .last()
        .and_then(|last| last.weight.clone())
        .ok_or_else(|| Error::new("no layer has a weight"))
}

/// The inputs of the linear layer after these layers and `flatten`, for the image of exercise 05-3.
fn inputs(layers: &str) -> Result<i64> {
    Ok(weight_of_last("3x40x56", &format!("{layers}; flatten; linear 1"))?[1])
}

/// The layers, run on this input.
fn ran(layers: &Chain, input: &str) -> Result<Run> {
    Run::on(input.parse()?, layers)
}

/// Whether there are so many layers, and each fits; else the text `layers`.
fn only(text: &Text, layers: &Chain, count: usize, fits: impl Fn(&Layer) -> bool) -> Result<Vec<String>> {
    if layers.layers.len() != count {
        return Ok(vec![text.wrong("layers", &[("got", layers)])?]);
    }
    let wrong = layers.layers.iter().find(|layer| !fits(layer));
    wrong.map(|layer| text.wrong("layers", &[("got", layer)])).into_iter().collect()
}

fn convolves(layer: &Layer, kernel: u64) -> bool {
    layer.op() == Op::Conv && layer.kernel() == kernel.into()
}

fn weights_900(text: &Text, layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(text, layers, 1, |layer| convolves(layer, 5))?;
    if !wrong.is_empty() {
        return Ok(wrong);
    }
    let weight = ran(layers, "3x40x60")?.parameters[0].weight.clone().unwrap_or_default();
    let count: i64 = weight.iter().product();
    if count == 900 {
        return Ok(vec![]);
    }
    let name = if count < 900 { "too-few" } else { "too-many" };
    Ok(vec![text.wrong(name, &[("shape", &format!("{weight:?}")), ("count", &count)])?])
}

fn blue_horizontal(text: &Text, weight: &Tensor) -> Result<Vec<String>> {
    // Dark above, bright below, in the channels that are 1.
    let output = |channels: [f32; 3], edge: bool| -> Result<f64> {
        let step = Tensor::from_slice(&[if edge { 0.0f32 } else { 1.0 }, 0.5, 1.0]).f_view([1, 1, 3, 1])?;
        let colour = Tensor::from_slice(&channels).f_view([1, 3, 1, 1])?;
        let image = (colour * step).f_expand([1, 3, 3, 3], false)?;
        Ok(if edge { conv2d(&image, weight)? } else { conv2d(&image.f_ones_like()?, weight)? }
            .double_value(&[0, 0, 0, 0]))
    };
    let vertical = conv2d(
        &Tensor::from_slice(&[0.0f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0])
            .f_view([1, 3, 1, 3])?
            .f_expand([1, 3, 3, 3], false)?,
        weight,
    )?
    .double_value(&[0, 0, 0, 0]);
    let (blue, grey, flat) =
        (output([0.0, 0.0, 1.0], true)?, output([1.0; 3], true)?, output([1.0; 3], false)?);
    let zero = |value: f64| value.abs() < 1e-3;
    let outputs = [
        ("flat", flat, zero(flat)),
        ("vertical", vertical, zero(vertical)),
        ("blue", blue, blue > 1e-3),
        ("grey", grey, zero(grey)),
    ];
    let wrong = outputs.into_iter().filter(|(.., right)| !right);
    wrong
        .map(|(name, value, _)| text.wrong(name, &[("output", &((value * 100.0).round() / 100.0))]))
        .collect()
}

fn mean_and_difference(text: &Text, weight: &Tensor) -> Result<Vec<String>> {
    let maps = compare::sample(&[1, 3, 4, 5])?;
    let given = conv2d(&maps, weight)?;
    let (a, b, c) = (maps.f_narrow(1, 0, 1)?, maps.f_narrow(1, 1, 1)?, maps.f_narrow(1, 2, 1)?);
    let is = |output: i64, map: &Tensor| -> Result<bool> {
        Ok(given.f_narrow(1, output, 1)?.f_allclose(map, 1e-4, 1e-4, false)?)
    };
    let mut wrong = vec![];
    if !is(0, &((&a + &b) / 2.0))? {
        wrong.push(if is(0, &(&a + &b))? {
            "sum"
        } else if is(0, &((&a + &b + &c) / 3.0))? {
            "mean-of-three"
        } else {
            "mean"
        });
    }
    if !is(1, &(&c - &a))? {
        wrong.push(if is(1, &(&a - &c))? { "reversed" } else { "difference" });
    }
    wrong.into_iter().map(|name| text.wrong(name, &[])).collect()
}

fn keeps_its_size(text: &Text, layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(text, layers, 1, |layer| convolves(layer, 7))?;
    if !wrong.is_empty() {
        return Ok(wrong);
    }
    let out = ran(layers, "3x20x30")?.sizes_out();
    let axes = compare::axes(2).iter().zip([20, 30]).zip(&out[1..]);
    axes.filter(|((_, input), output)| input != *output)
        .map(|((axis, input), output)| {
            let name = if *output < input { "too-little" } else { "too-much" };
            text.wrong(name, &[("axis", axis), ("input", &input), ("output", output)])
        })
        .collect()
}

fn quarter_the_size(text: &Text, layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(text, layers, 2, |layer| convolves(layer, 3))?;
    if wrong.is_empty() { output(text, &ran(layers, "3x48x64")?, &[16, 12, 16]) } else { Ok(wrong) }
}

/// The output, if it is not what the exercise asks for, and its wrong axes.
fn output(text: &Text, run: &Run, expected: &[i64]) -> Result<Vec<String>> {
    let output = run.sizes_out();
    let wrong = compare::sizes(&output, expected, compare::axes(expected.len()));
    if wrong.is_empty() {
        return Ok(wrong);
    }
    let values: [(&str, &dyn Display); 2] =
        [("output", &format!("{output:?}")), ("expected", &format!("{expected:?}"))];
    Ok([vec![text.wrong("output", &values)?], wrong].concat())
}

fn sees_15(text: &Text, layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(text, layers, 3, |layer| convolves(layer, 3) && layer.stride() == 1.into())?;
    if !wrong.is_empty() {
        return Ok(wrong);
    }
    let field = ran(layers, "1x81x83")?.field()?;
    let axes = compare::axes(2).iter().zip(field).filter(|(_, side)| *side != 15);
    axes.map(|(axis, side)| {
        let name = if side < 15 { "too-small" } else { "too-large" };
        text.wrong(name, &[("axis", axis), ("side", &side)])
    })
    .collect()
}

fn third_of_the_size(text: &Text, layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(text, layers, 1, |layer| layer.op() == Op::MaxPool)?;
    if wrong.is_empty() { output(text, &ran(layers, "32x24x36")?, &[32, 8, 12]) } else { Ok(wrong) }
}

fn any_size(text: &Text, layers: &Chain) -> Result<Vec<String>> {
    let count = |op: Op| layers.layers.iter().filter(|layer| layer.op() == op).count();
    let (convolutions, poolings) = (count(Op::Conv), count(Op::MaxPool) + count(Op::AvgPool));
    if convolutions < 2 || poolings < 2 {
        let counts: [(&str, &dyn Display); 2] = [("convolutions", &convolutions), ("poolings", &poolings)];
        return Ok(vec![text.wrong("layers", &counts)?]);
    }
    let (small, large) = (ran(layers, "3x32x48")?, ran(layers, "3x64x40")?);
    let output = small.sizes_out();
    if output != [10] {
        return Ok(vec![text.wrong("classes", &[("output", &format!("{output:?}"))])?]);
    }
    let weights = |run: &Run| run.parameters.iter().map(|layer| layer.weight.clone()).collect::<Vec<_>>();
    let differ = weights(&small).into_iter().zip(weights(&large)).find(|(a, b)| a != b);
    Ok(match differ {
        Some((Some(a), Some(b))) => {
            vec![text.wrong("size", &[("small", &format!("{a:?}")), ("large", &format!("{b:?}"))])?]
        }
        _ => vec![],
    })
}
