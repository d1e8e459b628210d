//! Numbers in sentences, aligned columns, and edit distance.

use std::fmt::Display;

/// `1 axis`, `3 axes`: a number with its noun.
pub fn count_of<N: Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    let noun = if count == N::from(1) { one } else { many };
    format!("{count} {noun}")
}

/// `14714688` as `14,714,688`.
pub fn commas(number: u64) -> String {
    let digits = number.to_string();
    let threes = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    threes.collect::<Vec<_>>().join(",")
}

/// Rows as lines of text: the first column aligned left, all others right.
///
/// comfy-table would not make this shorter: its borders, the alignment of each column and the blanks
/// between columns need settings. It would also be one more crate in every kernel and web page.
pub fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(widest);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let fill = " ".repeat(widths[column] - width(cell));
            line += &if column == 0 { format!("{cell}{fill}") } else { format!("  {fill}{cell}") };
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}

/// The width of a text in terminal columns: a Hangul letter takes two.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// The edit distance: how many letters must be inserted, deleted, changed or swapped with a neighbour.
pub fn distance(a: &str, b: &str) -> usize {
    strsim::osa_distance(a, b)
}
