//! Small helpers for sentences.

/// `1 axis`, `3 axes`: a number with its noun.
pub fn count_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `14714688` as `14,714,688`.
pub fn commas(number: u64) -> String {
    let digits = number.to_string();
    let threes = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    threes.collect::<Vec<_>>().join(",")
}

/// Rows under each other: names begin at the left, numbers end at the right.
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

/// How many columns a text takes in a terminal: a Hangul letter takes two.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// How many letters must be inserted, left out, changed or swapped with their neighbour.
pub fn distance(a: &str, b: &str) -> usize {
    strsim::osa_distance(a, b)
}
