//! Training the lecture's network, in a way that survives crashes and interruptions.
//!
//! `recipe` has all options, `batches` shuffles and augments the images, `trainer` takes the
//! steps and can be saved and loaded between any two of them, `run` trains in the background of
//! a notebook, and `report` says how good a network is.

pub(crate) mod batches;
mod figures;
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
