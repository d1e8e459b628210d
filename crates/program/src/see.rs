//! `nchw see`: what a network makes of a picture, as a PNG file.

use crate::print;
use nchw::{
    Error, Result,
    data::Cifar10,
    figure::Figure,
    image::Image,
    net::LectureNet,
    see::{View, filters, see},
};
use std::{path::PathBuf, process::ExitCode};

/// Show what a network makes of a picture: a PNG file at slide size
#[derive(clap::Args)]
pub struct Args {
    /// The weights, a file of `nchw train` (weights.safetensors) or of `LectureNet::save`; without, those of the course
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The picture: PNG, JPEG, WebP, GIF or BMP
    #[arg(long)]
    image: PathBuf,
    /// What to show
    #[arg(long, value_enum, default_value = "sum")]
    what: What,
    /// The layer or block: block1, block2, block3, block1.conv1, … (filters: block1.conv1)
    #[arg(long)]
    layer: Option<String>,
    /// How the picture becomes what the network reads
    #[arg(long, value_enum, default_value = "crop")]
    fit: Fit,
    /// The class that gradcam and occlusion ask about, by its name; without, the answer
    #[arg(long)]
    class: Option<String>,
    /// The PNG file
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// The answer: the three likeliest classes
    Answer,
    /// All maps of the layer
    Maps,
    /// The strongest maps of every block
    Blocks,
    /// The maps added up, over the picture
    Sum,
    /// Grad-CAM
    Gradcam,
    /// What hiding a part of the picture does to the answer
    Occlusion,
    /// Sum, Grad-CAM and occlusion side by side
    Compare,
    /// The filters of a convolution
    Filters,
    /// At each place the strongest channel
    Semantic,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Fit {
    /// 32 x 32: what is too long is cut off at both ends
    Crop,
    /// 32 x 32: nothing is cut off, grey bars fill the rest
    Letterbox,
    /// As it is, up to 640 to a side: maps, but no answer
    Whole,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    keep_inputs(args)?;
    let net = args.weights.as_ref().map_or_else(LectureNet::shipped, LectureNet::load)?;
    let image = Image::open(&args.image)?;
    let image = match args.fit {
        Fit::Crop => image.cropped_to(32, 32)?,
        Fit::Letterbox => image.letterboxed_to(32, 32)?,
        Fit::Whole => image,
    };
    let view = see(&net, &image, Cifar10::NAMES)?;
    let figure = draw(args, &net, &view)?;
    figure.save(&args.out)?;
    let (width, height) = figure.size();
    print(
        "picture's size",
        &format!("{}: {width} x {height} pixels\n{}\n", args.out.display(), figure.text()),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// An older output is overwritten, an input never: not under another name either.
fn keep_inputs(args: &Args) -> Result<()> {
    for input in args.weights.iter().chain([&args.image]) {
        // What does not exist is no input that could be lost.
        if same_file::is_same_file(input, &args.out).unwrap_or(false) {
            return Err(Error::new(format!(
                "--out {} is the file {} itself, which would be overwritten: choose another name",
                args.out.display(),
                input.display()
            )));
        }
    }
    Ok(())
}

fn draw(args: &Args, net: &LectureNet, view: &View) -> Result<Figure> {
    let layer = args.layer.as_deref().unwrap_or("block3");
    let class = || match &args.class {
        None => view.answer(),
        Some(name) => Cifar10::NAMES.iter().position(|class| class == name).ok_or_else(|| {
            Error::new(format!("there is no class `{name}`: expected one of {}", Cifar10::NAMES.join(", ")))
        }),
    };
    match args.what {
        What::Answer => view.figure(),
        What::Maps => view.maps(layer)?.figure(),
        What::Blocks => view.blocks(),
        What::Sum => view.sum(layer)?.figure(),
        What::Gradcam => view.grad_cam(layer, class()?)?.figure(),
        What::Occlusion => view.occlusion(class()?)?.figure(),
        What::Compare => view.compare(layer),
        What::Filters => filters(net, args.layer.as_deref().unwrap_or("block1.conv1"))?.figure(),
        What::Semantic => view.semantic(layer)?.figure(),
    }
}
