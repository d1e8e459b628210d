//! The exercises at the end of the notebooks, with checks and hints.
//!
//! ```no_run
//! use nchw::prelude::*;
//! let weight: [i64; 4] = [11, 6, 3, 4];
//! exercise("03-2").check(weight); // right, or what is not right yet and the likely cause
//! exercise("03-2").hint();
//! ```
//!
//! The exercises are in `exercises/*.toml`. The right answers are not written down: libtorch computes
//! them (`goal.rs`).

mod compare;
mod expression;
mod goal;
mod network;
mod tasks;
mod work;

pub use work::{IntoWork, Work};

use crate::check::holds_something;
use crate::notebook::{Output, shows};
use crate::quiz::Note;
use crate::{Error, Result, error::debug_as_display, matrix::Matrix};
use goal::Goal;
use nchw_core::html::escape;
use std::fmt;
use tasks::{Task, tasks};
use tch::Tensor;

/// An exercise of a notebook.
///
/// An unknown id does not panic: every method then lists the known ids.
#[derive(Clone)]
pub struct Exercise(std::result::Result<&'static Task, String>);

/// The exercise with this id: the notebook's number and the exercise's.
///
/// ```
/// use nchw::prelude::*;
/// assert!(exercise("05-3").check(2304).is_right());
/// let wrong = exercise("05-3").check(2400);
/// assert!(wrong.to_string().starts_with("✗ Exercise 05-3 is not right yet."));
/// ```
pub fn exercise(id: &str) -> Exercise {
    let tasks = match tasks() {
        Ok(tasks) => tasks,
        Err(error) => return Exercise(Err(error.to_string())),
    };
    let found = tasks.iter().find(|task| task.id == id.trim());
    Exercise(found.ok_or_else(|| unknown(id, tasks)))
}

/// The filter of [`Exercise::check_convolution`], which is also in `exercises/02-convolution.toml`. All its
/// numbers differ, and it has more columns than rows.
const KERNEL: [[f32; 3]; 2] = [[2.0, -1.0, 0.5], [3.0, 1.0, -2.0]];

/// A placeholder for the learner's own work. It always fails, with a message that says what to do.
///
/// ```
/// use nchw::prelude::*;
/// let yours: Result<Tensor> = your_turn("03-3");
/// let says = yours.unwrap_err().to_string();
/// assert!(says.starts_with("exercise 03-3 is yours: replace `your_turn(\"03-3\")?` with"));
/// ```
///
/// # Errors
/// Always.
pub fn your_turn<T>(id: &str) -> Result<T> {
    Err(match exercise(id).0 {
        Ok(task) => Error::unsolved(format!(
            "exercise {id} is yours: replace `your_turn(\"{id}\")?` with {}, then run the cell again\n\
             A hint: exercise(\"{id}\").hint()",
            task.yours()
        )),
        Err(says) => Error::new(says),
    })
}

/// An error that the learner's function returned for this input.
fn in_function(error: Error, x: &Tensor) -> Error {
    // Not started yet: the message of `your_turn` needs no introduction.
    if error.is_unsolved() {
        return error;
    }
    let size = x.size();
    Error::new(format!("your function, called with an input of shape {size:?}, returned an error\n{error}"))
}

fn unknown(id: &str, tasks: &[Task]) -> String {
    let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
    let id: String = id.trim().chars().take(40).collect();
    format!("there is no exercise `{id}`; the exercises are {}", ids.join(", "))
}

impl Exercise {
    /// Checks your work: a tensor, a [`Matrix`](crate::matrix::Matrix), a number, sizes such as
    /// `[20, 10, 3, 3]`, or layers, whichever the exercise asks for.
    pub fn check(&self, work: impl IntoWork) -> Checked {
        self.checked(|task| task.goal.judge(&task.what, &work.into_work()))
    }

    /// Checks a function of yours by calling it with inputs of several sizes.
    ///
    /// # Errors
    /// If your function returns an error: the `?` after the call shows it.
    pub fn check_function(&self, function: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Checked> {
        let Ok(Task { goal: Goal::Function(computed), .. }) = &self.0 else {
            return Ok(self.checked(|task| {
                let says = "got a function: write exercise";
                Ok(vec![format!("expected {}, {says}(\"{}\").check(…)", task.what, task.id)])
            }));
        };
        for x in computed.inputs()? {
            let given = function(&x.copy()).map_err(|error| in_function(error, &x))?;
            let wrong = holds_something(&given).and_then(|()| computed.compared(&given, &x));
            let wrong = wrong.unwrap_or_else(|error| vec![error.to_string()]);
            if !wrong.is_empty() {
                let on = format!("called with an input of shape {:?}, your function returned", x.size());
                let returned =
                    if given.defined() { format!("{:?}", given.size()) } else { "no tensor".into() };
                return Ok(self.checked(|_| Ok([vec![format!("{on} {returned}")], wrong].concat())));
            }
        }
        Ok(self.checked(|_| Ok(vec![])))
    }

    /// Checks a convolution of yours, a function of an image and a filter, by calling it with several images.
    ///
    /// # Errors
    /// If your function returns an error: the `?` after the call shows it.
    pub fn check_convolution(
        &self,
        function: impl Fn(&Matrix, &Matrix) -> Result<Matrix>,
    ) -> Result<Checked> {
        self.check_function(|image| {
            Ok(function(&Matrix::from_tensor(image)?, &Matrix::from(KERNEL))?.tensor())
        })
    }

    /// A hint.
    pub fn hint(&self) -> Note {
        Note::new(
            match &self.0 {
                Ok(task) => format!("Hint for exercise {}: {}", task.id, task.hint),
                Err(says) => says.clone(),
            },
            None,
        )
    }

    fn checked(&self, judge: impl FnOnce(&Task) -> Result<Vec<String>>) -> Checked {
        let task = match &self.0 {
            Ok(task) => task,
            Err(says) => return Checked { id: String::new(), says: vec![says.clone()], learned: "" },
        };
        let says = judge(task).unwrap_or_else(|error| vec![error.to_string()]);
        Checked { id: task.id.clone(), says, learned: &task.learned }
    }
}

impl fmt::Display for Exercise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(task) => {
                let call = match (&task.check, &task.goal) {
                    (Some(check), _) => check,
                    (None, Goal::Function(_)) => "check_function",
                    (None, _) => "check",
                };
                write!(
                    f,
                    "Exercise {0} ({1}) asks for {2}.\nTo check your answer: exercise(\"{0}\").{call}(…)   \
                     A hint: exercise(\"{0}\").hint()",
                    task.id, task.notebook, task.what
                )
            }
            Err(says) => f.write_str(says),
        }
    }
}

