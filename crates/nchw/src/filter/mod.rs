//! Filters: what they are, what they find in a matrix and in a photo.

pub mod matrix;
mod steps;

use crate::{
    Error, Result,
    canvas::number,
    colour::Palette,
    figure::Figure,
    image::Image,
    matrix::{Matrix, extent, grid_of, values_of},
    notebook::{Output, shows},
    panels::{Content, Look, Panel, Sheet},
};
use std::fmt;
use tch::{Kind, Tensor};

/// A filter (also: kernel, weight set) with its bias, and a name for titles.
///
/// As everywhere in deep learning, "convolution" lays the filter on without
/// flipping it (mathematics calls that cross-correlation).
///
/// ```
/// use nchw::prelude::*;
/// let image = Matrix::from([[0, 0, 0, 1, 1, 1]; 6]);
/// let answer = Filter::vertical_edge().convolve(&image)?;
/// assert_eq!(answer.row(0), [0.0, 3.0, 3.0, 0.0]);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Filter {
    name: String,
    kernel: Matrix,
    bias: f32,
}

impl Filter {
    /// A filter of your own numbers: `Filter::new("mine", [[1, 0], [0, -1]])`.
    pub fn new(name: impl Into<String>, kernel: impl Into<Matrix>) -> Filter {
        Filter { name: name.into(), kernel: kernel.into(), bias: 0.0 }
    }

    /// Answers where it gets brighter from left to right (the lecture's
    /// filter 1).
    pub fn vertical_edge() -> Filter {
        Filter::new("vertical edge", [[-1, 0, 1]; 3])
    }

    /// Answers where it gets brighter from top to bottom (the lecture's
    /// filter 2: filter 1 transposed).
    pub fn horizontal_edge() -> Filter {
        let kernel = Filter::vertical_edge().kernel.transpose();
        Filter::new("horizontal edge", kernel)
    }

    /// Answers to edges that fall from the top left to the bottom right, `\`.
    pub fn falling_diagonal() -> Filter {
        Filter::new("falling diagonal", [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]])
    }

    /// Answers to edges that rise from the bottom left to the top right, `/`.
    pub fn rising_diagonal() -> Filter {
        Filter::new("rising diagonal", [[-1, -1, 0], [-1, 0, 1], [0, 1, 1]])
    }

    /// The mean of 5 × 5 places.
    pub fn blur() -> Filter {
        Filter::new("blur", [[1.0 / 25.0; 5]; 5])
    }

    /// Each place against its four neighbours: what differs, differs more.
    pub fn sharpen() -> Filter {
        Filter::new("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    }

    /// Light from the bottom right: the picture seems pressed in metal.
    pub fn emboss() -> Filter {
        Filter::new("emboss", [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    }

    /// Changes nothing.
    pub fn identity() -> Filter {
        Filter::new("identity", [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    }

    /// The same filter with another bias.
    pub fn with_bias(&self, bias: f32) -> Filter {
        Filter { bias, ..self.clone() }
    }

    /// Rows become columns: a vertical filter becomes a horizontal one.
    pub fn transpose(&self) -> Filter {
        Filter {
            name: format!("{}, transposed", self.name),
            kernel: self.kernel.transpose(),
            bias: self.bias,
        }
    }

    /// The name that titles show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The numbers.
    pub fn kernel(&self) -> &Matrix {
        &self.kernel
    }

    /// What is added to every dot product.
    pub fn bias(&self) -> f32 {
        self.bias
    }

    /// As a convolution's weight.
    ///
    /// # Shapes
    /// `[N=1, C=1, H, W]`, `f32`: one filter, for one channel.
    pub fn weight(&self) -> Tensor {
        self.kernel.tensor()
    }

    /// The filter laid on every place of a small matrix: no padding, stride 1.
    ///
    /// # Errors
    /// When the filter is larger than the matrix.
    pub fn convolve(&self, image: &Matrix) -> Result<Matrix> {
        Ok(Matrix::from_tensor(&self.over(&image.tensor())?)?.into_result())
    }

    /// The filter laid on every place of a photo: no padding, stride 1.
    ///
    /// On a colour photo the same filter is laid on each channel by itself
    /// and gives one map per channel (`groups = 3`).
    ///
    /// # Errors
    /// When the filter is larger than the photo.
    pub fn apply(&self, photo: &Image) -> Result<Filtered> {
        let map = self.over(&photo.tensor())?;
        Ok(Filtered { filter: self.clone(), photo: photo.clone(), map })
    }

    /// # Shapes
    /// `[1, C, H, W]` to `[1, C, H - h + 1, W - w + 1]`.
    fn over(&self, maps: &Tensor) -> Result<Tensor> {
        let size = maps.size();
        let (c, h, w) = (size[1], size[2], size[3]);
        let (kh, kw) = (self.kernel.height() as i64, self.kernel.width() as i64);
        if kh > h || kw > w {
            let axis = if kh > h { "rows (H)" } else { "columns (W)" };
            return Err(Error::new(format!(
                "the filter \"{}\" ({kh} x {kw}) has more {axis} than what it is laid on ({h} x {w}): \
                 take a smaller filter or a larger picture",
                self.name
            )));
        }
        let weight = self.weight().f_repeat([c, 1, 1, 1])?;
        let bias = Tensor::from_slice(&vec![self.bias; c as usize]);
        Ok(maps.f_conv2d(&weight, Some(&bias), 1, 0, 1, c)?)
    }

    /// The filter's numbers as a picture.
    ///
    /// # Errors
    /// When it is too large to be read.
    pub fn figure(&self) -> Result<Figure> {
        self.kernel.require_readable()?;
        let rows = vec![vec![self.panel()]];
        let text = format!("{self:?}");
        let alt = format!("The filter {}: {}", self.name, self.kernel.to_string().replace('\n', " / "));
        Sheet { title: "Filter".into(), rows, lines: Vec::new() }.figure(alt, text)
    }

    pub(crate) fn panel(&self) -> Panel<'_> {
        let panel = Panel::cells(&self.name, self.kernel.grid(), Palette::Signed, Look::default());
        if self.bias == 0.0 { panel } else { panel.caption(format!("bias {}", number(self.bias))) }
    }

    /// Whether the result is a picture again (blur, sharpen, emboss, identity)
    /// and not an answer to "how much does this place look like the filter?":
    /// the weights add up to 1, so that an even surface keeps its brightness.
    fn makes_a_picture(&self) -> bool {
        (self.kernel.values().iter().sum::<f32>() - 1.0).abs() < 1e-3
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter \"{}\", bias {}:\n{}", self.name, number(self.bias), self.kernel)
    }
}

/// A photo under a filter. Shows photo, filter and result side by side.
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
    /// The result's numbers.
    ///
    /// # Shapes
    /// `[N=1, C, H, W]`, `f32`.
    pub fn tensor(&self) -> Tensor {
        self.map.shallow_clone()
    }

    /// Photo, filter and result side by side. A filter whose weights add up to
    /// 1 gives a picture again; any other result is drawn as a heat map.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        self.filter.kernel.require_readable()?;
        let size = self.map.size();
        let width = self.photo.page_width(285.0);
        let range = extent(&values_of(&self.map)?);
        let shape = format!("C={} H={} W={}", size[1], size[2], size[3]);
        // An image has no colour for a NaN or for numbers far from 0 to 1.
        let picture = Image::from_tensor(&self.map).ok().filter(|_| self.filter.makes_a_picture());
        let result = if let Some(picture) = picture {
            Panel::new("result", Content::Picture(picture.pixels()), width)
                .caption(format!("{shape}, drawn from 0 to 1"))
        } else {
            let answer = self.map.f_sum_dim_intlist([1_i64].as_slice(), true, Kind::Float)?;
            let how = if size[1] > 1 { ", channels added for the drawing" } else { "" };
            Panel::heat("result", grid_of(&answer)?, width).caption(format!("{shape}, {range}{how}"))
        };
        let (c, h, w) = (self.photo.channels(), self.photo.height(), self.photo.width());
        let photo = Panel::new(self.photo.name(), Content::Picture(self.photo.pixels()), width)
            .caption(format!("C={c} H={h} W={w}"));
        let row = vec![photo, Panel::sign("\u{2217}"), self.filter.panel(), Panel::sign("="), result];
        let title = format!("{} under the filter \"{}\"", self.photo.name(), self.filter.name);
        let text = format!("{title}: {shape}, {range}");
        let alt = format!(
            "{title}: the photo, the filter's {} x {} numbers, and the result, {range}",
            self.filter.kernel.height(),
            self.filter.kernel.width()
        );
        Sheet { title, rows: vec![row], lines: Vec::new() }.figure(alt, text)
    }
}

impl fmt::Debug for Filtered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} under \"{}\": {:?}", self.photo, self.filter.name, self.map.size())
    }
}

