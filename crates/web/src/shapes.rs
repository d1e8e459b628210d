//! The shape lab: the table of a chain that the reader types, and the receptive field of one value.

use crate::module::Module;
use nchw_core::lecture::LectureNetConfig;
use nchw_core::shapes::{Chain, HEAD, Row, Shape, Table};
use nchw_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ops::Range;

/// Chains to begin with: the name, the input, the layers.
const PRESETS: [(&str, &str, &str); 6] = [
    (
        "A first chain",
        "3x32x32",
        "conv 8 3x3\nrelu\nmaxpool 2\nconv 16 3x3 padding 1\nrelu\nmaxpool 2\nflatten\nlinear 10",
    ),
    (
        "LeNet-5",
        "1x32x32",
        "conv 6 5x5\nrelu\navgpool 2\nconv 16 5x5\nrelu\navgpool 2\nconv 120 5x5\nrelu\nflatten\nlinear 84\nrelu\nlinear 10",
    ),
    (
        "AlexNet, in PyTorch's notation",
        "3x224x224",
        "nn.Sequential(\n  nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),\n  nn.ReLU(),\n  nn.MaxPool2d(3, 2),\n  \
         nn.Conv2d(64, 192, kernel_size=5, padding=2),\n  nn.ReLU(),\n  nn.MaxPool2d(3, 2),\n  \
         nn.Conv2d(192, 384, kernel_size=3, padding=1),\n  nn.ReLU(),\n  \
         nn.Conv2d(384, 256, kernel_size=3, padding=1),\n  nn.ReLU(),\n  \
         nn.Conv2d(256, 256, kernel_size=3, padding=1),\n  nn.ReLU(),\n  nn.MaxPool2d(3, 2),\n  \
         nn.Flatten(),\n  nn.Linear(9216, 4096),\n  nn.ReLU(),\n  nn.Linear(4096, 10),\n)",
    ),
    (
        "Dilation: a receptive field with gaps",
        "1x33x33",
        "conv 4 3x3 dilation 2 padding 2\nconv 4 3x3 dilation 4 padding 4\nconv 4 3x3 dilation 8 padding 8",
    ),
    (
        "A batch of 8, and stride",
        "8x3x30x40",
        "conv 16 5x5 stride 2 padding 2\nbn\nrelu\nconv 32 3x3 stride 2\nbn\nrelu\ngap\nflatten\nlinear 10",
    ),
    ("A mistake to repair", "3x32x32", "conv 8 3x3\nmaxpool 2\nconv 3->16 3x3\nflatten\nlinear 10"),
];

#[derive(Deserialize)]
pub struct Text {
    input: String,
    layers: String,
}

/// Where a mistake is: in which text, and in which characters.
#[derive(Serialize)]
struct Mistake {
    /// `input` or `layers`.
    field: &'static str,
    from: usize,
    to: usize,
    /// What is wrong: the first line is the most important.
    says: Vec<String>,
    /// Layers that would fit instead of the marked ones.
    instead: Option<String>,
}

/// The chains that a reader can begin with.
pub fn presets(_: &mut Module, _: Value) -> Result<Value> {
    // A line for each convolution, with the batch normalisation and the ReLU after it.
    let lecture = LectureNetConfig::default().chain().to_string();
    let lecture = lecture.replace("; ", "\n").replace("\nbn", "; bn").replace("\nrelu", "; relu");
    let mut all = PRESETS.to_vec();
    all.insert(1, ("The lecture's network", "3x32x32", &lecture));
    Ok(all
        .iter()
        .map(|(name, input, layers)| json!({"name": name, "input": input, "layers": layers}))
        .collect())
}

/// The table as cells, the numbers that a figure draws, and the first mistake. Only the layers before a
/// mistake have rows.
pub fn table(_: &mut Module, text: Text) -> Result<Value> {
    let chain = match read(&text) {
        Ok(read) => read,
        Err(mistake) => return Ok(json!({"mistake": mistake})),
    };
    let table = chain.1.on(chain.0);
    let [_, body @ .., total] = &table.cells()[..] else {
        return Err(Error::new("the table has no header"));
    };
    let mut body: Vec<Value> = body.iter().map(|cells| json!({"cells": cells})).collect();
    for (row, line) in table.rows.iter().zip(body.iter_mut().skip(1)) {
        line["positions"] = json!(row.positions());
        line["explained"] = json!(row.to_html());
    }
    let mistake = table.problem.as_ref().map(|_| misfit(&text, &table));
    let batched = table.input.sizes().len() % 2 == 0;
    Ok(json!({
        "head": HEAD, "rows": body, "total": total, "mistake": mistake, "batched": batched,
        "input": table.input.sizes(), "output": table.output().named(),
    }))
}

