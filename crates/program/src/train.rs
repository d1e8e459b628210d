//! `nchw train`: the training of the notebooks, without a notebook.

use crate::{print, tell};
use indicatif::{ProgressBar, ProgressStyle};
use nchw::tch::Device;
use nchw::{
    Error, Result,
    data::{Cifar10, Dataset},
    train::{Precision, Recipe, Run, State, train},
};
use std::{path::PathBuf, process::ExitCode, thread, time::Duration};

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
    /// How often every image is seen: short for `--set epochs=N`. The preset's limit of minutes holds no longer then,
    /// unless `--set minutes=N` gives one
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<String>,
    /// cpu or cuda; without it, CUDA where there is a GPU
    #[arg(long)]
    device: Option<String>,
    /// fp32 or bf16; without it, bf16 where the hardware has it
    #[arg(long)]
    precision: Option<Precision>,
    /// Decides first weights, order, flips and shifts: short for `--set seed=N`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<String>,
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
        tell("\nstopping: the checkpoint is being written (Ctrl-C again to end at once)");
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
    choose(&mut recipe, args)?;
    Ok(recipe)
}

/// The choices that were typed, in any order and each once. An option such as `--epochs 5` is
/// short for `--set epochs=5`.
fn choose(recipe: &mut Recipe, args: &Args) -> Result<()> {
    let short = [("epochs", &args.epochs), ("seed", &args.seed)];
    let short = short.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    let choices: Vec<String> = short.chain(args.set.iter().cloned()).collect();
    let name = |choice: &str| choice.split('=').next().unwrap_or_default().trim().to_owned();
    let names: Vec<String> = choices.iter().map(|choice| name(choice)).collect();
    for (number, choice) in choices.iter().enumerate() {
        if let Some(first) = names[..number].iter().position(|first| *first == names[number]) {
            return Err(Error::new(format!(
                "`{}` is given twice, as {} and {}: give it once (--epochs N and --seed N are short for \
                 --set epochs=N and --set seed=N)",
                names[number],
                choices[first].trim(),
                choice.trim()
            )));
        }
        recipe.set(choice)?;
    }
    // A preset's limit is for those who do not say how many epochs they want.
    let given = |name: &str| names.iter().any(|given| given == name);
    if given("epochs") && !given("minutes") {
        recipe.minutes = 0.0;
    }
    Ok(())
}

/// A bar for the training where there is a terminal, and everywhere a line for every epoch.
fn watch(run: &Run) -> Result<ExitCode> {
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg}") {
        bar.set_style(style);
    }
    let show = |line: &str| if bar.is_hidden() { tell(line) } else { bar.println(line) };
    show(&run.status().about);
    let mut told = 0;
    loop {
        let now = run.status();
        for log in now.log.iter().skip(told) {
            show(&now.line(log));
        }
        told = now.log.len();
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
                print("result", &format!("stopped; the same command with --resume goes on: {folder}\n"))?;
                return Ok(ExitCode::from(130));
            }
            State::Failed(why) => {
                bar.finish_and_clear();
                return Err(Error::new(why));
            }
        }
    }
}
