//! CIFAR-10: where it is looked for, and what it is once it is in memory.

mod album;
mod binary;
mod other;
mod samples;
pub mod shapes10;

pub use binary::{RECORD, Records, read_records};
pub use other::Other;
pub use samples::planes;

use crate::{Error, Result, error::debug_as_display, shapes::commas, shapes10::Shapes10};
use binary::SIDE;
use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
};
use tch::{Device, Tensor};

/// The folder that the archive unpacks to.
pub const FOLDER: &str = "cifar-10-batches-bin";
/// The files of the set: five to train on, one to test with.
pub const FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// Pictures in each file.
pub const PER_FILE: usize = 10_000;

/// Pictures, and what is on each.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]`, `labels` `[N]`
///
/// ```
/// use nchw::prelude::*;
/// let samples: Examples = Cifar10::samples()?;
/// let first = samples.picture(0)?;
/// assert_eq!((first.height(), samples.labels.int64_value(&[0])), (32, 3));
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Examples {
    /// The pictures, `[N, C=3, H=32, W=32]`, kind `Uint8`.
    pub images: Tensor,
    /// The class of each, `[N]`, kind `Int64`, from 0 to 9.
    pub labels: Tensor,
}

/// A data set of ten classes, in memory.
///
/// ```
/// use nchw::prelude::*;
/// let data = Dataset::shapes10(50, 20, 1)?;
/// assert_eq!((data.train.len(), data.test.len()), (50, 20));
/// println!("{}: {:?}", data.name, data.classes);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Dataset {
    /// What it is; figures show this, so that a stand-in is never taken for
    /// the real one.
    pub name: String,
    /// What the labels 0 to 9 stand for.
    pub classes: [&'static str; 10],
    /// What a network learns from.
    pub train: Examples,
    /// What it has never seen.
    pub test: Examples,
}

/// The data set of the lecture: 60,000 small photos in ten classes.
///
/// # Source
/// A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009;
/// <https://www.cs.toronto.edu/~kriz/cifar.html>.
///
/// ```
/// use nchw::prelude::*;
/// let samples = Cifar10::samples()?; // built in; `Cifar10::find()?` is the whole set
/// assert_eq!(samples.images.size(), [20, 3, 32, 32]);
/// assert_eq!(Cifar10::NAMES[3], "cat");
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Cifar10;

impl Examples {
    /// The pictures of a file, as tensors.
    fn from_records(records: &Records) -> Result<Examples> {
        let (count, side) = (records.labels.len() as i64, SIDE as i64);
        let labels: Vec<i64> = records.labels.iter().map(|&label| i64::from(label)).collect();
        Ok(Examples {
            images: Tensor::f_from_slice(&records.pixels)?.f_view([count, 3, side, side])?,
            labels: Tensor::f_from_slice(&labels)?,
        })
    }

    /// N, the number of pictures.
    pub fn len(&self) -> usize {
        self.labels.size().first().map_or(0, |&n| n as usize)
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same in the memory of `device`.
    ///
    /// # Shapes
    /// as before
    ///
    /// # Errors
    /// When the device is not there, or its memory is full.
    pub fn to_device(&self, device: Device) -> Result<Examples> {
        Ok(Examples { images: self.images.f_to_device(device)?, labels: self.labels.f_to_device(device)? })
    }
}

impl fmt::Display for Examples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pictures: images {:?}, labels {:?}",
            commas(self.len() as u64),
            self.images.size(),
            self.labels.size()
        )
    }
}

impl Dataset {
    /// The pictures that the course draws itself, where there is no CIFAR-10:
    /// the same shapes of tensors, ten other classes, and far easier.
    ///
    /// # Shapes
    /// → `train.images` `[train, 3, 32, 32]`, `test.images` `[test, 3, 32, 32]`
    ///
    /// # Errors
    /// When `train` or `test` is 0, or both together are more than a million.
    pub fn shapes10(train: usize, test: usize, seed: u64) -> Result<Dataset> {
        if train == 0 || test == 0 {
            return Err(Error::new(format!(
                "expected at least one picture to train on and one to test with, got train = {train} and test = {test}; \
                 try Dataset::shapes10(10_000, 2_000, {seed})?"
            )));
        }
        let drawn = Shapes10::draw(train.saturating_add(test), seed)?;
        let part = |from: usize, count: usize| -> Result<Examples> {
            let take = |tensor: &Tensor| tensor.f_narrow(0, from as i64, count as i64);
            Ok(Examples { images: take(&drawn.images)?, labels: take(&drawn.labels)? })
        };
        Ok(Dataset {
            name: "Shapes-10 (stand-in: drawn by this course)".into(),
            classes: Shapes10::NAMES,
            train: part(0, train)?,
            test: part(train, test)?,
        })
    }

