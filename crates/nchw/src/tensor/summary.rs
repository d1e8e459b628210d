//! The table of a real network: what its layers give when they run.

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

/// What every layer of a network gives, and what it learns. See [`summary`].
#[derive(Clone, PartialEq)]
pub struct Summary {
    /// The sizes of the input.
    pub input: Vec<u64>,
    /// One row a layer.
    pub rows: Vec<SummaryRow>,
    /// How many numbers the layers learn; nothing where it cannot be known.
    pub parameters: Option<u64>,
    /// Variables of the `VarStore` that belong to none of the layers listed.
    pub left_over: Vec<String>,
}

/// One layer of a [`Summary`].
#[derive(Clone, PartialEq)]
pub struct SummaryRow {
    /// The layer's name, or its place where it has none: the first is 1.
    pub name: String,
    /// The sizes of its output.
    pub output: Vec<u64>,
    /// The sizes of its variables with their names, such as `weight`.
    pub variables: Vec<(String, Vec<u64>)>,
    /// How many numbers it learns; nothing where it cannot be known.
    pub parameters: Option<u64>,
}

/// A network that [`summary`] can run layer by layer: tch's `Sequential` and
/// `SequentialT`, the course's own nets, and layers that were [`named`].
#[diagnostic::on_unimplemented(
    message = "`summary` cannot look into `{Self}`",
    label = "nothing tells what its layers are",
    note = "give them by name, in their order: `summary(&named(&vs, &[(\"conv1\", &net.conv1), (\"relu\", &relu)]), &input)`"
)]
pub trait Layered {
    /// Its layers.
    fn layers(&self) -> Result<Layers>;

    /// What each of the first `count` layers gives. Where tch can only panic, it may.
    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>>;
}

/// The layers of a network, as far as it can tell.
pub struct Layers {
    layers: Vec<Layer>,
    left_over: Vec<String>,
}

struct Layer {
    name: String,
    /// With their names; nothing where they cannot be known.
    variables: Option<Vec<(String, Tensor)>>,
}

/// Layers with the names by which they were made. See [`named`].
pub struct Named<'a> {
    variables: Option<&'a nn::VarStore>,
    layers: &'a [(&'a str, &'a dyn nn::ModuleT)],
}

/// Names for the layers of a network, for [`summary`].
///
/// tch cannot look into a network of one's own, so it is given as a list of
/// names and layers, in their order. With the `VarStore` in which the layers
/// were made the table has their weights and parameters, too: those whose names
/// begin with the layer's (`&(vs.root() / "conv1")`).
///
/// ```
/// use nchw::prelude::*;
/// use tch::nn;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let conv1 = nn::conv2d(vs.root() / "conv1", 3, 10, 3, Default::default());
/// let relu = nn::func(|maps| maps.relu());
/// let pictures = Tensor::zeros([8, 3, 7, 9], (Kind::Float, Device::Cpu));
/// let table = summary(&named(&vs, &[("conv1", &conv1), ("relu", &relu)]), &pictures)?;
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

/// Runs the layers of a network one after the other, and tells what came out of each.
///
/// tch's `Sequential` does not tell what its layers are: they have their places
/// for names, and no weights. Give them with [`named`] to see those, too, and
/// for a network of your own. Nothing is learned and nothing changes: dropout
/// and batch normalisation run as when they are asked.
///
/// # Shapes
/// Whatever the first layer takes; N C H W stand in columns of their own.
///
/// # Errors
/// When a layer refuses what the layer before it gave: the table up to there,
/// the sentence of libtorch, the likely cause and what to do. Also when two
/// layers have the same name.
///
/// # Source
/// The idea is torchinfo's.
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
    let (outputs, refused) = run(model, input, layers.len());
    let known = layers.iter().all(|layer| layer.variables.is_some());
    let rows: Vec<SummaryRow> = layers.iter().zip(&outputs).map(|(layer, given)| layer.row(given)).collect();
    let parameters = if known { rows.iter().map(|row| row.parameters).sum() } else { None };
    let summary = Summary { input: sizes(input), rows, parameters, left_over };
    let Some(refused) = refused else { return Ok(summary) };
    let position = outputs.len() + 1;
    let place = match layers.get(outputs.len()).map(|layer| &layer.name) {
        Some(name) if *name != position.to_string() => format!("layer {position}, `{name}`,"),
        _ => format!("layer {position}"),
    };
    let before = outputs.last().map_or(summary.input.clone(), sizes);
    let text = match refused {
        Refused::Explained(says) => format!("{}: {says}", place.trim_end_matches(',')),
        Refused::Said(said) => {
            let hint = hint(&said, &before).map_or(String::new(), |hint| format!("\n{hint}"));
            format!("{place} does not fit on {}: {said}{hint}", times(&before))
        }
    };
    let summary = Summary { left_over: vec![], ..summary };
    Err(Error::new(format!("{summary}\n\n{}", text.replace('\n', "\n  "))))
}

