//! How the lecture's network got from 84.4 to 91 %: measured trainings, in the order of their accuracy.

use super::LectureNet;
use crate::{Error, Result, error::debug_as_display};
use nchw_core::quiz::texts::parse;
use serde::Deserialize;
use std::fmt;

/// A measured training.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// What differs from the training before.
    pub change: String,
    /// How many settings differ from the training before: 1, or 0 for another program.
    #[serde(default = "one")]
    pub changes: usize,
    /// The accuracy on the test images, in %.
    pub accuracy: f64,
    /// The command that repeats it.
    pub command: String,
}

fn one() -> usize {
    1
}

/// The way from the lecture's accuracy to that of the course's network. See [`LectureNet::milestones`].
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Milestones {
    /// The trainings, each with the settings of the one before and one change.
    #[serde(rename = "milestone")]
    pub steps: Vec<Milestone>,
}

impl LectureNet {
    /// The measured trainings between the lecture's accuracy and that of [`LectureNet::shipped`].
    ///
    /// # Errors
    /// Never, unless the course's files are damaged.
    ///
    /// # Source
    /// `bench/README.md`; `assets/milestones.toml` has the commands.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let way = LectureNet::milestones()?;
    /// assert_eq!(way.steps[0].accuracy, 84.4);
    /// println!("{way}");
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn milestones() -> Result<Milestones> {
        let way: Milestones = parse("assets/milestones.toml", include_str!("../../assets/milestones.toml"))?;
        if way.steps.is_empty() {
            return Err(Error::new("assets/milestones.toml has no milestone"));
        }
        Ok(way)
    }
}

impl fmt::Display for Milestones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            let end = if number > 0 { "\n" } else { "" };
            write!(f, "{end}{:5.2} %  {:32} {}", step.accuracy, step.change, step.command)?;
        }
        Ok(())
    }
}

debug_as_display!(Milestones);
