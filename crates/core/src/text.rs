//! Small helpers for sentences.

/// `1 axis`, `3 axes`: a number with its noun.
pub fn count_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