/// Why a layer gave nothing.
enum Refused {
    /// libtorch's sentence, or whatever a layer panicked with.
    Said(String),
    /// The course's own layers know the likely cause themselves.
    Explained(String),
}

/// What the layers give, up to the first that refuses.
fn run(model: &impl Layered, input: &Tensor, count: usize) -> (Vec<Tensor>, Option<Refused>) {
    // A guard and not `tch::no_grad`, which leaves gradients off for good when a layer panics.
    let without_gradients = |count| {
        let _off = tch::no_grad_guard();
        model.outputs(input, count)
    };
    let outputs = |count| match caught(|| without_gradients(count)) {
        Ok(given) => given.map_err(|error| Refused::Explained(error.to_string())),
        Err(said) => Err(Refused::Said(said)),
    };
    let mut refused = match outputs(count) {
        Ok(all) => return (all, None),
        Err(refused) => refused,
    };
    // Which layer it was shows only when more or fewer of them are run.
    let (mut given, mut runs, mut fails) = (vec![], 0, count);
    while fails - runs > 1 {
        let middle = runs + (fails - runs) / 2;
        match outputs(middle) {
            Ok(more) => (given, runs) = (more, middle),
            Err(earlier) => (refused, fails) = (earlier, middle),
        }
    }
    (given, Some(refused))
}

impl Layer {
    fn row(&self, given: &Tensor) -> SummaryRow {
        let learned = |tensor: &Tensor| if tensor.requires_grad() { tensor.numel() as u64 } else { 0 };
        let variables = self.variables.iter().flatten();
        SummaryRow {
            name: self.name.clone(),
            output: sizes(given),
            variables: variables.map(|(name, tensor)| (name.clone(), sizes(tensor))).collect(),
            parameters: self
                .variables
                .as_ref()
                .map(|all| all.iter().map(|(_, tensor)| learned(tensor)).sum()),
        }
    }
}

impl Layers {
    /// So many layers of which nothing else is known.
    fn unknown(count: i64) -> Layers {
        let layers = (1..=count).map(|place| Layer { name: place.to_string(), variables: None });
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
        let mut places = HashMap::new();
        for (place, layer) in layers.iter().enumerate() {
            places.entry(layer.name.clone()).or_insert(place);
        }
        let mut left_over = vec![];
        for (full, tensor) in all {
            // Of several layers whose names it begins with, the first.
            let before_points =
                full.match_indices('.').map(|(point, _)| (&full[..point], &full[point + 1..]));
            let owner = before_points.filter_map(|(layer, own)| Some((*places.get(layer)?, own)));
            match owner.min_by_key(|(place, _)| *place) {
                Some((place, own)) => {
                    layers[place].variables.get_or_insert_default().push((own.into(), tensor))
                }
                None => left_over.push(full),
            }
        }
        Layers { layers, left_over }
    }

    /// Layers that show themselves, each with its weight and bias.
    pub(crate) fn shown(layers: impl Iterator<Item = (String, Vec<Tensor>)>) -> Layers {
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
                    "two layers are named `{name}`: expected a name of its own for each, such as `{name}{position}`"
                )));
            }
        }
        Ok(Layers::named(self.layers.iter().map(|(name, _)| *name), self.variables))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        let mut given: Vec<Tensor> = Vec::new();
        for (_, layer) in &self.layers[..count] {
            given.push(layer.forward_t(given.last().unwrap_or(input), false));
        }
        Ok(given)
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
    /// The head, the input, the layers, the total.
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
            notes +=
                "\nweights and parameters: `summary(&named(&vs, &[(\"conv1\", &conv1), …]), …)` tells them";
        }
        if !self.left_over.is_empty() {
            notes += &format!("\nin the VarStore, but in no layer listed: {}", self.left_over.join(", "));
        }
        notes.trim_start().into()
    }

    fn html(&self) -> String {
        let caption = format!("What the layers give on an input of {}", times(&self.input));
        html_table(&caption, &self.cells()) + &outline(&self.notes())
    }
}

/// Sizes in the four columns: two axes are N and features, three a picture without its batch.
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
        write!(f, "{} gives {}", self.name, times(&self.output))
    }
}

shows!(Summary: |summary| Output::html(summary.html(), summary));
