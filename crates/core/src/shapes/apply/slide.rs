//! A window sliding along one axis: the formula for the output size, and what each position reads.

use crate::shapes::layer::{Layer, Op};
use crate::shapes::shape::Pair;
use crate::text::count_of;

/// Rows or columns.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::shapes) enum Axis {
    H,
    W,
}

impl Axis {
    pub(in crate::shapes) fn letter(self) -> &'static str {
        if self == Axis::H { "H" } else { "W" }
    }

    pub(in crate::shapes) fn singular(self) -> &'static str {
        if self == Axis::H { "row" } else { "column" }
    }

    /// `1 row`, `2 rows`.
    pub(in crate::shapes) fn count(self, number: i128) -> String {
        count_of(number, self.singular(), self.plural())
    }

    pub(in crate::shapes) fn plural(self) -> &'static str {
        if self == Axis::H { "rows" } else { "columns" }
    }
}

/// A window along one axis. Its numbers are below 2^63, so the sum or product of any two fits in `i128`.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::shapes) struct Slide {
    pub axis: Axis,
    pub input: i128,
    pub kernel: i128,
    pub stride: i128,
    pub before: i128,
    pub after: i128,
    pub dilation: i128,
    pub ceil: bool,
    /// The output padding, for a transposed convolution.
    pub transposed: Option<i128>,
}

/// The options that a formula shows: the others have their defaults, and learners may not know them yet.
#[derive(Clone, Copy)]
pub(in crate::shapes) struct Shown {
    pub stride: bool,
    pub padding: bool,
    pub dilation: bool,
}

impl Shown {
    /// Those that are not at their default in at least one of the axes.
    pub(in crate::shapes) fn of(slides: &[Slide]) -> Shown {
        Shown {
            stride: slides.iter().any(|slide| slide.stride != 1),
            padding: slides.iter().any(|slide| slide.before != 0 || slide.after != 0),
            dilation: slides.iter().any(|slide| slide.dilation != 1),
        }
    }

    /// `floor((H + 2*padding - kernel) / stride) + 1`, without the options that are not shown.
    pub(in crate::shapes) fn window(
        self,
        input: &str,
        padding: &str,
        dilation: &str,
        kernel: &str,
        stride: &str,
        round: &str,
    ) -> String {
        let mut room = input.to_owned();
        if self.padding {
            room += &format!(" + {padding}");
        }
        room += &match self.dilation {
            true => format!(" - {dilation}*({kernel}-1) - 1"),
            false => format!(" - {kernel}"),
        };
        if self.stride { format!("{round}(({room}) / {stride}) + 1") } else { format!("{room} + 1") }
    }
}

impl Slide {
    pub(in crate::shapes) fn of(layer: &Layer, axis: Axis, input: u64) -> Slide {
        let pick = |pair: Pair| i128::from(if axis == Axis::H { pair.h } else { pair.w });
        let (kernel, dilation, padding) = (pick(layer.kernel), pick(layer.dilation()), pick(layer.padding()));
        // If `same` needs an odd amount, PyTorch adds the extra one at the end.
        let total = dilation * (kernel - 1);
        let (before, after) = if layer.same { (total / 2, total - total / 2) } else { (padding, padding) };
        let transposed = (layer.op == Op::ConvTranspose).then(|| pick(layer.output_padding()));
        let (input, stride, ceil) = (input.into(), pick(layer.stride()), layer.ceil);
        Slide { axis, input, kernel, stride, before, after, dilation, ceil, transposed }
    }

    /// One window over all positions; also over an empty axis (PyTorch's mean of it is NaN).
    pub(in crate::shapes) fn all(input: u64) -> Slide {
        let kernel = i128::from(input.max(1));
        Slide { kernel, stride: kernel, after: i128::from(input == 0), ..Slide::stay(input) }
    }

    /// A window of one position.
    pub(in crate::shapes) fn stay(input: u64) -> Slide {
        Slide {
            axis: Axis::H,
            input: input.into(),
            kernel: 1,
            stride: 1,
            before: 0,
            after: 0,
            dilation: 1,
            ceil: false,
            transposed: None,
        }
    }

