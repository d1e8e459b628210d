//! The figures of a network show known numbers in the right colour and position, and their texts say no more
//! than the numbers do.

mod colours;
mod corners;
mod reviewed;

use crate::{
    data::Cifar10,
    image::Image,
    net::{LectureNet, LectureNetConfig},
    pixels::{area, different, drawn, frames, ink},
    see::{
        Film, FilterBank, MapGrid, View, album, filters, groups, heat_search, maximise, patches, see,
        tests::{cat, shipped, untrained},
    },
    train::evaluate,
};
use nchw_draw::{Content, Figure, Palette};
use std::path::Path;
use tch::{Device, IndexOp, Kind, Tensor};

const BRIGHTEST: [u8; 3] = [103, 0, 31];

/// A photo of 24 x 40 in one colour.
fn view() -> View {
    let colour = Tensor::from_slice(&[60_u8, 140, 100]).view([3, 1, 1]);
    let photo = Image::from_tensor(&colour.expand([3, 24, 40], false)).unwrap();
    see(&untrained(), &photo, Cifar10::NAMES).unwrap()
}

fn zeros(size: &[i64]) -> Tensor {
    Tensor::zeros(size, (Kind::Float, Device::Cpu))
}

/// Zeros but for one number.
fn spot(size: &[i64], row: i64, column: i64, value: f64) -> Tensor {
    let map = zeros(size);
    let _ = map.i((row, column)).fill_(value);
    map
}

#[test]
fn a_heat_map_names_the_largest_number_only_if_there_is_one() {
    let view = view();
    let heat = |map: Tensor| view.heat(map, "heat".into(), "").unwrap();
    let found = heat(spot(&[3, 5], 1, 4, 2.0));
    assert!(
        found.to_string().contains("From 0 to 2; largest in row 1, column 4 (counted from 0) of 3 \u{d7} 5")
    );
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for (map, words) in [
        (zeros(&[3, 5]), "0 everywhere in 3 \u{d7} 5, so nothing stands out"),
        (zeros(&[3, 5]) + 2.0, "2 everywhere in 3 \u{d7} 5, so nothing stands out"),
        (zeros(&[3, 5]) - 2.0, "\u{2212}2 everywhere in 3 \u{d7} 5, so nothing stands out"),
        (spot(&[3, 5], 1, 4, nan), "0 everywhere where finite; 1 of 15 are NaN or infinite, of 3 \u{d7} 5"),
        (spot(&[3, 5], 1, 4, inf), "0 everywhere where finite; 1 of 15 are NaN or infinite, of 3 \u{d7} 5"),
        (zeros(&[3, 5]) + nan, "No finite number (NaN or infinite everywhere), of 3 \u{d7} 5"),
    ] {
        let heat = heat(map);
        for text in [heat.to_string(), heat.figure().unwrap().alt().to_owned()] {
            assert!(text.contains(words), "expected `{words}` in: {text}");
            assert!(!text.contains("largest in row") && !text.contains("inf to"), "{text}");
        }
    }
}

#[test]
fn grad_cam_is_zero_for_a_class_with_negative_weights_only() {
    // All weights of the head are negative for the ship.
    let net = untrained();
    let head = net.variables().into_iter().find(|(name, _)| name == "head.weight").unwrap().1;
    let _ = tch::no_grad(|| head.i(8).fill_(-1.0));
    let view = Cifar10::samples().unwrap().see(&net, 0, Cifar10::NAMES).unwrap();
    let heat = view.grad_cam("block3", 8).unwrap();
    assert_eq!(heat.tensor().abs().max().double_value(&[]), 0.0);
    assert!(heat.to_string().contains("0 everywhere in 4 \u{d7} 4, so nothing stands out"), "{heat}");
}

#[test]
fn the_largest_number_is_the_brightest() {
    let view = view();
    let figure = view.heat(spot(&[6, 10], 1, 7, 3.0), "heat".into(), "").unwrap().figure().unwrap();
    // The panel of numbers: 270 wide on the page, two pixels each, ten columns.
    let side = 2.0 * 270.0 / 10.0;
    let (_, [left, top, ..]) = area(&figure, Palette::Sequential.rgb(0.0, (0.0, 3.0)));
    let drawn = drawn(&figure);
    let at = |row: f64, column: f64| {
        let (x, y) = (f64::from(left) + side * (column + 0.5), f64::from(top) + side * (row + 0.5));
        drawn.get_pixel(x as u32, y as u32).0
    };
    let bright = |colour: [u8; 3]| colour.iter().zip(BRIGHTEST).all(|(a, b)| a.abs_diff(b) <= 2);
    assert!(bright(at(1.0, 7.0)), "{:?}", at(1.0, 7.0));
    assert!([at(1.0, 6.0), at(1.0, 8.0), at(0.0, 7.0), at(2.0, 7.0)].into_iter().all(|c| !bright(c)));
}

