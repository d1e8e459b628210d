//! Images with labels, and data sets of training and test images.

use super::binary::{Records, SIDE};
use crate::{
    Result,
    check::{check_classes, check_images, check_labels, check_new_images},
    error::debug_as_display,
    shapes::commas,
};
use std::fmt;
use tch::{Device, Tensor};

/// Images and their labels.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]`, `labels` `[N]`; images of your own may have another side, see
/// [`Dataset::from_folder_with`]
///
/// ```
/// use nchw::prelude::*;
/// let samples: Examples = Cifar10::samples()?;
/// let first = samples.picture(0)?;
/// assert_eq!((first.height(), samples.labels.int64_value(&[0])), (32, 3));
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Examples {
    /// The images, `[N, C=3, H=32, W=32]`, kind `Uint8`.
    pub images: Tensor,
    /// The class of each, `[N]`, kind `Int64`, from 0 on.
    pub labels: Tensor,
}

/// A data set in memory: images of two or more classes.
///
/// ```
/// use nchw::prelude::*;
/// let data = Dataset::shapes10(50, 20, 1)?;
/// assert_eq!((data.train.len(), data.test.len()), (50, 20));
/// println!("{}: {:?}", data.name, data.classes);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Dataset {
    /// The name; figures show it, so that a stand-in is never mistaken for the
    /// real data set.
    pub name: String,
    /// The class names for the labels 0, 1, …
    pub classes: Vec<String>,
    /// The training examples.
    pub train: Examples,
    /// The test examples, which are not used for training.
    pub test: Examples,
    /// What to know about it, such as which files were skipped: a sentence each.
    pub notes: Vec<String>,
}

impl Examples {
    /// The records of a file as tensors.
    pub(super) fn from_records(records: &Records) -> Result<Examples> {
        let (count, side) = (records.labels.len() as i64, SIDE as i64);
        let labels: Vec<i64> = records.labels.iter().map(|&label| i64::from(label)).collect();
        Ok(Examples {
            images: Tensor::f_from_slice(&records.pixels)?.f_view([count, 3, side, side])?,
            labels: Tensor::f_from_slice(&labels)?,
        })
    }

    /// N, the number of images.
    pub fn len(&self) -> usize {
        self.labels.size().first().map_or(0, |&n| n as usize)
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the examples to the memory of `device`.
    ///
    /// # Shapes
    /// Unchanged.
    ///
    /// # Errors
    /// When the device is not available, or its memory is full.
    pub fn to_device(&self, device: Device) -> Result<Examples> {
        Ok(Examples { images: self.images.f_to_device(device)?, labels: self.labels.f_to_device(device)? })
    }

    /// The same labels with other images, such as shuffled ones.
    ///
    /// # Shapes
    /// `images` `[N, C, H, W]` with the N of `self`
    ///
    /// # Errors
    /// When `images` does not contain one image for each label.
    pub fn with_images(&self, images: Tensor) -> Result<Examples> {
        check_new_images(&self.labels, &images)?;
        Ok(Examples { images, labels: self.labels.shallow_clone() })
    }

    /// The first `count` of these examples, or all if there are fewer.
    ///
    /// # Shapes
    /// `images` `[count, 3, 32, 32]`, `labels` `[count]`
    ///
    /// # Errors
    /// When libtorch fails, which is not expected.
    pub fn first(&self, count: usize) -> Result<Examples> {
        let count = count.min(self.len()) as i64;
        Ok(Examples {
            images: self.images.f_narrow(0, 0, count)?,
            labels: self.labels.f_narrow(0, 0, count)?,
        })
    }

    /// Refuses anything but labelled images of ten classes that the networks of the course train
    /// on. `what` are these examples, such as "the training set".
    pub(crate) fn check(&self, what: &str) -> Result<()> {
        check_images(&format!("the images of {what}"), &self.images)?;
        check_labels(what, &self.images, &self.labels)?;
        check_classes(what, &self.labels, 10)
    }
}

impl fmt::Display for Examples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} examples: images {:?}, labels {:?}",
            commas(self.len() as u64),
            self.images.size(),
            self.labels.size()
        )
    }
}

impl Dataset {
    /// The first images of both parts, for an experiment that should not take long. The name says how many.
    ///
    /// # Shapes
    /// `train.images` `[train, 3, 32, 32]`, `test.images` `[test, 3, 32, 32]`
    ///
    /// # Errors
    /// When libtorch fails, which is not expected.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let few = Dataset::shapes10(50, 20, 1)?.first(30, 10)?;
    /// assert_eq!((few.train.len(), few.test.len()), (30, 10));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn first(&self, train: usize, test: usize) -> Result<Dataset> {
        let (train, test) = (self.train.first(train)?, self.test.first(test)?);
        let name = format!("{}, the first {} training images", self.name, commas(train.len() as u64));
        Ok(Dataset { name, classes: self.classes.clone(), train, test, notes: self.notes.clone() })
    }

    /// Copies the data set to the memory of `device`.
    ///
    /// # Shapes
    /// Unchanged.
    ///
    /// # Errors
    /// When the device is not available, or its memory is full (CIFAR-10 takes 185 MB).
    pub fn to_device(&self, device: Device) -> Result<Dataset> {
        let (train, test) = (self.train.to_device(device)?, self.test.to_device(device)?);
        Ok(Dataset {
            name: self.name.clone(),
            classes: self.classes.clone(),
            train,
            test,
            notes: self.notes.clone(),
        })
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, test] = [&self.train, &self.test].map(|part| commas(part.len() as u64));
        let size = self.train.images.size();
        let shape = size.get(1..).unwrap_or(&[]);
        write!(
            f,
            "{}: {train} training images, {test} test images, each {shape:?} (C, H, W); {} classes: {}",
            self.name,
            match self.classes.len() {
                10 => "ten".to_owned(),
                count => count.to_string(),
            },
            self.classes.join(", ")
        )?;
        self.notes.iter().try_for_each(|note| write!(f, "\n{note}"))
    }
}

debug_as_display!(Examples, Dataset);
