//! Writes a page of its own for each figure: `cargo run -p nchw-web --example pages -- FOLDER`.

use nchw_web::{Figure, Photo, page};
use std::{env, error::Error, fs, path::PathBuf};

const WEIGHTS: &[u8] = include_bytes!("../../nchw/assets/lecture-net.safetensors");
const ALBUM: &[u8] = include_bytes!("../../../datasets/album/cifar10-test-300.bin");

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "target/play".into()));
    fs::create_dir_all(&folder)?;
    for (name, title, figure) in [
        ("window", "Convolution, step by step", Figure::window()),
        ("pool", "Maximum and average", Figure::pool()),
        ("filter", "Filters on a photo", Figure::filter(&Photo::of_the_course(), None)?),
        ("shapes", "Shapes of layers", Figure::shapes()),
        ("quiz", "Quiz: shapes of layers", Figure::quiz()),
        ("explorer", "The lecture's network", Figure::lecture_explorer(WEIGHTS, ALBUM)?),
    ] {
        fs::write(folder.join(format!("{name}.html")), page(title, &[figure]))?;
    }
    Ok(())
}
