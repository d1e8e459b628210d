//! The receptive field: how much of the chain's input one value sees.

use super::shape::{LIMIT, Shape, gcd};
use super::slide::Slide;
use crate::error::debug_as_display;
use std::{fmt, sync::Arc};

/// What one value sees of the chain's input, along rows and columns.
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

/// What one value sees along one axis. At the border a part of it may be padding.
#[derive(Clone, Copy, PartialEq)]
pub struct AxisField {
    /// From the first to the last place seen. With `conv_transpose`, whose
    /// values see unequally much, the largest; where more than 1,024 neighbours
    /// differ, an upper bound.
    pub size: u64,
    /// How far the sights of two neighbours are apart; a fraction after `conv_transpose`.
    pub jump: f64,
    /// Where the middle of the first value's sight is; row 0 is the first row.
    pub first: f64,
}

/// The rows and columns of the chain's input that one value depends on, those in the padding left out.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// The rows, from 0, in order. Dilation leaves holes.
    pub rows: Vec<u64>,
    /// The columns, from 0, in order.
    pub cols: Vec<u64>,
}

/// The windows from the chain's input to a row. All rows of a table share one list,
/// so a chain of n layers takes memory in proportion to n.
#[derive(Clone)]
pub(super) struct Path {
    start: [u64; 2],
    steps: Arc<[[Slide; 2]]>,
    /// How many of the steps lead to this row.
    count: usize,
}

impl Path {
    /// The paths to every row of a table, from the windows of its rows.
    pub(super) fn to_each(start: [u64; 2], slides: &[Option<[Slide; 2]>]) -> Vec<Path> {
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

    /// How many rows and columns the last maps had, also after a flatten.
    pub(super) fn places(&self) -> [u64; 2] {
        self.steps().last().map_or(self.start, size_after)
    }

    pub(super) fn trace(&self, axis: usize, place: u64) -> Option<Vec<u64>> {
        let last = |places: Vec<u64>, slides: &[Slide; 2]| slides[axis].reads(&places);
        self.steps().iter().rev().try_fold(vec![place], last)
    }
}

fn size_after(slides: &[Slide; 2]) -> [u64; 2] {
    slides.map(|s| s.size().max(0) as u64)
}

/// The receptive field of the maps so far, extended layer by layer.
#[derive(Clone)]
pub(super) struct Growing {
    places: [u64; 2],
    reach: [Reach; 2],
}

impl Growing {
    pub(super) fn start(input: Shape) -> Option<Growing> {
        match input {
            Shape::Maps(m) => Some(Growing { places: [m.h, m.w], reach: [Reach::start(), Reach::start()] }),
            Shape::Flat(_) => None,
        }
    }

    /// What a node sees that is connected to every position.
    pub(super) fn everything(&self) -> [Slide; 2] {
        self.places.map(Slide::all)
    }

    /// With one layer more; nothing when a number is beyond [`LIMIT`].
    pub(super) fn then(&self, slides: &Option<[Slide; 2]>) -> Option<Growing> {
        let Some(slides) = slides else { return Some(self.clone()) };
        let reach = [self.reach[0].then(&slides[0])?, self.reach[1].then(&slides[1])?];
        Some(Growing { places: size_after(slides), reach })
    }

    pub(super) fn field(&self) -> Field {
        Field { h: self.reach[0].sight(), w: self.reach[1].sight() }
    }
}

/// The first and the last position of the chain's input that a value sees.
type Ends = (i128, i128);

/// Along one axis, what every value sees.
#[derive(Clone)]
struct Reach {
    /// Two neighbours are `jump / per` apart.
    jump: u64,
    per: u64,
    first: f64,
    size: u64,
    /// The ends for as many neighbours as differ: those of value `x` are those of value
    /// `x - ends.len()`, moved by `shift`. Nothing for a value that sees nothing.
    /// Empty when more neighbours differ than [`MOST`]; `size` is a bound then.
    ends: Vec<Option<Ends>>,
    shift: i128,
}

/// The most neighbours that may differ.
const MOST: i128 = 1024;

impl Reach {
    fn start() -> Reach {
        Reach { jump: 1, per: 1, first: 0.0, size: 1, ends: vec![Some((0, 0))], shift: 1 }
    }

    fn sight(&self) -> AxisField {
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

    /// The ends that a value sees, through its window on the values before.
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
        // Further inside the window nothing new comes: what is one period on lies between its ends.
        let taps = slide.kernel.min(if slide.transposed.is_some() { differ } else { period });
        let mut all = vec![];
        for place in 0..differ {
            let mut ends: Option<Ends> = None;
            for tap in (0..taps).flat_map(|tap| [tap, slide.kernel - 1 - tap]) {
                let Some(at) = slide.reads_at(place, tap) else { continue };
                let Some((first, last)) = self.ends_of(at)? else { continue };
                ends = Some(ends.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
            }
            all.push(ends);
        }
        Some((all, shift))
    }

    /// What value `x` sees; nothing outside when its numbers are too large.
    fn ends_of(&self, x: i128) -> Option<Option<Ends>> {
        let period = self.ends.len() as i128;
        let Some((first, last)) = self.ends[x.rem_euclid(period) as usize] else { return Some(None) };
        let moved = x.div_euclid(period).checked_mul(self.shift)?;
        Some(Some((first.checked_add(moved)?, last.checked_add(moved)?)))
    }

    /// No value sees more than this: a window's ends, and the largest size around each.
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
pub(super) fn ranges(places: &[u64]) -> String {
    let runs = places.chunk_by(|a, b| a.checked_add(1) == Some(*b)).collect::<Vec<_>>();
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
