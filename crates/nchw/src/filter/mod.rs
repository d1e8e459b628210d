//! Filters (kernels), and their convolution with a small matrix or a photo.

mod figures;
pub mod matrix;

pub use figures::side_by_side;

use crate::{Error, Result, image::Image, matrix::Matrix, text::number};
use std::fmt;
use tch::Tensor;

/// A filter (also called kernel) with its bias, and a name for titles.
///
/// As usual in deep learning, "convolution" does not flip the filter (mathematics calls this
/// cross-correlation).
///
/// ```
/// use nchw::prelude::*;
/// let image = Matrix::from([[0, 0, 0, 1, 1, 1]; 6]);
/// let result = Filter::vertical_edge().convolve(&image)?;
/// assert_eq!(result.row(0), [0.0, 3.0, 3.0, 0.0]);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Filter {
    name: String,
    kernel: Matrix,
    bias: f32,
}

impl Filter {
    /// A filter with your own weights: `Filter::new("mine", [[1, 0], [0, -1]])`.
    pub fn new(name: impl Into<String>, kernel: impl Into<Matrix>) -> Filter {
        Filter { name: name.into(), kernel: kernel.into(), bias: 0.0 }
    }

    /// Responds where the image gets brighter from left to right (the lecture's filter 1).
    pub fn vertical_edge() -> Filter {
        Filter::new("vertical edge", [[-1, 0, 1]; 3])
    }

    /// Responds where the image gets brighter from top to bottom (the lecture's filter 2: filter 1
    /// transposed).
    pub fn horizontal_edge() -> Filter {
        let kernel = Filter::vertical_edge().kernel.transpose();
        Filter::new("horizontal edge", kernel)
    }

