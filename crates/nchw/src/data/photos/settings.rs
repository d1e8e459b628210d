//! How to read a folder of photos.

use crate::{Error, Result};

/// How to read a folder of photos with [`Dataset::from_folder_with`](crate::data::Dataset::from_folder_with).
///
/// ```
/// use nchw::prelude::*;
/// let settings = FolderSettings { side: 64, ..FolderSettings::default() };
/// assert_eq!((settings.test, settings.seed), (0.25, 1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FolderSettings {
    /// Rows and columns of the images: each photo is cropped to a square and reduced, 8 to 256. The course's networks
    /// take 32; see `LectureNet::with_classes_at` for others.
    pub side: usize,
    /// The fraction of each class that is kept for the test, above 0 and below 1.
    pub test: f64,
    /// The seed of the split: another seed gives another test set.
    pub seed: u64,
}

impl Default for FolderSettings {
    fn default() -> FolderSettings {
        FolderSettings { side: 32, test: 0.25, seed: 1 }
    }
}

impl FolderSettings {
    pub(super) fn check(&self) -> Result<()> {
        if !(8..=256).contains(&self.side) {
            return Err(Error::new(format!(
                "expected a side of 8 to 256 rows and columns, such as 32 or 64, got {}",
                self.side
            )));
        }
        if !(self.test > 0.0 && self.test < 1.0) {
            return Err(Error::new(format!(
                "expected a part for the test above 0 and below 1, such as 0.25, got {}",
                self.test
            )));
        }
        Ok(())
    }
}
