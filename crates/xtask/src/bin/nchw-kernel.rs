//! The program that Jupyter starts for the kernel "Rust (nchw)". What it does depends on how it is called:
//!
//! - by Jupyter: it starts a relay and becomes evcxr (`kernel::start`);
//! - by the Jupyter server's extension, with `--spare`: the same, before Jupyter needs it (`kernel::spare`);
//! - by itself, with `--relay`: it is this relay (`kernel::relay_process`);
//! - by the name `cargo` or `rustup`: it is what evcxr calls instead of these (`kernel::stand_in`);
//! - by the name `rustc`: it is what cargo calls instead of the compiler (`kernel::cell`).

use anyhow::{Result, bail};
use std::{env, ffi::OsString, path::Path};
use xtask::kernel::relay_process::{self, Jupyter};
use xtask::kernel::{cell, stand_in, start};

fn main() -> Result<()> {
    let mut args = env::args_os();
    let name = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    match args.as_slice() {
        _ if Path::new(&name).ends_with("cargo") => stand_in::as_cargo(&args),
        _ if Path::new(&name).ends_with("rustup") => stand_in::as_rustup(&args),
        _ if Path::new(&name).ends_with("rustc") => cell::as_rustc(&args),
        [option, evcxr, inner, connection] if option == "--relay" => {
            relay_process::run(evcxr, inner.as_ref(), Jupyter::File(connection.as_ref()))
        }
        [option, evcxr, inner] if option == "--relay" => {
            relay_process::run(evcxr, inner.as_ref(), Jupyter::Socket)
        }
        [option, connection] if option == "--control_file" => {
            start::as_kernel(Jupyter::File(connection.as_ref()))
        }
        [option] if option == "--spare" => start::as_kernel(Jupyter::Socket),
        _ => bail!("only Jupyter can start this program: choose the kernel \"Rust (nchw)\""),
    }
}
