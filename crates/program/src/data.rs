//! `nchw data`: downloads, imports and checks CIFAR-10.

use crate::{print, tell};
use indicatif::{ProgressBar, ProgressStyle};
use nchw::{Error, Result, data::candidates};
use nchw_program::fetch::{self, Limits, Progress, Source, Spec, Verification};
use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Download, import and check CIFAR-10
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the folders in which the course looks for CIFAR-10, and what they contain
    ///
    /// Exit code: 0 when one of them contains it; 1 when none does.
    Where,
    Fetch(Fetch),
    Verify(Verify),
    Import(Import),
}

/// Download CIFAR-10 (170 MB, 185 MB unpacked) from the first source that works
///
/// After an interruption, the same command resumes the download. HTTPS_PROXY sets a proxy. The data
/// set is used only if its SHA-256 is correct.
///
/// Exit code: 0 when the complete data set is in its folder; 2 when the download failed.
#[derive(clap::Args)]
struct Fetch {
    /// The folder for the six files [default: the folder of NCHW_DATA if set, otherwise the cache folder]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// The address of cifar-10-binary.tar.gz, or (ending in `/`) of a folder with the two Parquet files
    /// of Hugging Face, to use instead of the built-in sources. Several addresses are tried in order
    #[arg(long, value_name = "URL")]
    source: Vec<String>,
}

/// Check every size, label and byte of the data set
///
/// Exit code: 0 when every byte is as published, or as `nchw data` converted it from the Parquet files;
/// 1 when it is not; 2 when the data set cannot be read.
#[derive(clap::Args)]
struct Verify {
    /// The folder with the six files [default: the first folder that `nchw data where` finds]
    folder: Option<PathBuf>,
}

/// Import CIFAR-10 from a file, for example on a USB stick
#[derive(clap::Args)]
struct Import {
    /// cifar-10-binary.tar.gz, a folder with the two Parquet files of Hugging Face, or a folder with the
    /// six unpacked files
    file: PathBuf,
    /// The folder for the six files [default: the folder of NCHW_DATA if set, otherwise the cache folder]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Where => list_folders(),
        Command::Fetch(args) => download(args),
        Command::Verify(args) => verify(args),
        Command::Import(args) => import(args),
    }
}

fn list_folders() -> Result<ExitCode> {
    let (mut text, mut found) = (String::new(), false);
    for candidate in candidates() {
        let state = match exists(&candidate.folder).then(|| Spec::cifar10().verify(&candidate.folder)) {
            None => "not found".into(),
            Some(Err(error)) => format!("cannot be used: {error}"),
            Some(Ok(_)) if found => "also complete".into(),
            Some(Ok(verification)) => {
                found = true;
                format!("{}; this one is used", described(verification))
            }
        };
        text += &format!("{}\n  {}: {state}\n", candidate.name, candidate.folder.display());
    }
    print("list", &text)?;
    if found {
        return Ok(ExitCode::SUCCESS);
    }
    tell(
        "CIFAR-10 was not found: `nchw data fetch` downloads it, `nchw data import FILE` imports it from a USB stick",
    );
    Ok(ExitCode::from(1))
}

/// Whether there is a file or folder with this path, readable or not.
fn exists(folder: &Path) -> bool {
    folder.try_exists().unwrap_or(true)
}

fn described(verification: Verification) -> &'static str {
    match verification {
        Verification::Published => "complete, every byte as published",
        Verification::Converted => "complete, every byte as converted from Parquet",
        Verification::OtherBytes => "readable and of the right size, but not the published images",
    }
}

fn verify(args: &Verify) -> Result<ExitCode> {
    let found = || candidates().into_iter().map(|candidate| candidate.folder).find(|folder| exists(folder));
    let folder = args.folder.clone().or_else(found).ok_or_else(|| {
        Error::new("CIFAR-10 was not found: `nchw data where` lists the folders that were searched")
    })?;
    let verification = Spec::cifar10().verify(&folder)?;
    print("result", &format!("{}: {}\n", folder.display(), described(verification)))?;
    Ok(if verification == Verification::OtherBytes { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn download(args: &Fetch) -> Result<ExitCode> {
    let (spec, to) = (Spec::cifar10(), target(args.to.clone())?);
    let sources = match args.source.is_empty() {
        true => Source::built_in(),
        false => args.source.iter().map(|url| Source::at(url, &spec)).collect(),
    };
    let mut bar = Bar::default();
    let is_new = fetch::fetch(&spec, &sources, &to, &Limits::default(), &mut bar);
    bar.end();
    report(is_new?, &to)
}

fn import(args: &Import) -> Result<ExitCode> {
    let to = target(args.to.clone())?;
    report(fetch::import(&Spec::cifar10(), &args.file, &to)?, &to)
}

/// Prints where the data set is, and whether the course will find it there.
fn report(is_new: bool, to: &Path) -> Result<ExitCode> {
    let what = if is_new { "CIFAR-10 is in" } else { "the complete CIFAR-10 was already in" };
    let mut text = format!("{what} {}\n", to.display());
    let real = |folder: &Path| folder.canonicalize().ok();
    if !candidates().iter().any(|candidate| real(&candidate.folder) == real(to)) {
        text += &format!("The course does not look in this folder: set NCHW_DATA={}\n", to.display());
    }
    print("folder", &text)?;
    Ok(ExitCode::SUCCESS)
}

/// The target folder: `to`, or by default the last candidate, which is the folder of
/// `NCHW_DATA` or the user's cache folder. Unlike a clone of the course, the cache is permanent.
fn target(to: Option<PathBuf>) -> Result<PathBuf> {
    let folder = to.or_else(|| candidates().pop().map(|candidate| candidate.folder));
    let folder =
        folder.ok_or_else(|| Error::new("the home folder is unknown: choose a folder with --to DIR"))?;
    // The folder itself rather than a link to it, since a working folder is created next to it.
    if let Ok(real) = folder.canonicalize() {
        return Ok(real);
    }
    let current =
        env::current_dir().map_err(|e| Error::new(format!("the current folder does not exist: {e}")))?;
    Ok(current.join(folder).components().collect())
}

/// A progress bar on the error output; without a terminal, a line for every 10 %.
#[derive(Default)]
struct Bar {
    bar: Option<ProgressBar>,
    file: String,
    total: u64,
    tenth: u64,
}

impl Bar {
    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn begin(&mut self, file: &str, have: u64, total: u64) {
        self.end();
        let bar = ProgressBar::new(total);
        let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(file.to_owned());
        // The rate shall not include what was downloaded before.
        bar.set_position(have);
        bar.reset_eta();
        (self.file, self.total, self.tenth) = (file.to_owned(), total, have * 10 / total.max(1));
        self.bar = Some(bar);
    }

    fn set_position(&mut self, bytes: u64) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(bytes);
        let tenth = bytes * 10 / self.total.max(1);
        if bar.is_hidden() && tenth > self.tenth {
            self.tenth = tenth;
            tell(&format!("{}: {} %", self.file, tenth * 10));
        }
    }

    fn message(&mut self, line: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(line),
            _ => tell(line),
        }
    }
}
