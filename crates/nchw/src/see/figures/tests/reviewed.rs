//! Compares figures with those that a person has reviewed.

use crate::{
    data::Cifar10,
    pixels::{different, drawn},
    see::{
        filters, see,
        tests::{formula, untrained},
    },
};
use nchw_draw::Figure;
use std::path::Path;

/// Compares a figure with the reviewed one. At most one pixel in two hundred may differ by more than 24 of
/// 255: another processor adds in another order, and a number between two colours gets the other one.
#[track_caller]
fn agrees_with_reviewed(name: &str, figure: &Figure) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/see").join(format!("{name}.png"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        figure.save(&file).unwrap();
    }
    let reviewed = image::open(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).to_rgb8();
    let now = drawn(figure);
    let (differs, all) = (different(&reviewed, &now, 24), reviewed.pixels().len());
    if reviewed.dimensions() == now.dimensions() && differs * 200 <= all {
        return;
    }
    let new = std::env::temp_dir().join(format!("{name}.png"));
    figure.save(&new).unwrap();
    panic!(
        "{name}: {differs} of {all} pixels differ: compare {} with {}; UPDATE_EXPECT=1 saves the new figure",
        file.display(),
        new.display()
    );
}

#[test]
fn figures_agree_with_the_reviewed_ones() {
    let net = untrained();
    let wide = see(&net, &formula(24, 40), Cifar10::NAMES).unwrap();
    let square = Cifar10::samples().unwrap().see(&net, 1, Cifar10::NAMES).unwrap();
    let semantic = wide.semantic_with("block1", Path::new("none")).unwrap();
    for (name, figure) in [
        ("sum", wide.sum("block2").unwrap().figure()),
        ("maps", wide.maps("block1").unwrap().figure()),
        ("semantic", semantic.figure()),
        ("compare", square.compare("block3")),
        ("filters", filters(&net, "block1.conv1").unwrap().figure()),
    ] {
        agrees_with_reviewed(name, &figure.unwrap());
    }
}
