//! The message for every mistake: what was expected, what was given, the likely cause, what to write.

use super::slide::{Shown, Slide};
use crate::shapes::layer::{Layer, Op};
use crate::shapes::shape::{LIMIT, Nchw, Pair, Shape, gcd, product};

/// Why a layer cannot be applied to an input, and what can.
#[derive(Clone)]
pub(in crate::shapes) struct Fault {
    pub what: String,
    pub why: String,
    pub fix: String,
    /// The correction of this fault; others may remain. Empty when the input is wrong.
    pub instead: Vec<Layer>,
}

impl Fault {
    fn new(what: String, why: impl Into<String>, fix: impl Into<String>, instead: Vec<Layer>) -> Fault {
        Fault { what, why: why.into(), fix: fix.into(), instead }
    }

    pub(in crate::shapes) fn too_large(what: &str) -> Fault {
        let what = format!("{what}: expected at most {LIMIT}, got more");
        Fault::new(what, "a number has too many digits", "smaller numbers", vec![])
    }

    pub(in crate::shapes) fn zero(what: &str, instead: Layer) -> Fault {
        let what = format!("{what}: expected at least 1, got 0");
        Fault::new(what, "a number is missing, or two numbers are swapped", "at least 1", vec![instead])
    }
}

/// The rule that every wrong number of channels breaks.
pub const DEPTH: &str = "a filter must have as many channels as its input";

/// The likely reason for filters with this many channels, for a batch of `n`.
pub fn why_these_channels(given: u64, n: u64) -> &'static str {
    if given == n && n > 1 {
        "this is N: the batch size is never part of a weight"
    } else {
        "these are the channels of an earlier layer, not those of the layer directly before"
    }
}

/// What to do when a window does not fit.
pub const NO_ROOM: &str = "a smaller window, more padding, or fewer pooling layers before";

/// The axes along which a size exceeds the most: `axis H (rows)`.
fn axes(size: Pair, most: Pair) -> &'static str {
    match (size.h > most.h, size.w > most.w) {
        (true, true) => "axes H (rows) and W (columns)",
        (true, false) => "axis H (rows)",
        _ => "axis W (columns)",
    }
}

impl Layer {
    pub(in crate::shapes) fn rate_out_of_range(&self) -> Fault {
        Fault::new(
            format!("expected a dropout rate from 0 to 1, got {}", self.rate),
            "a percentage: 50 % is 0.5",
            "a rate from 0 to 1",
            vec![Layer { rate: 0.5, ..*self }],
        )
    }

    pub(in crate::shapes) fn empty(&self, axis: &str) -> Fault {
        Fault::new(
            format!("axis {axis}: expected at least 1, got 0: the input is empty"),
            "an earlier layer has an empty output, or one of the input's sizes is 0",
            "an input without a 0",
            vec![],
        )
    }

    pub(in crate::shapes) fn on_flat(&self, input: Shape) -> Fault {
        Fault::new(
            format!("expected maps (N C H W), got flattened values ({})", input.named()),
            "a `flatten` comes too early (it removes rows and columns), or the input lacks its channel axis: \
             a grey image is `1x28x28`",
            "put this layer before the `flatten`, or write the input with its channels",
            vec![],
        )
    }

    pub(in crate::shapes) fn wrong_channels(&self, channels: u64, n: u64) -> Fault {
        let given = self.input.unwrap_or(0);
        let (what, why) = match self.op {
            Op::BatchNorm => {
                ("one scale and one shift for each channel", "these are the channels of another layer")
            }
            _ => (DEPTH, why_these_channels(given, n)),
        };
        Fault::new(
            format!("axis C (channels): expected {channels} ({what}), got {given}"),
            why,
            format!("{channels}, or omit the number: the input determines it"),
            vec![Layer { input: Some(channels), ..*self }],
        )
    }

    pub(in crate::shapes) fn wrong_features(&self, features: u64) -> Fault {
        let given = self.input.unwrap_or(0);
        Fault::new(
            format!(
                "axis 1 (features): expected {features}, the number of values of each image, got {given}"
            ),
            "the size before the flatten was miscalculated (a floor or a padding was forgotten), or it was \
             multiplied by the batch size",
            format!("{features}, or omit the number"),
            vec![Layer { input: Some(features), ..*self }],
        )
    }

    pub(in crate::shapes) fn not_flattened(&self, maps: Nchw) -> Fault {
        let features = product(&[maps.c, maps.h, maps.w]);
        let given = self.input.map_or(String::new(), |given| format!(" {given}"));
        Fault::new(
            format!("expected{given} flattened features, got maps ({})", maps.named()),
            "a `flatten` is missing: a linear layer takes one row of values for each image",
            features.map_or(String::new(), |all| {
                format!("flatten first: {}*{}*{} = {all}", maps.c, maps.h, maps.w)
            }),
            vec![Layer::new(Op::Flatten), Layer { input: self.input.and(features), ..*self }],
        )
    }

