//! Compares work with libtorch's result. A message names the axis, the position and the likely cause,
//! but never the solution.

use super::text::Text;
use crate::{Error, Result, check::holds_something};
use tch::{Device, Kind, Tensor};

/// Runs something in libtorch.
pub(super) type Found<T> = fn() -> Result<T>;
/// Applies something to a tensor in libtorch.
pub(super) type Does = fn(&Tensor) -> Result<Tensor>;
/// Known wrong answers: a name in `exercises/*.toml`, and what computes the answer.
pub(super) type Slips<F> = &'static [(&'static str, F)];

/// The names of the axes of a tensor with so many axes.
pub(super) fn axes(count: usize) -> &'static [&'static str] {
    match count {
        2 => &["H (rows)", "W (columns)"],
        3 => &["C (channels)", "H (rows)", "W (columns)"],
        4 => &["N", "C (channels)", "H (rows)", "W (columns)"],
        _ => &[],
    }
}

/// Which sizes are wrong, and the likely cause.
pub(super) fn sizes(given: &[i64], truth: &[i64], names: &[impl AsRef<str>]) -> Vec<String> {
    if given.len() != truth.len() {
        let letters: Vec<&str> = names.iter().map(|name| letter(name.as_ref())).collect();
        let why = match (given.len(), truth.len()) {
            (3, 4) => "; the leading N is missing (`.unsqueeze(0)` adds it to a tensor)",
            (4, 3) => "; this is about one image, so there is no N",
            _ => "",
        };
        return vec![format!(
            "expected {} sizes, {}, got {}: {given:?}{why}",
            truth.len(),
            letters.join(" "),
            given.len()
        )];
    }
    if given == truth {
        return vec![];
    }
    if let ([.., h, w], [.., rows, columns]) = (given, truth)
        && (h, w) == (columns, rows)
        && h != w
    {
        return vec![format!("H and W are swapped in {given:?}: rows always come before columns")];
    }
    if let ([n, c, ..], [filters, channels, ..]) = (given, truth)
        && given.len() == 4
        && (n, c) == (channels, filters)
        && n != c
    {
        return vec![format!(
            "N and C are swapped in {given:?}: 개채행열, the number of filters or images comes first"
        )];
    }
    let wrong = names.iter().zip(given).zip(truth).filter(|((_, given), truth)| given != truth);
    wrong.map(|((name, given), _)| format!("axis {}: {given} is not right", name.as_ref())).collect()
}

/// `N` of `N (filters)`.
fn letter(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

/// How two tensors differ; empty if they do not.
pub(super) fn tensors(
    given: &Tensor,
    truth: &Tensor,
    text: &Text,
    slips: Slips<Found<Tensor>>,
) -> Result<Vec<String>> {
    holds_something(given)?;
    // A matrix may have its N = 1 and C = 1, or not.
    let given = match (truth.size()[..].as_ref(), given.dim()) {
        ([1, 1, _, _], 2) => given.f_unsqueeze(0)?.f_unsqueeze(0)?,
        ([1, 1, _, _], 3) => given.f_unsqueeze(0)?,
        _ => given.shallow_clone(),
    };
    if alike(&given, truth)? {
        return Ok(vec![]);
    }
    for (name, slip) in slips {
        if alike(&given, &slip()?)? {
            return Ok(vec![text.wrong(name, &[])?]);
        }
    }
    let shape = sizes(&given.size(), &truth.size(), axes(truth.dim()));
    if shape.is_empty() { values(&numbers(&given)?, &numbers(truth)?) } else { Ok(shape) }
}

/// Compares a learner's function with libtorch's on inputs of several sizes. An error that the
/// learner's function returns is stored in `failed`.
pub(super) fn functions(
    function: &dyn Fn(&Tensor) -> Result<Tensor>,
    inputs: &[[i64; 4]],
    truth: Does,
    text: &Text,
    slips: Slips<Does>,
    failed: &mut Option<Error>,
) -> Result<Vec<String>> {
    for size in inputs {
        let input = sample(size)?;
        let given = match function(&input.copy()) {
            Ok(given) => given,
            // Not started yet: the message of `your_turn` needs no introduction.
            Err(error) if error.is_unsolved() => {
                *failed = Some(error);
                return Ok(vec![]);
            }
            Err(error) => {
                let says = format!(
                    "your function, called with an input of shape {size:?}, returned an error\n{error}"
                );
                *failed = Some(Error::new(says));
                return Ok(vec![]);
            }
        };
        let right = truth(&input)?;
        let wrong = tensors(&given, &right, text, &[])?;
        if wrong.is_empty() {
            continue;
        }
        let on = format!("called with an input of shape {size:?}, your function returned {:?}", given.size());
        for (name, slip) in slips {
            if let Ok(slipped) = slip(&input)
                && alike(&given, &slipped)?
            {
                return Ok(vec![on, text.wrong(name, &[])?]);
            }
        }
        return Ok([vec![on], wrong].concat());
    }
    Ok(vec![])
}

/// Numbers that look random and are the same every time.
pub(super) fn sample(size: &[i64]) -> Result<Tensor> {
    let count: i64 = size.iter().product();
    let steps = Tensor::f_arange(count, (Kind::Double, Device::Cpu))?;
    Ok(((steps * 12.9898 + 4.0).sin() * 5.0).f_to_kind(Kind::Float)?.f_view(size)?)
}

fn numbers(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)
}

/// The numbers are copied only if the shapes agree: work of another shape may be huge.
fn alike(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.size() == b.size() && numbers(a)?.f_allclose(&numbers(b)?, 1e-4, 1e-4, false)?)
}

/// Where two tensors of the same shape differ.
fn values(given: &Tensor, truth: &Tensor) -> Result<Vec<String>> {
    let differs = given.f_isclose(truth, 1e-4, 1e-4, false)?.f_logical_not()?;
    let count = differs.f_sum(Kind::Int64)?.int64_value(&[]);
    let position = Vec::<i64>::try_from(differs.f_nonzero()?.f_select(0, 0)?)?;
    let value = given.double_value(&position);
    let names = axes(given.dim()).iter().map(|name| letter(name));
    let at: Vec<String> = names.zip(&position).map(|(name, at)| format!("{name}={at}")).collect();
    let rounded = (value * 1000.0).round() / 1000.0;
    Ok(vec![format!(
        "the shape is right, but {count} of {} numbers are not. The first is {rounded} at {} (counted from 0)",
        given.numel(),
        at.join(" ")
    )])
}
