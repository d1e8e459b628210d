//! Typical misconceptions, and the wrong answers that they lead to.
//!
//! The wrong answers are computed from the question's layers, so random questions have them too. The
//! first that matches an answer is named. The texts are in `questions/slips.toml`.

use super::question::{Ask, Question, numbers};
use super::texts::{Texts, fill, texts};
use crate::shapes::{Layer, Op, Pair, Row, Shape};

/// One misconception.
pub struct Slip {
    /// The answers that it explains.
    pub at: At,
    /// The feedback.
    pub says: String,
}

/// Where a misconception shows.
#[derive(Clone, PartialEq)]
pub enum At {
    /// In one number of the answer.
    Part(usize, i64),
    /// In one number, for every wrong value.
    Any(usize),
    /// In all numbers together.
    All(Vec<i64>),
}

type Slips = Vec<(i64, String)>;

/// All slips of a question, the most specific first; none of them is the right answer.
pub fn slips(question: &Question) -> Vec<Slip> {
    let truth: Vec<i64> = question.parts().iter().map(|part| part.truth).collect();
    let mut slips: Vec<Slip> = question
        .wrong
        .iter()
        .map(|wrong| Slip { at: At::All(numbers(&wrong.answer)), says: wrong.feedback.clone() })
        .collect();
    let rows = question.rows();
    if let (Some(last), Ok(texts)) = (rows.last(), texts()) {
        slips.extend(texts.whole(question.ask, last, &truth));
        let names = question.ask.names(truth.len());
        for (index, name) in names.iter().enumerate() {
            let found = texts.in_one(question.ask, name, &rows);
            slips.extend(found.into_iter().map(|(value, says)| Slip { at: At::Part(index, value), says }));
            if *name == "C" && pools(last) && rows.len() == 1 && question.ask == Ask::Output {
                slips.push(Slip { at: At::Any(index), says: fill!(texts.pooling_keeps_channels) });
            }
        }
    }
    slips.retain(|slip| match &slip.at {
        At::Part(index, value) => truth.get(*index) != Some(value) && *value > 0,
        At::Any(_) => true,
        At::All(answer) => *answer != truth && !answer.is_empty(),
    });
    slips
}

impl Texts {
    /// Those that show in the whole answer.
    fn whole(&self, ask: Ask, row: &Row, truth: &[i64]) -> Vec<Slip> {
        let mut slips = vec![];
        let mut add = |answer: Vec<i64>, says: String| slips.push(Slip { at: At::All(answer), says });
        let sizes = |shape: Shape| shape.sizes().iter().map(|&n| n as i64).collect::<Vec<_>>();
        let weight: Vec<i64> = row.weight.iter().map(|&n| n as i64).collect();
        let count = truth.len();
        match ask {
            Ask::Weight => {
                let mut batched = vec![row.input.n() as i64];
                batched.extend(&sizes(row.output)[sizes(row.output).len() - 3..]);
                add(batched, fill!(self.output_not_weight));
                let swapped = vec![truth[1], truth[0], truth[2], truth[3]];
                add(swapped, fill!(self.weight_n_c_swapped));
            }
            Ask::Output => {
                if !weight.is_empty() {
                    add(weight, fill!(self.weight_not_output));
                }
                add(sizes(row.input), fill!(self.shape_before));
            }
            _ => {}
        }
        if matches!(ask, Ask::Output | Ask::OutputSize | Ask::Weight | Ask::Field) && count >= 2 {
            let mut swapped = truth.to_vec();
            swapped.swap(count - 2, count - 1);
            let flat = ask == Ask::Output && count == 2;
            add(swapped, if flat { fill!(self.n_first) } else { fill!(self.h_w_swapped) });
        }
        slips
    }

