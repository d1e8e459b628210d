//! Work beside what libtorch gives. What is said never tells the solution:
//! which axis, which place, why probably; the right number is the learner's.

use super::list::{Does, Found, Slip};
use crate::{Error, Result, check::holds_something};
use tch::{Device, Kind, Tensor};

/// The axes of a tensor, by how many there are.
pub(super) fn axes(count: usize) -> &'static [&'static str] {
    match count {
        2 => &["H (rows)", "W (columns)"],
        3 => &["C (channels)", "H (rows)", "W (columns)"],
        4 => &["N", "C (channels)", "H (rows)", "W (columns)"],
        _ => &[],
    }
}

/// Which sizes are wrong, and why probably.
pub(super) fn sizes(given: &[i64], truth: &[i64], names: &[&str]) -> Vec<String> {
    if given.len() != truth.len() {
        let letters: Vec<&str> = names.iter().map(|name| name.split(' ').next().unwrap_or(name)).collect();
        let why = match (given.len(), truth.len()) {
            (3, 4) => "; the N in front is missing (`.unsqueeze(0)` puts one before a tensor)",
            (4, 3) => "; one picture is meant, so there is no N",
            _ => "",
        };
        return vec![format!(
            "expected {} sizes, {}, and got {}: {given:?}{why}",
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
        return vec![format!("H and W are swapped in {given:?}: rows come before columns, always")];
    }
    if let ([n, c, ..], [filters, channels, ..]) = (given, truth)
        && given.len() == 4
        && (n, c) == (channels, filters)
        && n != c
    {
        return vec![format!("N and C are swapped in {given:?}: 개채행열, how many comes first")];
    }
    let wrong = names.iter().zip(given).zip(truth).filter(|((_, given), truth)| given != truth);
    wrong.map(|((name, given), _)| format!("axis {name}: {given} is not right")).collect()
}

/// What differs between two tensors; nothing when they are alike.
pub(super) fn tensors(given: &Tensor, truth: &Tensor, slips: &[Slip<Found<Tensor>>]) -> Result<Vec<String>> {
    holds_something(given)?;
    // A matrix may come with or without its N = 1 and C = 1.
    let given = match (truth.size()[..].as_ref(), given.dim()) {
        ([1, 1, _, _], 2) => given.f_unsqueeze(0)?.f_unsqueeze(0)?,
        ([1, 1, _, _], 3) => given.f_unsqueeze(0)?,
        _ => given.shallow_clone(),
    };
    if alike(&given, truth)? {
        return Ok(vec![]);
    }
    for slip in slips {
        if alike(&given, &(slip.work)()?)? {
            return Ok(vec![slip.says.into()]);
        }
    }
    let shape = sizes(&given.size(), &truth.size(), axes(truth.dim()));
    if shape.is_empty() { values(&numbers(&given)?, &numbers(truth)?) } else { Ok(shape) }
}

/// What a learner's function gives, beside what is right, for inputs of several
/// sizes. An error that it returns is left in `failed`.
pub(super) fn functions(
    function: &dyn Fn(&Tensor) -> Result<Tensor>,
    inputs: &[[i64; 4]],
    truth: Does,
    slips: &[Slip<Does>],
    failed: &mut Option<Error>,
) -> Result<Vec<String>> {
    for size in inputs {
        let input = sample(size)?;
        let given = match function(&input.copy()) {
            Ok(given) => given,
            // Not begun yet: `your_turn` says so, and need not be introduced.
            Err(error) if error.to_string().contains(" is yours: ") => {
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
        let wrong = tensors(&given, &right, &[])?;
        if wrong.is_empty() {
            continue;
        }
        let on = format!("called with an input of shape {size:?}, your function gave {:?}", given.size());
        for slip in slips {
            if let Ok(slipped) = (slip.work)(&input)
                && alike(&given, &slipped)?
            {
                return Ok(vec![on, slip.says.into()]);
            }
        }
        return Ok([vec![on], wrong].concat());
    }
    Ok(vec![])
}

/// Numbers that look like chance and are the same every time.
pub(super) fn sample(size: &[i64]) -> Result<Tensor> {
    let count: i64 = size.iter().product();
    let steps = Tensor::f_arange(count, (Kind::Double, Device::Cpu))?;
    Ok(((steps * 12.9898 + 4.0).sin() * 5.0).f_to_kind(Kind::Float)?.f_view(size)?)
}

fn numbers(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)
}

/// Numbers are copied only where the shapes agree: work of another shape may be huge.
fn alike(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.size() == b.size() && numbers(a)?.f_allclose(&numbers(b)?, 1e-4, 1e-4, false)?)
}

/// Where two tensors of one shape differ.
fn values(given: &Tensor, truth: &Tensor) -> Result<Vec<String>> {
    let differs = given.f_isclose(truth, 1e-4, 1e-4, false)?.f_logical_not()?;
    let count = differs.f_sum(Kind::Int64)?.int64_value(&[]);
    let place = Vec::<i64>::try_from(differs.f_nonzero()?.f_select(0, 0)?)?;
    let value = given.double_value(&place);
    let names = axes(given.dim()).iter().map(|name| name.split(' ').next().unwrap_or(name));
    let at: Vec<String> = names.zip(&place).map(|(name, at)| format!("{name}={at}")).collect();
    let rounded = (value * 1000.0).round() / 1000.0;
    Ok(vec![format!(
        "the shape is right; {count} of {} numbers are not. The first is at {} (counted from 0), where {rounded} came",
        given.numel(),
        at.join(" ")
    )])
}
