//! The goal of an exercise, as `exercises/*.toml` describes it, and how work is judged.
//!
//! libtorch computes the right results and the known wrong ones; none is written down.

use super::compare;
use super::expression::{evaluated, input};
use super::network::Network;
use super::work::Work;
use crate::check::holds_something;
use crate::quiz::run::{Run, answer};
use crate::quiz::{Answer, Verdict};
use crate::shapes::{Chain, Layer};
use crate::{Error, Result};
use nchw_core::quiz::grade::grade;
use nchw_core::quiz::question::{Ask, Question, Wrong, numbers};
use nchw_core::quiz::texts::filled;
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

/// What the learner hands in: the table `[exercise.goal.KIND]`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Goal {
    Numbers(Asked),
    Layers(Built),
    Tensor(Computed),
    Function(Computed),
    Weight(Weight),
    Network(Network),
}

impl Goal {
    /// What is not right yet; empty if everything is. `what` completes "expected …".
    pub fn judge(&self, what: &str, work: &Work) -> Result<Vec<String>> {
        if let Work::Tensor(given) = work {
            holds_something(given)?;
        }
        match (self, work) {
            (Goal::Numbers(asked), Work::Numbers(given)) => asked.judge(given),
            (Goal::Layers(built), Work::Layers(given)) => built.judge(given),
            (Goal::Tensor(computed), Work::Tensor(given)) => computed.judge(given),
            (Goal::Tensor(computed), Work::Numbers(Answer::Fraction(given))) => {
                computed.judge(&Tensor::from(*given))
            }
            (Goal::Tensor(computed), Work::Numbers(Answer::Numbers(given))) if given.len() == 1 => {
                computed.judge(&Tensor::from(given[0] as f64))
            }
            (Goal::Weight(weight), Work::Tensor(given)) => weight.judge(given),
            (Goal::Network(network), Work::Network(given)) => network.judge(given),
            (goal, given) => {
                Ok(vec![format!("expected {what}, got {}{}", given.described(), goal.instead(given))])
            }
        }
    }

    fn instead(&self, given: &Work) -> &'static str {
        match (self, given) {
            (Goal::Numbers(_), Work::Tensor(_)) => {
                ": `.size()` returns a tensor's sizes, `.numel()` counts its numbers"
            }
            (Goal::Tensor(_) | Goal::Weight(_), Work::Numbers(_)) => {
                ": `Tensor::from_slice(&[…]).view([…])` makes a tensor from numbers"
            }
            (Goal::Network(_), _) => ": `summary(&with_weights(&net, &vs), &images)?` runs a network",
            (Goal::Function(_), _) => {
                ": pass the function itself to `.check_function(…)`, without calling it"
            }
            _ => "",
        }
    }
}

/// A number or sizes, which a quiz could ask about layers. The misconceptions that are computed for
/// every quiz are named here, too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    ask: Ask,
    input: String,
    layers: String,
    /// Misconceptions that only this exercise has.
    #[serde(default)]
    wrong: Vec<AskedWrong>,
}

/// A wrong answer: the right one to a question that differs in one of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedWrong {
    ask: Option<Ask>,
    input: Option<String>,
    layers: Option<String>,
    says: String,
}

impl Asked {
    /// The question that a quiz would ask, with its answer and the known wrong answers.
    pub fn question(&self) -> Result<Question> {
        let plain = |ask, input: &str, layers: &str| {
            let question =
                Question { ask, input: input.into(), layers: layers.into(), ..Question::default() };
            Ok::<_, Error>(Question { answer: answer(&question)?, ..question })
        };
        let mut question = plain(self.ask, &self.input, &self.layers)?;
        for wrong in &self.wrong {
            let input = wrong.input.as_ref().unwrap_or(&self.input);
            let layers = wrong.layers.as_ref().unwrap_or(&self.layers);
            let answer = plain(wrong.ask.unwrap_or(self.ask), input, layers)?.answer;
            question.wrong.push(Wrong { answer, feedback: wrong.says.clone() });
        }
        Ok(question)
    }

