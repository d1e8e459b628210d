//! The manifest: every exercise, what is right, and what each wrong way confuses.

use super::compare;
use super::work::Work;
use crate::check::holds_something;
use crate::quiz::{beyond, run::Run, whole_number};
use crate::shapes::{Chain, Layer, Op};
use crate::{Error, Result, filter::Filter, matrix::Matrix};
use tch::{Device, Kind, Tensor};

/// One exercise.
pub(super) struct Task {
    /// The notebook's number, and which one there: `03-2`.
    pub id: &'static str,
    /// The notebook in which it stands, without `.md`.
    pub notebook: &'static str,
    /// What the cell's `your_turn` stands for, where it is less than what is handed in.
    pub yours: Option<&'static str>,
    pub goal: Goal,
    pub hint: &'static str,
    /// What is said when it is right.
    pub learned: &'static str,
}

/// Runs something in libtorch.
pub(super) type Found<T> = fn() -> Result<T>;
/// Does something to a tensor in libtorch.
pub(super) type Does = fn(&Tensor) -> Result<Tensor>;

/// A known wrong way, and what it confuses.
pub(super) struct Slip<F> {
    pub work: F,
    pub says: &'static str,
}

/// What is asked for (`what` completes "replace it by …") and how it is judged.
pub(super) enum Goal {
    /// These numbers.
    Tensor { what: &'static str, truth: Found<Tensor>, slips: &'static [Slip<Found<Tensor>>] },
    /// A weight of this shape, judged by what it does.
    Weight { what: &'static str, sizes: [i64; 4], judge: fn(&Tensor) -> Result<Vec<String>> },
    /// These sizes.
    Sizes {
        what: &'static str,
        names: &'static [&'static str],
        truth: Found<Vec<i64>>,
        slips: &'static [Slip<Found<Vec<i64>>>],
    },
    /// This number.
    Number { what: &'static str, truth: Found<i64>, slips: &'static [Slip<Found<i64>>] },
    /// Layers, judged by what comes out of them.
    Layers { what: &'static str, judge: fn(&Chain) -> Result<Vec<String>> },
    /// A function that does what libtorch does, on inputs of these sizes.
    Function { what: &'static str, inputs: &'static [[i64; 4]], truth: Does, slips: &'static [Slip<Does>] },
}

impl Goal {
    /// What is asked for.
    pub fn wanted(&self) -> &'static str {
        match self {
            Goal::Tensor { what, .. }
            | Goal::Weight { what, .. }
            | Goal::Sizes { what, .. }
            | Goal::Number { what, .. }
            | Goal::Layers { what, .. }
            | Goal::Function { what, .. } => what,
        }
    }

    /// What is not right yet; nothing when all is.
    pub fn judge(&self, work: &Work) -> Result<Vec<String>> {
        if let Work::Tensor(given) = work {
            holds_something(given)?;
        }
        match (self, work) {
            (Goal::Tensor { truth, slips, .. }, Work::Tensor(given)) => {
                compare::tensors(given, &truth()?, slips)
            }
            (Goal::Weight { sizes, judge, .. }, Work::Tensor(given)) => {
                let wrong = compare::sizes(&given.size(), sizes, compare::axes(4));
                // One dtype, one device, no history: the numbers alone count.
                if wrong.is_empty() {
                    judge(&given.f_detach()?.f_to(Device::Cpu)?.f_to_kind(Kind::Float)?)
                } else {
                    Ok(wrong)
                }
            }
            (Goal::Sizes { names, truth, slips, .. }, Work::Sizes(given)) => {
                if let Some(large) = given.iter().find(|size| i64::try_from(**size).is_err()) {
                    return Ok(vec![beyond(&large.to_string())]);
                }
                let given: Vec<i64> = given.iter().map(|size| *size as i64).collect();
                for slip in *slips {
                    if (slip.work)()? == given {
                        return Ok(vec![slip.says.into()]);
                    }
                }
                Ok(compare::sizes(&given, &truth()?, names))
            }
            (Goal::Number { truth, slips, .. }, Work::Whole(given)) => number(*given, truth()?, slips),
            (Goal::Number { truth, slips, .. }, Work::Number(given)) => match whole_number(*given) {
                Ok(given) => number(given, truth()?, slips),
                Err(says) => Ok(vec![format!("{says}; a whole number is asked for")]),
            },
            (Goal::Layers { judge, .. }, Work::Layers(layers)) => judge(layers),
            (_, came) => Ok(vec![format!(
                "expected {}, and got {}{}",
                self.wanted(),
                came.described(),
                self.instead(came)
            )]),
        }
    }

    fn instead(&self, came: &Work) -> &'static str {
        match (self, came) {
            (Goal::Sizes { .. }, Work::Tensor(_)) => ": `.size()` gives a tensor's sizes",
            (Goal::Number { .. }, Work::Tensor(_)) => ": `.numel()` counts its numbers",
            (Goal::Tensor { .. } | Goal::Weight { .. }, Work::Sizes(_)) => {
                ": `Tensor::from_slice(&[…]).view([…])` puts numbers on axes"
            }
            (Goal::Function { .. }, _) => {
                ": hand the function itself to `.check_function(…)`, without calling it"
            }
            _ => "",
        }
    }
}

