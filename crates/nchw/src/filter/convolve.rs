//! Convolution: what filters can be applied to, and what does not fit.

use super::{Filter, Filters, Slide, maps::FeatureMaps};
use crate::{
    Error, Result,
    check::holds_something,
    image::Image,
    matrix::Matrix,
    numbers::{count_of_numbers, empty_axis, grids_of},
};
use tch::{Kind, Tensor};

/// What filters can be applied to: a [`Matrix`], an [`Image`], a tensor N C H W, or [`FeatureMaps`].
///
/// ```
/// use nchw::prelude::*;
/// let (edge, photo) = (Filter::vertical_edge(), Tensor::rand([1, 1, 20, 30], (Kind::Float, Device::Cpu)));
/// let maps: FeatureMaps = edge.convolve(&photo)?;
/// let deeper: FeatureMaps = edge.convolve(&maps.relu())?;
/// assert_eq!(deeper.tensor().size(), [1, 1, 16, 26]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub trait Input {
    /// The result of one filter: a matrix for a matrix, otherwise feature maps.
    type Output;

    /// The numbers, N C H W.
    #[doc(hidden)]
    fn numbers(&self) -> Result<Tensor>;

    /// Its name in error messages.
    #[doc(hidden)]
    fn described(&self) -> String;

    /// The result of one filter.
    #[doc(hidden)]
    fn result(&self, maps: FeatureMaps) -> Result<Self::Output>;

    /// Its channels, to be drawn with their numbers. Those of a photo are rounded to tenths, so that products can
    /// be checked by hand.
    #[doc(hidden)]
    fn sheets(&self) -> Result<Vec<Matrix>> {
        Ok(grids_of(&self.numbers()?)?.into_iter().map(Matrix::of_grid).collect())
    }

    /// The photo, if it is one.
    #[doc(hidden)]
    fn photo(&self) -> Option<&Image> {
        None
    }
}

impl Input for Matrix {
    type Output = Matrix;

    fn numbers(&self) -> Result<Tensor> {
        Ok(self.tensor())
    }

    fn described(&self) -> String {
        "the matrix".into()
    }

    fn sheets(&self) -> Result<Vec<Matrix>> {
        Ok(vec![self.clone()])
    }

    fn result(&self, maps: FeatureMaps) -> Result<Matrix> {
        maps.matrix()
    }
}

impl Input for Image {
    type Output = FeatureMaps;

    fn numbers(&self) -> Result<Tensor> {
        Ok(self.tensor())
    }

    fn described(&self) -> String {
        self.name().to_owned()
    }

    fn result(&self, maps: FeatureMaps) -> Result<FeatureMaps> {
        Ok(maps)
    }

    fn sheets(&self) -> Result<Vec<Matrix>> {
        let tenths = (self.tensor() * 10.0).round() / 10.0;
        Ok(grids_of(&tenths)?.into_iter().map(|grid| Matrix::of_grid(grid).between(0.0, 1.0)).collect())
    }

    fn photo(&self) -> Option<&Image> {
        Some(self)
    }
}

impl Input for Tensor {
    type Output = FeatureMaps;

    fn numbers(&self) -> Result<Tensor> {
        holds_something(self)?;
        let size = self.size();
        if let Some(empty) = empty_axis(&size) {
            return Err(Error::new(format!("convolve needs at least one number, got {size:?}: {empty}")));
        }
        let fix = match size.len() {
            4 => {
                return Ok(if self.kind() == Kind::Float {
                    self.shallow_clone()
                } else {
                    self.f_to_kind(Kind::Float)?
                });
            }
            3 => ": `.unsqueeze(0)` adds N",
            2 => ": `.unsqueeze(0).unsqueeze(0)` adds N and C",
            _ => "",
        };
        Err(Error::new(format!("convolve needs a tensor of shape [N, C, H, W], got {size:?}{fix}")))
    }

    fn described(&self) -> String {
        "the tensor".into()
    }

    fn result(&self, maps: FeatureMaps) -> Result<FeatureMaps> {
        Ok(maps)
    }
}

impl Input for FeatureMaps {
    type Output = FeatureMaps;

    fn numbers(&self) -> Result<Tensor> {
        Ok(self.tensor())
    }

    fn described(&self) -> String {
        "the input".into()
    }

    fn result(&self, maps: FeatureMaps) -> Result<FeatureMaps> {
        Ok(maps)
    }
}

impl Filter {
    /// Applies the filter: multiply and add at every position of the window. A [`Matrix`] gives a matrix; an
    /// [`Image`], a tensor or [`FeatureMaps`] give feature maps.
    ///
    /// # Shapes
    /// `[N, C, H, W]`, with the filter's C, to `[N, 1, H', W']`; without options H' = H − h + 1.
    ///
    /// # Errors
    /// When the filter's number of channels is not that of the input, or the filter is larger than the
    /// input, or an option is out of range.
    ///
    /// # Source
    /// Lecture part 2.
    pub fn convolve<I: Input + ?Sized>(&self, input: &I) -> Result<I::Output> {
        let result =
            run(input, &self.weight, &self.bias, self.slide, &format!("the filter \"{}\"", self.name))?;
        let mut maps = FeatureMaps::signed(result, vec![self.name.clone()]);
        if let Some(photo) = input.photo() {
            maps = maps.seen_in(photo, self);
        }
        input.result(maps)
    }

