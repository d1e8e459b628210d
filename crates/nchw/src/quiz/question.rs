//! What a question is: its text, what is asked, and the answer.

use crate::shapes::{Chain, Row, Shape};
use std::fmt;

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Why a window and not every pixel.
    Local,
    /// Multiply, add, slide.
    Convolution,
    /// Filters and maps on the channel axis.
    Channels,
    /// Many pictures at once.
    Batch,
    /// The 1x1 convolution.
    OneByOne,
    /// Rows and columns around the picture.
    Padding,
    /// Steps of more than one.
    Stride,
    /// Windows with gaps.
    Dilation,
    /// One speaks for many.
    Pooling,
    /// What one value sees of the input.
    Field,
    /// How many numbers are learned.
    Parameters,
    /// From maps to a row of values.
    Flatten,
    /// Filters that see a share of the channels.
    Groups,
    /// Whole networks.
    Nets,
    /// Made by chance.
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

/// What is asked of the layers; the last one, unless it says otherwise.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ask {
    /// The output's sizes, as many as the input has axes.
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
    /// Weights and biases of the layer.
    Parameters,
    /// Weights and biases of all layers.
    AllParameters,
    /// The receptive field along one side.
    FieldSide,
    /// The receptive field: rows and columns.
    Field,
    /// The values of one picture after the flatten.
    Features,
    /// How many columns at the end no window looks at.
    UnreadColumns,
    /// The number that stands for `?` in the layers, so that this comes out.
    Unknown(&'static str),
    /// One row of numbers: input and filter are given as numbers, `0 0 1 / 0 0 1`,
    /// channels separated by `|`.
    Row(usize),
    /// Which of these letters.
    Letters(&'static [(char, &'static str)]),
}

/// One question with all that belongs to it.
pub(crate) struct Question {
    pub id: String,
    pub topic: Topic,
    /// 1 is said aloud in the lecture; 4 needs paper.
    pub level: u8,
    /// The notebook in which it stands, without `.md`.
    pub notebook: &'static str,
    pub text: String,
    /// What is to be seen, where the question is about something seen.
    pub picture: String,
    pub ask: Ask,
    pub input: String,
    pub layers: String,
    pub answer: String,
    pub hints: Vec<String>,
    /// Known wrong answers, and what each confuses.
    pub wrong: Vec<(String, String)>,
    /// What the arithmetic alone does not say.
    pub why: String,
}

/// One number of the answer.
pub(crate) struct Part {
    /// `N`, `C`, `H`, `W`, or what is counted.
    pub name: String,
    pub truth: i64,
}

impl Question {
    pub(crate) fn new(id: &str, topic: Topic, level: u8, notebook: &'static str, text: &str) -> Question {
        Question {
            id: id.into(),
            topic,
            level,
            notebook,
            text: text.into(),
            picture: String::new(),
            ask: Ask::Output,
            input: String::new(),
            layers: String::new(),
            answer: String::new(),
            hints: vec![],
            wrong: vec![],
            why: String::new(),
        }
    }

    /// What is asked of which layers on which input.
    pub(crate) fn of(mut self, input: &str, layers: &str, ask: Ask) -> Question {
        (self.input, self.layers, self.ask) = (input.into(), layers.into(), ask);
        self
    }

