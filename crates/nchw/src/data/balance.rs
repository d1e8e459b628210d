//! How many images each class has.

use super::Dataset;
use crate::{Result, numbers::count_of_numbers};
use tch::Tensor;

/// The labels as a vector. Checks the size first: an expanded tensor can claim more values than fit in
/// memory.
pub(super) fn labels_of(labels: &Tensor) -> Result<Vec<i64>> {
    count_of_numbers(&labels.size())?;
    Ok(Vec::<i64>::try_from(labels)?)
}

impl Dataset {
    /// The number of training images and test images of each class.
    pub fn balance(&self) -> Vec<(usize, usize)> {
        let [train, test] = [&self.train, &self.test].map(|part| labels_of(&part.labels).unwrap_or_default());
        let count = |labels: &[i64], class: i64| labels.iter().filter(|label| **label == class).count();
        (0..self.classes.len() as i64).map(|class| (count(&train, class), count(&test, class))).collect()
    }
}
