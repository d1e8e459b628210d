//! Translates PyTorch's notation, `nn.Conv2d(3, 10, kernel_size=3)`, into the words of a chain's text.

use super::names::{normal, option_named};
use super::words::{Word, is_arrow, joined, loose, pointed};
use crate::Result;
use crate::shapes::layer::Op;

/// The parameters of PyTorch's layer, in order; the features of `Linear` are called channels here.
fn signature(op: Op) -> &'static [&'static str] {
    match op {
        Op::Conv => &[
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "dilation",
            "groups",
            "bias",
            "padding_mode",
            "device",
            "dtype",
        ],
        Op::ConvTranspose => &[
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "padding",
            "output_padding",
            "groups",
            "bias",
            "dilation",
            "padding_mode",
            "device",
            "dtype",
        ],
        Op::MaxPool => &["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"],
        Op::AvgPool => {
            &["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"]
        }
        Op::GlobalAvgPool | Op::GlobalMaxPool => &["output_size", "return_indices"],
        Op::Flatten => &["start_dim", "end_dim"],
        Op::Linear => &["in_channels", "out_channels", "bias", "device", "dtype"],
        Op::Relu => &["inplace"],
        Op::BatchNorm => {
            &["in_channels", "eps", "momentum", "affine", "track_running_stats", "device", "dtype"]
        }
        Op::Dropout => &["p", "inplace"],
    }
}

/// The name in the signature for a keyword.
fn keyword(op: Op, word: &str) -> Option<&'static str> {
    let word = match normal(word).as_str() {
        "infeatures" | "numfeatures" => "inchannels".to_string(),
        "outfeatures" => "outchannels".to_string(),
        other => other.to_string(),
    };
    signature(op).iter().find(|name| name.replace('_', "") == word).copied()
}

/// One argument: its name in the signature, and the words of its value.
type Argument<'a> = (&'static str, Vec<Word<'a>>);

/// Translates the arguments of a call, and the options after it, into the words of a chain's text.
///
/// `call` begins with the opening bracket. Two numbers for a convolution are the
/// number and size of the filters, as in the course's own `conv(10, 3)`.
pub(in crate::shapes) fn in_words<'a>(text: &'a str, op: Op, call: &[Word<'a>]) -> Result<Vec<Word<'a>>> {
    let (inside, after) = call[1..].split_at(closing(call) - 1);
    let (mut positional, mut arguments, mut options) = (vec![], vec![], vec![]);
    for argument in arguments_of(inside) {
        match argument[..] {
            [name, equals, ..] if equals.word == "=" => match keyword(op, name.word) {
                Some(known) => add(text, &mut arguments, known, joined(text, &argument[2..]), name)?,
                None => options.extend(loose(text, argument)),
            },
            [first, ..] if option_named(first.word).is_some() => options.extend(loose(text, argument)),
            _ => positional.push(joined(text, argument)),
        }
    }
    let names = names(op, &positional, &arguments);
    for (index, value) in positional.into_iter().enumerate() {
        let Some(first) = value.first().copied() else { continue };
        let Some(name) = names.get(index) else {
            let message =
                format!("one value too many: expected at most {}, {}", names.len(), names.join(", "));
            return Err(pointed(text, first.span, &message));
        };
        add(text, &mut arguments, name, value, first)?;
    }
    options.extend(loose(text, after.get(1..).unwrap_or(&[])));
    words(text, op, arguments, options)
}

/// Where the first bracket is closed; [`statements`](super::words::statements) has rejected open brackets.
fn closing(call: &[Word]) -> usize {
    let mut depth = 0;
    let closes = |word: &Word| {
        depth += i32::from(word.word == "(") - i32::from(word.word == ")");
        depth == 0
    };
    call.iter().position(closes).unwrap_or(call.len() - 1).max(1)
}

/// The arguments, separated by the commas outside inner brackets.
fn arguments_of<'b, 'a>(inside: &'b [Word<'a>]) -> Vec<&'b [Word<'a>]> {
    let mut depth = 0;
    let arguments = inside.split(|word| {
        depth += i32::from(word.word == "(") - i32::from(word.word == ")");
        depth == 0 && word.word == ","
    });
    arguments.filter(|argument| !argument.is_empty()).collect()
}

