//! Compares an answer with the right one, axis by axis, and names the misconception.

use super::answer::{Answer, out_of_range, whole_number};
use super::question::{Ask, Choice, Question, axis_name};
use super::slips::{At, slips};
use crate::shapes::half_width;

/// The result of grading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every part is right.
    Right,
    /// It is an answer, but a part of it is wrong.
    Wrong,
    /// It cannot be an answer to this question. It does not count as an attempt.
    Unclear,
}

/// One part of an answer.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The axis, or what the number counts.
    pub name: String,
    /// What was answered.
    pub given: String,
    /// Whether it is right.
    pub right: bool,
    /// What the number counts, or what it confuses; empty if neither is known.
    pub says: String,
}

/// What the grader found.
pub struct Graded {
    /// Right, wrong, or not readable as an answer.
    pub verdict: Verdict,
    /// One for each part of the answer.
    pub marks: Vec<Mark>,
    /// About the answer as a whole.
    pub says: Vec<String>,
}

/// Grades one answer.
pub fn grade(question: &Question, answer: &Answer) -> Graded {
    let read = match question.ask {
        Ask::Letters => letters(answer, &question.options).map(|given| grade_letters(question, &given)),
        _ => sizes(question, answer).map(|given| grade_numbers(question, &given)),
    };
    read.unwrap_or_else(|says| Graded { verdict: Verdict::Unclear, marks: vec![], says: vec![says] })
}

fn verdict(marks: &[Mark]) -> Verdict {
    if marks.iter().all(|mark| mark.right) { Verdict::Right } else { Verdict::Wrong }
}

fn grade_numbers(question: &Question, given: &[i64]) -> Graded {
    let parts = question.parts();
    let slips = slips(question);
    let right: Vec<bool> = parts.iter().zip(given).map(|(part, &value)| part.truth == value).collect();
    let whole = slips.iter().find(|slip| slip.at == At::All(given.to_vec()));
    let about = |index: usize, value: i64| {
        let fits = |at: &At| *at == At::Part(index, value) || *at == At::Any(index);
        slips.iter().find(|slip| fits(&slip.at)).map(|slip| slip.says.clone())
    };
    let mut marks = vec![];
    for (index, (part, &value)) in parts.iter().zip(given).enumerate() {
        let meaning = question.ask.meaning(&part.name);
        let says = match (right[index], whole) {
            (true, _) => meaning.to_string(),
            (false, Some(_)) => String::new(),
            (false, None) => about(index, value).unwrap_or_else(|| too(value, part.truth, meaning)),
        };
        marks.push(Mark { name: axis_name(&part.name), given: value.to_string(), right: right[index], says });
    }
    Graded { verdict: verdict(&marks), marks, says: whole.iter().map(|slip| slip.says.clone()).collect() }
}

fn too(value: i64, truth: i64, meaning: &str) -> String {
    let way = if value > truth { "too large" } else { "too small" };
    if meaning.is_empty() { way.into() } else { format!("{way}; it counts the {meaning}") }
}

fn grade_letters(question: &Question, given: &[char]) -> Graded {
    let truth = letters_in(&question.answer);
    let single = truth.len() == 1;
    let mut marks = vec![];
    for Choice { letter, text } in &question.options {
        let (chosen, right) = (given.contains(letter), truth.contains(letter));
        // If several letters are right, every letter is marked; if one is right, only the chosen ones.
        if single && !chosen {
            continue;
        }
        let given = if chosen { "chosen" } else { "not chosen" };
        marks.push(Mark {
            name: letter.to_string(),
            given: given.into(),
            right: chosen == right,
            says: text.clone(),
        });
    }
    let known = question.wrong.iter().find(|wrong| same(&letters_in(&wrong.answer), given));
    let says = known.map(|wrong| wrong.feedback.clone());
    Graded { verdict: verdict(&marks), marks, says: says.into_iter().collect() }
}

fn same(a: &[char], b: &[char]) -> bool {
    a.len() == b.len() && a.iter().all(|letter| b.contains(letter))
}