fn number(given: i128, truth: i64, slips: &[Slip<Found<i64>>]) -> Result<Vec<String>> {
    let truth = i128::from(truth);
    if given == truth {
        return Ok(vec![]);
    }
    for slip in slips {
        if i128::from((slip.work)()?) == given {
            return Ok(vec![slip.says.into()]);
        }
    }
    let way = if given < truth { "too small" } else { "too large" };
    Ok(vec![format!("{given} is {way}")])
}

/// The map of exercise 05-2.
pub(super) fn map_to_pool() -> Matrix {
    Matrix::from([[1, 5, 2, 0, 3, 3], [4, 2, 0, 0, 9, 1], [7, 0, 1, 6, 2, 2], [1, 0, 8, 1, 2, 2]])
}

pub(super) static TASKS: [Task; 16] = [
    Task {
        id: "03-1",
        notebook: "03-channels",
        yours: Some("the number of filters, as in `8`"),
        goal: Goal::Layers {
            what: "a layer with the number of filters you found, as in `conv(8, 5)`",
            judge: weights_900,
        },
        hint: "how many weights has one filter of 5 x 5 for three channels? How often is that in 900?",
        learned: "The 3 was given and the 5 x 5 too: the number of filters was yours to choose.",
    },
    Task {
        id: "03-2",
        notebook: "03-channels",
        yours: None,
        goal: Goal::Sizes {
            what: "the four sizes of the second layer's weight, as in `[10, 3, 3, 3]`",
            names: &["N (filters)", "C (channels of each filter)", "H (rows)", "W (columns)"],
            truth: || weight_of_last("16x3x30x40", "conv 6 5x5; conv 11 3x4"),
            slips: &[
                Slip {
                    work: || {
                        Ok([vec![16], weight_of_last("16x3x30x40", "conv 6 5x5; conv 11 3x4")?[1..].to_vec()]
                            .concat())
                    },
                    says: "axis N: 16 is the number of pictures, and no weight knows that. N of a weight is the number of filters",
                },
                Slip {
                    work: || weight_of_last("16x3x30x40", "conv 11 3x4"),
                    says: "axis C: 3 is what the photo has, and this layer never sees the photo: it is laid on what the first layer gave",
                },
                Slip {
                    work: || weight_of_last("16x3x30x40", "conv 6 5x5"),
                    says: "that is the first layer's weight; the second layer's is asked for",
                },
                Slip {
                    work: || Ok(Run::of("16x3x30x40", "conv 6 5x5; conv 11 3x4")?.sizes_out()),
                    says: "that is the shape of what comes out; the shape of the weight is asked for",
                },
            ],
        },
        hint: "N: how many filters has this layer? C: how many maps did the layer before it make? H and W: how large is one filter?",
        learned: "The 16 pictures are nowhere in it, and neither are the photo's 3 channels.",
    },
    Task {
        id: "03-3",
        notebook: "03-channels",
        yours: None,
        goal: Goal::Weight {
            what: "a weight of shape [1, 3, 3, 3]: one filter for red, green, blue (a `Tensor`)",
            sizes: [1, 3, 3, 3],
            judge: blue_horizontal,
        },
        hint: "as the red vertical above, with `Filter::horizontal_edge().weight()`: blue (the third channel) counts whole, the two others minus one half, so that the three cancel on grey",
        learned: "Silent on grey, loud on blue: the numbers of the three channels cancel, or they do not.",
    },
    Task {
        id: "03-4",
        notebook: "03-channels",
        yours: None,
        goal: Goal::Weight {
            what: "the weight of a 1x1 convolution from three maps to two (a `Tensor`)",
            sizes: [2, 3, 1, 1],
            judge: mean_and_difference,
        },
        hint: "two filters, each with one number for each of three maps: six numbers, `Tensor::from_slice(&[…]).view([2, 3, 1, 1])`. Write them with a point: `0.5f32`",
        learned: "A 1x1 convolution mixes maps: each filter is one recipe.",
    },
    Task {
        id: "03-5",
        notebook: "03-channels",
        yours: Some("what comes out of the three channels together"),
        goal: Goal::Function {
            what: "a function that lays the vertical edge on each of three channels by itself and adds up what comes out",
            inputs: &[[1, 3, 6, 9], [2, 3, 5, 7]],
            truth: |picture| {
                let edge = Filter::vertical_edge().weight().f_repeat([1, 3, 1, 1])?;
                conv2d(picture, &edge)
            },
            slips: &[
                Slip {
                    work: |picture| {
                        let edge = Filter::vertical_edge().weight().f_repeat([3, 1, 1, 1])?;
                        Ok(picture.f_conv2d::<&Tensor>(&edge, None, 1, 0, 1, 3)?)
                    },
                    says: "axis C: the three results are stacked. One filter gives one map, so its three channels are added up",
                },
                Slip {
                    work: |picture| conv2d(&picture.f_narrow(1, 0, 1)?, &Filter::vertical_edge().weight()),
                    says: "that is the red channel alone; green and blue are missing",
                },
                Slip {
                    work: |picture| {
                        conv2d(
                            &picture.f_mean_dim([1].as_slice(), true, Kind::Float)?,
                            &Filter::vertical_edge().weight(),
                        )
                    },
                    says: "that is the mean of the three; their sum is asked for",
                },
            ],
        },
        hint: "`picture.narrow(1, 0, 1)` is the red channel, still with four axes; lay `edge` on it with `conv2d::<&Tensor>(&edge, None, 1, 0, 1, 1)`, do the same for 1 and 2, and add",
        learned: "That is all a filter with three channels does.",
    },
    Task {
        id: "04-1",
        notebook: "04-padding-stride",
        yours: Some("the padding, as in `1`"),
        goal: Goal::Layers {
            what: "a layer with the padding you found, as in `conv(4, 7).padding(1)`",
            judge: keeps_its_size,
        },
        hint: "half of the kernel, without the middle",
        learned: "Half of the kernel, without the middle, on every side.",
    },
    Task {
        id: "04-2",
        notebook: "04-padding-stride",
        yours: None,
        goal: Goal::Sizes {
            what: "channels, rows and columns of what comes out, as in `[8, 50, 75]`",
            names: &["C (channels)", "H (rows)", "W (columns)"],
            truth: || Ok(Run::of("3x50x75", "conv 8 5x5 stride 3 padding 1")?.sizes_out()),
            slips: &[
                Slip {
                    work: || Ok(Run::of("3x50x75", "conv 8 5x5 stride 3")?.sizes_out()),
                    says: "the padding is forgotten: it makes the picture larger before the window moves",
                },
                Slip {
                    work: || Ok(Run::of("3x50x75", "conv 8 5x5 padding 1")?.sizes_out()),
                    says: "the stride is forgotten: the window moves on by three",
                },
                Slip {
                    work: || Ok(Run::of("3x53x78", "conv 8 5x5 stride 3 padding 1")?.sizes_out()),
                    says: "one too many along both axes: where the division leaves a rest, round down",
                },
            ],
        },
        hint: "rows with the frame: 50 + 2*1. How far can the window move from its first place, and how many steps of 3 is that? Round down, and count the first place too",
        learned: "Frame, window, steps, floor, and one more for the first place.",
    },
    Task {
        id: "04-3",
        notebook: "04-padding-stride",
        yours: None,
        goal: Goal::Layers {
            what: "two convolutions, as in `chain([conv(8, 3), conv(16, 3)])`",
            judge: quarter_the_size,
        },
        hint: "48 to 12 is twice half. A 3 x 3 window with stride 2 halves the size if a frame of 1 makes up for what the edge loses",
        learned: "Two strides of 2 made it four times smaller, without any pooling.",
    },
    Task {
        id: "04-4",
        notebook: "04-padding-stride",
        yours: None,
        goal: Goal::Layers {
            what: "three convolutions, as in `chain([conv(8, 3), conv(8, 3), conv(8, 3)])`",
            judge: sees_15,
        },
        hint: "each 3 x 3 layer adds two times its dilation to what one value sees. 1 + 2 + 4 + 8 = 15",
        learned: "27 weights for each channel, and a view as wide as a 15 x 15 filter's.",
    },
    Task {
        id: "04-5",
        notebook: "04-padding-stride",
        yours: Some("the picture made soft"),
        goal: Goal::Function {
            what: "a function that takes the mean of 3 x 3 and keeps the size, with the picture's own edge repeated around it",
            inputs: &[[1, 1, 5, 8], [2, 1, 4, 3]],
            truth: |picture| mean_3x3(&picture.f_replication_pad2d([1, 1, 1, 1])?),
            slips: &[
                Slip {
                    work: |picture| mean_3x3(&picture.f_constant_pad_nd([1, 1, 1, 1])?),
                    says: "the frame is made of zeros; the nearest pixel, repeated, is asked for",
                },
                Slip {
                    work: |picture| mean_3x3(&picture.f_reflection_pad2d([1, 1, 1, 1])?),
                    says: "the frame mirrors the picture; the nearest pixel, repeated, is asked for",
                },
                Slip {
                    work: mean_3x3,
                    says: "axes H and W: there is no frame yet, so two rows and two columns are lost",
                },
            ],
        },
        hint: "`picture.replication_pad2d([1, 1, 1, 1])` repeats the edge; then a 3 x 3 filter of ninths without padding. `Filter::new(\"mean\", [[1.0 / 9.0; 3]; 3]).weight()` is one",
        learned: "With its own edge around it, a picture gets no dark frame.",
    },
    Task {
        id: "05-1",
        notebook: "05-pooling",
        yours: Some("the size of the window, as in `2`"),
        goal: Goal::Layers {
            what: "a layer with the window you found, as in `max_pool(2)`",
            judge: third_of_the_size,
        },
        hint: "how many times does 8 go into 24, and 12 into 36?",
        learned: "The channels stayed 32: pooling never changes them.",
    },
    Task {
        id: "05-2",
        notebook: "05-pooling",
        yours: None,
        goal: Goal::Tensor {
            what: "the six numbers, as in `Matrix::from([[0, 0, 0], [0, 0, 0]])`",
            truth: || Ok(map_to_pool().tensor().f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?),
            slips: &[
                Slip {
                    work: || {
                        Ok(map_to_pool().tensor().f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?)
                    },
                    says: "those are the averages: everybody had a say. Max is asked for: the strongest speaks for all",
                },
                Slip {
                    work: || {
                        Ok(map_to_pool().tensor().f_avg_pool2d(
                            [2, 2],
                            [2, 2],
                            [0, 0],
                            false,
                            true,
                            Some(1),
                        )?)
                    },
                    says: "those are the sums; the largest of each region is asked for",
                },
            ],
        },
        hint: "cut the map into six regions of 2 x 2, two rows of three; of each, write down the largest number",
        learned: "Six regions, six speakers.",
    },
    Task {
        id: "05-3",
        notebook: "05-pooling",
        yours: None,
        goal: Goal::Number {
            what: "the number of inputs, as in `1000`",
            truth: || features("3x40x56"),
            slips: &[
                Slip {
                    work: || places("3x40x56"),
                    says: "those are the places of one map; each of its maps has as many",
                },
                Slip { work: || Ok(24), says: "those are the maps; each still has rows and columns" },
                Slip {
                    work: || {
                        Ok(Run::of("3x40x56", "conv 16 5x5; maxpool 2; conv 24 3x3; flatten; linear 1")?
                            .inputs())
                    },
                    says: "the last pooling is forgotten",
                },
                Slip {
                    work: || {
                        Ok(Run::of("3x40x56", "conv 16 5x5 padding same; maxpool 2; conv 24 3x3 padding same; maxpool 2; flatten; linear 1")?.inputs())
                    },
                    says: "the convolutions have no padding here: 5 x 5 takes four off each side length, 3 x 3 takes two",
                },
                Slip {
                    work: || {
                        Ok(Run::of(
                            "3x40x56",
                            "conv 16 5x5; maxpool 2; conv 16 3x3; maxpool 2; flatten; linear 1",
                        )?
                        .inputs())
                    },
                    says: "channels: those are the first convolution's, and the last one decides",
                },
            ],
        },
        hint: "follow the rows first: 40, after 5 x 5, after the pool, after 3 x 3, after the pool. Then the columns. Then channels * rows * columns",
        learned: "Channels times rows times columns of the last maps.",
    },
    Task {
        id: "05-4",
        notebook: "05-pooling",
        yours: None,
        goal: Goal::Layers {
            what: "a whole network, as in `chain([conv(16, 3), max_pool(2), flatten(), linear(10)])`",
            judge: any_size,
        },
        hint: "after the second pool, `global_avg_pool()` leaves one number for each map, however large the map was; then `flatten()` and `linear(10)`",
        learned: "One number for each map, whatever the photo's size: the last layer never notices.",
    },
    Task {
        id: "05-5",
        notebook: "05-pooling",
        yours: Some("the largest of every 2 x 2 region"),
        goal: Goal::Function {
            what: "a function that does 2 x 2 max pooling with other means than max_pool2d",
            inputs: &[[1, 1, 4, 6], [2, 3, 6, 10]],
            truth: |maps| Ok(maps.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?),
            slips: &[
                Slip {
                    work: |maps| Ok(maps.f_avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)?),
                    says: "that is the average; the largest of each region is asked for",
                },
                Slip {
                    work: |maps| Ok(maps.f_max_pool2d([2, 2], [1, 1], [0, 0], [1, 1], false)?),
                    says: "axes H and W: your window moves on by one; by its own size is meant, so that no regions overlap",
                },
                Slip {
                    work: |maps| Ok(maps.f_amax([2, 3], true)?),
                    says: "that is global: one number for each map. A number for each 2 x 2 region is asked for",
                },
            ],
        },
        hint: "`maps.view([n, c, h / 2, 2, w / 2, 2])` gives each region two axes of its own, 3 and 5; `.amax([3, 5], false)` takes the largest along both",
        learned: "Each map by itself, each region by itself.",
    },
    Task {
        id: "07-1",
        notebook: "07-what-it-sees",
        yours: Some("the maps of each picture, added up"),
        goal: Goal::Function {
            what: "a function that adds up all maps of each picture: N x C x H x W becomes N x H x W",
            inputs: &[[1, 4, 5, 7], [2, 3, 6, 4]],
            truth: |maps| Ok(maps.f_sum_dim_intlist([1].as_slice(), false, tch::Kind::Float)?),
            slips: &[
                Slip {
                    work: |maps| Ok(maps.f_mean_dim([1].as_slice(), false, tch::Kind::Float)?),
                    says: "that is the mean of the maps: the same picture, but with smaller numbers. The sum is asked for",
                },
                Slip {
                    work: |maps| Ok(maps.f_amax([1], false)?),
                    says: "that is the strongest map at each place; the sum of all is asked for",
                },
                Slip {
                    work: |maps| Ok(maps.f_sum_dim_intlist([1].as_slice(), true, tch::Kind::Float)?),
                    says: "the numbers are right; only axis 1 is still there, with length 1: `false` as the second argument lets it go",
                },
                Slip {
                    work: |maps| Ok(maps.f_sum_dim_intlist([2, 3].as_slice(), false, tch::Kind::Float)?),
                    says: "axes H and W were added up: one number for each map. Rows and columns are to stay",
                },
            ],
        },
        hint: "`maps.sum_dim_intlist([AXIS].as_slice(), false, Kind::Float)`: which axis counts the maps?",
        learned: "Rows and columns stay, so the sum can be laid over the picture.",
    },
];

