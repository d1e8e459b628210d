//! The program `nchw-torch`: every command of `nchw`, one file for each group. `front.rs` starts it.

mod classify;
mod data;
mod eval;
mod output;
mod play;
mod quiz;
mod see;
mod shapes;
mod train;

use clap::{Parser, Subcommand};
use output::{print, tell};
use std::process::ExitCode;

/// The course on convolutional networks, on the command line.
///
/// Exit code: 0 for success; 1 when the answer is "no" (layers that do not fit, data that
/// is not found); 2 when the command is invalid or fails.
#[derive(Parser)]
#[command(name = "nchw", bin_name = "nchw", version)]
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