/// The letters of a valid answer.
pub fn letters_in(text: &str) -> Vec<char> {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

fn letters(answer: &Answer, options: &[Choice]) -> Result<Vec<char>, String> {
    let all: Vec<String> = options.iter().map(|option| option.letter.to_string()).collect();
    let among = all.join(", ");
    let example = all[0].as_str();
    let Answer::Text(text) = answer else {
        return Err(format!("expected letters from {among}, for example \"{example}\""));
    };
    let text = &half_width(text);
    let axes = options.len() == 4 && options[0].letter == 'N';
    let mut given = vec![];
    for letter in text.chars().filter(|c| !c.is_whitespace() && !",;+&x×".contains(*c)) {
        let letter = match (axes, letter) {
            (true, '개') => 'N',
            (true, '채') => 'C',
            (true, '행') => 'H',
            (true, '열') => 'W',
            _ => letter.to_ascii_uppercase(),
        };
        if !options.iter().any(|option| option.letter == letter) {
            return Err(format!("`{text}` contains `{letter}`; expected letters from {among}"));
        }
        if !given.contains(&letter) {
            given.push(letter);
        }
    }
    if given.is_empty() {
        return Err(format!("there is no letter; expected letters from {among}"));
    }
    Ok(given)
}

/// The numbers of an answer, if they can be an answer at all.
fn sizes(question: &Question, answer: &Answer) -> Result<Vec<i64>, String> {
    let parts = question.parts();
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let given = match answer {
        Answer::Numbers(numbers) => {
            let size = |n: &i128| i64::try_from(*n).map_err(|_| out_of_range(&n.to_string()));
            numbers.iter().map(size).collect::<Result<_, String>>()?
        }
        Answer::Fraction(number) => return Err(fraction(*number)),
        Answer::Text(text) => in_text(text, question)?,
    };
    let signed = matches!(question.ask, Ask::Row(_));
    let zero = question.allows_zero();
    if given.len() != parts.len() {
        return Err(another_count(question, &given, &names));
    }
    for (name, value) in names.iter().zip(&given) {
        if *value < 0 && !signed {
            return Err(format!("{name} = {value} is not possible: a count cannot be negative"));
        }
        if *value == 0 && !zero {
            return Err(format!("{name} = 0 is not possible: it must be at least 1"));
        }
    }
    Ok(given)
}

fn fraction(number: f64) -> String {
    let says = whole_number(number).err().unwrap_or_default();
    let (down, up) = (number.floor(), number.ceil());
    if down == up || !number.is_finite() {
        return format!("{says}; expected a whole number");
    }
    format!(
        "{says}. A window either fits at a position or it does not: choose {down} or {up} (remember the floor)"
    )
}

fn another_count(question: &Question, given: &[i64], names: &[&str]) -> String {
    let (count, expected) = (given.len(), names.len());
    let what = match expected {
        1 => format!("one number ({})", names[0]),
        _ if matches!(question.ask, Ask::Row(_)) => {
            format!("{expected} numbers, one for each position of the row")
        }
        _ => format!("{expected} numbers ({})", names.join(" ")),
    };
    let got = if count == 0 { "none".to_string() } else { count.to_string() };
    let known = slips(question).into_iter().find(|slip| slip.at == At::All(given.to_vec()));
    if let Some(slip) = known {
        return format!("expected {what}, got {got}; {}", slip.says);
    }
    let why = match (question.ask, count) {
        (Ask::Weight, 5) => "; a weight has no batch axis",
        (Ask::Weight, 3) => "; N, the number of filters, is missing",
        (Ask::Output, 4) if expected == 3 => "; this is about one image, so leave out N",
        (Ask::Output, 3) if expected == 4 => "; N is missing: how many images are there?",
        (Ask::OutputSize | Ask::Field, 3 | 4) => "; the question is about rows and columns only",
        (Ask::OutputSize | Ask::Field, 1) => "; give both rows and columns, even if they are equal",
        (_, 2..) if expected == 1 => "; one is enough here",
        _ => "",
    };
    format!("expected {what}, got {got}{why}")
}

fn in_text(text: &str, question: &Question) -> Result<Vec<i64>, String> {
    let text = &half_width(text);
    let separates = |c: char| c.is_whitespace() || "xX×*,;()[]".contains(c);
    let words: Vec<&str> = text.split(separates).filter(|word| !word.is_empty()).collect();
    let example = match question.parts().len() {
        1 => "`12` or \"12\"".to_string(),
        count => {
            let digits: Vec<String> = (1..=count).map(|digit| digit.to_string()).collect();
            format!("`[{}]` or \"{}\"", digits.join(", "), digits.join("x"))
        }
    };
    if words.is_empty() {
        return Err(format!("the answer is empty; write numbers, for example {example}"));
    }
    let mut numbers = vec![];
    for word in words {
        // The axis in `N=20` can be ignored: the order implies it.
        let number = word.rsplit('=').next().unwrap_or(word);
        match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(whole), _) => numbers.push(whole),
            (_, Ok(whole)) if whole.fract() == 0.0 => {
                let plain =
                    whole_number(whole).map(|plain| format!("write `{word}` as a whole number, `{plain}`"));
                return Err(plain.unwrap_or_else(|_| out_of_range(&format!("`{word}`"))));
            }
            (_, Ok(broken)) => return Err(fraction(broken)),
            _ => return Err(format!("`{word}` is not a number; write numbers, for example {example}")),
        }
    }
    Ok(numbers)
}

/// The answer as it was typed.
pub fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Numbers(numbers) if numbers.len() == 1 => numbers[0].to_string(),
        Answer::Numbers(numbers) => format!("{numbers:?}"),
        Answer::Fraction(number) => format!("{number:?}"),
        Answer::Text(text) => format!("\"{text}\""),
    }
}
