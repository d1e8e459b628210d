//! Training: the lecture's network, in a way that survives crashes and interruptions, and small
//! networks.
//!
//! `training` is the loop of all trainings. For the lecture's network, `recipe` has all options,
//! `batches` shuffles and augments the images, `trainer` takes the steps, `test_pass` tests
//! between the epochs, `checkpoint` saves and
//! loads a training between any two of them, `run` trains in the background of a notebook, and
//! `report` says how good a network is. `fit` trains small networks and fine-tunes, and `shuffle` is an experiment
//! with them.

pub(crate) mod batches;
mod checkpoint;
mod figures;
mod fit;
mod folder;
mod recipe;
mod report;
mod run;
mod shuffle;
mod test_pass;
mod trainer;
mod training;

pub use fit::{Curve, FitSettings, fit};
pub(crate) use folder::{runs, snapshots};
pub use recipe::{Precision, Recipe};
pub use report::{Report, evaluate};
pub use run::{Run, State, Status, train};
pub use shuffle::{MovedShapes, Permutation, ShuffledPixels, moved_shapes, shuffled_pixels};
pub use training::EpochLog;

#[cfg(test)]
mod tests;
