//! Tables and explanations as HTML.
//!
//! Plain HTML that a screen reader can walk through (captions, heads of rows
//! and columns, nested lists) and that needs no style sheet.

use crate::shapes::{Explanation, Problem, Row, Table};
use crate::text::commas;

impl Table {
    /// The table as HTML.
    pub fn to_html(&self) -> String {
        table_page(self)
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

fn table_page(table: &Table) -> String {
    let caption = format!("{} layers on {}", table.rows.len(), table.input.named());
    let caption = caption.replacen("1 layers", "1 layer", usize::from(table.rows.len() == 1));
    let page = html_table(&caption, &table.cells());
    let bytes = format!("<p>activations: {} bytes</p>", commas(table.totals.bytes));
    let problem = table.problem.as_ref().map_or(String::new(), |problem| outline(&problem.to_string()));
    page + &bytes + &problem
}

/// A table whose first row is the head of its columns, whose last is the total
/// and whose first column is the head of its rows.
pub fn html_table<const COLUMNS: usize>(caption: &str, rows: &[[String; COLUMNS]]) -> String {
    let head = |scope: &str, cell: &String| format!("<th scope=\"{scope}\">{}</th>", in_its_language(cell));
    let line = |row: &[String; COLUMNS]| {
        let cells: String = row[1..].iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{}{cells}</tr>", head("row", &row[0]))
    };
    let [first, body @ .., last] = rows else { return String::new() };
    let columns: String = first.iter().map(|cell| head("col", cell)).collect();
    let body: String = body.iter().map(line).collect();
    format!(
        "<table><caption>{}</caption><thead><tr>{columns}</tr></thead><tbody>{body}</tbody><tfoot>{}</tfoot></table>",
        escape(caption),
        line(last)
    )
}

/// `개 N`, with the Korean marked for a screen reader's voice.
fn in_its_language(cell: &str) -> String {
    let is_hangul = |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c);
    match cell.split_once(' ') {
        Some((korean, rest)) if korean.chars().all(is_hangul) => {
            format!("<span lang=\"ko\">{korean}</span> {}", escape(rest))
        }
        _ => escape(cell),
    }
}

/// Lines as a list; a line that is indented more stands in a list below.
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

/// Text as it stands in HTML, on one line.
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
    fn a_table_has_a_caption_and_heads() {
        let page = table_page(&table("2x3x7x9", "conv 3->10 3x3").unwrap());
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
    fn what_is_wrong_stands_below_the_rows_that_fit() {
        let page = table_page(&table("3x7x9", "conv 10 3x3; conv 3->20 3x3").unwrap());
        assert!(page.starts_with("<table><caption>1 layer on C=3 H=7 W=9</caption>"), "{page}");
        let (_, problem) = page.split_once("bytes</p>").unwrap();
        assert_eq!(
            problem,
            "<ul><li>layer 2, `conv 3-&gt;20 3x3`, does not fit on C=10 H=5 W=7<ul><li>axis C (channels): expected 10 \
             (a filter has as many channels as what it is laid on), and got 3</li><li>likely cause: the channels of an \
             earlier layer were written, not those of the layer just before</li><li>instead: 10, or leave the number \
             out: it is not yours to choose; `conv 10-&gt;20 3x3` would fit</li></ul></li></ul>"
        );
    }

    #[test]
    fn indented_lines_become_lists_in_lists() {
        assert_eq!(
            outline("a\n  b <\n      c\n  d\n\ne"),
            "<ul><li>a<ul><li>b &lt;<ul><li>c</li></ul></li><li>d</li></ul></li><li>e</li></ul>"
        );
        let explained = outline(&conv(10, 3).stride(2).on([3, 7, 8]).unwrap().explain().to_string());
        assert_eq!(explained.matches("<ul>").count(), explained.matches("</ul>").count());
        assert!(
            explained.contains("left over</li><li>column 7 (from 0) is never looked at</li></ul>"),
            "{explained}"
        );
    }
}
