//! Filters (kernels), and what they make of a small matrix, a photo or feature maps.

mod change;
mod connections;
mod convolve;
mod figures;
mod layer;
mod learn;
mod maps;
pub mod matrix;
mod shifts;

pub use change::Change;
pub use connections::Connections;
pub use convolve::Input;
pub use figures::{Steps, side_by_side};
pub use layer::Filters;
pub use learn::Learned;
pub use maps::FeatureMaps;
pub use shifts::{ShiftTest, shift_test};

use crate::{
    Error, Result,
    matrix::{Matrix, Meaning},
    numbers::{empty_axis, grids_of, values_of},
    random::Rng,
    text::number,
};
use nchw_core::kernels::{self, Kernel};
use std::fmt;
use tch::{Kind, Tensor};

/// What a filter for red edges adds up: red counts positively, green and blue negatively, so that grey,
/// in which all three change alike, gives 0.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(RED.iter().sum::<f32>(), 0.0);
/// assert_eq!(Filter::vertical_edge().for_colour(RED).name(), "red vertical edge");
/// ```
pub const RED: [f32; 3] = kernels::FOR_RED;
/// As [`RED`], for green.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(Filter::horizontal_edge().for_colour(GREEN).channels(), 3);
/// ```
pub const GREEN: [f32; 3] = kernels::FOR_GREEN;
/// As [`RED`], for blue.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(Filter::blur().for_colour(BLUE).name(), "blue blur");
/// ```
pub const BLUE: [f32; 3] = kernels::FOR_BLUE;
/// As [`RED`], for yellow, which is red and green without blue.
///
/// ```
/// use nchw::prelude::*;
/// assert_eq!(YELLOW, BLUE.map(|weight| -weight));
/// ```
pub const YELLOW: [f32; 3] = kernels::FOR_YELLOW;

/// A filter: one kernel (a small matrix of weights) for each channel of its input, and a bias.
///
/// As usual in deep learning, "convolution" does not flip the filter (mathematics calls this
/// cross-correlation).
///
/// ```
/// use nchw::prelude::*;
/// let image = Matrix::from([[0, 0, 0, 1, 1, 1]; 6]);
/// let result = Filter::vertical_edge().convolve(&image)?;
/// assert_eq!(result.row(0), [0.0, 3.0, 3.0, 0.0]);
/// let fewer = Filter::vertical_edge().stride(2).padding(1).convolve(&image)?;
/// assert_eq!((fewer.height(), fewer.width()), (3, 3));
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Filter {
    name: String,
    /// `[1, C, H, W]`; while it is learned, a tensor with gradients.
    weight: Tensor,
    /// `[1]`
    bias: Tensor,
    slide: Slide,
    /// Whether its three channels are red, green and blue; otherwise they have numbers.
    for_colour: bool,
}

/// How the window moves over the input.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slide {
    stride: usize,
    padding: usize,
    dilation: usize,
}

impl Filter {
    /// A filter for one channel with your own weights: `Filter::new("mine", [[1, 0], [0, -1]])`.
    pub fn new(name: impl Into<String>, kernel: impl Into<Matrix>) -> Filter {
        Filter::of_weight(name.into(), kernel.into().tensor())
    }