fn conv2d(picture: &Tensor, weight: &Tensor) -> Result<Tensor> {
    Ok(picture.f_conv2d::<&Tensor>(weight, None, 1, 0, 1, 1)?)
}

fn mean_3x3(picture: &Tensor) -> Result<Tensor> {
    Ok(picture.f_avg_pool2d([3, 3], [1, 1], [0, 0], false, true, None)?)
}

fn weight_of_last(input: &str, layers: &str) -> Result<Vec<i64>> {
    let run = Run::of(input, layers)?;
    run.learned.last().and_then(|last| last.weight.clone()).ok_or_else(|| Error::new("no layer has a weight"))
}

fn features(input: &str) -> Result<i64> {
    Ok(Run::of(input, "conv 16 5x5; maxpool 2; conv 24 3x3; maxpool 2; flatten; linear 1")?.inputs())
}

fn places(input: &str) -> Result<i64> {
    Ok(features(input)? / 24)
}

impl Run {
    /// How many inputs the last layer has.
    fn inputs(&self) -> i64 {
        self.learned
            .last()
            .and_then(|last| last.weight.as_ref())
            .and_then(|weight| weight.get(1))
            .copied()
            .unwrap_or(0)
    }
}

/// The layers run on this input, or where they break.
fn ran(layers: &Chain, input: &str) -> Result<Run> {
    Run::on(input.parse()?, layers)
}

