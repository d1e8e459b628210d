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
mod heat;
mod mix;
mod patches;
mod semantic;
mod view;

pub use album::{Album, album};
pub use film::Film;
pub use filters::{FilterBank, filters};
pub use grid::MapGrid;
pub use heat::Heat;
pub use mix::Mix;
pub use patches::{Patches, patches};
pub use semantic::Semantic;
pub use view::{View, see};
#[cfg(test)]
mod tests;