    pub(crate) fn letters(mut self, options: &'static [(char, &'static str)]) -> Question {
        self.ask = Ask::Letters(options);
        self
    }

    pub(crate) fn picture(mut self, seen: &str) -> Question {
        self.picture = seen.into();
        self
    }

    pub(crate) fn answer(mut self, answer: &str) -> Question {
        self.answer = answer.into();
        self
    }

    pub(crate) fn hint(mut self, hint: &str) -> Question {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn wrong(mut self, answer: &str, confuses: &str) -> Question {
        self.wrong.push((answer.into(), confuses.into()));
        self
    }

    pub(crate) fn why(mut self, why: &str) -> Question {
        self.why = why.into();
        self
    }

    /// The layers with the answer in place of `?`.
    pub(crate) fn filled(&self, answer: &str) -> String {
        self.layers.replace('?', answer)
    }

    /// The table's rows; none where numbers or letters are asked for.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let Ok(input) = self.input.parse::<Shape>() else { return vec![] };
        let Ok(chain) = self.filled(&self.answer).parse::<Chain>() else { return vec![] };
        if matches!(self.ask, Ask::Row(_) | Ask::Letters(_)) { vec![] } else { chain.on(input).rows }
    }

    /// The numbers of the answer with their names; none for letters.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let truths = numbers(&self.answer);
        let names: Vec<String> = match self.ask {
            Ask::Letters(_) => vec![],
            Ask::Row(_) if truths.len() == 1 => vec!["value".into()],
            Ask::Row(_) => (1..=truths.len()).map(|place| format!("number {place}")).collect(),
            ask => ask.names(truths.len()).iter().map(|name| name.to_string()).collect(),
        };
        names.into_iter().zip(truths).map(|(name, truth)| Part { name, truth }).collect()
    }

    /// The answer as it is typed: `[20, 10, 3, 3]`, `75`, `"N H W"`.
    pub(crate) fn typed(&self) -> String {
        typed(self.ask, &self.answer)
    }

    /// What stands in the line to copy, and what is to be put there.
    pub(crate) fn place_holder(&self) -> (String, String) {
        if let Ask::Letters(options) = self.ask {
            let letters: Vec<String> = options.iter().map(|(letter, _)| letter.to_string()).collect();
            let several = self.answer.len() > 1;
            let which = if several { "one or more of" } else { "one of" };
            return ("\"?\"".into(), format!("{which} {}", letters.join(", ")));
        }
        let parts = self.parts();
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        // Something that is never right, and that can be seen not to be.
        let blank = if self.zero_can_be() { "99" } else { "0" };
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
    pub(crate) fn zero_can_be(&self) -> bool {
        matches!(self.ask, Ask::Row(_) | Ask::Parameters | Ask::Unknown("padding") | Ask::UnreadColumns)
    }
}

/// An answer as it is typed in a cell.
pub(crate) fn typed(ask: Ask, answer: &str) -> String {
    match (ask, &numbers(answer)[..]) {
        (Ask::Letters(_), _) => format!("\"{answer}\""),
        (_, [one]) => one.to_string(),
        (_, many) => format!("{many:?}"),
    }
}

impl Ask {
    /// The names of so many numbers.
    pub(crate) fn names(self, count: usize) -> &'static [&'static str] {
        match (self, count) {
            (Ask::Output, 2) => &["N", "features"],
            (Ask::Output, 3) => &["C", "H", "W"],
            (Ask::Output | Ask::Weight, _) => &["N", "C", "H", "W"],
            (Ask::OutputSize | Ask::Field, _) => &["H", "W"],
            (Ask::OutputChannels | Ask::FilterChannels, _) => &["channels"],
            (Ask::FilterWeights, _) => &["weights"],
            (Ask::Parameters | Ask::AllParameters, _) => &["parameters"],
            (Ask::FieldSide, _) => &["side"],
            (Ask::UnreadColumns, _) => &["columns"],
            (Ask::Features, _) => &["features"],
            (Ask::Unknown("padding"), _) => &["padding"],
            (Ask::Unknown("stride"), _) => &["stride"],
            (Ask::Unknown("dilation"), _) => &["dilation"],
            (Ask::Unknown("groups"), _) => &["groups"],
            (Ask::Unknown("filters"), _) => &["filters"],
            (Ask::Unknown(_), _) => &["size"],
            (Ask::Row(_) | Ask::Letters(_), _) => &[],
        }
    }

    /// What is counted where the sizes are of that kind; in words for one axis.
    pub(crate) fn meaning(self, name: &str) -> &'static str {
        match (self, name) {
            (Ask::Weight, "N") => "filters",
            (Ask::Weight, "C") => "channels of each filter",
            (Ask::Weight, "H") => "rows of each filter",
            (Ask::Weight, "W") => "columns of each filter",
            (_, "N") => "pictures",
            (_, "C") => "channels",
            (_, "H") => "rows",
            (_, "W") => "columns",
            (_, "side") => "rows, and as many columns",
            _ => "",
        }
    }
}

/// The whole numbers in a text, with their signs.
pub(crate) fn numbers(text: &str) -> Vec<i64> {
    let separates = |c: char| !c.is_ascii_digit() && c != '-';
    text.split(separates).filter_map(|word| word.parse().ok()).collect()
}