#[test]
fn maps_of_a_grid_are_in_order() {
    let view = view();
    let grid = |change: fn(MapGrid) -> MapGrid| {
        let mut grid = view.maps("block1").unwrap();
        let values = Tensor::from_slice(&[1.0_f32, 3.0, 2.0, 0.0]).view([1, 4, 1, 1]);
        grid.maps = values.expand([1, 4, 6, 10], false).contiguous();
        change(grid).figure().unwrap()
    };
    let lefts = |figure: &Figure| {
        [1.0, 3.0, 2.0].map(|value| area(figure, Palette::Sequential.rgb(value, (0.0, 3.0))).1[0])
    };
    let [first, second, third] = lefts(&grid(|grid| grid));
    assert!(first < second && second < third, "{first} {second} {third}");
    let sorted = grid(|grid| grid.strongest_first());
    let [last, first, second] = lefts(&sorted);
    assert!(first < second && second < last, "{first} {second} {last}");
    // The channel without a number above 0 is not among the strongest.
    assert!(sorted.alt().contains("The strongest: 1, 2, 0. "), "{}", sorted.alt());
    // On its own scale, a map of zeros is white.
    let own = grid(|grid| grid.own_scale());
    assert!(area(&own, BRIGHTEST).0 > 3 * 5000);
    let white = Palette::Signed.rgb(0.0, (-1.0, 1.0));
    assert!(area(&own, white).0 > 5000, "{:?}", area(&own, white));
}

#[test]
fn a_grid_without_positive_numbers_names_no_strongest_map() {
    let view = view();
    for value in [0.0, -1.0, f64::NAN] {
        let mut grid = view.maps("block1").unwrap();
        grid.maps = zeros(&[1, 4, 6, 10]) + value;
        assert!(grid.to_string().ends_with("the strongest: none has a number above 0"), "{grid}");
        let figure = grid.figure().unwrap();
        assert!(figure.alt().contains("none has a number above 0"), "{}", figure.alt());
        assert_eq!(area(&figure, [255, 0, 255]).0 > 90_000, value.is_nan());
    }
}

#[test]
fn a_network_with_few_maps_shows_all_blocks() {
    let net =
        LectureNet::new(LectureNetConfig { maps: [2, 3, 1], ..LectureNetConfig::default() }, 7, Device::Cpu)
            .unwrap();
    let view = Cifar10::samples().unwrap().see(&net, 0, Cifar10::NAMES).unwrap();
    let figure = view.blocks().unwrap();
    assert!(figure.text().contains("block3: 3 \u{d7} 8 \u{d7} 8 \u{2192} 1 \u{d7} 4 \u{d7} 4"));
}

#[test]
fn a_filter_is_drawn_in_its_colours() {
    // The first is positive on red only; the other is negative on green.
    let weight = zeros(&[2, 3, 3, 3]);
    let _ = weight.i((0, 0)).fill_(1.0);
    let _ = weight.i((0, 1..3)).fill_(-1.0);
    let _ = weight.i((1, 1)).fill_(-1.0);
    let bank = FilterBank::new("first", weight).unwrap();
    let figure = bank.figure().unwrap();
    // A tile is 84 wide and high on the page, two pixels each.
    let (count, [_, _, right, _]) = area(&figure, [255, 0, 0]);
    assert!((160 * 160..170 * 170).contains(&count), "{count}");
    let (count, [left, ..]) = area(&figure, [128, 0, 128]);
    assert!((160 * 160..170 * 170).contains(&count) && left > right, "{count}");
    // One filter, channel by channel: red is above 0, blue below, white 0.
    let one = bank.filter(0).unwrap();
    let [red, blue] = [1.0, -1.0].map(|value| area(&one, Palette::Signed.rgb(value, (-1.0, 1.0))));
    assert!(red.0 > 250 * 250 && blue.0 > 2 * 250 * 250, "{red:?} {blue:?}");
    let infinite = FilterBank::new("infinite", zeros(&[2, 1, 3, 3]) + f64::INFINITY).unwrap();
    infinite.figure().unwrap();
}

