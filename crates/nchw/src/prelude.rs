//! All that a notebook imports: `use nchw::prelude::*;`.

pub use crate::figure::Figure;
pub use crate::shapes10::{Place, Shapes10};
pub use crate::shuffle::{Curve, Permutation, ShuffleSettings, ShuffledPixels, SmallNet, shuffled_pixels};
pub use crate::{Error, Result, device};
pub use tch::{self, Device, IndexOp, Kind, Tensor};
