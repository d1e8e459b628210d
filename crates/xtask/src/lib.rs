//! The `cargo xtask` commands, and the program that Jupyter starts as the kernel "Rust (nchw)".
//!
//! | module | contents |
//! | --- | --- |
//! | [`paths`] | where everything is, and the versions that belong together |
//! | `system` | files, programs, tools and Python environments of this machine |
//! | [`kernel`] | what runs when Jupyter starts the kernel |
//! | [`setup`] | the steps of set-up |
//! | [`commands`] | the other commands |
//! | [`checks`] | `cargo xtask test` |
//!
//! A module uses only modules above it in this table.

#[cfg(test)]
mod imports;
pub mod paths;
mod system;

pub mod kernel;

pub mod setup;

pub mod commands;

pub mod checks;
