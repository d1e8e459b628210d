//! Sizes in the order N, C, H, W, and the two that remain after a flatten.

use super::parse::words::{Span, half_width, pointed, words};
use crate::text::commas;
use crate::{Error, Result, error::debug_as_display};
use std::{fmt, str::FromStr};

/// One number for the rows and one for the columns: a kernel, a stride, a padding.
///
/// For every layer, `3` means 3 by 3 and `(3, 5)` means 3 rows by 5 columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Along the rows (the height).
    pub h: u64,
    /// Along the columns (the width).
    pub w: u64,
}

/// The four sizes of a batch of maps: 개채행열.
///
/// N counts the images, C the channels of each, H the rows, W the columns.
///
/// ```
/// use nchw::shapes::Nchw;
/// let batch: Nchw = "32x3x7x9".parse()?;
/// assert_eq!((batch.n, batch.c, batch.h, batch.w), (32, 3, 7, 9));
/// assert_eq!(batch.to_string(), "32x3x7x9");
/// assert_eq!(batch.named(), "N=32 C=3 H=7 W=9");
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nchw {
    /// The number of images (개).
    pub n: u64,
    /// The number of channels of each image (채).
    pub c: u64,
    /// The number of rows (행).
    pub h: u64,
    /// The number of columns (열).
    pub w: u64,
    /// False when it was written without N, as in `3x7x7`: one image, which counts as N=1.
    pub batched: bool,
}

/// The two sizes that remain after a flatten, which discards positions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flat {
    /// The number of images.
    pub n: u64,
    /// The number of values of each image.
    pub features: u64,
    /// False when it was written without N.
    pub batched: bool,
}

/// The input or output of a layer: maps, or flattened values.
///
/// ```
/// use nchw::shapes::Shape;
/// assert_eq!("3 x 7 x 7".parse::<Shape>()?, Shape::from([3, 7, 7]));
/// assert_eq!("32, 250".parse::<Shape>()?, Shape::from([32, 250]));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Maps: N, C, H, W.
    Maps(Nchw),
    /// Flattened: N, features.
    Flat(Flat),
}

impl Pair {
    /// The pair with a function applied to the rows and to the columns.
    pub(super) fn map(self, of: impl Fn(u64) -> u64) -> Pair {
        Pair { h: of(self.h), w: of(self.w) }
    }

    /// Two pairs, combined by a function of their rows and of their columns.
    pub(super) fn zip(self, other: Pair, of: impl Fn(u64, u64) -> u64) -> Pair {
        Pair { h: of(self.h, other.h), w: of(self.w, other.w) }
    }

    /// Whether the rows or the columns are more than those of another pair.
    pub(super) fn exceeds(self, most: Pair) -> bool {
        self.h > most.h || self.w > most.w
    }

    /// Rows and columns as tch expects them; a size over 63 bits becomes the largest `i64`.
    pub fn axes(self) -> [i64; 2] {
        [self.h, self.w].map(|size| i64::try_from(size).unwrap_or(i64::MAX))
    }
}

impl Nchw {
    /// A batch of `n` images.
    pub fn new(n: u64, c: u64, h: u64, w: u64) -> Nchw {
        Nchw { n, c, h, w, batched: true }
    }

    /// One image without a batch axis; it counts as N=1.
    ///
    /// Most PyTorch layers accept it as it is; `BatchNorm2d` and `Flatten` require
    /// the batch axis (`unsqueeze(0)`).
    pub fn image(c: u64, h: u64, w: u64) -> Nchw {
        Nchw { n: 1, c, h, w, batched: false }
    }

    /// With the names of the axes: `N=32 C=3 H=7 W=7`.
    pub fn named(&self) -> String {
        let n = if self.batched { format!("N={} ", self.n) } else { String::new() };
        format!("{n}C={} H={} W={}", self.c, self.h, self.w)
    }
}