fn comes_out(run: &Run, wanted: &[i64]) -> Vec<String> {
    compare::sizes(&run.sizes_out(), wanted, compare::axes(wanted.len()))
}

/// What is wrong with the kinds of layers; `expected` says it in words.
fn only(layers: &Chain, count: usize, expected: &str, fits: impl Fn(&Layer) -> bool) -> Vec<String> {
    if layers.layers.len() != count {
        return vec![format!("expected {expected}, and got {} layers: `{layers}`", layers.layers.len())];
    }
    match layers.layers.iter().find(|layer| !fits(layer)) {
        Some(layer) => vec![format!("expected {expected}, and got `{layer}`")],
        None => vec![],
    }
}

fn convolves(layer: &Layer, kernel: u64) -> bool {
    layer.op == Op::Conv && layer.kernel == kernel.into()
}

fn weights_900(layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(layers, 1, "one convolution with filters of 5 x 5", |layer| convolves(layer, 5));
    if !wrong.is_empty() {
        return Ok(wrong);
    }
    let weight = ran(layers, "3x40x60")?.learned[0].weight.clone().unwrap_or_default();
    let count: i64 = weight.iter().product();
    let way = if count < 900 { "too few" } else { "too many" };
    let says = format!(
        "axis N (filters): {way}. The weight is now {weight:?}, that is {count} numbers, and 900 are due"
    );
    Ok(if count == 900 { vec![] } else { vec![says] })
}

