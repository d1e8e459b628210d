//! A window sliding along one axis: its size formula, and what it reads.

use super::layer::{Layer, Op};

/// Rows or columns.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Axis {
    H,
    W,
}

impl Axis {
    pub(super) fn letter(self) -> &'static str {
        if self == Axis::H { "H" } else { "W" }
    }

    pub(super) fn singular(self) -> &'static str {
        if self == Axis::H { "row" } else { "column" }
    }

    /// `1 row`, `2 rows`.
    pub(super) fn count(self, number: i128) -> String {
        format!("{number} {}", if number == 1 { self.singular() } else { self.plural() })
    }

    pub(super) fn plural(self) -> &'static str {
        if self == Axis::H { "rows" } else { "columns" }
    }
}

/// A window along one axis. Its numbers are below 2^63, so that the sum or product of any two fits `i128`.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Slide {
    pub axis: Axis,
    pub input: i128,
    pub kernel: i128,
    pub stride: i128,
    pub before: i128,
    pub after: i128,
    pub dilation: i128,
    pub ceil: bool,
    /// A convolution backwards, with its output padding.
    pub transposed: Option<i128>,
}

impl Slide {
    pub(super) fn of(layer: &Layer, axis: Axis, input: u64) -> Slide {
        let pick = |pair: super::Pair| i128::from(if axis == Axis::H { pair.h } else { pair.w });
        let (kernel, dilation) = (pick(layer.kernel), pick(layer.dilation.unwrap_or(1.into())));
        let padding = pick(layer.padding.unwrap_or(0.into()));
        // PyTorch puts the odd one of an uneven `same` behind.
        let total = dilation * (kernel - 1);
        let (before, after) = if layer.same { (total / 2, total - total / 2) } else { (padding, padding) };
        let transposed =
            (layer.op == Op::ConvTranspose).then(|| pick(layer.output_padding.unwrap_or(0.into())));
        let stride = pick(layer.strides());
        Slide {
            axis,
            input: input.into(),
            kernel,
            stride,
            before,
            after,
            dilation,
            ceil: layer.ceil,
            transposed,
        }
    }

    /// One window over everything; over nothing, there still is one (PyTorch's mean of it is NaN).
    pub(super) fn all(input: u64) -> Slide {
        let kernel = i128::from(input.max(1));
        Slide { kernel, stride: kernel, after: i128::from(input == 0), ..Slide::stay(input) }
    }

    /// Every place for itself.
    pub(super) fn stay(input: u64) -> Slide {
        let input = i128::from(input);
        let (kernel, stride, before, after) = (1, 1, 0, 0);
        Slide {
            axis: Axis::H,
            input,
            kernel,
            stride,
            before,
            after,
            dilation: 1,
            ceil: false,
            transposed: None,
        }
    }

    /// From the window's first to its last value.
    pub(super) fn reach(&self) -> i128 {
        self.dilation * (self.kernel - 1)
    }

    pub(super) fn padded(&self) -> i128 {
        self.input + self.before + self.after
    }

    /// How far the window can move; negative when it does not fit at all.
    pub(super) fn room(&self) -> i128 {
        self.padded() - self.reach() - 1
    }

    /// The output's size before PyTorch's rule for the last window.
    pub(super) fn raw_size(&self) -> i128 {
        if let Some(extra) = self.transposed {
            return (self.input - 1) * self.stride - self.before - self.after + self.reach() + extra + 1;
        }
        let up = if self.ceil { self.stride - 1 } else { 0 };
        (self.room() + up).div_euclid(self.stride) + 1
    }

    /// With ceil, a last window that would start in the padding behind is left out.
    pub(super) fn drops_last(&self) -> bool {
        self.ceil && (self.raw_size() - 1) * self.stride >= self.input + self.before
    }

    /// The output's size; zero or less where there is none.
    pub(super) fn size(&self) -> i128 {
        self.raw_size() - i128::from(self.drops_last())
    }

    /// The input places that these output places read, in order. Nothing when that is too much work.
    pub(super) fn reads(&self, places: &[u64]) -> Option<Vec<u64>> {
        const MOST: i128 = 1 << 24;
        if self.input > MOST || self.kernel.checked_mul(places.len() as i128)? > MOST {
            return None;
        }
        let mut read = vec![false; self.input as usize];
        for &place in places {
            for tap in 0..self.kernel {
                if let Some(at) = self.reads_at(place.into(), tap)
                    && (0..self.input).contains(&at)
                {
                    read[at as usize] = true;
                }
            }
        }
        Some((0..).zip(read).filter(|(_, read)| *read).map(|(place, _)| place).collect())
    }

    /// The input position that this output reads through this position of the window.
    pub(super) fn reads_at(&self, place: i128, tap: i128) -> Option<i128> {
        if self.transposed.is_none() {
            return Some(place * self.stride - self.before + tap * self.dilation);
        }
        let spread = place + self.before - tap * self.dilation;
        (spread % self.stride == 0).then(|| spread / self.stride)
    }

    /// The rows or columns that no window ever looks at. Nothing when there are too many to go through.
    pub(super) fn unread(&self) -> Option<Vec<u64>> {
        if self.transposed.is_some() || self.size() > 1 << 20 || self.input > 1 << 20 {
            return None;
        }
        let read = self.reads(&(0..self.size() as u64).collect::<Vec<_>>())?;
        let mut read = read.into_iter().peekable();
        Some((0..self.input as u64).filter(|place| read.next_if_eq(place).is_none()).collect())
    }
}
