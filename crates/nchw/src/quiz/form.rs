//! Questions as forms on the page. They need no compiler, no network and no mouse.
//!
//! The script checks answers against the form's data attributes. Where scripts are removed (an
//! untrusted notebook, GitHub), readers can still unfold the hints and the answer.

use super::{arithmetic_html, quiz, text_html};
use crate::error::debug_as_display;
use crate::notebook::{Output, shows};
use nchw_core::html::escape;
use nchw_core::quiz::feedback::sentence;
use nchw_core::quiz::grade::letters_in;
use nchw_core::quiz::question::{Ask, Choice, Part, Question, axis_name};
use nchw_core::quiz::slips::{At, Slip, slips};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, time};

const SCRIPT: &str = include_str!("form.js");

/// Questions as forms on the page; shown when they are the last expression of a cell.
///
/// Answers are checked on the page. In JupyterLab they are also reported to its server, so that
/// [`progress`](super::progress()) counts them.
#[derive(Clone)]
pub struct Form(Vec<Result<Arc<Question>, String>>);

/// These questions as forms.
///
/// ```
/// use nchw::quiz::quiz_form;
/// let html = quiz_form(&["a1", "a2"]).html();
/// assert!(html.matches("<form").count() == 2 && html.contains("<label"));
/// ```
pub fn quiz_form(ids: &[&str]) -> Form {
    Form::of(ids.iter().map(|id| quiz(id).0).collect())
}

impl Form {
    pub(super) fn of(questions: Vec<Result<Arc<Question>, String>>) -> Form {
        Form(questions)
    }

    /// The forms and their script.
    pub fn html(&self) -> String {
        let forms: String = self
            .0
            .iter()
            .map(|question| match question {
                Ok(question) => form(question, &fresh()),
                Err(says) => format!("<p>{}</p>", escape(says)),
            })
            .collect();
        format!("{forms}<script>{SCRIPT}</script>")
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.0.iter().map(|question| match question {
            Ok(question) => quiz(&question.id).to_string(),
            Err(says) => says.clone(),
        });
        f.write_str(&texts.collect::<Vec<_>>().join("\n\n"))
    }
}

debug_as_display!(Form);

/// A part of an id that no other form on the page has, including forms of an earlier run. Nothing
/// else varies from run to run, so a comparison of two runs can ignore `nchw-form-[0-9a-f]+`.
fn fresh() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = time::SystemTime::now().duration_since(time::UNIX_EPOCH).map_or(0, |d| d.as_micros());
    format!("nchw-form-{now:x}{:04x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn form(question: &Question, fresh: &str) -> String {
    let slips = slips(question);
    let (attributes, fields) = match question.ask {
        Ask::Letters => letters(question, fresh),
        _ => numbers(question, &slips, fresh),
    };
    // Submitted without the script, a form with the method `dialog` leaves the page as it is.
    format!(
        "<form class=\"nchw-quiz\" method=\"dialog\" data-lm-suppress-shortcuts=\"true\" data-id=\"{id}\" \
         {attributes} \
         style=\"margin:0 0 1em\"><fieldset style=\"padding:.5em 1em\"><legend><b>Quiz {id}</b> ({topic})</legend>\
         {text}<p>{fields} <button type=\"submit\">Check</button></p>\
         <div role=\"status\" aria-live=\"polite\"></div>\
         <p class=\"nchw-off\">This form works after its cell is run. Until then, answer with \
         <code>quiz(&quot;{id}&quot;).answer({blank})</code>, or unfold the hints below.</p></fieldset></form>{folded}",
        id = question.id,
        topic = question.topic,
        text = text_html(question),
        blank = escape(&question.placeholder().0),
        folded = folded(question)
    )
}

fn folded(question: &Question) -> String {
    let hints = question.hints.iter().enumerate().map(|(n, hint)| {
        format!(
            "<details><summary>Quiz {}: hint {}</summary><p>{}</p></details>",
            question.id,
            n + 1,
            escape(hint)
        )
    });
    format!(
        "{}<details><summary>Quiz {}: the answer</summary><p><b>{}</b></p>{}</details>",
        hints.collect::<String>(),
        question.id,
        escape(&question.typed()),
        arithmetic_html(question)
    )
}

fn numbers(question: &Question, slips: &[Slip], fresh: &str) -> (String, String) {
    let wholes: Vec<_> = slips
        .iter()
        .filter_map(|slip| match &slip.at {
            At::All(answer) => Some(json!([answer, sentence(&slip.says)])),
            _ => None,
        })
        .collect();
    let parts = question.parts();
    let fields: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            field(question, part, index, slips, &format!("a-{}-{index}-{fresh}", question.id))
        })
        .collect();
    (format!("data-wholes=\"{}\"", escape(&json!(wholes).to_string())), fields.join(" "))
}

fn field(question: &Question, part: &Part, index: usize, slips: &[Slip], id: &str) -> String {
    // The script grades like grade.rs; `the_form_grades_as_the_grader` compares the two.
    let least = match question.ask {
        Ask::Row(_) => "",
        _ if question.allows_zero() => "0",
        _ => "1",
    };
    // `null` stands for any other number.
    let known: Vec<_> = slips
        .iter()
        .filter_map(|slip| match slip.at {
            At::Part(at, value) if at == index => Some(json!([value, slip.says])),
            At::Any(at) if at == index => Some(json!([null, slip.says])),
            _ => None,
        })
        .collect();
    format!(
        "<label for=\"{id}\">{name} <input id=\"{id}\" type=\"text\" inputmode=\"numeric\" autocomplete=\"off\" size=\"5\" \
         data-name=\"{name}\" data-least=\"{least}\" data-meaning=\"{meaning}\" data-answer=\"{truth}\" \
         data-slips=\"{slips}\"></label>",
        meaning = question.ask.meaning(&part.name),
        name = axis_name(&part.name),
        truth = part.truth,
        slips = escape(&json!(known).to_string())
    )
}

fn letters(question: &Question, fresh: &str) -> (String, String) {
    let sorted = |text: &str| {
        let mut letters = letters_in(text);
        letters.sort_unstable();
        letters
    };
    let truth: String = sorted(&question.answer).iter().collect();
    let wholes: Vec<_> = question
        .wrong
        .iter()
        .map(|wrong| json!([sorted(&wrong.answer), sentence(&wrong.feedback)]))
        .collect();
    let kind = if truth.len() > 1 { "checkbox" } else { "radio" };
    let fields: Vec<String> = question
        .options
        .iter()
        .map(|Choice { letter, text }| {
            let id = format!("a-{}-{letter}-{fresh}", question.id);
            format!(
                "<label for=\"{id}\" style=\"display:block\"><input id=\"{id}\" type=\"{kind}\" \
                 name=\"a-{}-{fresh}\" value=\"{letter}\"> {letter}: {}</label>",
                question.id,
                escape(text)
            )
        })
        .collect();
    (
        format!("data-answer=\"{truth}\" data-wholes=\"{}\"", escape(&json!(wholes).to_string())),
        fields.join(""),
    )
}

shows!(Form: |form| Output::html(form.html(), form));
