//! Compares numbers with those of PyTorch, and tests trainings as films, names of channels, and errors.

use super::{Film, View, filters, groups, heat_search, maximise, patches, see};
use crate::{
    Result,
    data::{Cifar10, Dataset},
    image::Image,
    net::{LectureNet, LectureNetConfig},
    numbers::values_of,
    testing::TempFolder,
    train::{Recipe, train},
};
use tch::{Device, IndexOp, Kind, Tensor};

/// A network with random weights, so that a new training of the course's weights changes no test.
pub(super) fn untrained() -> LectureNet {
    LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu).unwrap()
}

pub(super) fn shipped() -> LectureNet {
    LectureNet::shipped().unwrap()
}

/// The message of an error.
fn message<T>(result: Result<T>) -> String {
    result.map(drop).unwrap_err().to_string()
}

/// The image of see.py: pixels from a formula, three different sides.
pub(super) fn formula(height: i64, width: i64) -> Image {
    let position = |i: i64| (i / (height * width), i / width % height, i % width);
    let byte = |(c, h, w): (i64, i64, i64)| ((31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256) as u8;
    let bytes: Vec<u8> = (0..3 * height * width).map(|i| byte(position(i))).collect();
    let image = Tensor::from_slice(&bytes).view([3, height, width]);
    Image::from_tensor(&image).unwrap().named("formula")
}

pub(super) fn cat() -> View {
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
    for (got, expected) in values_of(map).unwrap().iter().zip(&expected) {
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
    let long = "a name that nobody could read beside it";
    for (channel, name, words) in [(128, "ear", "expected 0 to 127"), (1, long, "at most 24 letters")] {
        let refused = view.semantic_with("block3", &file).unwrap().name_in(&file, channel, name);
        assert!(message(refused).contains(words));
    }
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
    for (message, words) in [
        (message(view.maps("block9")), "block2.conv3"),
        (message(view.maps("head")), "no rows and columns"),
        (message(view.channel("block1", 32)), "expected 0 to 31"),
        (message(view.grad_cam("block3", 10)), "0 to 9 (airplane"),
        (message(wide.grad_cam("block3", 3)), "`photo.cropped_to(32, 32)?`"),
        (message(wide.occlusion(3)), "24 x 40"),
        (message(see(&net, &formula(7, 40), Cifar10::NAMES)), "at least 8 x 8, got 7 rows and 40 columns"),
        (message(filters(&net, "block1")), "no convolution"),
        (message(filters(&net, "block1")), "block1.conv1"),
        (message(view.mix("block1", &[])), "&[(3, 1.0), (7, 1.0), (9, 0.0)]"),
        (
            message(view.mix("block1", &[(0, 1.0)]).unwrap().nearest(&Cifar10::samples().unwrap(), "block3")),
            "block2.relu1",
        ),
    ] {
        assert!(message.contains(words), "expected `{words}` in: {message}");
    }
    let large = see(&net, &formula(100, 900), Cifar10::NAMES).unwrap();
    assert_eq!(large.tensor("block3").unwrap().size(), [1, 128, 8, 80]);
}

/// The examples of the notebook. They were chosen as the notebook says, and the rules must still find them.
#[test]
fn the_rules_find_the_examples_of_the_notebook() {
    let (net, album) = (shipped(), Cifar10::album().unwrap());
    let search = heat_search(&net, &album, Cifar10::NAMES).unwrap();
    assert_eq!((search.right().images().len(), search.wrong().images().len()), (275, 25));
    let dogs = search.right().of("dog").unwrap().most_concentrated();
    assert!(dogs.images()[..5].contains(&207), "{dogs}");
    assert_eq!(search.right().darkest_above().images()[0], 44);
    let misled = search.misled().unwrap();
    assert_eq!((misled.images()[0], misled.images().len()), (61, 8), "{misled}");
    assert!(!search.wrong().images().contains(&287));
    // The sums are those of `View::sum`.
    let sums = search.pick(&[44, 207]).unwrap().tensor().unwrap();
    let sum = album.see(&net, 207, Cifar10::NAMES).unwrap().sum("block3").unwrap().tensor();
    assert!(sums.i(1).allclose(&sum, 1e-4, 1e-3, false));
    // The sky of image 44 is darker than its lower half, everywhere.
    let sky = &sums.i(0);
    assert!(sky.i(..2).max().double_value(&[]) < sky.i(2..).min().double_value(&[]), "{sky:?}");
    // In image 287, right, the field below the airplane is hotter than the airplane above it.
    let field = album.see(&net, 287, Cifar10::NAMES).unwrap().sum("block3").unwrap().tensor();
    let rows = |from: i64| field.i(from).mean(Kind::Float).double_value(&[]);
    assert!(rows(2) > 1.5 * rows(1), "{field:?}");
}

#[test]
fn hiding_the_hottest_part_changes_more_answers_than_hiding_the_coldest() {
    let search = heat_search(&shipped(), &Cifar10::album().unwrap(), Cifar10::NAMES).unwrap();
    let hidden = search.hide().unwrap();
    assert_eq!((hidden.right, hidden.wrong), (275, 25));
    assert_eq!((hidden.won[0], hidden.lost[0] > 2 * hidden.lost[1]), (8, true), "{hidden}");
}

#[test]
fn the_thought_experiment_is_what_the_notebook_says() {
    let (net, album) = (shipped(), Cifar10::album().unwrap());
    let bird = album.see(&net, 160, Cifar10::NAMES).unwrap();
    let mix = bird.mix("block1", &[(29, 1.0), (3, 1.0), (23, 0.0)]).unwrap();
    let expected = bird.tensor("block1").unwrap();
    assert!(mix.tensor().allclose(&(expected.i((0, 29)) + expected.i((0, 3))), 1e-5, 1e-5, false));
    let nearest = mix.nearest(&album, "block2.relu1").unwrap();
    let found = nearest.nearest.as_ref().unwrap();
    assert_eq!(found.channel, 47, "{nearest}");
    assert!(found.correlation > 0.6 && found.second < 0.4, "{nearest}");
    let middle: Vec<f64> = found.kernels.iter().map(|kernel| kernel.double_value(&[1, 1])).collect();
    // Nearly 1, 1, 0: the first two are alike, the third is a small part of them.
    assert!(
        (0.7..1.4).contains(&(middle[1] / middle[0])) && middle[2].abs() < 0.25 * middle[0],
        "{middle:?}"
    );
    // One stroke upright, one lying.
    let answer = |axis: i64, channel: i64| {
        let stroke = Tensor::zeros([3, 32, 32], (Kind::Float, Device::Cpu));
        let _ = stroke.narrow(axis, 15, 2).fill_(1.0);
        let view = see(&net, &Image::from_tensor(&stroke).unwrap(), Cifar10::NAMES).unwrap();
        // Without the edge of the image.
        view.tensor("block1").unwrap().i((0, channel, 4..12, 4..12)).max().double_value(&[])
    };
    assert!(answer(2, 29) > 10.0 && answer(1, 29) < 0.1 && answer(1, 3) > 10.0 && answer(2, 3) < 0.1);
}

#[test]
fn a_learned_map_is_most_similar_to_itself() {
    let (net, samples) = (shipped(), Cifar10::samples().unwrap());
    let view = samples.see(&net, 3, Cifar10::NAMES).unwrap();
    let found = view.mix("block2.relu1", &[(9, 2.0)]).unwrap().nearest(&samples, "block2.relu1").unwrap();
    let found = found.nearest.unwrap();
    assert_eq!(found.channel, 9);
    assert!((found.correlation - 1.0).abs() < 1e-4 && found.kernels.is_empty(), "{}", found.correlation);
}

#[test]
fn gradient_ascent_raises_the_activation() {
    let net = shipped();
    let found = maximise(&net, "block3", &[50, 6]).unwrap();
    assert_eq!(found.images().len(), 2);
    assert_eq!((found.images()[0].height(), found.images()[0].width()), (32, 32));
    assert!(found.activations().iter().all(|after| *after > 15.0), "{found}");
    // The image itself activates the channel: not only the numbers of the search say so.
    let view = see(&net, &found.images()[0], Cifar10::NAMES).unwrap();
    assert!(view.channel("block3", 50).unwrap().tensor().max().double_value(&[]) > 15.0);
    // The same image every time, also inside `no_grad`.
    let again = tch::no_grad(|| maximise(&net, "block3", &[50, 6]).unwrap());
    assert_eq!(again.images()[1].tensor_u8(), found.images()[1].tensor_u8());
}

#[test]
fn channels_that_are_active_together_are_in_one_group() {
    let net = shipped();
    let found = groups(&net, &Cifar10::album().unwrap(), Cifar10::NAMES, "block3", 8).unwrap();
    let mut all = found.channels().concat();
    all.sort_unstable();
    assert_eq!(all, (0..128).collect::<Vec<usize>>());
    // As the notebook says: frogs, ships, cars and trucks, airplanes.
    let text = found.to_string();
    for words in ["strongest on frog 100 %", "strongest on ship 100 %", "airplane 93 %"] {
        assert!(text.contains(words), "expected `{words}` in: {text}");
    }
    let similarity = found.tensor().unwrap();
    assert_eq!(similarity.size(), [128, 128]);
    // Ones on the diagonal, and more similar inside of the largest group than outside.
    assert!(similarity.diagonal(0, 0, 1).allclose(
        &Tensor::ones([128], (Kind::Float, Device::Cpu)),
        1e-3,
        1e-3,
        false
    ));
    let first = found.channels()[0].len() as i64;
    let mean =
        |rows: i64, from: i64, to: i64| similarity.i((..rows, from..to)).mean(Kind::Float).double_value(&[]);
    assert!(mean(first, 0, first) > mean(first, first, 128) + 0.05);
}
