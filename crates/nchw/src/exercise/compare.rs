//! Compares tensors with libtorch's. A message names the axis, the position and the likely cause, but
//! never the solution.

use crate::Result;
use std::cmp::Ordering;
use tch::{Device, Kind, Tensor};

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
pub(super) fn sizes(given: &[i64], truth: &[i64], names: &[&str]) -> Vec<String> {
    if given.len() != truth.len() {
        let letters: Vec<&str> = names.iter().map(|name| letter(name)).collect();
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
    if let ([n, c, _, _], [filters, channels, ..]) = (given, truth)
        && (n, c) == (channels, filters)
        && n != c
    {
        return vec![format!(
            "N and C are swapped in {given:?}: 개채행열, the number of filters or images comes first"
        )];
    }
    let wrong = names.iter().zip(given).zip(truth).filter(|((_, given), truth)| given != truth);
    wrong.map(|((name, given), _)| format!("axis {name}: {given} is not right")).collect()
}

/// `N` of `N (filters)`.
fn letter(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name)
}

/// A matrix may be given without its N = 1 and C = 1: with all the axes of `truth`.
pub(super) fn with_axes(given: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let mut given = given.shallow_clone();
    while given.dim() >= 2 && given.dim() < truth.dim() && truth.size().starts_with(&[1, 1]) {
        given = given.f_unsqueeze(0)?;
    }
    Ok(given)
}

fn numbers(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)
}

/// The numbers are copied only if the shapes agree: work of another shape may be huge.
pub(super) fn alike(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.size() == b.size() && numbers(a)?.f_allclose(&numbers(b)?, 1e-4, 1e-4, false)?)
}

/// Where two tensors differ.
pub(super) fn differences(given: &Tensor, truth: &Tensor) -> Result<Vec<String>> {
    let shape = sizes(&given.size(), &truth.size(), axes(truth.dim()));
    if !shape.is_empty() {
        return Ok(shape);
    }
    let (given, truth) = (numbers(given)?, numbers(truth)?);
    let differs = given.f_isclose(&truth, 1e-4, 1e-4, false)?.f_logical_not()?;
    let count = differs.f_sum(Kind::Int64)?.int64_value(&[]);
    let position = Vec::<i64>::try_from(differs.f_nonzero()?.f_select(0, 0)?)?;
    let value = given.double_value(&position);
    if given.dim() == 0 {
        let is = match value.partial_cmp(&truth.double_value(&[])) {
            Some(Ordering::Less) => "too small",
            Some(_) => "too large",
            None => "not a number",
        };
        return Ok(vec![format!("{value} is {is}")]);
    }
    let names = axes(given.dim()).iter().map(|name| letter(name));
    let at: Vec<String> = names.zip(&position).map(|(name, at)| format!("{name}={at}")).collect();
    let rounded = (value * 1000.0).round() / 1000.0;
    Ok(vec![format!(
        "the shape is right, but {count} of {} numbers are not. The first is {rounded} at {} (counted from 0)",
        given.numel(),
        at.join(" ")
    )])
}
