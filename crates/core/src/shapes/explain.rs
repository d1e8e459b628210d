//! Numbers that explain themselves: the formula, then the learner's numbers, then the result.

use super::field::{AxisField, ranges};
use super::layer::{Layer, Op};
use super::row::channels_and_last;
use super::shape::{Shape, count, times};
use super::slide::Slide;
use super::{Pair, Row};
use crate::error::debug_as_display;
use std::fmt;

/// Some lines that say where a number comes from; in a notebook they show as they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Explanation(String);

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

debug_as_display!(Explanation);

impl Slide {
    /// `floor((7 + 2*0 - 1*(3-1) - 1) / 2) + 1 = floor(4 / 2) + 1 = 3`.
    pub(super) fn formula(&self) -> String {
        let Slide { input, kernel, stride, before, dilation, .. } = self;
        if let Some(extra) = self.transposed {
            let size = self.raw_size();
            return format!(
                "({input}-1)*{stride} - 2*{before} + {dilation}*({kernel}-1) + {extra} + 1 = {size}"
            );
        }
        let round = if self.ceil { "ceil" } else { "floor" };
        let (room, raw) = (self.room(), self.raw_size());
        let padding = if self.before == self.after {
            format!("2*{before}")
        } else {
            format!("{before} + {}", self.after)
        };
        format!(
            "{round}(({input} + {padding} - {dilation}*({kernel}-1) - 1) / {stride}) + 1 = {round}({room} / {stride}) + 1 = {raw}"
        )
    }

    /// The formula, what the rounding did, and what no window looks at.
    fn lines(&self) -> String {
        let (letter, plural) = (self.axis.letter(), self.axis.plural());
        let mut text = format!("  {letter} = {}", self.formula());
        let mut add = |line: String| text += &format!("\n      {line}");
        if self.drops_last() {
            let (last, behind) = ((self.raw_size() - 1) * self.stride - self.before, self.input);
            add(format!(
                "less 1: the last window would start at {last}, in the padding behind 0 to {}; so {letter} = {}",
                behind - 1,
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
                "the floor drops a part of {whole:.2}: {} of the padded input {} left over",
                self.axis.count(rest),
                if rest == 1 { "is" } else { "are" }
            ));
        }
        match self.unread().as_deref() {
            None | Some([]) => {}
            Some([place]) => add(format!("{} {place} (from 0) is never looked at", self.axis.singular())),
            Some(places) => add(format!("{plural} {} (from 0) are never looked at", ranges(places))),
        }
        text
    }
}

const WINDOW: &str = "floor((H + 2*padding - dilation*(kernel-1) - 1) / stride) + 1";
const TRANSPOSED: &str = "(H-1)*stride - 2*padding + dilation*(kernel-1) + output_padding + 1";

impl Row {
    /// Everything about this row: each of the five below.
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

