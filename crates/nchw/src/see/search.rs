//! A search through many images: where is the sum of their last feature maps largest?

use super::{progress::Progress, view::layer_with_maps};
use crate::{
    Error, Result,
    data::Examples,
    error::debug_as_display,
    image::Image,
    net::{LectureNet, owned},
    normalise::mean_colour,
    numbers::values_of,
    ranking::{argmax, descending},
};
use std::{fmt, rc::Rc};
use tch::{Kind, Tensor};

/// Batch size of the search.
const BATCH: usize = 250;
/// The layer whose maps are added.
const LAYER: &str = "block3";
/// How many of the positions count as the hottest ones.
const HOTTEST: usize = 4;
/// The side of the square that is hidden.
const HIDDEN: usize = 16;
/// The side of an image.
const SIDE: usize = 32;

/// The sum of the last feature maps of many images, with their labels and answers. See [`heat_search`].
pub struct HeatSearch {
    pub(super) all: Rc<Searched>,
    /// The probabilities when the hottest square is hidden, where they were computed.
    hidden: Option<Rc<Vec<Shares>>>,
    /// The images that were found, in their order.
    found: Vec<usize>,
    /// How they were found, one condition after the other.
    pub(super) rule: Vec<String>,
}

/// The probability of each class.
type Shares = [f32; 10];

