//! The feedback on an answer, and the text of hints and explanations.

use super::answer::Answer;
use super::grade::{Mark, Verdict, grade, shown};
use super::question::{Ask, Question, blank_of};
use crate::error::debug_as_display;
use crate::html::escape;
use std::fmt;

/// A message about the file of the learner's progress, if there is one.
pub type Notice = Option<String>;

/// Feedback on an answer; shown when it is the last expression of a cell.
#[derive(Clone)]
pub struct Feedback {
    verdict: Verdict,
    marks: Vec<Mark>,
    /// The first line.
    head: String,
    says: Vec<String>,
    next: String,
    notice: Notice,
}

impl Feedback {
    /// The feedback on this answer.
    pub fn of(question: &Question, answer: &Answer) -> Feedback {
        let graded = grade(question, answer);
        let id = &question.id;
        let right = graded.marks.iter().filter(|mark| mark.right).count();
        let all = graded.marks.len();
        let given = shown(answer);
        let axes = !matches!(question.ask, Ask::Row(_) | Ask::Letters);
        let (head, next) = match graded.verdict {
            Verdict::Right => {
                (format!("Quiz {id}: {given} is right."), format!("The arithmetic: quiz(\"{id}\").explain()"))
            }
            Verdict::Wrong if all == 1 || !axes => {
                (format!("Quiz {id}: {given} is not right yet."), again(id))
            }
            Verdict::Wrong => {
                (format!("Quiz {id}: {given} is not right yet. Right so far: {right} of {all}."), again(id))
            }
            Verdict::Unclear => {
                let (blank, what) = question.placeholder();
                let next = format!(
                    "Write it like this, with {what} in place of {}: quiz(\"{id}\").answer({blank})",
                    blank_of(&blank)
                );
                (format!("Quiz {id}: {given} could not be read as an answer."), next)
            }
        };
        Feedback { verdict: graded.verdict, marks: graded.marks, head, says: graded.says, next, notice: None }
    }

    /// Feedback without a question: only a message.
    pub fn of_nothing(says: &str) -> Feedback {
        Feedback {
            verdict: Verdict::Unclear,
            marks: vec![],
            head: says.into(),
            says: vec![],
            next: String::new(),
            notice: None,
        }
    }

    /// The same with a message about the progress.
    pub fn with_notice(self, notice: Notice) -> Feedback {
        Feedback { notice, ..self }
    }

    /// Whether every part is right.
    pub fn is_right(&self) -> bool {
        self.verdict == Verdict::Right
    }

    /// Right, wrong, or not readable as an answer.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The parts of the answer, axis by axis.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// As HTML.
    pub fn html(&self) -> String {
        let rows: String = self
            .marks
            .iter()
            .map(|mark| {
                format!(
                    "<tr><td>{} {}</td><th scope=\"row\">{}</th><td>{}</td><td style=\"text-align:left\">{}</td></tr>",
                    sign(mark.right),
                    word(mark.right),
                    escape(&mark.name),
                    escape(&mark.given),
                    escape(&mark.says)
                )
            })
            .collect();
        let table = if rows.is_empty() { rows } else { format!("<table>{rows}</table>") };
        let says: String =
            self.says.iter().map(|says| format!("<p>{}</p>", escape(&sentence(says)))).collect();
        let next =
            if self.next.is_empty() { String::new() } else { format!("<p>{}</p>", escape(&self.next)) };
        let notice: String = self.notice.iter().map(|n| format!("<p>{}</p>", escape(n))).collect();
        format!("<p><b>{} {}</b></p>{table}{says}{next}{notice}", self.sign(), escape(&self.head))
    }

    fn sign(&self) -> &'static str {
        match self.verdict {
            Verdict::Right => "✓",
            Verdict::Wrong => "✗",
            Verdict::Unclear => "?",
        }
    }
}

fn again(id: &str) -> String {
    format!("A hint: quiz(\"{id}\").hint(); the arithmetic: quiz(\"{id}\").explain()")
}

fn sign(right: bool) -> &'static str {
    if right { "✓" } else { "✗" }
}

fn word(right: bool) -> &'static str {
    if right { "right" } else { "not yet" }
}

/// With a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!', ')']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

impl fmt::Display for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sign(), self.head)?;
        for mark in &self.marks {
            write!(f, "\n  {} {} = {}: {}", sign(mark.right), mark.name, mark.given, word(mark.right))?;
            if !mark.says.is_empty() {
                write!(f, " ({})", mark.says)?;
            }
        }
        for says in &self.says {
            write!(f, "\n  {}", sentence(says))?;
        }
        if !self.next.is_empty() {
            write!(f, "\n{}", self.next)?;
        }
        self.notice.iter().try_for_each(|notice| write!(f, "\n{notice}"))
    }
}

debug_as_display!(Feedback);

/// A hint or an explanation; shown when it is the last expression of a cell.
#[derive(Clone)]
pub struct Note(String);

impl Note {
    /// A text, with a message about the progress below it.
    pub fn new(text: String, notice: Notice) -> Note {
        Note(match notice {
            Some(notice) => format!("{text}\n{notice}"),
            None => text,
        })
    }

    /// As HTML.
    pub fn html(&self) -> String {
        let lines: Vec<String> = self.0.lines().map(escape).collect();
        format!("<pre>{}</pre>", lines.join("\n"))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

debug_as_display!(Note);