/// The input and the chain, or the first mistake in their texts.
fn read(text: &Text) -> Result<(Shape, Chain), Mistake> {
    let input = text.input.parse().map_err(|error| unreadable("input", &text.input, &error))?;
    let chain = text.layers.parse().map_err(|error| unreadable("layers", &text.layers, &error))?;
    Ok((input, chain))
}

fn unreadable(field: &'static str, text: &str, error: &Error) -> Mistake {
    let Range { start, end } = error.characters().unwrap_or(0..text.chars().count());
    // The lines below show the text with carets, which the page marks itself.
    let says = error.to_string().lines().next().unwrap_or_default().to_string();
    Mistake { field, from: start, to: end, says: vec![says], instead: None }
}

fn misfit(text: &Text, table: &Table) -> Option<Mistake> {
    let problem = table.problem.as_ref()?;
    let spans = Chain::spans(&text.layers).unwrap_or_default();
    let Range { start, end } = spans.get(problem.position - 1).cloned().unwrap_or_default();
    let says = problem.to_string().lines().map(|line| line.trim().to_string()).collect();
    let instead: Vec<String> = problem.instead.iter().map(ToString::to_string).collect();
    let instead = (!instead.is_empty()).then(|| instead.join("; "));
    Some(Mistake { field: "layers", from: start, to: end, says, instead })
}

#[derive(Deserialize)]
pub struct Position {
    #[serde(flatten)]
    text: Text,
    /// The number of the layer; the first is 1.
    layer: usize,
    row: u64,
    col: u64,
}

/// The rows and columns of the input that one value of a layer's output depends on, each as a list of
/// ranges from the first to the last.
pub fn field(_: &mut Module, position: Position) -> Result<Value> {
    let (input, chain) = read(&position.text).map_err(|mistake| Error::new(mistake.says.concat()))?;
    let table = chain.on(input);
    let none = || Error::new(format!("there is no layer {}", position.layer));
    let row = position.layer.checked_sub(1).and_then(|at| table.rows.get(at)).ok_or_else(none)?;
    let seen = row.sees(position.row, position.col)?;
    let says = match row.positions() {
        Some([1, 1]) => format!("The value sees {seen} of the input."),
        _ => format!("The value in row {}, column {} sees {seen} of the input.", position.row, position.col),
    };
    let says = if seen.rows.is_empty() { "This value sees only padding.".into() } else { says };
    let across = row.field.map(|field| [field.h.size, field.w.size]);
    let cut = |seen: &[u64], size: u64| seen.last().map_or(0, |last| last - seen[0] + 1) < size;
    let padded = across.is_some_and(|[h, w]| cut(&seen.rows, h) || cut(&seen.cols, w));
    let padding = padding_note(row, padded);
    Ok(json!({"rows": runs(&seen.rows), "cols": runs(&seen.cols), "says": says + &padding}))
}

/// What the drawing cannot show: a part of the receptive field outside of the input.
fn padding_note(row: &Row, padded: bool) -> String {
    match row.field {
        Some(field) if padded => {
            let (h, w) = (field.h.size, field.w.size);
            format!(" The rest of its receptive field of {h}x{w} lies in the padding.")
        }
        _ => String::new(),
    }
}

