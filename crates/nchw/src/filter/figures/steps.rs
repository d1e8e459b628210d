//! Convolution step by step: the window slides, each dot product is written out.

use super::{
    cells::{readable, rounded, wrapped},
    matrix::{highlights, palette},
};
use crate::{
    Error, Result,
    filter::{Filter, Input},
    matrix::{Matrix, Meaning},
    notebook::{Interactive, shows_its_figure},
    text::number,
};
use nchw_draw::{Figure, Highlights, Layout, PIXEL_RATIO, Palette, Panel, Pixels};
use std::{fmt, ops::Range};
use tch::Tensor;

/// Seconds that each step is shown, if there are few of them or many, and the last one.
const STEP_SECONDS: f32 = 2.0;
const SHORT_SECONDS: f32 = 1.0;
const FEW_STEPS: usize = 6;
const LAST_SECONDS: f32 = 4.0;
/// The most stills in one figure.
const MAX_STILLS: usize = 12;
/// The most bytes of all frames of an animation.
const MAX_BYTES: usize = 600_000_000;

/// A convolution step by step, of [`Filter::steps`]: displayed as an animation.
pub struct Steps {
    animation: Figure,
    play: nchw_web::Figure,
    still: Figure,
}

impl Steps {
    /// The animation: a frame for each position of the window.
    ///
    /// # Errors
    /// Never; like all methods of this name, it returns a result.
    pub fn figure(&self) -> Result<Figure> {
        Ok(self.animation.clone())
    }

    /// The same convolution as an interactive figure: move the window, and change the image, the filter, the
    /// stride and the padding.
    pub fn play(&self) -> Interactive {
        Interactive::with_still(self.play.clone(), &self.still)
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.animation.text())
    }
}

shows_its_figure!(Steps);

impl Filter {
    /// The whole convolution as an animation: the filter slides over a small matrix or a small piece of a colour
    /// photo, and each product is written out. The pixels of a photo are rounded to tenths.
    ///
    /// # Errors
    /// When the filter does not fit the input, or there are more than 49 positions, which would take
    /// too long to watch.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let piece = Image::from_tensor(&Tensor::ones([3, 4, 5], (Kind::Float, Device::Cpu)))?;
    /// let steps = Filter::vertical_edge().for_colour(RED).steps(&piece)?;
    /// assert!(steps.figure()?.text().starts_with("row 0, column 0: red 0 + green 0 + blue 0 = 0"));
    /// // Move the window yourself:
    /// steps.play();
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn steps<I: Input + ?Sized>(&self, input: &I) -> Result<Steps> {
        let steps = Walk::new(self, input)?;
        let count = steps.result.values().len();
        if count > 49 {
            return Err(Error::new(format!(
                "an animation shows at most 49 positions, got {count}: \
                 use a smaller matrix, or show one position with `.step(&image, 0)`"
            )));
        }
        let (image, kernel) = (&steps.sheets[0], &steps.kernels[0]);
        let seconds = if count > FEW_STEPS { SHORT_SECONDS } else { STEP_SECONDS };
        let mut frames: Vec<(Pixels, f32)> = Vec::new();
        for position in 0..count {
            if position == 1 && frames[0].0.rgb.len() * count > MAX_BYTES {
                return Err(Error::new(format!(
                    "an animation of {count} steps with a {} x {} matrix and a {} x {} filter is too large: \
                     use smaller ones, or show one position with `.step(&image, 0)`",
                    image.height(),
                    image.width(),
                    kernel.height(),
                    kernel.width()
                )));
            }
            frames.push((
                steps.layout(position).draw()?,
                if position + 1 == count { LAST_SECONDS } else { seconds },
            ));
        }
        let alt = format!(
            "Animation of {count} steps: the filter \"{}\" slides over {}the {} x {} matrix; the results are \
             {}",
            self.name(),
            if steps.is_flat() { String::new() } else { format!("{} sheets of ", steps.sheets.len()) },
            image.height(),
            image.width(),
            steps.result.to_string().replace('\n', " / ")
        );
        let animation = Figure::animation(&same_size(frames), alt, steps.in_words(0..count))?;
        Ok(Steps { animation, play: self.window(&input.sheets()?), still: self.step(input, 0)? })
    }

