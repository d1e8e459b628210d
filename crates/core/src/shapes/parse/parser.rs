//! Reads the text of a chain, and reports what is wrong and where.

use super::names::{OPTIONS, layer_named, normal, option_named};
use super::pytorch;
use super::words::{Span, Word, characters, half_width, is_arrow, is_gap, loose, pointed, statements, words};
use crate::shapes::layer::{Layer, Op};
use crate::shapes::shape::{Pair, number};
use crate::text::distance;
use crate::{Error, Result};
use std::ops::Range;

/// The words of one layer, and which of them is read next.
struct Words<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
    next: usize,
    /// The options before it; `same` counts as a padding.
    given: Vec<&'static str>,
}

/// Reads layers separated by `;`, new lines or arrows, or PyTorch's `nn.Sequential(…)`.
pub(in crate::shapes) fn parse(text: &str) -> Result<Vec<Layer>> {
    let text = &half_width(text);
    let layers = statements(text)?.iter().map(|words| layer(text, words)).collect::<Result<Vec<_>>>()?;
    if layers.is_empty() {
        return Err(Error::new(
            "expected layers, found none: write, for example, `conv 10 3x3; relu; maxpool 2`",
        ));
    }
    Ok(layers)
}

/// The characters of each layer in the text of a chain.
pub(in crate::shapes) fn spans(text: &str) -> Result<Vec<Range<usize>>> {
    let text = &half_width(text);
    let ends = |words: &Vec<Word>| Some((words.first()?.span.0, words.last()?.span.1));
    Ok(statements(text)?.iter().filter_map(ends).map(|span| characters(text, span)).collect())
}

/// Reads one layer, in the notation of the course or of PyTorch.
fn layer(text: &str, words: &[Word]) -> Result<Layer> {
    let words = match words {
        // `self.conv1 = nn.Conv2d(…)`
        [_, equals, after @ ..] if equals.word == "=" && !after.is_empty() => after,
        _ => words,
    };
    let Some((&name, arguments)) = words.split_first() else { return Ok(Layer::new(Op::Relu)) };
    let Some(op) = layer_named(name.word) else { return Err(unknown_layer(text, name)) };
    // `maxpool (2, 3)` has a window of 2x3, `MaxPool2d(2, 3)` a window of 2x2 and a stride of 3.
    let is_call = |first: &Word| first.word == "(" && (first.span.0 == name.span.1 || !op.pools());
    let arguments = match arguments.first().is_some_and(is_call) {
        true => pytorch::in_words(text, op, arguments)?,
        false => loose(text, arguments),
    };
    Words { text, words: [vec![name], arguments].concat(), next: 1, given: vec![] }.layer(op)
}

