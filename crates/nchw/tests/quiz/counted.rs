//! Answers by counting: windows are placed one after the other, with integers and loops.

use nchw_core::quiz::question::{Ask, Question, Unknown};

/// A window along one axis.
#[derive(Clone, Copy)]
struct Window {
    size: i64,
    stride: i64,
    padding: [i64; 2],
    dilation: i64,
    ceil: bool,
}

impl Window {
    fn last(&self, start: i64) -> i64 {
        start + self.dilation * (self.size - 1)
    }

    /// Where the windows start on so many rows.
    fn starts(&self, rows: i64) -> Vec<i64> {
        let mut starts = vec![];
        let mut start = -self.padding[0];
        while self.last(start) < rows + self.padding[1] {
            starts.push(start);
            start += self.stride;
        }
        let covered = starts.last().map(|start| self.last(*start) + 1);
        if self.ceil && covered < Some(rows + self.padding[1]) && start < rows {
            starts.push(start);
        }
        starts
    }
}

/// The result of running the layers one after the other.
struct Counted {
    /// N C H W; after `flatten`, N and features.
    sizes: Vec<i64>,
    batched: bool,
    weights: Vec<Vec<i64>>,
    parameters: Vec<i64>,
    windows: Vec<[Window; 2]>,
    unread_columns: i64,
}

/// The answer to a question about layers or a row of numbers; `None` if it is answered with letters.
pub(super) fn answer(question: &Question) -> Option<Vec<i64>> {
    if let Ask::Row(row) = question.ask {
        return Some(row_of(&question.input, &question.layers, row));
    }
    if let Ask::Unknown(_) = question.ask {
        return Some(unknown(question));
    }
    let (input, layers) = (&question.input, question.filled(&question.answer));
    let done = if matches!(question.ask, Ask::Letters) { return None } else { run(input, &layers) };
    let out = done.sizes[usize::from(!done.batched)..].to_vec();
    let weight = || done.weights.last().unwrap().clone();
    Some(match question.ask {
        Ask::Output => out,
        Ask::OutputSize => done.sizes[2..].to_vec(),
        Ask::OutputChannels | Ask::Features => vec![done.sizes[1]],
        Ask::Weight => weight(),
        Ask::FilterChannels => vec![weight()[1]],
        Ask::FilterWeights => vec![weight()[1..].iter().product()],
        Ask::Parameters => vec![*done.parameters.last().unwrap()],
        Ask::AllParameters => vec![done.parameters.iter().sum()],
        Ask::Field => vec![seen(&done.windows, 0), seen(&done.windows, 1)],
        Ask::FieldSide => vec![seen(&done.windows, 0)],
        Ask::UnreadColumns => vec![done.unread_columns],
        _ => return None,
    })
}

/// The only number that, in place of `?`, leads to the output sizes or the weight in the text.
fn unknown(question: &Question) -> Vec<i64> {
    let in_text = |sizes: &[i64]| {
        let text = sizes.iter().map(i64::to_string).collect::<Vec<_>>().join("x");
        [" ", ".", ","].iter().any(|end| question.text.contains(&format!("{text}{end}")))
    };
    let fits = |value: &i64| {
        let filled = question.filled(&value.to_string());
        let groups = question.ask == Ask::Unknown(Unknown::Groups);
        if groups && (*value == 0 || 18 % value != 0 || 12 % value != 0) {
            return false;
        }
        let done = run(&question.input, &filled);
        let [_, c, h, w] = done.sizes[..] else { return false };
        match () {
            () if groups => in_text(done.weights.last().unwrap()),
            // "keeps the size 9x12"
            () if question.text.contains("keep") => question.input.ends_with(&format!("x{h}x{w}")),
            () => question.input != format!("{c}x{h}x{w}") && in_text(&[c, h, w]),
        }
    };
    (0..60)
        .filter(|value| question.ask == Ask::Unknown(Unknown::Padding) || *value > 0)
        .filter(fits)
        .collect()
}

