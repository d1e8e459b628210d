//! A question: its text, what is asked, and the answer.

use crate::shapes::{Chain, Row, Shape};
use serde::Deserialize;
use std::fmt;

/// The topic of a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Why a window and not every pixel.
    Local,
    /// Multiply, add, slide.
    Convolution,
    /// Filters and feature maps along the channel axis.
    Channels,
    /// Many images at once.
    Batch,
    /// The 1x1 convolution.
    OneByOne,
    /// Rows and columns around the image.
    Padding,
    /// Steps of more than one.
    Stride,
    /// Windows with gaps.
    Dilation,
    /// One value for each region.
    Pooling,
    /// The part of the input that one value depends on.
    Field,
    /// The number of weights and biases.
    Parameters,
    /// From feature maps to one row of values.
    Flatten,
    /// Filters that see only some of the channels.
    Groups,
    /// Whole networks.
    Nets,
    /// Random questions.
    #[default]
    Random,
}

impl Topic {
    /// All of them, in the order of the course.
    pub const ALL: [Topic; 15] = [
        Topic::Local,
        Topic::Convolution,
        Topic::Channels,
        Topic::Batch,
        Topic::OneByOne,
        Topic::Padding,
        Topic::Stride,
        Topic::Dilation,
        Topic::Pooling,
        Topic::Field,
        Topic::Parameters,
        Topic::Flatten,
        Topic::Groups,
        Topic::Nets,
        Topic::Random,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Local => "local windows",
            Topic::Convolution => "convolution",
            Topic::Channels => "channels",
            Topic::Batch => "batch",
            Topic::OneByOne => "1x1 convolution",
            Topic::Padding => "padding",
            Topic::Stride => "stride",
            Topic::Dilation => "dilation",
            Topic::Pooling => "pooling",
            Topic::Field => "receptive field",
            Topic::Parameters => "parameters",
            Topic::Flatten => "flatten",
            Topic::Groups => "groups",
            Topic::Nets => "whole networks",
            Topic::Random => "random",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is asked about the layers: about the last one, unless a variant says otherwise.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// The output's sizes, as many as the input has axes.
    #[default]
    Output,
    /// The output's rows and columns.
    OutputSize,
    /// The output's channels.
    OutputChannels,
    /// The weight's four sizes.
    Weight,
    /// The channels of one filter.
    FilterChannels,
    /// The weights of one filter, without its bias.
    FilterWeights,
    /// All weights of the layer, without biases.
    Weights,
    /// Weights and biases of the layer.
    Parameters,
    /// Weights and biases of all layers.
    AllParameters,
    /// The receptive field along one side.
    FieldSide,
    /// The receptive field: rows and columns.
    Field,
    /// The values of one image after `flatten`.
    Features,
    /// The number of columns at the right edge that no window covers.
    UnreadColumns,
    /// The number that replaces `?` in the layers; the text gives the resulting shape.
    Unknown(Unknown),
    /// One row of the result, counted from 0. Input and filter are numbers: `0 0 1 / 0 0 1`, with `|`
    /// between channels.
    Row(usize),
    /// One or more of the question's options.
    Letters,
}

/// What `?` stands for.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// The padding.
    Padding,
    /// The stride.
    Stride,
    /// The dilation.
    Dilation,
    /// The groups.
    Groups,
    /// The input's rows and columns.
    Size,
}

/// One question, as it is written in `questions/*.toml`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name in `quiz("id")`.
    pub id: String,
    /// The topic of its file.
    #[serde(skip)]
    pub topic: Topic,
    /// From 1 (can be answered in the lecture) to 4 (needs paper).
    pub level: u8,
    /// The notebook that contains it, without `.md`; empty for a random question.
    pub notebook: String,
    /// The question.
    pub text: String,
    /// What is asked about the layers.
    pub ask: Ask,
    /// The options of a question that is answered with letters.
    #[serde(default)]
    pub options: Vec<Choice>,
    /// The shape of the input, or its numbers.
    #[serde(default)]
    pub input: String,
    /// The layers, in the text form of a chain; `?` is the unknown number.
    #[serde(default)]
    pub layers: String,
    /// The answer: `20x10x3x3`, or letters.
    pub answer: String,
    /// The hints, one after the other.
    pub hints: Vec<String>,
    /// Wrong answers that only this question has.
    #[serde(default)]
    pub wrong: Vec<Wrong>,
    /// What the arithmetic alone does not explain.
    #[serde(default)]
    pub why: String,
}

/// One option of a question that is answered with letters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its letter.
    pub letter: char,
    /// What it stands for.
    pub text: String,
}

/// A wrong answer that learners give, and what it confuses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// The wrong answer.
    pub answer: String,
    /// What it confuses.
    pub feedback: String,
}

/// One number of the answer.
pub struct Part {
    /// `N`, `C`, `H`, `W`, or what is counted.
    pub name: String,
    /// The right number.
    pub truth: i64,
}

impl Question {
    /// The layers with the answer in place of `?`.
    pub fn filled(&self, answer: &str) -> String {
        self.layers.replace('?', answer)
    }

    /// Every layer with its shapes; empty for questions about numbers or with letters.
    pub fn rows(&self) -> Vec<Row> {
        let Ok(input) = self.input.parse::<Shape>() else { return vec![] };
        let Ok(chain) = self.filled(&self.answer).parse::<Chain>() else { return vec![] };
        if matches!(self.ask, Ask::Row(_) | Ask::Letters) { vec![] } else { chain.on(input).rows }
    }