    /// Filters each colour of a photo by itself and gives a photo of the same size, for filters that change
    /// an image: blur, sharpen, emboss. At the edges the nearest pixels are repeated.
    ///
    /// # Errors
    /// When the filter has several channels, or the result cannot be an image.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let photo = Image::from_tensor(&Tensor::rand([3, 20, 30], (Kind::Float, Device::Cpu)))?;
    /// let soft = Filter::blur().transform(&photo)?;
    /// assert_eq!((soft.channels(), soft.height(), soft.width()), (3, 20, 30));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn transform(&self, photo: &Image) -> Result<Image> {
        if self.channels() != 1 {
            return Err(Error::new(format!(
                "transform filters each colour by itself, so the filter has one kernel; \"{}\" has {}",
                self.name,
                self.channels()
            )));
        }
        let (h, w) = self.size();
        let [top, bottom, left, right] = [(h - 1) / 2, h / 2, (w - 1) / 2, w / 2].map(|n| n as i64);
        let colours = photo.tensor().f_transpose(0, 1)?.f_replication_pad2d([left, right, top, bottom])?;
        let result =
            run(&colours, &self.weight, &self.bias, self.slide, &format!("the filter \"{}\"", self.name))?;
        let name = format!("{}, {}", photo.name(), self.name);
        Ok(Image::from_tensor(&result.f_transpose(0, 1)?)?.named(name))
    }
}

impl Filters {
    /// Applies all filters: one feature map each, stacked on the channel axis.
    ///
    /// # Shapes
    /// `[N, C, H, W]`, with the filters' C, to `[N, number of filters, H', W']`.
    ///
    /// # Errors
    /// As [`Filter::convolve`].
    ///
    /// # Source
    /// Lecture parts 2 and 3.
    pub fn convolve<I: Input + ?Sized>(&self, input: &I) -> Result<FeatureMaps> {
        let slide = self.filters()[0].slide;
        let result = run(input, &self.weight(), &self.bias(), slide, "each filter")?;
        Ok(FeatureMaps::signed(result, self.names().into_iter().map(str::to_owned).collect()))
    }
}

/// The most zeros on each side; a larger frame could run out of memory and end the kernel.
const MAX_PADDING: usize = 1000;

fn run<I: Input + ?Sized>(
    input: &I,
    weight: &Tensor,
    bias: &Tensor,
    slide: Slide,
    who: &str,
) -> Result<Tensor> {
    let numbers = input.numbers()?;
    let (size, kernel) = (numbers.size(), weight.size());
    fits(&size, &kernel, slide, who, &input.described(), input.photo().is_some())?;
    count_of_numbers(&[
        size[0],
        kernel[0],
        size[2] + 2 * slide.padding as i64,
        size[3] + 2 * slide.padding as i64,
    ])?;
    let [stride, padding, dilation] = [slide.stride, slide.padding, slide.dilation].map(|n| n as i64);
    let device = numbers.device();
    let (weight, bias) = (weight.f_to_device(device)?, bias.f_to_device(device)?);
    Ok(numbers.f_conv2d(&weight, Some(&bias), stride, padding, dilation, 1)?)
}

