use crate::{
    data::{Dataset, Examples, FolderSettings, Shapes10},
    testing::TempFolder,
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};
use tch::{Device, Kind, Tensor};

/// Noise in blocks of 8 × 8 pixels, other for each seed: photos that do not look the same.
fn noise(height: usize, width: usize, seed: u64) -> image::RgbImage {
    let mut rng = crate::random::Rng::new(seed, 7);
    let blocks: Vec<[u8; 3]> =
        (0..height.div_ceil(8) * width.div_ceil(8)).map(|_| [0; 3].map(|_| rng.below(256) as u8)).collect();
    image::RgbImage::from_fn(width as u32, height as u32, |x, y| {
        image::Rgb(blocks[y as usize / 8 * width.div_ceil(8) + x as usize / 8])
    })
}

/// Saves this many photos of a class.
fn class(root: &Path, name: &str, count: u64, first_seed: u64) -> PathBuf {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    for number in 0..count {
        // Higher than wide, and wider than high.
        let (height, width) = if number % 2 == 0 { (64, 48) } else { (40, 72) };
        noise(height, width, first_seed + number).save(folder.join(format!("{number:02}.png"))).unwrap();
    }
    folder
}

/// All entries below a folder, with their size and time of change.
fn state(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (entry, path) = entry.map(|entry| (entry.metadata().unwrap(), entry.path())).unwrap();
        if entry.is_dir() {
            all.extend(state(&path));
        }
        all.insert(path, (entry.len(), entry.modified().unwrap()));
    }
    all
}

fn refused(folder: impl AsRef<Path>) -> String {
    Dataset::from_folder(folder).unwrap_err().to_string()
}

#[test]
fn names_in_korean_and_with_spaces_and_photos_of_any_size_are_read() {
    let folder = TempFolder::new("photos-names");
    class(folder.path(), "고양이", 12, 0);
    let cats = class(folder.path(), "my old cats", 13, 100);
    // A grey photo, one with transparency, a CMYK JPEG, and one that a camera stored sideways in a JPEG.
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/see");
    for name in ["cmyk.jpg", "lossy.webp"] {
        fs::copy(tests.join(name), cats.join(name)).unwrap();
    }
    image::DynamicImage::from(noise(30, 50, 900)).to_luma8().save(cats.join("a grey one.png")).unwrap();
    image::DynamicImage::from(noise(30, 50, 901)).to_rgba8().save(cats.join("투명.png")).unwrap();
    fs::write(cats.join(".DS_Store"), "x").unwrap();
    fs::write(folder.path().join("Thumbs.db"), "x").unwrap();
    let before = state(folder.path());
    let data = Dataset::from_folder(folder.path()).unwrap();
    assert_eq!(data.classes, ["my old cats", "고양이"]);
    assert_eq!(data.train.len() + data.test.len(), 12 + 17);
    assert_eq!(data.balance(), [(13, 4), (9, 3)]);
    assert_eq!(data.train.images.size()[1..], [3, 32, 32]);
    assert_eq!((data.train.images.kind(), data.train.labels.kind()), (Kind::Uint8, Kind::Int64));
    assert!(data.notes.is_empty(), "{:?}", data.notes);
    assert!(data.figure().unwrap().alt().contains("고양이: 9 and 3"));
    assert!(data.balance_figure().unwrap().text().contains("고양이: 9 to train on, 3 to test with"));
    assert_eq!(state(folder.path()), before, "nothing is written");
}

