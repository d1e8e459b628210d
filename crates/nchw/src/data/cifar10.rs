//! CIFAR-10: where the course looks for it, and how it is read.

use super::{
    Dataset, Examples,
    binary::{RECORD, Records, read_records},
    other::Other,
    samples,
};
use crate::{Error, Result, shapes::commas};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The folder that the archive unpacks to.
pub const FOLDER: &str = "cifar-10-batches-bin";
/// The files of the data set: five with training images, one with test images.
pub const FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// The number of images in each file.
pub const PER_FILE: usize = 10_000;

/// The data set of the lecture: 60,000 small photos in ten classes.
///
/// # Source
/// A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009;
/// <https://www.cs.toronto.edu/~kriz/cifar.html>.
///
/// ```
/// use nchw::prelude::*;
/// let samples = Cifar10::samples()?; // built in; `Cifar10::find()?` reads all images
/// assert_eq!(samples.images.size(), [20, 3, 32, 32]);
/// assert_eq!(Cifar10::NAMES[3], "cat");
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Cifar10;

impl Dataset {
    /// CIFAR-10 if it is found, otherwise the stand-in; then a message says so, and
    /// how to get the real data set.
    ///
    /// # Shapes
    /// Like [`Cifar10::find`], or 10,000 and 2,000 images of [`Dataset::shapes10`].
    ///
    /// # Errors
    /// When the environment variable `NCHW_DATA` is set but its folder does not contain
    /// the data set.
    pub fn cifar10_or_stand_in() -> Result<Dataset> {
        match look_with_fallback()? {
            Ok(found) => Ok(found),
            Err(failures) => {
                println!("{}", stand_in_message(&failures));
                Dataset::shapes10(10_000, 2_000, 1)
            }
        }
    }
}

impl Cifar10 {
    /// The class names for the labels 0 to 9.
    pub const NAMES: [&str; 10] = nchw_core::lecture::CIFAR10_NAMES;

    /// Reads the six files of the binary version from a folder.
    ///
    /// # Shapes
    /// → `train.images` `[50000, 3, 32, 32]`, `test.images` `[10000, 3, 32, 32]`
    ///
    /// # Errors
    /// When a file is missing, has the wrong size, or has a label above 9; the
    /// message gives the file, the record and the byte.
    pub fn open(folder: impl AsRef<Path>) -> Result<Dataset> {
        let folder = folder.as_ref();
        read_set(folder, &folder.display().to_string(), PER_FILE)
    }

    /// Finds and reads CIFAR-10. If the environment variable `NCHW_DATA` is set, only
    /// its folder is searched; otherwise `datasets/cifar-10-batches-bin` of the course,
    /// then the user's cache folder.
    ///
    /// # Shapes
    /// Like [`Cifar10::open`].
    ///
    /// # Errors
    /// When it is in none of these folders (the message lists them), or damaged.
    pub fn find() -> Result<Dataset> {
        look(candidates()).map_err(|failures| not_found(&failures))
    }

    /// The first 20 test images, which are part of the program and need no
    /// download.
    ///
    /// # Shapes
    /// → `images` `[20, 3, 32, 32]`, `labels` `[20]`
    ///
    /// # Errors
    /// When libtorch fails, which is not expected.
    pub fn samples() -> Result<Examples> {
        Examples::from_records(&samples::samples()?)
    }

    /// The first 300 test images, exactly as published, which are part of the program and need no download:
    /// enough for patches, mistakes and channel names. The 20 samples are the first of them.
    ///
    /// # Shapes
    /// → `images` `[300, 3, 32, 32]`, `labels` `[300]`
    ///
    /// # Errors
    /// When libtorch fails, which is not expected.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let album = Cifar10::album()?;
    /// assert_eq!(album.images.size(), [300, 3, 32, 32]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn album() -> Result<Examples> {
        Examples::from_records(&samples::album()?)
    }

    /// The 10,000 test images if CIFAR-10 is found, otherwise the 300 of [`Cifar10::album`].
    ///
    /// # Shapes
    /// → `images` `[N, 3, 32, 32]`, `labels` `[N]`
    ///
    /// # Errors
    /// When the environment variable `NCHW_DATA` is set but its folder does not contain
    /// the data set.
    pub fn photos() -> Result<Examples> {
        look_with_fallback()?.map_or_else(|_| Cifar10::album(), |found| Ok(found.test))
    }
}

/// A folder in which the course looks for CIFAR-10.
pub struct Candidate {
    /// The name in messages. Notebooks are published with their output, which should
    /// not reveal the user's folders.
    pub name: String,
    /// The folder for the six files.
    pub folder: PathBuf,
}

