//! The receptive field: the part of the chain's input that one value depends on.

use super::slide::Slide;
use crate::error::debug_as_display;
use crate::shapes::shape::{LIMIT, Pair, Shape, gcd};
use std::{fmt, sync::Arc};

/// The receptive field of one value in the chain's input, along rows and columns.
///
/// The formulas are those of Araujo, Norris and Sim, "Computing Receptive
/// Fields of Convolutional Neural Networks" (Distill, 2019); lecture part 5.
#[derive(Clone, Copy, PartialEq)]
pub struct Field {
    /// Along the rows.
    pub h: AxisField,
    /// Along the columns.
    pub w: AxisField,
}

impl Field {
    /// Its rows and columns.
    pub(in crate::shapes) fn size(&self) -> Pair {
        Pair { h: self.h.size, w: self.w.size }
    }
}

/// The receptive field of one value along one axis. At the border it may include padding.
#[derive(Clone, Copy, PartialEq)]
pub struct AxisField {
    /// From the first to the last position. The values of a `conv_transpose` have
    /// receptive fields of different sizes: this is the largest, or an upper bound
    /// when more than 1,024 neighbouring values differ.
    pub size: u64,
    /// The distance between the receptive fields of neighbouring values; a fraction after `conv_transpose`.
    pub jump: f64,
    /// The centre of the first value's receptive field; row 0 is the first row.
    pub first: f64,
}

/// The rows and columns of the chain's input that one value depends on, without those in the padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// The rows, from 0, in order. Dilation leaves gaps.
    pub rows: Vec<u64>,
    /// The columns, from 0, in order.
    pub cols: Vec<u64>,
}

/// The windows from the chain's input to a row. All rows of a table share one list,
/// so that memory grows linearly with the number of layers.
#[derive(Clone)]
pub(in crate::shapes) struct Path {
    start: [u64; 2],
    steps: Arc<[[Slide; 2]]>,
    /// The number of steps that lead to this row.
    count: usize,
}

impl Path {
    /// The paths to every row of a table, from the windows of its rows.
    pub(in crate::shapes) fn to_each(start: [u64; 2], slides: &[Option<[Slide; 2]>]) -> Vec<Path> {
        let steps: Arc<[[Slide; 2]]> = slides.iter().copied().flatten().collect();
        let mut count = 0;
        let path = |slides: &Option<[Slide; 2]>| {
            count += usize::from(slides.is_some());
            Path { start, steps: steps.clone(), count }
        };
        slides.iter().map(path).collect()
    }

    fn steps(&self) -> &[[Slide; 2]] {
        &self.steps[..self.count]
    }

    /// The rows and columns of the last maps, also after a flatten.
    pub(in crate::shapes) fn size(&self) -> [u64; 2] {
        self.steps().last().map_or(self.start, size_after)
    }

    /// The positions of the chain's input that a position of the last maps depends on.
    pub(in crate::shapes) fn trace(&self, axis: usize, position: u64) -> Option<Vec<u64>> {
        let back = |positions: Vec<u64>, slides: &[Slide; 2]| slides[axis].reads(&positions);
        self.steps().iter().rev().try_fold(vec![position], back)
    }
}

fn size_after(slides: &[Slide; 2]) -> [u64; 2] {
    slides.map(|s| s.size().max(0) as u64)
}

/// The receptive field of the maps so far, extended layer by layer.
#[derive(Clone)]
pub(in crate::shapes) struct Growing {
    size: [u64; 2],
    reach: [Reach; 2],
}

impl Growing {
    pub(in crate::shapes) fn start(input: Shape) -> Option<Growing> {
        match input {
            Shape::Maps(m) => Some(Growing { size: [m.h, m.w], reach: [Reach::start(), Reach::start()] }),
            Shape::Flat(_) => None,
        }
    }

    /// The window of a node that is connected to every position.
    pub(in crate::shapes) fn everything(&self) -> [Slide; 2] {
        self.size.map(Slide::all)
    }

    /// The receptive field after one more layer; `None` when a number exceeds [`LIMIT`].
    pub(in crate::shapes) fn then(&self, slides: &Option<[Slide; 2]>) -> Option<Growing> {
        let Some(slides) = slides else { return Some(self.clone()) };
        let reach = [self.reach[0].then(&slides[0])?, self.reach[1].then(&slides[1])?];
        Some(Growing { size: size_after(slides), reach })
    }

    pub(in crate::shapes) fn field(&self) -> Field {
        Field { h: self.reach[0].field(), w: self.reach[1].field() }
    }
}

/// The first and the last position of the chain's input that a value depends on.
type Ends = (i128, i128);

