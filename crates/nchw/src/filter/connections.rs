//! From a fully connected layer to a convolution: the matrix of weights in three stages.

use super::Filter;
use crate::{
    Error, Result,
    error::debug_as_display,
    matrix::{Matrix, Meaning},
    random::Rng,
};
use std::fmt;
use tch::{Device, Kind, Tensor};

/// The most pixels of the image: a million weights, if everything is connected.
const MAX_PIXELS: usize = 1024;

/// The weights of a layer in three stages: fully connected, locally connected, shared. See
/// [`Filter::connections`].
///
/// ```
/// use nchw::prelude::*;
/// let layer: Connections = Filter::new("mine", [[1, 2], [3, 4]]).connections(3, 3)?;
/// assert_eq!(layer.counts(), [36, 16, 4]);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Connections {
    /// Columns of the image, and of the units.
    pub(super) widths: [usize; 2],
    full: Matrix,
    local: Matrix,
    shared: Matrix,
    counts: [usize; 3],
}

impl Filter {
    /// The weights of a layer with one unit for each position of this filter on an image of `height` ×
    /// `width`, in three stages: every unit is connected to every pixel (with random weights), only to the
    /// pixels under the filter, and with the weights of this filter.
    ///
    /// # Shapes
    /// Each stage is a matrix with a row per pixel and a column per unit, both counted along the rows of
    /// the image.
    ///
    /// # Errors
    /// When the filter is larger than the image or has several channels, or the image has more than 1,024
    /// pixels.
    ///
    /// # Source
    /// Lecture part 2: connect only a small window, and reuse the same weights.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let image = Matrix::from([[0, 0, 1], [0, 5, 0], [2, 0, 0]]);
    /// let filter = Filter::new("mine", [[1, 2], [3, 4]]);
    /// assert_eq!(filter.connections(3, 3)?.multiply(&image)?, filter.convolve(&image)?);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn connections(&self, height: usize, width: usize) -> Result<Connections> {
        let pixels = height.saturating_mul(width);
        if !(1..=MAX_PIXELS).contains(&pixels) {
            return Err(Error::new(format!(
                "expected an image of 1 to {MAX_PIXELS} pixels, got {height} x {width} (H x W): with \
                 everything connected, the matrix would be too large"
            )));
        }
        let [h, w] = [height, width].map(|side| side as i64);
        // One image for each pixel, which is 1 there and 0 elsewhere: what comes out are the weights of this
        // pixel.
        let each = Tensor::f_eye(pixels as i64, (Kind::Float, Device::Cpu))?.f_view([-1, 1, h, w])?;
        let outputs = self.with_bias(0.0).convolve(&each)?.tensor();
        let (units, columns) = (outputs.numel() / pixels, outputs.size()[3] as usize);
        let rows = |tensor: &Tensor| Ok::<Tensor, Error>(tensor.f_reshape([pixels as i64, units as i64])?);
        let shared = rows(&outputs)?;
        // With weights of 1 instead, 1 is left where there is a connection.
        let ones = Filter { weight: self.weight.f_ones_like()?, ..self.with_bias(0.0) };
        let connected = rows(&ones.convolve(&each)?.tensor())?.f_clamp_max(1.0)?;
        let full = random_weights(pixels * units, &self.weight)?.f_view_as(&shared)?;
        let local = full.f_mul(&connected)?;
        let matrix =
            |tensor: &Tensor| Ok::<Matrix, Error>(Matrix::from_tensor(tensor)?.meaning(Meaning::Signed));
        Ok(Connections {
            widths: [width, columns],
            full: matrix(&full)?,
            local: matrix(&local)?,
            shared: matrix(&shared)?,
            counts: [
                pixels * units,
                connected.f_sum(Kind::Double)?.f_double_value(&[])? as usize,
                self.weight.numel(),
            ],
        })
    }
}

/// Random weights of the size of those of a filter, with one digit after the point, and none of them 0.
fn random_weights(count: usize, like: &Tensor) -> Result<Tensor> {
    let largest = like.f_abs()?.f_max()?.f_double_value(&[])?.clamp(0.1, 1000.0) as f32;
    let mut rng = Rng::new(1, 0);
    let mut weight = || {
        let size = ((rng.between(0.0, largest) * 10.0).round() / 10.0).max(0.1);
        if rng.below(2) == 0 { size } else { -size }
    };
    Ok(Tensor::f_from_slice(&(0..count).map(|_| weight()).collect::<Vec<f32>>())?)
}

impl Connections {
    /// Every unit is connected to every pixel; the weights are random.
    pub fn full(&self) -> Matrix {
        self.full.clone()
    }

    /// Every unit is connected to the pixels in its window; the others have a weight of 0.
    pub fn local(&self) -> Matrix {
        self.local.clone()
    }

