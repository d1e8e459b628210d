//! The command line of `cargo xtask`.

use anyhow::Result;
use clap::builder::RangedI64ValueParser;
use clap::{Args, Parser, Subcommand};
use xtask::checks;
use xtask::commands::{clean, copies, deny, doctor, lab, scripts, web};
use xtask::setup::{self, source::Request};

/// The commands of the course. Newcomers need only the first two.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set everything up and open JupyterLab on the notebooks
    Lab {
        /// Do not open a browser; print the address
        #[arg(long)]
        no_browser: bool,
        /// The port to listen on (default: 8888, or the next free one)
        #[arg(long, value_name = "N")]
        port: Option<u16>,
        /// Run as root even outside of a container
        #[arg(long)]
        allow_root: bool,
        /// Start notebooks again, such as 03; yours are kept under another name
        #[arg(long, value_name = "NOTEBOOK", num_args = 1..)]
        fresh: Vec<String>,
    },
    /// Run every check: format, lints, tests, notebooks, JupyterLab in a browser
    Test {
        /// Also fail if something was skipped that needs no GPU
        #[arg(long)]
        strict: bool,
    },
    /// Set everything up without opening JupyterLab
    Setup {
        #[command(flatten)]
        device: Device,
    },
    /// Show the state of this machine, and how to fix what is wrong
    Doctor,
    /// Test set-up with interruptions, no network, a full disk and other faults (in its own clone; 20 minutes)
    Faults,
    /// Test updates from older versions of the course (in their own clones; an hour)
    Updates {
        /// The older commits (default: one for each way in which a version kept its files)
        commits: Vec<String>,
    },
    /// Build the notebooks from notebooks/src, run them, and save them with their outputs
    Notebooks {
        /// Write nothing; fail if a notebook fails or is out of date
        #[arg(long)]
        check: bool,
        /// Notebooks, such as 02-convolution (default: all)
        names: Vec<String>,
    },
    /// Measure the course, in comparison with Python where possible
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Type common mistakes in a kernel, and renew docs/mistakes.md
    Mistakes,
    /// Build a searchable website of all notebooks in target/book/html
    Book {
        /// The address at which it will be published: adds what needs one (canonical addresses, sitemap.xml, 404.html)
        #[arg(long, value_name = "URL")]
        site: Option<String>,
        /// Its repository on GitHub: adds links that open the notebooks in Codespaces and in Binder
        #[arg(long, value_name = "OWNER/NAME")]
        repository: Option<String>,
    },
    /// Build the WebAssembly modules of the interactive figures, crates/web/assets/*.wasm
    Web,
    /// Test an assignment with nbgrader: release, submissions, grades
    Grading,
    /// Check the licences, sources and duplicates of all dependencies (first compiles cargo-deny: 3 minutes)
    Deny {
        /// Also check for known vulnerabilities, with a database from GitHub
        #[arg(long)]
        advisories: bool,
    },
    /// Remove what set-up and builds made in this folder, and say what is kept
    Clean {
        /// Also remove what all clones share (evcxr, cargo-deny) unless it is in use; other clones make it again
        #[arg(long)]
        all: bool,
    },
}

#[derive(Args)]
#[group(multiple = false)]
struct Device {
    /// Use PyTorch for the CPU, even if there is a GPU
    #[arg(long)]
    cpu: bool,
    /// Use PyTorch with CUDA, even if no driver is found
    #[arg(long)]
    cuda: bool,
}

#[derive(Subcommand)]
enum Bench {
    /// The time until a kernel shows its first figure and the time of a cell, compared with a Python kernel
    Kernel {
        /// How often each is measured
        #[arg(long, default_value_t = 5, value_parser = at_least(1))]
        rounds: u32,
    },
    /// Where the time of a cell goes, with cargo for every cell and without
    Cell {
        /// How often the cells of notebook 02 run
        #[arg(long, default_value_t = 2, value_parser = at_least(1))]
        rounds: u32,
    },
    /// A class on one server: starts kernels at the same time, and measures the time and memory of each
    Class {
        /// The number of kernels
        #[arg(long, default_value_t = 10, value_parser = at_least(1))]
        kernels: u32,
    },
    /// A day in class: runs all notebooks many times, two at once; fails if memory or files grow
    Day {
        /// How often every notebook is run; at least twice, because growth is a difference between rounds
        #[arg(long, default_value_t = 10, value_parser = at_least(2))]
        rounds: u32,
    },
    /// The time of set-up, step by step, in a clone with empty caches and in a second clone (about 15 minutes)
    Setup,
    /// Training speed in images per second, compared with PyTorch, eager and compiled
    Train {
        /// How often each is measured
        #[arg(long, default_value_t = 3, value_parser = at_least(1))]
        rounds: u32,
        /// The device: cpu or cuda
        #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda"])]
        device: String,
    },
}

fn at_least(least: i64) -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(least..)
}

fn main() {
    if let Err(error) = run(Cli::parse().command) {
        // The output of a program first, and what to do last, where the user looks.
        for cause in error.chain().rev() {
            eprintln!("\n{cause}");
        }
        std::process::exit(1);
    }
}

fn run(command: Command) -> Result<()> {
    // The other commands set everything up first.
    match command {
        Command::Doctor => return doctor::doctor(),
        Command::Test { strict } => return checks::test(strict),
        Command::Book { site, repository } => return scripts::book(site.as_deref(), repository.as_deref()),
        Command::Web => return web::web(),
        Command::Deny { advisories } => return deny::deny(advisories),
        Command::Clean { all } => return clean::clean(all),
        Command::Lab { allow_root, .. } => lab::check_root(allow_root)?,
        _ => {}
    }
    let request = match command {
        Command::Setup { device: Device { cpu: true, .. } } => Request::Cpu,
        Command::Setup { device: Device { cuda: true, .. } } => Request::Cuda,
        _ => Request::Any,
    };
    let source = setup::setup(request)?;
    match command {
        Command::Lab { no_browser, port, fresh, .. } => lab::lab(&copies::update(&fresh)?, no_browser, port),
        Command::Notebooks { check, names } => scripts::notebooks(check, &names),
        Command::Faults => scripts::faults(&source),
        Command::Updates { commits } => scripts::updates(&commits),
        Command::Mistakes => scripts::mistakes(false),
        Command::Grading => scripts::grading(),
        Command::Bench { what: Bench::Kernel { rounds } } => scripts::bench_kernel(rounds),
        Command::Bench { what: Bench::Cell { rounds } } => scripts::bench_cell(rounds),
        Command::Bench { what: Bench::Class { kernels } } => scripts::bench_class(kernels),
        Command::Bench { what: Bench::Day { rounds } } => scripts::bench_day(rounds),
        Command::Bench { what: Bench::Setup } => scripts::bench_setup(),
        Command::Bench { what: Bench::Train { rounds, device } } => scripts::bench_train(rounds, &device),
        _ => {
            copies::update(&[])?;
            println!("Ready, with libtorch from {source}. Next: cargo xtask lab");
            Ok(())
        }
    }
}