/// `[3, 4, 5, 8]` as `[[3, 5], [8, 8]]`.
fn runs(positions: &[u64]) -> Vec<[u64; 2]> {
    let runs = positions.chunk_by(|a, b| a + 1 == *b);
    runs.filter_map(|run| Some([*run.first()?, *run.last()?])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(call: fn(&mut Module, Text) -> Result<Value>, input: &str, layers: &str) -> Value {
        call(&mut Module::default(), Text { input: input.into(), layers: layers.into() }).unwrap()
    }

    fn seen(layers: &str, layer: usize, row: u64, col: u64) -> Result<Value> {
        let text = Text { input: "3x12x14".into(), layers: layers.into() };
        field(&mut Module::default(), Position { text, layer, row, col })
    }

    #[test]
    fn a_chain_has_a_row_for_each_layer_and_a_total() {
        let table = ask(table, "3x32x32", "conv 32 3x3 padding 1; relu; maxpool 2; flatten; linear 10");
        assert_eq!(table["rows"].as_array().unwrap().len(), 6);
        let cells = ["conv 32 3x3 padding 1", "1", "32", "32", "32", "32x3x3x3", "896", "884,736", "3x3"];
        assert_eq!(table["rows"][1]["cells"], json!(cells));
        assert_eq!(table["rows"][3]["positions"], json!([16, 16]));
        assert_eq!((&table["mistake"], &table["batched"]), (&Value::Null, &json!(false)));
        assert_eq!(table["total"][6], json!("82,826"));
    }

    #[test]
    fn every_preset_is_as_its_name_says() {
        let all = presets(&mut Module::default(), Value::Null).unwrap();
        for preset in all.as_array().unwrap() {
            let text = |name: &str| preset[name].as_str().unwrap();
            let table = ask(table, text("input"), text("layers"));
            assert_eq!(table["mistake"].is_null(), !text("name").contains("mistake"), "{table}");
        }
    }

    #[test]
    fn a_mistake_is_marked_where_it_is() {
        let mistake = |input: &str, layers: &str| ask(table, input, layers)["mistake"].clone();
        let found = mistake("3x32x32", "conv 8 3x3; cnov 4 3x3");
        assert_eq!(
            (&found["field"], &found["from"], &found["to"]),
            (&json!("layers"), &json!(12), &json!(16))
        );
        assert_eq!(
            found["says"],
            json!(["line 1, column 13: there is no layer `cnov`: did you mean `conv`?"])
        );
        let found = mistake("3x3q2x32", "relu");
        assert_eq!((&found["field"], &found["from"]), (&json!("input"), &json!(2)));
        // Full-width characters are three bytes long, and one character.
        let found = mistake("3x32x32", "ｃonv 8 3x3；conv 3->4 3x3");
        assert_eq!((&found["from"], &found["to"]), (&json!(11), &json!(24)));
        assert_eq!(found["instead"], json!("conv 8->4 3x3"));
        assert!(found["says"][1].as_str().unwrap().contains("expected 8"), "{found}");
        assert_eq!(mistake("3x9x9", "linear 10")["instead"], json!("flatten; linear 10"));
        assert!(mistake("", "")["says"][0].as_str().unwrap().contains("expected"));
    }

    #[test]
    fn the_receptive_field_is_a_list_of_ranges() {
        let pooled = seen("conv 8 3; maxpool 2", 2, 0, 2).unwrap();
        assert_eq!((&pooled["rows"], &pooled["cols"]), (&json!([[0, 3]]), &json!([[4, 7]])));
        let gaps = seen("conv 8 3 dilation 2", 1, 1, 1).unwrap();
        assert_eq!(gaps["rows"], json!([[1, 1], [3, 3], [5, 5]]));
        let corner = seen("conv 8 3 padding 1", 1, 0, 0).unwrap();
        assert!(corner["says"].as_str().unwrap().contains("of 3x3 lies in the padding"), "{corner}");
        assert!(seen("conv 8 3", 1, 99, 0).unwrap_err().to_string().contains("there is no row 99"));
        assert!(seen("conv 8 3", 2, 0, 0).unwrap_err().to_string().contains("no layer 2"));
        assert!(seen("conv 8 3", 0, 0, 0).is_err());
    }

    #[test]
    fn inputs_of_any_size_get_an_answer() {
        for (input, layers) in [
            ("3x1000000000x1000000000", "gap"),
            ("1x1x1", "relu"),
            ("9000000000000000000x9x9", "conv 3 3"),
            ("40", "linear 3"),
        ] {
            let found = ask(table, input, layers);
            assert!(found["rows"].is_array() || found["mistake"].is_object());
            let text = Text { input: input.into(), layers: layers.into() };
            let _ = field(&mut Module::default(), Position { text, layer: 1, row: 0, col: 0 });
        }
    }
}
