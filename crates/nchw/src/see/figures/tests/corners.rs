//! A bright corner of a tensor is drawn in this corner: no figure is mirrored or upside down.

use crate::{
    Result,
    data::Cifar10,
    image::Image,
    pixels::drawn,
    see::{FilterBank, see, tests::untrained},
};
use nchw_draw::Figure;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The four corners, as (at the bottom, at the right).
type Corner = (bool, bool);

/// A tensor of zeros with ones in one corner.
fn corner(size: &[i64], part: i64, (bottom, right): Corner) -> Tensor {
    let tensor = Tensor::zeros(size, (Kind::Float, Device::Cpu));
    let [h, w] = [size[size.len() - 2], size[size.len() - 1]];
    let (top, left) = (if bottom { h - part } else { 0 }, if right { w - part } else { 0 });
    let _ = tensor.narrow(-2, top, part).narrow(-1, left, part).fill_(1.0);
    tensor
}

/// The centres (column, row) of connected regions in which the first image is brighter than the second, from
/// left to right, in cells of 4 x 4 pixels.
fn brighter(first: &image::RgbImage, second: &image::RgbImage) -> Vec<(f64, f64)> {
    let (columns, rows) = (first.width() / 4, first.height() / 4);
    let at = |image: &image::RgbImage, x: u32, y: u32| {
        image.get_pixel(4 * x + 2, 4 * y + 2).0.iter().map(|v| i32::from(*v)).sum::<i32>()
    };
    let mut open: Vec<bool> = (0..rows * columns)
        .map(|i| at(first, i % columns, i / columns) > at(second, i % columns, i / columns) + 60)
        .collect();
    let mut found = Vec::new();
    for start in 0..open.len() {
        let (mut region, mut stack) = (Vec::new(), vec![start]);
        while let Some(cell) = stack.pop() {
            if !std::mem::take(&mut open[cell]) {
                continue;
            }
            let (x, y) = (cell as u32 % columns, cell as u32 / columns);
            region.push((f64::from(x), f64::from(y)));
            for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
                let (x, y) = (x as i64 + dx, y as i64 + dy);
                if (0..i64::from(columns)).contains(&x) && (0..i64::from(rows)).contains(&y) {
                    stack.push((y * i64::from(columns) + x) as usize);
                }
            }
        }
        if region.len() >= 4 {
            let sum = region.iter().fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
            found.push((sum.0 / region.len() as f64, sum.1 / region.len() as f64));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found
}

/// Draws a figure for each bright corner, and checks that it is in this corner in each of the panels, which
/// are side by side.
fn check_corners(panels: usize, figure: impl Fn(Corner) -> Result<Figure>) {
    let drawn = |corner| drawn(&figure(corner).unwrap());
    for (left, right) in [((false, false), (true, true)), ((true, false), (false, true))] {
        let (first, second) = (drawn(left), drawn(right));
        assert_eq!(first.dimensions(), second.dimensions());
        let (ones, others) = (brighter(&first, &second), brighter(&second, &first));
        assert_eq!((ones.len(), others.len()), (panels, panels), "{ones:?} {others:?}");
        for (number, (one, other)) in ones.iter().zip(&others).enumerate() {
            assert!(one.0 < other.0, "panel {number} is mirrored left to right: {one:?} {other:?}");
            assert_eq!(one.1 < other.1, right.0, "panel {number} is upside down: {one:?} {other:?}");
            if let Some(next) = ones.get(number + 1) {
                assert!(other.0 < next.0, "{ones:?} {others:?}");
            }
        }
    }
}

#[test]
fn a_bright_corner_stays_in_its_corner() {
    let net = untrained();
    let dark = |h: i64, w: i64| Image::from_tensor(&Tensor::zeros([3, h, w], (Kind::Float, Device::Cpu)));
    let view = see(&net, &dark(24, 40).unwrap(), Cifar10::NAMES).unwrap();
    // The image.
    check_corners(1, |at| {
        see(&net, &Image::from_tensor(&corner(&[3, 24, 40], 8, at))?, Cifar10::NAMES)?.figure()
    });
    // A heat map beside the image and over it: two panels. Red is darker than white, so the corner is where the
    // other figure is brighter.
    let bright = Image::from_tensor(&Tensor::ones([3, 24, 40], (Kind::Float, Device::Cpu))).unwrap();
    let white = see(&net, &bright, Cifar10::NAMES).unwrap();
    let opposite = |(bottom, right): Corner| (!bottom, !right);
    check_corners(2, |at| white.heat(corner(&[6, 10], 2, opposite(at)), "heat".into(), "")?.figure());
    // A grid of maps.
    check_corners(2, |at| {
        let mut grid = view.maps("block1")?;
        grid.maps = corner(&[1, 2, 6, 10], 2, opposite(at));
        grid.figure()
    });
    // Filters as RGB images, and channel by channel.
    check_corners(2, |at| FilterBank::new("first", corner(&[2, 3, 3, 4], 1, at))?.figure());
    // Red is darker than white here, too.
    check_corners(1, |at| {
        let of = |channel: i64| corner(&[1, 1, 4, 4], 1, opposite(at)) * if channel == 0 { 1.0 } else { 0.0 };
        FilterBank::new("second", Tensor::cat(&[of(0), of(1)], 1))?.figure()
    });
    // The strongest channel: sand-coloured in its corner, dark blue elsewhere.
    check_corners(1, |at| {
        let mut semantic = view.semantic_with("block1", Path::new("none"))?;
        let maps = corner(&[12, 20], 6, at).to_kind(Kind::Int64) * 3;
        semantic.strongest = Vec::try_from(maps.view([-1])).unwrap();
        semantic.order = vec![(0, 9), (1, 8), (2, 7), (3, 6)];
        semantic.figure()
    });
}
