//! Compares numbers with PyTorch, the position of bright corners, and figures with reviewed ones.

use super::{
    Film, FilterBank, MapGrid, Semantic, View, album,
    figure_tests::has_title_and_content,
    filters, patches, see,
    semantic::{NOTHING, REST},
    view::numbers,
};
use crate::{
    Result,
    colour::REGIONS,
    data::{Cifar10, Dataset},
    figure::Figure,
    image::Image,
    net::{LectureNet, LectureNetConfig},
    panels::Content,
    testing::TempFolder,
    train::{Recipe, evaluate, train},
};
use std::path::Path;
use tch::{Device, IndexOp, Kind, Tensor};

fn shipped() -> LectureNet {
    LectureNet::shipped().unwrap()
}

/// The image of see.py: pixels from a formula, three different sides.
fn formula(height: i64, width: i64) -> Image {
    let position = |i: i64| (i / (height * width), i / width % height, i % width);
    let byte = |(c, h, w): (i64, i64, i64)| ((31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256) as u8;
    let bytes: Vec<u8> = (0..3 * height * width).map(|i| byte(position(i))).collect();
    let image = Tensor::from_slice(&bytes).view([3, height, width]);
    Image::from_tensor(&image).unwrap().named("formula")
}

fn cat() -> View {
    Cifar10::samples().unwrap().see(&shipped(), 0, Cifar10::NAMES).unwrap()
}

/// Shape and numbers that PyTorch computed, and the range of the numbers.
fn frozen(what: &str, layer: &str) -> (Vec<i64>, Vec<f32>, f32) {
    let line = include_str!("../../tests/net/see.txt").lines().find_map(|line| {
        let fields: Vec<&str> = line.split("; ").collect();
        (fields[0] == what && fields[1] == layer).then_some(fields)
    });
    let fields = line.unwrap_or_else(|| panic!("see.txt has no line {what}; {layer}"));
    let size = fields[2].split(' ').map(|n| n.parse().unwrap()).collect();
    let numbers: Vec<f32> = fields[3].split(' ').map(|n| n.parse().unwrap()).collect();
    let ends = numbers.iter().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    (size, numbers, ends.1 - ends.0)
}

fn agrees(what: &str, layer: &str, map: &Tensor) {
    let (size, expected, range) = frozen(what, layer);
    assert_eq!(map.size(), size, "{what} {layer}");
    for (got, expected) in numbers(map).unwrap().iter().zip(&expected) {
        assert!((got - expected).abs() <= 1e-3 * range, "{what} {layer}: {got} is not {expected}");
    }
}

#[test]
fn maps_and_heat_maps_agree_with_pytorch() {
    let first = include_str!("../../tests/net/see.txt").lines().next().unwrap();
    let weights = format!("weights; {}", shipped().fingerprint().unwrap());
    assert_eq!(first, weights, "the course's weights have changed: regenerate see.txt with see.py");
    let view = cat();
    let wide = see(&shipped(), &formula(24, 40), Cifar10::NAMES).unwrap();
    for block in ["block1", "block2", "block3"] {
        agrees("sum", block, &view.sum(block).unwrap().tensor());
        agrees("mean", block, &view.mean(block).unwrap().tensor());
        agrees("max", block, &view.max(block).unwrap().tensor());
        agrees("wide sum", block, &wide.sum(block).unwrap().tensor());
        // An implementation of the paper, and the package on PyPI.
        agrees("Grad-CAM", block, &view.grad_cam(block, 3).unwrap().tensor());
        agrees("package", block, &view.grad_cam(block, 3).unwrap().tensor());
    }
    agrees("enlarged", "block3", &view.sum("block3").unwrap().enlarged().unwrap());
    agrees("wide enlarged", "block2", &wide.sum("block2").unwrap().enlarged().unwrap());
    agrees("occlusion", "", &view.occlusion(3).unwrap().tensor());
}

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
    let drawn = |corner| image::load_from_memory(figure(corner).unwrap().png()).unwrap().to_rgb8();
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
    let net = LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu).unwrap();
    let dark = |h: i64, w: i64| Image::from_tensor(&Tensor::zeros([3, h, w], (Kind::Float, Device::Cpu)));
    let view = see(&net, &dark(24, 40).unwrap(), Cifar10::NAMES).unwrap();
    // The image.
    check_corners(1, |at| {
        see(&net, &Image::from_tensor(&corner(&[3, 24, 40], 8, at))?, Cifar10::NAMES)?.figure()
    });
    // A heat map beside the image and over it: two panels.
    check_corners(2, |at| view.heat(corner(&[6, 10], 2, at), "heat".into(), "")?.figure());
    // A grid of maps, and maps with weights.
    check_corners(2, |at| {
        let mut grid = view.maps("block1")?;
        grid.maps = corner(&[1, 2, 6, 10], 2, at);
        grid.figure()
    });
    check_corners(3, |at| {
        let mut mix = view.mix("block1", &[(0, 1.0), (1, 1.0)])?;
        (mix.parts, mix.sum) =
            (vec![corner(&[6, 10], 2, at), corner(&[6, 10], 2, at)], corner(&[6, 10], 2, at));
        mix.figure()
    });
    // Filters as RGB images, and channel by channel.
    check_corners(2, |at| FilterBank::new("first", corner(&[2, 3, 3, 4], 1, at))?.figure());
    // Red is darker than white: the corner is where the other figure is brighter.
    check_corners(1, |at| {
        let of =
            |channel: i64| corner(&[1, 1, 4, 4], 1, (!at.0, !at.1)) * if channel == 0 { 1.0 } else { 0.0 };
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

#[test]
fn patches_are_where_the_map_is_largest() {
    let samples = Cifar10::samples().unwrap();
    let net = shipped();
    for layer in ["block1.conv1", "block2", "block3"] {
        let found = patches(&net, &samples, layer).unwrap();
        let maps = net.map(&samples.images, layer).unwrap();
        for channel in [0, 7, 31] {
            let rows = found.tensor(channel).unwrap();
            for row in 0..rows.size()[0] {
                let [image, y, x] = [0, 1, 2].map(|i| rows.double_value(&[row, i]) as i64);
                let map = maps.i((image, channel as i64));
                assert_eq!(rows.double_value(&[row, 3]), map.double_value(&[y, x]), "{layer} {channel}");
                assert_eq!(map.max().double_value(&[]), map.double_value(&[y, x]), "{layer} {channel}");
            }
            if rows.size()[0] > 1 {
                assert!(rows.double_value(&[0, 3]) >= rows.double_value(&[1, 3]));
            }
        }
    }
    // A patch of the first layer is the 3 x 3 window of its filter.
    let found = patches(&net, &samples, "block1.conv1").unwrap();
    let at = found.tensor(22).unwrap();
    let [image, y, x] = [0, 1, 2].map(|i| at.double_value(&[0, i]) as i64);
    let first = found.panels(22, 64.0).unwrap().swap_remove(0);
    let Content::Picture(part) = first.content else { panic!("a patch is an image") };
    assert_eq!((part.height, part.width), (3, 3));
    let whole = samples.picture(image as usize).unwrap().pixels();
    let middle = ((y * 32 + x) * 3) as usize;
    assert_eq!(part.rgb[12..15], whole.rgb[middle..middle + 3]);
}

/// Compares a figure with the reviewed one. At most one pixel in two hundred may differ by more than 24 of
/// 255: another processor adds in another order, and a number between two colours gets the other one.
#[track_caller]
fn agrees_with_reviewed(name: &str, figure: Figure) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/see").join(format!("{name}.png"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        figure.save(&file).unwrap();
    }
    let reviewed = image::open(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).to_rgb8();
    let now = image::load_from_memory(figure.png()).unwrap().to_rgb8();
    let differs = reviewed
        .pixels()
        .zip(now.pixels())
        .filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 24));
    let (differs, all) = (differs.count(), reviewed.pixels().len());
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
    // Untrained weights, so that a new training does not change these figures.
    let net = LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu).unwrap();
    let wide = see(&net, &formula(24, 40), Cifar10::NAMES).unwrap();
    let square = Cifar10::samples().unwrap().see(&net, 1, Cifar10::NAMES).unwrap();
    agrees_with_reviewed("sum", wide.sum("block2").unwrap().figure().unwrap());
    agrees_with_reviewed("maps", wide.maps("block1").unwrap().figure().unwrap());
    agrees_with_reviewed(
        "semantic",
        wide.semantic_with("block1", Path::new("none")).unwrap().figure().unwrap(),
    );
    agrees_with_reviewed("compare", square.compare("block3").unwrap());
    agrees_with_reviewed("filters", filters(&net, "block1.conv1").unwrap().figure().unwrap());
}

