//! Training the lecture's network so that it survives whatever happens.
//!
//! `recipe` says how, `batches` makes what it learns from, `trainer` learns step
//! by step and can be written to disk and read again between any two steps,
//! `run` does so in the background of a notebook.

pub(crate) mod batches;
mod folder;
mod recipe;
mod report;
mod run;
mod trainer;

pub(crate) use folder::{runs, snapshots};
pub use recipe::{Precision, Recipe};
pub use report::{Report, evaluate};
pub use run::{Run, State, Status, train};
pub use trainer::EpochLog;

#[cfg(test)]
mod tests;
