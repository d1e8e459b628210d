//! How the values of this folder are drawn and displayed: one file for each of them.

mod album;
mod film;
mod filters;
mod grid;
mod groups;
mod heat;
mod maximise;
mod mix;
mod network;
mod patches;
mod search;
mod semantic;
mod view;

#[cfg(test)]
mod tests;
