//! `nchw quiz`: questions for a class.

use crate::print;
use nchw::{Result, quiz};
use std::process::ExitCode;

/// Quizzes for a class
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Sheet(Sheet),
}

/// A printable sheet of questions, easy ones first; with --key, the answers to that sheet
///
/// Example: nchw quiz sheet --seed 7 --count 10 > sheet.md
///          nchw quiz sheet --seed 7 --count 10 --key > key.md
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
struct Sheet {
    /// The same seed and count give the same sheet
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many questions
    #[arg(long, default_value_t = 10)]
    count: usize,
    /// An HTML page instead of Markdown
    #[arg(long)]
    html: bool,
    /// The answers and the arithmetic instead of the questions
    #[arg(long)]
    key: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let Command::Sheet(wanted) = &args.command;
    let sheet = quiz::sheet(wanted.seed, wanted.count)?;
    let text = match (wanted.html, wanted.key) {
        (false, false) => sheet.markdown(),
        (false, true) => sheet.key_markdown(),
        (true, false) => sheet.html(),
        (true, true) => sheet.key_html(),
    };
    print("sheet", &text)?;
    Ok(ExitCode::SUCCESS)
}
