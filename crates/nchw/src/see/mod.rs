//! What a network sees in an image: its feature maps and heat maps, its filters, and the patches that
//! activate them.
//!
//! [`see`] runs one image through a network and gives a [`View`]. Each method of the view draws one figure,
//! whose numbers are available as tensors.

mod album;
mod figures;
mod film;
mod filters;
mod grid;
mod groups;
mod heat;
mod maximise;
mod mix;
mod names;
mod patches;
mod progress;
mod search;
mod semantic;
mod view;

pub use album::{Album, album};
pub use film::Film;
pub use filters::{FilterBank, filters};
pub use grid::MapGrid;
pub use groups::{GroupMap, Groups, groups};
pub use heat::Heat;
pub use maximise::{Maximised, maximise};
pub use mix::Mix;
pub use patches::{Patches, patches};
pub use search::{HeatSearch, Hidden, heat_search};
pub use semantic::Semantic;
pub use view::{View, see};
#[cfg(test)]
mod tests;
