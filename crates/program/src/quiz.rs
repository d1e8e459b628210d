//! `nchw quiz`: question sheets for a class.

use crate::print;
use nchw::{Result, quiz};
use std::process::ExitCode;

/// Question sheets for a class
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Sheet(Sheet),
}

/// Print a sheet of questions, easy ones first; with --key, the answers to that sheet
///
/// Example: nchw quiz sheet --seed 7 --count 10 > sheet.md
///          nchw quiz sheet --seed 7 --count 10 --key > key.md
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
struct Sheet {
    /// The same seed and count give the same sheet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of questions
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// Print an HTML page instead of Markdown
    #[arg(long)]
    html: bool,
    /// Print the answers with their calculation instead of the questions
    #[arg(long)]
    key: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let Command::Sheet(options) = &args.command;
    let sheet = quiz::sheet(options.seed, options.count)?;
    let text = match (options.html, options.key) {
        (false, false) => sheet.markdown(),
        (false, true) => sheet.key_markdown(),
        (true, false) => sheet.html(),
        (true, true) => sheet.key_html(),
    };
    print("sheet", &text)?;
    Ok(ExitCode::SUCCESS)
}
