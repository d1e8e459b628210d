//! Where a chain breaks, why, and what would fit.

use super::layer::{Layer, joined};
use super::shape::Shape;
use crate::error::debug_as_display;
use std::fmt;

/// Where a chain breaks, why, and what would fit.
#[derive(Clone, PartialEq)]
pub struct Problem {
    /// Which layer it is; the first is 1.
    pub position: usize,
    /// The layer that does not fit.
    pub layer: Layer,
    /// What came to it.
    pub input: Shape,
    /// What was expected and what came, with the axis.
    pub what: String,
    /// The likely cause.
    pub why: String,
    /// What to do.
    pub fix: String,
    /// Layers that fit in its place; empty when it is the input that is wrong.
    pub instead: Vec<Layer>,
}

impl Problem {
    /// What stands behind the layer's name.
    fn says(&self) -> String {
        let Problem { input, what, why, fix, instead, .. } = self;
        let fits =
            if instead.is_empty() { String::new() } else { format!("; `{}` would fit", joined(instead)) };
        format!("does not fit on {}\n  {what}\n  likely cause: {why}\n  instead: {fix}{fits}", input.named())
    }

    /// The same of a layer that belongs to no chain.
    pub fn alone(&self) -> String {
        format!("`{}` {}", self.layer, self.says())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {}, `{}`, {}", self.position, self.layer, self.says())
    }
}

debug_as_display!(Problem);
