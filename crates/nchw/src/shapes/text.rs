//! Reads the text of a chain, and says what is wrong with it, and where.

use super::layer::{Layer, Op, plain};
use super::shape::{Pair, number};
use super::table::width;
use crate::{Error, Result};

/// From which byte to which.
pub(super) type Span = (usize, usize);

/// The line with a caret under the place, then what is wrong there.
pub(super) fn pointed(text: &str, (from, to): Span, message: &str) -> Error {
    let start = text[..from].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or("");
    // A caret line under tabs and line ends would slip.
    let shown = line.replace(char::is_control, " ");
    let number = text[..from].matches('\n').count() + 1;
    let column = text[start..from].chars().count() + 1;
    let blank = " ".repeat(width(&text[start..from]));
    let carets = "^".repeat(width(&text[from..to]).max(1));
    Error::new(format!("line {number}, column {column}: {message}\n  {shown}\n  {blank}{carets}"))
}

/// The words between separators, and where each stands.
pub(super) fn words(text: &str, separates: impl Fn(char) -> bool) -> impl Iterator<Item = (&str, Span)> {
    let placed = move |word: &'_ str| word.as_ptr() as usize - text.as_ptr() as usize;
    let spans = text.split(separates).map(move |word| (word, (placed(word), placed(word) + word.len())));
    spans.filter(|(word, _)| !word.is_empty())
}

/// A word of a layer, and where it stands.
#[derive(Clone, Copy)]
struct Word<'a> {
    word: &'a str,
    span: Span,
}

/// The words of one layer that are not read yet.
struct Words<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
    next: usize,
}

/// Reads layers separated by `;`, new lines or arrows.
pub(super) fn parse(text: &str) -> Result<Vec<Layer>> {
    let layers = statements(text).into_iter().map(|words| Words { text, words, next: 0 }.layer());
    let layers = layers.collect::<Result<Vec<_>>>()?;
    if layers.is_empty() {
        return Err(Error::new(
            "expected layers, and found none: write, say, `conv 10 3x3; relu; maxpool 2`",
        ));
    }
    Ok(layers)
}

/// The words of every layer. An arrow before a number belongs to the layer (`3->10`), any other separates.
fn statements(text: &str) -> Vec<Vec<Word<'_>>> {
    let mut all = vec![vec![]];
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let arrow = ["->", "→"].into_iter().find(|arrow| rest.starts_with(arrow));
        let inner = arrow.is_some_and(|arrow| {
            rest[arrow.len()..].trim_start_matches([' ', '\t']).starts_with(|c: char| c.is_ascii_digit())
        });
        let length = match arrow {
            Some(arrow) => arrow.len(),
            None if is_gap(c) || ends_layer(c) => c.len_utf8(),
            None => word_length(rest),
        };
        if ends_layer(c) || (arrow.is_some() && !inner) {
            all.push(vec![]);
        } else if !is_gap(c)
            && let Some(words) = all.last_mut()
        {
            words.push(Word { word: &rest[..length], span: (at, at + length) });
        }
        at += length;
    }
    all.retain(|words| !words.is_empty());
    all
}

fn ends_layer(c: char) -> bool {
    matches!(c, ';' | '\n')
}

/// What stands between words: `conv(10, 3, stride=2)` reads like `conv 10 3 stride 2`.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | '(' | ')' | '=')
}

fn word_length(rest: &str) -> usize {
    let ends =
        |(at, c): &(usize, char)| is_gap(*c) || ends_layer(*c) || *c == '→' || rest[*at..].starts_with("->");
    rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at)
}

/// What each layer may be called, and each option; of an option the first name is the one that suggestions know.
const NAMES: [(Op, &[&str]); 11] = [
    (Op::Conv, &["conv", "convolution"]),
    (Op::ConvTranspose, &["convt", "convtranspose", "transposedconv", "deconv", "tconv"]),
    (Op::MaxPool, &["maxpool", "maxpooling"]),
    (Op::AvgPool, &["avgpool", "averagepool", "avgpooling", "meanpool"]),
    (Op::GlobalAvgPool, &["gap", "globalavgpool", "globalaveragepool", "globalaveragepooling"]),
    (Op::GlobalMaxPool, &["gmp", "globalmaxpool", "globalmaxpooling"]),
    (Op::Flatten, &["flatten", "flat"]),
    (Op::Linear, &["linear", "fc", "dense", "fullyconnected"]),
    (Op::Relu, &["relu"]),
    (Op::BatchNorm, &["bn", "batchnorm", "batchnormalization"]),
    (Op::Dropout, &["dropout", "drop"]),
];

