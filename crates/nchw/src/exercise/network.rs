//! The goal of an exercise that asks for a network of tch.

use super::compare;
use crate::Result;
use crate::shapes::{Chain, Row, Shape, Table, commas, times};
use crate::summary::{Summary, SummaryRow};
use serde::Deserialize;

/// A network of tch that the learner wrote, judged by its summary.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// The sizes of the images.
    pub input: String,
    /// The layers that it must have, apart from their names.
    pub layers: String,
    #[serde(default)]
    pub wrong: Vec<NetworkWrong>,
}

/// A network with the right weights, but with other parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkWrong {
    pub layers: String,
    pub says: String,
}

/// A weight of a network.
struct Weight {
    layer: String,
    sizes: Vec<i64>,
    /// What its layer outputs; `None` if the layer has several weights.
    output: Option<Vec<i64>>,
}

impl Weight {
    /// What is wrong with the weight with this number, or with the output of its layer.
    fn compared(&self, wanted: &Weight, number: usize) -> Vec<String> {
        let names = |count| if count == 2 { &["N (nodes)", "C (inputs)"] } else { compare::axes(count) };
        let wrong = compare::sizes(&self.sizes, &wanted.sizes, names(wanted.sizes.len()));
        if !wrong.is_empty() {
            return [vec![format!("weight {number} of the network, in layer `{}`:", self.layer)], wrong]
                .concat();
        }
        let (Some(output), Some(wanted)) = (&self.output, &wanted.output) else { return vec![] };
        match compare::sizes(output, wanted, names(wanted.len())) {
            wrong if wrong.is_empty() => wrong,
            wrong => [vec![format!("the output of layer `{}`:", self.layer)], wrong].concat(),
        }
    }
}

impl Network {
    /// The table of these layers.
    pub fn table(&self, layers: &str) -> Result<Table> {
        layers.parse::<Chain>()?.on(self.input.parse::<Shape>()?).ok()
    }

    /// What is not right yet; empty if everything is.
    pub fn judge(&self, given: &Summary) -> Result<Vec<String>> {
        let wanted = self.table(&self.layers)?;
        if given.input != wanted.input.sizes() {
            let (input, is) = (times(&wanted.input.sizes()), times(&given.input));
            return Ok(vec![format!("expected a summary for images of {input}, got one for {is}")]);
        }
        let Some(parameters) = given.parameters else {
            return Ok(vec![
                "the weights are unknown: write `summary(&with_weights(&net, &vs), &images)?`, with the VarStore \
                 of this network"
                    .into(),
            ]);
        };
        if !given.left_over.is_empty() {
            return Ok(vec![format!(
                "no layer of the network uses {}: is each layer added once, and is the VarStore new?",
                given.left_over.join(", ")
            )]);
        }
        let (given_weights, wanted_weights) = (weights(given), wanted_weights(&wanted));
        for (number, (given, wanted)) in given_weights.iter().zip(&wanted_weights).enumerate() {
            let wrong = given.compared(wanted, number + 1);
            if !wrong.is_empty() {
                return Ok(wrong);
            }
        }
        if given_weights.len() != wanted_weights.len() {
            let is = if given_weights.len() < wanted_weights.len() { "too few" } else { "too many" };
            return Ok(vec![format!(
                "{} convolutions and linear layers are {is}; the first {} are right",
                given_weights.len(),
                given_weights.len().min(wanted_weights.len())
            )]);
        }
        if parameters == wanted.totals.parameters {
            return Ok(vec![]);
        }
        for wrong in &self.wrong {
            if self.table(&wrong.layers)?.totals.parameters == parameters {
                return Ok(vec![wrong.says.clone()]);
            }
        }
        let is = if parameters < wanted.totals.parameters { "too few" } else { "too many" };
        Ok(vec![format!("the weights are right, but {} parameters are {is}", commas(parameters))])
    }
}

fn signed(sizes: &[u64]) -> Vec<i64> {
    sizes.iter().map(|&size| size as i64).collect()
}

/// The weights of the convolutions and linear layers of a network, in order.
fn weights(summary: &Summary) -> Vec<Weight> {
    let of_row = |row: &SummaryRow| -> Vec<Weight> {
        let sizes = row.variables.iter().map(|(_, sizes)| signed(sizes)).filter(|sizes| sizes.len() > 1);
        let sizes: Vec<Vec<i64>> = sizes.collect();
        let output = (sizes.len() == 1).then(|| signed(&row.output));
        sizes
            .into_iter()
            .map(|sizes| Weight { layer: row.name.clone(), sizes, output: output.clone() })
            .collect()
    };
    summary.rows.iter().flat_map(of_row).collect()
}

fn wanted_weights(table: &Table) -> Vec<Weight> {
    let of_row = |row: &Row| Weight {
        layer: row.layer.to_string(),
        sizes: signed(&row.weight),
        output: Some(signed(&row.output.sizes())),
    };
    table.rows.iter().filter(|row| row.weight.len() > 1).map(of_row).collect()
}
