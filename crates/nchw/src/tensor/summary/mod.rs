//! A table of the layers of a real network, made by running them.

mod layers;

use crate::{
    Error, Result,
    check::{holds_something, sizes},
    error::debug_as_display,
    hints::hint,
    notebook::{Output, shows},
    runtime::caught,
    shapes::{HEAD, aligned, commas, times},
};
use layers::{Layer, found};
use nchw_core::html::{html_table, outline};
use std::{borrow::Borrow, fmt};
use tch::Tensor;

pub use layers::{Layered, Layers, Named, WithWeights, named, with_weights};

/// The output shapes and the parameters of the layers of a network. See [`summary`].
#[derive(Clone, PartialEq)]
pub struct Summary {
    /// The sizes of the input.
    pub input: Vec<u64>,
    /// One row per layer.
    pub rows: Vec<SummaryRow>,
    /// The number of parameters; `None` if it is unknown.
    pub parameters: Option<u64>,
    /// Variables of the `VarStore` that belong to none of the layers listed.
    pub left_over: Vec<String>,
}

/// One layer of a [`Summary`].
#[derive(Clone, PartialEq)]
pub struct SummaryRow {
    /// The layer's name; without a name, its number, from 1.
    pub name: String,
    /// The sizes of its output.
    pub output: Vec<u64>,
    /// The names and sizes of its variables, such as `weight`.
    pub variables: Vec<(String, Vec<u64>)>,
    /// The number of parameters; `None` if it is unknown.
    pub parameters: Option<u64>,
}

/// Runs the layers of a network in order and lists the shape of each output.
///
/// The layers of tch's `Sequential` have no names and unknown weights: the table numbers them. To see
/// weights, pass the network [`with_weights`]; list the layers of your own network with [`named`]. The
/// network does not change: dropout and batch normalisation run in evaluation mode.
///
/// # Shapes
/// Any input of the first layer; N, C, H and W have columns of their own.
///
/// # Errors
/// If a layer fails on its input: the message has the table up to this layer, libtorch's message,
/// the likely cause and what to do. Also if two layers have the same name.
///
/// # Source
/// The idea is from torchinfo.
///
/// ```
/// use nchw::prelude::*;
/// use tch::nn;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let net = nn::seq()
///     .add(nn::conv2d(vs.root(), 3, 10, 3, Default::default()))
///     .add_fn(|maps| maps.max_pool2d_default(2));
/// let table = summary(&net, Tensor::zeros([8, 3, 7, 9], (Kind::Float, Device::Cpu)))?;
/// assert_eq!(table.rows[1].output, [8, 10, 2, 3]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn summary(model: &impl Layered, input: impl Borrow<Tensor>) -> Result<Summary> {
    let input = input.borrow();
    holds_something(input)?;
    let Layers { layers, left_over } = model.layers()?;
    let (outputs, failure) = run(model, input, layers.len());
    let Layers { layers, left_over } = match model.store() {
        Some(store) => found(model, store, input, layers, outputs.len()),
        None => Layers { layers, left_over },
    };
    let known = layers.iter().all(|layer| layer.variables.is_some());
    let rows: Vec<SummaryRow> =
        layers.iter().zip(&outputs).map(|(layer, output)| SummaryRow::of(layer, output)).collect();
    let parameters = if known { rows.iter().map(|row| row.parameters).sum() } else { None };
    let summary = Summary { input: sizes(input), rows, parameters, left_over };
    let Some(failure) = failure else { return Ok(summary) };
    let position = outputs.len() + 1;
    let layer = match layers.get(outputs.len()).map(|layer| &layer.name) {
        Some(name) if *name != position.to_string() => format!("layer {position}, `{name}`,"),
        _ => format!("layer {position}"),
    };
    let input = outputs.last().map_or(summary.input.clone(), sizes);
    let text = match failure {
        Failure::Explained(message) => format!("{}: {message}", layer.trim_end_matches(',')),
        Failure::Panic(message) => {
            let hint = hint(&message, &input).map_or(String::new(), |hint| format!("\n{hint}"));
            format!("{layer} does not fit on {}: {message}{hint}", times(&input))
        }
    };
    let summary = Summary { left_over: vec![], ..summary };
    Err(Error::new(format!("{summary}\n\n{}", text.replace('\n', "\n  "))))
}

/// Why a layer failed.
enum Failure {
    /// The layer panicked, with this message (mostly libtorch's).
    Panic(String),
    /// A layer of the course returned an error, which contains the likely cause.
    Explained(String),
}