shows!(
    Filter: |filter| Output::figure_or_text(filter.figure(), filter),
    Filtered: |filtered| Output::figure(filtered.figure()),
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The class's example: dark on the left, bright on the right.
    fn dark_and_bright() -> Matrix {
        Matrix::from([[0, 0, 0, 1, 1, 1]; 6])
    }

    #[test]
    fn the_lectures_example_is_0_3_3_0_in_every_row() {
        let vertical = Filter::vertical_edge();
        let answer = vertical.convolve(&dark_and_bright()).unwrap();
        assert_eq!(answer, Matrix::from([[0, 3, 3, 0]; 4]));
        let zero = Matrix::from([[0; 4]; 4]);
        assert_eq!(Filter::horizontal_edge().convolve(&dark_and_bright()).unwrap(), zero);
        // The image transposed: now the other way round.
        let image = dark_and_bright().transpose();
        assert_eq!(vertical.convolve(&image).unwrap(), zero);
        let across = Filter::horizontal_edge().convolve(&image).unwrap();
        assert_eq!(across, Matrix::from([[0; 4], [3; 4], [3; 4], [0; 4]]));
        assert_eq!(vertical.transpose().kernel(), Filter::horizontal_edge().kernel());
    }

    #[test]
    fn diagonals_answer_to_their_own_direction() {
        // Bright above the falling diagonal.
        let falling = Matrix::from([[0, 1, 1], [0, 0, 1], [0, 0, 0]]);
        let answer = |filter: Filter| filter.convolve(&falling).unwrap().values()[0];
        assert_eq!(answer(Filter::falling_diagonal()), 3.0);
        assert_eq!(answer(Filter::rising_diagonal()), 0.0);
    }

    #[test]
    fn identity_and_blur_keep_an_even_surface_and_a_bias_is_added() {
        let even = Matrix::from([[0.5; 7]; 6]);
        for filter in [Filter::identity(), Filter::blur(), Filter::sharpen(), Filter::emboss()] {
            assert!(filter.makes_a_picture(), "{filter:?}");
            let answer = filter.convolve(&even).unwrap();
            assert!(answer.values().iter().all(|v| (v - 0.5).abs() < 1e-6), "{filter:?}");
        }
        let answer = Filter::vertical_edge().with_bias(-2.0).convolve(&dark_and_bright()).unwrap();
        assert_eq!(answer.row(3), [-2.0, 1.0, 1.0, -2.0]);
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
