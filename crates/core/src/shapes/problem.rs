//! The first layer of a chain that does not fit, why it does not, and what would fit.

use super::layer::{Layer, joined};
use super::shape::Shape;
use crate::error::debug_as_display;
use std::fmt;

/// The first layer of a chain that does not fit, why it does not, and what would fit.
#[derive(Clone, PartialEq)]
pub struct Problem {
    /// The number of the layer; the first is 1.
    pub position: usize,
    /// The layer that does not fit.
    pub layer: Layer,
    /// The input of this layer.
    pub input: Shape,
    /// What was expected and what was given, with the axis.
    pub what: String,
    /// The likely cause.
    pub why: String,
    /// What to write instead.
    pub fix: String,
    /// Layers that would fit instead; empty when the input is wrong.
    pub instead: Vec<Layer>,
}

impl Problem {
    /// The message after the name of the layer.
    fn message(&self) -> String {
        let Problem { input, what, why, fix, instead, .. } = self;
        let fits =
            if instead.is_empty() { String::new() } else { format!("; `{}` would fit", joined(instead)) };
        format!("does not fit on {}\n  {what}\n  likely cause: {why}\n  instead: {fix}{fits}", input.named())
    }

    /// The message for a layer that is not part of a chain.
    pub fn alone(&self) -> String {
        format!("`{}` {}", self.layer, self.message())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {}, `{}`, {}", self.position, self.layer, self.message())
    }
}

debug_as_display!(Problem);
