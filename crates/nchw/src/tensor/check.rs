//! Checks the shape of a tensor in one line, with an error that explains it axis by axis.

use crate::{
    Error, Result,
    shapes::{Bound, Pattern},
};
use tch::{Kind, Tensor};

/// Returns the tensor if its shape matches the pattern.
///
/// # Shapes
/// The pattern has one entry per axis: a name (`N`: any size, but the same size wherever the
/// name is repeated), a name with a size (`C=3`), a size (`32`), or `_` (any size).
///
/// # Errors
/// If the shape does not match: the message lists what was expected and what it got for each
/// axis, marks the first wrong one, and, if another order of the axes would match, says what to
/// type. Also if the pattern cannot be parsed.
///
/// ```
/// use nchw::prelude::*;
/// let images = Tensor::zeros([8, 32, 48, 3], (Kind::Float, Device::Cpu));
/// let error = check(&images, "N C=3 H W").unwrap_err().to_string();
/// assert!(error.contains("axis 1  C  expected 3, got 32  <-- the first wrong axis"));
/// let images = check(&images.permute([0, 3, 1, 2]), "N C=3 H W")?;
/// assert_eq!(images.size(), [8, 3, 32, 48]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn check(tensor: &Tensor, pattern: &str) -> Result<Tensor> {
    let pattern: Pattern = pattern.parse()?;
    holds_something(tensor)?;
    pattern.check(&sizes(tensor))?;
    Ok(tensor.shallow_clone())
}

/// Checks several tensors, in which a name means the same size: for example, that there are as
/// many labels as images.
///
/// # Shapes
/// As with [`check`].
///
/// # Errors
/// As with [`check`], for the first tensor that does not match. Tensors are counted from 1.
///
/// ```
/// use nchw::prelude::*;
/// let images = Tensor::zeros([8, 3, 32, 48], (Kind::Float, Device::Cpu));
/// let labels = Tensor::zeros([7], (Kind::Int64, Device::Cpu));
/// let error = check_all(&[(&images, "N C=3 H W"), (&labels, "N")]).unwrap_err().to_string();
/// assert!(error.contains("expected 8 (as axis 0 of tensor 1), got 7"));
/// ```
pub fn check_all(tensors: &[(&Tensor, &str)]) -> Result<()> {
    let mut bound = Bound::default();
    for ((tensor, pattern), number) in tensors.iter().zip(1..) {
        let name = format!("tensor {number}");
        let pattern: Pattern =
            pattern.parse().map_err(|e| Error::new(format!("the pattern of {name}: {e}")))?;
        holds_something(tensor).map_err(|e| Error::new(format!("{name}: {e}")))?;
        pattern.check_with(&sizes(tensor), &mut bound, &name)?;
    }
    Ok(())
}

/// Refuses `Tensor::new()`, which has neither a shape nor numbers, and with which tch would panic.
pub(crate) fn holds_something(tensor: &Tensor) -> Result<()> {
    if tensor.defined() {
        return Ok(());
    }
    Err(Error::new(
        "expected a tensor with numbers, got one that was never filled (`Tensor::new()`)\n\
         instead: `Tensor::zeros([…], (Kind::Float, Device::Cpu))`, or the output of a layer",
    ))
}

/// Refuses a tensor that contains NaN or infinite numbers, with this advice.
pub(crate) fn check_finite(what: &str, tensor: &Tensor, advice: &str) -> Result<()> {
    let numbers = tensor.f_detach()?;
    let bad = numbers.numel() as i64 - numbers.f_isfinite()?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
    if bad == 0 {
        return Ok(());
    }
    let kind = if numbers.f_isnan()?.f_any()?.f_int64_value(&[])? != 0 { "NaN" } else { "infinite numbers" };
    Err(Error::new(format!(
        "{what} {:?} holds {kind}: {bad} of its {} numbers are not finite. {advice}",
        tensor.size(),
        tensor.numel()
    )))
}

/// The sizes of a tensor; empty for `Tensor::new()`.
pub(crate) fn sizes(tensor: &Tensor) -> Vec<u64> {
    if !tensor.defined() {
        return vec![];
    }
    tensor.size().iter().map(|size| *size as u64).collect()
}
