//! The words for every mistake: what was expected, what came, the likely cause, what to write.

use super::layer::{Layer, Op, flatten};
use super::shape::{LIMIT, Nchw, Pair, Shape, gcd, product};
use super::slide::Slide;

/// Why a layer cannot be laid on an input, and what can.
#[derive(Clone)]
pub(super) struct Fault {
    pub what: String,
    pub why: String,
    pub fix: String,
    /// One mend; there may be more faults behind it. Empty when it is the input that is wrong.
    pub instead: Vec<Layer>,
}

impl Fault {
    fn new(what: String, why: impl Into<String>, fix: impl Into<String>, instead: Vec<Layer>) -> Fault {
        Fault { what, why: why.into(), fix: fix.into(), instead }
    }

    pub(super) fn too_large(what: &str) -> Fault {
        let what = format!("{what}: expected at most {LIMIT}, and got more");
        Fault::new(what, "a digit too many", "smaller numbers", vec![])
    }
}

/// The rule behind every wrong number of channels.
pub const DEPTH: &str = "a filter has as many channels as what it is laid on";

/// Why somebody made filters with so many channels for a batch of `n`.
pub fn why_these_channels(said: u64, n: u64) -> &'static str {
    if said == n && n > 1 {
        "N was written: the batch is never in a weight"
    } else {
        "the channels of an earlier layer were written, not those of the layer just before"
    }
}

/// What to do when a window does not fit.
pub const NO_ROOM: &str = "a smaller window, more padding, or fewer pools before";

/// The axis of a pair on which something holds: `on axis H (rows)`.
fn axis(h: bool, w: bool) -> &'static str {
    match (h, w) {
        (true, true) => "axes H (rows) and W (columns)",
        (true, false) => "axis H (rows)",
        _ => "axis W (columns)",
    }
}

impl Layer {
    pub(super) fn stranger(&self, option: &str) -> Fault {
        let takes = match self.op.takes() {
            [] => "no options".to_string(),
            options => options.join(", "),
        };
        Fault::new(
            format!("`{}` has no `{option}`; it takes {takes}", self.op.name()),
            "the option belongs to another layer",
            "leave the option out",
            vec![self.without_strangers()],
        )
    }

    pub(super) fn zero(&self, what: &str, instead: Layer) -> Fault {
        let what = format!("{what}: expected at least 1, and got 0");
        Fault::new(what, "a number is missing, or two changed places", "at least 1", vec![instead])
    }

    pub(super) fn rate_outside(&self) -> Fault {
        Fault::new(
            format!("expected a rate from 0 to 1, and got {}", self.rate),
            "a percentage: 50 % is 0.5",
            "a rate from 0 to 1",
            vec![Layer { rate: 0.5, ..*self }],
        )
    }

    pub(super) fn empty(&self, axis: &str) -> Fault {
        Fault::new(
            format!("axis {axis}: expected at least 1, and got 0: there is nothing to look at"),
            "a layer before left nothing, or the input was written with a 0",
            "an input without a 0",
            vec![],
        )
    }

    pub(super) fn on_flat(&self, input: Shape) -> Fault {
        Fault::new(
            format!("expected maps (N C H W), and got flattened values ({})", input.named()),
            "a flatten comes too early (rows and columns are gone after it), or the input lacks its channels: \
             a grey picture is `1x28x28`",
            "put it before the `flatten`, or give the input its channels",
            vec![],
        )
    }

    pub(super) fn wrong_channels(&self, channels: u64, n: u64) -> Fault {
        let said = self.input.unwrap_or(0);
        let (what, why) = match self.op {
            Op::BatchNorm => {
                ("one pair of numbers for each channel", "the channels of another layer were written")
            }
            _ => (DEPTH, why_these_channels(said, n)),
        };
        Fault::new(
            format!("axis C (channels): expected {channels} ({what}), and got {said}"),
            why,
            format!("{channels}, or leave the number out: it is not yours to choose"),
            vec![Layer { input: Some(channels), ..*self }],
        )
    }

    pub(super) fn wrong_features(&self, features: u64) -> Fault {
        let said = self.input.unwrap_or(0);
        Fault::new(
            format!("axis 1 (features): expected {features}, as many as each picture has, and got {said}"),
            "the size before the flatten was reckoned wrongly (a floor or a padding forgotten), or the batch was \
             multiplied in",
            format!("{features}, or leave the number out"),
            vec![Layer { input: Some(features), ..*self }],
        )
    }

    pub(super) fn not_flattened(&self, maps: Nchw) -> Fault {
        let features = product(&[maps.c, maps.h, maps.w]);
        let said = self.input.map_or(String::new(), |said| format!(" {said}"));
        Fault::new(
            format!("expected{said} flattened features, and got maps ({})", maps.named()),
            "the `flatten` is missing: a linear layer takes one row of values for each picture",
            features.map_or(String::new(), |all| {
                format!("flatten first: {}*{}*{} = {all}", maps.c, maps.h, maps.w)
            }),
            vec![flatten(), Layer { input: self.input.and(features), ..*self }],
        )
    }

