//! `N C=3 H=32 W=32`: the expected shape of a tensor, and messages about how a shape differs.

use super::parse::words::{Span, half_width, pointed, words};
use super::shape::{count, number, times};
use crate::{Error, Result, error::debug_as_display, text::count_of};
use std::{fmt, str::FromStr};

/// The expected sizes of a tensor, axis by axis.
///
/// An axis is a name (any size, but the same size wherever the name is used
/// again), a name with its size, a size alone, or `_` for any size.
///
/// ```
/// use nchw::shapes::Pattern;
/// let pattern: Pattern = "N C=3 H W".parse()?;
/// assert!(pattern.check(&[8, 3, 32, 48]).is_ok());
/// let error = pattern.check(&[8, 32, 48, 3]).unwrap_err().to_string();
/// assert!(error.contains("`.permute([0, 3, 1, 2])` makes it 8x3x32x48"));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Pattern {
    text: String,
    axes: Vec<Axis>,
}

#[derive(Clone, PartialEq)]
struct Axis {
    /// `None` for `_` and for a size alone.
    name: Option<String>,
    size: Option<u64>,
}

/// The size of each name, and where the name was first used.
#[derive(Clone, Default)]
pub struct Bound(Vec<(String, u64, String)>);

impl Bound {
    fn find(&self, name: &Option<String>) -> Option<&(String, u64, String)> {
        self.0.iter().find(|(bound, ..)| Some(bound) == name.as_ref())
    }
}

impl Pattern {
    /// Checks that these sizes are as expected.
    ///
    /// # Errors
    /// When they are not. The message lists what was expected and given for each
    /// axis, marks the first wrong one, and suggests a rearrangement that would fit.
    pub fn check(&self, sizes: &[u64]) -> Result<()> {
        self.check_with(sizes, &mut Bound::default(), "")
    }

    /// Like [`Pattern::check`], with the names from earlier checks. Messages call the tensor `tensor`.
    pub fn check_with(&self, sizes: &[u64], bound: &mut Bound, tensor: &str) -> Result<()> {
        let before = bound.clone();
        if self.fits(sizes, bound, tensor) {
            return Ok(());
        }
        *bound = before;
        Err(Error::new(self.report(sizes, bound, tensor)))
    }

    fn fits(&self, sizes: &[u64], bound: &mut Bound, tensor: &str) -> bool {
        let expected = self.expected(sizes, bound, tensor);
        sizes.len() == self.axes.len() && sizes.iter().zip(expected).all(|(got, want)| want.fits(*got))
    }

    /// What is expected of each axis; adds new names to `bound`.
    fn expected(&self, sizes: &[u64], bound: &mut Bound, tensor: &str) -> Vec<Expected> {
        let mut expected = Vec::new();
        for (at, axis) in self.axes.iter().enumerate() {
            let earlier = bound.find(&axis.name).cloned();
            let want = match (axis.size, &earlier) {
                (Some(size), Some((_, earlier, origin))) if size != *earlier => {
                    Expected { size: Some(size), earlier: Some((*earlier, origin.clone())) }
                }
                (Some(size), _) => Expected { size: Some(size), earlier: None },
                (None, Some((_, earlier, origin))) => {
                    Expected { size: Some(*earlier), earlier: Some((*earlier, origin.clone())) }
                }
                (None, None) => Expected { size: None, earlier: None },
            };
            let new = axis.size.or(sizes.get(at).copied());
            if let (None, Some(name), Some(size)) = (earlier, &axis.name, new) {
                let of_tensor = if tensor.is_empty() { String::new() } else { format!(" of {tensor}") };
                bound.0.push((name.clone(), size, format!("axis {at}{of_tensor}")));
            }
            expected.push(want);
        }
        expected
    }

    fn report(&self, sizes: &[u64], bound: &Bound, tensor: &str) -> String {
        let subject = if tensor.is_empty() { String::new() } else { format!("{tensor}: ") };
        let (want, got) = (self.axes.len(), sizes.len());
        let axes = |n: usize| count_of(n, "axis", "axes");
        let mut text = if want == got {
            format!("{subject}expected {self}, got {}", shown(sizes))
        } else {
            format!("{subject}expected {}, {self}, got {}: {}", axes(want), axes(got), shown(sizes))
        };
        let expected = self.expected(sizes, &mut bound.clone(), tensor);
        let mut first = true;
        let widest = self.axes.iter().map(|axis| axis.label().chars().count()).max().unwrap_or(1);
        for at in 0..want.max(got) {
            let label = self.axes.get(at).map_or(String::new(), Axis::label);
            let (line, right) = match (expected.get(at), sizes.get(at)) {
                (Some(want), Some(got)) => (format!("expected {want}, got {got}"), want.fits(*got)),
                (Some(want), None) => (format!("expected {want}, missing"), false),
                (None, got) => (format!("expected no such axis, got {}", got.unwrap_or(&0)), false),
            };
            let mark = match (right, first) {
                (true, _) => "",
                (false, true) => "  <-- the first wrong axis",
                (false, false) => "  <-- wrong",
            };
            first &= right;
            text += &format!("\n  axis {at}  {label:widest$}  {line}{mark}");
        }
        if let Some(guess) = self.guess(sizes, bound) {
            text += &format!("\nlikely cause: {}\ninstead: {}", guess.cause, guess.fix);
        }
        text
    }

