//! No public function panics: for any input, it returns a value or an error with a reason.
//!
//! Every test tries random inputs for half a second, or for `NCHW_FUZZ_SECONDS`: sizes that are 0,
//! 1, odd or far too large, every kind of tensor, NaN and infinity, tensors with strides, and unusual
//! texts. A failure prints the smallest input that fails. Layers, quizzes and exercises have their own
//! tests, and `fuzz.rs` tests the functions that read files.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use common::TempFolder;
use nchw::{
    Interactive,
    data::candidates,
    figure::Pixels,
    prelude::*,
    see::{
        Album, FilterBank, GroupMap, Groups, Heat, HeatSearch, Hidden, MapGrid, Maximised, Mix, Patches,
        Semantic, View,
    },
    train::Report,
};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use std::{
    any::Any,
    cell::RefCell,
    env, fmt,
    time::{Duration, Instant},
};

/// Tries random inputs until the time is over.
fn for_a_while<S: Strategy>(inputs: S, mut test: impl FnMut(S::Value)) {
    let seconds = env::var("NCHW_FUZZ_SECONDS").map_or(0.5, |seconds| seconds.parse().unwrap());
    let (start, duration) = (Instant::now(), Duration::from_secs_f64(seconds));
    let test = RefCell::new(&mut test);
    let mut tried = 0;
    while tried == 0 || start.elapsed() < duration {
        let config =
            Config { cases: 8, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
        let run = TestRunner::new(config).run(&inputs, |input| {
            (test.borrow_mut())(input);
            Ok(())
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
        tried += 8;
    }
    println!("{tried} inputs in {:.0} s", start.elapsed().as_secs_f64());
}

/// Formats a value, or checks that an error has a message. A figure must be an image that can be
/// decoded, with an alternative text.
fn shown<T: fmt::Debug + 'static>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => {
            let _ = format!("{value:?}");
            if let Some(figure) = (&value as &dyn Any).downcast_ref::<Figure>() {
                let decoded = png::Decoder::new(std::io::Cursor::new(figure.png())).read_info().unwrap();
                assert_eq!((decoded.info().width, decoded.info().height), figure.size());
                assert!(!figure.alt().is_empty());
            }
            Some(value)
        }
        Err(error) => {
            assert!(error.to_string().len() > 15, "{error}");
            None
        }
    }
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => 0..12_usize,
        2 => select(vec![31, 32, 33, 64, 100, 500, 1024, 8192, 8193, 65_536, 1 << 32]),
        1 => select(vec![usize::MAX, usize::MAX - 1, usize::MAX / 2, usize::MAX / 2 + 1, i64::MAX as usize]),
    ]
}

/// Sizes of images that need little memory, or that are refused.
fn sides() -> impl Strategy<Value = (usize, usize)> {
    (sizes(), sizes()).prop_filter("little memory", |(height, width)| {
        height.checked_mul(*width).is_none_or(|pixels| pixels <= 1 << 20) || *height > 8192 || *width > 8192
    })
}

fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -3.0..3.0_f64,
        1 => select(vec![0.0, -0.0, 1.0, 255.0, 1e-40, 1e30, f64::from(f32::MAX), -f64::from(f32::MAX)]),
        1 => select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE]),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["", " ", "a", "block1", "block2.conv1", "head", "flatten", "\n\n", "\0", ".", "/", ".png", "a/b.png"])
            .prop_map(String::from),
        1 => select(vec!["합성곱 신경망", "👩‍👩‍👧‍👦", "e\u{301}\u{301}\u{301}", "עברית", "\u{202e}abc", "\u{feff}", "\u{10ffff}", "<b>&\"'"])
            .prop_map(String::from),
        1 => (1..3000_usize).prop_map(|length| "long ".repeat(length)),
        1 => any::<String>(),
    ]
}

/// The description of a tensor.
#[derive(Clone, Debug)]
struct Spec {
    size: Vec<i64>,
    kind: Kind,
    fill: Vec<f64>,
    layout: Layout,
}

#[derive(Clone, Copy, Debug)]
enum Layout {
    Plain,
    /// The axes in reverse order in memory.
    Reversed,
    /// Every second element of a tensor that is twice as wide.
    EverySecond,
    /// One value for all elements.
    Expanded,
    /// One value for more elements than there is memory for.
    Huge,
    WithGradient,
}

impl Spec {
    fn tensor(&self) -> Tensor {
        let plain = |size: &[i64]| {
            let count = size.iter().product::<i64>();
            let values: Vec<f64> = self.fill.iter().copied().cycle().take(count as usize).collect();
            Tensor::from_slice(&values).view(size).to_kind(self.kind)
        };
        let expanded = |size: &[i64]| Tensor::from(self.fill[0]).to_kind(self.kind).expand(size, false);
        let mut size = self.size.clone();
        match self.layout {
            Layout::Reversed => {
                size.reverse();
                plain(&size).permute((0..size.len() as i64).rev().collect::<Vec<i64>>())
            }
            Layout::EverySecond if !size.is_empty() => {
                *size.last_mut().unwrap() *= 2;
                plain(&size).slice(-1, None, None, 2)
            }
            Layout::Expanded => expanded(&size),
            Layout::Huge => {
                size.iter_mut().rev().take(2).for_each(|side| *side = 1 << 20);
                expanded(&size)
            }
            Layout::WithGradient if matches!(self.kind, Kind::Float | Kind::Double | Kind::Half) => {
                plain(&size).set_requires_grad(true)
            }
            _ => plain(&size),
        }
    }
}

