//! `nchw classify`: the classes of photos, with probabilities.

use crate::{print, tell};
use nchw::{Error, Result, image::Image, net::LectureNet, see::see};
use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Classify photos: the classes of a network with their probabilities
#[derive(clap::Args)]
pub struct Args {
    /// Weights from `LectureNet::save` (notebook 09) or `nchw train` [default: the course's weights]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Print JSON, for other programs: a list with an object for each photo
    #[arg(long)]
    json: bool,
    /// Image files: PNG, JPEG, WebP, GIF or BMP; each is cropped to a square
    #[arg(required = true)]
    photos: Vec<PathBuf>,
}

/// The classes with their probabilities.
type Shares = Vec<(String, f32)>;

pub fn run(args: &Args) -> Result<ExitCode> {
    let net = args.weights.as_ref().map_or_else(LectureNet::shipped, LectureNet::load)?;
    let answers: Vec<(&PathBuf, Result<Shares>)> =
        args.photos.iter().map(|photo| (photo, classify(&net, photo))).collect();
    if args.json {
        let all: Vec<Value> = answers.iter().map(|(photo, answer)| as_json(photo, answer)).collect();
        print("answer", &format!("{}\n", Value::from(all)))?;
    }
    for (photo, answer) in &answers {
        match answer {
            Ok(_) if args.json => {}
            Ok(classes) => {
                let line = classes.iter().map(|(name, share)| format!("{name} {:.1} %", 100.0 * share));
                let line = line.collect::<Vec<_>>().join(", ");
                print("answer", &format!("{}: {line}\n", photo.display()))?;
            }
            // The other photos are classified all the same.
            Err(error) => tell(&format!("nchw: {error}")),
        }
    }
    Ok(if answers.iter().all(|(_, answer)| answer.is_ok()) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The classes with their probabilities, the most probable first.
fn classify(net: &LectureNet, photo: &Path) -> Result<Shares> {
    if photo.is_dir() {
        return Err(Error::new(format!(
            "{0} is a folder: expected image files, as in `nchw classify {0}/*.jpg`",
            photo.display()
        )));
    }
    let side = net.config().side as usize;
    let view = see(net, &Image::open(photo)?.cropped_to(side, side)?, net.classes())?;
    let mut classes: Shares =
        net.classes().iter().cloned().zip(view.probabilities()?.iter().copied()).collect();
    classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(classes)
}

fn as_json(photo: &Path, answer: &Result<Shares>) -> Value {
    let file = photo.display().to_string();
    match answer {
        Ok(classes) => {
            let shares: Map<String, Value> =
                classes.iter().map(|(name, share)| (name.clone(), json!(share))).collect();
            json!({ "file": file, "class": classes.first().map(|(name, _)| name), "probabilities": shares })
        }
        Err(error) => json!({ "file": file, "error": error.to_string() }),
    }
}
