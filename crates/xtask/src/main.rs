//! `cargo xtask`: everything the course needs done.

mod checks;
mod clean;
mod deny;
mod doctor;
mod environment;
mod files;
mod fresh;
mod inputs;
mod kernel;
mod lab;
mod libtorch;
mod outside;
mod paths;
mod run;
mod setup;
mod skips;
#[allow(dead_code, reason = "the kernel's program uses the others")]
mod slots;
mod tools;
mod watch;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use libtorch::Wish;

/// The chores of the course. The first two are all that a newcomer needs.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Set everything up and open JupyterLab on the notebooks
    Lab {
        /// Do not open a browser; print the address
        #[arg(long)]
        no_browser: bool,
        /// The port to listen on (default: 8888, or the next free one)
        #[arg(long, value_name = "N")]
        port: Option<u16>,
        /// Run as root outside of a container, too
        #[arg(long)]
        allow_root: bool,
    },
    /// Run every check: format, lints, tests, notebooks, JupyterLab in a browser
    Test {
        /// Fail, too, when something was skipped that needs no GPU
        #[arg(long)]
        strict: bool,
    },
    /// Set everything up, without opening anything
    Setup {
        #[command(flatten)]
        device: Devices,
    },
    /// Say what is on this machine, and how to mend what is wrong
    Doctor,
    /// Interrupt set-up, take its network, fill its disk … and see that it ends well (own clone; 15 minutes)
    Faults,
    /// Build the notebooks from notebooks/src, run them, and write them with outputs
    Notebooks {
        /// Write nothing; fail when a notebook fails or is stale
        #[arg(long)]
        check: bool,
        /// For example 02-convolution (default: all)
        names: Vec<String>,
    },
    /// Measure, beside a peer, in one run
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Type what learners mistype in a kernel, and renew docs/mistakes.md
    Mistakes,
    /// All notebooks as a site that can be searched, in target/book/html
    Book,
    /// An assignment through nbgrader: made, handed in, graded
    Grading,
    /// Licences, sources and duplicates of all dependencies (cargo-deny; 3 minutes to compile it, once)
    Deny {
        /// Also known faults; their database is fetched from GitHub
        #[arg(long)]
        advisories: bool,
    },
    /// Remove what set-up and builds made in this folder, and say what is kept
    Clean {
        /// Also what all clones share (evcxr, cargo-deny), unless it is in use; other clones make it again
        #[arg(long)]
        all: bool,
    },
}

#[derive(Args)]
#[group(multiple = false)]
struct Devices {
    /// PyTorch for the CPU only, even where there is a GPU
    #[arg(long)]
    cpu: bool,
    /// PyTorch with CUDA, even where no driver is seen
    #[arg(long)]
    cuda: bool,
}

#[derive(Subcommand)]
enum Bench {
    /// Kernel start to first picture, and a cell's latency, beside a Python kernel
    Kernel {
        /// How often each is measured
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// A class on one server: kernels at once, the time and memory of each
    Class {
        /// How many
        #[arg(long, default_value_t = 10)]
        kernels: u32,
    },
    /// A day in class: all notebooks again and again, two at once; fails when anything grows
    Day {
        /// How often every notebook is run
        #[arg(long, default_value_t = 10)]
        rounds: u32,
    },
    /// Training pictures a second, beside PyTorch's eager mode and its compiler
    Train {
        /// How often each is measured
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// cpu or cuda
        #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda"])]
        device: String,
    },
}

fn main() {
    if let Err(error) = perform(Cli::parse().chore) {
        // What a program wrote first, what to do last: that is where the eye is.
        for cause in error.chain().rev() {
            eprintln!("\n{cause}");
        }
        std::process::exit(1);
    }
}

fn perform(chore: Chore) -> Result<()> {
    match chore {
        Chore::Lab { no_browser, port, allow_root } => {
            lab::require_harmless_root(allow_root)?;
            setup::setup(Wish::Any)?;
            lab::lab(&lab::Wishes { no_browser, port })
        }
        Chore::Test { strict } => checks::test(strict),
        Chore::Setup { device } => {
            let wish = match device {
                Devices { cpu: true, .. } => Wish::Cpu,
                Devices { cuda: true, .. } => Wish::Cuda,
                _ => Wish::Any,
            };
            let ready = setup::setup(wish)?;
            println!("Ready, with libtorch from {}. Now: cargo xtask lab", ready.source);
            Ok(())
        }
        Chore::Doctor => doctor::doctor(),
        Chore::Notebooks { check, names } => {
            setup::setup(Wish::Any)?;
            checks::notebooks(check, &names)
        }
        Chore::Faults => checks::faults(&setup::setup(Wish::Any)?),
        Chore::Bench { what: Bench::Kernel { rounds } } => {
            setup::setup(Wish::Any)?;
            checks::bench_kernel(rounds)
        }
        Chore::Bench { what: Bench::Day { rounds } } => {
            setup::setup(Wish::Any)?;
            checks::bench_day(rounds)
        }
        Chore::Bench { what: Bench::Train { rounds, device } } => {
            setup::setup(Wish::Any)?;
            checks::bench_train(rounds, &device)
        }
        Chore::Mistakes => {
            setup::setup(Wish::Any)?;
            checks::mistakes(false)
        }
        Chore::Bench { what: Bench::Class { kernels } } => {
            setup::setup(Wish::Any)?;
            checks::bench_class(kernels)
        }
        Chore::Grading => {
            setup::setup(Wish::Any)?;
            checks::grading()
        }
        Chore::Book => checks::book(),
        Chore::Deny { advisories } => deny::deny(advisories),
        Chore::Clean { all } => clean::clean(all),
    }
}
