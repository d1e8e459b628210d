//! Runs a question's layers in libtorch. No other file of the quizzes uses libtorch.

use crate::shapes::{AFFORDABLE, Chain, Layer, Op, Row, Shape, affordable};
use crate::{Error, Result, gradient::gradients, run::apply};
use nchw_core::quiz::{
    question::{Ask, Question},
    random,
};
use tch::{Device, Kind, Tensor};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// libtorch's answer to a question about its layers.
///
/// # Errors
/// If the layers cannot be parsed, libtorch refuses them, or the question has no such answer.
pub(crate) fn truth(question: &Question) -> Result<Vec<i64>> {
    match question.ask {
        Ask::Row(row) => convolved_row(&question.input, &question.layers, row),
        ask => Run::of(&question.input, &question.filled(&question.answer))?.answer(ask),
    }
}

/// The same as it is written in a question: `20x10x3x3`.
pub(crate) fn answer(question: &Question) -> Result<String> {
    let numbers: Vec<String> = truth(question)?.iter().map(i64::to_string).collect();
    Ok(numbers.join("x"))
}

/// A random question with libtorch's answer.
///
/// # Errors
/// If there is no such level.
pub(crate) fn random_question(seed: u64, level: u8) -> Result<Question> {
    random::question(seed, level, answer)
}

/// The output's sizes; `None` if libtorch refuses the layers.
#[cfg(test)]
pub(crate) fn sizes_out(input: &str, layers: &str) -> Option<Vec<i64>> {
    Some(Run::of(input, layers).ok()?.sizes_out())
}

/// The parameters of one layer.
struct Parameters {
    weight: Option<Vec<i64>>,
    count: i64,
}

/// Layers that have been run.
pub(crate) struct Run {
    input: Tensor,
    output: Tensor,
    batched: bool,
    /// One for each layer.
    parameters: Vec<Parameters>,
}

impl Run {
    pub(super) fn of(input: &str, layers: &str) -> Result<Run> {
        Run::on(input.parse()?, &layers.parse()?)
    }

    pub(crate) fn on(input: Shape, layers: &Chain) -> Result<Run> {
        let Shape::Maps(maps) = input else {
            return Err(Error::new(format!("`{input}` has no rows and columns")));
        };
        fits(input, layers)?;
        let sizes = [maps.n, maps.c, maps.h, maps.w].map(|n| n as i64);
        let input = Tensor::f_ones(sizes, FLOAT)?.set_requires_grad(true);
        let (mut output, mut parameters) = (input.shallow_clone(), vec![]);
        for layer in &layers.layers {
            // The gradients show what a value depends on, so they are needed even inside `tch::no_grad`.
            let (next, numbers) = tch::with_grad(|| apply_ones(layer, &output))?;
            output = next;
            parameters.push(numbers);
        }
        Ok(Run { input, output, batched: maps.batched, parameters })
    }

    /// What is asked about the layers.
    ///
    /// # Errors
    /// If they have no such answer.
    pub(crate) fn answer(&self, ask: Ask) -> Result<Vec<i64>> {
        let none = || Error::new("libtorch has no answer to this question");
        let last = self.parameters.last().ok_or_else(none)?;
        let weight = || last.weight.clone().ok_or_else(none);
        let out = self.sizes_out();
        Ok(match ask {
            Ask::Output => out,
            Ask::OutputSize => out[out.len().saturating_sub(2)..].to_vec(),
            Ask::OutputChannels | Ask::Features => vec![self.output.size()[1]],
            Ask::Weight => weight()?,
            Ask::Weights => vec![weight()?.iter().product()],
            Ask::FilterChannels => vec![weight()?[1]],
            Ask::FilterWeights => vec![weight()?[1..].iter().product()],
            Ask::Parameters => vec![last.count],
            Ask::AllParameters => vec![self.parameters.iter().map(|layer| layer.count).sum()],
            Ask::Field => self.field()?.to_vec(),
            Ask::FieldSide => self.field()?[..1].to_vec(),
            Ask::UnreadColumns => vec![self.unread_columns()?],
            Ask::Unknown(_) | Ask::Row(_) | Ask::Letters => return Err(none()),
        })
    }

    /// The shape of each layer's weight; empty if it has none.
    pub(crate) fn weights(&self) -> impl Iterator<Item = &[i64]> {
        self.parameters.iter().map(|layer| layer.weight.as_deref().unwrap_or_default())
    }

    /// The output's sizes, without N if the input had none.
    fn sizes_out(&self) -> Vec<i64> {
        self.output.size()[usize::from(!self.batched)..].to_vec()
    }