    fn judge(&self, given: &Answer) -> Result<Vec<String>> {
        let graded = grade(&self.question()?, given);
        // If the answer as a whole is known, the feedback on it is enough.
        let parts = graded.marks.iter().filter(|mark| !mark.right && !mark.says.is_empty());
        let parts = parts.map(|mark| format!("{} = {}: {}", mark.name, mark.given, mark.says));
        Ok(if graded.verdict == Verdict::Right { vec![] } else { parts.chain(graded.says).collect() })
    }
}

/// Layers of the learner's choice, about which a quiz's question has the given answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Built {
    /// Which layers are allowed; completes "expected …".
    form: String,
    /// All layers are of this kind.
    only: Option<Layers>,
    /// There are at least these layers.
    #[serde(default)]
    with: Vec<Layers>,
    /// With several inputs, the layers must have the same weights on each.
    inputs: Vec<String>,
    ask: Ask,
    answer: String,
    /// What is wrong if a number is too small.
    #[serde(default = "too_small")]
    small: String,
    /// What is wrong if a number is too large.
    #[serde(default = "too_large")]
    large: String,
}

fn too_small() -> String {
    "too small".into()
}

fn too_large() -> String {
    "too large".into()
}

/// Layers of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layers {
    #[serde(default = "one")]
    count: usize,
    /// As in the text form of a chain: `conv`, `maxpool`; `pool` for both kinds of pooling.
    op: String,
    kernel: Option<u64>,
    stride: Option<u64>,
}

fn one() -> usize {
    1
}

impl Layers {
    /// How many of these layers are of this kind.
    fn count_in(&self, layers: &Chain) -> usize {
        let fits = |layer: &&Layer| {
            let text = layer.to_string();
            let op = text.split(' ').next().unwrap_or_default();
            (op == self.op || op.strip_suffix(&self.op).is_some_and(|kind| ["max", "avg"].contains(&kind)))
                && self.kernel.is_none_or(|kernel| layer.kernel() == kernel.into())
                && self.stride.is_none_or(|stride| layer.stride() == stride.into())
        };
        layers.layers.iter().filter(fits).count()
    }
}

impl Built {
    fn judge(&self, layers: &Chain) -> Result<Vec<String>> {
        let all = |only: &Layers| only.count_in(layers) == only.count && layers.layers.len() == only.count;
        if !self.only.iter().all(all) || self.with.iter().any(|with| with.count_in(layers) < with.count) {
            return Ok(vec![format!("expected {}, got `{layers}`", self.form)]);
        }
        let run = |input: &String| Run::on(input.parse()?, layers);
        let runs = self.inputs.iter().map(run).collect::<Result<Vec<Run>>>()?;
        for run in &runs {
            let wrong = self.compared(&run.answer(self.ask)?);
            if !wrong.is_empty() {
                return Ok(wrong);
            }
        }
        let weights = |index: usize| runs[index].weights().zip(&layers.layers);
        for index in 1..runs.len() {
            let mut pairs = weights(0).zip(weights(index));
            if let Some(((a, layer), (b, _))) = pairs.find(|((a, _), (b, _))| a != b) {
                return Ok(vec![format!(
                    "for an image of {} the weight of `{layer}` would be {a:?}, for one of {} it would be {b:?}: \
                     the number of inputs, axis C, still depends on the image's size",
                    self.inputs[0], self.inputs[index]
                )]);
            }
        }
        Ok(vec![])
    }

    fn compared(&self, given: &[i64]) -> Vec<String> {
        let wanted = numbers(&self.answer);
        if given.len() != wanted.len() {
            return vec![format!("expected {wanted:?}, got {given:?}")];
        }
        let names = self.ask.names(wanted.len()).iter();
        let wrong = names.zip(given).zip(wanted).filter(|((_, given), wanted)| *given != wanted);
        wrong
            .map(|((name, given), wanted)| {
                let axis = match self.ask.meaning(name) {
                    "" => name.to_string(),
                    meaning => format!("axis {name} ({meaning})"),
                };
                let why = if *given < wanted { &self.small } else { &self.large };
                format!("{axis}: expected {wanted}, got {given}: {why}")
            })
            .collect()
    }
}

