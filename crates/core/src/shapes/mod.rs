//! 개채행열: shapes, weights, costs and receptive fields of layers, by arithmetic alone.
//!
//! This module uses neither libtorch nor a notebook. Its results are those of
//! PyTorch ([`Layer::on`] lists the few exceptions). The batch size N affects
//! the data that flows through a layer (outputs, bytes, multiply-adds) and never
//! its parameters (weights, biases): a model is defined for one image and
//! applied N times.
//!
//! ```
//! use nchw::shapes::{chain, conv, flatten, linear, max_pool, relu};
//!
//! let net = chain![conv(10, 3), relu(), max_pool(2), flatten(), linear(4)];
//! let table = net.on([32, 3, 12, 14]).ok()?;
//! println!("{table}");
//! println!("{}", table.rows[0].explain());
//! assert_eq!(table.output(), [32, 4].into());
//! # Ok::<(), nchw::Error>(())
//! ```
//!
//! Every kind of layer is a type with the options of its kind. Other options do not compile:
//!
//! ```compile_fail,E0599
//! nchw::shapes::linear(10).stride(2); // a linear layer has no window that could move
//! ```
//! ```compile_fail,E0599
//! nchw::shapes::relu().padding(1);
//! ```
//! ```compile_fail,E0599
//! nchw::shapes::avg_pool(2).dilation(2);
//! ```

mod apply;
mod chain;
mod explain;
mod kinds;
mod layer;
mod parse;
mod pattern;
mod problem;
mod shape;
mod table;

pub use apply::fault::{DEPTH, NO_ROOM, why_these_channels};
pub use apply::field::{AxisField, Field, Seen};
pub use apply::row::Row;
pub use chain::{Chain, chain, table};
pub use explain::Explanation;
pub use kinds::{
    AvgPool, BatchNorm, Conv, ConvTranspose, Dropout, Flatten, GlobalAvgPool, GlobalMaxPool, Linear, MaxPool,
    Relu, avg_pool, batch_norm, conv, conv_transpose, dropout, flatten, global_avg_pool, global_max_pool,
    linear, max_pool, relu,
};
pub use layer::{Layer, Op};
pub use parse::words::half_width;
pub use pattern::{Bound, Pattern};
pub use problem::Problem;
pub use shape::{AFFORDABLE, Flat, Nchw, Pair, Shape, affordable, count, times};
pub use table::{HEAD, Table, Totals};

pub use crate::text::{aligned, commas, distance};