    /// CIFAR-10 where it is found, else the stand-in, with a printed line that
    /// says so and how to get the real one.
    ///
    /// # Shapes
    /// as [`Cifar10::find`], or 10,000 and 2,000 pictures of [`Dataset::shapes10`]
    ///
    /// # Errors
    /// When `NCHW_DATA` names a folder without the set: that was meant to be used.
    pub fn cifar10_or_stand_in() -> Result<Dataset> {
        let looked = match look(candidates()) {
            Ok(found) => return Ok(found),
            Err(looked) if env::var_os("NCHW_DATA").is_some_and(|set| !set.is_empty()) => {
                return Err(not_found(&looked));
            }
            Err(looked) => looked,
        };
        println!("{}", stands_in(&looked));
        Dataset::shapes10(10_000, 2_000, 1)
    }

    /// The same in the memory of `device`.
    ///
    /// # Shapes
    /// as before
    ///
    /// # Errors
    /// When the device is not there, or its memory is full (CIFAR-10 takes 185 MB).
    pub fn to_device(&self, device: Device) -> Result<Dataset> {
        let (train, test) = (self.train.to_device(device)?, self.test.to_device(device)?);
        Ok(Dataset { name: self.name.clone(), classes: self.classes, train, test })
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, test] = [&self.train, &self.test].map(|part| commas(part.len() as u64));
        let size = self.train.images.size();
        let shape = size.get(1..).unwrap_or(&[]);
        write!(
            f,
            "{}: {train} pictures to train on, {test} to test with, each {shape:?} (C, H, W); ten classes: {}",
            self.name,
            self.classes.join(", ")
        )
    }
}

debug_as_display!(Examples, Dataset);

impl Cifar10 {
    /// What the labels 0 to 9 stand for.
    pub const NAMES: [&str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

    /// Reads the six files of the binary version from a folder.
    ///
    /// # Shapes
    /// → `train.images` `[50000, 3, 32, 32]`, `test.images` `[10000, 3, 32, 32]`
    ///
    /// # Errors
    /// When a file is missing, has another size, or a label above 9: the message
    /// gives the file, the record and the byte.
    pub fn open(folder: impl AsRef<Path>) -> Result<Dataset> {
        let folder = folder.as_ref();
        read_set(folder, &folder.display().to_string(), PER_FILE)
    }

    /// Reads CIFAR-10 from where it is kept: the folder that `NCHW_DATA` names,
    /// and no other when it names one; else `datasets/cifar-10-batches-bin` of
    /// the course, or the user's cache folder.
    ///
    /// # Shapes
    /// as [`Cifar10::open`]
    ///
    /// # Errors
    /// When it is in none of the places (the message lists them), or damaged.
    pub fn find() -> Result<Dataset> {
        look(candidates()).map_err(|looked| not_found(&looked))
    }

    /// The first 20 test pictures, which are part of the program: exact, for a
    /// look without any download.
    ///
    /// # Shapes
    /// → `images` `[20, 3, 32, 32]`, `labels` `[20]`
    ///
    /// # Errors
    /// None is expected.
    pub fn samples() -> Result<Examples> {
        Examples::from_records(&samples::samples()?)
    }

    /// The 10,000 test pictures where CIFAR-10 is found, else the 20 that are built in.
    ///
    /// # Shapes
    /// → `images` `[N, 3, 32, 32]`, `labels` `[N]`
    ///
    /// # Errors
    /// When `NCHW_DATA` names a folder without the set: that was meant to be used.
    pub fn photos() -> Result<Examples> {
        match look(candidates()) {
            Ok(found) => Ok(found.test),
            Err(looked) if env::var_os("NCHW_DATA").is_some_and(|set| !set.is_empty()) => {
                Err(not_found(&looked))
            }
            Err(_) => Cifar10::samples(),
        }
    }
}

/// A place where CIFAR-10 is looked for.
pub struct Candidate {
    /// How messages call it: notebooks are published with what cells print, and
    /// the folders of one's home are nobody's business.
    pub name: String,
    /// The folder that would hold the six files.
    pub folder: PathBuf,
}

/// The places where CIFAR-10 is looked for, in this order.
pub fn candidates() -> Vec<Candidate> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("NCHW_DATA") {
        return vec![Candidate { name: "the folder that NCHW_DATA names".into(), folder }];
    }
    let mut found = Vec::new();
    // From a notebook's own folder, the course's `datasets` is one level up.
    let here = env::current_dir().unwrap_or_default();
    let above = here.ancestors().find(|folder| folder.join("datasets").is_dir());
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    for root in above.into_iter().chain(clone.filter(|&clone| above != Some(clone))) {
        let folder = root.join("datasets").join(FOLDER);
        let whose = if Some(root) == clone { "of the course" } else { "above the folder of this process" };
        found.push(Candidate { name: format!("datasets/{FOLDER} {whose}"), folder });
    }
    // As `cargo xtask` has it.
    let caches = [
        set("NCHW_CACHE").map(|cache| ("NCHW_CACHE", cache)),
        set("XDG_CACHE_HOME").map(|cache| ("XDG_CACHE_HOME/nchw", cache.join("nchw"))),
        env::home_dir().map(|home| ("~/.cache/nchw", home.join(".cache/nchw"))),
    ];
    if let Some((name, cache)) = caches.into_iter().flatten().next() {
        found.push(Candidate { name: format!("{name}/{FOLDER}"), folder: cache.join(FOLDER) });
    }
    found
}

