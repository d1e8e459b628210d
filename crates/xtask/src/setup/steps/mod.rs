//! The steps of set-up, in order.

pub mod command;
pub mod evcxr;
pub mod kernelspec;
pub mod libtorch;
pub mod notebooks;
pub mod packages;
pub mod python;
pub mod rust_source;
pub mod wrapper;

use crate::setup::{machine::Machine, step::Step};
use anyhow::Result;

/// All steps for this machine.
pub fn all(machine: &Machine) -> Result<Vec<Step<'_>>> {
    Ok(vec![
        packages::step(machine)?,
        python::step(machine),
        libtorch::step(machine),
        rust_source::step(machine),
        wrapper::step(machine),
        evcxr::step(machine)?,
        kernelspec::step(machine),
        notebooks::step(machine),
    ])
}
