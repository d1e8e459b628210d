//! `nchw train`: the same training as in the notebooks, on the command line.

use crate::{print, tell};
use indicatif::{ProgressBar, ProgressStyle};
use nchw::tch::{Device, utils};
use nchw::{
    Error, Result,
    data::{Cifar10, Dataset},
    train::{Precision, Recipe, Run, State, train},
};
use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

/// Train the lecture's network on CIFAR-10
///
/// Writes a checkpoint after every epoch and after Ctrl-C. `--resume` continues from it and ends with exactly the
/// same weights as a training that was never stopped.
#[derive(clap::Args)]
pub struct Args {
    /// quick (at most three minutes), lecture (85 %) or best (90 %, an hour or two on two cores)
    #[arg(long, default_value = "lecture")]
    preset: String,
    /// The folder for the checkpoint, the log and the weights
    #[arg(long)]
    out: PathBuf,
    /// The folder with CIFAR-10's binary files; without this option, the folder that `nchw data where` shows
    #[arg(long)]
    data: Option<PathBuf>,
    /// The number of epochs: short for `--set epochs=N`. Removes the preset's time limit; `--set minutes=N` sets one
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<String>,
    /// cpu, cuda, or mps (the GPU of a Mac, not tested); without this option, CUDA if there is a GPU
    #[arg(long)]
    device: Option<String>,
    /// fp32 or bf16; without this option, bf16 if the hardware supports it
    #[arg(long)]
    precision: Option<Precision>,
    /// The seed of the initial weights, the order of the images, flips, shifts and cutouts: short for `--set seed=N`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<String>,
    /// Continue from the checkpoint in the folder
    #[arg(long)]
    resume: bool,
    /// Train on Shapes-10, drawn by the course, instead of CIFAR-10: this many images (10000 without a number)
    #[arg(long, value_name = "IMAGES", num_args = 0..=1, default_missing_value = "10000", conflicts_with = "data")]
    stand_in: Option<usize>,
    /// Other options of the recipe, such as `max_lr=0.3`; can be given several times
    #[arg(long = "set", value_name = "OPTION=VALUE")]
    set: Vec<String>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    // libtorch starts a thread pool per calling thread. If there are more threads than cores, they
    // sleep between any two operations, which costs 10 ms per step. So the preparation runs in a
    // thread of its own, whose pool ends with it, before the training's thread starts its pool.
    let started = thread::scope(|scope| scope.spawn(|| start(args)).join());
    let run = started.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let stopping = run.clone();
    let interrupted = std::sync::atomic::AtomicBool::new(false);
    ctrlc::set_handler(move || {
        // The second Ctrl-C ends the program at once.
        if interrupted.swap(true, std::sync::atomic::Ordering::Relaxed) {
            std::process::exit(130);
        }
        tell("\nstopping: the checkpoint is being written (Ctrl-C again to end at once)");
        let stopping = stopping.clone();
        thread::spawn(move || stopping.stop());
    })
    .map_err(|e| Error::new(format!("Ctrl-C cannot be caught: {e}")))?;
    show_progress(&run)
}

/// Starts the training in the background.
fn start(args: &Args) -> Result<Run> {
    let recipe = recipe(args)?;
    let data = match (&args.data, args.stand_in) {
        (Some(folder), _) => Cifar10::open(folder)?,
        (None, Some(count)) => Dataset::shapes10(count, count.div_ceil(5), 1)?,
        (None, None) => Cifar10::find()?,
    };
    if args.out.join("checkpoint.safetensors").exists() && !args.resume {
        return Err(Error::new(format!(
            "{} contains a training already: --resume continues it, or choose another folder",
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
                "--device cuda: CUDA finds no GPU; without --device, `nchw train` uses the CPU",
            ));
        }
        Some("mps") if utils::has_mps() => Device::Mps,
        Some("mps") => {
            return Err(Error::new(
                "--device mps: libtorch finds no GPU of a Mac; without --device, `nchw train` uses the CPU",
            ));
        }
        Some(other) => {
            return Err(Error::new(format!("--device: expected cpu, cuda or mps, got `{other}`")));
        }
    };
    recipe.precision = args.precision.unwrap_or(Precision::fastest(recipe.device));
    set_options(&mut recipe, args)?;
    Ok(recipe)
}

/// Sets the options of the recipe that were given, each at most once. `--epochs 5` is short for
/// `--set epochs=5`.
fn set_options(recipe: &mut Recipe, args: &Args) -> Result<()> {
    let short = [("epochs", &args.epochs), ("seed", &args.seed)];
    let short = short.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    let options: Vec<String> = short.chain(args.set.iter().cloned()).collect();
    let name = |option: &str| option.split('=').next().unwrap_or_default().trim().to_owned();
    let names: Vec<String> = options.iter().map(|option| name(option)).collect();
    for (number, option) in options.iter().enumerate() {
        if let Some(first) = names[..number].iter().position(|first| *first == names[number]) {
            return Err(Error::new(format!(
                "`{}` is given twice, as {} and {}: give it once (--epochs N and --seed N are short for \
                 --set epochs=N and --set seed=N)",
                names[number],
                options[first].trim(),
                option.trim()
            )));
        }
        recipe.set(option)?;
    }
    // The time limit of a preset applies only if the number of epochs is not given.
    let given = |name: &str| names.iter().any(|given| given == name);
    if given("epochs") && !given("minutes") {
        recipe.minutes = 0.0;
    }
    Ok(())
}

/// Shows a line per epoch and, in a terminal, a progress bar, until the training ends.
fn show_progress(run: &Run) -> Result<ExitCode> {
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
        bar.set_style(style);
    }
    let show = |line: &str| if bar.is_hidden() { tell(line) } else { bar.println(line) };
    show(&run.status().about);
    let mut shown = 0;
    loop {
        let now = run.status();
        for log in now.log.iter().skip(shown) {
            show(&now.line(log));
        }
        shown = now.log.len();
        bar.set_position((1000.0 * now.done) as u64);
        bar.set_message(format!("{:.1} of {} epochs", now.done * now.epochs as f64, now.epochs));
        match now.state {
            State::Running => thread::sleep(Duration::from_millis(200)),
            State::Done => {
                bar.finish_and_clear();
                print("result", &format!("{now}\n"))?;
                return Ok(ExitCode::SUCCESS);
            }
            State::Stopped => {
                bar.finish_and_clear();
                let folder = now.folder.display();
                print("result", &format!("stopped; the same command with --resume continues: {folder}\n"))?;
                return Ok(ExitCode::from(130));
            }
            State::Failed(why) => {
                bar.finish_and_clear();
                return Err(Error::new(why));
            }
        }
    }
}