/// A place where there is no whole set, and what is wrong with what is there.
type Looked = (Candidate, Option<Error>);

/// The set from the first place that has it whole; else what each place has.
fn look(places: Vec<Candidate>) -> std::result::Result<Dataset, Vec<Looked>> {
    let mut looked = Vec::new();
    for place in places {
        let read = match place.folder.try_exists() {
            Ok(false) => Err(None),
            _ => read_set(&place.folder, &place.name, PER_FILE).map_err(Some),
        };
        match read {
            Ok(set) => return Ok(set),
            Err(error) => looked.push((place, error)),
        }
    }
    Err(looked)
}

fn not_found(looked: &[Looked]) -> Error {
    let line = |(place, error): &Looked| match error {
        Some(error) => format!("\n  {error}"),
        None => format!("\n  {}: not there", place.name),
    };
    Error::new(format!(
        "CIFAR-10 is in no place where it is looked for:{}\n\
         `nchw data fetch` in a terminal downloads it (170 MB), `nchw data import FILE` takes it from a stick; \
         NCHW_DATA=FOLDER names a folder that has it",
        looked.iter().map(line).collect::<String>()
    ))
}

fn stands_in(looked: &[Looked]) -> String {
    let why = match looked.iter().find_map(|(_, error)| error.as_ref()) {
        Some(error) => format!("CIFAR-10 cannot be used ({error})"),
        None => "CIFAR-10 is not here".into(),
    };
    format!(
        "{why}: Shapes-10, drawn by this course, stands in.\n\
         It is far easier: what it reaches says nothing about CIFAR-10.\n\
         For the real one: `nchw data fetch` in a terminal (170 MB), then this cell again."
    )
}

/// The six files of a folder, which messages call `name`.
fn read_set(folder: &Path, name: &str, per_file: usize) -> Result<Dataset> {
    let mut missing = Vec::new();
    for file in FILES {
        let there = folder.join(file).try_exists();
        if !there.map_err(|e| Error::new(format!("{name}/{file} could not be read: {e}")))? {
            missing.push(file);
        }
    }
    if !missing.is_empty() {
        // The folder in which the archive was unpacked does as well.
        let inside = folder.join(FOLDER);
        if inside.is_dir() {
            return read_set(&inside, &format!("{name}/{FOLDER}"), per_file);
        }
        return Err(Error::new(format!("{name}: {}", incomplete(folder, &missing))));
    }
    let read = |file: &str| read_file(&folder.join(file), &format!("{name}/{file}"), per_file);
    let mut train = Records::default();
    for file in &FILES[..5] {
        train.append(read(file)?);
    }
    Ok(Dataset {
        name: "CIFAR-10".into(),
        classes: Cifar10::NAMES,
        train: Examples::from_records(&train)?,
        test: Examples::from_records(&read(FILES[5])?)?,
    })
}

