//! `nchw train`: the training of the notebooks, without a notebook.

use indicatif::{ProgressBar, ProgressStyle};
use nchw::{
    Error, Result,
    data::{Cifar10, Dataset},
    train::{Precision, Recipe, Run, State, train},
};
use std::{path::PathBuf, process::ExitCode, thread, time::Duration};
use tch::Device;

/// Train the lecture's network on CIFAR-10
///
/// After every epoch a checkpoint is written; Ctrl-C leaves one, too. `--resume` goes on from it, and
/// ends with the very same weights as a training that nothing stopped.
#[derive(clap::Args)]
pub struct Args {
    /// quick (at most three minutes), lecture (85 %) or best (90 %, an hour or two on two cores)
    #[arg(long, default_value = "lecture")]
    preset: String,
    /// The folder for checkpoint, log and weights
    #[arg(long)]
    out: PathBuf,
    /// The folder of CIFAR-10's binary files; without it, `nchw data where` says what is taken
    #[arg(long)]
    data: Option<PathBuf>,
    /// How often every picture is seen
    #[arg(long)]
    epochs: Option<usize>,
    /// cpu or cuda; without it, CUDA where there is a GPU
    #[arg(long)]
    device: Option<String>,
    /// fp32 or bf16; without it, bf16 where the hardware has it
    #[arg(long)]
    precision: Option<Precision>,
    /// Decides first weights, order, flips and shifts
    #[arg(long)]
    seed: Option<u64>,
    /// Go on from the checkpoint in the folder
    #[arg(long)]
    resume: bool,
    /// Take pictures that the course draws itself instead of CIFAR-10, so many (10000 if nothing is said)
    #[arg(long, value_name = "PICTURES", num_args = 0..=1, default_missing_value = "10000", conflicts_with = "data")]
    stand_in: Option<usize>,
    /// Other choices of the recipe, such as `peak_rate=0.3`; may be given several times
    #[arg(long = "set", value_name = "CHOICE=NUMBER")]
    set: Vec<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    // Whatever thread computes, libtorch gives it helpers. Where there are more of them than cores,
    // they sleep between any two operations (10 ms of a step): these are to be gone when the
    // training's come, and end with their thread.
    let begun = thread::scope(|scope| scope.spawn(|| begin(args)).join());
    let run = begun.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let stopping = run.clone();
    let asked = std::sync::atomic::AtomicBool::new(false);
    ctrlc::set_handler(move || {
        // The second time nobody wants to wait any more.
        if asked.swap(true, std::sync::atomic::Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping: the checkpoint is being written (Ctrl-C again to end at once)");
        let stopping = stopping.clone();
        thread::spawn(move || stopping.stop());
    })
    .map_err(|e| Error::new(format!("Ctrl-C cannot be caught: {e}")))?;
    watch(&run)
}

/// The training, in the background from here on.
fn begin(args: &Args) -> Result<Run> {
    let recipe = recipe(args)?;
    let data = match (&args.data, args.stand_in) {
        (Some(folder), _) => Cifar10::open(folder)?,
        (None, Some(pictures)) => Dataset::shapes10(pictures, pictures.div_ceil(5), 1)?,
        (None, None) => Cifar10::find()?,
    };
    if args.out.join("checkpoint.safetensors").exists() && !args.resume {
        return Err(Error::new(format!(
            "{} holds a training already: --resume goes on with it, or choose another folder",
            args.out.display()
        )));
    }
    train(recipe, &data)
}

fn recipe(args: &Args) -> Result<Recipe> {
    let mut recipe = Recipe { folder: Some(args.out.clone()), ..Recipe::preset(&args.preset)? };
    recipe.device = match args.device.as_deref() {
        None => recipe.device,
        Some("cpu") => Device::Cpu,
        Some("cuda") if recipe.device != Device::Cpu => recipe.device,
        Some("cuda") => {
            return Err(Error::new(
                "--device cuda: there is no GPU that CUDA sees; `nchw train` alone takes the CPU",
            ));
        }
        Some(other) => return Err(Error::new(format!("--device: expected cpu or cuda, got `{other}`"))),
    };
    recipe.precision = args.precision.unwrap_or(Precision::fastest(recipe.device));
    if let Some(epochs) = args.epochs {
        // Who says how many wants them all.
        (recipe.epochs, recipe.minutes) = (epochs, 0.0);
    }
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    for choice in &args.set {
        recipe.set(choice)?;
    }
    Ok(recipe)
}

/// A bar for the training, and a line for every epoch.
fn watch(run: &Run) -> Result<ExitCode> {
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
        bar.set_style(style);
    }
    bar.println(&run.status().about);
    let mut told = 0;
    loop {
        let now = run.status();
        for log in now.log.iter().skip(told) {
            bar.println(now.line(log));
        }
        told = now.log.len();
        bar.set_position((1000.0 * now.done) as u64);
        bar.set_message(format!("{:.1} of {} epochs", now.done * now.epochs as f64, now.epochs));
        match now.state {
            State::Running => thread::sleep(Duration::from_millis(200)),
            State::Done => {
                bar.finish_and_clear();
                println!("{now}");
                return Ok(ExitCode::SUCCESS);
            }
            State::Stopped => {
                bar.finish_and_clear();
                println!("stopped; the same command with --resume goes on: {}", now.folder.display());
                return Ok(ExitCode::from(130));
            }
            State::Failed(why) => {
                bar.finish_and_clear();
                return Err(Error::new(why));
            }
        }
    }
}