/// A tensor whose size is generated by `size`.
fn of_size(size: impl Strategy<Value = Vec<i64>>) -> impl Strategy<Value = Spec> {
    let layouts = prop_oneof![
        3 => Just(Layout::Plain),
        5 => select(vec![
            Layout::Reversed,
            Layout::EverySecond,
            Layout::Expanded,
            Layout::Huge,
            Layout::WithGradient,
        ]),
    ];
    let fill = prop_oneof![
        2 => prop::collection::vec(0.0..1.0_f64, 1..9),
        1 => prop::collection::vec(numbers(), 1..9),
        1 => numbers().prop_map(|number| vec![number]),
    ];
    use Kind::*;
    let kinds = vec![Float, Uint8, Int64, Double, Half, BFloat16, Bool, Int, Int8];
    let kinds = prop_oneof![2 => Just(Kind::Float), 1 => Just(Kind::Uint8), 2 => select(kinds)];
    (size, kinds, fill, layouts).prop_map(|(size, kind, fill, layout)| Spec { size, kind, fill, layout })
}

/// Any tensor; most have the shape of a batch, an image or a matrix.
fn tensors() -> impl Strategy<Value = Spec> {
    let side = prop_oneof![4 => 1..9_i64, 1 => Just(0), 1 => select(vec![32, 40, 64])];
    let long = select(vec![3072, 20_000, 70_000]);
    let image = (select(vec![0, 1, 1, 1, 2, 3]), select(vec![0, 1, 3, 3, 4]), side.clone(), side.clone());
    of_size(prop_oneof![
        4 => image.prop_map(|(n, c, h, w)| vec![n, c, h, w]),
        1 => prop::collection::vec(side, 0..6),
        1 => (any::<bool>(), long).prop_map(|(high, n)| if high { vec![1, 1, n, 1] } else { vec![1, n] }),
        1 => select(vec![600, 30]).prop_map(|c| vec![c, 1, 2]),
    ])
}

/// A batch of images for a network, not always of the right size.
fn batches() -> impl Strategy<Value = Spec> {
    let side = select(vec![32, 32, 32, 8, 0, 1, 40]);
    of_size(
        (select(vec![0, 1, 2, 3]), select(vec![3, 3, 3, 1, 0]), side.clone(), side)
            .prop_map(|(n, c, h, w)| vec![n, c, h, w]),
    )
    .prop_filter("little memory", |spec| !matches!(spec.layout, Layout::Huge))
}

/// A matrix, mostly small.
fn matrices() -> impl Strategy<Value = Matrix> {
    (1..9_usize, 1..9_usize, prop::collection::vec(numbers(), 1..20), 0..12_usize).prop_map(
        |(height, width, fill, large)| {
            let (height, width) = if large == 0 { (height * 9, width * 9) } else { (height, width) };
            let values = fill.into_iter().map(|v| v as f32).cycle().take(height * width).collect();
            Matrix::new(height, width, values).unwrap()
        },
    )
}

/// An image, mostly small, sometimes with a very long side.
fn images() -> impl Strategy<Value = Image> {
    let sides = prop_oneof![
        4 => (1..40_i64, 1..40_i64),
        1 => select(vec![(1, 1), (1, 3000), (3000, 1), (2, 60_000), (60_000, 2)]),
    ];
    (sides, select(vec![1, 3]), prop::collection::vec(any::<u8>(), 1..30)).prop_map(|((h, w), c, fill)| {
        let bytes: Vec<u8> = fill.into_iter().cycle().take((c * h * w) as usize).collect();
        Image::from_tensor(&Tensor::from_slice(&bytes).view([c, h, w])).unwrap()
    })
}

#[test]
fn images_from_tensors_and_their_methods() {
    for_a_while((tensors(), sides(), sides(), texts()), |(spec, (top, left), (height, width), name)| {
        let Some(image) = shown(Image::from_tensor(&spec.tensor())) else { return };
        assert_eq!(
            image.tensor().size(),
            [1, image.channels(), image.height(), image.width()].map(|n| n as i64)
        );
        let all = [Ok(image.grey()), Ok(image.rgb()), Ok(image.named(&name))];
        let resized = [image.crop(top, left, height, width), image.resize(height, width)];
        let fitted = [image.cropped_to(height, width), image.letterboxed_to(height, width)];
        for image in all.into_iter().chain(resized).chain(fitted) {
            let Some(image) = shown(image) else { continue };
            assert_eq!(image.tensor_u8().kind(), Kind::Uint8);
            if image.height() * image.width() < 5000 {
                shown(image.figure());
                shown(image.channels_figure());
            }
        }
    });
}

