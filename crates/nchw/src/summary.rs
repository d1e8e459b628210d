//! The table of a real network: what its layers give when they run.

use crate::{
    Error, Result,
    check::sizes,
    error::debug_as_display,
    figure::show_html,
    hints::hint,
    runtime::caught,
    shapes::{aligned, commas, times},
    show::html_table,
};
use std::fmt;
use tch::{Tensor, nn};

/// What every layer of a network gives, and what it learns. See [`summary`].
#[derive(Clone, PartialEq)]
pub struct Summary {
    /// The sizes of the input.
    pub input: Vec<u64>,
    /// One row a layer.
    pub rows: Vec<SummaryRow>,
    /// How many numbers are learned by the layers listed; nothing without a `VarStore`.
    pub parameters: Option<u64>,
    /// Variables of the `VarStore` that belong to none of the layers listed.
    pub left_over: Vec<String>,
}

/// One layer of a [`Summary`].
#[derive(Clone, PartialEq)]
pub struct SummaryRow {
    /// The layer's name.
    pub name: String,
    /// The sizes of its output.
    pub output: Vec<u64>,
    /// The sizes of its variables with their names, such as `weight`.
    pub variables: Vec<(String, Vec<u64>)>,
    /// How many numbers it learns; nothing without a `VarStore`.
    pub parameters: Option<u64>,
}

/// Runs the layers one after the other on `input`, and tells what came out of each.
///
/// tch cannot look into a network, so it is given as a list of names and
/// layers. With the `VarStore` in which the layers were made the table has
/// their weights and parameters, too: those whose names begin with the layer's
/// (`&(vs.root() / "conv1")`). Nothing is learned and nothing changes: dropout
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
/// let conv1 = nn::conv2d(vs.root() / "conv1", 3, 10, 3, Default::default());
/// let relu = nn::func(|maps| maps.relu());
/// let pictures = Tensor::zeros([8, 3, 7, 9], (Kind::Float, Device::Cpu));
/// let table = summary(&vs, &[("conv1", &conv1), ("relu", &relu)], &pictures)?;
/// assert_eq!(table.rows[0].output, [8, 10, 5, 7]);
/// assert_eq!(table.parameters, Some(280));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn summary<'a>(
    variables: impl Into<Option<&'a nn::VarStore>>,
    layers: &[(&str, &dyn nn::ModuleT)],
    input: &Tensor,
) -> Result<Summary> {
    let variables = variables.into();
    let mut summary = Summary {
        input: sizes(input),
        rows: Vec::new(),
        parameters: variables.map(|_| 0),
        left_over: Vec::new(),
    };
    let mut learned = variables.map_or(Vec::new(), |variables| variables.variables().into_iter().collect());
    learned.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut current = input.shallow_clone();
    for ((name, layer), position) in layers.iter().zip(1..) {
        if summary.rows.iter().any(|row| row.name == *name) {
            return Err(Error::new(format!(
                "two layers are named `{name}`: expected a name of its own for each, such as `{name}{position}`"
            )));
        }
        let before = sizes(&current);
        current = caught(|| tch::no_grad(|| layer.forward_t(&current, false))).map_err(|said| {
            let hint = hint(&said, &before).map_or(String::new(), |hint| format!("\n{hint}"));
            let text =
                format!("layer {position}, `{name}`, does not fit on {}: {said}{hint}", times(&before));
            Error::new(format!("{summary}\n\n{}", text.replace('\n', "\n  ")))
        })?;
        let (own, others): (Vec<_>, Vec<_>) =
            learned.into_iter().partition(|(full, _)| within(full, name).is_some());
        learned = others;
        let numbers =
            |trained: &(String, Tensor)| if trained.1.requires_grad() { trained.1.numel() as u64 } else { 0 };
        let parameters = variables.map(|_| own.iter().map(numbers).sum());
        let named = |(full, tensor): &(String, Tensor)| Some((within(full, name)?.to_owned(), sizes(tensor)));
        let variables = own.iter().filter_map(named).collect();
        summary.parameters = summary.parameters.zip(parameters).map(|(all, own): (u64, u64)| all + own);
        summary.rows.push(SummaryRow {
            name: name.to_string(),
            output: sizes(&current),
            variables,
            parameters,
        });
    }
    summary.left_over = learned.into_iter().map(|(name, _)| name).collect();
    Ok(summary)
}

/// `weight`, when the variable is `conv1.weight` and the layer `conv1`.
fn within<'n>(variable: &'n str, layer: &str) -> Option<&'n str> {
    variable.strip_prefix(layer)?.strip_prefix('.')
}

impl Summary {
    /// The head, the input, the layers, the total.
    fn cells(&self) -> Vec<[String; 7]> {
        let head = ["layer", "개 N", "채 C", "행 H", "열 W", "weight", "parameters"];
        let count = |number: Option<u64>| number.map_or("?".into(), commas);
        let line = |name: &str, sizes: &[u64], weight: String, parameters: String| {
            let [n, c, h, w] = axes(sizes);
            [name.into(), n, c, h, w, weight, parameters]
        };
        let mut cells =
            vec![head.map(String::from), line("input", &self.input, String::new(), String::new())];
        for row in &self.rows {
            let weight = row.variables.iter().find(|(name, _)| name == "weight");
            let weight = match (weight, row.parameters) {
                (Some((_, sizes)), _) => times(sizes),
                (None, None) => "?".into(),
                (None, Some(_)) => "-".into(),
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
            notes += "\nweights and parameters: `summary(&vs, …)` with the VarStore of the layers tells them";
        }
        if !self.left_over.is_empty() {
            notes += &format!("\nin the VarStore, but in no layer listed: {}", self.left_over.join(", "));
        }
        notes.trim_start().into()
    }

    /// Shows itself as the last expression of a cell.
    pub fn evcxr_display(&self) {
        let caption = format!("What the layers give on an input of {}", times(&self.input));
        let notes = self.notes();
        let page = html_table(&caption, &self.cells()) + &crate::show::outline(&notes);
        show_html(&page, &self.to_string());
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