/// What a folder is that lacks some of the files.
fn incomplete(folder: &Path, missing: &[&str]) -> String {
    let why = if !folder.exists() {
        "there is no such folder".into()
    } else if folder.join("cifar-10-binary.tar.gz").exists() {
        "the archive lies there packed: `nchw data import` with its path unpacks it".into()
    } else if let Some(other) = Other::inside(folder) {
        format!("this is {} ({}): the binary version of CIFAR-10 is needed", other.is, other.archive)
    } else {
        format!("missing there: {}", missing.join(", "))
    };
    format!("expected the six files data_batch_1.bin to data_batch_5.bin and test_batch.bin; {why}")
}

/// The pictures of one file in CIFAR-10's binary format, any number of them.
///
/// # Shapes
/// → `images` `[N, 3, 32, 32]`, `labels` `[N]`
///
/// # Errors
/// When there is no such file, its size is no multiple of 3,073, or a label is
/// above 9: the message gives the record and the byte.
///
/// ```
/// use nchw::prelude::*;
/// let file = std::env::temp_dir().join("nchw-doc-one.bin");
/// std::fs::write(&file, [[3u8; 1].as_slice(), &[0; 3072]].concat()).unwrap();
/// assert_eq!(open_batch(&file)?.labels.int64_value(&[0]), 3);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn open_batch(path: impl AsRef<Path>) -> Result<Examples> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|e| Error::new(format!("could not read {}: {e}", path.display())))?;
    Examples::from_records(&read_records(&bytes, &path.display().to_string())?)
}

