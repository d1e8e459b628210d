//! Data sets: CIFAR-10, and Shapes-10, which the course draws.

mod balance;
mod bars;
mod binary;
mod cifar10;
mod examples;
mod figures;
mod other;
mod samples;
mod shapes10;

pub use bars::Bars;
pub use binary::{RECORD, Records, read_records};
pub use cifar10::{Candidate, Cifar10, FILES, FOLDER, PER_FILE, candidates, open_batch};
pub use examples::{Dataset, Examples};
pub use other::Other;
pub use samples::planes;
pub use shapes10::{Place, Shapes10};
