//! `nchw data`: CIFAR-10, from the network or a stick to where the course looks for it.

use crate::{print, tell};
use indicatif::{ProgressBar, ProgressStyle};
use nchw::{Error, Result, data::candidates};
use nchw_program::fetch::{self, Limits, Source, Spec, Verdict, Watch};
use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// CIFAR-10: where it is, and how it comes here
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Every place where CIFAR-10 is looked for, and what is there
    ///
    /// Exit code: 0 when one of them has it; 1 when none has.
    Where,
    Fetch(Fetch),
    Verify(Verify),
    Import(Import),
}

/// Downloads CIFAR-10 (170 MB, 185 MB unpacked), from the first source that works
///
/// Interrupted, the same command goes on where it was. A proxy goes into HTTPS_PROXY. The data set is used only when
/// every byte is right (SHA-256).
///
/// Exit code: 0 when the set is there, whole; 2 when it could not be had.
#[derive(clap::Args)]
struct Fetch {
    /// The folder that is to hold the six files [default: the folder that NCHW_DATA names, else the cache folder]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Another address, instead of those that are built in: of cifar-10-binary.tar.gz, or, ending in `/`, of a folder
    /// with the two Parquet files of Hugging Face. Several are tried in their order
    #[arg(long, value_name = "URL")]
    source: Vec<String>,
}

/// Checks every size, label and byte of the set
///
/// Exit code: 0 when it is byte for byte what was published, or what `nchw data` made of the Parquet files; 1 when it
/// is not; 2 when it cannot be read.
#[derive(clap::Args)]
struct Verify {
    /// The folder with the six files [default: where it is found]
    folder: Option<PathBuf>,
}

/// Takes CIFAR-10 from a file that somebody brought
#[derive(clap::Args)]
struct Import {
    /// cifar-10-binary.tar.gz; or a folder with the two Parquet files of Hugging Face, or with the six unpacked files
    file: PathBuf,
    /// The folder that is to hold the six files [default: the folder that NCHW_DATA names, else the cache folder]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Where => places(),
        Command::Fetch(args) => download(args),
        Command::Verify(args) => verify(args),
        Command::Import(args) => import(args),
    }
}

fn places() -> Result<ExitCode> {
    let (mut text, mut found) = (String::new(), false);
    for place in candidates() {
        let state = match is_there(&place.folder).then(|| Spec::cifar10().verify(&place.folder)) {
            None => "not there".into(),
            Some(Err(error)) => format!("cannot be used: {error}"),
            Some(Ok(_)) if found => "whole, too".into(),
            Some(Ok(verdict)) => {
                found = true;
                format!("{}; this one is used", said(verdict))
            }
        };
        text += &format!("{}\n  {}: {state}\n", place.name, place.folder.display());
    }
    print("list", &text)?;
    if found {
        return Ok(ExitCode::SUCCESS);
    }
    tell(
        "CIFAR-10 is not here: `nchw data fetch` downloads it, `nchw data import FILE` takes it from a stick",
    );
    Ok(ExitCode::from(1))
}

/// Whether something lies there, readable or not.
fn is_there(folder: &Path) -> bool {
    folder.try_exists().unwrap_or(true)
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Published => "whole, byte for byte as published",
        Verdict::AsPutThere => "whole, byte for byte as it was put there (from Parquet)",
        Verdict::OtherBytes => "readable and of the right size, but not the published pictures",
    }
}

fn verify(args: &Verify) -> Result<ExitCode> {
    let found = || candidates().into_iter().map(|place| place.folder).find(|folder| is_there(folder));
    let folder = args.folder.clone().or_else(found).ok_or_else(|| {
        Error::new("CIFAR-10 is in no place where it is looked for: `nchw data where` lists them")
    })?;
    let verdict = Spec::cifar10().verify(&folder)?;
    print("verdict", &format!("{}: {}\n", folder.display(), said(verdict)))?;
    Ok(if verdict == Verdict::OtherBytes { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn download(args: &Fetch) -> Result<ExitCode> {
    let (spec, to) = (Spec::cifar10(), target(args.to.clone())?);
    let sources = match args.source.is_empty() {
        true => Source::built_in(),
        false => args.source.iter().map(|url| Source::at(url, &spec)).collect(),
    };
    let mut bar = Bar::default();
    let new = fetch::fetch(&spec, &sources, &to, &Limits::default(), &mut bar);
    bar.end();
    arrived(new?, &to)
}

fn import(args: &Import) -> Result<ExitCode> {
    let to = target(args.to.clone())?;
    arrived(fetch::import(&Spec::cifar10(), &args.file, &to)?, &to)
}

fn arrived(new: bool, to: &Path) -> Result<ExitCode> {
    let what = if new { "CIFAR-10 is in" } else { "CIFAR-10 was there already, whole, in" };
    let mut text = format!("{what} {}\n", to.display());
    let real = |folder: &Path| folder.canonicalize().ok();
    if !candidates().iter().any(|place| real(&place.folder) == real(to)) {
        text += &format!("The course looks elsewhere: set NCHW_DATA={}\n", to.display());
    }
    print("folder", &text)?;
    Ok(ExitCode::SUCCESS)
}

/// Where the set goes when nobody says: where it is looked for last, which is
/// the user's cache and outlives a clone, or the one folder of `NCHW_DATA`.
fn target(wish: Option<PathBuf>) -> Result<PathBuf> {
    let folder = wish.or_else(|| candidates().pop().map(|place| place.folder));
    let folder = folder.ok_or_else(|| Error::new("no home folder is known: name a folder with --to DIR"))?;
    // The folder itself and not a link to it, for something is put beside it.
    if let Ok(real) = folder.canonicalize() {
        return Ok(real);
    }
    let here = env::current_dir().map_err(|e| Error::new(format!("this folder is gone: {e}")))?;
    Ok(here.join(folder).components().collect())
}

/// The bar on the error output; without a terminal, a line for every tenth.
#[derive(Default)]
struct Bar {
    bar: Option<ProgressBar>,
    file: String,
    all: u64,
    tenth: u64,
}

impl Bar {
    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Bar {
    fn begin(&mut self, file: &str, have: u64, all: u64) {
        self.end();
        let bar = ProgressBar::new(all);
        let shape = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
        if let Ok(style) = ProgressStyle::with_template(shape) {
            bar.set_style(style);
        }
        bar.set_message(file.to_owned());
        // The rate is of what comes now, not of what was here.
        bar.set_position(have);
        bar.reset_eta();
        (self.file, self.all, self.tenth) = (file.to_owned(), all, have * 10 / all.max(1));
        self.bar = Some(bar);
    }

    fn at(&mut self, bytes: u64) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(bytes);
        let tenth = bytes * 10 / self.all.max(1);
        if bar.is_hidden() && tenth > self.tenth {
            self.tenth = tenth;
            tell(&format!("{}: {} %", self.file, tenth * 10));
        }
    }

    fn say(&mut self, line: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(line),
            _ => tell(line),
        }
    }
}