    /// The first rearrangement after which the pattern fits.
    fn guess(&self, sizes: &[u64], bound: &Bound) -> Option<Guess> {
        let fits = |guess: &Guess| self.fits(&guess.sizes, &mut bound.clone(), "");
        let rearranged =
            [self.moved(sizes), self.added(sizes), self.dropped(sizes), self.refolded(sizes, bound)];
        rearranged.into_iter().flatten().chain(self.channels(sizes)).find(fits)
    }

    /// The axes in another order.
    fn moved(&self, sizes: &[u64]) -> Vec<Guess> {
        let name = |at: usize| self.axes.get(at).map_or(String::new(), Axis::label);
        let orders: &[(&[usize], &str)] = match sizes.len() {
            4 => &[
                (&[0, 3, 1, 2], "the channels come last (N H W C), as in image files"),
                (&[0, 2, 3, 1], "the channels come second (N C H W), and are expected last"),
                (&[0, 1, 3, 2], ""),
                (&[1, 0, 2, 3], ""),
            ],
            3 => &[
                (&[2, 0, 1], "the channels come last (H W C), as in image files"),
                (&[1, 2, 0], "the channels come first (C H W), and are expected last"),
                (&[0, 2, 1], ""),
                (&[1, 0, 2], ""),
            ],
            2 => &[(&[1, 0], "")],
            _ => &[],
        };
        let guess = |(order, cause): &(&[usize], &str)| {
            let moved: Vec<usize> = (0..order.len()).filter(|at| order[*at] != *at).collect();
            let swapped = || match moved[..] {
                [a, b] => format!("axes {a} and {b} ({} and {}) are swapped", name(a), name(b)),
                _ => String::new(),
            };
            let cause = if cause.is_empty() { swapped() } else { cause.to_string() };
            let typed = match moved[..] {
                [a, b] => format!(".transpose({a}, {b})"),
                _ => format!(".permute({order:?})"),
            };
            Guess::new(cause, typed, order.iter().map(|at| sizes[*at]).collect())
        };
        orders.iter().map(guess).collect()
    }

    /// With an axis of size 1 inserted.
    fn added(&self, sizes: &[u64]) -> Vec<Guess> {
        let name = |at: usize| self.axes.get(at).map_or(String::new(), Axis::label);
        let with = |at: usize, sizes: &[u64]| [&sizes[..at], &[1], &sizes[at..]].concat();
        let mut all: Vec<Guess> = (0..=sizes.len())
            .map(|at| {
                let cause = match at {
                    0 => "the batch axis is missing: this is a single item, not a batch".to_string(),
                    _ => format!("the axis {} is missing", name(at)),
                };
                Guess::new(cause, format!(".unsqueeze({at})"), with(at, sizes))
            })
            .collect();
        if let [h, w, c] = *sizes {
            let cause = "the channels come last (H W C), and the batch axis is missing";
            all.push(Guess::new(cause, ".permute([2, 0, 1]).unsqueeze(0)", vec![1, c, h, w]));
        }
        if let [h, w] = *sizes {
            let cause = "the batch axis and the channel axis are missing: this is a single map";
            all.push(Guess::new(cause, ".unsqueeze(0).unsqueeze(0)", vec![1, 1, h, w]));
        }
        all
    }

    /// With an axis removed.
    fn dropped(&self, sizes: &[u64]) -> Vec<Guess> {
        let without = |at: usize| [&sizes[..at], &sizes[at + 1..]].concat();
        let ones = (0..sizes.len()).filter(|at| sizes[*at] == 1).map(|at| {
            let cause = format!("axis {at} of size 1 is superfluous");
            Guess::new(cause, format!(".squeeze_dim({at})"), without(at))
        });
        let batch = (!sizes.is_empty() && sizes[0] != 0)
            .then(|| Guess::new("this is a batch, and a single item is expected", ".i(0)", without(0)));
        ones.chain(batch).collect()
    }

