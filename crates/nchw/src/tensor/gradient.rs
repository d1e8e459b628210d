//! Gradients, with an error where libtorch would end the process: if there is no computation graph.

use crate::{Error, Result};
use std::borrow::Borrow;
use tch::Tensor;

/// The gradients of `value`, a single number, with respect to each of `inputs`.
///
/// # Errors
/// If `value` was computed without gradients.
pub(crate) fn gradients<T: Borrow<Tensor>>(value: &Tensor, inputs: &[T]) -> Result<Vec<Tensor>> {
    check_graph(value)?;
    Ok(Tensor::f_run_backward(&[value], inputs, false, false)?)
}

/// Refuses a tensor that was computed without gradients.
pub(crate) fn check_graph(value: &Tensor) -> Result<()> {
    if value.requires_grad() {
        return Ok(());
    }
    Err(Error::new(
        "there are no gradients: the value was computed inside `tch::no_grad`, or from no tensor with \
         `set_requires_grad(true)`. Compute it inside `tch::with_grad(|| ...)`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_value_without_a_graph_is_an_error() {
        let input = Tensor::from_slice(&[1.0f32, 2.0, 5.0]).set_requires_grad(true);
        let sum_of_squares = || input.square().sum(Kind::Float);
        let gradient = gradients(&sum_of_squares(), &[&input]).unwrap().swap_remove(0);
        assert_eq!(Vec::<f32>::try_from(gradient).unwrap(), [2.0, 4.0, 10.0]);
        let without = tch::no_grad(sum_of_squares);
        let error = gradients(&without, &[&input]).unwrap_err().to_string();
        assert!(error.contains("inside `tch::with_grad(|| ...)`"), "{error}");
        let constant = Tensor::ones([], (Kind::Float, Device::Cpu));
        assert!(gradients(&sum_of_squares(), &[&constant]).is_err());
    }
}
