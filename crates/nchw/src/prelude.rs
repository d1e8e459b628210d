//! All that a notebook imports: `use nchw::prelude::*;`.

pub use crate::{
    Error, Result,
    chart::Chart,
    device,
    machine,
    figure::Figure,
    filter::{Filter, Filtered},
    image::Image,
    maps::{feature_maps, pictures},
    matrix::{Matrix, side_by_side},
};
pub use tch::{self, Device, IndexOp, Kind, Tensor};