/// Whether filters of size `kernel` (N C H W) fit an input of size `size` (N C H W).
fn fits(size: &[i64], kernel: &[i64], slide: Slide, who: &str, input: &str, photo: bool) -> Result<()> {
    for (name, value, least, most) in [
        ("stride", slide.stride, 1, 10_000),
        ("dilation", slide.dilation, 1, 10_000),
        ("padding", slide.padding, 0, MAX_PADDING),
    ] {
        if !(least..=most).contains(&value) {
            return Err(Error::new(format!("expected a {name} from {least} to {most}, got {value}")));
        }
    }
    let (channels, kernels) = (size[1], kernel[1]);
    if channels != kernels {
        let instead = match (photo, channels, kernels) {
            (true, 3, 1) => {
                "`photo.grey()` has one channel; `.for_colour(RED)` gives the filter three kernels; \
                 `.transform(&photo)?` filters each colour by itself"
                    .into()
            }
            (true, 1, 3) => "`photo.rgb()`, or the photo in colour, has three channels".into(),
            (_, _, 1) => {
                format!("`.for_channels([1.0; {channels}])` gives the filter {channels} equal kernels")
            }
            _ => format!("a filter with {channels} kernels, or an input with {kernels} channels"),
        };
        return Err(Error::new(format!(
            "axis C (channels): {input} has {channels}, and {who} has {kernels}. A filter needs one kernel for \
             each channel of its input\ninstead: {instead}"
        )));
    }
    for (axis, name) in [(2, "rows (H)"), (3, "columns (W)")] {
        let reach = slide.dilation as i64 * (kernel[axis] - 1) + 1;
        let whole = size[axis] + 2 * slide.padding as i64;
        if reach <= whole {
            continue;
        }
        let with = |words: &str, value: usize, usual| {
            if value == usual { String::new() } else { format!("{words} {value}") }
        };
        return Err(Error::new(format!(
            "{who} ({} x {}{}) has more {name} than {input} ({} x {}{}): use a smaller filter or a larger image",
            kernel[2],
            kernel[3],
            with(" with dilation", slide.dilation, 1),
            size[2],
            size[3],
            with(" with padding", slide.padding, 0),
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::RED;
    use tch::{Device, IndexOp};

    /// The lecture's example: dark on the left, bright on the right.
    fn dark_and_bright() -> Matrix {
        Matrix::from([[0, 0, 0, 1, 1, 1]; 6])
    }

    fn photo(channels: i64) -> Image {
        let numbers = Tensor::arange(channels * 5 * 8, (Kind::Float, Device::Cpu)).view([1, channels, 5, 8]);
        Image::from_tensor(&(numbers / (channels * 40) as f64)).unwrap()
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
        assert_eq!(vertical.transpose().kernels(), Filter::horizontal_edge().kernels());
    }

    #[test]
    fn options_are_those_of_libtorch() {
        let image = photo(1);
        let (edge, weight) = (Filter::new("odd", [[1, -2, 3], [0, 1, 0]]), [1_f32, -2.0, 3.0, 0.0, 1.0, 0.0]);
        let weight = Tensor::from_slice(&weight).view([1, 1, 2, 3]);
        for (stride, padding, dilation) in [(1, 0, 1), (2, 0, 1), (1, 1, 1), (1, 0, 2), (3, 2, 2)] {
            let filter = edge.stride(stride).padding(padding).dilation(dilation).with_bias(0.5);
            let [s, p, d] = [stride, padding, dilation].map(|n| n as i64);
            let expected = image.tensor().conv2d(&weight, Some(Tensor::from_slice(&[0.5_f32])), s, p, d, 1);
            assert_eq!(filter.convolve(&image).unwrap().tensor(), expected);
        }
    }

    #[test]
    fn a_filter_for_red_is_silent_on_grey() {
        let filter = Filter::vertical_edge().for_colour(RED);
        let grey = filter.convolve(&photo(1).rgb()).unwrap().tensor();
        assert!(grey.abs().max().double_value(&[]) < 1e-6);
        let red =
            Tensor::cat(&[&photo(1).tensor(), &Tensor::zeros([1, 2, 5, 8], (Kind::Float, Device::Cpu))], 1);
        let expected = Filter::vertical_edge().convolve(&photo(1)).unwrap().tensor();
        let got = filter.convolve(&red).unwrap().tensor();
        assert!((got - expected).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn what_does_not_fit_is_named_with_a_fix() {
        let says = |result: Result<FeatureMaps>| result.unwrap_err().to_string();
        let edge = Filter::vertical_edge();
        let colour = says(edge.convolve(&photo(3).named("cat.png")));
        assert!(
            colour.contains("axis C (channels): cat.png has 3, and the filter \"vertical edge\" has 1")
                && colour.contains("`photo.grey()`"),
            "{colour}"
        );
        assert!(says(edge.for_colour(RED).convolve(&photo(1))).contains("`photo.rgb()`"));
        let ten = Tensor::zeros([1, 10, 5, 8], (Kind::Float, Device::Cpu));
        assert!(says(edge.convolve(&ten)).contains("`.for_channels([1.0; 10])`"));
        assert!(says(edge.for_colour(RED).convolve(&ten)).contains("an input with 3 channels"));
        assert!(says(edge.convolve(&ten.i(0))).contains("`.unsqueeze(0)` adds N"));
        let flat = Matrix::from([[1, 2, 3, 4]; 2]);
        let error = edge.convolve(&flat).unwrap_err().to_string();
        assert!(error.contains("(3 x 3) has more rows (H) than the matrix (2 x 4)"), "{error}");
        let wide = says(Filter::new("wide", [[1, 0, 1]]).dilation(4).convolve(&photo(1)));
        assert!(wide.contains("(1 x 3 with dilation 4) has more columns (W)"), "{wide}");
        for (filter, words) in [
            (edge.stride(0), "expected a stride from 1"),
            (edge.dilation(0), "expected a dilation from 1"),
            (edge.padding(usize::MAX), "expected a padding from 0"),
        ] {
            assert!(says(filter.convolve(&photo(1))).contains(words));
        }
    }

    #[test]
    fn filters_that_change_an_image_keep_its_size_and_brightness() {
        let even = Image::from_tensor(&Tensor::full([3, 7, 6], 0.5, (Kind::Float, Device::Cpu))).unwrap();
        for filter in [Filter::identity(), Filter::blur(), Filter::sharpen(), Filter::emboss()] {
            assert_eq!(filter.transform(&even).unwrap().tensor_u8(), even.tensor_u8(), "{filter:?}");
        }
        let photo = photo(3);
        assert_eq!(Filter::identity().transform(&photo).unwrap().tensor_u8(), photo.tensor_u8());
        assert!(Filter::blur().for_colour(RED).transform(&photo).is_err());
    }
}
