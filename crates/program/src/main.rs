//! The program `nchw`: one file for each group of commands.

mod classify;
mod data;
mod eval;
mod play;
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
/// Exit code: 0 for success; 1 when the answer is "no" (layers that do not fit, data that
/// is not found); 2 when the command is invalid or fails.
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
    Classify(classify::Args),
    Play(play::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Shapes(args) => shapes::run(&args),
        Command::Quiz(args) => quiz::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::See(args) => see::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Play(args) => play::run(&args),
    };
    result.unwrap_or_else(|error| {
        tell(&format!("nchw: {error}"));
        ExitCode::from(2)
    })
}

/// Prints to the standard output. A closed pipe (`| head`) is not an error.
fn print(what: &str, text: &str) -> Result<()> {
    let mut out = io::stdout();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("the {what} could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line to the error output. Failures are ignored: a training run must not end because
/// the disk of its log is full or its terminal is closed (`eprintln!` would panic).
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
