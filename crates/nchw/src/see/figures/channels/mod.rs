//! The figures of `see/channels`.

mod filters;
mod groups;
mod maximise;
mod mix;
mod patches;