impl Shape {
    /// The shape with these sizes; `None` for no sizes or more than four.
    pub fn of(sizes: &[u64]) -> Option<Shape> {
        Some(match *sizes {
            [features] => [features].into(),
            [n, features] => [n, features].into(),
            [c, h, w] => [c, h, w].into(),
            [n, c, h, w] => [n, c, h, w].into(),
            _ => return None,
        })
    }

    /// The number of images; 1 if there is no batch axis.
    pub fn n(&self) -> u64 {
        match self {
            Shape::Maps(m) => m.n,
            Shape::Flat(f) => f.n,
        }
    }

    /// The same shape for a batch of `n`.
    pub fn with_batch(self, n: u64) -> Shape {
        match self {
            Shape::Maps(m) => Shape::Maps(Nchw { n, batched: true, ..m }),
            Shape::Flat(f) => Shape::Flat(Flat { n, batched: true, ..f }),
        }
    }

    /// The sizes, one for each axis of the tensor.
    pub fn sizes(&self) -> Vec<u64> {
        let (batched, sizes) = match *self {
            Shape::Maps(m) => (m.batched, vec![m.n, m.c, m.h, m.w]),
            Shape::Flat(f) => (f.batched, vec![f.n, f.features]),
        };
        sizes[usize::from(!batched)..].to_vec()
    }

    /// With the names of the axes: `N=32 C=3 H=7 W=7`, or `N=32 features=250`.
    pub fn named(&self) -> String {
        match self {
            Shape::Maps(m) => m.named(),
            Shape::Flat(f) if f.batched => format!("N={} features={}", f.n, f.features),
            Shape::Flat(f) => format!("features={}", f.features),
        }
    }

    /// The number of values; `None` if it exceeds [`LIMIT`].
    pub(super) fn elements(&self) -> Option<u64> {
        product(&self.sizes())
    }
}

/// The largest size and count: PyTorch's are signed 64-bit numbers.
pub(super) const LIMIT: u64 = i64::MAX as u64;

/// The product; `None` if it exceeds [`LIMIT`].
pub(super) fn product(numbers: &[u64]) -> Option<u64> {
    if numbers.contains(&0) {
        return Some(0);
    }
    numbers.iter().try_fold(1u64, |all, &n| all.checked_mul(n)).filter(|&all| all <= LIMIT)
}

/// The greatest common divisor; that of 0 and n is n.
pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The number of values of a weight with these sizes; 0 if there is no weight.
pub fn count(sizes: &[u64]) -> Option<u64> {
    if sizes.is_empty() { Some(0) } else { product(sizes) }
}

/// The most numbers that a learner's layer may hold: 400 MB.
pub const AFFORDABLE: u64 = 100_000_000;

/// Refuses a tensor that would not fit in the learner's memory, before libtorch allocates it.
///
/// # Errors
/// When it has more than `most` numbers; the message says how large it would be.
pub fn affordable(what: &str, numbers: Option<u64>, most: u64) -> Result<()> {
    let bytes = |numbers: u64| match numbers as f64 * 4.0 {
        large if large >= 1e9 => format!("{:.1} GB", large / 1e9),
        small => format!("{:.0} MB", small / 1e6),
    };
    let size = match numbers {
        Some(numbers) if numbers <= most => return Ok(()),
        Some(numbers) => format!("{} numbers ({})", commas(numbers), bytes(numbers)),
        None => "more numbers than can be counted".to_string(),
    };
    Err(Error::new(format!(
        "{what} would hold {size}: expected at most {} ({})\nlikely cause: a number has too many digits\n\
         instead: fewer filters, a smaller window or less padding",
        commas(most),
        bytes(most)
    )))
}

/// `[20, 10, 3, 3]` as `20x10x3x3`.
pub fn times(sizes: &[u64]) -> String {
    sizes.iter().map(u64::to_string).collect::<Vec<_>>().join("x")
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.h, self.w)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&times(&self.sizes()))
    }
}

impl fmt::Display for Nchw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shape::Maps(*self).fmt(f)
    }
}

