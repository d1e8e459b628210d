//! The texts of one exercise.

use crate::quiz::texts::filled;
use crate::{Error, Result};
use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Display};

/// The texts of one exercise, as they are written in `exercises/*.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    /// The notebook's number and the exercise's: `03-2`.
    pub id: String,
    /// What replaces `your_turn(…)?` in the cell, if it is not `what`.
    yours: Option<String>,
    /// What to hand in: completes "expected …".
    pub what: String,
    /// The names of the axes, if sizes are handed in.
    #[serde(default)]
    pub axes: Vec<String>,
    pub hint: String,
    /// Shown when the answer is right.
    pub learned: String,
    /// What each known wrong answer confuses, by its name in `GOALS` (`list.rs`).
    pub wrong: BTreeMap<String, String>,
}

impl Text {
    /// What replaces `your_turn(…)?`.
    pub fn yours(&self) -> &str {
        self.yours.as_ref().unwrap_or(&self.what)
    }

    /// What a wrong answer confuses, with values in place of `{name}`.
    pub fn wrong(&self, name: &str, values: &[(&str, &dyn Display)]) -> Result<String> {
        let text = self.wrong.get(name);
        let text = text.ok_or_else(|| Error::new(format!("exercise {} has no text `{name}`", self.id)))?;
        Ok(filled(text, values))
    }
}
