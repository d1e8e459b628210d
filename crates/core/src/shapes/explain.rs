//! Explanations of numbers: the formula, then the learner's numbers, then the result.

use super::apply::field::{AxisField, ranges};
use super::apply::row::{Row, channels_and_last};
use super::apply::slide::{Shown, Slide};
use super::layer::{Layer, Op};
use super::shape::{Shape, count, times};
use crate::{error::debug_as_display, text::count_of};
use std::fmt;

/// A few lines of text that explain a number; a notebook displays them as a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Explanation(String);

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

debug_as_display!(Explanation);

impl Slide {
    /// The formula, the effect of the rounding, and the positions that no window reads.
    fn lines(&self, shown: Shown) -> String {
        let (letter, plural) = (self.axis.letter(), self.axis.plural());
        let mut text = format!("  {letter} = {}", self.formula(shown));
        let mut add = |line: String| text += &format!("\n      {line}");
        if self.drops_last() {
            let start = (self.raw_size() - 1) * self.stride - self.before;
            add(format!(
                "minus 1: the last window would start at {start}, in the padding after 0 to {}; so {letter} = {}",
                self.input - 1,
                self.size()
            ));
        }
        if self.transposed.is_some() {
            return text;
        }
        let rest = self.room().rem_euclid(self.stride);
        if rest != 0 && !self.ceil {
            let whole = self.room() as f64 / self.stride as f64;
            add(format!(
                "the floor rounds {whole:.2} down: {} of the padded input {} left over",
                self.axis.count(rest),
                if rest == 1 { "is" } else { "are" }
            ));
        }
        match self.unread().as_deref() {
            None | Some([]) => {}
            Some([only]) => add(format!("no window reads {} {only} (counted from 0)", self.axis.singular())),
            Some(several) => add(format!("no window reads {plural} {} (counted from 0)", ranges(several))),
        }
        text
    }
}

const TRANSPOSED: &str = "(H-1)*stride - 2*padding + dilation*(kernel-1) + output_padding + 1";

impl Row {
    /// All five explanations below.
    pub fn explain(&self) -> Explanation {
        let parts = [
            self.explain_output(),
            self.explain_weight(),
            self.explain_parameters(),
            self.explain_multiply_adds(),
            self.explain_field(),
        ];
        let parts = parts.iter().map(|part| part.0.as_str()).collect::<Vec<_>>().join("\n");
        Explanation(format!("{} on {}\n{parts}", self.layer, self.input.named()))
    }

