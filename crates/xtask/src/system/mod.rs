//! This machine: files, other programs, the tools that set-up needs, Python environments.

pub mod cargo_install;
pub mod environment;
pub mod files;
pub mod platform;
pub mod progress;
pub mod run;
pub mod tools;
pub mod wsl;