/// A file that must hold just `count` records.
fn read_file(path: &Path, what: &str, count: usize) -> Result<Records> {
    let bytes = fs::read(path).map_err(|e| Error::new(format!("could not read {what}: {e}")))?;
    let records = read_records(&bytes, what)?;
    if records.labels.len() != count {
        return Err(Error::new(format!(
            "{what}: expected {} records ({} bytes), got {} ({} bytes): the file was cut off or is another one; \
             move its folder away, and `nchw data fetch` downloads the set again",
            commas(count as u64),
            commas((count * RECORD) as u64),
            commas(records.labels.len() as u64),
            commas(bytes.len() as u64)
        )));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    /// Six files of `count` records; the label is the file's number.
    fn files(folder: &Path, count: usize) {
        for (number, name) in FILES.iter().enumerate() {
            let record = [&[number as u8][..], &[number as u8 * 20; 3072]].concat();
            fs::write(folder.join(name), record.repeat(count)).unwrap();
        }
    }

    #[test]
    fn six_files_are_one_set_in_their_order() {
        let folder = TempFolder::new("data-six");
        let inside = folder.path().join(FOLDER);
        fs::create_dir(&inside).unwrap();
        files(&inside, 2);
        // The folder itself, or the one in which the archive was unpacked.
        for from in [folder.path(), &inside] {
            let set = read_set(from, "here", 2).unwrap();
            let labels = Vec::<i64>::try_from(&set.train.labels).unwrap();
            assert_eq!(labels, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
            assert_eq!(Vec::<i64>::try_from(&set.test.labels).unwrap(), [5, 5]);
            assert_eq!(set.train.images.size(), [10, 3, 32, 32]);
            assert_eq!(set.train.images.int64_value(&[9, 2, 31, 0]), 80);
        }
    }

    #[test]
    fn a_file_that_is_missing_or_short_is_told() {
        let folder = TempFolder::new("data-short");
        files(folder.path(), 2);
        fs::write(folder.path().join(FILES[3]), [0; 3073]).unwrap();
        let error = read_set(folder.path(), "here", 2).unwrap_err().to_string();
        assert!(
            error.contains("here/data_batch_4.bin: expected 2 records (6,146 bytes), got 1 (3,073 bytes)"),
            "{error}"
        );
        fs::remove_file(folder.path().join(FILES[3])).unwrap();
        let error = read_set(folder.path(), "here", 2).unwrap_err().to_string();
        assert!(error.contains("missing there: data_batch_4.bin"), "{error}");
        fs::write(folder.path().join("data_batch_1"), "").unwrap();
        let error = Cifar10::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("the Python version"), "{error}");
        let error = Cifar10::open(folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("there is no such folder"), "{error}");
        let error = open_batch(folder.path().join("none.bin")).unwrap_err().to_string();
        assert!(error.contains("could not read") && error.contains("none.bin"), "{error}");
    }

    #[test]
    fn the_samples_are_the_first_of_the_test_set() {
        let samples = Cifar10::samples().unwrap();
        let labels = Vec::<i64>::try_from(&samples.labels).unwrap();
        assert_eq!(labels, [3, 8, 8, 0, 6, 6, 1, 6, 3, 1, 0, 9, 5, 7, 9, 8, 5, 7, 8, 6]);
        assert_eq!(samples.images.size(), [20, 3, 32, 32]);
        // Read another way, as a photo: every corner the same.
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/samples/cifar10_01_8.png");
        let photo = crate::image::Image::open(file).unwrap();
        assert_eq!(samples.images.narrow(0, 1, 1), photo.tensor_u8());
        assert_ne!(samples.images.narrow(0, 1, 1).transpose(2, 3), photo.tensor_u8());
        // The first test picture begins with these bytes of red, green and blue.
        let first = |channel| samples.images.int64_value(&[0, channel, 0, 0]);
        assert_eq!([first(0), first(1), first(2)], [158, 112, 49]);
    }

    #[test]
    fn the_stand_in_says_what_it_is() {
        let set = Dataset::shapes10(20, 10, 7).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (20, 10));
        let said = format!("{set:?}");
        assert_eq!(
            said,
            "Shapes-10 (stand-in: drawn by this course): 20 pictures to train on, 10 to test with, each [3, 32, 32] \
             (C, H, W); ten classes: circle, ring, square, frame, triangle, cross, star, heart, moon, arrow"
        );
        // None of the pictures to test with was trained on.
        let whole = Shapes10::draw(30, 7).unwrap();
        assert_eq!(set.test.images, whole.images.narrow(0, 20, 10));
        assert_eq!(set.to_device(Device::Cpu).unwrap().train.labels, set.train.labels);
        let error = Dataset::shapes10(0, 10, 7).unwrap_err().to_string();
        assert!(error.contains("train = 0 and test = 10"), "{error}");
    }

    #[test]
    fn every_place_that_was_looked_at_is_told() {
        let folder = TempFolder::new("data-places");
        files(folder.path(), 2);
        let place = |name: &str, folder: PathBuf| Candidate { name: name.into(), folder };
        let places = vec![place("one", folder.path().join("none")), place("two", folder.path().into())];
        let looked = look(places).unwrap_err();
        let said = not_found(&looked).to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[1], "  one: not there");
        assert!(lines[2].starts_with("  two/data_batch_1.bin: expected 10,000 records"), "{said}");
        assert!(lines[3].contains("`nchw data fetch`") && lines[3].contains("NCHW_DATA=FOLDER"), "{said}");
        // What is broken is told where something else stands in for it, too.
        let said = stands_in(&looked);
        assert!(said.starts_with("CIFAR-10 cannot be used (two/data_batch_1.bin: "), "{said}");
        let said = stands_in(&looked[..1]);
        assert!(
            said.starts_with("CIFAR-10 is not here: Shapes-10, drawn by this course, stands in."),
            "{said}"
        );
        assert!(said.contains("`nchw data fetch`") && said.lines().all(|line| line.len() < 90), "{said}");
    }

    #[test]
    fn the_whole_set_where_there_is_one() {
        // A folder in the real format, for those who have it.
        let Some(folder) = env::var_os("NCHW_DATA").filter(|set| !set.is_empty()) else { return };
        let set = Cifar10::open(&folder).unwrap();
        assert_eq!(
            (set.train.images.size(), set.test.images.size()),
            (vec![50_000, 3, 32, 32], vec![10_000, 3, 32, 32])
        );
        for (part, each) in [(&set.train, 5000), (&set.test, 1000)] {
            let counts = part.labels.bincount::<tch::Tensor>(None, 10);
            assert_eq!(Vec::<i64>::try_from(&counts).unwrap(), [each; 10]);
        }
        let batch = open_batch(Path::new(&folder).join(FILES[5])).unwrap();
        assert_eq!(batch.images, set.test.images);
        assert!(format!("{set:?}").starts_with("CIFAR-10: 50,000 pictures to train on, 10,000 to test with"));
        assert_eq!(Cifar10::find().unwrap().test.labels, set.test.labels);
    }
}