#[test]
fn every_figure_has_a_title_and_alt_text_and_fits_a_slide() {
    let (net, samples) = (shipped(), Cifar10::samples().unwrap());
    let view = cat();
    let found = patches(&net, &samples, "block3").unwrap();
    let report = evaluate(&net, &samples, Cifar10::NAMES, false).unwrap();
    let figures = [
        view.figure(),
        view.blocks(),
        view.maps("block2").unwrap().own_scale().strongest_first().figure(),
        view.sum("block1").unwrap().figure(),
        view.channel("block1.relu1", 4).unwrap().figure(),
        view.compare("block3"),
        view.mix("block1", &[(4, 1.0), (29, 1.0), (9, 0.0)])
            .unwrap()
            .nearest("block2.relu1")
            .unwrap()
            .figure(),
        view.semantic_with("block2", Path::new("none")).unwrap().figure(),
        view.semantic_with("block3", Path::new("none")).unwrap().introduce(&found),
        view.trace("block2.conv1", 4, 9),
        found.figure(&[3, 7]),
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

#[test]
fn names_belong_to_a_network_and_layer() {
    let folder = TempFolder::new("names");
    let file = folder.path().join("runs/names.json");
    let view = cat();
    let channel = view.semantic_with("block3", &file).unwrap().present()[0];
    let named = view.semantic_with("block3", &file).unwrap().name_in(&file, channel, " ear ").unwrap();
    assert!(named.to_string().contains(&format!("{channel}: ear (")), "{named}");
    let again = view.semantic_with("block3", &file).unwrap();
    assert_eq!(again.to_string(), named.to_string());
    assert!(!view.semantic_with("block2", &file).unwrap().to_string().contains("ear"));
    let other = LectureNet::new(LectureNetConfig::default(), 1, Device::Cpu).unwrap();
    let other = see(&other, view.picture(), Cifar10::NAMES).unwrap();
    assert!(!other.semantic_with("block3", &file).unwrap().to_string().contains("ear"));
    let removed = again.name_in(&file, channel, "").unwrap();
    assert!(!removed.to_string().contains("ear"));
    let message = |error: Result<Semantic>| error.map(drop).unwrap_err().to_string();
    assert!(
        message(view.semantic_with("block3", &file).unwrap().name_in(&file, 128, "ear"))
            .contains("expected 0 to 127")
    );
    let long = "a name that nobody could read beside it";
    assert!(
        message(view.semantic_with("block3", &file).unwrap().name_in(&file, 1, long))
            .contains("at most 24 letters")
    );
    std::fs::write(&file, "{\"half").unwrap();
    assert!(message(view.semantic_with("block3", &file)).contains("is not a valid file of channel names"));
}

#[test]
fn names_saved_at_the_same_time_are_all_kept() {
    let folder = TempFolder::new("names-at-once");
    let file = folder.path().join("names.json");
    let view = cat();
    std::thread::scope(|scope| {
        for notebook in 0..4 {
            let layer = view.semantic_with("block3", &file).unwrap();
            let file = &file;
            scope.spawn(move || {
                (0..10).fold(layer, |layer, n| layer.name_in(file, 10 * notebook + n, "ear").unwrap());
            });
        }
    });
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("ear").count(), 40, "{text}");
}

#[test]
fn a_training_becomes_a_film() {
    let folder = TempFolder::new("film");
    let data = Dataset::shapes10(64, 32, 1).unwrap();
    let config = LectureNetConfig { maps: [8, 9, 10], ..LectureNetConfig::default() };
    let recipe = Recipe {
        config,
        epochs: 2,
        batch_size: 32,
        device: Device::Cpu,
        folder: Some(folder.path().join("run")),
        ..Recipe::quick()
    };
    let run = train(recipe, &data).unwrap();
    run.wait().unwrap();
    let image = data.test.picture(0).unwrap();
    let film = run.film(&image).unwrap();
    assert_eq!(film.filters().unwrap().size(), [3, 8, 3, 3, 3]);
    assert_eq!(film.maps("block2").unwrap().size(), [3, 9, 8, 8]);
    // The last frame is the network that was kept.
    let kept = LectureNet::load(folder.path().join("run/weights.safetensors")).unwrap();
    assert_eq!(film.filters().unwrap().i(2), kept.filters("block1.conv1").unwrap());
    assert_eq!(film.maps("block3").unwrap().i(2..3), kept.map(&image.tensor_u8(), "block3").unwrap());
    let file = folder.path().join("film.safetensors");
    film.keep(&file).unwrap();
    let again = Film::load(&file).unwrap();
    assert_eq!(again.to_string(), film.to_string());
    let difference = (again.filters().unwrap() - film.filters().unwrap()).abs().max().double_value(&[]);
    assert!(difference < 4e-3, "bfloat16 has three digits: {difference}");
    let figure = again.figure().unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(figure.png())).read_info().unwrap();
    assert_eq!(reader.info().animation_control().unwrap().num_frames, 3);
    let message = |error: Result<Film>| error.map(drop).unwrap_err().to_string();
    assert!(message(run.film(&formula(40, 40))).contains("expected an image of 32 x 32"));
    assert!(
        message(Film::load(folder.path().join("run/weights.safetensors")))
            .contains("not a film of a training: `picture` is missing")
    );
    let shipped = Film::shipped().unwrap();
    assert!(shipped.to_string().contains("epoch 12: 87.2 %"), "{shipped}");
    assert!(shipped.frame(13).unwrap_err().to_string().contains("expected 0 to 12"));
}

