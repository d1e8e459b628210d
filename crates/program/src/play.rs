//! `nchw play`: a web page of interactive figures on a photo.

use crate::{print, see::keep_inputs};
use nchw::{Interactive, Result, filter::Filter, image::Image, net::LectureNet};
use std::{path::PathBuf, process::ExitCode};

/// Write a web page with your photo in the filter lab and in the network explorer
///
/// The page is one file that needs no installation and no network: open it in a browser, hand it out, or
/// send it to a phone.
#[derive(clap::Args)]
pub struct Args {
    /// Image file: PNG, JPEG, WebP, GIF or BMP
    photo: PathBuf,
    /// HTML file to write
    #[arg(long)]
    out: PathBuf,
    /// Weights from `nchw train` (weights.safetensors) or `LectureNet::save` [default: the course's weights]
    #[arg(long)]
    weights: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    keep_inputs(args.weights.iter().chain([&args.photo]), &args.out)?;
    let net = args.weights.as_ref().map_or_else(LectureNet::shipped, LectureNet::load)?;
    let photo = Image::open(&args.photo)?;
    let figures = [Filter::vertical_edge().play(&photo)?, net.play(&photo)?];
    let title = args.photo.file_name().unwrap_or_default().to_string_lossy();
    Interactive::save_page(&title, &figures, &args.out)?;
    print("page's name", &format!("{}: open it in a browser\n", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}
