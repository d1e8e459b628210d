//! What the module keeps between two calls.

use crate::memory::Memory;
#[cfg(feature = "net")]
use crate::net::Explorer;

/// What the module keeps between two calls. Each figure on a page has a module of its own.
#[derive(Default)]
pub struct Module {
    /// The numbers that scripts and calls share.
    pub memory: Memory,
    /// The network of the network explorer, and the image in it.
    #[cfg(feature = "net")]
    pub net: Explorer,
}
