//! The arithmetic behind an answer, on request.

use super::question::{Ask, Choice, Question};
use crate::colour::Palette;
use crate::html::matrix_html;
use crate::shapes::Row;

/// All steps, one per line.
pub fn arithmetic(question: &Question) -> String {
    let rows = question.rows();
    let mut lines: Vec<String> = vec![];
    let steps = |part: &dyn Fn(&Row) -> String| -> Vec<String> {
        rows.iter().map(|row| format!("{} on {}\n{}", row.layer, row.input.named(), part(row))).collect()
    };
    match question.ask {
        Ask::Output
        | Ask::OutputSize
        | Ask::OutputChannels
        | Ask::Features
        | Ask::Unknown(_)
        | Ask::UnreadColumns => lines.extend(steps(&|row| row.explain_output().to_string())),
        Ask::Weight | Ask::FilterChannels | Ask::Weights => {
            lines.extend(steps(&|row| row.explain_weight().to_string()).pop());
        }
        Ask::FilterWeights => lines.extend(rows.last().map(|row| {
            let each: Vec<String> = row.weight[1..].iter().map(u64::to_string).collect();
            format!("{}\none filter: {} = {}", row.explain_weight(), each.join("*"), question.answer)
        })),
        Ask::Parameters => lines.extend(steps(&|row| row.explain_parameters().to_string()).pop()),
        Ask::AllParameters => lines.extend(steps(&|row| row.explain_parameters().to_string())),
        Ask::Field | Ask::FieldSide => lines.extend(steps(&|row| row.explain_field().to_string())),
        Ask::Row(row) => lines.push(windows(&question.input, &question.layers, row)),
        Ask::Letters => lines.extend(
            question
                .options
                .iter()
                .filter(|option| question.answer.contains(option.letter))
                .map(|Choice { letter, text }| format!("{letter}: {text}")),
        ),
    }
    if !question.why.is_empty() {
        lines.push(question.why.clone());
    }
    lines.join("\n")
}

/// The sums of one row of a convolution: each window's rows, multiplied and added.
fn windows(image: &str, filter: &str, row: usize) -> String {
    let (image, filter) = (channels(image), channels(filter));
    let (height, width) = (filter[0].len(), filter[0][0].len());
    let mut lines = vec![];
    for left in 0..=image[0][0].len() - width {
        let (mut parts, mut sum) = (vec![], 0);
        for (map, sheet) in image.iter().zip(&filter) {
            for (below, weights) in sheet.iter().enumerate().take(height) {
                let pairs: Vec<(i64, i64)> =
                    weights.iter().enumerate().map(|(x, w)| (*w, map[row + below][left + x])).collect();
                sum += pairs.iter().map(|(w, v)| w * v).sum::<i64>();
                let products: Vec<String> = pairs.iter().map(|(w, v)| format!("{w}*{v}")).collect();
                parts.push(format!("({})", products.join(" + ")));
            }
        }
        lines.push(format!("window at column {left}: {} = {sum}", parts.join(" + ")));
    }
    lines.join("\n")
}

/// The image and the filter of a question about their numbers, as HTML; empty for other questions.
pub fn matrices_html(question: &Question) -> String {
    let Ask::Row(_) = question.ask else { return String::new() };
    let sheets = |name: &str, text: &str, palette: Palette| {
        let sheets = channels(text);
        let caption = |channel| match sheets.len() {
            1 => name.to_owned(),
            _ => format!("{name}, channel {channel}"),
        };
        sheets.iter().enumerate().map(|(n, rows)| matrix_html(&caption(n), rows, palette)).collect::<String>()
    };
    let image = sheets("image", &question.input, Palette::Grey);
    format!("<div>{image}{}</div>", sheets("filter", &question.layers, Palette::Signed))
}

fn channels(text: &str) -> Vec<Vec<Vec<i64>>> {
    let row = |row: &str| row.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    text.split('|').map(|channel| channel.split('/').map(row).collect()).collect()
}