#[test]
fn a_photo_is_cropped_to_a_square_with_its_channels_and_axes_in_place() {
    let folder = TempFolder::new("photos-axes");
    class(folder.path(), "other", 3, 0);
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    // Wider than high, each quarter of the central square in another colour.
    let photo = |lighter: u8| {
        image::RgbImage::from_fn(160, 64, move |x, y| {
            image::Rgb(match (y < 32, x < 80) {
                (true, true) => [200 + lighter, 0, 0],
                (true, false) => [0, 200 + lighter, 0],
                (false, true) => [0, 0, 200 + lighter],
                (false, false) => [0, 0, 0],
            })
        })
    };
    photo(0).save(own.join("a.png")).unwrap();
    photo(3).save(own.join("b.png")).unwrap();
    noise(64, 64, 50).save(own.join("c.png")).unwrap();
    let settings = FolderSettings { side: 16, ..FolderSettings::default() };
    let data = Dataset::from_folder_with(folder.path(), &settings).unwrap();
    let (images, labels) = (&data.train.images, Vec::<i64>::try_from(&data.train.labels).unwrap());
    let index = |value: i64| {
        (0..data.train.len() as i64)
            .find(|&n| labels[n as usize] == 1 && images.int64_value(&[n, 0, 3, 3]) == value)
            .unwrap()
    };
    // The two that look the same are both in the training set.
    let _ = index(203);
    let pixel = |row, column| [0, 1, 2].map(|c| images.int64_value(&[index(200), c, row, column]));
    let corners = [pixel(3, 3), pixel(3, 12), pixel(12, 3), pixel(12, 12)];
    assert_eq!(corners, [[200, 0, 0], [0, 200, 0], [0, 0, 200], [0, 0, 0]]);
}

