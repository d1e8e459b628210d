//! The receptive field: how much of the chain's input one value sees.

use super::Row;
use super::shape::{LIMIT, Shape};
use super::slide::Slide;
use crate::{Error, Result, error::debug_as_display};
use std::fmt;

/// What one value sees of the chain's input, along rows and columns.
///
/// The formulas are those of Araujo, Norris and Sim, "Computing Receptive
/// Fields of Convolutional Neural Networks" (Distill, 2019); lecture part 5.
#[derive(Clone, Copy, PartialEq)]
pub struct Field {
    /// Along the rows.
    pub h: Sight,
    /// Along the columns.
    pub w: Sight,
}

/// What one value sees along one axis. At the border a part of it may be padding.
#[derive(Clone, Copy, PartialEq)]
pub struct Sight {
    /// From the first to the last place seen. With `conv_transpose`, whose
    /// values see unequally much, the largest.
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

/// The windows on the way from the chain's input.
#[derive(Clone)]
pub(super) struct Path {
    start: [u64; 2],
    steps: Vec<[Slide; 2]>,
}

impl Path {
    pub(super) fn start(input: Shape) -> Option<Path> {
        match input {
            Shape::Maps(m) => Some(Path { start: [m.h, m.w], steps: vec![] }),
            Shape::Flat(_) => None,
        }
    }

    pub(super) fn then(mut self, slides: Option<[Slide; 2]>) -> Path {
        self.steps.extend(slides);
        self
    }

    /// How many rows and columns the last maps had, also after a flatten.
    pub(super) fn places(&self) -> [u64; 2] {
        self.steps.last().map_or(self.start, |slides| slides.map(|s| s.size().max(0) as u64))
    }

    /// What a node sees that is connected to every place.
    pub(super) fn everything(&self) -> [Slide; 2] {
        self.places().map(Slide::all)
    }

    pub(super) fn field(&self) -> Option<Field> {
        Some(Field { h: self.sight(0)?, w: self.sight(1)? })
    }

    fn sight(&self, axis: usize) -> Option<Sight> {
        let (mut jump, mut per, mut first) = (1u64, 1u64, 0.0);
        for slide in self.steps.iter().map(|slides| &slides[axis]) {
            let stride = slide.stride as u64;
            let (reach, before, wide) = (slide.reach() as f64, slide.before as f64, jump as f64 / per as f64);
            if slide.transposed.is_some() {
                per = per.checked_mul(stride)?;
                first += (before - reach / 2.0) * wide / stride as f64;
            } else {
                jump = jump.checked_mul(stride).filter(|&jump| jump <= LIMIT)?;
                first += (reach / 2.0 - before) * wide;
            }
            let common = gcd(jump, per);
            (jump, per) = (jump / common, per / common);
        }
        Some(Sight { size: self.widest(axis)?, jump: jump as f64 / per as f64, first })
    }

    /// Traced back from as many neighbours as can differ.
    fn widest(&self, axis: usize) -> Option<u64> {
        let transposed = self.steps.iter().map(|s| &s[axis]).filter(|s| s.transposed.is_some());
        let differ = transposed.fold(1i128, |all, s| (all * s.stride).min(1024));
        let mut widest = 0;
        for place in 0..differ {
            let mut ends = (place, place);
            for slides in self.steps.iter().rev() {
                ends = slides[axis].back(ends)?;
                if ends.0 > ends.1 {
                    break; // between the values that a transposed convolution spreads
                }
            }
            widest = widest.max(ends.1.checked_sub(ends.0)?.checked_add(1)?);
        }
        u64::try_from(widest).ok().filter(|&size| size <= LIMIT)
    }

    fn trace(&self, axis: usize, place: u64) -> Option<Vec<u64>> {
        let last = |places: Vec<u64>, slides: &[Slide; 2]| slides[axis].reads(&places);
        self.steps.iter().rev().try_fold(vec![place], last)
    }
}

impl Row {
    /// The rows and columns of the chain's input that the value in this row
    /// and column (from 0) of the output depends on, exactly. After a flatten
    /// the place is the one in the last maps. Both are empty where a value
    /// sees only padding, or stands between those that a `conv_transpose` spreads.
    ///
    /// # Errors
    /// When the output has no such place, there never were rows and columns, or
    /// the maps are too large to go through (more than 2^24 steps).
    ///
    /// ```
    /// use nchw::shapes::{chain, conv, max_pool};
    /// let table = chain([conv(8, 3), max_pool(2)]).on([3, 12, 14]);
    /// let seen = table.rows[1].sees(0, 2)?;
    /// assert_eq!((seen.rows, seen.cols), (vec![0, 1, 2, 3], vec![4, 5, 6, 7]));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn sees(&self, row: u64, col: u64) -> Result<Seen> {
        let Some(path) = &self.path else {
            return Err(Error::new(format!(
                "`{}` sees no rows and columns: the chain began with flattened values ({})",
                self.layer, self.input
            )));
        };
        let [rows, cols] = path.places();
        if row >= rows || col >= cols {
            return Err(Error::new(format!(
                "there is no row {row}, column {col} in {rows} rows x {cols} columns: they count from 0"
            )));
        }
        let too_large =
            || Error::new(format!("the maps before `{}` are too large to go through", self.layer));
        let rows = path.trace(0, row).ok_or_else(too_large)?;
        let cols = path.trace(1, col).ok_or_else(too_large)?;
        if rows.is_empty() || cols.is_empty() {
            return Ok(Seen { rows: vec![], cols: vec![] });
        }
        Ok(Seen { rows, cols })
    }
}

/// The greatest common divisor; that of 0 and n is n.
pub(super) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `[3, 4, 5, 8]` as `3 to 5, 8`.
pub(super) fn ranges(places: &[u64]) -> String {
    let runs = places.chunk_by(|a, b| a + 1 == *b).collect::<Vec<_>>();
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

impl fmt::Display for Sight {
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

debug_as_display!(Sight, Field, Seen);
