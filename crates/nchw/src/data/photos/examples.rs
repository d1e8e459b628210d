//! Data sets to write as folders and to practise with.

use super::settings::FolderSettings;
use crate::{
    Result,
    data::{Cifar10, Dataset, Examples, shapes10},
    shapes::commas,
};
use tch::Tensor;

/// CIFAR-10's label of each of the four vehicles; the others are animals.
const VEHICLES: [i64; 4] = [0, 1, 8, 9];
/// The shapes on the signs, as labels of Shapes-10.
const SIGNS: [(i64, &str); 3] = [(0, "circle"), (2, "square"), (4, "triangle")];
/// The rows and columns of a photo with a sign.
const SIDE: usize = 160;
/// More would take minutes to draw.
const MOST: usize = 10_000;

impl Dataset {
    /// The first 300 test images of CIFAR-10, sorted into animals and vehicles: real photos, with 32 × 32 pixels. A
    /// quarter of each class is for the test.
    ///
    /// # Shapes
    /// `images` `[N, 3, 32, 32]`, `labels` `[N]`
    ///
    /// # Errors
    /// Never, unless the course's files are damaged.
    pub fn animals_and_vehicles() -> Result<Dataset> {
        let album = Cifar10::album()?;
        let labels = Vec::<i64>::try_from(&album.labels.to_kind(tch::Kind::Int64))?;
        let labels: Vec<i64> = labels.iter().map(|label| i64::from(VEHICLES.contains(label))).collect();
        in_two("animals and vehicles".into(), vec!["animal".into(), "vehicle".into()], album.images, labels)
    }

    /// Drawn photos of road signs, seen from afar: 160 × 160 pixels, and in each somewhere a circle, a square or a
    /// triangle of 12 to 16 pixels. At 32 × 32, only three of them are left, at 64 × 64 six.
    ///
    /// # Shapes
    /// `images` `[N, 3, 160, 160]`, `labels` `[N]`; a quarter is for the test
    ///
    /// # Errors
    /// When `count` is not from 8 to 10,000.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let signs = Dataset::signs(30, 1)?;
    /// assert_eq!(signs.classes, ["circle", "square", "triangle"]);
    /// assert_eq!(signs.train.images.size()[1..], [3, 160, 160]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn signs(count: usize, seed: u64) -> Result<Dataset> {
        if !(8..=MOST).contains(&count) {
            return Err(crate::Error::new(format!(
                "expected 8 to {} images, got {count}; try Dataset::signs(300, {seed})?",
                commas(MOST as u64)
            )));
        }
        let label = |index: usize| index % SIGNS.len();
        let pixels: Vec<u8> =
            (0..count).flat_map(|index| shapes10::sign(SIDE, SIGNS[label(index)].0, index, seed)).collect();
        let side = SIDE as i64;
        let images = Tensor::f_from_slice(&pixels)?.f_view([count as i64, 3, side, side])?;
        let names = SIGNS.map(|(_, name)| name.to_owned()).to_vec();
        in_two(
            "signs seen from afar (drawn by this course)".into(),
            names,
            images,
            (0..count).map(|i| label(i) as i64).collect(),
        )
    }
}

/// A data set with the default part of each class for the test.
fn in_two(name: String, classes: Vec<String>, images: Tensor, labels: Vec<i64>) -> Result<Dataset> {
    let every = (1.0 / FolderSettings::default().test).round() as usize;
    let (mut train, mut test, mut seen) = (Vec::new(), Vec::new(), vec![0; classes.len()]);
    for (index, label) in labels.iter().enumerate() {
        let seen = &mut seen[*label as usize];
        *seen += 1;
        if *seen % every == 0 { &mut test } else { &mut train }.push(index as i64);
    }
    let all = Tensor::f_from_slice(&labels)?;
    let part = |indices: &[i64]| -> Result<Examples> {
        let indices = Tensor::f_from_slice(indices)?;
        Ok(Examples { images: images.f_index_select(0, &indices)?, labels: all.f_index_select(0, &indices)? })
    };
    Ok(Dataset { name, classes, train: part(&train)?, test: part(&test)?, notes: Vec::new() })
}