    /// Those that show in the number with this name.
    fn in_one(&self, ask: Ask, name: &str, rows: &[Row]) -> Slips {
        let Some(row) = rows.last() else { return vec![] };
        match (ask, name) {
            (Ask::Weight, "N") => self.filters(row),
            (Ask::Weight, "C") | (Ask::FilterChannels, _) => self.filter_channels(rows, row),
            (Ask::Weight, _) => self.filter_side(row, name),
            (Ask::Output, "N") => self.batch(row),
            (Ask::Output, "C") | (Ask::OutputChannels, _) => self.output_channels(rows, row),
            (Ask::Output | Ask::OutputSize, "H" | "W") => self.output_side(rows, name),
            (Ask::FilterWeights | Ask::Parameters, _) => self.parameters(row, ask),
            (Ask::AllParameters, _) => self.all_parameters(rows),
            (Ask::FieldSide | Ask::Field, _) => self.field(rows, name),
            (Ask::Features, _) | (Ask::Output, "features") => self.features(rows, row),
            _ => vec![],
        }
    }

    fn batch_in_weight(&self, n: i64) -> (i64, String) {
        let says = fill!(self.batch_in_weight, n);
        (if n > 1 { n } else { 0 }, says)
    }

    fn filters(&self, row: &Row) -> Slips {
        let (n, before) = (row.input.n() as i64, channels(row.input));
        vec![
            self.batch_in_weight(n),
            (before, fill!(self.channels_as_filters, before)),
            (1, fill!(self.one_filter_only)),
        ]
    }

    fn filter_channels(&self, rows: &[Row], row: &Row) -> Slips {
        let (first, before) = (channels(rows[0].input), channels(row.input));
        let (n, out) = (row.input.n() as i64, channels(row.output));
        let mut slips = vec![];
        if rows.len() > 1 {
            slips.push((first, fill!(self.channels_of_first_input, first)));
        }
        slips.push(self.batch_in_weight(n));
        let groups = row.layer.groups() as i64;
        if groups > 1 {
            slips.push((before, fill!(self.channels_of_all_groups, groups, before)));
            slips.push((groups, fill!(self.groups_as_channels, groups)));
        }
        slips.push((out, fill!(self.filters_as_channels, out)));
        slips.push((1, fill!(self.one_channel_only)));
        slips
    }

    fn filter_side(&self, row: &Row, name: &str) -> Slips {
        let padding = along(row.layer.padding(), name);
        let kernel = along(row.layer.kernel, name);
        let dilation = along(row.layer.dilation(), name);
        vec![
            (side(row.output, name), fill!(self.output_side_in_weight)),
            (side(row.input, name), fill!(self.input_side_in_weight)),
            (if padding > 0 { kernel + 2 * padding } else { 0 }, fill!(self.padding_in_weight)),
            (if dilation > 1 { dilation * (kernel - 1) + 1 } else { 0 }, fill!(self.dilation_in_weight)),
        ]
    }

    fn batch(&self, row: &Row) -> Slips {
        let (n, out) = (row.input.n(), channels(row.output));
        vec![
            (1, fill!(self.batch_of_one, n)),
            (
                out,
                match row.output {
                    Shape::Maps(_) => fill!(self.channels_as_batch, out, n),
                    Shape::Flat(_) => fill!(self.features_as_batch, out, n),
                },
            ),
        ]
    }

    fn output_channels(&self, rows: &[Row], row: &Row) -> Slips {
        let before = channels(row.input);
        if !matches!(row.layer.op, Op::Conv) {
            let area = row.layer.kernel.h as i64 * row.layer.kernel.w as i64;
            let one = |value: i64| (value, fill!(self.pooling_keeps_channels));
            let first = channels(rows[0].input);
            let beginning = fill!(self.channels_of_the_beginning, first);
            return if pools(row) {
                vec![
                    (if rows.len() > 1 { first } else { 0 }, beginning),
                    one(1),
                    one(before / 2),
                    one(before / area.max(1)),
                    one(before * 2),
                ]
            } else {
                vec![]
            };
        }
        let (out, depth) = (row.layer.out as i64, row.weight[1] as i64);
        vec![
            (before, fill!(self.channels_before)),
            (out * depth, fill!(self.filters_times_channels, depth, out)),
            (1, fill!(self.maps_added)),
            (row.input.n() as i64, fill!(self.batch_as_channels)),
        ]
    }