    /// Responds to edges that fall from the top left to the bottom right, `\`.
    pub fn falling_diagonal() -> Filter {
        Filter::new("falling diagonal", [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]])
    }

    /// Responds to edges that rise from the bottom left to the top right, `/`.
    pub fn rising_diagonal() -> Filter {
        Filter::new("rising diagonal", [[-1, -1, 0], [-1, 0, 1], [0, 1, 1]])
    }

    /// The mean of a 5 × 5 window.
    pub fn blur() -> Filter {
        Filter::new("blur", [[1.0 / 25.0; 5]; 5])
    }

    /// Amplifies the difference between each pixel and its four neighbours.
    pub fn sharpen() -> Filter {
        Filter::new("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    }

    /// Makes the image look like a relief lit from the bottom right.
    pub fn emboss() -> Filter {
        Filter::new("emboss", [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    }

    /// Leaves every value unchanged.
    pub fn identity() -> Filter {
        Filter::new("identity", [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    }

    /// The same filter with this bias.
    pub fn with_bias(&self, bias: f32) -> Filter {
        Filter { bias, ..self.clone() }
    }

    /// Transposes the kernel: a vertical edge filter becomes a horizontal one.
    pub fn transpose(&self) -> Filter {
        Filter {
            name: format!("{}, transposed", self.name),
            kernel: self.kernel.transpose(),
            bias: self.bias,
        }
    }

    /// The name shown in titles.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The weights.
    pub fn kernel(&self) -> &Matrix {
        &self.kernel
    }

    /// The number added to every dot product.
    pub fn bias(&self) -> f32 {
        self.bias
    }

    /// The weight of a convolution with this filter.
    ///
    /// # Shapes
    /// `[N=1, C=1, H, W]`, `f32`: one filter, for one channel.
    pub fn weight(&self) -> Tensor {
        self.kernel.tensor()
    }

    /// Convolves a small matrix with this filter: no padding, stride 1.
    ///
    /// # Errors
    /// When the filter is larger than the matrix.
    pub fn convolve(&self, image: &Matrix) -> Result<Matrix> {
        Ok(Matrix::from_tensor(&self.convolve_channels(&image.tensor())?)?.into_result())
    }

    /// Convolves a photo with this filter: no padding, stride 1.
    ///
    /// On a colour photo the filter is applied to each channel separately, which gives one feature map
    /// per channel (`groups = 3`).
    ///
    /// # Errors
    /// When the filter is larger than the photo.
    pub fn apply(&self, photo: &Image) -> Result<Filtered> {
        let map = self.convolve_channels(&photo.tensor())?;
        Ok(Filtered { filter: self.clone(), photo: photo.clone(), map })
    }

    /// Applies the filter to each channel separately.
    ///
    /// # Shapes
    /// `[1, C, H, W]` to `[1, C, H - h + 1, W - w + 1]`.
    fn convolve_channels(&self, maps: &Tensor) -> Result<Tensor> {
        let size = maps.size();
        let (c, h, w) = (size[1], size[2], size[3]);
        let (kh, kw) = (self.kernel.height() as i64, self.kernel.width() as i64);
        if kh > h || kw > w {
            let axis = if kh > h { "rows (H)" } else { "columns (W)" };
            return Err(Error::new(format!(
                "the filter \"{}\" ({kh} x {kw}) has more {axis} than the input ({h} x {w}): \
                 use a smaller filter or a larger image",
                self.name
            )));
        }
        let weight = self.weight().f_repeat([c, 1, 1, 1])?;
        let bias = Tensor::from_slice(&vec![self.bias; c as usize]);
        Ok(maps.f_conv2d(&weight, Some(&bias), 1, 0, 1, c)?)
    }

    /// Whether the weights add up to 1 (blur, sharpen, emboss, identity). Such a filter keeps the
    /// brightness of an even surface, and its result is drawn as an image. The result of any other filter
    /// says how well it matches each window, and is drawn as a heat map.
    fn keeps_brightness(&self) -> bool {
        (self.kernel.values().iter().sum::<f32>() - 1.0).abs() < 1e-3
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter \"{}\", bias {}:\n{}", self.name, number(self.bias), self.kernel)
    }
}

/// A photo convolved with a filter. Displays photo, filter and result side by side.
///
/// ```
/// use nchw::prelude::*;
/// let photo = Image::from_tensor(&Tensor::zeros([1, 20, 30], (Kind::Float, Device::Cpu)))?;
/// let edges: Filtered = Filter::vertical_edge().apply(&photo)?;
/// assert_eq!(edges.tensor().size(), [1, 1, 18, 28]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Filtered {
    filter: Filter,
    photo: Image,
    map: Tensor,
}

impl Filtered {
    /// The result of the convolution.
    ///
    /// # Shapes
    /// `[N=1, C, H, W]`, `f32`.
    pub fn tensor(&self) -> Tensor {
        self.map.shallow_clone()
    }
}

impl fmt::Debug for Filtered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} filtered with \"{}\": {:?}", self.photo, self.filter.name, self.map.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    /// The lecture's example: dark on the left, bright on the right.
    fn dark_and_bright() -> Matrix {
        Matrix::from([[0, 0, 0, 1, 1, 1]; 6])
    }

    #[test]
    fn the_lectures_example_is_0_3_3_0_in_every_row() {
        let vertical = Filter::vertical_edge();
        let result = vertical.convolve(&dark_and_bright()).unwrap();
        assert_eq!(result, Matrix::from([[0, 3, 3, 0]; 4]));
        let zero = Matrix::from([[0; 4]; 4]);
        assert_eq!(Filter::horizontal_edge().convolve(&dark_and_bright()).unwrap(), zero);
        // With the transposed image the filters swap roles.
        let image = dark_and_bright().transpose();
        assert_eq!(vertical.convolve(&image).unwrap(), zero);
        let across = Filter::horizontal_edge().convolve(&image).unwrap();
        assert_eq!(across, Matrix::from([[0; 4], [3; 4], [3; 4], [0; 4]]));
        assert_eq!(vertical.transpose().kernel(), Filter::horizontal_edge().kernel());
    }

    #[test]
    fn diagonal_filters_respond_to_their_own_direction() {
        // Bright above the falling diagonal.
        let falling = Matrix::from([[0, 1, 1], [0, 0, 1], [0, 0, 0]]);
        let response = |filter: Filter| filter.convolve(&falling).unwrap().values()[0];
        assert_eq!(response(Filter::falling_diagonal()), 3.0);
        assert_eq!(response(Filter::rising_diagonal()), 0.0);
    }

    #[test]
    fn weights_that_add_up_to_1_keep_brightness_and_a_bias_is_added() {
        let even = Matrix::from([[0.5; 7]; 6]);
        for filter in [Filter::identity(), Filter::blur(), Filter::sharpen(), Filter::emboss()] {
            assert!(filter.keeps_brightness(), "{filter:?}");
            let result = filter.convolve(&even).unwrap();
            assert!(result.values().iter().all(|v| (v - 0.5).abs() < 1e-6), "{filter:?}");
        }
        let result = Filter::vertical_edge().with_bias(-2.0).convolve(&dark_and_bright()).unwrap();
        assert_eq!(result.row(3), [-2.0, 1.0, 1.0, -2.0]);
    }

    #[test]
    fn a_colour_photo_gives_a_map_per_channel() {
        let photo = Image::from_tensor(&Tensor::rand([1, 3, 5, 8], (Kind::Float, tch::Device::Cpu))).unwrap();
        let filtered = Filter::vertical_edge().apply(&photo).unwrap();
        assert_eq!(filtered.tensor().size(), [1, 3, 3, 6]);
        let grey = Filter::vertical_edge().apply(&photo.grey()).unwrap();
        assert_eq!(grey.tensor().size(), [1, 1, 3, 6]);
        assert!(grey.figure().unwrap().alt().contains("vertical edge"));
    }

    #[test]
    fn a_filter_that_does_not_fit_names_the_axis() {
        let flat = Matrix::from([[1, 2, 3, 4]; 2]);
        let error = Filter::vertical_edge().convolve(&flat).unwrap_err().to_string();
        assert!(error.contains("(3 x 3) has more rows (H)") && error.contains("(2 x 4)"), "{error}");
    }
}