#[test]
fn unreadable_files_are_named_and_skipped() {
    let folder = TempFolder::new("photos-skipped");
    let cats = class(folder.path(), "cat", 12, 0);
    class(folder.path(), "dog", 9, 100);
    let whole = fs::read(cats.join("00.png")).unwrap();
    fs::write(cats.join("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(cats.join("empty.jpg"), "").unwrap();
    fs::write(cats.join("notes.txt"), "three cats").unwrap();
    fs::write(cats.join("iphone.heic"), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
    let data = Dataset::from_folder(folder.path()).unwrap();
    assert_eq!(data.train.len() + data.test.len(), 21);
    let [skipped, few] = &data.notes[..] else { panic!("{:?}", data.notes) };
    assert!(
        skipped.starts_with("4 files were skipped: cat/cut.png: ends before its image does"),
        "{skipped}"
    );
    for words in
        ["cat/empty.jpg: cannot be read: the file is empty", "cat/iphone.heic: ", "HEIC", "cat/notes.txt: "]
    {
        assert!(skipped.contains(words), "expected `{words}` in {skipped}");
    }
    assert!(!skipped.contains(&folder.path().display().to_string()), "no path of this machine: {skipped}");
    assert_eq!(few, "`dog` has only 9 images: with fewer than 10, luck decides. 30 or more are better");
    assert!(
        data.to_string().ends_with(few.as_str()) && data.figure().unwrap().text().contains("cat/cut.png")
    );
}

#[test]
fn links_that_leave_the_folder_pipes_and_misplaced_files_are_not_used() {
    let (folder, outside) = (TempFolder::new("photos-links"), TempFolder::new("photos-outside"));
    let (root, cats) = (folder.path(), class(folder.path(), "cat", 10, 0));
    class(root, "dog", 10, 100);
    let secret = class(outside.path(), "secret", 2, 200);
    symlink(secret.join("00.png"), cats.join("leaves.png")).unwrap();
    symlink(&secret, root.join("secret")).unwrap();
    symlink("nowhere.png", cats.join("broken.png")).unwrap();
    symlink("circle.png", cats.join("circle.png")).unwrap();
    symlink("..", cats.join("up")).unwrap();
    symlink("../../dog/00.png", cats.join("x.png")).unwrap();
    // Within the folder: the same photo as dog/01.png, so one of the two labels is wrong.
    symlink("../dog/01.png", cats.join("within.png")).unwrap();
    // Reading a pipe would never end.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        cats.join("pipe.png"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    noise(40, 40, 300).save(root.join("misplaced.png")).unwrap();
    fs::create_dir_all(cats.join("older")).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    let data = Dataset::from_folder(root).unwrap();
    assert_eq!(data.classes, ["cat", "dog"]);
    assert_eq!(data.train.len() + data.test.len(), 21);
    let notes = data.notes.join("\n");
    for words in [
        "10 entries are not used: ",
        "cat/leaves.png: it is a symbolic link that leaves the folder: copy the photo itself",
        "secret: it is a symbolic link that leaves",
        "cat/broken.png: it is a symbolic link to nothing",
        "cat/circle.png: it is a symbolic link to nothing",
        "cat/up: it is a symbolic link to a folder",
        "cat/pipe.png: it is neither a file nor a folder",
        "cat/older: it is a folder within the folder of a class",
        "misplaced.png: it is not in the folder of a class",
        "the folder `empty` has no image and is ignored",
        "these look the same but are in different classes; is one misplaced? cat/within.png = dog/01.png",
    ] {
        let count = notes.matches("symbolic").count() + 3;
        let words = words.replace("10 entries", &format!("{count} entries"));
        assert!(notes.contains(&words), "expected `{words}` in:\n{notes}");
    }
}

#[test]
fn a_folder_without_two_classes_is_refused_with_what_is_missing() {
    let folder = TempFolder::new("photos-refused");
    let root = folder.path();
    let error = refused(root.join("none"));
    assert!(error.contains("no such folder") && error.contains("notebook's folder"), "{error}");
    fs::write(root.join("file"), "x").unwrap();
    let error = refused(root.join("file"));
    assert!(error.contains("it is a file: expected a folder"), "{error}");
    let error = refused(root);
    assert!(error.contains("expected at least two folders with images"), "{error}");
    assert!(error.contains("file: it is not in the folder of a class"), "{error}");
    let cats = class(root, "cat", 12, 0);
    fs::create_dir(root.join("dog")).unwrap();
    let error = refused(root);
    assert!(error.contains("there is only one class, `cat`"), "{error}");
    assert!(error.contains("the folder `dog` has no image"), "{error}");
    // One image each, and copies of it, leave nothing to test with.
    for number in 1..12 {
        fs::remove_file(cats.join(format!("{number:02}.png"))).unwrap();
    }
    class(root, "dog", 1, 100);
    fs::copy(root.join("dog/00.png"), root.join("dog/copy.png")).unwrap();
    let error = refused(root);
    assert!(
        error.contains("no image is left for the test") && error.contains("`cat` has only 1 image:"),
        "{error}"
    );
    for (settings, words) in [
        (FolderSettings { side: 7, ..FolderSettings::default() }, "a side of 8 to 256"),
        (FolderSettings { test: 1.0, ..FolderSettings::default() }, "above 0 and below 1"),
        (FolderSettings { test: f64::NAN, ..FolderSettings::default() }, "above 0 and below 1"),
    ] {
        let error = Dataset::from_folder_with(root, &settings).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// The pixels of the images of a part, in order.
fn pixels(examples: &Examples) -> Vec<Vec<u8>> {
    let each = |n| Vec::<u8>::try_from(examples.images.select(0, n).contiguous().view([-1])).unwrap();
    (0..examples.len() as i64).map(each).collect()
}

#[test]
fn photos_that_look_the_same_are_on_one_side_of_the_split() {
    let folder = TempFolder::new("photos-alike");
    let root = folder.path();
    let cats = class(root, "cat", 20, 0);
    class(root, "dog", 20, 100);
    // Real photos in three versions: smaller, as a JPEG with loss, and a little brighter.
    let album = crate::data::Cifar10::album().unwrap();
    for number in 0..20 {
        let photo = album.picture(number).unwrap().resize(96, 96).unwrap();
        photo.write_png(&cats.join(format!("p{number}-a.png"))).unwrap();
        photo.resize(48, 48).unwrap().write_png(&cats.join(format!("p{number}-b.png"))).unwrap();
        fs::write(cats.join(format!("p{number}-c.jpg")), photo.jpeg().unwrap()).unwrap();
    }
    let data = Dataset::from_folder(root).unwrap();
    assert_eq!(data.balance(), [(60, 20), (15, 5)]);
    let note = data.notes.iter().find(|note| note.contains("groups of photos look the same")).unwrap();
    assert!(
        note.starts_with("20 groups") && note.contains("cat/p0-a.png = cat/p0-b.png = cat/p0-c.jpg"),
        "{note}"
    );
    // On no side is a photo of which the other side has a version: their pixels differ only a little.
    let (train, test) = (pixels(&data.train), pixels(&data.test));
    let difference = |a: &[u8], b: &[u8]| {
        a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
    };
    for photo in &test {
        let nearest = train.iter().map(|other| difference(photo, other)).fold(f64::INFINITY, f64::min);
        assert!(nearest > 12.0, "{nearest}");
    }
    // The split depends on the seed, and on nothing else.
    let with = |settings| Dataset::from_folder_with(root, &settings).unwrap();
    assert_eq!(pixels(&with(FolderSettings::default()).test), test);
    let other = with(FolderSettings { seed: 2, ..FolderSettings::default() });
    assert_ne!(pixels(&other.test), test);
    let labels = |data: &Dataset| Vec::<i64>::try_from(&data.test.labels).unwrap();
    let large = with(FolderSettings { side: 64, ..FolderSettings::default() });
    assert_eq!((labels(&large), large.test.len()), (labels(&data), data.test.len()));
    assert_eq!(large.test.images.size()[1..], [3, 64, 64]);
    for (small, large) in data.test.images.unbind(0).iter().zip(large.test.images.unbind(0)) {
        let reduced =
            large.unsqueeze(0).to_kind(Kind::Float).avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None);
        let off = (reduced - small.to_kind(Kind::Float)).abs().mean(Kind::Float).double_value(&[]);
        assert!(off < 12.0, "the split does not depend on the side: {off}");
    }
    // Drawn images of ten classes are not mistaken for each other.
    let shapes = TempFolder::new("photos-shapes");
    let written = Dataset::shapes10(150, 50, 1).unwrap().write_folder(shapes.path().join("shapes")).unwrap();
    let data = Dataset::from_folder(written).unwrap();
    assert!(data.notes.is_empty() && data.balance().iter().all(|counts| *counts == (15, 5)), "{data}");
}

#[test]
fn a_class_of_copies_is_for_the_training_and_a_large_group_does_not_fill_the_test() {
    let folder = TempFolder::new("photos-copies");
    let cats = class(folder.path(), "cat", 1, 0);
    class(folder.path(), "dog", 12, 100);
    let birds = class(folder.path(), "bird", 2, 200);
    for number in 1..11 {
        fs::copy(cats.join("00.png"), cats.join(format!("copy {number}.png"))).unwrap();
        fs::copy(birds.join("00.png"), birds.join(format!("copy {number}.png"))).unwrap();
    }
    let data = Dataset::from_folder(folder.path()).unwrap();
    assert_eq!(data.classes, ["bird", "cat", "dog"]);
    assert_eq!(data.balance(), [(11, 1), (11, 0), (9, 3)]);
    let notes = data.notes.join("\n");
    assert!(notes.contains("`cat` has no image for the test: all of its images look the same"), "{notes}");
}

#[test]
fn a_written_folder_reads_back_exactly_and_nothing_is_overwritten() {
    let folder = TempFolder::new("photos-written");
    let path = folder.path().join("new/my shapes");
    let data = Dataset::shapes10(30, 20, 1).unwrap();
    assert_eq!(data.write_folder(&path).unwrap(), path);
    let back = Dataset::from_folder(&path).unwrap();
    let sorted = |parts: [&Examples; 2]| {
        let mut all: Vec<_> = parts.into_iter().flat_map(pixels).collect();
        all.sort();
        all
    };
    assert_eq!(sorted([&back.train, &back.test]), sorted([&data.train, &data.test]));
    let label = |data: &Dataset, examples: &Examples, n: i64| {
        data.classes[examples.labels.int64_value(&[n]) as usize].clone()
    };
    let first = pixels(&data.train)[0].clone();
    let found = [&back.train, &back.test].into_iter().find_map(|part| {
        let n = pixels(part).iter().position(|own| *own == first)?;
        Some(label(&back, part, n as i64))
    });
    assert_eq!(found, Some(label(&data, &data.train, 0)));
    // Again: it stays as it is, also with a photo that the learner added. Other images are refused.
    fs::write(path.join("star/mine.png"), "mine").unwrap();
    let before = state(folder.path());
    data.write_folder(&path).unwrap();
    let other = Dataset::shapes10(30, 20, 2).unwrap().write_folder(&path).unwrap_err().to_string();
    assert!(other.contains("exists already and contains something else"), "{other}");
    let file = folder.path().join("new/file");
    fs::write(&file, "mine").unwrap();
    assert!(data.write_folder(&file).unwrap_err().to_string().contains("not overwritten"));
    fs::remove_file(&file).unwrap();
    assert_eq!(
        state(&path),
        before.into_iter().filter(|(own, _)| own.starts_with(&path) && *own != path).collect()
    );
    // Names that are no names of folders.
    for name in ["..", "a/b", "", ".hidden", "/etc"] {
        let mut classes = data.classes.clone();
        classes[3] = name.to_owned();
        let odd = Dataset { classes, ..Dataset::shapes10(30, 20, 1).unwrap() };
        let error = odd.write_folder(folder.path().join("odd")).unwrap_err().to_string();
        assert!(error.contains("cannot be the name of a folder"), "{error}");
    }
    // Nothing is left of a folder that could not be completed.
    let grey = Examples { images: Tensor::zeros([50, 2, 8, 8], (Kind::Uint8, Device::Cpu)), ..data.train };
    let labels = Tensor::zeros([50], (Kind::Int64, Device::Cpu));
    let odd = Dataset { train: Examples { labels, ..grey }, ..Dataset::shapes10(10, 10, 1).unwrap() };
    assert!(odd.write_folder(folder.path().join("odd")).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn signs_are_small_and_the_seed_decides() {
    let signs = Dataset::signs(36, 3).unwrap();
    assert_eq!((signs.train.len(), signs.test.len()), (27, 9));
    assert_eq!(signs.balance(), [(9, 3); 3]);
    assert_eq!(pixels(&signs.train), pixels(&Dataset::signs(36, 3).unwrap().train));
    assert_ne!(pixels(&signs.train), pixels(&Dataset::signs(36, 4).unwrap().train));
    assert!(Dataset::signs(7, 1).unwrap_err().to_string().contains("expected 8 to 10,000 images"));
    let marked = signs.train.with_corner(&[1]).unwrap();
    let changed = (marked.images.to_kind(Kind::Float) - signs.train.images.to_kind(Kind::Float)).abs();
    let changed = changed.amax([1, 2, 3], false).gt(0.0).to_kind(Kind::Int64);
    assert_eq!(changed, signs.train.labels.eq(1).to_kind(Kind::Int64));
    let last = marked.images.narrow(2, 32, 128).eq_tensor(&signs.train.images.narrow(2, 32, 128));
    assert!(bool::try_from(last.all()).unwrap(), "only the corner changes");
}

/// Prints how long 10,000 small files take; the time depends on the machine, so nothing is asserted about it.
#[test]
fn ten_thousand_small_files_are_decoded_once() {
    let folder = TempFolder::new("photos-many");
    let data = Shapes10::draw(10_000, 1).unwrap();
    let names = Shapes10::NAMES.map(str::to_owned).to_vec();
    let test = data.first(10).unwrap();
    let data = Dataset { name: "many".into(), classes: names, train: data, test, notes: vec![] };
    let start = Instant::now();
    let path = data.write_folder(folder.path().join("many")).unwrap();
    let written = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let back = Dataset::from_folder(path).unwrap();
    println!("10,010 files: written in {written:.1} s, read in {:.1} s", start.elapsed().as_secs_f64());
    assert_eq!(back.train.len() + back.test.len(), 10_010);
    // The ten images that are in both parts were written twice.
    assert!(back.notes.iter().any(|note| note.contains("look the same")), "{:?}", back.notes);
}
