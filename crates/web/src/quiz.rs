//! The quiz: random questions without end, graded as in a notebook.

use crate::module::Module;
use nchw_core::Result;
use nchw_core::quiz::answer::Answer;
use nchw_core::quiz::explain;
use nchw_core::quiz::feedback::sentence;
use nchw_core::quiz::grade::{Mark, Verdict, grade};
use nchw_core::quiz::question::Question;
use nchw_core::quiz::random::{arithmetic, question};
use serde::Deserialize;
use serde_json::{Value, json};

/// Which question: a notebook shows the same one for `quiz::random(seed, level)`.
#[derive(Deserialize)]
pub struct Which {
    seed: u64,
    level: u8,
}

impl Which {
    fn question(&self) -> Result<Question> {
        question(self.seed, self.level, arithmetic)
    }
}

/// The question, what the answer consists of, and the hints.
pub fn show(_: &mut Module, which: Which) -> Result<Value> {
    let question = which.question()?;
    let parts: Vec<String> = question.parts().iter().map(|part| part.name.clone()).collect();
    Ok(json!({"id": question.id, "text": question.text, "parts": parts, "hints": question.hints}))
}

#[derive(Deserialize)]
pub struct Attempt {
    #[serde(flatten)]
    which: Which,
    answer: String,
}

/// The feedback on an answer, line by line.
pub fn check(_: &mut Module, attempt: Attempt) -> Result<Value> {
    let question = attempt.which.question()?;
    let graded = grade(&question, &Answer::Text(attempt.answer));
    let right = graded.marks.iter().filter(|mark| mark.right).count();
    let all = graded.marks.len();
    let (verdict, head) = match graded.verdict {
        Verdict::Right => ("right", "✓ Right.".to_string()),
        Verdict::Wrong if all == 1 => ("wrong", "✗ Not right yet.".to_string()),
        Verdict::Wrong => ("wrong", format!("✗ Not right yet. Right so far: {right} of {all}.")),
        Verdict::Unclear => {
            ("unclear", "This could not be read as an answer; it does not count.".to_string())
        }
    };
    let marks: Vec<Value> =
        graded.marks.iter().map(|mark| json!({"right": mark.right, "text": line(mark)})).collect();
    let says: Vec<String> = graded.says.iter().map(|says| sentence(says)).collect();
    Ok(json!({"verdict": verdict, "head": head, "marks": marks, "says": says}))
}

/// `✓ N 개 = 20: right (filters)`.
fn line(mark: &Mark) -> String {
    let (sign, word) = if mark.right { ("✓", "right") } else { ("✗", "not yet") };
    let says = if mark.says.is_empty() { String::new() } else { format!(" ({})", mark.says) };
    format!("{sign} {} = {}: {word}{says}", mark.name, mark.given)
}

/// The answer, and the arithmetic behind it.
pub fn explained(_: &mut Module, which: Which) -> Result<Value> {
    let question = which.question()?;
    Ok(json!({"answer": question.answer, "steps": explain::arithmetic(&question)}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(seed: u64, level: u8, answer: &str) -> Value {
        let attempt = Attempt { which: Which { seed, level }, answer: answer.into() };
        check(&mut Module::default(), attempt).unwrap()
    }

    #[test]
    fn every_question_accepts_its_answer_and_marks_another() {
        for seed in 0..400 {
            let level = 1 + (seed % 4) as u8;
            let which = || Which { seed, level };
            let question = show(&mut Module::default(), which()).unwrap();
            let answer = explained(&mut Module::default(), which()).unwrap();
            let answer = answer["answer"].as_str().unwrap();
            assert_eq!(answer.split('x').count(), question["parts"].as_array().unwrap().len(), "{question}");
            assert_eq!(ask(seed, level, answer)["verdict"], "right");
            // A digit more makes every number too large.
            let wrong = ask(seed, level, &answer.replace('x', "1x"));
            assert!(wrong["verdict"] == "wrong" || !answer.contains('x'), "{wrong}");
        }
    }

    #[test]
    fn the_feedback_is_that_of_the_notebook() {
        // An image of 12x37x29 and others: the text is a part of `nchw`'s tests; here only its form.
        let answer = explained(&mut Module::default(), Which { seed: 1, level: 1 }).unwrap();
        let parts: Vec<&str> = answer["answer"].as_str().unwrap().split('x').collect();
        let wrong = [&["7777"], &parts[1..]].concat().join(" ");
        let found = ask(1, 1, &wrong);
        assert_eq!(found["verdict"], "wrong", "{found}");
        assert_eq!(found["marks"][0]["right"], false);
        assert!(found["marks"][0]["text"].as_str().unwrap().contains("= 7777: not yet ("), "{found}");
    }

    #[test]
    fn what_is_no_answer_does_not_count() {
        for text in ["", "abc", "1.5", "0x0x0", "1x2x3x4x5x6", "99999999999999999999", "𝟙", "-3"] {
            assert_eq!(ask(3, 2, text)["verdict"], "unclear", "{text}");
        }
        assert!(show(&mut Module::default(), Which { seed: 1, level: 9 }).is_err());
        assert!(show(&mut Module::default(), Which { seed: u64::MAX, level: 4 }).is_ok());
    }
}
