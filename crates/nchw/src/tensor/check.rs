//! Is this tensor what I think it is? Asked in one line, answered axis by axis.

use crate::{
    Error, Result,
    shapes::{Bound, Pattern},
};
use tch::{Kind, Tensor};

/// Gives the tensor back if its shape is as the pattern says.
///
/// # Shapes
/// The pattern has an entry for each axis: a name (`N`: any size, and the same
/// size wherever the name stands again), a name with its size (`C=3`), a size
/// (`32`), or `_` (any size).
///
/// # Errors
/// What was expected and what came, axis by axis, with the first wrong one
/// marked; the likely cause and what to type, where a rearrangement would fit;
/// or where the pattern cannot be read.
///
/// ```
/// use nchw::prelude::*;
/// let pictures = Tensor::zeros([8, 32, 48, 3], (Kind::Float, Device::Cpu));
/// let error = check(&pictures, "N C=3 H W").unwrap_err().to_string();
/// assert!(error.contains("axis 1  C  expected 3, got 32  <-- the first that is wrong"));
/// let pictures = check(&pictures.permute([0, 3, 1, 2]), "N C=3 H W")?;
/// assert_eq!(pictures.size(), [8, 3, 32, 48]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn check(tensor: &Tensor, pattern: &str) -> Result<Tensor> {
    let pattern: Pattern = pattern.parse()?;
    holds_something(tensor)?;
    pattern.check(&sizes(tensor))?;
    Ok(tensor.shallow_clone())
}

/// Checks several tensors, in which a name stands for the same size: as many
/// labels as pictures, say.
///
/// # Shapes
/// As in [`check`].
///
/// # Errors
/// As [`check`], for the first tensor that is wrong; the first is tensor 1.
///
/// ```
/// use nchw::prelude::*;
/// let pictures = Tensor::zeros([8, 3, 32, 48], (Kind::Float, Device::Cpu));
/// let labels = Tensor::zeros([7], (Kind::Int64, Device::Cpu));
/// let error = check_all(&[(&pictures, "N C=3 H W"), (&labels, "N")]).unwrap_err().to_string();
/// assert!(error.contains("expected 8 (as axis 0 of tensor 1), got 7"));
/// ```
pub fn check_all(tensors: &[(&Tensor, &str)]) -> Result<()> {
    let mut bound = Bound::default();
    for ((tensor, pattern), number) in tensors.iter().zip(1..) {
        let place = format!("tensor {number}");
        let pattern: Pattern =
            pattern.parse().map_err(|e| Error::new(format!("the pattern of {place}: {e}")))?;
        holds_something(tensor).map_err(|e| Error::new(format!("{place}: {e}")))?;
        pattern.check_with(&sizes(tensor), &mut bound, &place)?;
    }
    Ok(())
}

/// Refuses `Tensor::new()`, which has neither a shape nor numbers: libtorch can only panic at it.
pub(crate) fn holds_something(tensor: &Tensor) -> Result<()> {
    if tensor.defined() {
        return Ok(());
    }
    Err(Error::new(
        "expected a tensor with numbers, and got one that was never filled (`Tensor::new()`)\n\
         instead: `Tensor::zeros([…], (Kind::Float, Device::Cpu))`, or what a layer gave",
    ))
}

/// An error with this advice when a tensor holds NaN or infinite numbers.
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

/// The sizes of a tensor; none when it was never filled.
pub(crate) fn sizes(tensor: &Tensor) -> Vec<u64> {
    if !tensor.defined() {
        return vec![];
    }
    tensor.size().iter().map(|size| *size as u64).collect()
}
