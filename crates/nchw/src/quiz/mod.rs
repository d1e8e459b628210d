//! The quizzes: questions about shapes, answered at once, axis by axis.
//!
//! ```no_run
//! use nchw::prelude::*;
//! quiz("b2"); // shows the question
//! quiz("b2").hint(); // one hint, and the next one at the next call
//! quiz("b2").answer([20, 10, 3, 3]); // axis by axis right or wrong
//! quiz("b2").explain(); // the arithmetic
//! quiz::random(7, 2); // a question made by chance; libtorch knows the answer
//! quiz::progress();
//! ```
//!
//! Questions are in one manifest, `questions.rs`. Only `run.rs` knows libtorch.

mod answer;
mod explain;
mod feedback;
mod form;
mod grade;
mod progress;
mod question;
mod questions;
mod random;
pub(crate) mod run;
mod sheet;
mod slips;
pub(crate) mod texts;

pub use answer::{Answer, IntoAnswer, Whole};
pub(crate) use answer::{beyond, whole_number};
pub use feedback::{Feedback, Note};
pub use form::{Form, quiz_form};
pub use grade::{Mark, Verdict};
pub use progress::Progress;
pub use question::Topic;
pub use sheet::{Sheet, sheet};

use crate::figure::{escape, show_html};
use crate::shapes::{distance, half_width};
use crate::{Error, Result, error::debug_as_display};
use question::{Choice, Question};
use questions::questions;
use std::{fmt, sync::Arc};

/// A question; as the last expression of a cell it shows itself.
///
/// An id that is not known is no panic: the quiz shows what ids there are.
#[derive(Clone)]
pub struct Quiz(std::result::Result<Arc<Question>, String>);

/// The question with this id.
///
/// ```
/// use nchw::quiz;
/// let text = quiz("b2").to_string();
/// assert!(text.contains("twenty filters of 3x3"));
/// assert!(text.contains("quiz(\"b2\").answer([0, 0, 0, 0])"));
/// assert!(quiz("b22").to_string().contains("did you mean `b2`"));
/// ```
pub fn quiz(id: &str) -> Quiz {
    let id = half_width(id);
    let id = id.trim();
    let questions = match questions() {
        Ok(questions) => questions,
        Err(error) => return Quiz(Err(error.to_string())),
    };
    if let Some(found) = questions.iter().find(|question| question.id.eq_ignore_ascii_case(id)) {
        return Quiz(Ok(found.clone()));
    }
    if let Some((seed, level)) = id.strip_prefix("random-").and_then(|rest| rest.split_once('-'))
        && let (Ok(seed), Ok(level)) = (seed.parse(), level.parse())
    {
        return random(seed, level);
    }
    Quiz(Err(unknown(id, questions)))
}

/// A question made by chance; every seed is another one. Levels go from 1 to 4.
///
/// What is right is not computed but run: the layers, in libtorch.
///
/// ```
/// let quiz = nchw::quiz::random(7, 2);
/// assert_eq!(quiz.id(), "random-7-2");
/// assert_eq!(quiz.to_string(), nchw::quiz::random(7, 2).to_string());
/// ```
pub fn random(seed: u64, level: u8) -> Quiz {
    Quiz(random::question(seed, level).map(Arc::new).map_err(|error| error.to_string()))
}

/// How much is answered, by topic.
pub fn progress() -> Progress {
    let questions: Vec<(&str, Topic)> = all().iter().map(|q| (q.id.as_str(), q.topic)).collect();
    Progress::of(&questions)
}

/// Forgets all answers and hints.
pub fn reset() -> Note {
    let done = "All answers and hints are forgotten. Begin anew: quiz(\"a1\")";
    Note::new(done.into(), progress::clear())
}

/// The ids of all questions, in the order of the course.
pub fn ids() -> Vec<String> {
    all().iter().map(|question| question.id.clone()).collect()
}

/// The questions; none if a file of theirs cannot be parsed, which `quiz` reports.
fn all() -> &'static [Arc<Question>] {
    questions().unwrap_or_default()
}

fn unknown(id: &str, questions: &[Arc<Question>]) -> String {
    let wanted: String = id.to_lowercase().chars().take(40).collect();
    let mut near: Vec<(usize, &str)> = questions
        .iter()
        .map(|q| (distance(&wanted, &q.id), q.id.as_str()))
        .filter(|(away, _)| *away <= 1)
        .collect();
    near.sort_by_key(|(away, _)| *away);
    near.truncate(3);
    let hint = if near.is_empty() {
        format!("there are {}", families(questions).join(", "))
    } else {
        let near: Vec<String> = near.iter().map(|(_, id)| format!("`{id}`")).collect();
        format!("did you mean {}?", near.join(" or "))
    };
    format!("there is no quiz `{}`: {hint}", id.chars().take(40).collect::<String>())
}

/// The ids, those with the same beginning as a range: `pad1 to pad7`.
fn families(questions: &[Arc<Question>]) -> Vec<String> {
    let family = |id: &str| id.trim_end_matches(|c: char| c.is_ascii_digit()).to_string();
    let mut all: Vec<(String, &str, &str)> = vec![];
    for question in questions {
        let name = family(&question.id);
        match all.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, _, last)) => *last = &question.id,
            None => all.push((name, &question.id, &question.id)),
        }
    }
    let range = |(_, first, last): &(String, &str, &str)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    all.iter().map(range).collect()
}