#[test]
fn images_from_files() {
    let folder = TempFolder::new("no-panic-image");
    let extensions = ["png", "jpg", "gif", "bmp", "webp", "txt", ""];
    let headers: [&[u8]; 6] = [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"BM",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"",
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    for_a_while(
        (select(headers.to_vec()), bytes, select(extensions.to_vec()), texts()),
        |(header, bytes, extension, name)| {
            let path = folder.path().join(format!("file.{extension}"));
            std::fs::write(&path, [header, &bytes].concat()).unwrap();
            shown(Image::open(&path));
            shown(open_batch(&path));
            shown(Image::open(&name));
            shown(open_batch(&name));
            shown(LectureNet::load(&path).map(|_| ()));
            shown(Film::load(&name));
        },
    );
    assert!(candidates().iter().all(|candidate| !candidate.name.is_empty()));
}

#[test]
fn matrices_with_any_values() {
    let values = prop::collection::vec(numbers().prop_map(|number| number as f32), 0..30);
    for_a_while((sizes(), sizes(), values, tensors(), texts()), |(height, width, values, spec, title)| {
        let count = values.len();
        let all = [
            Matrix::new(height, width, values.clone()),
            Matrix::new(1, count, values.clone()),
            Matrix::new(count, 1, values),
            Matrix::from_tensor(&spec.tensor()),
        ];
        for matrix in all.into_iter().filter_map(shown) {
            assert_eq!(matrix.values().len(), matrix.height() * matrix.width());
            assert_eq!(matrix.tensor().numel(), matrix.values().len());
            assert_eq!(matrix.transpose().transpose().to_string(), matrix.to_string());
            assert_eq!(matrix.row(height).len(), if height < matrix.height() { matrix.width() } else { 0 });
            shown(matrix.figure(&title));
            shown(matrix.between(matrix.at(0, 0), height as f32).figure(&title));
            shown(matrix.regions(height % 9).figure(&title));
            if let Some(padded) = shown(matrix.padded(width)) {
                shown(padded.figure(&title));
            }
        }
    });
}

#[test]
fn matrices_side_by_side() {
    for_a_while((texts(), prop::collection::vec((texts(), matrices()), 0..5)), |(title, matrices)| {
        let named: Vec<(&str, &Matrix)> =
            matrices.iter().map(|(name, matrix)| (name.as_str(), matrix)).collect();
        shown(side_by_side(&title, &named));
    });
    let matrices = [
        Matrix::from([[f64::NAN; 2]; 2]),
        Matrix::from([[f64::INFINITY, f64::NEG_INFINITY]]),
        Matrix::from([[f64::MAX, f64::MIN]]),
        Matrix::from([[0_u8; 3]; 2]),
        Matrix::from([[i32::MIN, i32::MAX]]),
    ];
    shown(side_by_side("", &matrices.each_ref().map(|matrix| ("", matrix))));
}

#[test]
fn filters_on_matrices_and_photos() {
    let inputs = (texts(), matrices(), numbers(), matrices(), images(), sizes());
    for_a_while(inputs, |(name, kernel, bias, matrix, photo, number)| {
        let own = Filter::new(name, kernel).with_bias(bias as f32);
        let known = [
            Filter::vertical_edge(),
            Filter::horizontal_edge(),
            Filter::falling_diagonal(),
            Filter::rising_diagonal(),
            Filter::blur(),
            Filter::sharpen().with_bias(bias as f32),
            Filter::emboss(),
            Filter::identity(),
        ];
        let known = known[number % known.len()].clone();
        for filter in [own.transpose(), own, known] {
            assert_eq!(filter.weight().numel(), filter.kernels()[0].values().len());
            let _ = (filter.name(), filter.bias(), format!("{filter:?}"));
            shown(filter.figure());
            shown(filter.convolve(&matrix));
            shown(filter.step(&matrix, number));
            shown(filter.stride(number).windows(&matrix));
            if matrix.values().len() <= 12 {
                if let Some(steps) = shown(filter.steps(&matrix)) {
                    shown(steps.figure());
                    let _ = format!("{:?}", steps.play());
                }
                shown(filter.play(&matrix));
                shown(matrix.play_pooling(number));
            }
            if photo.width() <= 64 && photo.height() <= 64 {
                shown(filter.play(&photo));
            }
            if let Some(changed) = shown(filter.transform(&photo)) {
                assert_eq!(changed.channels(), photo.channels());
            }
            for filter in [&filter, &filter.for_colour(RED), &filter.stride(number).padding(number / 2)] {
                shown(filter.figure());
                shown(filter.stills(&matrix, number / 2..number));
                shown(filter.step(&photo, number % 4));
                shown(filter.stills(&photo, 0..number % 4));
                if photo.width() <= 5 && photo.height() <= 5 {
                    shown(filter.steps(&photo));
                }
                if let Some(maps) = shown(filter.convolve(&photo)) {
                    check_maps(&maps, number);
                }
            }
            shown(filter.then(&Filter::blur()));
            shown(filter.likeness(&Filter::vertical_edge()));
        }
    });
}

#[test]
fn interactive_figures() {
    let folder = TempFolder::new("no-panic-play");
    for_a_while((texts(), texts(), 0..6_u8, texts()), |(input, layers, level, title)| {
        shown(shape_lab(&input, &layers));
        shown(shape_lab("3x8x9", &layers));
        if let Some(play) = shown(quiz::play(level)) {
            shown(play.save(folder.path().join("quiz.html")));
            shown(Interactive::save_page(&title, &[play], folder.path().join("page.html")));
        }
    });
}

fn check_maps(maps: &FeatureMaps, number: usize) {
    shown(maps.figure());
    shown(maps.relu().figure());
    shown(maps.abs().max_pool(number));
    shown(maps.avg_pool(number));
    shown(maps.channel(number));
    shown(maps.global_avg_pool());
    shown(maps.global_max_pool());
    shown(maps.matrix());
    shown(maps.named(["one"]));
    shown(maps.squared_error(&maps.tensor()));
    shown(FeatureMaps::stack([maps, &maps.relu()]));
    shown(maps.change(&maps.relu()));
}

#[test]
fn filters_and_maps_of_any_tensor() {
    let inputs = (tensors(), tensors(), sizes(), numbers());
    for_a_while(inputs, |(first, second, number, bias)| {
        let (weight, input) = (first.tensor(), second.tensor());
        shown(Filter::random(number, 1));
        if let Some(maps) = shown(FeatureMaps::from_tensor(&input)) {
            check_maps(&maps, number);
        }
        let Some(filter) = shown(Filter::from_tensor("own", &weight)) else { return };
        let filter = filter.with_bias(bias as f32).dilation(number);
        shown(filter.figure());
        if let Some(maps) = shown(filter.convolve(&input)) {
            check_maps(&maps, number);
        }
        let Some(layer) = shown(Filters::stack([&filter, &filter.transpose()])) else { return };
        shown(layer.figure());
        shown(layer.sum().figure());
        shown(layer.convolve(&input));
        if input.numel() < 10_000 {
            let learned = shown(filter.learn(2, |filter| filter.convolve(&input)?.squared_error(&input)));
            if let Some(learned) = learned {
                shown(learned.figure());
                shown(learned.chart("").figure());
            }
        }
    });
}

#[test]
fn boxes_in_photos() {
    let boxes = prop::collection::vec((texts(), [numbers(), numbers(), numbers(), numbers()]), 0..4);
    for_a_while((images(), boxes), |(photo, boxes)| {
        let boxes: Vec<(&str, [f64; 4])> =
            boxes.iter().map(|(name, numbers)| (name.as_str(), *numbers)).collect();
        shown(photo.boxes(&boxes)).map(|found| shown(found.figure()));
        let (h, w) = (photo.height() as f64, photo.width() as f64);
        let whole: Vec<(&str, [f64; 4])> =
            boxes.iter().map(|(name, _)| (*name, [w / 2.0, h / 2.0, w, h])).collect();
        shown(photo.boxes(&whole)).map(|found| shown(found.figure()));
    });
}

#[test]
fn connections_and_shifts() {
    let inputs = (matrices(), matrices(), images(), sizes(), sizes(), sizes());
    for_a_while(inputs, |(kernel, image, photo, height, width, number)| {
        let filter = Filter::new("mine", kernel);
        for filter in [filter.clone(), filter.stride(number), filter.padding(number), filter.for_colour(RED)]
        {
            if let Some(layer) = shown(filter.connections(height, width)) {
                assert_eq!(layer.counts()[0], layer.full().values().len());
                shown(layer.figure());
                shown(layer.multiply(&image));
            }
        }
        for columns in [number, number % 5] {
            if let Some(test) = shown(shift_test(&photo, columns)) {
                assert_eq!(test.left_over().len(), 4);
                shown(test.figure());
            }
        }
    });
}

#[test]
fn bars() {
    for_a_while((sizes(), sizes(), any::<u64>()), |(count, index, seed)| {
        let Some(bars) = shown(Bars::draw(count.min(300), seed)) else { return };
        shown(bars.image(index));
        shown(bars.figure());
        if let Some(maps) = shown(FeatureMaps::from_tensor(&bars.images)) {
            shown(bars.accuracy(&maps));
        }
    });
}

#[test]
fn maps_and_batches_as_figures() {
    for_a_while((tensors(), prop::collection::vec(texts(), 0..4)), |(spec, names)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let tensor = spec.tensor();
        shown(feature_maps(&tensor, &names));
        shown(pictures(names.first().unwrap_or(&""), &tensor, &names));
    });
}

