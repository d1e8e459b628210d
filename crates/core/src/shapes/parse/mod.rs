//! Layers from text: the course's own form, and PyTorch's.

pub(in crate::shapes) mod names;
pub(in crate::shapes) mod parser;
pub(in crate::shapes) mod pytorch;
pub(in crate::shapes) mod words;
