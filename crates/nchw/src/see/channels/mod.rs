//! What the channels of a layer look for: filters, patches, names, groups, and images that activate them.

pub(super) mod filters;
pub(super) mod groups;
pub(super) mod maximise;
pub(super) mod mix;
pub(super) mod names;
pub(super) mod patches;