#[test]
fn receptive_fields() {
    let number = || prop_oneof![4 => 0..6_u64, 1 => select(vec![7, 50, 5000, u64::MAX, u64::MAX / 2])];
    let layer = (0..4_u8, number(), number(), number(), number());
    let inputs = (images(), prop::collection::vec(layer, 0..4), sizes(), sizes());
    for_a_while(inputs, |(photo, layers, row, column)| {
        let layer = |(kind, filters, kernel, stride, padding)| -> shapes::Layer {
            match kind {
                0 => conv(filters, kernel).stride(stride).padding(padding).into(),
                1 => max_pool(kernel).into(),
                2 => conv(3, (kernel, stride)).same().into(),
                _ => relu().into(),
            }
        };
        shown(receptive_field(&photo, &layers.into_iter().map(layer).collect(), row, column));
    });
}

#[test]
fn charts() {
    let values = prop_oneof![
        4 => prop::collection::vec(numbers(), 0..9),
        1 => numbers().prop_map(|value| vec![value; 300]),
        1 => (numbers(), 1e-320..1e-3_f64).prop_map(|(value, step)| vec![value, value + step]),
    ];
    let lines = prop::collection::vec((texts(), values), 0..8);
    for_a_while((texts(), texts(), numbers(), lines), |(title, axis, first, lines)| {
        let chart = Chart::new(title, axis.clone(), axis).from(first);
        let chart = lines.iter().fold(chart, |chart, (name, values)| chart.line(name, values));
        shown(chart.figure());
    });
}