#[test]
fn grad_cam_works_inside_no_grad() {
    let view = cat();
    for layer in ["block1.conv1", "block2", "block3"] {
        let expected = view.grad_cam(layer, 3).unwrap().tensor();
        let inside = tch::no_grad(|| view.grad_cam(layer, 3).unwrap().tensor());
        assert_eq!(inside, expected, "{layer}");
        let _guard = tch::no_grad_guard();
        assert_eq!(view.grad_cam(layer, 3).unwrap().tensor(), expected, "{layer}");
        assert_eq!(
            view.compare(layer).unwrap().text(),
            tch::with_grad(|| view.compare(layer).unwrap()).text()
        );
    }
}

#[test]
fn errors_say_what_is_possible() {
    let net = shipped();
    let view = cat();
    let wide = see(&net, &formula(24, 40), Cifar10::NAMES).unwrap();
    let message = |figure: Result<MapGrid>| figure.map(drop).unwrap_err().to_string();
    assert!(message(view.maps("block9")).contains("block2.conv3"));
    assert!(message(view.maps("head")).contains("no rows and columns"));
    let message = |heat: Result<super::Heat>| heat.map(drop).unwrap_err().to_string();
    assert!(message(view.channel("block1", 32)).contains("expected 0 to 31"));
    assert!(message(view.grad_cam("block3", 10)).contains("0 to 9 (airplane"));
    assert!(message(wide.grad_cam("block3", 3)).contains("`photo.cropped_to(32, 32)?`"));
    assert!(message(wide.occlusion(3)).contains("24 x 40"));
    let error = see(&net, &formula(7, 40), Cifar10::NAMES).map(drop).unwrap_err().to_string();
    assert!(error.contains("at least 8 x 8, got 7 rows and 40 columns"), "{error}");
    let error = filters(&net, "block1").map(drop).unwrap_err().to_string();
    assert!(error.contains("no convolution") && error.contains("block1.conv1"), "{error}");
    let error = view.mix("block1", &[]).map(drop).unwrap_err().to_string();
    assert!(error.contains("&[(3, 1.0), (7, 1.0), (9, 0.0)]"), "{error}");
    let error = view.mix("block1", &[(0, 1.0)]).unwrap().nearest("block3").map(drop).unwrap_err().to_string();
    assert!(error.contains("block2.relu1"), "{error}");
    let large = see(&net, &formula(100, 900), Cifar10::NAMES).unwrap();
    assert_eq!(large.tensor("block3").unwrap().size(), [1, 128, 8, 80]);
}