    /// A filter with one kernel for each channel of its input.
    ///
    /// # Errors
    /// When there is no kernel, or two of them differ in size.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let (across, down) = (Matrix::from([[1, -1]]), Matrix::from([[2, -2]]));
    /// let filter = Filter::of_kernels("difference", &[across, down])?;
    /// assert_eq!(filter.weight().size(), [1, 2, 1, 2]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn of_kernels(name: impl Into<String>, kernels: &[Matrix]) -> Result<Filter> {
        let Some(first) = kernels.first() else {
            return Err(Error::new("a filter needs at least one kernel: `&[kernel]`"));
        };
        let size = |kernel: &Matrix| (kernel.height(), kernel.width());
        if let Some(other) = kernels.iter().find(|kernel| size(kernel) != size(first)) {
            let ((h, w), (rows, columns)) = (size(first), size(other));
            return Err(Error::new(format!(
                "all kernels of a filter have the same size, got {h} x {w} and {rows} x {columns}"
            )));
        }
        let kernels: Vec<Tensor> = kernels.iter().map(Matrix::tensor).collect();
        Ok(Filter::of_weight(name.into(), Tensor::f_cat(&kernels, 1)?))
    }

    /// A filter from its weight, such as one of a trained network.
    ///
    /// # Shapes
    /// `[N=1, C, H, W]`, `[C, H, W]` or, for one channel, `[H, W]`.
    ///
    /// # Errors
    /// When the tensor has another shape; for the weight of a layer, the message says how to select one of
    /// its filters.
    pub fn from_tensor(name: impl Into<String>, weight: &Tensor) -> Result<Filter> {
        let size = weight.size();
        if let Some(empty) = empty_axis(&size) {
            return Err(Error::new(format!("a filter needs at least one weight, got {size:?}: {empty}")));
        }
        let shape = match size[..] {
            [1, c, h, w] | [c, h, w] => [1, c, h, w],
            [h, w] => [1, 1, h, w],
            _ => {
                return Err(Error::new(format!(
                    "a filter needs a weight of shape [1, C, H, W], got {size:?}{}",
                    if size.len() == 4 { ": `.i(0)` selects the first filter" } else { "" }
                )));
            }
        };
        let weight = Tensor::from_slice(&values_of(weight)?).f_view(shape)?;
        Ok(Filter::of_weight(name.into(), weight))
    }

    /// A 1 × 1 convolution: one weight for each map, so a weighted sum of maps.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// assert_eq!(Filter::mixture("both", [1, 1, 0]).weight().size(), [1, 3, 1, 1]);
    /// ```
    pub fn mixture<T: Into<f64> + Copy, const C: usize>(name: impl Into<String>, weights: [T; C]) -> Filter {
        const { assert!(C > 0, "a mixture needs at least one weight") }
        let weights = weights.map(|weight| weight.into() as f32);
        Filter::of_weight(name.into(), Tensor::from_slice(&weights).view([1, C as i64, 1, 1]))
    }

    /// A filter of `side` × `side` for one channel with random weights from −0.5 to 0.5. The same seed gives
    /// the same weights on every machine.
    ///
    /// # Errors
    /// When `side` is 0 or more than 100.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// assert_eq!(Filter::random(3, 7)?, Filter::random(3, 7)?);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn random(side: usize, seed: u64) -> Result<Filter> {
        if !(1..=100).contains(&side) {
            return Err(Error::new(format!("a filter has 1 to 100 rows (H) and columns (W), got {side}")));
        }
        let mut rng = Rng::new(seed, 0);
        let weights = (0..side * side).map(|_| rng.between(-0.5, 0.5)).collect();
        Ok(Filter::new(format!("random, seed {seed}"), Matrix::new(side, side, weights)?))
    }

    fn of_weight(name: String, weight: Tensor) -> Filter {
        let bias = Tensor::from_slice(&[0.0_f32]);
        Filter { name, weight, bias, slide: Slide { stride: 1, padding: 0, dilation: 1 }, for_colour: false }
    }

    /// A filter whose numbers the interactive figures use, too.
    fn known(kernel: &Kernel) -> Filter {
        let size = [1, 1, kernel.rows.len() as i64, -1];
        let weight = Tensor::from_slice(&kernel.rows.concat()).view(size);
        Filter::of_weight(kernel.name.into(), weight).with_bias(kernel.bias)
    }

    /// Responds where the image gets brighter from left to right (the lecture's filter 1).
    pub fn vertical_edge() -> Filter {
        Filter::known(&kernels::VERTICAL_EDGE)
    }

    /// Responds where the image gets brighter from top to bottom (the lecture's filter 2: filter 1
    /// transposed).
    pub fn horizontal_edge() -> Filter {
        Filter::known(&kernels::HORIZONTAL_EDGE)
    }

    /// Responds to edges that fall from the top left to the bottom right, `\`.
    pub fn falling_diagonal() -> Filter {
        Filter::known(&kernels::FALLING_DIAGONAL)
    }

    /// Responds to edges that rise from the bottom left to the top right, `/`.
    pub fn rising_diagonal() -> Filter {
        Filter::known(&kernels::RISING_DIAGONAL)
    }

    /// The mean of a 5 × 5 window.
    pub fn blur() -> Filter {
        Filter::known(&kernels::BLUR)
    }

    /// Amplifies the difference between each pixel and its four neighbours.
    pub fn sharpen() -> Filter {
        Filter::known(&kernels::SHARPEN)
    }

    /// Makes the image look like a relief lit from the bottom right. Its bias is a middle grey.
    pub fn emboss() -> Filter {
        Filter::known(&kernels::EMBOSS)
    }

    /// Leaves every value unchanged.
    pub fn identity() -> Filter {
        Filter::known(&kernels::IDENTITY)
    }

    /// The same filter with this bias.
    pub fn with_bias(&self, bias: f32) -> Filter {
        Filter { bias: Tensor::from_slice(&[bias]), ..self.clone() }
    }

    /// The same filter under another name.
    pub fn named(&self, name: impl Into<String>) -> Filter {
        Filter { name: name.into(), ..self.clone() }
    }

    /// The same filter, but the window moves so many rows and columns at a time.
    pub fn stride(&self, stride: usize) -> Filter {
        Filter { slide: Slide { stride, ..self.slide }, ..self.clone() }
    }

    /// The same filter, for an input with so many rows and columns of zeros on each side.
    pub fn padding(&self, padding: usize) -> Filter {
        Filter { slide: Slide { padding, ..self.slide }, ..self.clone() }
    }

    /// The same filter, but its weights lie so many pixels apart.
    pub fn dilation(&self, dilation: usize) -> Filter {
        Filter { slide: Slide { dilation, ..self.slide }, ..self.clone() }
    }

    /// The same filter for a colour: `Filter::vertical_edge().for_colour(RED)` is a filter for red vertical
    /// edges.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let filter = Filter::vertical_edge().for_colour(RED);
    /// assert_eq!((filter.name(), filter.channels()), ("red vertical edge", 3));
    /// ```
    pub fn for_colour(&self, colour: [f32; 3]) -> Filter {
        let known = [("red", RED), ("green", GREEN), ("blue", BLUE), ("yellow", YELLOW)];
        let name = known.iter().find(|(_, numbers)| *numbers == colour).map_or("coloured", |(name, _)| name);
        let filter = self.for_channels(colour).named(format!("{name} {}", self.name));
        Filter { for_colour: true, ..filter }
    }

    /// `red`, `green` and `blue`, or `channel 0` and so on.
    fn channel_name(&self, channel: usize) -> String {
        let colour = ["red", "green", "blue"].get(channel).filter(|_| self.for_colour);
        colour.map_or(format!("channel {channel}"), |colour| (*colour).to_owned())
    }

    /// The same filter for several channels: its kernel times the first number for the first channel, and so
    /// on. (Of a filter that already has several kernels, it takes their sum.)
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let filter = Filter::new("mine", [[1, 2]]).for_channels([1.0, -1.0]);
    /// assert_eq!(filter.kernels()[1], Matrix::from([[-1, -2]]));
    /// ```
    pub fn for_channels<const C: usize>(&self, times: [f32; C]) -> Filter {
        const { assert!(C > 0, "a filter needs at least one channel") }
        let kernel = self.weight.sum_dim_intlist([1_i64].as_slice(), true, Kind::Float);
        let times = Tensor::from_slice(&times).view([1, C as i64, 1, 1]);
        Filter { weight: kernel * times, for_colour: false, ..self.clone() }
    }

    /// Transposes the kernels: a vertical edge filter becomes a horizontal one.
    pub fn transpose(&self) -> Filter {
        let name = format!("{}, transposed", self.name);
        Filter { name, weight: self.weight.transpose(2, 3).contiguous(), ..self.clone() }
    }

    /// The name shown in titles.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// C: the number of kernels, one for each channel of the input.
    pub fn channels(&self) -> usize {
        self.weight.size()[1] as usize
    }

    /// Rows and columns of the kernels.
    fn size(&self) -> (usize, usize) {
        let size = self.weight.size();
        (size[2] as usize, size[3] as usize)
    }

    /// The weights: one matrix for each channel of the input.
    pub fn kernels(&self) -> Vec<Matrix> {
        let grids = grids_of(&self.weight).unwrap_or_default();
        grids.into_iter().map(|grid| Matrix::of_grid(grid).meaning(Meaning::Signed)).collect()
    }

    /// The number added to every sum.
    pub fn bias(&self) -> f32 {
        self.bias.double_value(&[0]) as f32
    }

    /// The weight of a convolution with this filter.
    ///
    /// # Shapes
    /// `[N=1, C, H, W]`, `f32`: one filter.
    pub fn weight(&self) -> Tensor {
        // A copy: adding to a tensor of tch in place would change the filter.
        self.weight.copy()
    }

    /// How alike the weights of two filters are, whatever their strength: 1 if they are equal up to a
    /// factor, −1 if they are opposite, 0 if they have nothing in common. (It is their dot product, divided
    /// by their lengths.)
    ///
    /// # Errors
    /// When the filters differ in size.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let edge = Filter::vertical_edge();
    /// assert_eq!(edge.likeness(&Filter::new("stronger", [[-5, 0, 5]; 3]))?, 1.0);
    /// assert_eq!(edge.likeness(&Filter::horizontal_edge())?, 0.0);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn likeness(&self, other: &Filter) -> Result<f64> {
        let (size, others) = (self.weight.size(), other.weight.size());
        if size != others {
            return Err(Error::new(format!(
                "only filters of the same size can be compared: \"{}\" has {size:?} (N C H W), \"{}\" has \
                 {others:?}",
                self.name, other.name
            )));
        }
        let sum = |a: &Tensor, b: &Tensor| (a * b).sum(Kind::Double).double_value(&[]);
        let lengths = (sum(&self.weight, &self.weight) * sum(&other.weight, &other.weight)).sqrt();
        Ok(if lengths > 0.0 { sum(&self.weight, &other.weight) / lengths } else { 0.0 })
    }

    /// The one filter that does the same as this one and then the other: two convolutions without a ReLU
    /// between them are one. Two filters of 3 × 3 make one of 5 × 5.
    ///
    /// # Errors
    /// When the second filter has several channels, or one of them has a stride, padding or dilation.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let (first, second) = (Filter::vertical_edge(), Filter::falling_diagonal());
    /// let image = Image::from_tensor(&Tensor::rand([1, 1, 9, 12], (Kind::Float, Device::Cpu)))?;
    /// let two = second.convolve(&first.convolve(&image)?)?.tensor();
    /// let one = first.then(&second)?.convolve(&image)?.tensor();
    /// assert!((two - one).abs().max().double_value(&[]) < 1e-5);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn then(&self, second: &Filter) -> Result<Filter> {
        if second.channels() != 1 {
            return Err(Error::new(format!(
                "axis C (channels): \"{}\" gives one map, and \"{}\" needs {}",
                self.name,
                second.name,
                second.channels()
            )));
        }
        let plain = Slide { stride: 1, padding: 0, dilation: 1 };
        if let Some(other) = [self, second].into_iter().find(|filter| filter.slide != plain) {
            return Err(Error::new(format!(
                "two filters make one only with stride 1, padding 0 and dilation 1; \"{}\" has {}",
                other.name,
                other.slide.in_words().join(", ")
            )));
        }
        let (h, w) = second.size();
        let (rows, columns) = (h as i64 - 1, w as i64 - 1);
        // Each kernel is an image here: this one's kernels, convolved with the second, which is turned.
        let images = self.weight.f_transpose(0, 1)?.f_constant_pad_nd([columns, columns, rows, rows])?;
        let turned = second.weight.f_flip([2, 3])?;
        let weight =
            images.f_conv2d::<&Tensor>(&turned, None, 1, 0, 1, 1)?.f_transpose(0, 1)?.f_contiguous()?;
        let sum = second.weight.f_sum(Kind::Double)?.f_double_value(&[])? as f32;
        let name = format!("{}, then {}", self.name, second.name);
        Ok(Filter::of_weight(name, weight).with_bias(second.bias() + self.bias() * sum))
    }
}