    /// Why the output has this shape, with every rounding and what it discards.
    ///
    /// ```
    /// use nchw::shapes::conv;
    /// let why = conv(10, 3).stride(2).on([3, 7, 8])?.explain_output().to_string();
    /// assert!(why.contains("H = floor((7 - 3) / 2) + 1 = floor(4 / 2) + 1 = 3"));
    /// assert!(why.contains("no window reads column 7 (counted from 0)"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn explain_output(&self) -> Explanation {
        let head = format!("output {}:", self.output);
        let channels = match self.layer.op {
            op if op.convolves() => format!("  C = {}: one feature map for each filter", self.layer.out),
            _ => format!(
                "  C = {}: unchanged, every channel is pooled separately",
                channels_and_last(self.input).0
            ),
        };
        let body = match (self.layer.op, self.input) {
            (Op::Flatten, Shape::Maps(m)) => {
                let features = m.c as u128 * m.h as u128 * m.w as u128;
                format!("  features = C*H*W = {}*{}*{} = {features}", m.c, m.h, m.w)
            }
            (Op::Flatten, _) => "  unchanged: the input is already flattened".into(),
            (Op::Linear, Shape::Flat(_)) => {
                format!("  features = {}: one for each output node", self.layer.out)
            }
            (Op::Linear, _) => format!("  W = {}: a linear layer changes only the last axis", self.layer.out),
            (Op::GlobalAvgPool | Op::GlobalMaxPool, Shape::Maps(m)) => {
                format!("{channels}\n  H = W = 1: one value for a whole channel of {}x{}", m.h, m.w)
            }
            (op, _) => match &self.slides {
                None => "  unchanged: each value keeps its position".into(),
                Some([h, w]) => {
                    let shown = Shown::of(&[*h, *w]);
                    let round = if self.layer.ceil { "ceil" } else { "floor" };
                    let formula = match op {
                        Op::ConvTranspose => TRANSPOSED.to_owned(),
                        _ => shown.window("H", "2*padding", "dilation", "kernel", "stride", round),
                    };
                    let same = match self.layer.same {
                        true => "\n  `same` pads dilation*(kernel-1) in total, with the odd one at the end",
                        false => "",
                    };
                    format!(
                        "{channels}\n  H' = {formula}, and the same for W'{same}\n{}\n{}",
                        h.lines(shown),
                        w.lines(shown)
                    )
                }
            },
        };
        Explanation(format!("{head}\n{body}"))
    }

    /// The formula for the rows and columns of the output with all options of a convolution, or with the stride
    /// of a pooling layer, also where they are 1 or 0; then with the numbers for the rows, and for the columns.
    /// Below the numbers is what the rounding discards. `None` if no window moves.
    ///
    /// ```
    /// use nchw::shapes::max_pool;
    /// let [formula, rows, _] = max_pool(2).on([3, 7, 8])?.explain_sizes().unwrap();
    /// assert_eq!(formula.to_string(), "H' = floor((H - kernel) / stride) + 1");
    /// assert!(rows.to_string().starts_with("H' = floor((7 - 2) / 2) + 1 = floor(5 / 2) + 1 = 3\n"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn explain_sizes(&self) -> Option<[Explanation; 3]> {
        let [h, w] = self.slides.as_ref().filter(|_| self.layer.op != Op::ConvTranspose)?;
        let convolves = self.layer.op.convolves();
        let used = Shown::of(&[*h, *w]);
        let shown =
            Shown { stride: true, padding: convolves || used.padding, dilation: convolves || used.dilation };
        let round = if self.layer.ceil { "ceil" } else { "floor" };
        let formula = shown.window("H", "2*padding", "dilation", "kernel", "stride", round);
        let numbers = |slide: &Slide| {
            let lines = slide.lines(shown);
            let lines: Vec<&str> = lines.lines().map(str::trim).collect();
            Explanation(lines.join("\n").replacen(" =", "' =", 1))
        };
        Some([Explanation(format!("H' = {formula}")), numbers(h), numbers(w)])
    }

    /// Which sizes of the weight you choose, and which the input determines.
    pub fn explain_weight(&self) -> Explanation {
        let Layer { op, out, kernel, .. } = self.layer;
        if self.weight.is_empty() {
            return Explanation("weight: none, this layer has no parameters".into());
        }
        let shape = times(&self.weight);
        let (channels, last) = channels_and_last(self.input);
        let shared = match self.layer.groups() {
            1 => String::new(),
            groups => format!(" / {groups} groups = {}", self.weight.get(1).unwrap_or(&0)),
        };
        let divided = if shared.is_empty() { "" } else { ", divided by the groups" };
        let body = match op {
            Op::Conv => format!(
                "  N = {}: you choose it\n  C = {channels}{shared}: you do not choose it: it is the \
                 channel count of the input{divided}\n  H, W = {kernel}: you choose it",
                count_of(out, "filter", "filters")
            ),
            Op::ConvTranspose => format!(
                "  {channels}: the channel count of the input, which you do not choose; it comes first here\n  \
                 {out}{shared}: the number of output maps, you choose it\n  H, W = {kernel}: you choose it"
            ),
            Op::Linear => format!(
                "  {}: you choose it\n  {last}: you do not choose it: it is the number of features of the input",
                count_of(out, "node", "nodes")
            ),
            _ => format!("  {channels}: one scale for each channel; the shifts have the same shape"),
        };
        Explanation(format!(
            "weight {shape}:\n{body}\n  the batch size (N={}) is never part of a weight",
            self.input.n()
        ))
    }

    /// How the parameters add up: `10*3*3*3 weights + 10 biases = 280`.
    pub fn explain_parameters(&self) -> Explanation {
        if self.weight.is_empty() {
            return Explanation("parameters: 0, nothing is learned here".into());
        }
        let [weight, weights, bias, biases] = match self.layer.op {
            Op::BatchNorm => ["scale", "scales", "shift", "shifts"],
            _ => ["weight", "weights", "bias", "biases"],
        };
        let plus = match count(&self.bias) {
            Some(0) | None => ", no biases".into(),
            Some(count) => format!(" + {}", count_of(count, bias, biases)),
        };
        let weights = product_of(&self.weight, weight, weights);
        Explanation(format!("parameters: {weights}{plus} = {}", self.parameters))
    }

    /// How the multiply-adds add up.
    pub fn explain_multiply_adds(&self) -> Explanation {
        let inputs = product_of(&self.input.sizes(), "input", "inputs");
        let outputs = product_of(&self.output.sizes(), "output", "outputs");
        let each = self.weight.get(1..).unwrap_or(&[]);
        let sum = match self.layer.op {
            Op::Conv => format!("{outputs}, each {} in its window", product(each)),
            Op::Linear => format!("{outputs}, each {}", product_of(each, "input", "inputs")),
            Op::ConvTranspose => {
                format!("{inputs}, each multiplied by {}", product_of(each, "weight", "weights"))
            }
            Op::BatchNorm => format!("{}, one each", product_of(&self.output.sizes(), "value", "values")),
            _ => return Explanation("multiply-adds: 0, nothing is multiplied by a weight".into()),
        };
        Explanation(format!("multiply-adds: {sum} = {}", self.multiply_adds))
    }

    /// How the receptive field grows from that of the row before.
    pub fn explain_field(&self) -> Explanation {
        let (Some(field), Some(before)) = (self.field, self.before) else {
            return Explanation(
                "receptive field: none, the input of the chain has no rows and columns".into(),
            );
        };
        let Some([h, w]) = &self.slides else {
            return Explanation(format!("receptive field: unchanged, {}", field.size()));
        };
        let rows = growth("rows", h, before.h, field.h);
        let columns = growth("columns", w, before.w, field.w);
        Explanation(format!("receptive field {}:\n{rows}\n{columns}", field.size()))
    }
}

