//! 개채행열 by arithmetic alone: shapes, weights, costs and receptive fields of layers.
//!
//! Nothing here knows libtorch or a notebook; the results are PyTorch's
//! ([`Layer::on`] names the few exceptions). The batch N counts in what flows
//! through a layer (outputs, bytes, multiply-adds) and never in what the layer
//! is made of (weights, biases, parameters): a model is defined for one picture
//! and applied N times.
//!
//! ```
//! use nchw::shapes::{chain, conv, flatten, linear, max_pool, relu};
//!
//! let net = chain([conv(10, 3), relu(), max_pool(2), flatten(), linear(4)]);
//! let table = net.on([32, 3, 12, 14]).ok()?;
//! println!("{table}");
//! println!("{}", table.rows[0].explain());
//! assert_eq!(table.output(), [32, 4].into());
//! # Ok::<(), nchw::Error>(())
//! ```

mod chain;
mod explain;
mod fault;
mod field;
mod layer;
mod names;
mod parser;
mod pattern;
mod problem;
mod pytorch;
mod row;
mod shape;
mod slide;
mod table;
mod words;

pub use chain::{Chain, chain, table};
pub use explain::Explanation;
pub use fault::{DEPTH, NO_ROOM, why_these_channels};
pub use field::{Field, Seen, AxisField};
pub use layer::Op;
pub use layer::{
    Layer, avg_pool, batch_norm, conv, conv_transpose, dropout, flatten, global_avg_pool, global_max_pool,
    linear, max_pool, relu,
};
pub use pattern::Bound;
pub use pattern::Pattern;
pub use problem::Problem;
pub use row::Row;
pub use shape::{AFFORDABLE, affordable, count, times};
pub use shape::{Flat, Nchw, Pair, Shape};
pub use table::HEAD;
pub use table::{Table, Totals};
pub use words::half_width;

pub use crate::text::{aligned, commas, distance};