#[test]
fn regions_have_the_colours_of_the_legend() {
    let view = view();
    let mut semantic = view.semantic_with("block1", Path::new("none")).unwrap();
    let right = (zeros(&[12, 20]).to_kind(Kind::Int64) + 5).narrow(1, 0, 5);
    let left = zeros(&[12, 20]).to_kind(Kind::Int64).narrow(1, 0, 15) + 2;
    semantic.strongest = Vec::try_from(Tensor::cat(&[left, right], 1).view([-1])).unwrap();
    semantic.order = vec![(2, 180), (5, 60)];
    let figure = semantic.figure().unwrap();
    assert!(figure.text().contains("2 (75 %)\n5 (25 %)"), "{}", figure.text());
    // The legend has the plain colours; over the image [60, 140, 100] they cover three quarters.
    let over = |colour: [u8; 3]| {
        let below = [60.0, 140.0, 100.0];
        std::array::from_fn(|i| (0.75 * f64::from(colour[i]) + 0.25 * below[i]).round() as u8)
    };
    let [first, second] = [nchw_draw::colour::REGIONS[0], nchw_draw::colour::REGIONS[1]].map(|colour| {
        assert!(area(&figure, colour).0 > 500, "{colour:?} is in the legend");
        area(&figure, over(colour))
    });
    assert!(first.1[2] <= second.1[0] + 1, "the first is left of the second: {first:?} {second:?}");
    let share = first.0 as f64 / (first.0 + second.0) as f64;
    assert!((share - 0.75).abs() < 0.02, "{share}");
}

#[test]
fn zero_times_a_map_is_empty() {
    let view = view();
    let mut mix = view.mix("block1", &[(0, 1.0), (1, 0.0)]).unwrap();
    mix.parts = vec![spot(&[6, 10], 1, 2, 3.0), spot(&[6, 10], 4, 7, 3.0)];
    mix.sum = mix.parts[0].shallow_clone();
    let figure = mix.figure().unwrap();
    // The largest number: in both maps, in 1 x the first and in the sum, but not in 0 x the second.
    let largest = Palette::Sequential.rgb(3.0, (0.0, 3.0));
    let cell = 2.0 * 180.0 / 10.0;
    let cells = f64::from(area(&figure, largest).0 as u32) / (cell * cell);
    // The colour bar has this colour, too.
    assert!((3.9..4.6).contains(&cells), "{cells}");
}

#[test]
fn the_image_stays_visible_where_there_is_no_heat() {
    let view = view();
    let figure = view.heat(spot(&[3, 5], 1, 4, 2.0), "heat".into(), "").unwrap().figure().unwrap();
    // The grey of the photo [60, 140, 100], uncovered in the left half of the third panel.
    let grey = (0.299 * 60.0 + 0.587 * 140.0 + 0.114 * 100.0_f64).round() as u8;
    let (count, _) = area(&figure, [grey; 3]);
    assert!(count > 540 * 324 / 2, "{count}");
    // Where nothing was found, nothing covers it.
    let nothing = view.heat(zeros(&[3, 5]), "heat".into(), "").unwrap().figure().unwrap();
    assert!(area(&nothing, [grey; 3]).0 > 530 * 315);
}

#[test]
fn groups_have_the_colours_of_the_legend() {
    let (net, view) = (shipped(), view());
    let mut map = groups(&net, &Cifar10::samples().unwrap(), Cifar10::NAMES, "block3", 3)
        .unwrap()
        .name(2, "sky")
        .unwrap()
        .map(&see(&net, view.picture(), Cifar10::NAMES).unwrap())
        .unwrap();
    assert_eq!(map.tensor().unwrap().size(), [3, 5]);
    map.strongest = vec![2; 15];
    map.strongest[0] = 1;
    let figure = map.figure().unwrap();
    assert!(figure.text().contains("2: sky (93 %), 1: "), "{}", figure.text());
    let over = |colour: [u8; 3]| {
        let below = [60.0, 140.0, 100.0];
        std::array::from_fn(|i| (0.65 * f64::from(colour[i]) + 0.35 * below[i]).round() as u8)
    };
    let [first, second] = [1, 2].map(|group| area(&figure, over(nchw_draw::colour::REGIONS[group])));
    assert!(first.0 > 0 && first.1[0] <= second.1[0] + 2 && first.1[3] < second.1[3], "{first:?} {second:?}");
    assert!((13.0..15.0).contains(&(second.0 as f64 / first.0 as f64)), "{first:?} {second:?}");
}

#[test]
fn a_patch_of_the_first_layer_is_the_window_of_its_filter() {
    let samples = Cifar10::samples().unwrap();
    let found = patches(&shipped(), &samples, "block1.conv1").unwrap();
    let at = found.tensor(22).unwrap();
    let [image, y, x] = [0, 1, 2].map(|i| at.double_value(&[0, i]) as i64);
    let first = found.panels(found.shown(22).unwrap(), 64.0).unwrap().swap_remove(0);
    let Content::Picture(part) = first.content else { panic!("a patch is an image") };
    assert_eq!((part.height, part.width), (3, 3));
    let whole = samples.picture(image as usize).unwrap().pixels();
    let middle = ((y * 32 + x) * 3) as usize;
    assert_eq!(part.rgb[12..15], whole.rgb[middle..middle + 3]);
}