/// All images that were searched.
pub(super) struct Searched {
    net: LectureNet,
    images: Tensor,
    pub(super) classes: [&'static str; 10],
    pub(super) labels: Vec<usize>,
    probabilities: Vec<Shares>,
    /// The sums, row by row.
    pub(super) sums: Vec<Vec<f32>>,
    /// Rows and columns of a sum.
    pub(super) size: (usize, usize),
}

/// Adds up the 128 feature maps of block 3 for every image, as [`View::sum`](super::View::sum) does for one, and
/// keeps labels and answers. Then search: [`HeatSearch::right`], [`HeatSearch::of`], [`HeatSearch::misled`], …
///
/// # Shapes
/// `images` `[N, 3, 32, 32]` → sums `[N, 4, 4]`
///
/// # Errors
/// When the images have another shape or kind, or a label is not from 0 to 9.
///
/// # Source
/// Lecture part 7: the sum laid over the photo, for right and wrong answers.
///
/// ```
/// use nchw::prelude::*;
/// let search = heat_search(&LectureNet::shipped()?, &Cifar10::samples()?, Cifar10::NAMES)?;
/// println!("{}", search.right().of("dog")?.most_concentrated());
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn heat_search(net: &LectureNet, examples: &Examples, classes: [&'static str; 10]) -> Result<HeatSearch> {
    let layer = layer_with_maps(net, LAYER)?;
    net.config().check_names(&owned(&classes))?;
    let labels = labels_of(examples)?;
    let (mut sums, mut probabilities, mut size) = (Vec::new(), Vec::new(), (1, 1));
    let mut progress = Progress::new(labels.len());
    for from in (0..labels.len()).step_by(BATCH) {
        let count = BATCH.min(labels.len() - from);
        let batch = examples.images.f_narrow(0, from as i64, count as i64)?;
        let maps = net.map(&batch, LAYER)?;
        let sum = maps.f_sum_dim_intlist([1].as_slice(), false, Kind::Float)?;
        size = (sum.size()[1] as usize, sum.size()[2] as usize);
        sums.extend(values_of(&sum)?.chunks(size.0 * size.1).map(<[f32]>::to_vec));
        let logits = tch::no_grad(|| net.go_on(layer, &maps))?;
        probabilities.extend(softmax(&logits)?);
        progress.done(from + count);
    }
    let found = (0..labels.len()).collect();
    let net = net.to_device(net.device())?;
    let images = examples.images.shallow_clone();
    let all = Rc::new(Searched { net, images, classes, labels, probabilities, sums, size });
    Ok(HeatSearch { all, hidden: None, found, rule: Vec::new() })
}

/// The labels, from 0 to 9, one for each image.
fn labels_of(examples: &Examples) -> Result<Vec<usize>> {
    let images = examples.images.size();
    if images.first() != examples.labels.size().first() || examples.is_empty() {
        return Err(Error::new(format!(
            "expected as many labels as images, and at least one, got images {images:?} and labels {:?}",
            examples.labels.size()
        )));
    }
    let labels = values_of(&examples.labels)?;
    match labels.iter().find(|label| !(0.0..=9.0).contains(*label)) {
        Some(label) => Err(Error::new(format!("expected labels from 0 to 9, got {label}"))),
        None => Ok(labels.into_iter().map(|label| label as usize).collect()),
    }
}

/// The probabilities of the ten classes, image by image.
fn softmax(logits: &Tensor) -> Result<Vec<Shares>> {
    let all = values_of(&logits.f_softmax(1, Kind::Float)?)?;
    Ok(all.chunks_exact(10).map(|each| std::array::from_fn(|class| each[class])).collect())
}

/// The class with the largest probability.
pub(super) fn answer(probabilities: &Shares) -> usize {
    descending(probabilities)[0]
}

impl HeatSearch {
    /// The indices of the images that were found, in their order.
    pub fn images(&self) -> &[usize] {
        &self.found
    }

    /// The sums of the images that were found, in their order.
    ///
    /// # Shapes
    /// → `[N found, 4, 4]`
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn tensor(&self) -> Result<Tensor> {
        let sums: Vec<f32> =
            self.found.iter().flat_map(|index| self.all.sums[*index].iter().copied()).collect();
        let (rows, columns) = self.all.size;
        Ok(Tensor::f_from_slice(&sums)?.f_view([self.found.len() as i64, rows as i64, columns as i64])?)
    }

    /// Only the images that are classified correctly.
    pub fn right(&self) -> HeatSearch {
        self.only("classified correctly", |index| self.is_right(index))
    }

    /// Only the images that are classified wrongly.
    pub fn wrong(&self) -> HeatSearch {
        self.only("classified wrongly", |index| !self.is_right(index))
    }

    /// Only the images with this label, such as `"dog"`.
    ///
    /// # Errors
    /// When there is no such class.
    pub fn of(&self, class: &str) -> Result<HeatSearch> {
        let Some(label) = self.all.classes.iter().position(|name| *name == class) else {
            return Err(Error::new(format!(
                "there is no class `{class}`: expected one of {}",
                self.all.classes.join(", ")
            )));
        };
        Ok(self.only(&format!("label {class}"), |index| self.all.labels[index] == label))
    }

    /// Only these images, in this order; for examples that were chosen by eye.
    ///
    /// # Errors
    /// When one of them is not among the images that were found.
    pub fn pick(&self, images: &[usize]) -> Result<HeatSearch> {
        if let Some(image) = images.iter().find(|image| !self.found.contains(image)) {
            return Err(Error::new(format!(
                "image {image} is not among the {} images that were found",
                self.found.len()
            )));
        }
        let mut picked = self.only("chosen by eye", |_| true);
        picked.found = images.to_vec();
        Ok(picked)
    }

    /// Sorts the images: first those whose sum is concentrated most, that is, the four hottest of all positions
    /// have the largest share of it.
    pub fn most_concentrated(&self) -> HeatSearch {
        let share = |index: usize| {
            let sum = &self.all.sums[index];
            let hottest = descending(sum).into_iter().take(HOTTEST).map(|position| sum[position]);
            hottest.sum::<f32>() / sum.iter().sum::<f32>()
        };
        let positions = self.all.size.0 * self.all.size.1;
        self.sorted(
            &format!("largest share of the sum in the {HOTTEST} hottest of {positions} positions first"),
            share,
        )
    }

    /// Sorts the images: first those with the smallest share of the sum in the upper half.
    pub fn darkest_above(&self) -> HeatSearch {
        let upper = self.all.size.0 / 2 * self.all.size.1;
        let share = |index: usize| {
            let sum = &self.all.sums[index];
            -sum[..upper].iter().sum::<f32>() / sum.iter().sum::<f32>()
        };
        self.sorted("smallest share of the sum in the upper half first", share)
    }

    /// Only the mistakes that become right when the hottest part of the image is hidden, a square of 16 × 16
    /// around the hottest position, by the mean colour: there the heat was on what misled the network. The most
    /// confident of the new answers first.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn misled(&self) -> Result<HeatSearch> {
        let hidden = self.hidden(descending)?;
        let fixed = |index: usize| !self.is_right(index) && answer(&hidden[index]) == self.all.labels[index];
        let found = self
            .only("classified wrongly, but correctly when the hottest 16 \u{d7} 16 pixels are hidden", fixed);
        let mut sorted = found.sorted("the most confident of the new answers first", |index| {
            hidden[index][self.all.labels[index]]
        });
        sorted.hidden = Some(Rc::new(hidden));
        Ok(sorted)
    }

    /// An experiment over all images that were found: how many answers change when the hottest 16 × 16 pixels
    /// are hidden, and how many when the coldest are?
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn hide(&self) -> Result<Hidden> {
        let coldest = |sum: &[f32]| descending(&sum.iter().map(|value| -value).collect::<Vec<f32>>());
        let count = |hidden: &[Shares], was_right: bool| {
            let changed = self.found.iter().filter(|index| {
                self.is_right(**index) == was_right
                    && (answer(&hidden[**index]) == self.all.labels[**index]) != was_right
            });
            changed.count()
        };
        let (hottest, coldest) = (self.hidden(descending)?, self.hidden(coldest)?);
        let right = self.found.iter().filter(|index| self.is_right(**index)).count();
        Ok(Hidden {
            right,
            wrong: self.found.len() - right,
            lost: [count(&hottest, true), count(&coldest, true)],
            won: [count(&hottest, false), count(&coldest, false)],
        })
    }

    fn only(&self, condition: &str, holds: impl Fn(usize) -> bool) -> HeatSearch {
        let mut rule = self.rule.clone();
        rule.push(condition.to_owned());
        let found = self.found.iter().copied().filter(|index| holds(*index)).collect();
        HeatSearch { all: Rc::clone(&self.all), hidden: self.hidden.clone(), found, rule }
    }

    fn sorted(&self, order: &str, value: impl Fn(usize) -> f32) -> HeatSearch {
        let mut sorted = self.only(order, |_| true);
        let values: Vec<f32> = self.found.iter().map(|index| value(*index)).collect();
        sorted.found = descending(&values).into_iter().map(|place| self.found[place]).collect();
        sorted
    }

    pub(super) fn is_right(&self, index: usize) -> bool {
        answer(&self.all.probabilities[index]) == self.all.labels[index]
    }

    pub(super) fn probabilities(&self, index: usize) -> &Shares {
        &self.all.probabilities[index]
    }

    /// The sum of one of the images.
    ///
    /// # Shapes
    /// → `[H, W]`
    pub(super) fn sum(&self, index: usize) -> Result<Tensor> {
        let (rows, columns) = self.all.size;
        Ok(Tensor::f_from_slice(&self.all.sums[index])?.f_view([rows as i64, columns as i64])?)
    }

    /// One of the images.
    pub(super) fn image(&self, index: usize) -> Result<Image> {
        Image::from_tensor(&self.all.images.f_narrow(0, index as i64, 1)?)
    }

    /// One of the images with its hottest square hidden, and the new probabilities; only after
    /// [`HeatSearch::misled`].
    pub(super) fn hidden_image(&self, index: usize) -> Result<Option<(Image, Shares)>> {
        let Some(hidden) = &self.hidden else { return Ok(None) };
        let image = self.all.images.f_narrow(0, index as i64, 1)?.copy();
        self.cover(&image, descending(&self.all.sums[index])[0])?;
        Ok(Some((Image::from_tensor(&image)?, hidden[index])))
    }

    /// The probabilities of all images, each with one square hidden: the one around the first position of an
    /// order of the sum.
    fn hidden(&self, order: impl Fn(&[f32]) -> Vec<usize>) -> Result<Vec<Shares>> {
        let images = self.all.images.copy();
        for (index, sum) in self.all.sums.iter().enumerate() {
            self.cover(&images.f_narrow(0, index as i64, 1)?, order(sum)[0])?;
        }
        let mut probabilities = Vec::new();
        let mut progress = Progress::new(self.all.sums.len());
        for from in (0..self.all.sums.len()).step_by(BATCH) {
            let count = BATCH.min(self.all.sums.len() - from);
            let logits = self.all.net.logits(&images.f_narrow(0, from as i64, count as i64)?)?;
            probabilities.extend(softmax(&logits)?);
            progress.done(from + count);
        }
        Ok(probabilities)
    }

    /// Hides the square around a position of the sum, in place.
    fn cover(&self, image: &Tensor, position: usize) -> Result<()> {
        let (rows, columns) = self.all.size;
        let span = |index: usize, count: usize| {
            let centre = (2 * index + 1) * SIDE / (2 * count);
            let (from, to) = (centre.saturating_sub(HIDDEN / 2), (centre + HIDDEN / 2).min(SIDE));
            (from as i64, (to - from) as i64)
        };
        let ((top, height), (left, width)) =
            (span(position / columns, rows), span(position % columns, columns));
        let mut part = image.f_narrow(2, top, height)?.f_narrow(3, left, width)?;
        let colour: Vec<f32> = mean_colour().iter().map(|value| f32::from(*value)).collect();
        let colour = Tensor::f_from_slice(&colour)?.f_view([1, 3, 1, 1])?;
        let scale = if self.all.images.kind() == Kind::Uint8 { 1.0 } else { 255.0 };
        part.f_copy_(&colour.f_div_scalar(scale)?.f_expand([1, 3, height, width], false)?)?;
        Ok(())
    }

    /// The largest and the smallest number of a sum and where they are, in words.
    pub(super) fn in_words(&self, index: usize) -> String {
        let (label, answer) =
            (self.all.classes[self.all.labels[index]], answer(&self.all.probabilities[index]));
        let share = 100.0 * self.all.probabilities[index][answer];
        let hottest = match argmax(&self.all.sums[index]) {
            Some(at) => format!(", hottest in row {}, column {}", at / self.all.size.1, at % self.all.size.1),
            None => String::new(),
        };
        format!("image {index}: label {label}, answer {} {share:.0} %{hottest}", self.all.classes[answer])
    }
}

impl fmt::Display for HeatSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} images", self.found.len(), self.all.sums.len())?;
        if !self.rule.is_empty() {
            write!(f, " ({})", self.rule.join("; "))?;
        }
        for index in self.found.iter().take(6) {
            write!(f, "\n{}", self.in_words(*index))?;
        }
        if self.found.len() > 6 {
            write!(f, "\n…")?;
        }
        Ok(())
    }
}

/// How many answers change when a part of the image is hidden. See [`HeatSearch::hide`].
pub struct Hidden {
    /// How many answers were right and wrong before.
    pub right: usize,
    /// How many answers were wrong before.
    pub wrong: usize,
    /// Right answers that become wrong when the hottest and when the coldest square is hidden.
    pub lost: [usize; 2],
    /// Wrong answers that become right when the hottest and when the coldest square is hidden.
    pub won: [usize; 2],
}

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hidden { right, wrong, lost, won } = self;
        writeln!(f, "16 x 16 pixels are hidden                   the hottest   the coldest")?;
        writeln!(f, "of {right:4} right answers, so many become wrong {:>11} {:>13}", lost[0], lost[1])?;
        write!(f, "of {wrong:4} wrong answers, so many become right {:>11} {:>13}", won[0], won[1])
    }
}

debug_as_display!(HeatSearch, Hidden);
