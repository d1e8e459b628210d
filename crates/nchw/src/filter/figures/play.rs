//! Filters as interactive figures: the sliding window on a matrix, the filter lab on a photo.

use crate::{
    Error, Result,
    filter::{Filter, Input},
    image::Image,
    matrix::Matrix,
    notebook::Interactive,
};
use nchw_web::{Figure, LabFilter, Photo};
use serde_json::json;

/// The longest side of the photo in the filter lab, and of the one in the still figure beside it.
const LAB_SIDE: usize = 320;
const STILL_SIDE: usize = 96;

impl Filter {
    /// An interactive figure. On a photo, the filter lab: change the weights, and see the map at once. On a
    /// matrix or a small piece of a photo's tensor, the sliding window with every product.
    ///
    /// # Errors
    /// When the filter does not fit the input, or is larger than the figure can show.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let play = Filter::vertical_edge().play(&Matrix::from([[0, 0, 1, 1]; 5]))?;
    /// assert_eq!(format!("{play:?}"), "interactive figure: Sliding window");
    /// let photo = Image::from_tensor(&Tensor::zeros([3, 40, 60], (Kind::Float, Device::Cpu)))?;
    /// let play = Filter::vertical_edge().for_colour(RED).play(&photo)?;
    /// assert_eq!(format!("{play:?}"), "interactive figure: Filter lab");
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn play<I: Input + ?Sized>(&self, input: &I) -> Result<Interactive> {
        match input.photo() {
            Some(photo) => self.lab(photo),
            None => Ok(self.steps(input)?.play()),
        }
    }

    fn lab(&self, photo: &Image) -> Result<Interactive> {
        let slide = self.slide;
        if (slide.stride, slide.dilation) != (1, 1) {
            return Err(Error::new(format!(
                "the filter lab moves the window by one pixel: expected stride 1 and dilation 1, got stride {} and \
                 dilation {}. `.steps(&matrix)?.play()` shows strides on a small matrix",
                slide.stride, slide.dilation
            )));
        }
        let (rows, columns) = self.size();
        let same = slide.padding > 0;
        if same && (2 * slide.padding + 1 != rows || rows != columns) {
            return Err(Error::new(format!(
                "the filter lab has no padding, or as much as keeps the size: expected {} for rows and {} for \
                 columns, got {}",
                (rows - 1) / 2,
                (columns - 1) / 2,
                slide.padding
            )));
        }
        let weights: Vec<f32> = self.kernels().iter().flat_map(|kernel| kernel.values().to_vec()).collect();
        let filter = LabFilter {
            name: self.name(),
            shape: [1, self.channels(), rows, columns],
            weights: &weights,
            bias: self.bias(),
            same,
            relu: false,
        };
        // One channel is applied to the grey photo.
        let photo = if self.channels() == 1 { photo.grey() } else { photo.rgb() };
        let shown = Photo::new(photo.name(), &photo.rgb().at_most(LAB_SIDE)?.jpeg()?);
        let figure = Figure::filter(&[shown], Some(&filter))?;
        Ok(Interactive::with_still(figure, &self.convolve(&photo.at_most(STILL_SIDE)?)?.figure()?))
    }

    /// The sliding window on these channels.
    pub(super) fn window(&self, sheets: &[Matrix]) -> Figure {
        Figure::window().options(json!({
            "image": rows_of(sheets),
            "kernel": rows_of(&self.kernels()),
            "bias": self.bias().to_string(),
            "stride": self.slide.stride,
            "padding": self.slide.padding,
            "dilation": self.slide.dilation,
        }))
    }
}

impl Matrix {
    /// Pooling of this matrix as an interactive figure: maximum and average of the window under the pointer; shift
    /// the numbers by one pixel and see what remains.
    ///
    /// # Errors
    /// When the window is larger than the matrix.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let play = Matrix::from([[1, 0, 2, 3], [4, 6, 6, 8]]).play_pooling(2)?;
    /// assert_eq!(format!("{play:?}"), "interactive figure: Pooling");
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn play_pooling(&self, window: usize) -> Result<Interactive> {
        let pooled = [("map", self), ("max", &self.max_pool(window)?), ("average", &self.avg_pool(window)?)];
        let still = super::side_by_side(&format!("Pooling {window} × {window}"), &pooled)?;
        let options = json!({"map": rows_of(std::slice::from_ref(self)), "window": window, "stride": window});
        Ok(Interactive::with_still(Figure::pool().options(options), &still))
    }
}

/// Rows of numbers as text, as the figures read them; an empty line separates channels.
fn rows_of(sheets: &[Matrix]) -> String {
    let sheet = |sheet: &Matrix| {
        let row = |row: &[f32]| row.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
        sheet.values().chunks(sheet.width()).map(row).collect::<Vec<_>>().join("\n")
    };
    sheets.iter().map(sheet).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::RED;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn numbers_become_text_that_the_figure_reads() {
        let sheets = [Matrix::from([[1.5f32, -2.0], [0.0, 3.0]]), Matrix::from([[0.1f32, 1e-7], [7.0, 8.0]])];
        assert_eq!(rows_of(&sheets), "1.5 -2\n0 3\n\n0.1 0.0000001\n7 8");
    }

    #[test]
    fn the_filter_lab_says_what_it_cannot_show() {
        let photo = Image::from_tensor(&Tensor::zeros([3, 20, 30], (Kind::Float, Device::Cpu))).unwrap();
        let edge = Filter::vertical_edge();
        let says = |filter: Filter| filter.play(&photo).unwrap_err().to_string();
        assert!(says(edge.stride(2)).contains("expected stride 1 and dilation 1, got stride 2"));
        assert!(says(edge.padding(2)).contains("expected 1 for rows and 1 for columns, got 2"));
        assert!(
            says(edge.for_channels([1.0; 4])).contains("expected"),
            "{}",
            says(edge.for_channels([1.0; 4]))
        );
        assert!(edge.padding(1).play(&photo).is_ok() && edge.for_colour(RED).play(&photo.grey()).is_ok());
    }
}