const OPTIONS: [(&str, &[&str]); 8] = [
    ("stride", &["stride", "s"]),
    ("padding", &["padding", "pad", "p"]),
    ("same", &["same"]),
    ("dilation", &["dilation", "dilate", "d"]),
    ("groups", &["groups", "group", "g"]),
    ("output_padding", &["outputpadding", "outpad"]),
    ("ceil", &["ceil", "ceilmode"]),
    ("nobias", &["nobias"]),
];

/// `nn.Max_Pool2d` as `maxpool`.
fn normal(word: &str) -> String {
    let word = word.to_lowercase().replace(['_', '-'], "");
    let word = word.strip_prefix("nn.").unwrap_or(&word);
    word.strip_suffix("2d").unwrap_or(word).to_string()
}

fn layer_named(word: &str) -> Option<Op> {
    let word = normal(word);
    NAMES.iter().find(|(_, names)| names.contains(&word.as_str())).map(|(op, _)| *op)
}

fn option_named(word: &str) -> Option<&'static str> {
    let word = normal(word);
    OPTIONS.iter().find(|(_, names)| names.contains(&word.as_str())).map(|(name, _)| *name)
}

/// How a layer is written.
fn example(op: Op) -> &'static str {
    match op {
        Op::Conv => "conv 10 3x3",
        Op::ConvTranspose => "convt 8 2x2 stride 2",
        Op::MaxPool => "maxpool 2",
        Op::AvgPool => "avgpool 2",
        Op::Linear => "linear 10",
        Op::Dropout => "dropout 0.5",
        other => other.name(),
    }
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<Word<'a>> {
        self.words.get(self.next).copied()
    }

    fn take(&mut self) -> Option<Word<'a>> {
        let word = self.peek();
        self.next += 1;
        word
    }

    fn error(&self, span: Span, message: &str) -> Error {
        pointed(self.text, span, message)
    }

    /// Just behind the last word.
    fn end(&self) -> Span {
        self.words.last().map_or((0, 0), |word| (word.span.1, word.span.1))
    }

    fn layer(mut self) -> Result<Layer> {
        let Some(name) = self.take() else { return Ok(plain(Op::Relu)) };
        let Some(op) = layer_named(name.word) else { return Err(self.unknown_layer(name)) };
        let mut layer = plain(op);
        match op {
            Op::Conv | Op::ConvTranspose => {
                self.filters(&mut layer, "how many filters")?;
                layer.kernel = self.pair(example(op), "the filters' size")?;
            }
            Op::Linear => self.filters(&mut layer, "how many nodes")?,
            Op::MaxPool | Op::AvgPool => layer.kernel = self.pair(example(op), "the window's size")?,
            Op::BatchNorm if self.numeric() => layer.input = Some(self.number("bn 10", "the channels")?),
            Op::Dropout if self.numeric() => layer.rate = self.rate()?,
            _ => {}
        }
        while let Some(word) = self.take() {
            layer = self.option(layer, word)?;
        }
        Ok(layer)
    }

    fn numeric(&self) -> bool {
        self.peek().is_some_and(|w| w.word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.'))
    }

    /// `10`, or `3->10` with the channels that are expected.
    fn filters(&mut self, layer: &mut Layer, what: &str) -> Result<()> {
        layer.out = self.number(example(layer.op), what)?;
        if self.peek().is_some_and(|w| ["->", "→"].contains(&w.word)) {
            self.take();
            layer.input = Some(layer.out);
            layer.out = self.number(example(layer.op), what)?;
        }
        Ok(())
    }

    fn value(&mut self, write: &str, what: &str) -> Result<Word<'a>> {
        self.take().ok_or_else(|| self.error(self.end(), &format!("expected {what}: write `{write}`")))
    }

    fn number(&mut self, write: &str, what: &str) -> Result<u64> {
        let word = self.value(write, what)?;
        self.whole(write, what, word, word)
    }

    /// The number in a part of a word.
    fn whole(&self, write: &str, what: &str, word: Word, part: Word) -> Result<u64> {
        if word.word.contains(|c: char| c.is_ascii_digit()) {
            return number(self.text, part.word, part.span);
        }
        let message = format!("expected {what}, and found `{}`: write `{write}`", word.word);
        Err(self.error(word.span, &message))
    }

    /// `3`, or `3x5` for 3 rows by 5 columns.
    fn pair(&mut self, write: &str, what: &str) -> Result<Pair> {
        let word = self.value(write, what)?;
        let Some(at) = word.word.find(['x', 'X', '×', '*']) else {
            return Ok(self.whole(write, what, word, word)?.into());
        };
        let behind = at + word.word[at..].chars().next().map_or(1, char::len_utf8);
        let part = |from: usize, to: usize| {
            let span = (word.span.0 + from, word.span.0 + to);
            self.whole(write, what, word, Word { word: &word.word[from..to], span })
        };
        Ok(Pair { h: part(0, at)?, w: part(behind, word.word.len())? })
    }

    fn rate(&mut self) -> Result<f64> {
        let word = self.value("dropout 0.5", "a rate")?;
        let rate = word.word.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
        let message = format!("expected a rate from 0 to 1, and found `{}`: write `dropout 0.5`", word.word);
        rate.ok_or_else(|| self.error(word.span, &message))
    }

    fn option(&mut self, layer: Layer, mut word: Word<'a>) -> Result<Layer> {
        let op = layer.op;
        let Some(mut name) = option_named(word.word) else { return Err(self.unknown_option(op, word)) };
        if name == "padding"
            && let Some(same) = self.peek().filter(|w| normal(w.word) == "same")
        {
            self.take();
            (name, word) = ("same", same);
        }
        if !op.takes().contains(&name) {
            return Err(self.error(word.span, &layer_options(op, word.word)));
        }
        let twice = layer.given().iter().any(|given| {
            *given == name || (["padding", "same"].contains(given) && ["padding", "same"].contains(&name))
        });
        if twice {
            return Err(self.error(
                word.span,
                &format!("`{}` is given twice: leave one out", if name == "same" { "padding" } else { name }),
            ));
        }
        Ok(match name {
            "stride" => layer.stride(self.pair("stride 2", "the stride")?),
            "padding" => layer.padding(self.pair("padding 1` or `padding same", "the padding")?),
            "dilation" => layer.dilation(self.pair("dilation 2", "the dilation")?),
            "output_padding" => layer.output_padding(self.pair("output_padding 1", "the output_padding")?),
            "groups" => layer.groups(self.number("groups 2", "how many groups")?),
            "same" => layer.same(),
            "ceil" => layer.ceil(),
            _ => layer.nobias(),
        })
    }

    fn unknown_layer(&self, name: Word) -> Error {
        let names = NAMES.iter().flat_map(|(op, names)| names.iter().map(|name| (*name, op.name())));
        let hint = match nearest(name.word, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("layers are {}", NAMES.map(|(op, _)| op.name()).join(", ")),
        };
        self.error(name.span, &format!("there is no layer `{}`: {hint}", name.word))
    }

    fn unknown_option(&self, op: Op, word: Word) -> Error {
        let (name, found) = (op.name(), word.word);
        let options = OPTIONS.iter().filter(|(name, _)| op.takes().contains(name));
        let names = options.flat_map(|(name, names)| names[..1].iter().map(|n| (*n, *name)));
        let hint = if found.starts_with(|c: char| c.is_ascii_digit()) {
            match op {
                Op::Conv | Op::ConvTranspose => format!(
                    "one number too many: `{name}` takes how many filters and their size (`{name} 10 3x5`), the input's \
                     channels as in `{name} 3->10 3x5`"
                ),
                _ => format!("one number too many: write `{}`", example(op)),
            }
        } else if ["->", "→"].contains(&found) {
            format!("`{name}` does not take `in->out`: write `{}`", example(op))
        } else if ["x", "X", "×", "*"].contains(&found) {
            "write a size without spaces: `3x5`".to_string()
        } else if layer_named(found).is_some() {
            format!("a new layer begins here: put `;` before `{found}`")
        } else if let Some(near) = nearest(found, names) {
            format!("`{name}` has no option `{found}`: did you mean `{near}`?")
        } else {
            layer_options(op, found)
        };
        self.error(word.span, &hint)
    }
}

fn layer_options(op: Op, found: &str) -> String {
    let takes = op.takes().iter().filter(|name| **name != "in_channels").copied().collect::<Vec<_>>();
    match takes[..] {
        [] => format!("`{}` takes no options, and found `{found}`", op.name()),
        _ => format!("`{}` has no option `{found}`; it takes {}", op.name(), takes.join(", ")),
    }
}

/// The name that is nearest to a word, if it is near enough to be meant.
fn nearest<'a>(word: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let word: String = normal(word).chars().take(40).collect();
    let near = |(name, shown): (&'a str, &'a str)| {
        // A beginning (`max` for `maxpool`) is meant as the whole.
        let begun = word.len() >= 3 && name.starts_with(&word);
        let away = if begun { 1 } else { distance(&word, name) };
        (away <= 2 && away * 2 < name.len().max(3)).then_some((away, shown))
    };
    names.filter_map(near).min_by_key(|(away, _)| *away).map(|(_, shown)| shown)
}

/// How many letters must be put in, left out, changed or swapped with their neighbour.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = change.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(table[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    table[a.len()][b.len()]
}
