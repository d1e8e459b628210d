//! The lecture's network on one image, for the network explorer: every layer's output in milliseconds, and
//! where each value comes from.
//!
//! `photo` scales an image, `weights` reads a weight file, `conv` and `forward` compute the layers into
//! `maps`, `mosaic` paints them, `explain` takes values apart, and `calls` answers the scripts. `figure` is the figure on
//! a page.

mod calls;
mod conv;
mod explain;
#[cfg(not(target_arch = "wasm32"))]
mod figure;
mod forward;
mod maps;
mod mosaic;
mod photo;
#[cfg(test)]
mod tests;
mod weights;

pub use calls::Explorer;
pub(crate) use calls::{explain, head, load, maps, show, switch};
pub use conv::Filters;
pub use explain::{ChannelSum, Explanation, HeadSums, NormNumbers, Sight, Term, Window};
#[cfg(not(target_arch = "wasm32"))]
pub use figure::ABOUT_SHIPPED;
pub use forward::{Linear, Net, NetLayer, Norm, Pass, Step};
pub use maps::Maps;
pub(crate) use mosaic::paint;
pub(crate) use photo::photo;
pub use weights::Weights;
#[cfg(not(target_arch = "wasm32"))]
pub use weights::halved;