    pub(in crate::shapes) fn groups_do_not_divide(&self, channels: u64, groups: u64) -> Fault {
        let rest = |what, n: u64| {
            let left = n % groups;
            if left == 0 { String::new() } else { format!(" {what} {n} / {groups} has remainder {left};") }
        };
        let common = gcd(channels, self.out);
        Fault::new(
            format!(
                "axis C (channels): expected numbers of input channels and filters that are divisible by {groups} groups, got:{}{}",
                rest("channels", channels),
                rest("filters", self.out)
            )
            .trim_end_matches(';')
            .to_string(),
            "every group has the same number of channels and the same number of filters",
            format!("a number of groups that divides {common} evenly"),
            vec![Layer { groups: Some(gcd(groups, common)), ..*self }],
        )
    }

    pub(in crate::shapes) fn same_with_stride(&self) -> Fault {
        let half = |kernel: u64, dilation: u64| (kernel - 1).saturating_mul(dilation) / 2;
        let padding = self.kernel.zip(self.dilation(), half);
        Fault::new(
            format!("`padding same`: expected stride 1x1, got {}", self.stride()),
            "with a larger stride, the output cannot have the size of the input",
            "a padding given as a number",
            vec![Layer { same: false, padding: Some(padding), ..*self }],
        )
    }

    pub(in crate::shapes) fn padding_over_half(&self, half: Pair) -> Fault {
        let padding = self.padding();
        Fault::new(
            format!(
                "{}: expected a padding of at most half the {} window, {half}, got {padding}",
                axes(padding, half),
                self.kernel
            ),
            "with more padding, a window could lie entirely in the padding and have no value to pool",
            "less padding",
            vec![Layer { padding: Some(padding.zip(half, u64::min)), ..*self }],
        )
    }

    pub(in crate::shapes) fn output_padding_too_large(&self, most: Pair) -> Fault {
        let extra = self.output_padding();
        Fault::new(
            format!(
                "{}: expected output_padding smaller than the stride or the dilation, at most {most}, got {extra}",
                axes(extra, most)
            ),
            "it only selects one of the sizes that a convolution with this stride maps to the same output; perhaps `padding` was meant",
            "less output_padding",
            vec![Layer { output_padding: Some(extra.zip(most, u64::min)), ..*self }],
        )
    }

    /// The window does not fit, or the padding of a transposed convolution removes the whole output.
    pub(in crate::shapes) fn no_room(&self, maps: Nchw, slide: &Slide, slides: &[Slide; 2]) -> Fault {
        let (letter, plural) = (slide.axis.letter(), slide.axis.plural());
        let size = slide.formula(Shown::of(&[*slide]));
        if slide.transposed.is_some() {
            let reduced = |s: &Slide, padding: u64| {
                if s.size() >= 1 { padding } else { ((s.raw_size() + 2 * s.before - 1) / 2).max(0) as u64 }
            };
            let Pair { h, w } = self.padding();
            let padding = Pair { h: reduced(&slides[0], h), w: reduced(&slides[1], w) };
            return Fault::new(
                format!("axis {letter} ({plural}): expected an output of at least 1, got {size}"),
                "the padding of a transposed convolution is removed from the sides of its output",
                "less padding",
                vec![Layer { padding: Some(padding), ..*self }],
            );
        }
        let fitting = |s: &Slide| {
            let fits = if self.op == Op::Conv { s.room() >= 0 } else { s.size() >= 1 };
            if fits { s.kernel } else { (s.padded() - 1).div_euclid(s.dilation) + 1 }
        };
        let kernel = Pair { h: fitting(&slides[0]).max(0) as u64, w: fitting(&slides[1]).max(0) as u64 };
        let dilated = if slide.dilation > 1 { ", enlarged by the dilation," } else { "" };
        let (input, before, after) = (slide.input, slide.before, slide.after);
        let up = if slide.ceil { slide.stride - 1 } else { 0 };
        let ceil = if up > 0 { format!(" + {up} because of ceil") } else { String::new() };
        Fault::new(
            format!(
                "axis {letter} ({plural}): expected a window of at most {} (input {input} + \
                 padding {before} + {after}{ceil}), got {}: {size}",
                slide.axis.count(slide.padded() + up),
                slide.reach() + 1
            ),
            format!(
                "the window{dilated} is larger than its input ({}): earlier strides and pooling layers left too few positions",
                maps.named()
            ),
            NO_ROOM,
            if kernel.h == 0 || kernel.w == 0 { vec![] } else { vec![Layer { kernel, ..*self }] },
        )
    }
}