/// How colours appear to eyes with all cones, and to eyes without one kind of cone (Machado, Oliveira and
/// Fernandes, *A Physiologically-based Model for Simulation of Color Vision Deficiency*, 2009).
const EYES: [(&str, [[f64; 3]; 3]); 4] = [
    ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ),
    (
        "deuteranopia",
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ),
    (
        "tritanopia",
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ),
];

/// CIE L*a*b* of an sRGB colour.
fn lab(rgb: [u8; 3], eye: &[[f64; 3]; 3]) -> [f64; 3] {
    let linear = rgb.map(|v| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    let dot = |row: &[f64; 3], v: [f64; 3]| row.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
    let seen = [0, 1, 2].map(|i| dot(&eye[i], linear).clamp(0.0, 1.0));
    let [x, y, z] = [
        dot(&[0.4124, 0.3576, 0.1805], seen) / 0.9505,
        dot(&[0.2126, 0.7152, 0.0722], seen),
        dot(&[0.0193, 0.1192, 0.9505], seen) / 1.089,
    ]
    .map(|t| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[test]
fn regions_are_distinguishable_for_colour_blind_readers() {
    let mut colours = REGIONS.to_vec();
    colours.extend([REST, NOTHING]);
    for (name, eye) in &EYES {
        for (i, a) in colours.iter().enumerate() {
            for b in &colours[..i] {
                let (one, other) = (lab(*a, eye), lab(*b, eye));
                let distance = one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                // A distance of 2 is just visible side by side; these colours are not adjacent.
                assert!(distance > 14.0, "{name}: {a:?} and {b:?} are {distance:.1} apart");
            }
        }
    }
}