/// `10*3*3`.
fn product(sizes: &[u64]) -> String {
    sizes.iter().map(u64::to_string).collect::<Vec<_>>().join("*")
}

/// `10*3*3 weights`: a product with its noun.
fn product_of(sizes: &[u64], one: &str, many: &str) -> String {
    let noun = if count(sizes) == Some(1) { one } else { many };
    format!("{} {noun}", product(sizes))
}

/// How the receptive field grows along one axis.
fn growth(plural: &str, slide: &Slide, before: AxisField, after: AxisField) -> String {
    let Slide { kernel, stride, dilation, before: padding, .. } = slide;
    let AxisField { size, jump, first } = before;
    let times = |number: i128| if number == 1 { String::new() } else { format!("*{number}") };
    if slide.transposed.is_some() {
        return format!(
            "  {plural}: at most {} pixels (traced back: the values of a transposed convolution have receptive fields of \
             different sizes); the next value sees {jump}/{stride} = {} pixels further; the first one is centred on {}",
            after.size, after.jump, after.first
        );
    }
    // After a transposed convolution, jumps are fractions, and sizes are traced back.
    let sum = match jump.fract() == 0.0 && size as f64 + slide.reach() as f64 * jump == after.size as f64 {
        true => format!("{size} + ({kernel}-1){}*{jump} = {} pixels", times(*dilation), after.size),
        false => format!("{} pixels (traced back)", after.size),
    };
    let padded = if *padding == 0 { String::new() } else { format!(" - {padding}*{jump}") };
    format!(
        "  {plural}: {sum}; the next value sees {jump}*{stride} = {} pixels further (the jump); the first one is \
         centred on {first} + ({kernel}-1){}*{jump}/2{padded} = {}",
        after.jump,
        times(*dilation),
        after.first
    )
}