/// The outputs of the layers, up to the first one that fails.
fn run(model: &impl Layered, input: &Tensor, count: usize) -> (Vec<Tensor>, Option<Failure>) {
    // A guard instead of `tch::no_grad`, which leaves gradients off if a layer panics.
    let without_gradients = |count| {
        let _guard = tch::no_grad_guard();
        model.outputs(input, count)
    };
    let outputs = |count| match caught(|| without_gradients(count)) {
        Ok(result) => result.map_err(|error| Failure::Explained(error.to_string())),
        Err(message) => Err(Failure::Panic(message)),
    };
    let mut failure = match outputs(count) {
        Ok(all) => return (all, None),
        Err(failure) => failure,
    };
    // Binary search for the layer that failed: the first `works` layers run, the first `fails` do not.
    let (mut done, mut works, mut fails) = (vec![], 0, count);
    while fails - works > 1 {
        let middle = works + (fails - works) / 2;
        match outputs(middle) {
            Ok(more) => (done, works) = (more, middle),
            Err(earlier) => (failure, fails) = (earlier, middle),
        }
    }
    (done, Some(failure))
}

impl SummaryRow {
    fn of(layer: &Layer, output: &Tensor) -> SummaryRow {
        let parameters = |tensor: &Tensor| if tensor.requires_grad() { tensor.numel() as u64 } else { 0 };
        let variables = layer.variables.iter().flatten();
        SummaryRow {
            name: layer.name.clone(),
            output: sizes(output),
            variables: variables.map(|(name, tensor)| (name.clone(), sizes(tensor))).collect(),
            parameters: layer
                .variables
                .as_ref()
                .map(|all| all.iter().map(|(_, tensor)| parameters(tensor)).sum()),
        }
    }
}

impl Summary {
    /// The cells of the table: header, input, layers, total.
    fn cells(&self) -> Vec<[String; 7]> {
        let [head @ .., _, _] = HEAD;
        let count = |number: Option<u64>| number.map_or("?".into(), commas);
        let line = |name: &str, sizes: &[u64], weight: String, parameters: String| {
            let [n, c, h, w] = axes(sizes);
            [name.into(), n, c, h, w, weight, parameters]
        };
        let mut cells =
            vec![head.map(String::from), line("input", &self.input, String::new(), String::new())];
        for row in &self.rows {
            let is_weight = |name: &str| name == "weight" || name.ends_with(".weight");
            let weights = row.variables.iter().filter(|(name, _)| is_weight(name));
            let weights: Vec<String> = weights.map(|(_, sizes)| times(sizes)).collect();
            let weight = match (weights.is_empty(), row.parameters) {
                (false, _) => weights.join(", "),
                (true, None) => "?".into(),
                (true, Some(_)) => "-".into(),
            };
            cells.push(line(&row.name, &row.output, weight, count(row.parameters)));
        }
        let empty = String::new;
        cells.push(["total".into(), empty(), empty(), empty(), empty(), empty(), count(self.parameters)]);
        cells
    }

    fn notes(&self) -> String {
        let mut notes = String::new();
        if self.parameters.is_none() {
            notes += "\nto see weights and parameters: `summary(&with_weights(&net, &vs), …)` for `nn::seq`, or \
                      `summary(&named(&vs, &[(\"conv1\", &conv1), …]), …)`";
        }
        if !self.left_over.is_empty() {
            notes += &format!("\nin the VarStore, but not in a listed layer: {}", self.left_over.join(", "));
        }
        notes.trim_start().into()
    }

    fn html(&self) -> String {
        let caption = format!("Outputs of the layers for an input of {}", times(&self.input));
        html_table(&caption, &self.cells()) + &outline(&self.notes())
    }
}

/// Sizes in the four columns. Two axes are N and features; three are an image without batch axis.
fn axes(sizes: &[u64]) -> [String; 4] {
    let mut shown = sizes.iter().map(u64::to_string);
    let mut next = || shown.next().unwrap_or("-".into());
    match sizes.len() {
        3 => ["-".into(), next(), next(), next()],
        0..=4 => [next(), next(), next(), next()],
        _ => [next(), next(), times(&sizes[2..]), "-".into()],
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(format!("{}{}", aligned(&self.cells()), self.notes()).trim_end())
    }
}

debug_as_display!(Summary);

impl fmt::Debug for SummaryRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, times(&self.output))
    }
}

shows!(Summary: |summary| Output::html(summary.html(), summary));
