//! `nchw shapes`: the table of a chain of layers.

use crate::{print, tell};
use nchw_core::{Error, Result, shapes::Chain, shapes::Shape};
use std::process::ExitCode;

/// Print a table of layers applied to an input: shapes, weights, costs and receptive fields
///
/// Example: nchw shapes "3x7x7" "conv 10 3x3; conv 20 3x3"
#[derive(clap::Args)]
#[command(after_help = LAYERS)]
pub struct Args {
    /// Channels x rows x columns, `3x7x7`; with the batch size N first, `32x3x7x7`
    input: String,
    /// Layers separated by `;`, new lines or `->`
    layers: String,
    /// Print JSON for other programs: input, rows, totals, problem (null when every layer fits)
    #[arg(long)]
    json: bool,
}

const LAYERS: &str = "\
Layers:
  conv 10 3x5       10 filters of 3 rows and 5 columns; `conv 3->10 3x5` also gives the input channels
  convt 8 2x2       a transposed convolution
  maxpool 2         also avgpool; gap and gmp are global average and global max pooling
  flatten           linear 10, relu, bn, dropout 0.5
Options, after their layer:
  stride 2, padding 1, padding same, dilation 2, groups 2, ceil, output_padding 1, nobias
  2x3 instead of 2 means 2 along the rows and 3 along the columns

Exit code: 0 when every layer fits; 1 when one does not (the table ends before it, and the error output explains
why); 2 when the text cannot be read.";

pub fn run(args: &Args) -> Result<ExitCode> {
    let invalid = |what: &str, error: Error| Error::new(format!("the {what}: {error}"));
    let input: Shape = args.input.parse().map_err(|e| invalid("input", e))?;
    let chain: Chain = args.layers.parse().map_err(|e| invalid("layers", e))?;
    let mut table = chain.on(input);
    if args.json {
        print("table", &(table.to_json() + "\n"))?;
        return Ok(if table.problem.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS });
    }
    let problem = table.problem.take();
    print("table", &format!("{table}\n"))?;
    let Some(problem) = problem else { return Ok(ExitCode::SUCCESS) };
    tell(&format!("\n{problem}"));
    Ok(ExitCode::from(1))
}
