//! The course's chores.
fn main() {}