    /// All units have the weights of the filter.
    pub fn shared(&self) -> Matrix {
        self.shared.clone()
    }

    /// Multiplies the pixels of an image, as one row of numbers, by the matrix of shared weights: what the
    /// layer computes.
    ///
    /// # Errors
    /// When the image has another size than that of the layer.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let image = Matrix::from([[0, 0, 1], [0, 5, 0], [2, 0, 0]]);
    /// let filter = Filter::new("mine", [[1, 2], [3, 4]]);
    /// assert_eq!(filter.connections(3, 3)?.multiply(&image)?, filter.convolve(&image)?);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn multiply(&self, image: &Matrix) -> Result<Matrix> {
        let pixels = self.full.height();
        if image.values().len() != pixels || image.width() != self.widths[0] {
            return Err(Error::new(format!(
                "this layer looks at images of {} x {} (H x W), got {} x {}",
                pixels / self.widths[0],
                self.widths[0],
                image.height(),
                image.width()
            )));
        }
        let row = image.tensor().f_view([1, pixels as i64])?;
        let weights = self.shared.tensor().f_view([pixels as i64, -1])?;
        let units = row.f_matmul(&weights)?.f_view([-1, self.widths[1] as i64])?;
        Ok(Matrix::from_tensor(&units)?.meaning(Meaning::Signed))
    }

    /// How many different weights each stage has.
    pub fn counts(&self) -> [usize; 3] {
        self.counts
    }

    /// Row and column of a pixel (`which` = 0) or of a unit (`which` = 1), such as `1,2`.
    pub(super) fn position(&self, which: usize, index: usize) -> String {
        format!("{},{}", index / self.widths[which], index % self.widths[which])
    }
}

impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [full, local, shared] = self.counts;
        write!(
            f,
            "{} pixels x {} units: {full} weights; {local} of them in the windows; {shared} if all units share \
             them",
            self.full.height(),
            self.full.width()
        )
    }
}

debug_as_display!(Connections);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_matrix_of_a_2x2_filter_on_3x3() {
        let layer = Filter::new("mine", [[1, 2], [3, 4]]).connections(3, 3).unwrap();
        // The first unit has its window at the top left: pixels 0, 1, 3 and 4.
        assert_eq!(layer.shared().transpose().row(0), [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(layer.shared().transpose().row(3), [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 4.0]);
        assert_eq!(
            format!("{layer:?}"),
            "9 pixels x 4 units: 36 weights; 16 of them in the windows; 4 if all units share them"
        );
        // Cut connections are 0, all others stay as they were.
        for (i, local) in layer.local().values().iter().enumerate() {
            let connected = layer.shared().values()[i] != 0.0;
            assert_eq!(*local, if connected { layer.full().values()[i] } else { 0.0 });
        }
        assert!(layer.full().values().iter().all(|weight| *weight != 0.0));
        assert_eq!((layer.position(0, 5), layer.position(1, 3)), ("1,2".into(), "1,1".into()));
    }

    #[test]
    fn the_matrix_computes_the_convolution() {
        let image = Matrix::from_fn(4, 6, |row, column| (row * row + 3 * column) as f32).unwrap();
        for filter in [Filter::vertical_edge(), Filter::emboss().with_bias(0.0).stride(2).padding(1)] {
            let layer = filter.connections(4, 6).unwrap();
            assert_eq!(layer.multiply(&image).unwrap(), filter.convolve(&image).unwrap());
            let error = layer.multiply(&image.transpose()).unwrap_err().to_string();
            assert_eq!(error, "this layer looks at images of 4 x 6 (H x W), got 6 x 4");
        }
    }

    #[test]
    fn a_weight_of_0_and_options_keep_the_connections() {
        let filter = Filter::new("hole", [[1, 0, -1]]).with_bias(3.0);
        assert_eq!(filter.connections(2, 5).unwrap().counts(), [60, 18, 3]);
        assert_eq!(filter.stride(2).connections(1, 5).unwrap().counts(), [10, 6, 3]);
        // Padding has no weights in the matrix.
        assert_eq!(filter.padding(1).connections(1, 3).unwrap().counts()[1], 7);
    }

    #[test]
    fn an_image_that_is_too_large_or_empty_is_refused() {
        let filter = Filter::new("mine", [[1, 2], [3, 4]]);
        for (h, w, words) in [
            (0, 3, "got 0 x 3 (H x W)"),
            (200, 300, "1 to 1024 pixels, got 200 x 300"),
            (usize::MAX, 2, "pixels, got"),
            (1, 3, "rows (H)"),
        ] {
            let error = filter.connections(h, w).unwrap_err().to_string();
            assert!(error.contains(words), "expected `{words}` in: {error}");
        }
    }
}