impl Slide {
    /// What is not as usual.
    fn in_words(self) -> Vec<String> {
        let named =
            [("stride", self.stride, 1), ("padding", self.padding, 0), ("dilation", self.dilation, 1)];
        let unusual = named.into_iter().filter(|(_, value, usual)| value != usual);
        unusual.map(|(name, value, _)| format!("{name} {value}")).collect()
    }
}

/// Shares the weight, also its gradients: a copy of a filter that is being learned is learned with it.
impl Clone for Filter {
    fn clone(&self) -> Filter {
        let (weight, bias) = (self.weight.shallow_clone(), self.bias.shallow_clone());
        Filter { name: self.name.clone(), weight, bias, slide: self.slide, for_colour: self.for_colour }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        (&self.name, self.slide) == (&other.name, other.slide)
            && self.weight == other.weight
            && self.bias() == other.bias()
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = [vec![format!("bias {}", number(self.bias()))], self.slide.in_words()].concat();
        write!(f, "Filter \"{}\", {}:", self.name, options.join(", "))?;
        let kernels = self.kernels();
        for (channel, kernel) in kernels.iter().enumerate() {
            let name = match kernels.len() {
                1 => String::new(),
                _ => format!("\n{}:", self.channel_name(channel)),
            };
            write!(f, "{name}\n{kernel}")?;
        }
        Ok(())
    }
}
