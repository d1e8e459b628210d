//! Writes a page of its own for each figure: `cargo run -p nchw-web --example pages -- FOLDER`.

use nchw_web::{Figure, page};
use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "target/play".into()));
    fs::create_dir_all(&folder)?;
    for (name, title, figure) in
        [("shapes", "Shapes of layers", Figure::shapes()), ("quiz", "Quiz: shapes of layers", Figure::quiz())]
    {
        fs::write(folder.join(format!("{name}.html")), page(title, &[figure]))?;
    }
    Ok(())
}
