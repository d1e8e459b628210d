//! What a network sees in an image: its feature maps and heat maps, its filters, and the patches that
//! activate them.
//!
//! [`see`] runs one image through a network and gives a [`View`]. Each method of the view draws one figure,
//! whose numbers are available as tensors.

mod album;
mod channels;
mod figures;
mod film;
mod grid;
mod heat;
mod progress;
mod search;
mod semantic;
mod view;

pub use album::{Album, album};
pub use channels::filters::{FilterBank, filters};
pub use channels::groups::{GroupMap, Groups, groups};
pub use channels::maximise::{Maximised, maximise};
pub use channels::mix::Mix;
pub use channels::patches::{Patches, patches};
pub use film::Film;
pub use grid::MapGrid;
pub use heat::Heat;
pub use search::{HeatSearch, Hidden, heat_search};
pub use semantic::Semantic;
pub use view::{View, see};
#[cfg(test)]
mod tests;
