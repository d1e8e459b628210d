//! Convolution step by step: the window slides, each dot product is written out.

use crate::{
    Error, Result,
    canvas::number,
    colour::Palette,
    figure::{Figure, PIXEL_RATIO, Pixels},
    filter::Filter,
    matrix::Matrix,
    panels::{Look, Panel, Sheet},
};

/// How long each step stays, and the last one, in seconds.
const STAY: f32 = 2.0;
const LAST: f32 = 5.0;
/// Bytes of all frames of an animation.
const MOST_BYTES: usize = 600_000_000;

impl Filter {
    /// The whole convolution as an animation: the filter slides over a small
    /// matrix, and each dot product is written out.
    ///
    /// # Errors
    /// When the filter is larger than the matrix, or there are more than 49
    /// places, which nobody would watch.
    pub fn steps(&self, image: &Matrix) -> Result<Figure> {
        let steps = Steps::new(self, image)?;
        let count = steps.answer.values().len();
        if count > 49 {
            return Err(Error::new(format!(
                "an animation shows at most 49 places, here are {count}: \
                 take a smaller matrix, or one place with `.step(&image, 0)`"
            )));
        }
        let mut frames: Vec<(Pixels, f32)> = Vec::new();
        for place in 0..count {
            if place == 1 && frames[0].0.rgb.len() * count > MOST_BYTES {
                return Err(Error::new(format!(
                    "an animation of {count} steps with a {} x {} matrix and a {} x {} filter is too large: take \
                     smaller ones, or one place with `.step(&image, 0)`",
                    image.height(),
                    image.width(),
                    self.kernel().height(),
                    self.kernel().width()
                )));
            }
            frames.push((steps.sheet(place).draw()?, if place + 1 == count { LAST } else { STAY }));
        }
        let alt = format!(
            "Animation of {count} steps: the filter \"{}\" slides over the {} x {} matrix; the results are {}",
            self.name(),
            image.height(),
            image.width(),
            steps.answer.to_string().replace('\n', " / ")
        );
        Figure::animation(&same_size(frames), alt, steps.in_words(0..count))
    }

    /// One step of [`Filter::steps`] as a still picture, counted from 0 at the
    /// top left.
    ///
    /// # Errors
    /// When there is no such step, or the filter is larger than the matrix.
    pub fn step(&self, image: &Matrix, place: usize) -> Result<Figure> {
        let steps = Steps::new(self, image)?;
        let count = steps.answer.values().len();
        if place >= count {
            return Err(Error::new(format!(
                "there are {count} steps, counted from 0 to {}; there is no step {place}",
                count - 1
            )));
        }
        let text = steps.in_words(place..place + 1);
        steps.sheet(place).figure(format!("The filter \"{}\" at {text}", self.name()), text)
    }
}

struct Steps<'a> {
    filter: &'a Filter,
    image: &'a Matrix,
    answer: Matrix,
}