fn blue_horizontal(weight: &Tensor) -> Result<Vec<String>> {
    // Dark above, bright below, in the channels that are 1.
    let answer = |channels: [f32; 3], edge: bool| -> Result<f64> {
        let step = Tensor::from_slice(&[if edge { 0.0f32 } else { 1.0 }, 0.5, 1.0]).f_view([1, 1, 3, 1])?;
        let colour = Tensor::from_slice(&channels).f_view([1, 3, 1, 1])?;
        let picture = (colour * step).f_expand([1, 3, 3, 3], false)?;
        Ok(if edge { conv2d(&picture, weight)? } else { conv2d(&picture.f_ones_like()?, weight)? }
            .double_value(&[0, 0, 0, 0]))
    };
    let sideways = conv2d(
        &Tensor::from_slice(&[0.0f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0])
            .f_view([1, 3, 1, 3])?
            .f_expand([1, 3, 3, 3], false)?,
        weight,
    )?
    .double_value(&[0, 0, 0, 0]);
    let (blue, grey, flat) =
        (answer([0.0, 0.0, 1.0], true)?, answer([1.0; 3], true)?, answer([1.0; 3], false)?);
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let silent = |value: f64| value.abs() < 1e-3;
    let mut wrong = vec![];
    if !silent(flat) {
        wrong.push(format!("on an evenly white wall it answers {}, and should be silent: the weights of each channel must add up to 0", round(flat)));
    }
    if !silent(sideways) {
        wrong.push(format!("on a *vertical* blue edge it answers {}, and should be silent: axes H and W are mixed up, the rows must differ, not the columns", round(sideways)));
    }
    if blue <= 1e-3 {
        wrong.push(format!("where blue gets brighter from top to bottom it answers {}, and should be above 0: look at the third channel, axis C = 2", round(blue)));
    }
    if !silent(grey) {
        wrong.push(format!("where red, green and blue get brighter together (grey) it answers {}, and should be silent: the three channels, axis C, must cancel", round(grey)));
    }
    Ok(wrong)
}

