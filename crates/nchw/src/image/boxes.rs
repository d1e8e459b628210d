//! Objects in a photo: a name and a box for each, as a detector finds them.

use super::Image;
use crate::{Error, Result, error::debug_as_display, text::number};
use std::fmt;

/// Objects in a photo. See [`Image::boxes`].
///
/// ```
/// use nchw::prelude::*;
/// let photo = Image::from_tensor(&Tensor::zeros([3, 40, 60], (Kind::Float, Device::Cpu)))?;
/// let found: Boxes = photo.boxes(&[("night", [30, 20, 60, 40])])?;
/// assert!(found.to_string().contains("night"));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone)]
pub struct Boxes {
    pub(super) photo: Image,
    pub(super) boxes: Vec<(String, [f64; 4])>,
}

impl Image {
    /// Objects in this photo: for each its name, and the box `[x, y, w, h]` around it. As in most
    /// detectors, `x` (the column) and `y` (the row) are the centre of the box, `w` is its width and `h` its
    /// height, all in pixels.
    ///
    /// # Errors
    /// When there is no box, or one is empty or not within the photo.
    ///
    /// # Source
    /// Lecture part 1: detection is regression plus classification.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let photo = Image::from_tensor(&Tensor::zeros([3, 40, 60], (Kind::Float, Device::Cpu)))?;
    /// photo.boxes(&[("left", [15, 20, 30, 40]), ("right", [45, 20, 30, 40])])?;
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn boxes<T: Into<f64> + Copy>(&self, boxes: &[(&str, [T; 4])]) -> Result<Boxes> {
        if boxes.is_empty() {
            return Err(Error::new("expected at least one box, as `&[(\"cat\", [x, y, w, h])]`"));
        }
        let boxes: Vec<(String, [f64; 4])> =
            boxes.iter().map(|(name, numbers)| ((*name).to_owned(), numbers.map(Into::into))).collect();
        for (name, [x, y, w, h]) in &boxes {
            for (axis, letter, centre, length, whole) in
                [("columns", "x", *x, *w, self.width()), ("rows", "y", *y, *h, self.height())]
            {
                let (from, to) = (centre - length / 2.0, centre + length / 2.0);
                // Written so that NaN is refused, too.
                if !(length > 0.0 && from >= 0.0 && to <= whole as f64) {
                    return Err(Error::new(format!(
                        "the box of \"{name}\" covers the {axis} from {} to {}, but the photo has {whole}. A \
                         box is [x, y, w, h]: {letter} is its centre, x counts columns, y counts rows",
                        number(from as f32),
                        number(to as f32)
                    )));
                }
            }
        }
        Ok(Boxes { photo: self.clone(), boxes })
    }
}

impl fmt::Display for Boxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = |text: &str| text.chars().count();
        let widest = self.boxes.iter().map(|(name, _)| letters(name)).max().unwrap_or(0).max(14);
        writeln!(f, "{:widest$}  regression", "classification")?;
        write!(f, "{:widest$}{:>6}{:>6}{:>6}{:>6}", "name", "x", "y", "w", "h")?;
        for (name, numbers) in &self.boxes {
            write!(f, "\n{name}{}", " ".repeat(widest - letters(name)))?;
            numbers.iter().try_for_each(|value| write!(f, "{:>6}", number(*value as f32)))?;
        }
        Ok(())
    }
}

debug_as_display!(Boxes);

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    fn photo() -> Image {
        Image::from_tensor(&Tensor::zeros([3, 40, 60], (Kind::Float, Device::Cpu))).unwrap()
    }

    #[test]
    fn a_box_that_leaves_the_photo_says_what_its_numbers_mean() {
        for (numbers, words) in [
            ([50.0, 20.0, 30.0, 10.0], "covers the columns from 35 to 65, but the photo has 60"),
            ([20.0, 50.0, 10.0, 10.0], "covers the rows from 45 to 55, but the photo has 40"),
            ([20.0, 20.0, 0.0, 10.0], "covers the columns from 20 to 20"),
            ([f64::NAN, 20.0, 5.0, 5.0], "covers the columns from NaN to NaN"),
        ] {
            let error = photo().boxes(&[("cat", numbers)]).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("x counts columns"), "{error}");
        }
        let none: [(&str, [f64; 4]); 0] = [];
        assert!(photo().boxes(&none).unwrap_err().to_string().contains("at least one box"));
    }

    #[test]
    fn the_table_has_a_name_and_four_numbers_for_each() {
        let found = photo().boxes(&[("cat", [20, 15, 10, 12]), ("dog", [40, 20, 40, 40])]).unwrap();
        assert_eq!(
            found.to_string(),
            "classification  regression\n\
             name               x     y     w     h\n\
             cat               20    15    10    12\n\
             dog               40    20    40    40"
        );
    }
}
