//! What a layer does to an input: its shape, its windows, its receptive field, and what can be wrong.

pub(in crate::shapes) mod fault;
pub(in crate::shapes) mod field;
pub(in crate::shapes) mod row;
pub(in crate::shapes) mod slide;
