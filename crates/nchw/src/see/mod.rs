//! What a network sees: its maps, sums and heat maps for a picture, its filters,
//! and what excites them.
//!
//! Everything begins with one picture and one network: [`see`] gives a [`View`],
//! and each of its methods is one figure, whose numbers are there as tensors.

mod album;
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
mod figure_tests;
#[cfg(test)]
mod tests;
