//! Misconceptions: what somebody who confuses something would answer, and what it is they confuse.
//!
//! Each is computed from the question's own layers, so that a question made by
//! chance knows them, too. The first that fits an answer is the one that is named.

use super::question::{Ask, Question, numbers};
use crate::shapes::{Layer, Op, Pair, Row, Shape};

/// One misconception.
pub(crate) struct Slip {
    pub at: At,
    pub says: String,
}

/// Where it shows.
#[derive(Clone, PartialEq)]
pub(crate) enum At {
    /// In one number of the answer.
    Part(usize, i64),
    /// In one number, whatever it is.
    Any(usize),
    /// In all numbers together.
    All(Vec<i64>),
}

type Slips = Vec<(i64, String)>;

/// All slips of a question, the surest first; none of them is the right answer.
pub(crate) fn slips(question: &Question) -> Vec<Slip> {
    let truth: Vec<i64> = question.parts().iter().map(|part| part.truth).collect();
    let mut slips: Vec<Slip> = question
        .wrong
        .iter()
        .map(|(answer, says)| Slip { at: At::All(numbers(answer)), says: says.clone() })
        .collect();
    let rows = question.rows();
    if let Some(last) = rows.last() {
        slips.extend(whole(question.ask, last, &truth));
        let names = question.ask.names(truth.len());
        for (place, name) in names.iter().enumerate() {
            let found = in_one(question.ask, name, &rows);
            slips.extend(found.into_iter().map(|(value, says)| Slip { at: At::Part(place, value), says }));
            if *name == "C" && pools(last) && rows.len() == 1 && question.ask == Ask::Output {
                slips.push(Slip { at: At::Any(place), says: POOLED_ALONE.into() });
            }
        }
    }
    slips.retain(|slip| match &slip.at {
        At::Part(place, value) => truth.get(*place) != Some(value) && *value > 0,
        At::Any(_) => true,
        At::All(answer) => *answer != truth && !answer.is_empty(),
    });
    slips
}

const POOLED_ALONE: &str = "pooling works on each channel by itself: the number of channels does not change";

fn pools(row: &Row) -> bool {
    matches!(row.layer.op, Op::MaxPool | Op::AvgPool | Op::GlobalAvgPool | Op::GlobalMaxPool)
}

/// What shows in the whole answer only.
fn whole(ask: Ask, row: &Row, truth: &[i64]) -> Vec<Slip> {
    let mut slips = vec![];
    let mut add = |answer: Vec<i64>, says: &str| slips.push(Slip { at: At::All(answer), says: says.into() });
    let sizes = |shape: Shape| shape.sizes().iter().map(|&n| n as i64).collect::<Vec<_>>();
    let weight: Vec<i64> = row.weight.iter().map(|&n| n as i64).collect();
    let count = truth.len();
    match ask {
        Ask::Weight => {
            let mut batched = vec![row.input.n() as i64];
            batched.extend(&sizes(row.output)[sizes(row.output).len() - 3..]);
            add(batched, "that is the shape of the output; the weight is the shape of the filters");
            let swapped = vec![truth[1], truth[0], truth[2], truth[3]];
            add(swapped, "N and C are swapped: 개채행열, first how many filters, then the channels of each");
        }
        Ask::Output => {
            if !weight.is_empty() {
                add(weight, "that is the shape of the weight; the output is the maps the filters give");
            }
            add(sizes(row.input), "that is the shape before this layer");
        }
        _ => {}
    }
    if matches!(ask, Ask::Output | Ask::OutputSize | Ask::Weight | Ask::Field) && count >= 2 {
        let mut swapped = truth.to_vec();
        swapped.swap(count - 2, count - 1);
        let flat = ask == Ask::Output && count == 2;
        add(
            swapped,
            match flat {
                true => "N stands first: how many pictures, then the values of each",
                false => "H and W are swapped: rows stand before columns, 행 before 열",
            },
        );
    }
    slips
}

