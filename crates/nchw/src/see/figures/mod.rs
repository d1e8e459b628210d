//! How the values of this folder are drawn and displayed: one file for each of them.

mod album;
mod channels;
mod film;
mod grid;
mod heat;
mod network;
mod play;
mod search;
mod semantic;
mod view;

#[cfg(test)]
mod tests;