fn mean_and_difference(weight: &Tensor) -> Result<Vec<String>> {
    let maps = compare::sample(&[1, 3, 4, 5])?;
    let given = conv2d(&maps, weight)?;
    let (a, b, c) = (maps.f_narrow(1, 0, 1)?, maps.f_narrow(1, 1, 1)?, maps.f_narrow(1, 2, 1)?);
    let first =
        |map: &Tensor| -> Result<bool> { Ok(given.f_narrow(1, 0, 1)?.f_allclose(map, 1e-4, 1e-4, false)?) };
    let second =
        |map: &Tensor| -> Result<bool> { Ok(given.f_narrow(1, 1, 1)?.f_allclose(map, 1e-4, 1e-4, false)?) };
    let mut wrong = vec![];
    if !first(&((&a + &b) / 2.0))? {
        let why = if first(&(&a + &b))? {
            "it is their sum, and their mean is asked for"
        } else if first(&((&a + &b + &c) / 3.0))? {
            "it is the mean of all three"
        } else {
            "its three numbers are axis C of the first filter, N = 0"
        };
        wrong.push(format!("the first map is not the mean of map 0 and map 1: {why}"));
    }
    if !second(&(&c - &a))? {
        let why = if second(&(&a - &c))? {
            "it is the other way round"
        } else {
            "its three numbers are axis C of the second filter, N = 1"
        };
        wrong.push(format!("the second map is not map 2 minus map 0: {why}"));
    }
    Ok(wrong)
}