    /// The rows and columns of the input that the value in the middle depends on.
    fn field(&self) -> Result<[i64; 2]> {
        let [_, _, h, w] = self.output.size()[..] else {
            return Err(Error::new("there are no rows and columns"));
        };
        let middle = tch::with_grad(|| self.output.f_narrow(2, h / 2, 1)?.f_narrow(3, w / 2, 1))?;
        let seen = self.touched(&middle)?;
        let extent = |across: i64| -> Result<i64> {
            let positions = Vec::<i64>::try_from(seen.f_any_dim(across, false)?.f_nonzero()?.f_view([-1])?)?;
            Ok(positions.first().zip(positions.last()).map_or(0, |(first, last)| last - first + 1))
        };
        Ok([extent(1)?, extent(0)?])
    }

    /// The number of columns at the right edge that no output value depends on.
    fn unread_columns(&self) -> Result<i64> {
        let read = self.touched(&self.output)?.f_any_dim(0, false)?.f_nonzero()?.f_view([-1])?;
        let last = Vec::<i64>::try_from(read)?.last().copied().unwrap_or(-1);
        Ok(self.input.size()[3] - 1 - last)
    }

    /// The rows and columns of the input that these values depend on: those with a gradient other than 0.
    fn touched(&self, values: &Tensor) -> Result<Tensor> {
        let sum = tch::with_grad(|| values.f_sum(Kind::Float))?;
        let gradient = gradients(&sum, &[&self.input])?;
        Ok(gradient[0]
            .f_abs()?
            .f_sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Float)?
            .f_not_equal(0)?)
    }
}

/// Whether these layers can be applied to this input within the memory limit.
fn fits(input: Shape, layers: &Chain) -> Result<()> {
    let table = layers.on(input);
    if let Some(problem) = table.problem {
        return Err(Error::new(problem.to_string()));
    }
    let numbers = |row: &Row| row.parameters.saturating_add(row.bytes / 4);
    let all = table.rows.iter().map(numbers).fold(0, u64::saturating_add);
    let Some((position, largest)) = (1..).zip(&table.rows).max_by_key(|(_, row)| numbers(row)) else {
        return Ok(());
    };
    let what = match table.rows.len() {
        1 => format!("`{}` on {}, its weight and its output,", largest.layer, input.named()),
        count => format!(
            "these {count} layers, of which layer {position}, `{}` on {}, is the largest,",
            largest.layer,
            largest.input.named()
        ),
    };
    affordable(&what, Some(all), AFFORDABLE)
}

/// Applies a layer with all weights 1 and all biases 0.
fn apply_ones(layer: &Layer, x: &Tensor) -> Result<(Tensor, Parameters)> {
    let [h, w] = layer.kernel().axes();
    // Any value of a window may be the largest, and the mean depends on all of them.
    if layer.op() == Op::MaxPool && x.requires_grad() && !layer.is_ceil() && layer.dilation() == 1.into() {
        let (stride, padding) = (layer.stride().axes(), layer.padding().axes());
        let mean = x.f_avg_pool2d([h, w], stride, padding, false, true, None)?;
        if apply(layer, x, None, None)?.size() != mean.size() {
            return Err(Error::new("max and average pooling disagree on the size"));
        }
        return Ok((mean, Parameters { weight: None, count: 0 }));
    }
    let out = layer.out() as i64;
    // libtorch refuses a weight that does not fit this input.
    let weight = match layer.op() {
        Op::ConvTranspose | Op::BatchNorm | Op::Dropout => {
            return Err(Error::new(format!("quizzes and exercises do not support `{layer}`")));
        }
        Op::Conv => Some(Tensor::f_ones([out, x.size()[1] / layer.groups().max(1) as i64, h, w], FLOAT)?),
        Op::Linear => Some(Tensor::f_ones([out, *x.size().last().unwrap_or(&0)], FLOAT)?),
        _ => None,
    };
    let bias = match &weight {
        Some(_) if layer.has_bias() => Some(Tensor::f_zeros([out], FLOAT)?),
        _ => None,
    };
    let output = apply(layer, x, weight.as_ref(), bias.as_ref())?;
    let count = [&weight, &bias].into_iter().flatten().map(|tensor| tensor.numel() as i64).sum();
    Ok((output, Parameters { weight: weight.map(|weight| weight.size()), count }))
}

fn convolved_row(image: &str, filter: &str, row: usize) -> Result<Vec<i64>> {
    let result = values(image)?.f_conv2d::<Tensor>(&values(filter)?, None, 1, 0, 1, 1)?;
    let row = result.f_get(0)?.f_get(0)?.f_get(row as i64)?;
    Ok(Vec::<f32>::try_from(row)?.into_iter().map(|value| value.round() as i64).collect())
}

/// Numbers as text, `1 0 / 0 1`, channels separated by `|`, as a tensor 1 C H W.
pub(crate) fn values(text: &str) -> Result<Tensor> {
    let channels: Vec<&str> = text.split('|').collect();
    let rows = channels[0].split('/').count();
    let numbers: Vec<f32> = text.split([' ', '/', '|']).filter_map(|word| word.parse().ok()).collect();
    let sizes = [1, channels.len() as i64, rows as i64, (numbers.len() / channels.len() / rows) as i64];
    Ok(Tensor::from_slice(&numbers).f_view(sizes)?)
}
