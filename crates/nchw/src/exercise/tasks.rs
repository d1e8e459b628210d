//! The exercises: the texts from `exercises/*.toml`, one file per notebook, with their code.

use super::list::{GOALS, Goal};
use super::text::Text;
use crate::quiz::texts::parse;
use crate::{Error, Result};
use serde::Deserialize;
use std::sync::LazyLock;

/// An exercise: its texts, and what judges it.
pub(super) struct Task {
    /// The notebook that contains it, without `.md`.
    pub notebook: &'static str,
    pub text: Text,
    pub goal: &'static Goal,
}

/// A file of exercises: its notebook and its text.
type File<'a> = (&'static str, &'a str);

const FILES: [File; 4] = [
    ("03-channels", include_str!("../../exercises/03-channels.toml")),
    ("04-padding-stride", include_str!("../../exercises/04-padding-stride.toml")),
    ("05-pooling", include_str!("../../exercises/05-pooling.toml")),
    ("07-what-it-sees", include_str!("../../exercises/07-what-it-sees.toml")),
];

/// All exercises, in the order of the course; parsed once.
///
/// # Errors
/// If a file is not as expected, or its exercises are not those of [`GOALS`].
pub(super) fn tasks() -> Result<&'static [Task]> {
    static TASKS: LazyLock<Result<Vec<Task>>> = LazyLock::new(|| read(&FILES, &GOALS));
    match &*TASKS {
        Ok(tasks) => Ok(tasks),
        Err(error) => Err(Error::new(error.to_string())),
    }
}

/// A file: its exercises as `[[exercise]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exercises {
    exercise: Vec<Text>,
}

/// Parses the files, and gives every text its code.
pub(super) fn read(files: &[File], goals: &'static [(&'static str, Goal)]) -> Result<Vec<Task>> {
    let mut tasks: Vec<Task> = vec![];
    for (notebook, text) in files {
        let file = format!("exercises/{notebook}.toml");
        for text in parse::<Exercises>(&file, text)?.exercise {
            let id = &text.id;
            let Some((_, goal)) = goals.iter().find(|(known, _)| known == id) else {
                return Err(Error::new(format!("{file}: exercise {id} has no code in exercise/list.rs")));
            };
            let (mut names, written) = (goal.slips(), Vec::from_iter(text.wrong.keys()));
            names.sort_unstable();
            if names != written {
                return Err(Error::new(format!(
                    "{file}: exercise {id}: `wrong` has the names {written:?}; expected {names:?}, as in exercise/list.rs"
                )));
            }
            tasks.push(Task { notebook, text, goal });
        }
    }
    match goals.iter().find(|(id, _)| tasks.iter().all(|task| task.text.id != *id)) {
        Some((id, _)) => Err(Error::new(format!("exercise {id} has code, but no text in exercises/*.toml"))),
        None => Ok(tasks),
    }
}
