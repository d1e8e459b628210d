//! The filters of a layer.

use crate::{
    Error, Result, error::debug_as_display, net::LectureNet, numbers::values_of, ranking::descending,
    text::number,
};
use std::fmt;
use tch::{Kind, Tensor};

/// The filters of a convolution. See [`filters`].
pub struct FilterBank {
    pub(in crate::see) layer: String,
    weight: Tensor,
    /// The weights in row-major order.
    values: Vec<f32>,
    /// The largest absolute weight: the end of the colour scale.
    pub(in crate::see) max: f32,
}

/// The filters of a convolution, such as `block1.conv1`.
///
/// # Shapes
/// `[N filters, C, 3, 3]`
///
/// # Errors
/// When the layer is not a convolution (the message lists the convolutions).
///
/// ```
/// use nchw::prelude::*;
/// let net = LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu)?;
/// assert_eq!(filters(&net, "block1.conv1")?.tensor().size(), [32, 3, 3, 3]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn filters(net: &LectureNet, layer: &str) -> Result<FilterBank> {
    FilterBank::new(layer, net.filters(layer)?)
}

impl FilterBank {
    pub(in crate::see) fn new(layer: &str, weight: Tensor) -> Result<FilterBank> {
        let values = values_of(&weight)?;
        let finite = values.iter().filter(|v| v.is_finite());
        let max = finite.fold(0.0f32, |max, v| max.max(v.abs())).max(f32::MIN_POSITIVE);
        Ok(FilterBank { layer: layer.to_owned(), weight, values, max })
    }

    /// The weights.
    ///
    /// # Shapes
    /// `[N filters, C, H, W]`
    pub fn tensor(&self) -> Tensor {
        self.weight.copy()
    }

    /// N, C, H, W.
    pub(in crate::see) fn size(&self) -> [usize; 4] {
        let size = self.weight.size();
        std::array::from_fn(|axis| size[axis] as usize)
    }

    pub(in crate::see) fn shape_text(&self) -> String {
        self.size().map(|n| n.to_string()).join(" \u{d7} ")
    }

    /// A filter's weights for one input channel.
    pub(in crate::see) fn slice(&self, filter: usize, channel: usize) -> &[f32] {
        let [_, c, h, w] = self.size();
        &self.values[(filter * c + channel) * h * w..][..h * w]
    }

    /// For each filter on three channels the share of its weights that differs between the colours, from 0 (an edge of
    /// brightness: the same weights on red, green and blue) to 1 (only a colour); and the filters in this order.
    ///
    /// # Errors
    /// When the filters do not have three channels.
    pub(in crate::see) fn colourfulness(&self) -> Result<(Vec<usize>, Vec<f32>)> {
        if self.size()[1] != 3 {
            return Err(Error::new(format!(
                "expected filters on red, green and blue, such as those of block1.conv1, got {} channels",
                self.size()[1]
            )));
        }
        let grey = self.weight.f_mean_dim([1].as_slice(), true, Kind::Float)?;
        let energy =
            |weight: &Tensor| weight.f_square()?.f_sum_dim_intlist([1, 2, 3].as_slice(), false, Kind::Float);
        let share = energy(&self.weight.f_sub(&grey)?)?.f_div(&energy(&self.weight)?.f_clamp_min(1e-12)?)?;
        let shares = values_of(&share)?;
        let mut order = descending(&shares);
        order.reverse();
        Ok((order, shares))
    }

    /// The filters by their L2 norm, largest first.
    pub(in crate::see) fn strongest(&self) -> Result<Vec<usize>> {
        Ok(descending(&values_of(&self.weight.f_norm_scalaropt_dim(2.0, [1, 2, 3], false)?)?))
    }
}

impl fmt::Display for FilterBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean =
            self.weight.f_mean(Kind::Float).and_then(|m| m.f_double_value(&[])).map_err(|_| fmt::Error)?;
        write!(
            f,
            "Filters of {}: {} (N filters, C, H, W), from {} to {}, mean {}",
            self.layer,
            self.size().map(|n| n.to_string()).join("x"),
            number(-self.max),
            number(self.max),
            number(mean as f32)
        )
    }
}

debug_as_display!(FilterBank);