    pub(super) fn groups_do_not_divide(&self, channels: u64, groups: u64) -> Fault {
        let rest = |what, n: u64| {
            let left = n % groups;
            if left == 0 { String::new() } else { format!(" {what} {n} / {groups} leaves {left};") }
        };
        let common = gcd(channels, self.out);
        Fault::new(
            format!(
                "axis C (channels): expected input channels and filters that {groups} groups divide, and got:{}{}",
                rest("channels", channels),
                rest("filters", self.out)
            )
            .trim_end_matches(';')
            .to_string(),
            "every group gets equally many channels and equally many filters",
            format!("a number of groups that divides {common}"),
            vec![Layer { groups: Some(gcd(groups, common)), ..*self }],
        )
    }

    pub(super) fn same_with_stride(&self) -> Fault {
        let dilation = self.dilation.unwrap_or(1.into());
        let half = |kernel: u64, dilation: u64| (kernel - 1).saturating_mul(dilation) / 2;
        let padding = Pair { h: half(self.kernel.h, dilation.h), w: half(self.kernel.w, dilation.w) };
        Fault::new(
            format!("`padding same`: expected stride 1x1, and got {}", self.strides()),
            "with a larger stride the size cannot stay the same",
            "a padding in numbers",
            vec![Layer { same: false, padding: Some(padding), ..*self }],
        )
    }

    pub(super) fn padded_over_half(&self, padding: Pair) -> Fault {
        let half = Pair { h: self.kernel.h / 2, w: self.kernel.w / 2 };
        let less = Pair { h: padding.h.min(half.h), w: padding.w.min(half.w) };
        Fault::new(
            format!(
                "{}: expected padding of at most half the {} window, {half}, and got {padding}",
                axis(padding.h > half.h, padding.w > half.w),
                self.kernel
            ),
            "with more, a window would lie in the padding alone and pool nothing",
            "less padding",
            vec![Layer { padding: Some(less), ..*self }],
        )
    }

    pub(super) fn output_padding_too_large(&self, extra: Pair, most: Pair) -> Fault {
        let less = Pair { h: extra.h.min(most.h), w: extra.w.min(most.w) };
        Fault::new(
            format!(
                "{}: expected output_padding smaller than the stride or the dilation, at most {most}, and got {extra}",
                axis(extra.h > most.h, extra.w > most.w)
            ),
            "it only chooses among the sizes that a stride rounds to the same; `padding` was meant, perhaps",
            "less output_padding",
            vec![Layer { output_padding: Some(less), ..*self }],
        )
    }

    /// The window does not fit, or a transposed convolution's padding cuts everything away.
    pub(super) fn no_room(&self, maps: Nchw, slide: &Slide, slides: &[Slide; 2]) -> Fault {
        let (letter, plural) = (slide.axis.letter(), slide.axis.plural());
        let size = slide.formula();
        if slide.transposed.is_some() {
            let less = |s: &Slide, now: u64| {
                if s.size() >= 1 { now } else { ((s.raw_size() + 2 * s.before - 1) / 2).max(0) as u64 }
            };
            let now = self.padding.unwrap_or(0.into());
            let padding = Pair { h: less(&slides[0], now.h), w: less(&slides[1], now.w) };
            return Fault::new(
                format!("axis {letter} ({plural}): expected an output of at least 1, and got {size}"),
                "here padding takes away: it is cut from the output's sides",
                "less padding",
                vec![Layer { padding: Some(padding), ..*self }],
            );
        }
        let fitting = |s: &Slide| {
            let fits = if self.op == Op::Conv { s.room() >= 0 } else { s.size() >= 1 };
            if fits { s.kernel } else { (s.padded() - 1).div_euclid(s.dilation) + 1 }
        };
        let kernel = Pair { h: fitting(&slides[0]).max(0) as u64, w: fitting(&slides[1]).max(0) as u64 };
        let dilated = if slide.dilation > 1 { ", spread by the dilation," } else { "" };
        let (input, before, after) = (slide.input, slide.before, slide.after);
        let up = if slide.ceil { slide.stride - 1 } else { 0 };
        let ceil = if up > 0 { format!(" + {up} by ceil") } else { String::new() };
        Fault::new(
            format!(
                "axis {letter} ({plural}): expected a window of at most {} ({input} of the input + \
                 {before} + {after} of padding{ceil}), and got one of {}: {size}",
                slide.axis.count(slide.padded() + up),
                slide.reach() + 1
            ),
            format!(
                "the window{dilated} is larger than what it is laid on ({}): strides and pools before left too little",
                maps.named()
            ),
            NO_ROOM,
            if kernel.h == 0 || kernel.w == 0 { vec![] } else { vec![Layer { kernel, ..*self }] },
        )
    }
}