/// The names of the positional arguments: in the order of PyTorch, or of the course.
fn names(op: Op, positional: &[Vec<Word>], named: &[Argument]) -> &'static [&'static str] {
    let given = |name: &str| named.iter().any(|(known, _)| *known == name);
    let arrow = positional.first().is_some_and(|first| first.iter().any(|word| is_arrow(word.word)));
    match (op, positional.len()) {
        (Op::Conv | Op::ConvTranspose, count)
            if arrow || (count == 2 && !given("kernel_size") && !given("in_channels")) =>
        {
            &["out_channels", "kernel_size"]
        }
        (Op::Conv | Op::ConvTranspose, _) if given("in_channels") => &signature(op)[1..],
        (Op::Linear, 1) if arrow || !given("out_channels") => &["out_channels"],
        _ => signature(op),
    }
}

fn add<'a>(
    text: &str,
    arguments: &mut Vec<Argument<'a>>,
    name: &'static str,
    value: Vec<Word<'a>>,
    at: Word,
) -> Result<()> {
    if arguments.iter().any(|(given, _)| *given == name) {
        return Err(pointed(text, at.span, &format!("`{name}` is given twice: delete one of them")));
    }
    if value.is_empty() {
        return Err(pointed(text, at.span, &format!("expected a value for `{name}`")));
    }
    arguments.push((name, value));
    Ok(())
}

/// The arguments in the order of a chain's text.
fn words<'a>(
    text: &str,
    op: Op,
    arguments: Vec<Argument<'a>>,
    options: Vec<Word<'a>>,
) -> Result<Vec<Word<'a>>> {
    let (mut input, mut out, mut kernel, mut rest) = (vec![], vec![], vec![], vec![]);
    for (name, value) in arguments {
        let first = value[0];
        let named = |word: &'static str| Word { word, span: first.span };
        let only = |right: &[&str], why: &str| {
            if right.contains(&first.word.to_lowercase().as_str()) {
                return Ok(());
            }
            let message = format!("expected {} for `{name}`, found `{}`: {why}", right[0], first.word);
            Err(pointed(text, first.span, &message))
        };
        match name {
            "in_channels" => input = value,
            "out_channels" => out = value,
            "kernel_size" => kernel = value,
            "p" => rest.extend(value),
            _ if first.word.eq_ignore_ascii_case("none") => {}
            "bias" if !truth(text, name, first)? => rest.push(named("nobias")),
            "ceil_mode" if truth(text, name, first)? => rest.push(named("ceil")),
            "padding" if first.word.eq_ignore_ascii_case("valid") => {}
            "stride" | "padding" | "output_padding" | "dilation" | "groups" => {
                rest.push(named(name));
                rest.extend(value);
            }
            "output_size" => only(
                &["1", "1x1", "(1)", "(1,)", "(1, 1)", "(1,1)"],
                "global pooling returns one value for each channel; for other sizes write the window, as in `avgpool 2`",
            )?,
            "start_dim" => only(&["1"], "the images of a batch are not merged")?,
            "end_dim" => only(&["-1", "3"], "all axes after the batch are flattened")?,
            "affine" => only(&["true"], "scale and shift are always parameters here")?,
            "return_indices" => only(&["false"], "a layer of a chain returns one tensor")?,
            // The others change neither shapes nor the number of parameters.
            _ => {}
        }
    }
    if out.is_empty() && !input.is_empty() && op != Op::BatchNorm {
        let message = match op {
            Op::Linear => "expected the output features after the input features, as in `Linear(2048, 10)`",
            _ => {
                "expected the output channels after the input channels, as in `Conv2d(3, 10, kernel_size=3)`"
            }
        };
        return Err(pointed(text, input[0].span, message));
    }
    if !input.is_empty() && !out.is_empty() {
        input.push(Word { word: "->", span: out[0].span });
    }
    Ok([input, out, kernel, rest, options].concat())
}

/// `True` or `False`.
fn truth(text: &str, name: &str, word: Word) -> Result<bool> {
    match word.word.to_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            let message = format!("expected `{name}=True` or `{name}=False`, found `{}`", word.word);
            Err(pointed(text, word.span, &message))
        }
    }
}
