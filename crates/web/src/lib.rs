//! Interactive figures for notebooks, the book and pages of their own.
//!
//! For `wasm32-unknown-unknown` the crate becomes the modules in `assets/`, which compute everything
//! that a figure shows, with the same code as the notebooks: one module for each of its features.
//! On the host it writes pages and fragments of pages that contain a module, the scripts in `script/`
//! and everything else that they need, so that nothing is loaded from a network.
//!
//! `calls` is the list of what a script can ask for; each figure answers its calls in a file of its
//! own. `exports` are the functions that WebAssembly exports, `memory` the numbers that scripts and
//! calls share. `cargo xtask web` builds the modules.

mod calls;
#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(feature = "maps")]
mod filter;
#[cfg(any(feature = "maps", feature = "net"))]
mod lanes;
mod memory;
mod module;
#[cfg(feature = "net")]
pub mod net;
#[cfg(not(target_arch = "wasm32"))]
mod page;
#[cfg(any(feature = "maps", feature = "net"))]
mod paint;
#[cfg(any(feature = "maps", feature = "net"))]
mod photo;
#[cfg(feature = "maps")]
mod pool;
#[cfg(feature = "shapes")]
mod quiz;
#[cfg(feature = "shapes")]
mod shapes;
#[cfg(feature = "maps")]
mod window;

pub use calls::answer;
#[cfg(all(feature = "maps", not(target_arch = "wasm32")))]
pub use filter::{LabFilter, Photo};
pub use memory::Memory;
pub use module::Module;
#[cfg(all(feature = "net", not(target_arch = "wasm32")))]
pub use net::ABOUT_SHIPPED;
#[cfg(not(target_arch = "wasm32"))]
pub use page::{Figure, fragment, is_page, page};
