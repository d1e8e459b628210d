//! The exercises of the course, from `exercises/*.toml`, one file per notebook.

use super::goal::Goal;
use crate::{Error, Result};
use nchw_core::quiz::texts::parse;
use serde::Deserialize;
use std::sync::LazyLock;

/// An exercise, as it is written in `exercises/*.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// The notebook that contains it, without `.md`: the name of the file.
    #[serde(skip)]
    pub notebook: String,
    /// The notebook's number and the exercise's: `03-2`.
    pub id: String,
    /// What replaces `your_turn(…)?` in the cell, if it is not `what`.
    yours: Option<String>,
    /// What to hand in: completes "expected …".
    pub what: String,
    /// The method that checks it, if it is neither `check` nor `check_function`.
    pub check: Option<String>,
    pub hint: String,
    /// Shown when the answer is right.
    pub learned: String,
    pub goal: Goal,
}

impl Task {
    /// What replaces `your_turn(…)?`.
    pub fn yours(&self) -> &str {
        self.yours.as_ref().unwrap_or(&self.what)
    }
}

macro_rules! files {
    ($($notebook:literal),* $(,)?) => {
        [$(($notebook, include_str!(concat!("../../exercises/", $notebook, ".toml")))),*]
    };
}

/// The files, in the order of the course: a new file has to be added here.
pub(super) const FILES: &[(&str, &str)] = &files![
    "00-start",
    "01-why-convolution",
    "02-convolution",
    "03-channels",
    "04-padding-stride",
    "05-pooling",
    "06-cifar10",
    "07-what-it-sees",
    "09-your-photos",