    /// One step of [`Filter::steps`] as a still figure. Positions are counted from 0 at the top left, row
    /// by row.
    ///
    /// # Errors
    /// When there is no such step, or the filter does not fit the input.
    pub fn step<I: Input + ?Sized>(&self, input: &I, position: usize) -> Result<Figure> {
        let steps = Walk::new(self, input)?;
        let count = steps.result.values().len();
        if position >= count {
            return Err(Error::new(format!(
                "there are {count} steps, counted from 0 to {}; there is no step {position}",
                count - 1
            )));
        }
        let text = steps.in_words(position..position + 1);
        steps.layout(position).figure(format!("The filter \"{}\" at {text}", self.name()), text)
    }

    /// Several steps of [`Filter::steps`] as one still figure: the window at each position, with its sum.
    ///
    /// # Errors
    /// When there is no such step, or there are more than twelve.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let image = Matrix::from([[0, 0, 0, 1, 1, 1]; 6]);
    /// let figure = Filter::vertical_edge().stills(&image, 0..4)?;
    /// assert!(figure.text().lines().nth(1).unwrap().ends_with("= 3"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn stills<I: Input + ?Sized>(&self, input: &I, positions: Range<usize>) -> Result<Figure> {
        let steps = Walk::new(self, input)?;
        let count = steps.result.values().len();
        if positions.is_empty() || positions.end > count || positions.len() > MAX_STILLS {
            return Err(Error::new(format!(
                "expected up to {MAX_STILLS} of the {count} steps, such as 0..{}, got {}..{}",
                count.min(4),
                positions.start,
                positions.end
            )));
        }
        let text = steps.in_words(positions.clone());
        let alt = format!("The filter \"{}\": {}", self.name(), text.replace('\n', "; "));
        steps.stills(positions).figure(alt, text)
    }
}

/// What the figures of a step show.
pub(super) struct Walk<'a> {
    pub(super) filter: &'a Filter,
    /// One for each channel.
    pub(super) kernels: Vec<Matrix>,
    /// The channels of the input, with their padding.
    pub(super) sheets: Vec<Matrix>,
    /// Whether the channels are red, green and blue.
    pub(super) coloured: bool,
    pub(super) result: Matrix,
    /// For each position the products of each channel; only if there are several channels.
    pub(super) products: Vec<Vec<Matrix>>,
}

impl<'a> Walk<'a> {
    fn new<I: Input + ?Sized>(filter: &'a Filter, input: &I) -> Result<Walk<'a>> {
        let slide = filter.slide;
        if slide.dilation != 1 {
            return Err(Error::new(format!(
                "the steps are shown for a filter without dilation, got dilation {}: `.convolve(&image)?` gives \
                 the result",
                slide.dilation
            )));
        }
        // Its errors name the input.
        filter.convolve(input)?;
        let sheets = input.sheets()?;
        sheets.iter().try_for_each(readable)?;
        let tensors: Vec<Tensor> = sheets.iter().map(Matrix::tensor).collect();
        let result = filter.convolve(&Tensor::f_cat(&tensors, 1)?)?.matrix()?;
        let sheets = sheets.iter().map(|sheet| sheet.padded(slide.padding)).collect::<Result<Vec<_>>>()?;
        let kernels = filter.kernels();
        [&kernels[..], &sheets[..]].into_iter().flatten().chain([&result]).try_for_each(readable)?;
        let coloured = input.photo().is_some() && sheets.len() == 3;
        let result = if coloured {
            let values = result.values().iter().copied().map(rounded).collect();
            Matrix::new(result.height(), result.width(), values)?.meaning(Meaning::Signed)
        } else {
            result
        };
        let mut steps = Walk { filter, kernels, sheets, coloured, result, products: Vec::new() };
        if !steps.is_flat() {
            steps.products =
                (0..steps.result.values().len()).map(|i| steps.all_products(i)).collect::<Result<_>>()?;
        }
        Ok(steps)
    }

    /// Whether there is one channel.
    pub(super) fn is_flat(&self) -> bool {
        self.sheets.len() == 1
    }

    /// Row and column of a position in the result.
    pub(super) fn at(&self, position: usize) -> (usize, usize) {
        (position / self.result.width(), position % self.result.width())
    }

    /// The window of a position in the image.
    pub(super) fn window(&self, position: usize) -> (usize, usize, usize, usize) {
        let ((row, column), stride) = (self.at(position), self.filter.slide.stride);
        (row * stride, column * stride, self.kernels[0].height(), self.kernels[0].width())
    }

    /// The products of each row of the filter, and the sum.
    fn products(&self, position: usize) -> (Vec<String>, String) {
        let (top, left, height, width) = self.window(position);
        let product = |i: usize, j: usize| {
            let (pixel, weight) = (self.sheets[0].at(top + i, left + j), self.kernels[0].at(i, j));
            format!("{}\u{00D7}{}", in_brackets(pixel), in_brackets(weight))
        };
        let mut lines: Vec<String> =
            (0..height).map(|i| (0..width).map(|j| product(i, j)).collect::<Vec<_>>().join(" + ")).collect();
        if self.filter.bias() != 0.0 {
            lines.push(format!("{} (bias)", in_brackets(self.filter.bias())));
        }
        (lines, number(self.result.values()[position]))
    }

    /// The image with the window of a position.
    fn image(&self, title: &str, position: usize) -> Panel<'_> {
        let window = Some(self.window(position));
        let sheet = &self.sheets[0];
        Panel::cells(title, sheet.grid(), palette(sheet), Highlights { window, ..highlights(sheet) })
    }