impl<'a> Steps<'a> {
    fn new(filter: &'a Filter, image: &'a Matrix) -> Result<Steps<'a>> {
        image.require_readable()?;
        Ok(Steps { filter, image, answer: filter.convolve(image)? })
    }

    /// Row and column of a place.
    fn at(&self, place: usize) -> (usize, usize) {
        (place / self.answer.width(), place % self.answer.width())
    }

    /// The products of each row of the filter, and the sum.
    fn products(&self, place: usize) -> (Vec<String>, String) {
        let (row, column) = self.at(place);
        let kernel = self.filter.kernel();
        let mut lines: Vec<String> = (0..kernel.height())
            .map(|k| {
                let seen = &self.image.row(row + k)[column..];
                let products: Vec<String> = kernel
                    .row(k)
                    .iter()
                    .zip(seen)
                    .map(|(weight, pixel)| format!("{}\u{00D7}{}", in_brackets(*pixel), in_brackets(*weight)))
                    .collect();
                products.join(" + ")
            })
            .collect();
        if self.filter.bias() != 0.0 {
            lines.push(format!("{} (bias)", in_brackets(self.filter.bias())));
        }
        (lines, number(self.answer.values()[place]))
    }

    fn sheet(&self, place: usize) -> Sheet<'_> {
        let (row, column) = self.at(place);
        let kernel = self.filter.kernel();
        let window = Some((row, column, kernel.height(), kernel.width()));
        let here = Look { window: Some((row, column, 1, 1)), known: Some(place + 1) };
        let (products, sum) = self.products(place);
        let last = products.len() - 1;
        let lines = products
            .iter()
            .enumerate()
            .map(|(i, line)| {
                let front = if i == 0 { "" } else { "+ " };
                let back = if i == last { format!("  =  {sum}") } else { String::new() };
                format!("{front}{line}{back}")
            })
            .collect();
        let panels = vec![
            Panel::cells("image", self.image.grid(), self.image.palette(), Look { window, known: None }),
            Panel::sign("\u{2217}"),
            self.filter.panel(),
            Panel::sign("="),
            Panel::cells("result", self.answer.grid(), Palette::Signed, here),
        ];
        let count = self.answer.values().len();
        let title = format!("Step {} of {count}: row {row}, column {column}", place + 1);
        Sheet { title, rows: vec![panels], lines }
    }

    fn in_words(&self, places: std::ops::Range<usize>) -> String {
        let line = |place: usize| {
            let (row, column) = self.at(place);
            let (products, sum) = self.products(place);
            format!("row {row}, column {column}: {} = {sum}", products.join(" + "))
        };
        places.map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A negative factor in brackets, as on a blackboard.
fn in_brackets(value: f32) -> String {
    if value < 0.0 { format!("({})", number(value)) } else { number(value) }
}

/// The written-out products differ in length, and so do the frames' widths:
/// the narrower ones get white at the sides.
fn same_size(mut frames: Vec<(Pixels, f32)>) -> Vec<(Pixels, f32)> {
    let width = frames.iter().map(|(p, _)| p.width).max().unwrap_or(0).next_multiple_of(PIXEL_RATIO);
    for (picture, _) in &mut frames {
        let (old, new) = (picture.width as usize * 3, width as usize * 3);
        let before = (new - old) / 6 * 3;
        let mut rgb = vec![255; new * picture.height as usize];
        for (to, from) in rgb.chunks_mut(new).zip(picture.rgb.chunks(old)) {
            to[before..before + old].copy_from_slice(from);
        }
        *picture = Pixels { width, height: picture.height, rgb };
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{canvas::MARK, pixels::frames};

    fn two_by_two() -> (Filter, Matrix) {
        (Filter::new("mine", [[1, 0], [2, -1]]), Matrix::from([[1, 2, 0], [0, 1, 3], [4, 0, 1]]))
    }

    #[test]
    fn every_product_is_written_out_and_the_sums_are_the_convolution() {
        let (filter, image) = two_by_two();
        let text = filter.steps(&image).unwrap().text().to_owned();
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
    fn there_is_a_frame_for_every_place() {
        let (filter, image) = two_by_two();
        let figure = filter.steps(&image).unwrap();
        let frames = frames(&figure);
        assert_eq!(frames.len(), 4);
        // Each shows another place: the window of the last step is right of and below the first.
        let window = |frame: &image::RgbImage| {
            let marked = frame.enumerate_pixels().filter(|(x, _, pixel)| {
                // In the left third stands the image; colours of animations are moved by 4 at most.
                *x < frame.width() / 3 && pixel.0.iter().zip(MARK).all(|(a, b)| a.abs_diff(b) <= 4)
            });
            marked.fold((u32::MAX, u32::MAX), |(left, top), (x, y, _)| (left.min(x), top.min(y)))
        };
        let places: Vec<(u32, u32)> = frames.iter().map(window).collect();
        // A cell is 44 wide and high on the page, two pixels each.
        let (x, y) = places[0];
        for (found, expected) in places.iter().zip([(x, y), (x + 88, y), (x, y + 88), (x + 88, y + 88)]) {
            let off = found.0.abs_diff(expected.0).max(found.1.abs_diff(expected.1));
            assert!(off <= 2, "{places:?}, expected {expected:?}");
        }
    }

    #[test]
    fn errors_say_what_would_fit() {
        let (filter, image) = two_by_two();
        let error = filter.step(&image, 4).unwrap_err().to_string();
        assert!(error.contains("4 steps, counted from 0 to 3") && error.contains("no step 4"), "{error}");
        let error = filter.steps(&Matrix::from([[0; 9]; 9])).unwrap_err().to_string();
        assert!(error.contains("at most 49 places, here are 64"), "{error}");
    }
}
