//! Interactive figures for notebooks, the book and pages of their own.
//!
//! The crate is compiled twice. For `wasm32-unknown-unknown` it is the module `assets/nchw.wasm`,
//! which computes everything that a figure shows, with the same code as the notebooks. On the host
//! it writes pages and fragments of pages that contain that module, the scripts in `script/` and
//! everything else that they need, so that nothing is loaded from a network.
//!
//! `calls` is the list of what a script can ask for; each figure answers its calls in a file of its
//! own. `exports` are the functions that WebAssembly exports, `memory` the numbers that scripts and
//! calls share. `cargo xtask web` builds the module.

mod calls;
#[cfg(target_arch = "wasm32")]
mod exports;
mod memory;
mod module;
pub mod net;
#[cfg(not(target_arch = "wasm32"))]
mod page;
mod quiz;
mod shapes;

pub use calls::answer;
pub use memory::Memory;
pub use module::Module;
#[cfg(not(target_arch = "wasm32"))]
pub use page::{Figure, fragment, page};
