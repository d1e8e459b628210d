//! The commands apart from `setup` and `test`.

pub mod clean;
pub mod copies;
pub mod deny;
pub mod doctor;
pub mod lab;
pub mod scripts;
pub mod web;