    /// The distance from the first to the last value of the window.
    pub(in crate::shapes) fn reach(&self) -> i128 {
        self.dilation * (self.kernel - 1)
    }

    pub(in crate::shapes) fn padded(&self) -> i128 {
        self.input + self.before + self.after
    }

    /// How far the window can move; negative when it does not fit.
    pub(in crate::shapes) fn room(&self) -> i128 {
        self.padded() - self.reach() - 1
    }

    /// The output's size before PyTorch's rule for the last window.
    pub(in crate::shapes) fn raw_size(&self) -> i128 {
        if let Some(extra) = self.transposed {
            return (self.input - 1) * self.stride - self.before - self.after + self.reach() + extra + 1;
        }
        let up = if self.ceil { self.stride - 1 } else { 0 };
        (self.room() + up).div_euclid(self.stride) + 1
    }

    /// With ceil, PyTorch drops a last window that would start in the padding at the end.
    pub(in crate::shapes) fn drops_last(&self) -> bool {
        self.ceil && (self.raw_size() - 1) * self.stride >= self.input + self.before
    }

    /// The output's size; zero or less if there is no output.
    pub(in crate::shapes) fn size(&self) -> i128 {
        self.raw_size() - i128::from(self.drops_last())
    }

    /// The input positions that these output positions read, in order; `None` when there are too many.
    pub(in crate::shapes) fn reads(&self, positions: &[u64]) -> Option<Vec<u64>> {
        const MOST: i128 = 1 << 24;
        if self.input > MOST || self.kernel.checked_mul(positions.len() as i128)? > MOST {
            return None;
        }
        let mut read = vec![false; self.input as usize];
        for &position in positions {
            for k in 0..self.kernel {
                if let Some(at) = self.reads_at(position.into(), k)
                    && (0..self.input).contains(&at)
                {
                    read[at as usize] = true;
                }
            }
        }
        Some((0..).zip(read).filter(|(_, read)| *read).map(|(position, _)| position).collect())
    }

    /// The input position that this output position reads through position `k` of the kernel.
    pub(in crate::shapes) fn reads_at(&self, position: i128, k: i128) -> Option<i128> {
        if self.transposed.is_none() {
            return Some(position * self.stride - self.before + k * self.dilation);
        }
        let spread = position + self.before - k * self.dilation;
        (spread % self.stride == 0).then(|| spread / self.stride)
    }

    /// The rows or columns that no window reads; `None` when there are too many to search.
    pub(in crate::shapes) fn unread(&self) -> Option<Vec<u64>> {
        if self.transposed.is_some() || self.size() > 1 << 20 || self.input > 1 << 20 {
            return None;
        }
        let read = self.reads(&(0..self.size() as u64).collect::<Vec<_>>())?;
        let mut read = read.into_iter().peekable();
        Some((0..self.input as u64).filter(|position| read.next_if_eq(position).is_none()).collect())
    }

    /// `floor((7 + 2*1 - 3) / 2) + 1 = floor(6 / 2) + 1 = 4`.
    pub(in crate::shapes) fn formula(&self, shown: Shown) -> String {
        let Slide { input, kernel, stride, before, dilation, .. } = self;
        if let Some(extra) = self.transposed {
            let size = self.raw_size();
            return format!(
                "({input}-1)*{stride} - 2*{before} + {dilation}*({kernel}-1) + {extra} + 1 = {size}"
            );
        }
        let round = if self.ceil { "ceil" } else { "floor" };
        let padding = if self.before == self.after {
            format!("2*{before}")
        } else {
            format!("{before} + {}", self.after)
        };
        let numbers = [input, dilation, kernel, stride].map(i128::to_string);
        let [input, dilation, kernel, stride] = numbers.each_ref().map(String::as_str);
        let formula = shown.window(input, &padding, dilation, kernel, stride, round);
        let divided =
            if shown.stride { format!(" = {round}({} / {stride}) + 1", self.room()) } else { String::new() };
        format!("{formula}{divided} = {}", self.raw_size())
    }
}
