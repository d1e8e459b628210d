//! The table of a chain, with one row per layer.

use super::apply::field::AxisField;
use super::apply::row::Row;
use super::problem::Problem;
use super::shape::{Shape, times};
use crate::text::{aligned, commas};
use crate::{Error, Result, error::debug_as_display};
use serde_json::json;
use std::fmt;

/// The shapes and costs of every layer of a chain, up to the first that does not fit.
///
/// It prints as a table; `to_markdown` and `to_json` are for web pages and programs.
#[derive(Clone)]
pub struct Table {
    /// The input of the chain.
    pub input: Shape,
    /// One row for each layer that fits.
    pub rows: Vec<Row>,
    /// The totals of the rows.
    pub totals: Totals,
    /// The first layer that does not fit; the rows stop before it.
    pub problem: Option<Problem>,
}

/// The totals of a table's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of parameters; it does not depend on the batch size.
    pub parameters: u64,
    /// Multiply-adds for the whole batch.
    pub multiply_adds: u64,
    /// Bytes of all layers' outputs for the whole batch (fp32), without the input.
    pub bytes: u64,
}

/// The columns of a table; the summary of a network ends with the parameters.
pub const HEAD: [&str; 9] =
    ["layer", "개 N", "채 C", "행 H", "열 W", "weight", "parameters", "multiply-adds", "sees (H x W)"];

impl Table {
    /// The output of the last layer that fits.
    pub fn output(&self) -> Shape {
        self.rows.last().map_or(self.input, |row| row.output)
    }

    /// The table itself if every layer fits.
    ///
    /// # Errors
    /// When a layer does not fit. The message holds the rows before it, and what is wrong with it.
    pub fn ok(self) -> Result<Table> {
        if self.problem.is_some() { Err(Error::new(self.to_string())) } else { Ok(self) }
    }

    /// The rows as cells: the header, the input, the layers, the totals.
    pub fn cells(&self) -> Vec<[String; 9]> {
        let input = std::iter::once(("input".to_string(), self.input, None));
        let rows = self.rows.iter().map(|row| (row.layer.to_string(), row.output, Some(row)));
        let mut cells = vec![HEAD.map(String::from)];
        for (name, shape, row) in input.chain(rows) {
            let [n, c, h, w] = axes(shape);
            let [weight, parameters, multiply_adds, sees] = row.map(costs).unwrap_or_default();
            cells.push([name, n, c, h, w, weight, parameters, multiply_adds, sees]);
        }
        let [parameters, multiply_adds] = [self.totals.parameters, self.totals.multiply_adds].map(commas);
        cells.push(["total", "", "", "", "", "", &parameters, &multiply_adds, ""].map(String::from));
        cells
    }

    /// As a Markdown table, with the problem below it.
    pub fn to_markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ").replace("->", "→"));
        let mut lines: Vec<String> = self.cells().iter().map(|cells| line(cells)).collect();
        lines.insert(1, "| :-- | --: | --: | --: | --: | --: | --: | --: | --: |\n".into());
        let mut text = lines.concat();
        if let Some(problem) = &self.problem {
            text += &format!("\n```text\n{problem}\n```\n");
        }
        text
    }

    /// As JSON: `input`, `rows`, `totals`, and `problem`, which is null when every layer fits.
    pub fn to_json(&self) -> String {
        let field = |s: AxisField| json!({"size": s.size, "jump": s.jump, "first_centre": s.first});
        let rows = self.rows.iter().map(|row| {
            json!({
                "layer": row.layer.to_string(),
                "input": row.input.sizes(),
                "output": row.output.sizes(),
                "weight": row.weight,
                "bias": row.bias,
                "parameters": row.parameters,
                "multiply_adds": row.multiply_adds,
                "bytes": row.bytes,
                "field": row.field.map(|f| json!({"h": field(f.h), "w": field(f.w)})),
            })
        });
        let problem = self.problem.as_ref().map(|p| {
            json!({
                "position": p.position,
                "layer": p.layer.to_string(),
                "input": p.input.sizes(),
                "what": p.what,
                "why": p.why,
                "fix": p.fix,
                "instead": p.instead.iter().map(|layer| layer.to_string()).collect::<Vec<_>>(),
            })
        });
        let Totals { parameters, multiply_adds, bytes } = self.totals;
        let totals = json!({"parameters": parameters, "multiply_adds": multiply_adds, "bytes": bytes});
        let rows = rows.collect::<Vec<_>>();
        let all = json!({"input": self.input.sizes(), "rows": rows, "totals": totals, "problem": problem});
        format!("{all:#}")
    }
}

/// The four columns: a missing batch axis counts as 1, and flattened values are in column C (axis 1).
fn axes(shape: Shape) -> [String; 4] {
    match shape {
        Shape::Maps(m) => [m.n, m.c, m.h, m.w].map(|size| size.to_string()),
        Shape::Flat(f) => [f.n.to_string(), f.features.to_string(), "-".into(), "-".into()],
    }
}

/// The last four columns.
fn costs(row: &Row) -> [String; 4] {
    let weight = if row.weight.is_empty() { "-".into() } else { times(&row.weight) };
    let sees = row.field.map_or("-".into(), |field| field.size().to_string());
    [weight, commas(row.parameters), commas(row.multiply_adds), sees]
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&aligned(&self.cells()))?;
        write!(f, "activations: {} bytes", commas(self.totals.bytes))?;
        self.problem.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} gives {}", self.layer, self.input, self.output)?;
        if !self.weight.is_empty() {
            let noun = if self.parameters == 1 { "parameter" } else { "parameters" };
            write!(f, ", weight {}, {} {noun}", times(&self.weight), commas(self.parameters))?;
        }
        Ok(())
    }
}

debug_as_display!(Table, Row);