/// An example of how to write a layer.
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

    /// The position after the last word.
    fn end(&self) -> Span {
        let end = self.words.iter().map(|word| word.span.1).max().unwrap_or(0);
        (end, end)
    }

    fn layer(mut self, op: Op) -> Result<Layer> {
        let mut layer = Layer::new(op);
        match op {
            Op::Conv | Op::ConvTranspose => {
                self.filters(&mut layer, "the number of filters")?;
                layer.kernel = self.pair(example(op), "the size of the filters")?;
            }
            Op::Linear => self.filters(&mut layer, "the number of nodes")?,
            Op::MaxPool | Op::AvgPool => layer.kernel = self.pair(example(op), "the size of the window")?,
            Op::BatchNorm if self.numeric() => {
                layer.input = Some(self.number("bn 10", "the number of channels")?)
            }
            Op::Dropout if self.numeric() => layer.rate = self.rate()?,
            _ => {}
        }
        while let Some(word) = self.take() {
            self.option(&mut layer, word)?;
        }
        Ok(layer)
    }

    fn numeric(&self) -> bool {
        self.peek().is_some_and(|w| w.word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.'))
    }

    /// `10`, or `3->10` with the number of input channels.
    fn filters(&mut self, layer: &mut Layer, what: &str) -> Result<()> {
        layer.out = self.number(example(layer.op), what)?;
        if self.peek().is_some_and(|w| is_arrow(w.word)) {
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

    /// The number that is part of a word.
    fn whole(&self, write: &str, what: &str, word: Word, part: Word) -> Result<u64> {
        if word.word.contains(|c: char| c.is_ascii_digit()) {
            return number(self.text, part.word, part.span);
        }
        let message = format!("expected {what}, found `{}`: write `{write}`", word.word);
        Err(self.error(word.span, &message))
    }

    /// `3`, or `3x5` for 3 rows by 5 columns, or PyTorch's `(3, 5)`.
    fn pair(&mut self, write: &str, what: &str) -> Result<Pair> {
        let word = self.value(write, what)?;
        if word.word.starts_with(['(', '[']) {
            return self.tuple(write, what, word);
        }
        let Some(at) = word.word.find(['x', 'X', '×', '*']) else {
            return Ok(self.whole(write, what, word, word)?.into());
        };
        let after = at + word.word[at..].chars().next().map_or(1, char::len_utf8);
        let part = |from: usize, to: usize| {
            let span = (word.span.0 + from, word.span.0 + to);
            self.whole(write, what, word, Word { word: &word.word[from..to], span })
        };
        Ok(Pair { h: part(0, at)?, w: part(after, word.word.len())? })
    }

    fn tuple(&self, write: &str, what: &str, word: Word) -> Result<Pair> {
        let inside = words(word.word, |c| is_gap(c) || "()[],".contains(c));
        let numbers = inside.map(|(part, (from, to))| {
            let span = (word.span.0 + from, word.span.0 + to);
            self.whole(write, what, Word { word: part, span }, Word { word: part, span })
        });
        match numbers.collect::<Result<Vec<_>>>()?[..] {
            [both] => Ok(both.into()),
            [h, w] => Ok(Pair { h, w }),
            _ => {
                let message =
                    format!("expected one number, or two for rows and columns, found `{}`", word.word);
                Err(self.error(word.span, &message))
            }
        }
    }

    fn rate(&mut self) -> Result<f64> {
        let word = self.value("dropout 0.5", "a dropout rate")?;
        let rate = word.word.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
        let message =
            format!("expected a dropout rate from 0 to 1, found `{}`: write `dropout 0.5`", word.word);
        rate.ok_or_else(|| self.error(word.span, &message))
    }

    fn option(&mut self, layer: &mut Layer, mut word: Word<'a>) -> Result<()> {
        let Some(mut name) = option_named(word.word) else { return Err(self.unknown_option(layer, word)) };
        if name == "padding"
            && let Some(same) = self.peek().filter(|w| normal(w.word) == "same")
        {
            self.take();
            (name, word) = ("same", same);
        }
        if !layer.op.options().contains(&name) {
            return Err(self.error(word.span, &layer_options(layer.op, word.word)));
        }
        let option = if name == "same" { "padding" } else { name };
        if self.given.contains(&option) {
            return Err(self.error(word.span, &format!("`{option}` is given twice: delete one of them")));
        }
        self.given.push(option);
        match name {
            "stride" => layer.stride = Some(self.pair("stride 2", "the stride")?),
            "padding" => layer.padding = Some(self.pair("padding 1` or `padding same", "the padding")?),
            "dilation" => layer.dilation = Some(self.pair("dilation 2", "the dilation")?),
            "output_padding" => {
                layer.output_padding = Some(self.pair("output_padding 1", "the output_padding")?)
            }
            "groups" => layer.groups = Some(self.number("groups 2", "the number of groups")?),
            "same" => layer.same = true,
            "ceil" => layer.ceil = true,
            _ => layer.nobias = true,
        }
        Ok(())
    }

    fn unknown_option(&self, layer: &Layer, word: Word) -> Error {
        let (op, found) = (layer.op, word.word);
        let name = op.name();
        let options = OPTIONS.iter().filter(|(name, _)| op.options().contains(name));
        let names = options.flat_map(|(name, names)| names[..1].iter().map(|n| (*n, *name)));
        let hint = if found.starts_with(|c: char| c.is_ascii_digit() || c == '(') {
            self.too_many(layer, word)
        } else if is_arrow(found) {
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

    /// The likely meaning of an extra number, written with the learner's own numbers.
    fn too_many(&self, layer: &Layer, word: Word) -> String {
        let before = |back: usize| self.next.checked_sub(back).and_then(|at| self.words.get(at));
        if let (Some(option), Some(first)) = (before(3), before(2))
            && let Some(name @ ("stride" | "padding" | "output_padding" | "dilation")) =
                option_named(option.word)
            && [first.word, word.word].iter().all(|number| number.parse::<u64>().is_ok())
        {
            return format!(
                "two numbers for `{name}`, rows and columns, are written as one word: `{name} {}x{}`",
                first.word, word.word
            );
        }
        let number = Words { text: self.text, words: vec![word], next: 0, given: vec![] }.pair("", "");
        match (layer.op, number.ok().filter(|_| self.given.is_empty())) {
            (Op::MaxPool | Op::AvgPool, Some(_)) => {
                let (name, kernel) = (layer.op.name(), before(2).map_or("2", |kernel| kernel.word));
                format!(
                    "one number too many: for a stride of {0}, write `{name} {kernel} stride {0}`",
                    word.word
                )
            }
            (Op::Conv | Op::ConvTranspose, Some(last))
                if layer.input.is_none() && layer.kernel.h == layer.kernel.w =>
            {
                let pytorch = Layer { input: Some(layer.out), out: layer.kernel.h, kernel: last, ..*layer };
                format!(
                    "one number too many: write `{pytorch}` for {} input channels, or `{}` for a stride of {}",
                    layer.out,
                    Layer { stride: Some(last), ..*layer },
                    word.word
                )
            }
            (Op::Linear, Some(last)) if layer.input.is_none() => {
                let meant = Layer { input: Some(layer.out), out: last.h, ..*layer };
                format!("one number too many: for {} input features, write `{meant}`", layer.out)
            }
            _ => format!("one number too many: write `{}`", example(layer.op)),
        }
    }
}

fn unknown_layer(text: &str, name: Word) -> Error {
    let normal = normal(name.word);
    let flat = normal.strip_suffix("1d").or(normal.strip_suffix("3d")).and_then(layer_named);
    let hint = match (flat, nearest(name.word, layer_names())) {
        (Some(op), _) => format!(
            "there is no layer `{}` here: all layers have two dimensions, rows and columns (N C H W), like `{}`",
            name.word,
            example(op)
        ),
        (_, Some(near)) => format!("there is no layer `{}`: did you mean `{near}`?", name.word),
        _ => {
            let names = Op::ALL.iter().map(|op| op.name()).collect::<Vec<_>>().join(", ");
            format!("there is no layer `{}`: the layers are {names}", name.word)
        }
    };
    pointed(text, name.span, &hint)
}

fn layer_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    Op::ALL.iter().flat_map(|op| op.names().iter().map(move |name| (*name, op.name())))
}

fn layer_options(op: Op, found: &str) -> String {
    let takes = op.options().iter().filter(|name| **name != "in_channels").copied().collect::<Vec<_>>();
    match takes[..] {
        [] => format!("`{}` takes no options, found `{found}`", op.name()),
        _ => format!("`{}` has no option `{found}`; it takes {}", op.name(), takes.join(", ")),
    }
}

/// The name that is most similar to a word, if it is similar enough.
fn nearest<'a>(word: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let word: String = normal(word).chars().take(40).collect();
    let near = |(name, shown): (&'a str, &'a str)| {
        // A prefix (`max`) counts as the whole name (`maxpool`).
        let is_prefix = word.len() >= 3 && name.starts_with(&word);
        let away = if is_prefix { 1 } else { distance(&word, name) };
        (away <= 2 && away * 2 < name.len().max(3)).then_some((away, shown))
    };
    names.filter_map(near).min_by_key(|(away, _)| *away).map(|(_, shown)| shown)
}
