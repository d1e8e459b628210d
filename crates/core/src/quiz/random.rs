//! Random questions from a seed.

use super::question::{Ask, Question, Topic};
use crate::random::Rng;
use crate::shapes::{table, times};
use crate::{Error, Result};

/// All levels.
pub const LEVELS: std::ops::RangeInclusive<u8> = 1..=4;

/// The question for this seed and level, always the same one. `answer` computes its answer: libtorch does
/// in notebooks, [`arithmetic`] on web pages.
///
/// # Errors
/// If there is no such level.
pub fn question(seed: u64, level: u8, answer: impl Fn(&Question) -> Result<String>) -> Result<Question> {
    if !LEVELS.contains(&level) {
        return Err(Error::new(format!(
            "there is no level {level}: levels go from 1 (a layer as in the lecture) to 4 (two layers; use paper)"
        )));
    }
    let mut rng = Rng::new(seed, u64::from(level));
    // If a window does not fit, another question is drawn; most windows fit.
    for _ in 0..1000 {
        let mut question = drawn(seed, level, &mut rng);
        if let Ok(answer) = answer(&question) {
            question.answer = answer;
            return Ok(question);
        }
    }
    Err(Error::new(format!("no question was found for seed {seed}; try another seed")))
}

/// The answer to a random question by the arithmetic of [`crate::shapes`].
///
/// # Errors
/// If the layers do not fit.
pub fn arithmetic(question: &Question) -> Result<String> {
    let table = table(&question.input, &question.layers)?.ok()?;
    let none = || Error::new("a random question has at least one layer");
    let last = table.rows.last().ok_or_else(none)?;
    Ok(match question.ask {
        Ask::Weight => times(&last.weight),
        Ask::Parameters => last.parameters.to_string(),
        Ask::Features => last.output.sizes().last().ok_or_else(none)?.to_string(),
        _ => times(&last.output.sizes()),
    })
}

fn drawn(seed: u64, level: u8, rng: &mut Rng) -> Question {
    let within = |rng: &mut Rng, low: usize, high: usize| low + rng.below(high - low + 1);
    let batch = [1, 1, 8, 16, 32, 64][rng.below(6)];
    let channels = [1, 3, 4, 6, 12][rng.below(5)];
    let (h, w) = (within(rng, 9, 40), within(rng, 9, 40));
    let input =
        if batch == 1 { format!("{channels}x{h}x{w}") } else { format!("{batch}x{channels}x{h}x{w}") };
    let count = if level == 4 { 2 } else { 1 };
    let mut layers: Vec<String> = (0..count).map(|_| layer(level, rng)).collect();
    let flat = level == 3 && rng.below(4) == 0;
    if flat {
        layers.push("flatten".into());
    }
    let layers = layers.join("; ");
    let conv = layers.rsplit("; ").next().is_some_and(|last| last.starts_with("conv"));
    let asks = [Ask::Output, Ask::Weight, Ask::Parameters];
    let ask = match (flat, conv) {
        (true, _) => Ask::Features,
        (_, true) => asks[rng.below(asks.len())],
        _ => Ask::Output,
    };
    let wanted = match ask {
        Ask::Weight => "What is the shape of the last layer's weight?",
        Ask::Parameters => "How many parameters does the last layer have, including biases?",
        Ask::Features => "How many values does one image have at the end?",
        _ => "What is the shape of the output?",
    };
    let text = format!(
        "{} of {input} goes through these layers: {layers}. {wanted}",
        if batch == 1 { "An image" } else { "A batch" }
    );
    let id = format!("random-{seed}-{level}");
    let hint = match ask {
        Ask::Weight => "개채행열 for filters: how many, as many channels as the input, rows, columns.",
        Ask::Parameters => {
            "Write the shape of the weight first, multiply its sizes, and add one bias for each filter."
        }
        Ask::Features => "Write the shape before flatten, then multiply channels, rows and columns.",
        _ => {
            "개채행열: N stays the same, C is the number of filters (pooling keeps C), then rows, then columns."
        }
    };
    let hints = [hint, "For each side: (input + 2*padding - window) / stride, rounded down, + 1."];
    let hints = hints.map(String::from).to_vec();
    Question { id, topic: Topic::Random, level, text, ask, input, layers, hints, ..Question::default() }
}

/// One layer; a higher level has more options.
fn layer(level: u8, rng: &mut Rng) -> String {
    let filters = [5, 8, 10, 16, 20][rng.below(5)];
    let (kh, kw) = (1 + rng.below(5), 1 + rng.below(5));
    if rng.below(4) == 0 {
        let kind = ["maxpool", "avgpool"][rng.below(2)];
        let size = 2 + rng.below(2);
        return if level == 1 { format!("{kind} 2") } else { format!("{kind} {size}") };
    }
    let mut text = match level {
        1 => format!("conv {filters} {0}x{0}", [3, 5][rng.below(2)]),
        _ => format!("conv {filters} {kh}x{kw}"),
    };
    let option = |text: &mut String, name: &str, value: usize, plain: usize| {
        if value != plain {
            *text += &format!(" {name} {value}");
        }
    };
    if level >= 2 {
        option(&mut text, "stride", 1 + rng.below(3), 1);
        option(&mut text, "padding", rng.below(3), 0);
    }
    if level >= 3 {
        option(&mut text, "dilation", 1 + rng.below(2), 1);
    }
    text
}