#[test]
fn figures_of_pixels() {
    let side = || prop_oneof![4 => 0..9_u32, 1 => select(vec![70_000, u32::MAX, 1 << 31])];
    let frame = (side(), side(), any::<bool>(), 0..300_usize, numbers());
    let folder = TempFolder::new("no-panic-figure");
    let frames = prop::collection::vec(frame, 0..4);
    for_a_while((frames, texts(), texts()), |(frames, alt, name)| {
        // `shown` requires an alternative text.
        let alt = format!("a figure{alt}");
        let frames = frames.into_iter().map(|(width, height, fits, bytes, stay)| {
            let needed = u128::from(width) * u128::from(height) * 3;
            let bytes = if fits && needed < 1000 { needed as usize } else { bytes };
            (Pixels { width, height, rgb: vec![7; bytes] }, stay as f32)
        });
        let frames: Vec<(Pixels, f32)> = frames.collect();
        for (pixels, _) in &frames {
            shown(Figure::still(pixels, alt.clone(), name.clone()));
        }
        let identical: Vec<(Pixels, f32)> = frames.first().map_or(vec![], |first| vec![first.clone(); 3]);
        shown(Figure::animation(&identical, alt.clone(), ""));
        if let Some(figure) = shown(Figure::animation(&frames, alt, "")) {
            // Any name, but inside the folder of this test.
            let file = name.replace(['/', '\\'], "_");
            shown(figure.save(folder.path().join(&file)));
            shown(figure.save(folder.path().join("none").join(&file)));
            shown(figure.save_slide(folder.path().join(&file)));
        }
    });
}

#[test]
fn data_sets() {
    let count = || sizes().prop_filter("little memory", |count| *count <= 100 || *count > 1_000_000);
    let inputs = (count(), count(), any::<u64>(), tensors(), tensors());
    let net = LectureNet::new(
        LectureNetConfig { maps: [2, 3, 4], pooling: true, ..LectureNetConfig::default() },
        1,
        Device::Cpu,
    )
    .unwrap();
    for_a_while(inputs, |(train, test, seed, images, labels)| {
        shown(Shapes10::draw(train, seed));
        for place in [Place::Anywhere, Place::Left, Place::Right] {
            shown(Shapes10::draw_at(place, test, seed));
        }
        let (images, labels) = (images.tensor(), labels.tensor());
        if seed % 50 == 0 {
            shown(Dataset::animals_and_vehicles());
        }
        shown(Dataset::signs(if train > 50 && train <= 10_000 { 50 } else { train }, seed));
        if let Some(data) = shown(Dataset::shapes10(train, test, seed)) {
            assert_eq!(data.train.len(), train);
            assert!(data.balance().iter().map(|(train, _)| train).sum::<usize>() == train);
            shown(data.figure());
            shown(data.judge(&net));
        }
        let examples = || Examples { images: images.shallow_clone(), labels: labels.shallow_clone() };
        let name = String::from("own");
        let data = Dataset {
            name,
            classes: Cifar10::NAMES.map(str::to_owned).to_vec(),
            train: examples(),
            test: examples(),
            notes: vec![],
        };
        let _ = (data.balance(), format!("{data:?}"), data.train.is_empty());
        shown(data.train.with_images(images.shallow_clone()));
        shown(data.train.to_device(Device::Cpu));
        shown(data.first(train, test));
        shown(data.train.first(train));
        if images.numel() < 100_000 {
            shown(data.figure());
            shown(data.balance_figure());
            shown(data.train.with_corner(&[train as i64, 0]));
            let settings = FitSettings {
                shift: test % 20,
                flip: seed % 2 == 0,
                seed,
                epochs: 1,
                ..FitSettings::default()
            };
            shown(data.train.augmented(train, &settings, test));
            for only_head in [true, false] {
                let net = net.to_device(Device::Cpu).unwrap();
                shown(if only_head {
                    net.train_head(&data, &settings)
                } else {
                    net.train_all(&data, &settings)
                });
            }
            let folder = TempFolder::new("no-panic-photos");
            let path = folder.path().join("photos");
            if shown(data.write_folder(&path)).is_some() {
                let settings = FolderSettings { side: test, test: 1.0 / train as f64, seed };
                shown(Dataset::from_folder_with(&path, &settings));
                shown(Dataset::from_folder(&path));
            }
            shown(data.judge(&net));
            shown(data.train.picture(train));
            shown(data.train.see(&net, train, Cifar10::NAMES));
        }
    });
}

#[test]
fn permutations_of_pixels() {
    let lengths = prop_oneof![
        4 => 1..2000_i64,
        1 => select(vec![0, -1, i64::MIN, i64::MAX, 100_000_001]),
    ];
    for_a_while((lengths, any::<u64>(), tensors()), |(length, seed, spec)| {
        let tensor = spec.tensor();
        let size = tensor.size();
        let matching = match size[..] {
            [.., h, w] => h.checked_mul(w).filter(|positions| *positions < 10_000).unwrap_or(length),
            _ => length,
        };
        for length in [length, matching] {
            let Some(permutation) = shown(Permutation::random(length, seed)) else { continue };
            assert_eq!(permutation.positions().len() as i64, length);
            if let Ok(shuffled) = permutation.apply(&tensor) {
                assert_eq!(shuffled.size(), size);
                let back = permutation
                    .inverse()
                    .apply(&shuffled)
                    .unwrap()
                    .to_kind(Kind::Double)
                    .nan_to_num(0.0, None, None);
                assert_eq!(back, tensor.to_kind(Kind::Double).nan_to_num(0.0, None, None));
            }
        }
    });
}