fn keeps_its_size(layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(layers, 1, "one convolution with filters of 7 x 7", |layer| convolves(layer, 7));
    if !wrong.is_empty() {
        return Ok(wrong);
    }
    let out = ran(layers, "3x20x30")?.sizes_out();
    let wrong = [("H (rows)", 20, out[1]), ("W (columns)", 30, out[2])]
        .into_iter()
        .filter(|(_, went, came)| went != came);
    Ok(wrong
        .map(|(axis, went, came)| {
            let way = if came < went { "too little padding" } else { "too much padding" };
            format!("axis {axis}: {went} went in and {came} came out: {way}")
        })
        .collect())
}

fn quarter_the_size(layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(layers, 2, "two convolutions with filters of 3 x 3", |layer| convolves(layer, 3));
    Ok(if wrong.is_empty() { shown(&ran(layers, "3x48x64")?, &[16, 12, 16]) } else { wrong })
}

/// What came out, where it is not what the exercise's text asks for.
fn shown(run: &Run, wanted: &[i64]) -> Vec<String> {
    let wrong = comes_out(run, wanted);
    if wrong.is_empty() {
        return wrong;
    }
    [vec![format!("what comes out is {:?}, and {wanted:?} is due", run.sizes_out())], wrong].concat()
}

fn sees_15(layers: &Chain) -> Result<Vec<String>> {
    let expected = "three convolutions with filters of 3 x 3 and stride 1";
    let wrong = only(layers, 3, expected, |layer| convolves(layer, 3) && layer.strides() == 1.into());
    if !wrong.is_empty() {
        return Ok(wrong);
    }
    let [h, w] = ran(layers, "1x81x83")?.field()?;
    let axes = [("H (rows)", h), ("W (columns)", w)].into_iter().filter(|(_, sees)| *sees != 15);
    Ok(axes
        .map(|(axis, sees)| {
            let way = if sees < 15 { "too narrow" } else { "too wide" };
            format!("axis {axis}: one value sees {sees}, and 15 are due: {way}")
        })
        .collect())
}

