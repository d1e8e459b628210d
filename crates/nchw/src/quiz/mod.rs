//! The quizzes: questions about shapes, with feedback axis by axis.
//!
//! ```no_run
//! use nchw::prelude::*;
//! quiz("b2"); // shows the question
//! quiz("b2").hint(); // the first hint; the next call shows the next one
//! quiz("b2").answer([20, 10, 3, 3]); // right or wrong, axis by axis
//! quiz("b2").explain(); // the arithmetic
//! quiz::random(7, 2); // a random question; libtorch computes the answer
//! quiz::progress();
//! ```
//!
//! The questions and their grading are in `nchw_core::quiz`; only `run.rs` uses libtorch.

mod form;
mod progress;
pub(crate) mod run;
mod sheet;

pub use form::{Form, quiz_form};
pub use nchw_core::quiz::answer::{Answer, IntoAnswer, Whole};
pub use nchw_core::quiz::feedback::{Feedback, Note};
pub use nchw_core::quiz::grade::{Mark, Verdict};
pub use nchw_core::quiz::question::Topic;
pub use progress::Progress;
pub use sheet::{Sheet, sheet};

use crate::notebook::{Interactive, Output, shows};
use crate::shapes::{distance, half_width};
use crate::{Error, Result, error::debug_as_display};
use nchw_core::html::escape;
use nchw_core::quiz::explain;
use nchw_core::quiz::question::{Choice, Question, blank_of};
use nchw_core::quiz::questions::questions;
use std::{fmt, sync::Arc};

/// A question; shown when it is the last expression of a cell.
///
/// An unknown id does not panic: the quiz shows the known ids.
#[derive(Clone)]
pub struct Quiz(std::result::Result<Arc<Question>, String>);

/// The question with this id.
///
/// ```
/// use nchw::quiz;
/// let text = quiz("b2").to_string();
/// assert!(text.contains("twenty 3x3 filters"));
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

/// A random question, a different one for every seed. Levels go from 1 to 4.
///
/// The answer is found by running the layers in libtorch.
///
/// ```
/// let quiz = nchw::quiz::random(7, 2);
/// assert_eq!(quiz.id(), "random-7-2");
/// assert_eq!(quiz.to_string(), nchw::quiz::random(7, 2).to_string());
/// ```
pub fn random(seed: u64, level: u8) -> Quiz {
    Quiz(run::random_question(seed, level).map(Arc::new).map_err(|error| error.to_string()))
}

/// Random questions without end, as an interactive figure. Levels go from 1 to 4.
///
/// # Errors
/// When there is no such level.
///
/// ```
/// let play = nchw::quiz::play(2)?;
/// assert_eq!(format!("{play:?}"), "interactive figure: Quiz");
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn play(level: u8) -> Result<Interactive> {
    let still = run::random_question(1, level)?;
    let figure = nchw_web::Figure::quiz().options(serde_json::json!({"level": level}));
    Ok(Interactive::with_html(figure, format!("<p>{}</p>", escape(&still.text)), still.text))
}

/// The number of questions answered right, by topic.
pub fn progress() -> Progress {
    let questions: Vec<(&str, Topic)> = all().iter().map(|q| (q.id.as_str(), q.topic)).collect();
    Progress::of(&questions)
}

/// Deletes all answers and hints.
pub fn reset() -> Note {
    let done = "All answers and hints are deleted. Start again: quiz(\"a1\")";
    Note::new(done.into(), progress::clear())
}

/// The ids of all questions, in the order of the course.
pub fn ids() -> Vec<String> {
    all().iter().map(|question| question.id.clone()).collect()
}

/// The questions; none if one of their files cannot be parsed, which `quiz` reports.
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
        format!("the ids are {}", families(questions).join(", "))
    } else {
        let near: Vec<String> = near.iter().map(|(_, id)| format!("`{id}`")).collect();
        format!("did you mean {}?", near.join(" or "))
    };
    format!("there is no quiz `{}`: {hint}", id.chars().take(40).collect::<String>())
}

/// The ids; those with the same prefix as a range: `pad1 to pad7`.
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
    /// The question's id; empty if there is no such question.
    pub fn id(&self) -> &str {
        self.0.as_ref().map_or("", |question| &question.id)
    }

    /// Checks an answer, axis by axis, and counts the attempt.
    ///
    /// An answer is a number, an array, a `Vec` (`tensor.size()`), a tuple, or a text such as
    /// `"20x10x3x3"` or `"N H W"`. No answer makes this panic.
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
                notebook => format!("\nRead again: {notebook}"),
            };
            let text = format!(
                "These are all hints for quiz {0}:\n{1}{again}\nThe arithmetic: quiz(\"{0}\").explain()",
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

    /// The question as a form on the page, which is answered without compiling a cell.
    pub fn form(&self) -> Form {
        Form::of(vec![self.0.clone()])
    }

    /// The question, if there is one with this id.
    ///
    /// # Errors
    /// If there is none: the message lists similar ids.
    pub fn ok(self) -> Result<Quiz> {
        match self.0 {
            Ok(_) => Ok(self),
            Err(says) => Err(Error::new(says)),
        }
    }

    fn html(&self) -> String {
        let question = match &self.0 {
            Ok(question) => question,
            Err(says) => return format!("<p>{}</p>", escape(says)),
        };
        let (blank, what) = question.placeholder();
        format!(
            "<p><b>Quiz {}</b> ({}, level {})</p>{}{}<p>Answer in a cell, with {} in place of {}: <code>quiz(\"{}\").answer({})</code></p>",
            question.id,
            question.topic,
            question.level,
            text_html(question),
            options_html(question),
            escape(&what),
            escape(&blank_of(&blank)),
            question.id,
            escape(&blank)
        )
    }
}

/// The text of a question, and the image and the filter that it is about.
fn text_html(question: &Question) -> String {
    format!("<p>{}</p>{}", escape(&question.text), explain::matrices_html(question))
}

/// The options of a question, if it has any.
fn options_html(question: &Question) -> String {
    let item = |Choice { letter, text }: &Choice| format!("<li><b>{letter}</b>: {}</li>", escape(text));
    match question.options.iter().map(item).collect::<String>() {
        none if none.is_empty() => none,
        items => format!("<ul>{items}</ul>"),
    }
}

/// The arithmetic behind an answer, line by line.
fn arithmetic_html(question: &Question) -> String {
    let steps: Vec<String> = explain::arithmetic(question).lines().map(escape).collect();
    format!(
        "<pre style=\"word-break:normal;overflow-wrap:anywhere;margin-bottom:1em\">{}</pre>",
        steps.join("\n")
    )
}

impl fmt::Display for Quiz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let question = match &self.0 {
            Ok(question) => question,
            Err(says) => return f.write_str(says),
        };
        let (blank, what) = question.placeholder();
        writeln!(
            f,
            "Quiz {} ({}, level {})\n{}",
            question.id, question.topic, question.level, question.text
        )?;
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

shows!(
    Quiz: |quiz| Output::html(quiz.html(), quiz),
    Feedback: |feedback| Output::html(feedback.html(), feedback),
    Note: |note| Output::html(note.html(), note),
);

#[cfg(test)]
mod tests;