    /// Why the output has this shape, with every floor and what it drops.
    ///
    /// ```
    /// use nchw::shapes::conv;
    /// let why = conv(10, 3).stride(2).on([3, 7, 8])?.explain_output().to_string();
    /// assert!(why.contains("H = floor((7 + 2*0 - 1*(3-1) - 1) / 2) + 1 = floor(4 / 2) + 1 = 3"));
    /// assert!(why.contains("column 7 (from 0) is never looked at"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn explain_output(&self) -> Explanation {
        let head = format!("output {}:", self.output);
        let channels = match self.layer.op {
            op if op.convolves() => format!("  C = {}: one map for each filter", self.layer.out),
            _ => format!(
                "  C = {}: unchanged, every channel is pooled by itself",
                channels_and_last(self.input).0
            ),
        };
        let body = match (self.layer.op, self.input) {
            (Op::Flatten, Shape::Maps(m)) => {
                let features = m.c as u128 * m.h as u128 * m.w as u128;
                format!("  features = C*H*W = {}*{}*{} = {features}", m.c, m.h, m.w)
            }
            (Op::Flatten, _) => "  it was flat before: unchanged".into(),
            (Op::Linear, Shape::Flat(_)) => format!("  features = {}: one for each node", self.layer.out),
            (Op::Linear, _) => format!("  W = {}: a linear layer changes the last axis only", self.layer.out),
            (Op::GlobalAvgPool | Op::GlobalMaxPool, Shape::Maps(m)) => {
                format!("{channels}\n  H = W = 1: one value for all {}x{} places of a channel", m.h, m.w)
            }
            (op, _) => match &self.slides {
                None => "  unchanged: each value stays in its place".into(),
                Some([h, w]) => {
                    let mut formula = if op == Op::ConvTranspose { TRANSPOSED } else { WINDOW }.to_string();
                    if self.layer.ceil {
                        formula = formula.replace("floor", "ceil");
                    }
                    let same = match self.layer.same {
                        true => "\n  `same` pads dilation*(kernel-1) in all, the odd one behind",
                        false => "",
                    };
                    format!(
                        "{channels}\n  H' = {formula}, and W' likewise{same}\n{}\n{}",
                        h.lines(),
                        w.lines()
                    )
                }
            },
        };
        Explanation(format!("{head}\n{body}"))
    }

    /// Which sizes of the weight are chosen, and which follow.
    pub fn explain_weight(&self) -> Explanation {
        let Layer { op, out, kernel, .. } = self.layer;
        if self.weight.is_empty() {
            return Explanation("weight: none, nothing is learned here".into());
        }
        let shape = times(&self.weight);
        let (channels, last) = channels_and_last(self.input);
        let groups = self.layer.groups.unwrap_or(1);
        let shared = if groups == 1 {
            String::new()
        } else {
            format!(" / {groups} groups = {}", self.weight.get(1).unwrap_or(&0))
        };
        let body = match op {
            Op::Conv => format!(
                "  N = {out} filters: yours to choose\n  C = {channels}{shared}: C is not yours to choose: it is the \
                 channel count of the input\n  H, W = {kernel}: yours to choose"
            ),
            Op::ConvTranspose => format!(
                "  {channels}: the channel count of the input, not yours to choose; it stands first here\n  \
                 {out}{shared}: the maps that come out, yours to choose\n  H, W = {kernel}: yours to choose"
            ),
            Op::Linear => format!(
                "  {out} nodes: yours to choose\n  {last}: not yours to choose: it is the number of features of the input"
            ),
            _ => format!("  {channels}: one scale for each channel, and as many shifts"),
        };
        Explanation(format!(
            "weight {shape}:\n{body}\n  the batch (N={}) is never in a weight",
            self.input.n()
        ))
    }

    /// How the parameters add up: `10*3*3*3 weights + 10 biases = 280`.
    pub fn explain_parameters(&self) -> Explanation {
        if self.weight.is_empty() {
            return Explanation("parameters 0: nothing is learned here".into());
        }
        let weights = self.weight.iter().map(u64::to_string).collect::<Vec<_>>().join("*");
        let biases = count(&self.bias).unwrap_or(0);
        let plus = match self.layer.op {
            Op::BatchNorm => format!(" scales + {biases} shifts"),
            _ if self.bias.is_empty() => " weights, no biases".into(),
            _ => format!(" weights + {biases} biases"),
        };
        Explanation(format!("parameters: {weights}{plus} = {}", self.parameters))
    }

    /// How the multiply-adds come about.
    pub fn explain_multiply_adds(&self) -> Explanation {
        let all = self.multiply_adds;
        let product = |sizes: &[u64]| sizes.iter().map(u64::to_string).collect::<Vec<_>>().join("*");
        let sizes = |shape: Shape| product(&shape.sizes());
        let of = |one: &str| product(self.weight.get(1..).unwrap_or(&[])) + one;
        Explanation(match self.layer.op {
            Op::Conv => {
                format!(
                    "multiply-adds: {} outputs, each {} = {all}",
                    sizes(self.output),
                    of(" in its window")
                )
            }
            Op::Linear => {
                format!("multiply-adds: {} outputs, each {} = {all}", sizes(self.output), of(" inputs"))
            }
            Op::ConvTranspose => {
                format!("multiply-adds: {} inputs, each spread over {} = {all}", sizes(self.input), of(""))
            }
            Op::BatchNorm => format!("multiply-adds: {} values, one each = {all}", sizes(self.output)),
            _ => "multiply-adds 0: nothing is multiplied by a weight".into(),
        })
    }

    /// How the receptive field grows from that of the row before.
    pub fn explain_field(&self) -> Explanation {
        let (Some(field), Some(before)) = (self.field, self.before) else {
            return Explanation("receptive field: none, the chain began without rows and columns".into());
        };
        let Some([h, w]) = &self.slides else {
            return Explanation(format!(
                "receptive field: unchanged, {}",
                Pair { h: field.h.size, w: field.w.size }
            ));
        };
        let rows = sight_lines("rows", h, before.h, field.h);
        let columns = sight_lines("columns", w, before.w, field.w);
        Explanation(format!(
            "receptive field {}:\n{rows}\n{columns}",
            Pair { h: field.h.size, w: field.w.size }
        ))
    }
}

fn sight_lines(plural: &str, slide: &Slide, before: AxisField, after: AxisField) -> String {
    let Slide { kernel, stride, dilation, before: padding, .. } = slide;
    let AxisField { size, jump, first } = before;
    if slide.transposed.is_some() {
        return format!(
            "  {plural}: at most {} (traced back: a transposed convolution's values see unequally much), jump \
             {jump}/{stride} = {}, first centre {}",
            after.size, after.jump, after.first
        );
    }
    // After a transposed convolution a jump is a fraction, and sizes are traced back.
    let sum = match jump.fract() == 0.0 && size as f64 + slide.reach() as f64 * jump == after.size as f64 {
        true => format!("{size} + ({kernel}-1)*{dilation}*{jump} = {}", after.size),
        false => format!("{} (traced back)", after.size),
    };
    format!(
        "  {plural}: size {sum}, jump {jump}*{stride} = {}, first centre {first} + (({kernel}-1)*{dilation}/2 - \
         {padding})*{jump} = {}",
        after.jump, after.first
    )
}
