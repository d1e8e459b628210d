//! Texts of notes on a folder of photos.

/// A class with fewer images gets a warning.
pub(super) const FEW: usize = 10;
/// How many files a note names.
const NAMED: usize = 12;

/// A number with its noun and verb.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first of these texts, and how many more there are.
pub(super) fn some_of(texts: &[String]) -> String {
    let more = texts.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    texts.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ") + &more
}