#[test]
fn different_channels_have_different_patches() {
    let samples = Cifar10::samples().unwrap();
    let found = patches(&shipped(), &samples, "block1.conv1").unwrap();
    let [one, other] = [3, 7].map(|channel| found.figure(&[channel]).unwrap());
    assert_ne!(one.png(), other.png());
    // The figure of both channels contains what each has alone.
    let both = found.figure(&[3, 7]).unwrap();
    let coloured = |figure: &Figure| {
        let drawn = drawn(figure);
        drawn.pixels().filter(|p| p.0.iter().max().unwrap() - p.0.iter().min().unwrap() > 20).count()
    };
    let sum = coloured(&one) + coloured(&other);
    assert!(coloured(&both).abs_diff(sum) < sum / 20, "{} and {sum}", coloured(&both));
}

#[test]
fn frames_of_a_film_differ() {
    let film = Film::shipped().unwrap();
    let shown = frames(&film.figure().unwrap());
    assert_eq!(shown.len(), 13);
    for pair in shown.windows(2) {
        let changed = different(&pair[0], &pair[1], 16);
        assert!(changed > 2000, "{changed}");
    }
    // Each equals the still frame, except for the palette of the animation.
    for number in [0, 5, 12] {
        let still = drawn(&film.frame(number).unwrap());
        assert!(different(&still, &shown[number], 16) < 500, "frame {number}");
    }
}

/// Checks that a figure has a title, and something below it.
fn has_title_and_content(figure: &Figure) {
    let (width, height) = figure.size();
    let title = ink(figure, [0, 20, width, 76]);
    assert!(title > 300, "{title} pixels of a title: {}", figure.alt());
    let drawn = drawn(figure);
    let below = (100..height - 80).flat_map(|y| (0..width).map(move |x| (x, y)));
    let white = below.clone().filter(|(x, y)| drawn.get_pixel(*x, *y).0.iter().all(|v| *v > 250)).count();
    let all = below.count();
    assert!(white * 10 < all * 9, "{white} of {all} pixels are white: {}", figure.alt());
}

#[test]
fn every_figure_has_a_title_and_alt_text_and_fits_a_slide() {
    let (net, samples) = (shipped(), Cifar10::samples().unwrap());
    let view = cat();
    let found = patches(&net, &samples, "block3").unwrap();
    let report = evaluate(&net, &samples, Cifar10::NAMES, false).unwrap();
    let search = heat_search(&net, &Cifar10::album().unwrap(), Cifar10::NAMES).unwrap();
    let jobs = groups(&net, &samples, Cifar10::NAMES, "block3", 5).unwrap();
    let film = Film::shipped().unwrap();
    let figures = [
        view.figure(),
        view.blocks(),
        view.maps("block2").unwrap().own_scale().strongest_first().figure(),
        view.sum("block1").unwrap().figure(),
        view.channel("block1.relu1", 4).unwrap().figure(),
        view.compare("block3"),
        view.mix("block1", &[(4, 1.0), (29, 1.0), (9, 0.0)])
            .unwrap()
            .nearest(&samples, "block2.relu1")
            .unwrap()
            .figure(),
        view.semantic_with("block2", Path::new("none")).unwrap().figure(),
        view.semantic_with("block3", Path::new("none")).unwrap().introduce(&found),
        view.trace("block2.conv1", 4, 9),
        found.figure(&[3, 7]),
        found.next(&[3, 7]),
        found.named(),
        search.wrong().figure(),
        search.misled().unwrap().figure(),
        search.right().most_concentrated().figure(),
        jobs.figure(),
        jobs.similarity(),
        jobs.map(&view).unwrap().figure(),
        maximise(&net, "block1", &[3, 29]).unwrap().figure(),
        film.strip(),
        filters(&net, "block1.conv1").unwrap().by_colour(),
        filters(&net, "block2.conv2").unwrap().figure(),
        filters(&net, "block3.conv1").unwrap().beside(5, &patches(&net, &samples, "block3.conv1").unwrap()),
        album(&net, &samples, &report, 6).unwrap().figure(),
        report.beside(
            &evaluate(&net.without("block2", 3).unwrap(), &samples, Cifar10::NAMES, false).unwrap(),
            ["a", "b"],
        ),
    ];
    for figure in figures {
        let figure = figure.unwrap();
        let (width, _) = figure.size();
        assert!(figure.alt().len() > 40, "{}", figure.alt());
        // Two pixels to one on the page, which is some 1000 wide.
        assert!((1000..2250).contains(&width), "{width} wide: {}", figure.alt());
        has_title_and_content(&figure);
    }
}
