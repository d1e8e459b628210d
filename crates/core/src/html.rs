//! Tables and explanations as HTML.
//!
//! Plain HTML that a screen reader can follow (captions, row and column
//! headers, nested lists) and that needs no style sheet.

use crate::colour::{Palette, readable_on};
use crate::shapes::{Explanation, Problem, Row, Table};
use crate::text::{commas, count_of};

impl Table {
    /// The table as HTML.
    pub fn to_html(&self) -> String {
        let caption = format!("{} on {}", count_of(self.rows.len(), "layer", "layers"), self.input.named());
        let page = html_table(&caption, &self.cells());
        let bytes = format!("<p>activations: {} bytes</p>", commas(self.totals.bytes));
        page + &bytes + &self.problem.as_ref().map_or(String::new(), Problem::to_html)
    }
}

impl Row {
    /// [`Row::explain`] as HTML.
    pub fn to_html(&self) -> String {
        self.explain().to_html()
    }
}

impl Explanation {
    /// The explanation as nested lists in HTML.
    pub fn to_html(&self) -> String {
        outline(&self.to_string())
    }
}

impl Problem {
    /// The problem as nested lists in HTML.
    pub fn to_html(&self) -> String {
        outline(&self.to_string())
    }
}

/// A table whose first row holds the column headers, whose last row holds the totals
/// and whose first column holds the row headers.
pub fn html_table<const COLUMNS: usize>(caption: &str, rows: &[[String; COLUMNS]]) -> String {
    let header = |scope: &str, cell: &String| format!("<th scope=\"{scope}\">{}</th>", mark_korean(cell));
    let line = |row: &[String; COLUMNS]| {
        let cells: String = row[1..].iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{}{cells}</tr>", header("row", &row[0]))
    };
    let [first, body @ .., last] = rows else { return String::new() };
    let columns: String = first.iter().map(|cell| header("col", cell)).collect();
    let body: String = body.iter().map(line).collect();
    format!(
        "<table><caption>{}</caption><thead><tr>{columns}</tr></thead><tbody>{body}</tbody><tfoot>{}</tfoot></table>",
        escape(caption),
        line(last)
    )
}

/// A matrix as a table with the colours of the figures: grey for an image, blue and red for a filter.
pub fn matrix_html(caption: &str, rows: &[Vec<i64>], palette: Palette) -> String {
    let values: Vec<f32> = rows.iter().flatten().map(|value| *value as f32).collect();
    let range = palette.range(&values);
    let cell = |value: &i64| {
        let colour = palette.rgb(*value as f32, range);
        let css = |[r, g, b]: [u8; 3]| format!("rgb({r},{g},{b})");
        format!(
            "<td style=\"width:2em;border:1px solid #888;text-align:center;background:{};color:{}\">{value}</td>",
            css(colour),
            css(readable_on(colour))
        )
    };
    let row = |row: &Vec<i64>| format!("<tr>{}</tr>", row.iter().map(cell).collect::<String>());
    // JupyterLab moves tables to the right.
    format!(
        "<table style=\"display:inline-table;vertical-align:top;margin:0 1.5em 1em 0;border-collapse:collapse\">\
         <caption style=\"text-align:left\">{}</caption><tbody>{}</tbody></table>",
        escape(caption),
        rows.iter().map(row).collect::<String>()
    )
}

/// Marks the Korean word of `개 N` as Korean, so that a screen reader pronounces it correctly.
fn mark_korean(cell: &str) -> String {
    let is_hangul = |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c);
    match cell.split_once(' ') {
        Some((korean, rest)) if korean.chars().all(is_hangul) => {
            format!("<span lang=\"ko\">{korean}</span> {}", escape(rest))
        }
        _ => escape(cell),
    }
}

/// Lines as a list; lines that are indented more form a nested list.
pub fn outline(text: &str) -> String {
    let mut html = String::new();
    let mut open: Vec<usize> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        while open.last().is_some_and(|last| *last > indent) {
            open.pop();
            html += "</li></ul>";
        }
        if open.last() == Some(&indent) {
            html += "</li><li>";
        } else {
            open.push(indent);
            html += "<ul><li>";
        }
        html += &escape(line.trim());
    }
    html + &"</li></ul>".repeat(open.len())
}

/// Escapes text for HTML and joins its lines into one.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::{conv, table};

    #[test]
    fn a_table_has_a_caption_and_headers() {
        let page = table("2x3x7x9", "conv 3->10 3x3").unwrap().to_html();
        assert_eq!(
            page,
            "<table><caption>1 layer on N=2 C=3 H=7 W=9</caption><thead><tr><th scope=\"col\">layer</th>\
             <th scope=\"col\"><span lang=\"ko\">개</span> N</th><th scope=\"col\"><span lang=\"ko\">채</span> C</th>\
             <th scope=\"col\"><span lang=\"ko\">행</span> H</th><th scope=\"col\"><span lang=\"ko\">열</span> W</th>\
             <th scope=\"col\">weight</th><th scope=\"col\">parameters</th><th scope=\"col\">multiply-adds</th>\
             <th scope=\"col\">sees (H x W)</th></tr></thead><tbody><tr><th scope=\"row\">input</th><td>2</td><td>3</td>\
             <td>7</td><td>9</td><td></td><td></td><td></td><td></td></tr><tr><th scope=\"row\">conv 3-&gt;10 3x3</th>\
             <td>2</td><td>10</td><td>5</td><td>7</td><td>10x3x3x3</td><td>280</td><td>18,900</td><td>3x3</td></tr></tbody>\
             <tfoot><tr><th scope=\"row\">total</th><td></td><td></td><td></td><td></td><td></td><td>280</td>\
             <td>18,900</td><td></td></tr></tfoot></table><p>activations: 2,800 bytes</p>"
        );
    }

    #[test]
    fn a_problem_is_listed_below_the_rows_that_fit() {
        let page = table("3x7x9", "conv 10 3x3; conv 3->20 3x3").unwrap().to_html();
        assert!(page.starts_with("<table><caption>1 layer on C=3 H=7 W=9</caption>"), "{page}");
        let (_, problem) = page.split_once("bytes</p>").unwrap();
        assert_eq!(
            problem,
            "<ul><li>layer 2, `conv 3-&gt;20 3x3`, does not fit on C=10 H=5 W=7<ul><li>axis C (channels): expected 10 \
             (a filter must have as many channels as its input), got 3</li><li>likely cause: these are the channels \
             of an earlier layer, not those of the layer directly before</li><li>instead: 10, or omit the number: \
             the input determines it; `conv 10-&gt;20 3x3` would fit</li></ul></li></ul>"
        );
    }

    #[test]
    fn indented_lines_become_nested_lists() {
        assert_eq!(
            outline("a\n  b <\n      c\n  d\n\ne"),
            "<ul><li>a<ul><li>b &lt;<ul><li>c</li></ul></li><li>d</li></ul></li><li>e</li></ul>"
        );
        let explained = outline(&conv(10, 3).stride(2).on([3, 7, 8]).unwrap().explain().to_string());
        assert_eq!(explained.matches("<ul>").count(), explained.matches("</ul>").count());
        assert!(
            explained.contains("left over</li><li>no window reads column 7 (counted from 0)</li></ul>"),
            "{explained}"
        );
    }
}