    fn output_side(&self, rows: &[Row], name: &str) -> Slips {
        let Some(row) = rows.iter().rev().find(|row| Window::of(&row.layer, row.input, name).is_some())
        else {
            return vec![];
        };
        let Some(window) = Window::of(&row.layer, row.input, name) else { return vec![] };
        let Window { input, kernel, stride, padding, dilation, ceil } = window;
        let mut slips = vec![];
        let mut add =
            |applies: bool, value: i64, says: String| slips.extend(applies.then_some((value, says)));
        let (same, half) = (row.layer.is_same(), padding / 2);
        add(
            padding > 1 && !same,
            Window { padding: half, ..window }.size(),
            fill!(self.padding_on_one_side, padding, half),
        );
        add(
            padding > 0,
            Window { padding: 0, ..window }.size(),
            if same { fill!(self.same_padding_forgotten) } else { fill!(self.padding_forgotten) },
        );
        let own = row.layer.stride.is_none() && stride > 1;
        add(
            stride > 1,
            Window { stride: 1, ..window }.size(),
            if own { fill!(self.own_stride_forgotten, stride) } else { fill!(self.stride_forgotten, stride) },
        );
        add(dilation > 1, Window { dilation: 1, ..window }.size(), {
            let covers = dilation * (kernel - 1) + 1;
            fill!(self.dilation_forgotten, kernel, covers)
        });
        add(
            stride > 1 && !ceil && window.room() % stride != 0,
            Window { ceil: true, ..window }.size(),
            fill!(self.floor_forgotten),
        );
        add(ceil, Window { ceil: false, ..window }.size(), fill!(self.ceil_forgotten));
        add(
            kernel > 1,
            input,
            if padding == 0 { fill!(self.side_kept, kernel) } else { fill!(self.side_before) },
        );
        add(
            stride > 1 && row.layer.op == Op::Conv,
            input / stride,
            fill!(self.side_over_stride, input, stride),
        );
        add(true, kernel, fill!(self.side_of_window));
        add(true, window.size() - 1, fill!(self.one_too_few));
        add(true, window.size() + 1, fill!(self.one_too_many));
        slips
    }

    fn parameters(&self, row: &Row, ask: Ask) -> Slips {
        let sizes: Vec<i64> = row.weight.iter().map(|&n| n as i64).collect();
        if sizes.is_empty() {
            return vec![];
        }
        let weights: i64 = sizes.iter().product();
        let (filters, each) = (sizes[0], weights / sizes[0]);
        let (all, n) = (row.parameters as i64, row.input.n() as i64);
        let biases = all - weights;
        let channels = sizes.get(1).copied().unwrap_or(1);
        if row.layer.op == Op::Linear {
            return self.unit_parameters(row, each, biases);
        }
        if ask == Ask::FilterWeights {
            return vec![
                (each / channels, fill!(self.weights_of_one_channel, channels)),
                (each + 1, fill!(self.bias_counted)),
                (channels, fill!(self.channels_as_weights)),
            ];
        }
        let positions: i64 = match row.output {
            Shape::Maps(m) => (m.h * m.w) as i64,
            Shape::Flat(_) => 1,
        };
        vec![
            (if biases > 0 { weights } else { 0 }, fill!(self.biases_forgotten, biases)),
            (if biases > 1 { weights + 1 } else { 0 }, fill!(self.one_bias, biases)),
            (weights / channels + biases, fill!(self.channels_forgotten, channels)),
            (weights / channels, fill!(self.channels_and_biases_forgotten)),
            (each + biases.min(1), fill!(self.parameters_of_one_filter, filters)),
            (all * n, fill!(self.times_batch, n)),
            (all * positions, fill!(self.times_positions)),
        ]
    }

    fn unit_parameters(&self, row: &Row, each: i64, biases: i64) -> Slips {
        let units = channels(row.output);
        if units == 1 {
            return vec![(each + 1, fill!(self.bias_counted))];
        }
        vec![
            (each * units, fill!(self.unit_biases_forgotten, biases)),
            (each * units + 1, fill!(self.one_unit_bias, biases)),
            (each + 1, fill!(self.parameters_of_one_unit, units)),
            (each + units, fill!(self.weights_of_one_unit, each)),
        ]
    }

    fn all_parameters(&self, rows: &[Row]) -> Slips {
        let all: i64 = rows.iter().map(|row| row.parameters as i64).sum();
        let biases: i64 = rows.iter().flat_map(|row| &row.bias).map(|&n| n as i64).sum();
        let last = rows.last().map_or(0, |row| row.parameters as i64);
        vec![(all - biases, fill!(self.biases_forgotten, biases)), (last, fill!(self.last_layer_only))]
    }

