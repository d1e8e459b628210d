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

/// Formats a number briefly: 3, −0.5, 1.25, with a real minus sign.
pub fn number(value: f32) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value.abs() >= 1e6 || (value != 0.0 && value.abs() < 1e-3) {
        return format!("{value:.1e}").replace('-', "\u{2212}");
    }
    let digits = match value.abs() {
        a if a >= 100.0 => 0,
        a if a >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.replace('-', "\u{2212}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, -0.0, 3.0, -1.0, 0.333_333, 12.34, 100.4, 1234.0, -2.5e9, 1e-5].map(number);
        assert_eq!(
            shown,
            ["0", "0", "3", "\u{2212}1", "0.33", "12.3", "100", "1234", "\u{2212}2.5e9", "1.0e\u{2212}5"]
        );
    }
}
