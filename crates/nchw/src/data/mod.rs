//! Data sets: CIFAR-10, Shapes-10, which the course draws, and folders of your own photos.

mod balance;
mod bars;
mod binary;
mod cifar10;
mod examples;
mod figures;
mod other;
mod photos;
mod samples;
mod shapes10;

pub use bars::Bars;
pub use binary::{RECORD, Records, read_records};
pub use cifar10::{Candidate, Cifar10, FILES, FOLDER, PER_FILE, candidates, open_batch};
pub use examples::{Dataset, Examples};
pub use other::Other;
pub use photos::FolderSettings;
pub use samples::planes;
pub use shapes10::{Place, Shapes10};