/// What shows in the number of this name.
fn in_one(ask: Ask, name: &str, rows: &[Row]) -> Slips {
    let Some(row) = rows.last() else { return vec![] };
    match (ask, name) {
        (Ask::Weight, "N") => filters(row),
        (Ask::Weight, "C") | (Ask::FilterChannels, _) => filter_channels(rows, row),
        (Ask::Weight, _) => filter_side(row, name),
        (Ask::Output, "N") => pictures(row),
        (Ask::Output, "C") | (Ask::OutputChannels, _) => output_channels(rows, row),
        (Ask::Output | Ask::OutputSize, "H" | "W") => output_side(rows, name),
        (Ask::FilterWeights | Ask::Parameters, _) => learned(row, ask),
        (Ask::AllParameters, _) => learned_in_all(rows),
        (Ask::FieldSide | Ask::Field, _) => seen(rows, name),
        (Ask::Features, _) | (Ask::Output, "features") => features(rows, row),
        _ => vec![],
    }
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

fn batch_in_weight(n: i64) -> (i64, String) {
    let says = format!(
        "{n} is the batch. A layer is defined for one picture and applied {n} times: no weight has the batch in it"
    );
    (if n > 1 { n } else { 0 }, says)
}

fn filters(row: &Row) -> Slips {
    let (n, before) = (row.input.n() as i64, channels(row.input));
    vec![
        batch_in_weight(n),
        (before, format!("{before} are the channels that come in; N of a weight counts the filters")),
        (1, "N counts the filters of the layer, and there are more than one".into()),
    ]
}

fn filter_channels(rows: &[Row], row: &Row) -> Slips {
    let (first, before) = (channels(rows[0].input), channels(row.input));
    let (n, out) = (row.input.n() as i64, channels(row.output));
    let mut slips = vec![];
    if rows.len() > 1 {
        slips.push((
            first,
            format!(
                "the picture had {first} channels; this layer is laid on the maps of the layer before it"
            ),
        ));
    }
    slips.push(batch_in_weight(n));
    let groups = row.layer.groups.unwrap_or(1) as i64;
    if groups > 1 {
        slips.push((
            before,
            format!("with {groups} groups a filter sees its own group only, not all {before} channels"),
        ));
        slips.push((
            groups,
            format!("{groups} is the number of groups; C is how many channels one group has"),
        ));
    }
    slips.push((out, format!("{out} is the number of filters; C is how deep each of them is")));
    slips.push((1, "a filter is as deep as what it is laid on, not a single sheet".into()));
    slips
}

fn filter_side(row: &Row, name: &str) -> Slips {
    let padding = along(row.layer.padding.unwrap_or(0.into()), name);
    let kernel = along(row.layer.kernel, name);
    let dilation = along(row.layer.dilation.unwrap_or(1.into()), name);
    vec![
        (
            side(row.output, name),
            "that is the size of the output; a filter has the size of its window".into(),
        ),
        (side(row.input, name), "that is the size of the input; a filter has the size of its window".into()),
        (
            if padding > 0 { kernel + 2 * padding } else { 0 },
            "the padding is put around the input, never around the filter".into(),
        ),
        (
            if dilation > 1 { dilation * (kernel - 1) + 1 } else { 0 },
            "dilation leaves gaps between the weights, and a gap holds no weight".into(),
        ),
    ]
}

fn pictures(row: &Row) -> Slips {
    let (n, out) = (row.input.n(), channels(row.output));
    vec![
        (1, format!("{n} pictures go in, and {n} come out: each goes through by itself")),
        (
            out,
            match row.output {
                Shape::Maps(_) => format!("{out} are the channels; N is still the {n} pictures"),
                Shape::Flat(_) => format!("{out} are the values of one picture; N is still the {n} pictures"),
            },
        ),
    ]
}

fn output_channels(rows: &[Row], row: &Row) -> Slips {
    let before = channels(row.input);
    if !matches!(row.layer.op, Op::Conv) {
        let area = row.layer.kernel.h as i64 * row.layer.kernel.w as i64;
        let one = |value: i64| (value, POOLED_ALONE.to_string());
        let first = channels(rows[0].input);
        let picture = format!(
            "{first} channels went in at the very beginning; the last filters decide how many there are"
        );
        return if pools(row) {
            vec![
                (if rows.len() > 1 { first } else { 0 }, picture),
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
        (before, "that is what comes in; as many channels come out as there are filters".into()),
        (
            out * depth,
            format!("each filter adds its {depth} channels up into one map: {out} filters, {out} maps"),
        ),
        (1, "the maps are stacked, not added: one channel for each filter".into()),
        (row.input.n() as i64, "that is the batch; C counts the maps of one picture".into()),
    ]
}

/// A window along one axis.
#[derive(Clone, Copy)]
struct Window {
    input: i64,
    kernel: i64,
    stride: i64,
    /// On both sides together.
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
        let dilation = along(layer.dilation.unwrap_or(1.into()), name);
        let padding = match layer.same {
            true => dilation * (kernel - 1),
            false => 2 * along(layer.padding.unwrap_or(0.into()), name),
        };
        let stride = along(layer.strides(), name);
        Some(Window { input: side(input, name), kernel, stride, padding, dilation, ceil: layer.ceil })
    }

    fn room(self) -> i64 {
        self.input + self.padding - self.dilation * (self.kernel - 1) - 1
    }

    /// The output's size; 0 where the window does not fit.
    fn size(self) -> i64 {
        let up = if self.ceil { self.stride - 1 } else { 0 };
        if self.room() < 0 { 0 } else { (self.room() + up) / self.stride + 1 }
    }
}

fn output_side(rows: &[Row], name: &str) -> Slips {
    let Some(row) = rows.iter().rev().find(|row| Window::of(&row.layer, row.input, name).is_some()) else {
        return vec![];
    };
    let Some(window) = Window::of(&row.layer, row.input, name) else { return vec![] };
    let Window { input, kernel, stride, padding, dilation, ceil } = window;
    let line = if name == "H" { "row" } else { "column" };
    let mut slips = vec![];
    let mut add = |applies: bool, value: i64, says: String| slips.extend(applies.then_some((value, says)));
    let same = row.layer.same;
    add(
        padding > 1 && !same,
        Window { padding: padding / 2, ..window }.size(),
        format!("padding stands on both sides, {} {line}s in all; you counted {}", padding, padding / 2),
    );
    add(
        padding > 0,
        Window { padding: 0, ..window }.size(),
        match same {
            true => "\"same\" padding adds what the window takes off: the size stays".into(),
            false => "the padding is left out".into(),
        },
    );
    let own = row.layer.stride.is_none() && stride > 1;
    add(
        stride > 1,
        Window { stride: 1, ..window }.size(),
        match own {
            true => {
                format!("a pooling window moves by its own size, here {stride}, unless it is told otherwise")
            }
            false => format!("the stride is left out: the window moves by {stride}, not by 1"),
        },
    );
    add(dilation > 1, Window { dilation: 1, ..window }.size(), {
        let covers = dilation * (kernel - 1) + 1;
        format!("the dilation is left out: {kernel} weights with gaps cover {covers} {line}s")
    });
    add(
        stride > 1 && !ceil && window.room() % stride != 0,
        Window { ceil: true, ..window }.size(),
        "the floor is forgotten: a last step that does not fit whole is no step".into(),
    );
    add(
        ceil,
        Window { ceil: false, ..window }.size(),
        "in ceil mode what is left over gets a window of its own: round up".into(),
    );
    add(
        kernel > 1,
        input,
        match padding {
            0 => format!(
                "that is the size before; a window of {kernel} has fewer places to stand than there are {line}s"
            ),
            _ => "that is the size before this layer".into(),
        },
    );
    add(
        stride > 1 && row.layer.op == Op::Conv,
        input / stride,
        format!(
            "{input} / {stride} alone is not enough: the whole window must fit, not only its first {line}"
        ),
    );
    add(true, kernel, "that is the size of the window, not of the map it gives".into());
    add(
        true,
        window.size() - 1,
        "one too few: the place where the window starts counts as well (the + 1 at the end)".into(),
    );
    add(
        true,
        window.size() + 1,
        "one too many: at the last place the window must still fit as a whole".into(),
    );
    slips
}

fn learned(row: &Row, ask: Ask) -> Slips {
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
        return learned_by_nodes(row, each, biases);
    }
    if ask == Ask::FilterWeights {
        return vec![
            (
                each / channels,
                format!("that is one sheet; the filter has one for each of the {channels} channels"),
            ),
            (each + 1, "the bias is counted in; only the weights are asked for".into()),
            (channels, "that is how deep the filter is; each sheet has weights of its own".into()),
        ];
    }
    let places: i64 = match row.output {
        Shape::Maps(m) => (m.h * m.w) as i64,
        Shape::Flat(_) => 1,
    };
    vec![
        (
            if biases > 0 { weights } else { 0 },
            format!("the biases are forgotten: one for each filter, {biases} more"),
        ),
        (
            if biases > 1 { weights + 1 } else { 0 },
            format!("every filter has a bias of its own: {biases}, not 1"),
        ),
        (
            weights / channels + biases,
            format!("the channels are forgotten: each filter has weights for all {channels} of them"),
        ),
        (weights / channels, "the channels and the biases are forgotten".into()),
        (each + biases.min(1), format!("that is one filter; there are {filters}")),
        (all * n, format!("times the {n} pictures: a batch shares one set of weights")),
        (all * places, "the same weights are used again at every place: they are counted once".into()),
    ]
}

fn learned_by_nodes(row: &Row, each: i64, biases: i64) -> Slips {
    let nodes = channels(row.output);
    if nodes == 1 {
        return vec![(each + 1, "the bias is counted in; only the weights are asked for".into())];
    }
    vec![
        (each * nodes, format!("the biases are forgotten: one for each node, {biases} more")),
        (each * nodes + 1, format!("every node has a bias of its own: {biases}, not 1")),
        (each + 1, format!("that is one node; there are {nodes}")),
        (each + nodes, format!("every node has {each} weights of its own")),
    ]
}

fn learned_in_all(rows: &[Row]) -> Slips {
    let all: i64 = rows.iter().map(|row| row.parameters as i64).sum();
    let biases: i64 = rows.iter().flat_map(|row| &row.bias).map(|&n| n as i64).sum();
    let last = rows.last().map_or(0, |row| row.parameters as i64);
    vec![
        (all - biases, format!("the biases are forgotten: one for each filter, {biases} more")),
        (last, "that is the last layer; all of them are asked for".into()),
    ]
}

fn seen(rows: &[Row], name: &str) -> Slips {
    let windows: Vec<Window> =
        rows.iter().filter_map(|row| Window::of(&row.layer, row.input, name)).collect();
    let reach = |window: &Window| window.dilation * (window.kernel - 1);
    let mut kernels = windows.iter().map(|window| window.kernel);
    let (sum, product): (i64, i64) = (kernels.clone().sum(), kernels.clone().product());
    let last = kernels.next_back().unwrap_or(0);
    let mut slips = vec![(
        1 + windows.iter().map(reach).sum::<i64>(),
        "the stride is forgotten: behind a stride or a pooling, one step is several places of the input"
            .to_string(),
    )];
    if windows.iter().any(|window| window.dilation > 1) {
        slips.push((
            1 + windows.iter().map(|window| window.kernel - 1).sum::<i64>(),
            "the gaps are forgotten: with dilation the weights stand further apart".into(),
        ));
    }
    if windows.len() > 1 {
        slips
            .push((last, "that is what it sees of the layer before; look further back, to the input".into()));
        slips.push((sum, "windows of neighbours overlap: each layer adds its size less 1".into()));
        slips.push((product, "windows of neighbours overlap: sizes are not simply multiplied".into()));
    }
    slips
}

fn features(rows: &[Row], row: &Row) -> Slips {
    let n = row.input.n() as i64;
    let Some((place, flattened)) = rows.iter().enumerate().find(|(_, row)| row.layer.op == Op::Flatten)
    else {
        return vec![];
    };
    let Shape::Maps(maps) = flattened.input else { return vec![] };
    let (c, area) = (maps.c as i64, (maps.h * maps.w) as i64);
    let mut slips = vec![
        (area, format!("that is one map; there are {c}, and flatten keeps them all")),
        (c, "that counts the maps; each has all its rows and columns".into()),
        (
            if n > 1 { n * c * area } else { 0 },
            format!("the {n} pictures are not joined: each is flattened by itself"),
        ),
        (c + maps.h as i64 + maps.w as i64, "the three numbers are multiplied, not added".into()),
    ];
    if place > 0
        && let Shape::Maps(before) = rows[place - 1].input
    {
        let before = (before.c * before.h * before.w) as i64;
        slips.push((before, format!("that is the size before `{}`", rows[place - 1].layer)));
    }
    slips
}