/// A result that libtorch computes, too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Computed {
    /// The values of `x` (see [`input`]). A function is called with each of them.
    pub inputs: Vec<String>,
    /// The right result, an expression of `x` (`expression.rs`).
    pub equals: String,
    #[serde(default)]
    pub wrong: Vec<ComputedWrong>,
}

/// A wrong result, and what it confuses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ComputedWrong {
    pub equals: String,
    pub says: String,
}

impl Computed {
    pub fn inputs(&self) -> Result<Vec<Tensor>> {
        self.inputs.iter().map(|text| input(text)).collect()
    }

    fn judge(&self, given: &Tensor) -> Result<Vec<String>> {
        for x in self.inputs()? {
            let wrong = self.compared(given, &x)?;
            if !wrong.is_empty() {
                return Ok(wrong);
            }
        }
        Ok(vec![])
    }

    /// How the result for this input differs from the right one.
    pub fn compared(&self, given: &Tensor, x: &Tensor) -> Result<Vec<String>> {
        let truth = evaluated(&self.equals, x)?;
        let given = compare::with_axes(given, &truth)?;
        if compare::alike(&given, &truth)? {
            return Ok(vec![]);
        }
        match known(&self.wrong, &given, x)? {
            Some(says) => Ok(vec![says]),
            None => compare::differences(&given, &truth),
        }
    }
}

/// What a known wrong result confuses.
fn known(wrong: &[ComputedWrong], given: &Tensor, x: &Tensor) -> Result<Option<String>> {
    for ComputedWrong { equals, says } in wrong {
        // An expression may be impossible for one of several inputs.
        if evaluated(equals, x).is_ok_and(|slip| compare::alike(given, &slip).unwrap_or(false)) {
            return Ok(Some(says.clone()));
        }
    }
    Ok(None)
}

/// The weight of a convolution, judged by what it outputs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Weight {
    sizes: [i64; 4],
    pub outputs: Vec<Output>,
}

/// What the weight must output for an input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    /// The input `x` (see [`input`]).
    pub input: String,
    /// The output map that is compared, counted from 0.
    #[serde(default)]
    map: i64,
    /// The right values, an expression of `x`.
    pub equals: Option<String>,
    /// The values are larger than this one.
    above: Option<f64>,
    #[serde(default)]
    pub wrong: Vec<ComputedWrong>,
    /// Any other wrong output; `{output}` is its first value.
    says: String,
}

impl Weight {
    fn judge(&self, given: &Tensor) -> Result<Vec<String>> {
        let wrong = compare::sizes(&given.size(), &self.sizes, compare::axes(4));
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        // One dtype, one device, no history: only the numbers count.
        let weight = given.f_detach()?.f_to(Device::Cpu)?.f_to_kind(Kind::Float)?;
        self.outputs.iter().filter_map(|output| output.judge(&weight).transpose()).collect()
    }
}

impl Output {
    fn judge(&self, weight: &Tensor) -> Result<Option<String>> {
        let x = input(&self.input)?;
        let given = x.f_conv2d::<&Tensor>(weight, None, 1, 0, 1, 1)?.f_narrow(1, self.map, 1)?;
        let equal = match &self.equals {
            Some(equals) => compare::alike(&given, &evaluated(equals, &x)?.f_expand_as(&given)?)?,
            None => true,
        };
        let least = given.f_min()?.double_value(&[]);
        if equal && self.above.is_none_or(|bound| least > bound + 1e-3) {
            return Ok(None);
        }
        let first = given.f_view([-1])?.double_value(&[0]);
        let says = known(&self.wrong, &given, &x)?.unwrap_or_else(|| self.says.clone());
        Ok(Some(filled(&says, &[("output", &((first * 100.0).round() / 100.0))])))
    }
}
