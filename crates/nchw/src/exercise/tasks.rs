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
    "08-from-scratch",
    "09-your-photos",
];

/// All exercises, in the order of the course; parsed once.
///
/// # Errors
/// If a file is not as expected: its name, the line and the field.
pub(super) fn tasks() -> Result<&'static [Task]> {
    static TASKS: LazyLock<Result<Vec<Task>>> = LazyLock::new(|| {
        let files: Result<Vec<_>> = FILES.iter().map(|(notebook, text)| parsed(notebook, text)).collect();
        Ok(files?.into_iter().flatten().collect())
    });
    match &*TASKS {
        Ok(tasks) => Ok(tasks),
        Err(error) => Err(Error::new(error.to_string())),
    }
}

/// A file: its exercises as `[[exercise]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    exercise: Vec<Task>,
}

/// The exercises in the text of a file.
pub(super) fn parsed(notebook: &str, text: &str) -> Result<Vec<Task>> {
    let file: File = parse(&format!("exercises/{notebook}.toml"), text)?;
    Ok(file.exercise.into_iter().map(|task| Task { notebook: notebook.into(), ..task }).collect())
}