fn third_of_the_size(layers: &Chain) -> Result<Vec<String>> {
    let wrong = only(layers, 1, "one max pooling", |layer| layer.op == Op::MaxPool);
    Ok(if wrong.is_empty() { shown(&ran(layers, "32x24x36")?, &[32, 8, 12]) } else { wrong })
}

fn any_size(layers: &Chain) -> Result<Vec<String>> {
    let count = |op: Op| layers.layers.iter().filter(|layer| layer.op == op).count();
    let pools = count(Op::MaxPool) + count(Op::AvgPool);
    if count(Op::Conv) < 2 || pools < 2 {
        return Ok(vec![format!(
            "expected at least two convolutions and two poolings, and got {} and {pools}: conv, pool, conv, pool",
            count(Op::Conv)
        )]);
    }
    let (small, large) = (ran(layers, "3x32x48")?, ran(layers, "3x64x40")?);
    let out = small.sizes_out();
    if out != [10] {
        return Ok(vec![format!(
            "expected ten numbers at the end, one for each class, and got the sizes {out:?}"
        )]);
    }
    let weights = |run: &Run| run.learned.iter().map(|layer| layer.weight.clone()).collect::<Vec<_>>();
    let differ = weights(&small).into_iter().zip(weights(&large)).find(|(a, b)| a != b);
    Ok(match differ {
        Some((Some(a), Some(b))) => vec![format!(
            "on a photo of 3 x 32 x 48 a weight would be {a:?}, on one of 3 x 64 x 40 it would be {b:?}: \
             axis C, the inputs, still depends on the photo's size"
        )],
        _ => vec![],
    })
}