    /// The numbers of the answer with their names; none for letters.
    pub fn parts(&self) -> Vec<Part> {
        let truths = numbers(&self.answer);
        let names: Vec<String> = match self.ask {
            Ask::Letters => vec![],
            Ask::Row(_) if truths.len() == 1 => vec!["value".into()],
            Ask::Row(_) => (1..=truths.len()).map(|index| format!("number {index}")).collect(),
            ask => ask.names(truths.len()).iter().map(|name| name.to_string()).collect(),
        };
        names.into_iter().zip(truths).map(|(name, truth)| Part { name, truth }).collect()
    }

    /// The answer as it is typed: `[20, 10, 3, 3]`, `75`, `"N H W"`.
    pub fn typed(&self) -> String {
        as_typed(self.ask, &self.answer)
    }

    /// The placeholder in the line to copy, and what replaces it.
    pub fn placeholder(&self) -> (String, String) {
        if self.ask == Ask::Letters {
            let letters: Vec<String> = self.options.iter().map(|option| option.letter.to_string()).collect();
            let several = self.answer.len() > 1;
            let which = if several { "one or more of" } else { "one of" };
            return ("\"?\"".into(), format!("{which} {}", letters.join(", ")));
        }
        let parts = self.parts();
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        // A value that is never right, and obviously not an answer.
        let blank = if self.allows_zero() { "99" } else { "0" };
        match names[..] {
            ["value"] => (blank.into(), "your number".into()),
            [one] => (blank.into(), format!("your number ({one})")),
            _ if matches!(self.ask, Ask::Row(_)) => {
                (format!("[{}]", vec![blank; names.len()].join(", ")), "your numbers".into())
            }
            _ => (format!("[{}]", vec![blank; names.len()].join(", ")), names.join(", ")),
        }
    }

    /// Whether 0 is a possible answer.
    pub fn allows_zero(&self) -> bool {
        matches!(
            self.ask,
            Ask::Row(_) | Ask::Parameters | Ask::Unknown(Unknown::Padding) | Ask::UnreadColumns
        )
    }
}

/// An answer as it is typed in a cell.
fn as_typed(ask: Ask, answer: &str) -> String {
    match (ask, &numbers(answer)[..]) {
        (Ask::Letters, _) => format!("\"{answer}\""),
        (_, [one]) => one.to_string(),
        (_, many) => format!("{many:?}"),
    }
}

impl Ask {
    /// The names of an answer's numbers.
    pub fn names(self, count: usize) -> &'static [&'static str] {
        match (self, count) {
            (Ask::Output, 1) => &["features"],
            (Ask::Output, 2) => &["N", "features"],
            (Ask::Output, 3) => &["C", "H", "W"],
            (Ask::Output | Ask::Weight, _) => &["N", "C", "H", "W"],
            (Ask::OutputSize | Ask::Field, _) => &["H", "W"],
            (Ask::OutputChannels | Ask::FilterChannels, _) => &["channels"],
            (Ask::FilterWeights | Ask::Weights, _) => &["weights"],
            (Ask::Parameters | Ask::AllParameters, _) => &["parameters"],
            (Ask::FieldSide, _) => &["side"],
            (Ask::UnreadColumns, _) => &["columns"],
            (Ask::Features, _) => &["features"],
            (Ask::Unknown(Unknown::Padding), _) => &["padding"],
            (Ask::Unknown(Unknown::Stride), _) => &["stride"],
            (Ask::Unknown(Unknown::Dilation), _) => &["dilation"],
            (Ask::Unknown(Unknown::Groups), _) => &["groups"],
            (Ask::Unknown(Unknown::Size), _) => &["size"],
            (Ask::Row(_) | Ask::Letters, _) => &[],
        }
    }

    /// What the number with this name counts; empty if the name says it.
    pub fn meaning(self, name: &str) -> &'static str {
        match (self, name) {
            (Ask::Weight, "N") => "filters",
            (Ask::Weight, "C") => "channels of each filter",
            (Ask::Weight, "H") => "rows of each filter",
            (Ask::Weight, "W") => "columns of each filter",
            (_, "N") => "images",
            (_, "C") => "channels",
            (_, "H") => "rows",
            (_, "W") => "columns",
            (_, "side") => "rows, and as many columns",
            _ => "",
        }
    }
}

/// The whole numbers in a text, with their signs.
pub fn numbers(text: &str) -> Vec<i64> {
    let separates = |c: char| !c.is_ascii_digit() && c != '-';
    text.split(separates).filter_map(|word| word.parse().ok()).collect()
}

/// What to replace in the line: the zeros of `[0, 0]`.
pub fn blank_of(blank: &str) -> String {
    let first = blank.trim_matches(['[', ']']).split(',').next().unwrap_or(blank);
    if blank.contains(',') { format!("the {first}s") } else { first.to_string() }
}

/// An axis with its syllable of 개채행열.
pub fn axis_name(name: &str) -> String {
    match name {
        "N" => "N 개".into(),
        "C" => "C 채".into(),
        "H" => "H 행".into(),
        "W" => "W 열".into(),
        _ => name.into(),
    }
}
