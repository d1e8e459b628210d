//! A table of the layers of a real network, made by running them.

use crate::{
    Error, Result,
    check::{holds_something, sizes},
    error::debug_as_display,
    hints::hint,
    notebook::{Output, shows},
    runtime::caught,
    shapes::{HEAD, aligned, commas, times},
};
use nchw_core::html::{html_table, outline};
use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    fmt,
};
use tch::{Tensor, nn};

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

/// A network that [`summary`] can run layer by layer: tch's `Sequential` and `SequentialT`, the
/// networks of the course, and layers with names (see [`named`]).
#[diagnostic::on_unimplemented(
    message = "`summary` cannot look into `{Self}`",
    label = "the layers of this type are unknown",
    note = "list them with their names, in order: `summary(&named(&vs, &[(\"conv1\", &net.conv1), (\"relu\", &relu)]), &input)`"
)]
pub trait Layered {
    /// The layers.
    fn layers(&self) -> Result<Layers>;

    /// The outputs of the first `count` layers. May panic where tch panics.
    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>>;
}

/// The layers of a network, as far as they are known.
pub struct Layers {
    layers: Vec<Layer>,
    left_over: Vec<String>,
}

struct Layer {
    name: String,
    /// With their names; `None` if they are unknown.
    variables: Option<Vec<(String, Tensor)>>,
}

/// Layers with names. See [`named`].
pub struct Named<'a> {
    variables: Option<&'a nn::VarStore>,
    layers: &'a [(&'a str, &'a dyn nn::ModuleT)],
}

/// Names for the layers of a network, for [`summary`].
///
/// The layers of your own network are not known to tch, so list them with their names, in order. If you
/// pass the `VarStore` in which the layers were created, the table also has their weights and
/// parameters: those whose path begins with the name of the layer (`&(vs.root() / "conv1")`).
///
/// ```
/// use nchw::prelude::*;
/// use tch::nn;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let conv1 = nn::conv2d(vs.root() / "conv1", 3, 10, 3, Default::default());
/// let relu = nn::func(|maps| maps.relu());
/// let images = Tensor::zeros([8, 3, 7, 9], (Kind::Float, Device::Cpu));
/// let table = summary(&named(&vs, &[("conv1", &conv1), ("relu", &relu)]), &images)?;
/// assert_eq!(table.rows[0].output, [8, 10, 5, 7]);
/// assert_eq!(table.parameters, Some(280));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn named<'a>(
    variables: impl Into<Option<&'a nn::VarStore>>,
    layers: &'a [(&'a str, &'a dyn nn::ModuleT)],
) -> Named<'a> {
    Named { variables: variables.into(), layers }
}

/// Runs the layers of a network in order and lists the shape of each output.
///
/// The layers of tch's `Sequential` have no names and unknown weights: the table numbers them.
/// List them with [`named`] to see names and weights, and for your own network. The network does
/// not change: dropout and batch normalisation run in evaluation mode.
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
    let known = layers.iter().all(|layer| layer.variables.is_some());
    let rows: Vec<SummaryRow> =
        layers.iter().zip(&outputs).map(|(layer, output)| layer.row(output)).collect();
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

impl Layer {
    fn row(&self, output: &Tensor) -> SummaryRow {
        let parameters = |tensor: &Tensor| if tensor.requires_grad() { tensor.numel() as u64 } else { 0 };
        let variables = self.variables.iter().flatten();
        SummaryRow {
            name: self.name.clone(),
            output: sizes(output),
            variables: variables.map(|(name, tensor)| (name.clone(), sizes(tensor))).collect(),
            parameters: self
                .variables
                .as_ref()
                .map(|all| all.iter().map(|(_, tensor)| parameters(tensor)).sum()),
        }
    }
}

impl Layers {
    /// `count` layers without names, whose variables are unknown.
    fn unknown(count: i64) -> Layers {
        let layers = (1..=count).map(|number| Layer { name: number.to_string(), variables: None });
        Layers { layers: layers.collect(), left_over: vec![] }
    }

    /// Layers with these names, and the variables whose names begin with them.
    pub(crate) fn named<'n>(
        names: impl IntoIterator<Item = &'n str>,
        variables: Option<&nn::VarStore>,
    ) -> Layers {
        let mut all: Vec<(String, Tensor)> =
            variables.map_or(Vec::new(), |variables| variables.variables().into_iter().collect());
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let named = |name: &str| Layer { name: name.into(), variables: variables.map(|_| vec![]) };
        let mut layers: Vec<Layer> = names.into_iter().map(named).collect();
        let mut indices = HashMap::new();
        for (index, layer) in layers.iter().enumerate() {
            indices.entry(layer.name.clone()).or_insert(index);
        }
        let mut left_over = vec![];
        for (full, tensor) in all {
            // If the path begins with the names of several layers, the variable belongs to the first one.
            let splits = full.match_indices('.').map(|(dot, _)| (&full[..dot], &full[dot + 1..]));
            let owners = splits.filter_map(|(layer, own)| Some((*indices.get(layer)?, own)));
            match owners.min_by_key(|(index, _)| *index) {
                Some((index, own)) => {
                    layers[index].variables.get_or_insert_default().push((own.into(), tensor))
                }
                None => left_over.push(full),
            }
        }
        Layers { layers, left_over }
    }

    /// Layers whose names describe them, each with its weight and bias.
    pub(crate) fn described(layers: impl Iterator<Item = (String, Vec<Tensor>)>) -> Layers {
        let layers = layers.map(|(name, variables)| {
            let variables = ["weight", "bias"].map(String::from).into_iter().cycle().zip(variables);
            Layer { name, variables: Some(variables.collect()) }
        });
        Layers { layers: layers.collect(), left_over: vec![] }
    }
}

impl Layered for Named<'_> {
    fn layers(&self) -> Result<Layers> {
        let mut names = HashSet::new();
        for ((name, _), position) in self.layers.iter().zip(1..) {
            if !names.insert(name) {
                return Err(Error::new(format!(
                    "two layers are named `{name}`: expected different names, such as `{name}{position}`"
                )));
            }
        }
        Ok(Layers::named(self.layers.iter().map(|(name, _)| *name), self.variables))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        let mut outputs: Vec<Tensor> = Vec::new();
        for (_, layer) in &self.layers[..count] {
            outputs.push(layer.forward_t(outputs.last().unwrap_or(input), false));
        }
        Ok(outputs)
    }
}

impl Layered for nn::Sequential {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::unknown(self.len()))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        Ok(self.forward_all(input, Some(count)))
    }
}

impl Layered for nn::SequentialT {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::unknown(self.len()))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        Ok(self.forward_all_t(input, false, Some(count)))
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
            let weights = row.variables.iter().filter(|(name, _)| name == "weight");
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
            notes += "\nto see weights and parameters: `summary(&named(&vs, &[(\"conv1\", &conv1), …]), …)`";
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
