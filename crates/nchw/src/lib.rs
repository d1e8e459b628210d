//! Convolutional networks you can see.
//!
//! The support crate of the course: what the notebooks call. Modules stand in
//! reading order; ARCHITECTURE.md says what each may know.

mod error;
pub mod figure;
pub mod prelude;

pub use error::{Error, Result};
pub use tch;
