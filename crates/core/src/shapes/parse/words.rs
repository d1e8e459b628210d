//! The words of a text, the position of each, and which words belong to the same layer.

use crate::text::width;
use crate::{Error, Result};
use std::ops::Range;

/// The first byte, and the byte after the last.
pub(in crate::shapes) type Span = (usize, usize);

/// An error that shows the line with carets under the words that are wrong.
pub(in crate::shapes) fn pointed(text: &str, (from, to): Span, message: &str) -> Error {
    let start = text[..from].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or("");
    // Tabs and line ends would shift the carets.
    let shown = line.replace(char::is_control, " ");
    let number = text[..from].matches('\n').count() + 1;
    let column = text[start..from].chars().count() + 1;
    let blank = " ".repeat(width(&text[start..from]));
    let carets = "^".repeat(width(&text[from..to]).max(1));
    let error =
        Error::new(format!("line {number}, column {column}: {message}\n  {shown}\n  {blank}{carets}"));
    error.at(characters(text, (from, to)))
}

/// The same part of the text in characters: `half_width` changes bytes, but no character's position.
pub(in crate::shapes) fn characters(text: &str, (from, to): Span) -> Range<usize> {
    let count = |end: usize| text[..end].chars().count();
    count(from)..count(to)
}

/// The words between separators, each with its position.
pub(in crate::shapes) fn words(
    text: &str,
    separates: impl Fn(char) -> bool,
) -> impl Iterator<Item = (&str, Span)> {
    let start = move |word: &'_ str| word.as_ptr() as usize - text.as_ptr() as usize;
    let spans = text.split(separates).map(move |word| (word, (start(word), start(word) + word.len())));
    spans.filter(|(word, _)| !word.is_empty())
}

/// A word of a layer, with its position.
#[derive(Clone, Copy)]
pub(in crate::shapes) struct Word<'a> {
    pub word: &'a str,
    pub span: Span,
}

/// Replaces full-width characters, which Korean keyboards can produce, with ASCII: `；１２` becomes `;12`.
pub fn half_width(text: &str) -> String {
    let half = |c: char| match c {
        '\u{3000}' => ' ',
        '、' => ',',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    text.chars().map(half).collect()
}

/// An open bracket: its position, and whether it encloses a list of layers.
struct Open {
    at: usize,
    layers: bool,
}

/// The words of every layer; each bracket, comma and `=` is a word of its own.
///
/// An arrow before a number belongs to a layer (`3->10`); any other separates layers.
/// Inside brackets nothing separates layers, except the commas of `Sequential(…)`.
pub(in crate::shapes) fn statements(text: &str) -> Result<Vec<Vec<Word<'_>>>> {
    let mut all = vec![];
    let mut words: Vec<Word> = vec![];
    let mut open: Vec<Open> = vec![];
    let mut at = 0;
    let pointed = |at: usize, message: &str| Err(pointed(text, (at, at + 1), message));
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = length(rest, c);
        let word = Word { word: &rest[..length], span: (at, at + length) };
        let listed = open.last().map(|open| open.layers);
        let ends = match c {
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            '(' if words.is_empty() && label(rest).is_some() => {
                at += label(rest).unwrap_or(1);
                continue;
            }
            '(' | '[' => {
                let layers =
                    words.last().is_some_and(|last| last.word.to_lowercase().ends_with("sequential"));
                open.push(Open { at, layers });
                match layers {
                    true => words.clear(),
                    false => words.push(Word { word: "(", ..word }),
                }
                false
            }
            ')' | ']' => match open.pop() {
                Some(Open { layers: true, .. }) => true,
                Some(_) => {
                    words.push(Word { word: ")", ..word });
                    false
                }
                None => return pointed(at, "this bracket has no opening bracket: delete it"),
            },
            ';' if listed == Some(false) => break,
            ';' => true,
            '\n' => listed != Some(false),
            ',' if listed == Some(true) => true,
            // Lines copied from a `Sequential(…)`.
            ',' if listed.is_none() && words.last().is_some_and(|last| last.word == ")") => true,
            _ if is_gap(c) => false,
            _ if separates(word.word, &rest[length..]) && listed != Some(false) => true,
            _ => {
                words.push(word);
                false
            }
        };
        at += length;
        if ends && !words.is_empty() {
            all.push(std::mem::take(&mut words));
        }
    }
    if let Some(open) = open.last() {
        return pointed(open.at, "this bracket is never closed: expected a `)`");
    }
    all.extend((!words.is_empty()).then_some(words));
    Ok(all)
}

/// The length of a label like `(0):` or `(conv1):`, which PyTorch prints before a layer.
fn label(rest: &str) -> Option<usize> {
    let end = rest.find("):")?;
    rest[1..end].chars().all(|c| c.is_alphanumeric() || "_.".contains(c)).then_some(end + 2)
}

/// Whether this is an arrow between layers.
fn separates(word: &str, after: &str) -> bool {
    is_arrow(word) && !after.trim_start_matches([' ', '\t']).starts_with(|c: char| c.is_ascii_digit())
}

pub(in crate::shapes) fn is_arrow(word: &str) -> bool {
    ["->", "→"].contains(&word)
}

pub(in crate::shapes) fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\'' | '"')
}

/// The length of the word that begins here.
fn length(rest: &str, first: char) -> usize {
    let ends = |(at, c): (usize, char)| {
        let alone = is_gap(c) || "()[],=;#→".contains(c) || rest[at..].starts_with("->");
        alone.then_some(at)
    };
    match rest.char_indices().find_map(ends) {
        Some(0) if rest.starts_with("->") => 2,
        Some(0) => first.len_utf8(),
        Some(length) => length,
        None => rest.len(),
    }
}

/// Joins each pair of brackets and everything inside them into one word: `(2, 1)`.
pub(in crate::shapes) fn joined<'a>(text: &'a str, words: &[Word<'a>]) -> Vec<Word<'a>> {
    let (mut all, mut depth, mut begin): (Vec<Word>, u32, usize) = (vec![], 0, 0);
    for word in words {
        match word.word {
            "(" => {
                begin = if depth == 0 { word.span.0 } else { begin };
                depth += 1;
            }
            ")" if depth > 0 => {
                depth -= 1;
                let span = (begin, word.span.1);
                all.extend((depth == 0).then_some(Word { word: &text[span.0..span.1], span }));
            }
            _ if depth == 0 => all.push(*word),
            _ => {}
        }
    }
    all
}

/// Like [`joined`], without commas and `=`: `stride=2` reads like `stride 2`.
pub(in crate::shapes) fn loose<'a>(text: &'a str, words: &[Word<'a>]) -> Vec<Word<'a>> {
    joined(text, words).into_iter().filter(|word| ![",", "="].contains(&word.word)).collect()
}
