//! Runs a layer of the shape arithmetic in libtorch.

use crate::shapes::{Layer, Op};
use tch::{TchError, Tensor};

/// Applies a layer with this weight and this bias, if it has them.
///
/// # Errors
/// If libtorch refuses the input or the weight, or for transposed convolution, batch normalisation and
/// dropout, which neither questions nor `typed` contain.
pub(crate) fn apply(
    layer: &Layer,
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
) -> Result<Tensor, TchError> {
    let (kernel, stride) = (layer.kernel().axes(), layer.stride().axes());
    let (padding, dilation) = (layer.padding().axes(), layer.dilation().axes());
    let (groups, ceil) = (layer.groups() as i64, layer.is_ceil());
    match (layer.op(), weight) {
        (Op::Conv, Some(weight)) if layer.is_same() => {
            x.f_conv2d_padding(weight, bias, stride, "same", dilation, groups)
        }
        (Op::Conv, Some(weight)) => x.f_conv2d(weight, bias, stride, padding, dilation, groups),
        (Op::Linear, Some(weight)) => x.f_linear(weight, bias),
        (Op::MaxPool, _) => x.f_max_pool2d(kernel, stride, padding, dilation, ceil),
        (Op::AvgPool, _) => x.f_avg_pool2d(kernel, stride, padding, ceil, true, None),
        (Op::GlobalAvgPool, _) => x.f_adaptive_avg_pool2d([1, 1]),
        (Op::GlobalMaxPool, _) => Ok(x.f_adaptive_max_pool2d([1, 1])?.0),
        (Op::Flatten, _) => x.f_flatten(1, -1),
        (Op::Relu, _) => x.f_relu(),
        _ => Err(TchError::Kind(format!("`{layer}` cannot be applied"))),
    }
}
