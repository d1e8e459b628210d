//! CIFAR-10: where it is looked for, and what it is once it is in memory.

mod binary;

pub use binary::{Records, read_records};

use crate::{Error, Result, error::debug_as_display, shapes::commas, shapes10::Shapes10};
use binary::{PIXELS, RECORD, SIDE};
use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
};
use tch::{Device, Tensor};

/// The folder that the archive unpacks to.
pub(crate) const FOLDER: &str = "cifar-10-batches-bin";
/// The files of the set: five to train on, one to test with.
pub(crate) const FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
/// Pictures in each file.
pub(crate) const PER_FILE: usize = 10_000;

/// Pictures, and what is on each.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]`, `labels` `[N]`
pub struct Examples {
    /// The pictures, `[N, C=3, H=32, W=32]`, kind `Uint8`.
    pub images: Tensor,
    /// The class of each, `[N]`, kind `Int64`, from 0 to 9.
    pub labels: Tensor,
}

/// A data set of ten classes, in memory.
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
        let missing = match Cifar10::find() {
            Ok(found) => return Ok(found),
            Err(error) if env::var_os("NCHW_DATA").is_some() => return Err(error),
            Err(error) => error,
        };
        let _ = missing;
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
        let mut train = Records::default();
        for name in &FILES[..5] {
            train.append(read_file(&folder.join(name), PER_FILE)?);
        }
        let test = read_file(&folder.join(FILES[5]), PER_FILE)?;
        Ok(Dataset {
            name: "CIFAR-10".into(),
            classes: Cifar10::NAMES,
            train: Examples::from_records(&train)?,
            test: Examples::from_records(&test)?,
        })
    }

    /// Reads CIFAR-10 from where it is kept.
    ///
    /// # Errors
    /// When it is in none of the places.
    pub fn find() -> Result<Dataset> {
        let folder = env::var_os("NCHW_DATA").map(PathBuf::from);
        Cifar10::open(folder.unwrap_or_else(|| Path::new("datasets").join(FOLDER)))
    }
}

/// The pictures of one file in CIFAR-10's binary format, any number of them.
///
/// # Shapes
/// → `images` `[N, 3, 32, 32]`, `labels` `[N]`
///
/// # Errors
/// When there is no such file, its size is no multiple of 3,073, or a label is
/// above 9: the message gives the record and the byte.
pub fn open_batch(path: impl AsRef<Path>) -> Result<Examples> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|e| Error::new(format!("could not read {}: {e}", path.display())))?;
    Examples::from_records(&read_records(&bytes, &path.display().to_string())?)
}

/// A file that must hold just `count` records.
fn read_file(path: &Path, count: usize) -> Result<Records> {
    let what = path.display().to_string();
    let bytes = fs::read(path).map_err(|e| Error::new(format!("could not read {what}: {e}")))?;
    let records = read_records(&bytes, &what)?;
    if records.labels.len() != count {
        return Err(Error::new(format!(
            "{what}: expected {} records ({} bytes), got {} ({} bytes)",
            commas(count as u64),
            commas((count * RECORD) as u64),
            commas(records.labels.len() as u64),
            commas(bytes.len() as u64)
        )));
    }
    debug_assert_eq!(records.pixels.len(), count * PIXELS);
    Ok(records)
}