debug_as_display!(Exercise);

/// The result of checking an exercise; shown when it is the last expression of a cell.
#[derive(Clone)]
pub struct Checked {
    id: String,
    /// What is not right yet, in the order in which to fix it.
    says: Vec<String>,
    learned: &'static str,
}

impl Checked {
    /// Whether it is solved.
    pub fn is_right(&self) -> bool {
        self.says.is_empty()
    }

    fn html(&self) -> String {
        let text = self.to_string();
        let mut lines = text.lines().map(|line| escape(line.trim()));
        let head = lines.next().unwrap_or_default();
        let rest: String = lines.map(|line| format!("<p>{line}</p>")).collect();
        format!("<p><b>{head}</b></p>{rest}")
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = &self.id;
        if id.is_empty() {
            return write!(f, "? {}", self.says.join("\n"));
        }
        if self.is_right() {
            return write!(f, "✓ Exercise {id} is right.\n  {}", self.learned);
        }
        write!(f, "✗ Exercise {id} is not right yet.")?;
        for line in self.says.iter().flat_map(|says| says.lines()) {
            write!(f, "\n  {}", line.trim())?;
        }
        write!(f, "\nA hint: exercise(\"{id}\").hint()")
    }
}

debug_as_display!(Checked);

shows!(
    Exercise: |exercise| Output::html(Note::new(exercise.to_string(), None).html(), exercise),
    Checked: |checked| Output::html(checked.html(), checked),
);

#[cfg(test)]
mod tests;