impl Quiz {
    /// Its id; empty when there is no such quiz.
    pub fn id(&self) -> &str {
        self.0.as_ref().map_or("", |question| &question.id)
    }

    /// Looks at an answer, axis by axis, and remembers that it was tried.
    ///
    /// A number, an array, a `Vec` (`tensor.size()`), a tuple, or a text such as
    /// `"20x10x3x3"` or `"N H W"`. Nothing that is answered makes this panic.
    pub fn answer(&self, answer: impl IntoAnswer) -> Feedback {
        let question = match &self.0 {
            Ok(question) => question,
            Err(says) => return Feedback::of_nothing(says),
        };
        let feedback = Feedback::of(question, &answer.into_answer());
        if feedback.verdict() == Verdict::Unclear {
            return feedback;
        }
        let right = feedback.is_right();
        feedback.with_notice(progress::change(&question.id, |entry| {
            entry.tries += 1;
            entry.right |= right;
        }))
    }

    /// The next hint; after the last one, all of them.
    pub fn hint(&self) -> Note {
        let question = match &self.0 {
            Ok(question) => question,
            Err(says) => return Note::new(says.clone(), None),
        };
        let all = question.hints.len();
        let given = progress::entry(&question.id).hints as usize;
        let notice = progress::change(&question.id, |entry| entry.hints += 1);
        let Some(hint) = question.hints.get(given) else {
            let list: Vec<String> =
                question.hints.iter().enumerate().map(|(n, hint)| format!("  {}. {hint}", n + 1)).collect();
            let again = match question.notebook.as_str() {
                "" => String::new(),
                notebook => format!("\nTo read again: {notebook}"),
            };
            let text = format!(
                "Those were all hints for quiz {0}:\n{1}{again}\nThe arithmetic: quiz(\"{0}\").explain()",
                question.id,
                list.join("\n")
            );
            return Note::new(text, notice);
        };
        Note::new(format!("Hint {} of {all} for quiz {}: {hint}", given + 1, question.id), notice)
    }

    /// The answer and the arithmetic behind it.
    pub fn explain(&self) -> Note {
        match &self.0 {
            Ok(question) => {
                let steps = explain::arithmetic(question);
                Note::new(format!("Quiz {}: the answer is {}\n{steps}", question.id, question.typed()), None)
            }
            Err(says) => Note::new(says.clone(), None),
        }
    }

    /// The question as a form that is filled in on the page, without compiling anything.
    pub fn form(&self) -> Form {
        Form::of(vec![self.0.clone()])
    }

    /// The question, or why there is none.
    ///
    /// # Errors
    /// When the id is not known: the ids that are near.
    pub fn ok(self) -> Result<Quiz> {
        match self.0 {
            Ok(_) => Ok(self),
            Err(says) => Err(Error::new(says)),
        }
    }

    /// Called by evcxr for the last expression of a cell.
    pub fn evcxr_display(&self) {
        show_html(&self.html(), &self.to_string());
    }

    fn html(&self) -> String {
        let question = match &self.0 {
            Ok(question) => question,
            Err(says) => return format!("<p>{}</p>", escape(says)),
        };
        let (blank, what) = question.place_holder();
        let seen = match question.picture.as_str() {
            "" => String::new(),
            seen => format!("<p>Seen: {}</p>", escape(seen)),
        };
        let options: String = question
            .options
            .iter()
            .map(|Choice { letter, text }| format!("<li><b>{letter}</b>: {}</li>", escape(text)))
            .collect();
        let options = if options.is_empty() { options } else { format!("<ul>{options}</ul>") };
        format!(
            "<p><b>Quiz {}</b> ({}, level {})</p><p>{}</p>{seen}{options}\
             <p>Answer in a cell, with {} in place of {}: <code>quiz(\"{}\").answer({})</code></p>",
            question.id,
            question.topic,
            question.level,
            escape(&question.text),
            escape(&what),
            escape(&blank_of(&blank)),
            question.id,
            escape(&blank)
        )
    }
}

/// What is to be replaced in the line: the zeros of `[0, 0]`.
fn blank_of(blank: &str) -> String {
    let first = blank.trim_matches(['[', ']']).split(',').next().unwrap_or(blank);
    if blank.contains(',') { format!("the {first}s") } else { first.to_string() }
}

impl fmt::Display for Quiz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let question = match &self.0 {
            Ok(question) => question,
            Err(says) => return f.write_str(says),
        };
        let (blank, what) = question.place_holder();
        writeln!(
            f,
            "Quiz {} ({}, level {})\n{}",
            question.id, question.topic, question.level, question.text
        )?;
        if !question.picture.is_empty() {
            writeln!(f, "Seen: {}", question.picture)?;
        }
        for Choice { letter, text } in &question.options {
            writeln!(f, "  {letter}: {text}")?;
        }
        write!(
            f,
            "Answer in a cell, with {what} in place of {}:\nquiz(\"{}\").answer({blank})",
            blank_of(&blank),
            question.id
        )
    }
}

debug_as_display!(Quiz);

#[cfg(test)]
mod tests;