    /// Flattened values that should be maps, and maps that should be flattened.
    fn refolded(&self, sizes: &[u64], bound: &Bound) -> Vec<Guess> {
        let mut guesses = Vec::new();
        if sizes.len() > 2 && self.axes.len() == 2 {
            let features = count(&sizes[1..]).unwrap_or(0);
            let cause = "these are maps that have not been flattened";
            guesses.push(Guess::new(cause, ".flatten(1, -1)", vec![sizes[0], features]));
        }
        if sizes.is_empty() || sizes.len() > 2 || self.axes.len() <= sizes.len() {
            return guesses;
        }
        let sizes_known = self.axes.iter().map(|axis| axis.size.or(bound.find(&axis.name).map(|met| met.1)));
        let mut folded: Vec<Option<u64>> = sizes_known.collect();
        if sizes.len() == 2 && folded[0].is_none() {
            folded[0] = Some(sizes[0]);
        }
        let open: Vec<usize> = (0..folded.len()).filter(|at| folded[*at].is_none()).collect();
        let known = count(&folded.iter().flatten().copied().collect::<Vec<_>>()).unwrap_or(0).max(1);
        let all = count(sizes).unwrap_or(0);
        if let [open] = open[..] {
            folded[open] = Some(all / known);
        }
        let folded: Vec<u64> = folded.into_iter().flatten().collect();
        if folded.len() == self.axes.len() && count(&folded) == Some(all) {
            let cause = "the values were flattened: they no longer have rows and columns";
            guesses.push(Guess::new(cause, format!(".view({folded:?})"), folded));
        }
        guesses
    }

    /// Grey images, colour images, and images with transparency.
    fn channels(&self, sizes: &[u64]) -> Option<Guess> {
        let at = self.axes.iter().position(|axis| axis.name.as_deref() == Some("C"))?;
        let (got, want) = (*sizes.get(at)?, self.axes[at].size?);
        let (cause, typed) = match (got, want) {
            (1, 3) => {
                let mut times = vec![1; sizes.len()];
                times[at] = 3;
                ("these are grey images", format!(".repeat({times:?})"))
            }
            (4, 3) => {
                ("the fourth channel is the transparency of each pixel", format!(".narrow({at}, 0, 3)"))
            }
            (3, 1) => {
                ("these are colour images", format!(".mean_dim([{at}i64].as_slice(), true, Kind::Float)"))
            }
            _ => return None,
        };
        let mut sizes = sizes.to_vec();
        sizes[at] = want;
        Some(Guess::new(cause, typed, sizes))
    }
}

/// What is expected of one axis.
struct Expected {
    size: Option<u64>,
    /// The size that its name had before, and where.
    earlier: Option<(u64, String)>,
}

impl Expected {
    fn fits(&self, got: u64) -> bool {
        self.size.is_none_or(|size| size == got)
            && self.earlier.as_ref().is_none_or(|(earlier, _)| *earlier == got)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.size, &self.earlier) {
            (None, _) => f.write_str("any"),
            (Some(size), None) => write!(f, "{size}"),
            (Some(size), Some((earlier, origin))) if size == *earlier => write!(f, "{size} (as {origin})"),
            (Some(size), Some((earlier, origin))) => write!(f, "{size} (but {origin} was {earlier})"),
        }
    }
}

/// A likely cause, what to type, and the resulting sizes.
struct Guess {
    cause: String,
    fix: String,
    sizes: Vec<u64>,
}

impl Guess {
    fn new(cause: impl Into<String>, typed: impl Into<String>, sizes: Vec<u64>) -> Guess {
        let fix = format!("`{}` makes it {}", typed.into(), shown(&sizes));
        Guess { cause: cause.into(), fix, sizes }
    }
}

fn shown(sizes: &[u64]) -> String {
    if sizes.is_empty() { "a single number".into() } else { times(sizes) }
}

impl Axis {
    fn label(&self) -> String {
        match (&self.name, self.size) {
            (Some(name), _) => name.clone(),
            (None, Some(size)) => size.to_string(),
            (None, None) => "_".into(),
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Pattern> {
        let text = &half_width(text);
        let gap = |c: char| c.is_whitespace() || c == ',';
        let axes = words(text, gap).map(|(word, span)| axis(text, word, span)).collect::<Result<Vec<_>>>()?;
        if axes.is_empty() {
            return Err(Error::new(
                "expected the axes of a shape, found none: write, for example, `N C=3 H=32 W=32`",
            ));
        }
        let text = words(text, gap).map(|(word, _)| word).collect::<Vec<_>>().join(" ");
        Ok(Pattern { text, axes })
    }
}

/// Reads one axis of a pattern, at this position of the text.
fn axis(text: &str, word: &str, span: Span) -> Result<Axis> {
    if word == "_" {
        return Ok(Axis { name: None, size: None });
    }
    if word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        if word.contains(['x', 'X', '×', '*']) {
            let message =
                format!("write spaces between the axes: `{}`", word.replace(['x', 'X', '×', '*'], " "));
            return Err(pointed(text, span, &message));
        }
        return Ok(Axis { name: None, size: Some(number(text, word, span)?) });
    }
    let (name, size) = match word.split_once('=') {
        Some((name, size)) => {
            let start = span.0 + name.len() + 1;
            (name, Some(number(text, size, (start, span.1))?))
        }
        None => (word, None),
    };
    let letters = |c: char| c.is_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(letters) {
        let message = format!("expected a name, a name with its size (`C=3`), a size or `_`, found `{word}`");
        return Err(pointed(text, span, &message));
    }
    Ok(Axis { name: Some(name.to_string()), size })
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

debug_as_display!(Pattern);