/// The receptive fields of all values along one axis.
#[derive(Clone)]
struct Reach {
    /// The receptive fields of two neighbours are `jump / per` apart.
    jump: u64,
    per: u64,
    first: f64,
    size: u64,
    /// The ends for one period of values: those of value `x` are those of value
    /// `x - ends.len()`, moved by `shift`. `None` for a value that depends on nothing.
    /// Empty when the period is longer than [`MOST`]; then `size` is an upper bound.
    ends: Vec<Option<Ends>>,
    shift: i128,
}

/// The longest period of differing values.
const MOST: i128 = 1024;

impl Reach {
    fn start() -> Reach {
        Reach { jump: 1, per: 1, first: 0.0, size: 1, ends: vec![Some((0, 0))], shift: 1 }
    }

    fn field(&self) -> AxisField {
        AxisField { size: self.size, jump: self.jump as f64 / self.per as f64, first: self.first }
    }

    fn then(&self, slide: &Slide) -> Option<Reach> {
        let stride = slide.stride as u64;
        let (reach, before) = (slide.reach() as f64, slide.before as f64);
        let apart = self.jump as f64 / self.per as f64;
        let (jump, per, first) = if slide.transposed.is_some() {
            (self.jump, self.per.checked_mul(stride)?, (before - reach / 2.0) * apart / stride as f64)
        } else {
            let jump = self.jump.checked_mul(stride).filter(|&jump| jump <= LIMIT)?;
            (jump, self.per, (reach / 2.0 - before) * apart)
        };
        let common = gcd(jump, per);
        let (jump, per, first) = (jump / common, per / common, self.first + first);
        let (ends, shift) = self.ends_after(slide)?;
        let size = match ends.is_empty() {
            true => self.bound(slide)?,
            false => ends.iter().flatten().map(|(first, last)| last - first + 1).max().unwrap_or(0),
        };
        let size = u64::try_from(size).ok().filter(|&size| size <= LIMIT)?;
        Some(Reach { jump, per, first, size, ends, shift })
    }

    /// The ends for one period after a layer, through its window on the values before it.
    fn ends_after(&self, slide: &Slide) -> Option<(Vec<Option<Ends>>, i128)> {
        let period = self.ends.len() as i128;
        let (differ, shift) = if slide.transposed.is_some() {
            (period.checked_mul(slide.stride)?, self.shift)
        } else {
            let differ = period / gcd(period as u64, slide.stride as u64).max(1) as i128;
            (differ, if differ == 0 { 0 } else { self.shift.checked_mul(slide.stride * differ / period)? })
        };
        if differ == 0 || differ > MOST {
            return Some((vec![], shift));
        }
        // Only the first and last `width` kernel positions matter: a value one period further inside the
        // window has its ends between theirs.
        let width = slide.kernel.min(if slide.transposed.is_some() { differ } else { period });
        let mut all = vec![];
        for position in 0..differ {
            let mut ends: Option<Ends> = None;
            for k in (0..width).flat_map(|k| [k, slide.kernel - 1 - k]) {
                let Some(at) = slide.reads_at(position, k) else { continue };
                let Some((first, last)) = self.ends_of(at)? else { continue };
                ends = Some(ends.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
            }
            all.push(ends);
        }
        Some((all, shift))
    }

    /// The ends of value `x`; the outer `None` means that the numbers are too large.
    fn ends_of(&self, x: i128) -> Option<Option<Ends>> {
        let period = self.ends.len() as i128;
        let Some((first, last)) = self.ends[x.rem_euclid(period) as usize] else { return Some(None) };
        let moved = x.div_euclid(period).checked_mul(self.shift)?;
        Some(Some((first.checked_add(moved)?, last.checked_add(moved)?)))
    }

    /// An upper bound of the size: the width of the window, plus the largest size before it.
    fn bound(&self, slide: &Slide) -> Option<i128> {
        let across = match slide.transposed {
            Some(_) => slide.reach() / slide.stride,
            None => slide.reach(),
        };
        let (jump, per) = (i128::from(self.jump), i128::from(self.per));
        let apart = across.checked_mul(jump)?.checked_add(per - 1)? / per;
        apart.checked_add(self.size.into())
    }
}

/// `[3, 4, 5, 8]` as `3 to 5, 8`.
pub(in crate::shapes) fn ranges(positions: &[u64]) -> String {
    let runs = positions.chunk_by(|a, b| a.checked_add(1) == Some(*b)).collect::<Vec<_>>();
    let one = |run: &&[u64]| match **run {
        [first, .., last] => format!("{first} to {last}"),
        [only] => only.to_string(),
        [] => String::new(),
    };
    let mut text = runs.iter().take(6).map(one).collect::<Vec<_>>().join(", ");
    if runs.len() > 6 {
        text += ", …";
    }
    text
}

impl fmt::Display for AxisField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "size {}, jump {}, first centre {}", self.size, self.jump, self.first)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows: {}; columns: {}", self.h, self.w)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows {}; columns {}", ranges(&self.rows), ranges(&self.cols))
    }
}

debug_as_display!(AxisField, Field, Seen);
