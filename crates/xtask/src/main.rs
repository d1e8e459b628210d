//! `cargo xtask`: everything the course needs done.

mod checks;
mod deny;
mod doctor;
mod fresh;
mod kernel;
mod libtorch;
mod paths;
mod run;
mod setup;
mod tools;
mod watch;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use libtorch::Wish;
use std::{fs, process::Command};

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
    },
    /// Run every check: format, lints, tests, notebooks, JupyterLab in a browser
    Test,
    /// Set everything up, without opening anything
    Setup {
        #[command(flatten)]
        device: Devices,
    },
    /// Say what is on this machine, and how to mend what is wrong
    Doctor,
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
    /// Remove what set-up and builds made in this folder
    Clean {
        /// Also what later clones would use again (evcxr)
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
    /// Training pictures a second, beside PyTorch's eager mode and its compiler
    Train {
        /// How often each is measured
        #[arg(long, default_value_t = 3)]
        rounds: u32,
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
        Chore::Lab { no_browser, port } => lab(no_browser, port),
        Chore::Test => checks::test(),
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
        Chore::Bench { what: Bench::Kernel { rounds } } => {
            setup::setup(Wish::Any)?;
            checks::bench_kernel(rounds)
        }
        Chore::Bench { what: Bench::Train { rounds } } => {
            setup::setup(Wish::Any)?;
            checks::bench_train(rounds)
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
        Chore::Clean { all } => clean(all),
    }
}

fn lab(no_browser: bool, port: Option<u16>) -> Result<()> {
    setup::setup(Wish::Any)?;
    println!("JupyterLab opens on the notebooks; Ctrl-C twice ends it.");
    let mut jupyter = Command::new(paths::venv("python"));
    jupyter.args(["-m", "jupyterlab", "--LabApp.default_url=/lab/tree/00-start.ipynb"]);
    jupyter.arg(format!("--ServerApp.root_dir={}", paths::root().join("notebooks").display()));
    // What authors edit, and what would spoil the exercises, is no learner's business.
    for hidden in ["src", "solutions", "__pycache__"] {
        jupyter.arg(format!("--ContentsManager.hide_globs={hidden}"));
    }
    // In JupyterLab's terminals the command `nchw` is there.
    jupyter.env("PATH", paths::prepend("PATH", &[paths::root().join(".venv/bin")])?);
    if no_browser {
        jupyter.arg("--no-browser");
    }
    if let Some(port) = port {
        jupyter.arg(format!("--port={port}"));
    }
    // Jupyter refuses to run as root unless told to; in a container there is
    // often nobody else.
    if rustix::process::geteuid().is_root() {
        println!("You are root, as in a container: Jupyter is told that this is meant (--allow-root).");
        jupyter.arg("--allow-root");
    }
    libtorch::conda_jupyterlab(&mut jupyter);
    run::run(&mut jupyter)
}

fn clean(all: bool) -> Result<()> {
    let mut folders: Vec<_> = [
        ".nchw",
        ".venv",
        ".venv-bench",
        ".venv-book",
        ".venv-browser",
        ".venv-grading",
        "target",
        "test-artifacts",
    ]
    .map(|name| paths::root().join(name))
    .into();
    if all {
        folders.push(paths::cache()?);
    }
    for folder in folders.iter().filter(|f| f.exists()) {
        println!("  removing {}", folder.display());
        fs::remove_dir_all(folder).with_context(|| format!("could not remove {}", folder.display()))?;
    }
    Ok(())
}