#[test]
fn small_networks() {
    let inputs =
        (batches(), tensors(), tensors(), sizes(), sizes(), numbers(), sizes(), any::<u64>(), texts());
    for_a_while(inputs, |(batch, images, labels, epochs, batch_size, learning_rate, shift, seed, name)| {
        let batch = batch.tensor();
        for net in [SmallNet::mlp(seed), SmallNet::cnn(seed), SmallNet::cnn_flat(seed)] {
            assert!(net.parameters() > 0);
            let _ = format!("{net:?}");
            shown(net.predict(&batch));
            shown(summary(&net, &batch));
            let data = Examples { images: images.tensor(), labels: labels.tensor() };
            shown(net.accuracy(&data));
            let drawn = Shapes10::draw(12, seed).unwrap();
            // Few epochs, which are trained, or too many, which are refused.
            let epochs = if epochs > 10_000 { epochs } else { epochs % 3 };
            let settings =
                FitSettings { epochs, batch_size, learning_rate, shift, flip: seed % 2 == 1, seed };
            for (train, test) in [(&drawn, &drawn), (&data, &drawn), (&drawn, &data)] {
                if let Some(curve) = shown(net.train(&name, train, test, &settings)) {
                    assert!((0.0..=1.0).contains(&curve.last_accuracy()));
                }
            }
            let vs = tch::nn::VarStore::new(Device::Cpu);
            let own = tch::nn::seq().add_fn(|images| images.flatten(1, -1)).add(tch::nn::linear(
                vs.root(),
                3 * 32 * 32,
                10,
                Default::default(),
            ));
            if data.images.numel() < 100_000 {
                for (train, test) in [(&drawn, &drawn), (&data, &drawn), (&drawn, &data)] {
                    shown(fit(&name, &own, &vs, train, test, &settings));
                }
            }
            shown(shuffled_pixels(&data, &drawn, &settings));
            shown(shuffled_pixels(&drawn, &drawn, &settings).map(|all| all.curves().len()));
            shown(moved_shapes(&[&net], &data, &drawn));
            shown(moved_shapes(&[&net, &net], &drawn, &drawn));
        }
    });
}

#[test]
fn networks_with_any_config_on_any_batch() {
    let maps = || prop_oneof![6 => 1..6_i64, 1 => select(vec![0, -1, i64::MIN, i64::MAX, 4097])];
    let configs = ([maps(), maps(), maps()], any::<bool>());
    let folder = TempFolder::new("no-panic-net");
    let devices = select(vec![Device::Cpu, Device::Cuda(99), Device::Mps, Device::Vulkan]);
    let inputs = (configs, batches(), tensors(), texts(), sizes(), devices);
    for_a_while(inputs, |((maps, pooling), batch, tensor, name, channel, device)| {
        let config = LectureNetConfig { maps, pooling, ..LectureNetConfig::default() };
        let _ = (config.layers(), shown(config.chain().on([1, 3, 32, 32]).ok()));
        let on_cpu = LectureNet::new(config, 3, Device::Cpu);
        if device != Device::Cpu && on_cpu.is_ok() {
            assert!(shown(LectureNet::new(config, 3, device).map(|net| net.config())).is_none());
        }
        let Some(Net(net)) = shown(on_cpu.map(Net)) else { return };
        assert!(net.parameters() > 0 && net.device() == Device::Cpu && net.names().len() > 20);
        for batch in [batch.tensor(), tensor.tensor()] {
            if batch.size().iter().try_fold(1_i64, |all, n| all.checked_mul(*n)).is_none_or(|n| n > 100_000) {
                continue;
            }
            shown(net.logits(&batch));
            shown(net.maps(&batch).map(|maps| maps.len()));
            for name in [name.as_str(), "block2", "head"] {
                shown(net.map(&batch, name));
            }
            shown(summary(&net, &batch));
            let labels =
                Tensor::zeros([batch.size().first().copied().unwrap_or(0)], (Kind::Int64, Device::Cpu));
            let examples = Examples { images: batch, labels };
            for flips in [false, true] {
                if let Some(report) = shown(evaluate(&net, &examples, Cifar10::NAMES, flips)) {
                    check_report(&report, &examples, channel);
                }
            }
        }
        for name in [name.as_str(), "block2", "block1.conv1"] {
            shown(net.filters(name));
            shown(net.without(name, channel).map(|net| net.parameters()));
            let names = [name, "dog"].repeat(1 + channel % 2);
            assert!(
                shown(net.with_classes(&names).map(|net| net.classes().len())).is_none_or(|count| count == 2)
            );
            shown(net.with_classes_at(&names, channel).map(|net| net.parameters()));
        }
        shown(net.to_device(device).map(|net| net.parameters()));
        let file = folder.path().join(format!("{}.safetensors", name.replace(['/', '\\'], "_")));
        if shown(net.save(&file)).is_some() {
            assert!(shown(LectureNet::load(&file).map(|net| net.config())).is_some());
        }
    });
}

/// A network with a short `Debug`.
struct Net(LectureNet);

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.config())
    }
}

fn check_report(report: &Report, examples: &Examples, count: usize) {
    let _ = (report.to_string(), report.json(), report.mistakes(), report.confusion());
    let _ = (report.accuracy(), report.class_accuracy(), report.interval());
    shown(report.figure());
    shown(report.clone().titled("<&>").figure());
    shown(report.most_confident_mistakes(examples, count));
    shown(report.beside(report, ["", "<&>"]));
}

