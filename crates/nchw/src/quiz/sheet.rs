//! A printable sheet of questions for a class, and its answer key.

use super::{arithmetic_html, options_html, run::random_question, text_html};
use crate::random::Rng;
use crate::{Error, Result};
use nchw_core::html::escape;
use nchw_core::quiz::explain::arithmetic;
use nchw_core::quiz::question::{Ask, Choice, Question};
use nchw_core::quiz::questions::questions;
use std::{fmt, sync::Arc};

/// Questions drawn with a seed, easy ones first.
pub struct Sheet {
    seed: u64,
    questions: Vec<Arc<Question>>,
}

/// `count` questions, the same ones for the same seed. If the course has fewer, the rest are random
/// questions.
///
/// # Errors
/// If `count` is 0 or more than 200.
///
/// ```
/// let sheet = nchw::quiz::sheet(7, 10)?;
/// assert!(sheet.markdown().contains("10. "));
/// assert!(sheet.key_markdown().contains("Answers"));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn sheet(seed: u64, count: usize) -> Result<Sheet> {
    if !(1..=200).contains(&count) {
        return Err(Error::new(format!("a sheet has from 1 to 200 questions, got {count}")));
    }
    let course = questions()?;
    let order = Rng::new(seed, 0).order(course.len());
    let mut questions: Vec<Arc<Question>> =
        order.iter().take(count).map(|&index| course[index as usize].clone()).collect();
    for extra in 0..count.saturating_sub(questions.len()) as u64 {
        let made = random_question(seed.wrapping_mul(1000).wrapping_add(extra), 1 + (extra % 4) as u8)?;
        questions.push(Arc::new(made));
    }
    // Within a level, the questions keep the order of the course.
    let index = |question: &Arc<Question>| course.iter().position(|q| q.id == question.id);
    questions.sort_by_key(|question| (question.level, index(question).unwrap_or(usize::MAX)));
    Ok(Sheet { seed, questions })
}

impl Sheet {
    /// The questions, as Markdown.
    pub fn markdown(&self) -> String {
        let questions = self.questions.iter().zip(1..).map(|(question, n)| {
            let options: String = question
                .options
                .iter()
                .map(|Choice { letter, text }| format!("\n   - **{letter}**: {text}"))
                .collect();
            format!("{n}. {}{options}\n\n   {}\n", question.text, blanks(question))
        });
        format!(
            "# 개채행열: shape quiz (sheet {})\n\nName:\n\n{}",
            self.seed,
            questions.collect::<Vec<_>>().join("\n")
        )
    }

    /// The answers, as Markdown, with the arithmetic.
    pub fn key_markdown(&self) -> String {
        let answers = self.questions.iter().zip(1..).map(|(question, n)| {
            let steps = arithmetic(question);
            let steps: Vec<String> = steps.lines().map(|line| format!("       {line}")).collect();
            format!("{n}. **{}** (quiz {})\n\n{}\n", question.typed(), source(question), steps.join("\n"))
        });
        format!("# Answers to sheet {}\n\n{}", self.seed, answers.collect::<Vec<_>>().join("\n"))
    }

    /// The questions, as an HTML page.
    pub fn html(&self) -> String {
        let questions = self.questions.iter().map(|question| {
            let blanks = escape(&blanks(question));
            format!("<li>{}{}<p>{blanks}</p></li>", text_html(question), options_html(question))
        });
        let list = format!("<p>Name:</p><ol>{}</ol>", questions.collect::<String>());
        page(&format!("개채행열: shape quiz (sheet {})", self.seed), &list)
    }

    /// The answers, as an HTML page, with the arithmetic.
    pub fn key_html(&self) -> String {
        let answers = self.questions.iter().map(|question| {
            format!(
                "<li><p><b>{}</b> (quiz {})</p>{}</li>",
                escape(&question.typed()),
                source(question),
                arithmetic_html(question)
            )
        });
        page(&format!("Answers to sheet {}", self.seed), &format!("<ol>{}</ol>", answers.collect::<String>()))
    }
}

/// The source of a question: `b3, channels, 03-channels`.
fn source(question: &Question) -> String {
    let notebook = if question.notebook.is_empty() { "" } else { ", " };
    format!("{}, {}{notebook}{}", question.id, question.topic, question.notebook)
}

/// Blanks for the answer: `N = ____  C = ____`.
fn blanks(question: &Question) -> String {
    let line = "______";
    if matches!(question.ask, Ask::Letters) {
        return format!("Answer: {line}");
    }
    let names = question.parts().into_iter().map(|part| match question.ask {
        Ask::Row(_) => line.to_string(),
        _ => format!("{} = {line}", part.name),
    });
    names.collect::<Vec<_>>().join("  ")
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sheet {} with {} questions", self.seed, self.questions.len())
    }
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <style>body{{max-width:44em;margin:2em auto;font:11pt/1.5 sans-serif}}\
         li{{break-inside:avoid;margin-bottom:1.2em}}pre{{white-space:pre-wrap}}</style></head>\n\
         <body><h1>{title}</h1>{body}</body></html>\n"
    )
}
