//! `nchw see`: draws what a network sees in an image, as a PNG file.

use crate::print;
use nchw::{
    Error, Result,
    figure::Figure,
    image::Image,
    net::LectureNet,
    see::{View, filters, see},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Draw what a network sees in an image, as a PNG file at slide size
#[derive(clap::Args)]
pub struct Args {
    /// Weights from `nchw train` (weights.safetensors) or `LectureNet::save` [default: the course's weights]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Image file: PNG, JPEG, WebP, GIF or BMP
    #[arg(long)]
    image: PathBuf,
    /// What to draw
    #[arg(long, value_enum, default_value = "sum")]
    what: What,
    /// Layer or block: block1, block2, block3, block1.conv1, … (filters: block1.conv1)
    #[arg(long)]
    layer: Option<String>,
    /// How to fit the image to the network's input
    #[arg(long, value_enum, default_value = "crop")]
    fit: Fit,
    /// Name of the class for gradcam and occlusion [default: the network's answer]
    #[arg(long)]
    class: Option<String>,
    /// PNG file to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// The three most probable classes
    Answer,
    /// All feature maps of the layer
    Maps,
    /// The strongest feature maps of every block
    Blocks,
    /// The sum of the layer's feature maps, over the image
    Sum,
    /// Grad-CAM
    Gradcam,
    /// How the probability of the class drops when a part of the image is hidden
    Occlusion,
    /// Sum, Grad-CAM and occlusion side by side
    Compare,
    /// The filters of a convolution
    Filters,
    /// The strongest channel at each position
    Semantic,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Fit {
    /// The size of the network's images, 32 x 32: the longer side is cropped at both ends
    Crop,
    /// The same size: nothing is cropped, grey bars fill the rest
    Letterbox,
    /// The image's own size, up to 640 per side: feature maps, but no answer
    Whole,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    keep_inputs(args.weights.iter().chain([&args.image]), &args.out)?;
    let net = args.weights.as_ref().map_or_else(LectureNet::shipped, LectureNet::load)?;
    let image = Image::open(&args.image)?;
    let side = net.config().side as usize;
    let image = match args.fit {
        Fit::Crop => image.cropped_to(side, side)?,
        Fit::Letterbox => image.letterboxed_to(side, side)?,
        Fit::Whole => image,
    };
    let view = see(&net, &image, net.classes())?;
    let figure = draw(args, &net, &view)?;
    figure.save(&args.out)?;
    let (width, height) = figure.size();
    print(
        "figure's size",
        &format!("{}: {width} x {height} pixels\n{}\n", args.out.display(), figure.text()),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses to overwrite an input file, also under another name; an older output may be overwritten.
pub fn keep_inputs<'a>(inputs: impl Iterator<Item = &'a PathBuf>, out: &Path) -> Result<()> {
    for input in inputs {
        // A file that does not exist cannot be overwritten.
        if same_file::is_same_file(input, out).unwrap_or(false) {
            return Err(Error::new(format!(
                "--out {} is the file {} itself, which would be overwritten: choose another name",
                out.display(),
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
        Some(name) => net.classes().iter().position(|class| class == name).ok_or_else(|| {
            Error::new(format!("there is no class `{name}`: expected one of {}", net.classes().join(", ")))
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