/// The folder in an environment variable, if it is set.
fn set(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folders in which the course looks for CIFAR-10, in this order.
pub fn candidates() -> Vec<Candidate> {
    if let Some(folder) = set("NCHW_DATA") {
        return vec![Candidate { name: "the folder of NCHW_DATA".into(), folder }];
    }
    let mut found = Vec::new();
    // Seen from the folder of a notebook, `datasets` is one level up.
    let here = env::current_dir().unwrap_or_default();
    let above = here.ancestors().find(|folder| folder.join("datasets").is_dir());
    // The kernel and the command `nchw` know where the course is. The crate itself does not: what one clone compiled
    // may serve another.
    let course = set("NCHW_COURSE");
    let clone = course.as_deref();
    for root in above.into_iter().chain(clone.filter(|&clone| above != Some(clone))) {
        let folder = root.join("datasets").join(FOLDER);
        let location =
            if Some(root) == clone { "of the course" } else { "in a parent of the current folder" };
        found.push(Candidate { name: format!("datasets/{FOLDER} {location}"), folder });
    }
    // The same order as in `cargo xtask`.
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

/// A folder without a complete data set, and what is wrong with its content; `None` if there is none.
type Failure = (Candidate, Option<Error>);

/// The data set from the first folder that has it completely, or what is wrong with each folder.
fn look(candidates: Vec<Candidate>) -> std::result::Result<Dataset, Vec<Failure>> {
    let mut failures = Vec::new();
    for candidate in candidates {
        let read = match candidate.folder.try_exists() {
            Ok(false) => Err(None),
            _ => read_set(&candidate.folder, &candidate.name, PER_FILE).map_err(Some),
        };
        match read {
            Ok(set) => return Ok(set),
            Err(error) => failures.push((candidate, error)),
        }
    }
    Err(failures)
}

/// The data set, or why it is in none of the folders. If the user named a folder, it is an error that
/// it does not contain the data set.
fn look_with_fallback() -> Result<std::result::Result<Dataset, Vec<Failure>>> {
    match look(candidates()) {
        Err(failures) if set("NCHW_DATA").is_some() => Err(not_found(&failures)),
        found => Ok(found),
    }
}

fn not_found(failures: &[Failure]) -> Error {
    let line = |(candidate, error): &Failure| match error {
        Some(error) => format!("\n  {error}"),
        None => format!("\n  {}: not found", candidate.name),
    };
    Error::new(format!(
        "CIFAR-10 was not found:{}\n\
         `nchw data fetch` in a terminal downloads it (170 MB), `nchw data import FILE` imports it from a USB stick; \
         NCHW_DATA=FOLDER selects a folder that contains it",
        failures.iter().map(line).collect::<String>()
    ))
}

fn stand_in_message(failures: &[Failure]) -> String {
    let why = match failures.iter().find_map(|(_, error)| error.as_ref()) {
        Some(error) => format!("CIFAR-10 cannot be used ({error})"),
        None => "CIFAR-10 was not found".into(),
    };
    format!(
        "{why}: Shapes-10, drawn by this course, is used instead.\n\
         It is much easier: its accuracy says nothing about CIFAR-10.\n\
         For CIFAR-10, run `nchw data fetch` in a terminal (170 MB), then this cell again."
    )
}

/// The six files of a folder, which messages call `name`.
fn read_set(folder: &Path, name: &str, per_file: usize) -> Result<Dataset> {
    let mut missing = Vec::new();
    for file in FILES {
        let exists = folder.join(file).try_exists();
        if !exists.map_err(|e| Error::new(format!("{name}/{file} could not be read: {e}")))? {
            missing.push(file);
        }
    }
    if !missing.is_empty() {
        // It may also be the folder in which the archive was unpacked.
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
        classes: Cifar10::NAMES.map(str::to_owned).to_vec(),
        notes: Vec::new(),
        train: Examples::from_records(&train)?,
        test: Examples::from_records(&read(FILES[5])?)?,
    })
}

/// The message for a folder in which some of the files are missing.
fn incomplete(folder: &Path, missing: &[&str]) -> String {
    let why = if !folder.exists() {
        "this folder does not exist".into()
    } else if folder.join("cifar-10-binary.tar.gz").exists() {
        "it contains the archive: `nchw data import` with its path unpacks it".into()
    } else if let Some(other) = Other::inside(folder) {
        format!("this is {} ({}): the binary version of CIFAR-10 is needed", other.is, other.archive)
    } else {
        format!("missing: {}", missing.join(", "))
    };
    format!("expected the six files data_batch_1.bin to data_batch_5.bin and test_batch.bin; {why}")
}

/// Reads one file in CIFAR-10's binary format, with any number of images.
///
/// # Shapes
/// → `images` `[N, 3, 32, 32]`, `labels` `[N]`
///
/// # Errors
/// When the file does not exist, its size is not a multiple of 3,073, or a label is
/// above 9; the message gives the record and the byte.
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

/// Reads a file that must contain exactly `count` records.
fn read_file(path: &Path, what: &str, count: usize) -> Result<Records> {
    let bytes = fs::read(path).map_err(|e| Error::new(format!("could not read {what}: {e}")))?;
    let records = read_records(&bytes, what)?;
    if records.labels.len() != count {
        return Err(Error::new(format!(
            "{what}: expected {} records ({} bytes), got {} ({} bytes): the file is incomplete, or it is a different file; \
             move its folder away, then `nchw data fetch` downloads the data set again",
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
    fn six_files_are_read_in_order_as_one_data_set() {
        let folder = TempFolder::new("data-six");
        let inside = folder.path().join(FOLDER);
        fs::create_dir(&inside).unwrap();
        files(&inside, 2);
        // The folder in which the archive was unpacked, and the folder of the files itself.
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
    fn a_missing_or_short_file_is_reported() {
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
        assert!(error.contains("missing: data_batch_4.bin"), "{error}");
        fs::write(folder.path().join("data_batch_1"), "").unwrap();
        let error = Cifar10::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("the Python version"), "{error}");
        let error = Cifar10::open(folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("this folder does not exist"), "{error}");
        let error = open_batch(folder.path().join("none.bin")).unwrap_err().to_string();
        assert!(error.contains("could not read") && error.contains("none.bin"), "{error}");
    }

    #[test]
    fn the_samples_are_the_first_test_images() {
        let samples = Cifar10::samples().unwrap();
        let labels = Vec::<i64>::try_from(&samples.labels).unwrap();
        assert_eq!(labels, [3, 8, 8, 0, 6, 6, 1, 6, 3, 1, 0, 9, 5, 7, 9, 8, 5, 7, 8, 6]);
        assert_eq!(samples.images.size(), [20, 3, 32, 32]);
        // Read in another way, as a photo, all pixels are the same.
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/samples/cifar10_01_8.png");
        let photo = crate::image::Image::open(file).unwrap();
        assert_eq!(samples.images.narrow(0, 1, 1), photo.tensor_u8());
        assert_ne!(samples.images.narrow(0, 1, 1).transpose(2, 3), photo.tensor_u8());
        // The first pixel of the first test image.
        let first = |channel| samples.images.int64_value(&[0, channel, 0, 0]);
        assert_eq!([first(0), first(1), first(2)], [158, 112, 49]);
    }

    #[test]
    fn the_samples_are_the_first_images_of_the_album() {
        let (samples, album) = (Cifar10::samples().unwrap(), Cifar10::album().unwrap());
        assert_eq!(album.len(), 300);
        assert_eq!(album.images.narrow(0, 0, 20), samples.images);
        assert_eq!(album.labels.narrow(0, 0, 20), samples.labels);
    }

    #[test]
    fn the_message_lists_every_folder_that_was_searched() {
        let folder = TempFolder::new("data-places");
        files(folder.path(), 2);
        let candidate = |name: &str, folder: PathBuf| Candidate { name: name.into(), folder };
        let failures =
            look(vec![candidate("one", folder.path().join("none")), candidate("two", folder.path().into())])
                .unwrap_err();
        let message = not_found(&failures).to_string();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[1], "  one: not found");
        assert!(lines[2].starts_with("  two/data_batch_1.bin: expected 10,000 records"), "{message}");
        assert!(lines[3].contains("`nchw data fetch`") && lines[3].contains("NCHW_DATA=FOLDER"), "{message}");
        // The message about the stand-in also says what is damaged.
        let message = stand_in_message(&failures);
        assert!(message.starts_with("CIFAR-10 cannot be used (two/data_batch_1.bin: "), "{message}");
        let message = stand_in_message(&failures[..1]);
        assert!(
            message.starts_with("CIFAR-10 was not found: Shapes-10, drawn by this course, is used instead."),
            "{message}"
        );
        assert!(
            message.contains("`nchw data fetch`") && message.lines().all(|line| line.len() < 90),
            "{message}"
        );
    }

    #[test]
    fn the_real_data_set_if_it_is_available() {
        // Runs only where NCHW_DATA is set.
        let Some(folder) = set("NCHW_DATA") else { return };
        let set = Cifar10::open(&folder).unwrap();
        assert_eq!(
            (set.train.images.size(), set.test.images.size()),
            (vec![50_000, 3, 32, 32], vec![10_000, 3, 32, 32])
        );
        for (part, each) in [(&set.train, 5000), (&set.test, 1000)] {
            let counts = part.labels.bincount::<tch::Tensor>(None, 10);
            assert_eq!(Vec::<i64>::try_from(&counts).unwrap(), [each; 10]);
        }
        let batch = open_batch(folder.join(FILES[5])).unwrap();
        assert_eq!(batch.images, set.test.images);
        assert!(format!("{set:?}").starts_with("CIFAR-10: 50,000 training images, 10,000 test images"));
        assert_eq!(Cifar10::find().unwrap().test.labels, set.test.labels);
    }
}
