//! The lecture's network on one image, for the network explorer: every layer's output in milliseconds, and
//! where each value comes from.
//!
//! `weights` reads a weight file, `conv` (with `lanes`) and `forward` compute the layers into `maps`, `explain` takes
//! values apart, and `calls` answers the scripts.

mod calls;
mod conv;
mod explain;
mod forward;
mod lanes;
mod maps;
#[cfg(test)]
mod tests;
mod weights;

pub use calls::Explorer;
pub(crate) use calls::{explain, head, load, maps, show, switch};
pub use conv::Filters;
pub use explain::{ChannelSum, Explanation, HeadSums, NormNumbers, Sight, Term, Window};
pub use forward::{Linear, Net, NetLayer, Norm, Pass, Step};
pub use maps::Maps;
pub use weights::Weights;
#[cfg(not(target_arch = "wasm32"))]
pub use weights::halved;