    fn filter(&self) -> Panel<'_> {
        let kernel =
            Panel::cells(self.filter.name(), self.kernels[0].grid(), Palette::Signed, Highlights::default());
        kernel.caption(self.filter.options().join(", "))
    }

    pub(super) fn result(&self, highlights: Highlights) -> Panel<'_> {
        Panel::cells("result", self.result.grid(), Palette::Signed, highlights)
    }

    fn layout(&self, position: usize) -> Layout<'_> {
        let (row, column) = self.at(position);
        let computed = Highlights {
            window: Some((row, column, 1, 1)),
            known: Some(position + 1),
            ..Highlights::default()
        };
        let count = self.result.values().len();
        let title = format!("Step {} of {count}: row {row}, column {column}", position + 1);
        if !self.is_flat() {
            return self.layout_of_sheets(title, position, computed);
        }
        let (products, sum) = self.products(position);
        let last = products.len() - 1;
        let lines = products
            .iter()
            .enumerate()
            .map(|(i, line)| {
                let prefix = if i == 0 { "" } else { "+ " };
                let suffix = if i == last { format!("  =  {sum}") } else { String::new() };
                format!("{prefix}{line}{suffix}")
            })
            .collect();
        let panels = vec![
            self.image("image", position),
            Panel::sign("\u{2217}"),
            self.filter(),
            Panel::sign("="),
            self.result(computed),
        ];
        Layout { title, rows: vec![panels], lines }
    }

    /// The image with the window of each position, then the filter and the numbers found so far.
    fn stills(&self, positions: Range<usize>) -> Layout<'_> {
        let known = Highlights { known: Some(positions.end), ..Highlights::default() };
        let title = format!("The filter \"{}\", position by position", self.filter.name());
        if !self.is_flat() {
            return self.stills_of_sheets(title, positions, known);
        }
        let still = |position: usize| {
            let (products, sum) = self.products(position);
            let (row, column) = self.at(position);
            let title = format!("row {row}, column {column}");
            self.image(&title, position).caption(format!("{} = {sum}", products.join(" + ")))
        };
        let mut rows = wrapped(positions.clone().map(still).collect());
        rows.push(vec![self.filter(), self.result(known)]);
        Layout { title, rows, lines: Vec::new() }
    }

    fn in_words(&self, positions: Range<usize>) -> String {
        let line = |position: usize| {
            let (row, column) = self.at(position);
            if !self.is_flat() {
                return format!("row {row}, column {column}: {}", self.sum_of_sheets(position, true));
            }
            let (products, sum) = self.products(position);
            format!("row {row}, column {column}: {} = {sum}", products.join(" + "))
        };
        positions.map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A factor, in brackets if it is negative.
pub(super) fn in_brackets(value: f32) -> String {
    if value < 0.0 { format!("({})", number(value)) } else { number(value) }
}

/// Pads narrower frames with white on both sides: the written-out products, and therefore the frames,
/// differ in width.
fn same_size(mut frames: Vec<(Pixels, f32)>) -> Vec<(Pixels, f32)> {
    let width = frames.iter().map(|(p, _)| p.width).max().unwrap_or(0).next_multiple_of(PIXEL_RATIO);
    for (frame, _) in &mut frames {
        let (old, new) = (frame.width as usize * 3, width as usize * 3);
        let margin = (new - old) / 6 * 3;
        let mut rgb = vec![255; new * frame.height as usize];
        for (to, from) in rgb.chunks_mut(new).zip(frame.rgb.chunks(old)) {
            to[margin..margin + old].copy_from_slice(from);
        }
        *frame = Pixels { width, height: frame.height, rgb };
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::frames;
    use nchw_draw::canvas::MARK;

    fn two_by_two() -> (Filter, Matrix) {
        (Filter::new("mine", [[1, 0], [2, -1]]), Matrix::from([[1, 2, 0], [0, 1, 3], [4, 0, 1]]))
    }

    #[test]
    fn every_product_is_written_out_and_the_sums_are_the_convolution() {
        let (filter, image) = two_by_two();
        let text = filter.steps(&image).unwrap().figure().unwrap().text().to_owned();
        let expected = "row 0, column 0: 1\u{d7}1 + 2\u{d7}0 + 0\u{d7}2 + 1\u{d7}(\u{2212}1) = 0\n\
                        row 0, column 1: 2\u{d7}1 + 0\u{d7}0 + 1\u{d7}2 + 3\u{d7}(\u{2212}1) = 1\n\
                        row 1, column 0: 0\u{d7}1 + 1\u{d7}0 + 4\u{d7}2 + 0\u{d7}(\u{2212}1) = 8\n\
                        row 1, column 1: 1\u{d7}1 + 3\u{d7}0 + 0\u{d7}2 + 1\u{d7}(\u{2212}1) = 0";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_bias_is_in_the_sum() {
        let (filter, image) = two_by_two();
        let text = filter.with_bias(-0.5).step(&image, 2).unwrap().text().to_owned();
        assert!(text.ends_with("+ (\u{2212}0.5) (bias) = 7.5"), "{text}");
    }

    #[test]
    fn there_is_a_frame_for_every_position() {
        let (filter, image) = two_by_two();
        let figure = filter.steps(&image).unwrap().figure().unwrap();
        let frames = frames(&figure);
        assert_eq!(frames.len(), 4);
        // Each frame marks another window; the last one is right of and below the first.
        let window = |frame: &image::RgbImage| {
            let marked = frame.enumerate_pixels().filter(|(x, _, pixel)| {
                // The image is in the left third; the palette of an animation changes colours by 4 at most.
                *x < frame.width() / 3 && pixel.0.iter().zip(MARK).all(|(a, b)| a.abs_diff(b) <= 4)
            });
            marked.fold((u32::MAX, u32::MAX), |(left, top), (x, y, _)| (left.min(x), top.min(y)))
        };
        let windows: Vec<(u32, u32)> = frames.iter().map(window).collect();
        // A cell is 44 wide and high on the page, two pixels each.
        let (x, y) = windows[0];
        for (found, expected) in windows.iter().zip([(x, y), (x + 88, y), (x, y + 88), (x + 88, y + 88)]) {
            let off = found.0.abs_diff(expected.0).max(found.1.abs_diff(expected.1));
            assert!(off <= 2, "{windows:?}, expected {expected:?}");
        }
    }

    #[test]
    fn errors_say_what_would_fit() {
        let (filter, image) = two_by_two();
        let error = filter.step(&image, 4).unwrap_err().to_string();
        assert!(error.contains("4 steps, counted from 0 to 3") && error.contains("no step 4"), "{error}");
        let error = filter.steps(&Matrix::from([[0; 9]; 9])).unwrap_err().to_string();
        assert!(error.contains("at most 49 positions, got 64"), "{error}");
    }
}
