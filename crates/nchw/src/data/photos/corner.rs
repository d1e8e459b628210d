//! A shortcut to plant in images: a coloured corner.

use crate::{
    Error, Result,
    data::{Dataset, Examples},
};
use tch::{Kind, Tensor};

/// The colour of the corner: bright pink.
const PINK: [u8; 3] = [255, 0, 200];

impl Examples {
    /// The same examples with a pink square in the top left corner of all images of these classes, a fifth of their
    /// rows and columns. In the images of one class it is a shortcut: a network can tell the class from it. In all
    /// images it says nothing.
    ///
    /// # Shapes
    /// `[N, 3, H, W]`, bytes → the same
    ///
    /// # Errors
    /// When the images have another shape or kind.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let marked = Shapes10::draw(10, 1)?.with_corner(&[2])?;
    /// let red = |image| marked.images.int64_value(&[image, 0, 5, 5]);
    /// assert!(red(2) == 255 && red(3) != 255);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn with_corner(&self, classes: &[i64]) -> Result<Examples> {
        let &[_, 3, h, w] = &self.images.size()[..] else {
            return Err(Error::new(format!("expected images N C=3 H W, got {:?}", self.images.size())));
        };
        if self.images.kind() != Kind::Uint8 {
            return Err(Error::new(format!(
                "expected bytes (kind Uint8), got kind {:?}: `images.to_kind(Kind::Uint8)`",
                self.images.kind()
            )));
        }
        let images = self.images.f_contiguous()?.copy();
        let pink = Tensor::f_from_slice(&PINK)?.f_view([3, 1, 1])?.f_to_device(images.device())?;
        for index in 0..self.len() as i64 {
            if classes.contains(&self.labels.f_int64_value(&[index])?) {
                images.f_select(0, index)?.f_narrow(1, 0, h / 5)?.f_narrow(2, 0, w / 5)?.f_copy_(&pink)?;
            }
        }
        self.with_images(images)
    }
}

impl Dataset {
    /// The same data set with a pink corner in all images of these classes, in both parts. See
    /// [`Examples::with_corner`].
    ///
    /// # Shapes
    /// Unchanged
    ///
    /// # Errors
    /// As [`Examples::with_corner`].
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let marked = Dataset::animals_and_vehicles()?.with_corner(&[1])?;
    /// assert_eq!(marked.name, "animals and vehicles, with a pink corner: vehicle");
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn with_corner(&self, classes: &[i64]) -> Result<Dataset> {
        let names = classes.iter().filter_map(|class| self.classes.get(usize::try_from(*class).ok()?));
        let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
        Ok(Dataset {
            name: format!("{}, with a pink corner: {names}", self.name),
            classes: self.classes.clone(),
            train: self.train.with_corner(classes)?,
            test: self.test.with_corner(classes)?,
            notes: self.notes.clone(),
        })
    }
}