impl fmt::Display for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shape::Flat(*self).fmt(f)
    }
}

debug_as_display!(Pair, Nchw, Flat, Shape);

impl From<u64> for Pair {
    fn from(both: u64) -> Pair {
        Pair { h: both, w: both }
    }
}

impl From<(u64, u64)> for Pair {
    fn from((h, w): (u64, u64)) -> Pair {
        Pair { h, w }
    }
}

impl From<[u64; 3]> for Nchw {
    fn from([c, h, w]: [u64; 3]) -> Nchw {
        Nchw::image(c, h, w)
    }
}

impl From<[u64; 4]> for Nchw {
    fn from([n, c, h, w]: [u64; 4]) -> Nchw {
        Nchw::new(n, c, h, w)
    }
}

impl From<Nchw> for Shape {
    fn from(maps: Nchw) -> Shape {
        Shape::Maps(maps)
    }
}

impl From<[u64; 3]> for Shape {
    fn from(sizes: [u64; 3]) -> Shape {
        Shape::Maps(sizes.into())
    }
}

impl From<[u64; 4]> for Shape {
    fn from(sizes: [u64; 4]) -> Shape {
        Shape::Maps(sizes.into())
    }
}

impl From<Flat> for Shape {
    fn from(flat: Flat) -> Shape {
        Shape::Flat(flat)
    }
}

impl From<[u64; 1]> for Shape {
    fn from([features]: [u64; 1]) -> Shape {
        Shape::Flat(Flat { n: 1, features, batched: false })
    }
}

impl From<[u64; 2]> for Shape {
    fn from([n, features]: [u64; 2]) -> Shape {
        Shape::Flat(Flat { n, features, batched: true })
    }
}

impl FromStr for Nchw {
    type Err = Error;

    fn from_str(text: &str) -> Result<Nchw> {
        match text.parse::<Shape>()? {
            Shape::Maps(maps) => Ok(maps),
            flat => Err(Error::new(format!(
                "expected three sizes (channels x rows x columns, `3x7x7`) or four (`32x3x7x7`), got {} in \
                 `{text}`: a grey image still has a channel axis, `1x7x7`",
                flat.sizes().len()
            ))),
        }
    }
}

impl FromStr for Shape {
    type Err = Error;

    /// Reads `3x7x7`, `32x3x7x7`, `[32, 3, 7, 7]`, `3 7 7`, `3×7×7`; one or two sizes are flattened values.
    fn from_str(text: &str) -> Result<Shape> {
        let text = &half_width(text);
        let separates = |c: char| c.is_whitespace() || "xX×*,()[]".contains(c);
        let sizes = words(text, separates).map(|(word, span)| number(text, word, span));
        let sizes = sizes.collect::<Result<Vec<u64>>>()?;
        Shape::of(&sizes).ok_or_else(|| {
            Error::new(format!(
                "expected a shape of three sizes (channels x rows x columns, `3x7x7`) or four with the batch size \
                 first (`32x3x7x7`), got {} in `{text}`",
                sizes.len()
            ))
        })
    }
}

/// Reads a whole number that is not negative, at this position of the text.
pub(super) fn number(text: &str, word: &str, span: Span) -> Result<u64> {
    if let Ok(number) = word.parse::<u64>()
        && number <= LIMIT
        && !word.starts_with('+')
    {
        return Ok(number);
    }
    let digits = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_digit());
    let message = match word {
        "" => "expected a number here".to_string(),
        w if digits(w) => format!("`{word}` is too large: expected at most {LIMIT}"),
        w if w.strip_prefix('-').is_some_and(digits) => {
            format!("`{word}` is negative: a size is a count, so it is at least 0")
        }
        w if w.parse::<f64>().is_ok_and(f64::is_finite) => {
            format!("expected a whole number, found `{word}`")
        }
        _ => format!("expected a number, found `{word}`"),
    };
    Err(pointed(text, span, &message))
}