fn run(input: &str, layers: &str) -> Counted {
    let mut sizes: Vec<i64> = input.split('x').map(|size| size.parse().unwrap()).collect();
    let batched = sizes.len() == 4;
    if !batched {
        sizes.insert(0, 1);
    }
    let mut done =
        Counted { sizes, batched, weights: vec![], parameters: vec![], windows: vec![], unread_columns: 0 };
    for layer in layers.split("; ") {
        one(&mut done, &layer.split(' ').collect::<Vec<_>>());
    }
    done
}

fn one(done: &mut Counted, words: &[&str]) {
    let pair = |text: &str| -> [i64; 2] {
        let (h, w) = text.split_once('x').unwrap_or((text, text));
        [h.parse().unwrap(), w.parse().unwrap()]
    };
    let option = |name: &str| words.iter().position(|word| *word == name).map(|at| words[at + 1]);
    match words[0] {
        "flatten" => done.sizes = vec![done.sizes[0], done.sizes[1..].iter().product()],
        "gap" => {
            done.sizes[2] = 1;
            done.sizes[3] = 1;
        }
        "linear" => {
            let nodes: i64 = words[1].parse().unwrap();
            learned(done, vec![nodes, done.sizes[1]], nodes);
            done.sizes[1] = nodes;
            return;
        }
        "conv" | "maxpool" | "avgpool" => {
            let conv = words[0] == "conv";
            let kernel = pair(words[if conv { 2 } else { 1 }]);
            let stride = option("stride").map_or(if conv { [1, 1] } else { kernel }, pair);
            let dilation = option("dilation").map_or([1, 1], pair);
            let axis = |axis: usize| {
                let reach = dilation[axis] * (kernel[axis] - 1);
                let padding = match option("padding") {
                    Some("same") => [reach / 2, reach - reach / 2],
                    given => [given.map_or(0, |given| pair(given)[axis]); 2],
                };
                let ceil = words.contains(&"ceil");
                Window { size: kernel[axis], stride: stride[axis], padding, dilation: dilation[axis], ceil }
            };
            let windows = [axis(0), axis(1)];
            if conv {
                let filters: i64 = words[1].parse().unwrap();
                let groups = option("groups").map_or(1, |groups| groups.parse().unwrap());
                let biases = if words.contains(&"nobias") { 0 } else { filters };
                learned(done, vec![filters, done.sizes[1] / groups, kernel[0], kernel[1]], biases);
                done.sizes[1] = filters;
            }
            for (axis, window) in windows.iter().enumerate() {
                let starts = window.starts(done.sizes[2 + axis]);
                if axis == 1 {
                    let last = starts.last().map_or(-1, |start| window.last(*start));
                    done.unread_columns = (done.sizes[3] - 1 - last).max(0);
                }
                done.sizes[2 + axis] = starts.len() as i64;
            }
            done.windows.push(windows);
            if conv {
                return;
            }
        }
        other => panic!("{other}"),
    }
    done.parameters.push(0);
}

fn learned(done: &mut Counted, weight: Vec<i64>, biases: i64) {
    done.parameters.push(weight.iter().product::<i64>() + biases);
    done.weights.push(weight);
}

/// The receptive field along one axis, traced window by window back to the input.
fn seen(windows: &[[Window; 2]], axis: usize) -> i64 {
    let (mut first, mut last) = (0, 0);
    for window in windows.iter().rev().map(|window| window[axis]) {
        first *= window.stride;
        last = window.last(last * window.stride);
    }
    last - first + 1
}

/// One row of the output of a filter: `1 0 / 0 1`, channels separated by `|`.
fn row_of(image: &str, filter: &str, row: usize) -> Vec<i64> {
    let read = |text: &str| -> Vec<Vec<Vec<i64>>> {
        let numbers = |row: &str| row.split_whitespace().map(|number| number.parse().unwrap()).collect();
        text.split('|').map(|channel| channel.split('/').map(numbers).collect()).collect()
    };
    let (image, filter) = (read(image), read(filter));
    let mut sums = vec![];
    for left in 0..=image[0][0].len() - filter[0][0].len() {
        let mut sum = 0;
        for (channel, sheet) in filter.iter().enumerate() {
            for (below, weights) in sheet.iter().enumerate() {
                for (right, weight) in weights.iter().enumerate() {
                    sum += weight * image[channel][row + below][left + right];
                }
            }
        }
        sums.push(sum);
    }
    sums
}
