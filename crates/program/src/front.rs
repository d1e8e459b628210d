//! The program `nchw`. It answers `nchw shapes` itself; for every other command it becomes `nchw-torch`.
//!
//! Whoever asks for a table of shapes wants it at once, and to load libtorch takes most of a second.

mod output;
mod shapes;

use clap::{Parser, Subcommand};
use nchw_core::{Error, Result};
use output::{print, tell};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::{convert::Infallible, env};

const TORCH: &str = "nchw-torch";

#[derive(Parser)]
#[command(name = "nchw", bin_name = "nchw", version)]
struct Cli {
    #[command(subcommand)]
    command: Shapes,
}

#[derive(Subcommand)]
enum Shapes {
    Shapes(shapes::Args),
}

fn main() -> ExitCode {
    let result = match env::args_os().nth(1) {
        Some(command) if command == "shapes" => {
            let Shapes::Shapes(args) = Cli::parse().command;
            shapes::run(&args)
        }
        _ => become_torch().map(|never| match never {}),
    };
    result.unwrap_or_else(|error| {
        tell(&format!("nchw: {error}"));
        ExitCode::from(2)
    })
}

/// Replaces this process, so that signals and the exit code need no care.
fn become_torch() -> Result<Infallible> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::new(format!(
            "`{TORCH}`, the part of the program that uses libtorch, could not be started: {why}. It belongs into \
             the folder of `nchw`: run `cargo xtask setup`"
        ))
    };
    let torch = env::current_exe().map_err(|error| failed(&error))?.with_file_name(TORCH);
    let error = Command::new(&torch).args(env::args_os().skip(1)).exec();
    Err(failed(&format!("{}: {error}", torch.display())))
}