    fn field(&self, rows: &[Row], name: &str) -> Slips {
        let windows: Vec<Window> =
            rows.iter().filter_map(|row| Window::of(&row.layer, row.input, name)).collect();
        let reach = |window: &Window| window.dilation * (window.kernel - 1);
        let mut kernels = windows.iter().map(|window| window.kernel);
        let (sum, product): (i64, i64) = (kernels.clone().sum(), kernels.clone().product());
        let last = kernels.next_back().unwrap_or(0);
        let mut slips = vec![(1 + windows.iter().map(reach).sum::<i64>(), fill!(self.field_without_stride))];
        if windows.iter().any(|window| window.dilation > 1) {
            slips.push((
                1 + windows.iter().map(|window| window.kernel - 1).sum::<i64>(),
                fill!(self.field_without_gaps),
            ));
        }
        if windows.len() > 1 {
            slips.push((last, fill!(self.field_of_last_layer)));
            slips.push((sum, fill!(self.field_as_sum)));
            slips.push((product, fill!(self.field_as_product)));
        }
        slips
    }

    fn features(&self, rows: &[Row], row: &Row) -> Slips {
        let n = row.input.n() as i64;
        let Some((index, flattened)) = rows.iter().enumerate().find(|(_, row)| row.layer.op == Op::Flatten)
        else {
            return vec![];
        };
        let Shape::Maps(maps) = flattened.input else { return vec![] };
        let (c, area) = (maps.c as i64, (maps.h * maps.w) as i64);
        let mut slips = vec![
            (area, fill!(self.features_of_one_map, c)),
            (c, fill!(self.maps_as_features)),
            (if n > 1 { n * c * area } else { 0 }, fill!(self.features_of_batch, n)),
            (c + maps.h as i64 + maps.w as i64, fill!(self.sizes_added)),
        ];
        if index > 0
            && let Shape::Maps(before) = rows[index - 1].input
        {
            let before = (before.c * before.h * before.w) as i64;
            let layer = rows[index - 1].layer;
            slips.push((before, fill!(self.features_before, layer)));
        }
        slips
    }
}

fn pools(row: &Row) -> bool {
    matches!(row.layer.op, Op::MaxPool | Op::AvgPool | Op::GlobalAvgPool | Op::GlobalMaxPool)
}

fn channels(shape: Shape) -> i64 {
    match shape {
        Shape::Maps(m) => m.c as i64,
        Shape::Flat(f) => f.features as i64,
    }
}

fn side(shape: Shape, name: &str) -> i64 {
    match shape {
        Shape::Maps(m) => (if name == "H" || name == "side" { m.h } else { m.w }) as i64,
        Shape::Flat(f) => f.features as i64,
    }
}

fn along(pair: Pair, name: &str) -> i64 {
    (if name == "W" { pair.w } else { pair.h }) as i64
}

/// A window along one axis.
#[derive(Clone, Copy)]
struct Window {
    input: i64,
    kernel: i64,
    stride: i64,
    /// The sum of both sides.
    padding: i64,
    dilation: i64,
    ceil: bool,
}

impl Window {
    fn of(layer: &Layer, input: Shape, name: &str) -> Option<Window> {
        if !matches!(layer.op, Op::Conv | Op::MaxPool | Op::AvgPool) {
            return None;
        }
        let kernel = along(layer.kernel, name);
        let dilation = along(layer.dilation(), name);
        let padding = match layer.is_same() {
            true => dilation * (kernel - 1),
            false => 2 * along(layer.padding(), name),
        };
        let stride = along(layer.stride(), name);
        Some(Window { input: side(input, name), kernel, stride, padding, dilation, ceil: layer.is_ceil() })
    }

    fn room(self) -> i64 {
        self.input + self.padding - self.dilation * (self.kernel - 1) - 1
    }

    /// The output's size; 0 if the window does not fit.
    fn size(self) -> i64 {
        let up = if self.ceil { self.stride - 1 } else { 0 };
        if self.room() < 0 { 0 } else { (self.room() + up) / self.stride + 1 }
    }
}