#[test]
fn layers_with_names() {
    let layers = prop::collection::vec((texts(), 0..5_u8, 1..5_i64, 1..4_i64), 0..5);
    for_a_while((layers, batches(), tensors(), texts()), |(layers, batch, tensor, pattern)| {
        let variables = tch::nn::VarStore::new(Device::Cpu);
        let layers: Vec<(String, Box<dyn tch::nn::ModuleT>)> = layers
            .into_iter()
            .enumerate()
            .map(|(index, (name, kind, maps, kernel))| {
                let path = variables.root() / format!("layer{index}");
                let layer: Box<dyn tch::nn::ModuleT> = match kind {
                    0 => Box::new(tch::nn::conv2d(path, 3, maps, kernel, Default::default())),
                    1 => Box::new(tch::nn::linear(path, maps, kernel, Default::default())),
                    2 => Box::new(tch::nn::batch_norm2d(path, maps, Default::default())),
                    3 => Box::new(tch::nn::func(|maps| maps.relu())),
                    _ => Box::new(tch::nn::func(|maps| maps.max_pool2d_default(2).flatten(1, -1))),
                };
                (name, layer)
            })
            .collect();
        let layers: Vec<(&str, &dyn tch::nn::ModuleT)> =
            layers.iter().map(|(name, layer)| (name.as_str(), layer.as_ref())).collect();
        for batch in [batch.tensor(), tensor.tensor()] {
            if matches!(tensor.layout, Layout::Huge) {
                continue;
            }
            shown(summary(&named(&variables, &layers), &batch));
            shown(summary(&named(None, &layers), &batch));
            shown(summary(&with_weights(&named(None, &layers), &variables), &batch));
            shown(check(&batch, &pattern));
            shown(check_all(&[(&batch, "N C H W"), (&batch, &pattern)]));
            // A layer that fails must not leave gradients turned off.
            let weight = Tensor::ones([2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
            assert!((&weight + 1.0).requires_grad(), "gradients are off after a summary");
        }
    });
    assert!(!machine().is_empty() && device() == nchw::device());
}

/// Networks; some have the same value in all their first weights, so that the output may not be finite.
fn networks() -> impl Strategy<Value = Net> {
    let fill = prop_oneof![2 => Just(None), 1 => numbers().prop_map(Some)];
    (1..9_i64, any::<bool>(), fill).prop_map(|(maps, pooling, fill)| {
        let config =
            LectureNetConfig { maps: [maps, maps + 1, maps + 2], pooling, ..LectureNetConfig::default() };
        let net = LectureNet::new(config, 3, Device::Cpu).unwrap();
        if let Some(fill) = fill {
            // tch's function panics if the number is out of range for the kind.
            let fill = f64::from(fill as f32);
            let _ = tch::no_grad(|| net.filters("block1.conv1").unwrap().fill_(fill));
        }
        Net(net)
    })
}

#[test]
fn what_a_network_sees() {
    let photo = prop_oneof![2 => Just(None), 1 => images().prop_map(Some)];
    let names = prop_oneof![
        1 => texts(),
        4 => select(vec!["block1", "block2", "block3", "block1.conv1", "block2.relu3", "head"]).prop_map(String::from),
    ];
    let inputs = (networks(), photo, names, sizes(), sizes(), numbers(), 0..6_usize);
    for_a_while(inputs, |(Net(net), photo, name, row, column, weight, part)| {
        let samples = Cifar10::samples().unwrap();
        if let Some(photo) = &photo {
            shown(net.play(photo));
        }
        let Some(view) = shown(match &photo {
            Some(photo) => see(&net, photo, Cifar10::NAMES),
            None => samples.see(&net, row % 20, Cifar10::NAMES),
        }) else {
            return;
        };
        let view: View = if column.is_multiple_of(2) { view.labelled(row) } else { view };
        let _ = (
            view.label(),
            view.picture(),
            shown(view.answer().map(|answer| format!("{answer:?}"))),
            shown(view.probabilities().map(|all| format!("{all:?}"))),
        );
        shown(view.tensor(&name));
        // Drawing takes most of the time, so each input draws only some of the figures.
        match part {
            0 => {
                shown(view.figure());
                shown(view.trace(&name, row, column));
            }
            1 => {
                shown(view.blocks());
                shown(view.drawing());
                shown(view.loss());
                shown(view.scores().map(|scores| scores.len()));
            }
            2 => {
                if let Some(grid) = shown(view.maps(&name)) {
                    check_grid(grid, row, column);
                }
            }
            3 => check_heat_maps(&view, &name, row, column),
            4 => check_mix(&view, &name, &[(column % 4, weight), (row, 1.0), (0, f64::NAN)]),
            _ => {
                if let Some(semantic) = shown(view.semantic(&name)) {
                    let semantic: Semantic = semantic;
                    assert!(semantic.present().len() <= semantic.tensor().unwrap().numel());
                    shown(semantic.figure());
                    shown(semantic.name(usize::MAX, "ear"));
                }
            }
        }
    });
}

fn check_heat_maps(view: &View, name: &str, row: usize, column: usize) {
    let heat_maps = [
        view.sum(name),
        view.mean(name),
        view.max(name),
        view.channel(name, column),
        view.grad_cam(name, row),
        view.grad_cam(name, 8),
        view.occlusion(row),
    ];
    for heat in heat_maps.into_iter().filter_map(shown) {
        let heat: Heat = heat;
        shown(heat.enlarged());
        assert_eq!(heat.tensor().dim(), 2);
        shown(heat.figure());
    }
    shown(view.compare(name));
}

fn check_grid(grid: MapGrid, row: usize, column: usize) {
    let grid = if row.is_multiple_of(2) { grid.own_scale() } else { grid };
    let grid = if column.is_multiple_of(2) { grid.strongest_first() } else { grid };
    assert_eq!(grid.order().unwrap().len() as i64, grid.tensor().size()[1]);
    shown(grid.figure());
}

fn check_mix(view: &View, name: &str, weights: &[(usize, f64)]) {
    for count in 0..=weights.len() {
        let Some(mix) = shown(view.mix(name, &weights[..count])) else { continue };
        let mix: Mix = mix;
        assert_eq!(mix.tensor().dim(), 2);
        shown(mix.figure());
        let samples = Cifar10::samples().unwrap();
        let few = Examples { images: samples.images.narrow(0, 0, 3), labels: samples.labels.narrow(0, 0, 3) };
        if let Some(near) = shown(mix.nearest(&few, "block2.relu1")) {
            shown(near.figure());
        }
        shown(mix.nearest(&few, name));
    }
}

#[test]
fn searches_groups_and_gradient_ascent() {
    let names = select(vec!["", "block1", "block1.conv1", "block2.pool", "block3", "head", "채널"]);
    let inputs = (networks(), names, sizes(), texts(), batches(), tensors(), any::<bool>());
    let samples = Cifar10::samples().unwrap();
    for_a_while(inputs, |(Net(net), name, number, text, images, labels, few)| {
        let examples = if few {
            Examples { images: samples.images.narrow(0, 0, 3), labels: samples.labels.narrow(0, 0, 3) }
        } else {
            Examples { images: images.tensor(), labels: labels.tensor() }
        };
        if let Some(search) = shown(heat_search(&net, &examples, Cifar10::NAMES)) {
            let search: HeatSearch = search;
            shown(search.of(&text));
            shown(search.pick(&[number]));
            let hidden: Option<Hidden> = shown(search.hide());
            assert!(hidden.is_none_or(|hidden| hidden.right + hidden.wrong == search.images().len()));
            for found in [search.right().darkest_above(), search.wrong().most_concentrated()] {
                shown(found.figure());
                shown(found.tensor());
            }
            if let Some(misled) = shown(search.misled()) {
                shown(misled.figure());
            }
        }
        if let Some(groups) = shown(groups(&net, &examples, Cifar10::NAMES, name, number % 12)) {
            let groups: Groups = groups;
            shown(groups.figure());
            shown(groups.similarity());
            shown(groups.tensor());
            let Some(groups) = shown(groups.name(number % 3, &text)) else { return };
            let Some(view) = shown(samples.see(&net, number % 20, Cifar10::NAMES)) else { return };
            let map: Option<GroupMap> = shown(groups.map(&view));
            if let Some(map) = map {
                shown(map.figure());
                shown(map.tensor());
            }
        }
        for channels in [&[][..], &[number], &[0, number % 4]] {
            // Eighty steps take a while, so only a name without feature maps goes to other layers.
            let layer = if few { "block1.conv1" } else { "head" };
            if let Some(found) = shown(maximise(&net, layer, channels)) {
                let found: Maximised = found;
                assert_eq!(found.images().len(), found.activations().len());
                shown(found.figure());
            }
        }
    });
}

#[test]
fn filters_patches_albums_and_films() {
    let names = select(vec!["", "block1", "block1.conv1", "block2.conv2", "block3", "head", "채널"]);
    let inputs = (networks(), names, sizes(), batches(), tensors());
    let samples = Cifar10::samples().unwrap();
    for_a_while(inputs, |(Net(net), name, number, images, labels)| {
        let few = Examples { images: samples.images.narrow(0, 0, 3), labels: samples.labels.narrow(0, 0, 3) };
        let random = Examples { images: images.tensor(), labels: labels.tensor() };
        let mut found = Vec::new();
        for examples in [&few, &random] {
            let Some(patches) = shown(patches(&net, examples, name)) else { continue };
            let patches: Patches = patches;
            shown(patches.tensor(number));
            shown(patches.figure(&[0, number]));
            shown(patches.figure(&[]));
            shown(patches.next(&[number]));
            shown(patches.named());
            found.push(patches);
        }
        if let Some(bank) = shown(filters(&net, name)) {
            let bank: FilterBank = bank;
            assert_eq!(bank.tensor().dim(), 4);
            shown(bank.figure());
            shown(bank.by_colour());
            for number in [0, number] {
                shown(bank.filter(number));
                found.iter().for_each(|patches| drop(shown(bank.beside(number, patches))));
            }
        }
        if let Some(report) = shown(evaluate(&net, &few, Cifar10::NAMES, false)) {
            for examples in [&few, &random] {
                if let Some(album) = shown(album(&net, examples, &report, number)) {
                    let album: Album = album;
                    assert!(album.views().len() <= 12);
                    shown(album.figure());
                }
            }
            // A report whose fields were changed.
            let changed = Report { labels: vec![number; 3], answers: vec![11], ..report };
            check_report(&changed, &few, number);
            shown(album(&net, &few, &changed, 2));
        }
    });
    let film = Film::shipped().unwrap();
    for frame in [0, 12, 13, usize::MAX] {
        shown(film.frame(frame));
    }
    for block in ["block1", "block9", "", "head"] {
        shown(film.maps(block));
    }
    shown(film.filters());
    shown(film.strip());
    shown(LectureNet::milestones().map(|way| way.to_string()));
    shown(LectureNet::milestones().map(|way| way.figure()));
}
