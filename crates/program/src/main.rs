//! `nchw` on the command line: one file for each family of commands.

mod data;
mod eval;
mod quiz;
mod see;
mod shapes;
mod train;

use clap::{Parser, Subcommand};
use nchw::{Error, Result};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// The course on convolutional networks, on the command line.
///
/// Exit code: 0 when all is well; 1 when the answer is "no" (layers that do not fit, data
/// that is not there); 2 when the command could not be read or carried out.
#[derive(Parser)]
#[command(name = "nchw", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Shapes(shapes::Args),
    Quiz(quiz::Args),
    Data(data::Args),
    Train(train::Args),
    Eval(eval::Args),
    See(see::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Shapes(args) => shapes::run(&args),
        Command::Quiz(args) => quiz::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::See(args) => see::run(&args),
    };
    done.unwrap_or_else(|error| {
        tell(&format!("nchw: {error}"));
        ExitCode::from(2)
    })
}

/// Text on the standard output; that nobody reads on (`| head`) is no error.
fn print(what: &str, text: &str) -> Result<()> {
    let mut out = io::stdout();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("the {what} could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// A line on the error output. That it cannot be written stops nothing: a training must not end
/// because its log is full or its terminal is gone (`eprintln!` would panic).
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
