//! `nchw eval`: the accuracy of a network.

use crate::print;
use nchw::{
    Error, Result,
    data::{Cifar10, open_batch},
    net::LectureNet,
    train::evaluate,
};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Evaluate the weights of a network: accuracy, accuracy per class, confusion matrix
#[derive(clap::Args)]
pub struct Args {
    /// A weight file of `nchw train` (weights.safetensors) or of `LectureNet::save`
    #[arg(long)]
    weights: PathBuf,
    /// The folder with CIFAR-10's binary files; the test images are used
    #[arg(long, conflicts_with = "batch")]
    data: Option<PathBuf>,
    /// A file with any number of images in CIFAR-10's binary format
    #[arg(long)]
    batch: Option<PathBuf>,
    /// Print JSON, for other programs
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let net = LectureNet::load(&args.weights)?.to_device(nchw::device())?;
    let examples = match (&args.batch, &args.data) {
        (Some(file), _) => open_batch(file)?,
        (None, Some(folder)) => Cifar10::open(folder)?.test,
        (None, None) => Cifar10::find()?.test,
    };
    if examples.is_empty() {
        return Err(Error::new("the file contains no images, so there is nothing to test"));
    }
    if net.classes() != Cifar10::NAMES {
        return Err(Error::new(format!(
            "{} is a network for {}, and CIFAR-10 has other classes: `nchw classify` shows its answers for photos",
            args.weights.display(),
            net.classes().join(", ")
        )));
    }
    let plain = evaluate(&net, &examples, Cifar10::NAMES, false)?;
    let flips = evaluate(&net, &examples, Cifar10::NAMES, true)?;
    if args.json {
        let text = json!({ "plain": plain.json(), "flips": flips.json() }).to_string() + "\n";
        print("report", &text)?;
    } else {
        let mirrored = format!("accuracy with mirror images: {:.2} %", 100.0 * flips.accuracy());
        print("report", &format!("{plain}\n{mirrored}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
