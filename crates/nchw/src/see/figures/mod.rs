//! How the values of this folder are drawn and displayed: one file for each of them.

mod album;
mod film;
mod filters;
mod grid;
mod heat;
mod mix;
mod patches;
mod semantic;
mod view;

#[cfg(test)]
mod tests;
