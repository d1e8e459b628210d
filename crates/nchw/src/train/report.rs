//! How good a network is: accuracy, accuracy per class, confusion matrix, most confident mistakes.

use super::batches::Batches;
use crate::{
    Error, Result,
    check::{check_bytes, check_classes, check_images, check_labels},
    data::{Dataset, Examples},
    error::debug_as_display,
    net::{LectureNet, LectureNetConfig, check_output, owned},
    ranking::descending,
    shapes::commas,
};
use serde_json::{Value, json};
use std::fmt;
use tch::{Kind, Tensor};

/// How many images are evaluated at once.
const BATCH: usize = 500;

/// A network's predictions for labelled images. See [`evaluate`].
#[derive(Clone, PartialEq)]
pub struct Report {
    /// The data, and the network if it is known: the title of figures.
    pub about: String,
    /// The names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    /// The true class of each image.
    pub labels: Vec<usize>,
    /// The class that the network predicts for each image.
    pub answers: Vec<usize>,
    /// The confidence of each prediction: the probability of the predicted class.
    pub confidence: Vec<f32>,
}

/// Predicts the class of every image and compares it with the label.
///
/// With `flips`, the network sees each image and its mirror image, and their mean logits decide.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`
///
/// # Errors
/// If the images or the labels have another shape or kind, a label is not one of the network's classes, or there is
/// not a name for each class.
///
/// ```
/// use nchw::prelude::*;
/// let report = evaluate(&LectureNet::shipped()?, &Cifar10::samples()?, Cifar10::NAMES, false)?;
/// println!("{:.0} % correct", 100.0 * report.accuracy());
/// assert_eq!(report.labels.len(), 20);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn evaluate<S: AsRef<str>>(
    net: &LectureNet,
    examples: &Examples,
    classes: impl AsRef<[S]>,
    flips: bool,
) -> Result<Report> {
    check_examples("the data", examples, net)?;
    let classes = owned(classes.as_ref());
    net.config().check_names(&classes)?;
    let all = Batches::new(examples, net.device())?;
    let about = format!("{} images", commas(examples.len() as u64));
    let mut report = Report { about, classes, labels: vec![], answers: vec![], confidence: vec![] };
    tch::no_grad(|| -> Result<()> {
        for from in (0..all.len()).step_by(BATCH) {
            let (images, labels) = all.plain(from, BATCH.min(all.len() - from), Kind::Float)?;
            let mut logits = net.forward(&images, false)?;
            if flips {
                logits = (logits + net.forward(&images.f_flip([3])?, false)?) / 2.0;
            }
            check_output(&logits)?;
            let (confidence, answers) = logits.f_softmax(1, Kind::Float)?.f_max_dim(1, false)?;
            let to_usize = |tensor: &Tensor| -> Result<Vec<usize>> {
                Ok(Vec::<i64>::try_from(tensor)?.into_iter().map(|n| n as usize).collect())
            };
            report.labels.extend(to_usize(&labels)?);
            report.answers.extend(to_usize(&answers)?);
            report.confidence.extend(Vec::<f32>::try_from(&confidence)?);
        }
        Ok(())
    })?;
    Ok(report)
}

/// Refuses examples that this network cannot classify. `what` are they, such as "the training set".
pub(super) fn check_examples(what: &str, examples: &Examples, net: &LectureNet) -> Result<()> {
    let images = format!("the images of {what}");
    if net.config() == (LectureNetConfig { average: false, side: 32, ..net.config() }) {
        check_images(&images, &examples.images)?;
    } else {
        check_bytes(&images, &examples.images)?;
        net.check_size(&examples.images)?;
    }
    check_labels(what, &examples.images, &examples.labels)?;
    check_classes(what, &examples.labels, net.config().classes)
}

impl Report {
    /// The same report, with a title that says which network it is about, and which images.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let report = evaluate(&LectureNet::shipped()?, &Cifar10::samples()?, Cifar10::NAMES, false)?;
    /// let report = report.titled("the course's network, 20 test images");
    /// assert!(report.figure()?.alt().starts_with("The course's network, 20 test images"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn titled(self, about: impl Into<String>) -> Report {
        Report { about: about.into(), ..self }
    }

    /// The fraction of correct predictions, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        let right = self.labels.iter().zip(&self.answers).filter(|(label, answer)| label == answer).count();
        right as f64 / self.labels.len() as f64
    }

    /// How sure the accuracy is: a 95 % confidence interval (Wilson, 1927), from 0 to 1. If the network got very many
    /// photos of this kind, the fraction of right answers would very probably lie in it. Few images, wide interval.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let report = evaluate(&LectureNet::shipped()?, &Cifar10::samples()?, Cifar10::NAMES, false)?;
    /// let [low, high] = report.interval();
    /// assert!(low < report.accuracy() && report.accuracy() < high || high == 1.0);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    ///
    /// # Source
    /// Wilson, *Probable Inference, the Law of Succession, and Statistical Inference*, 1927.
    pub fn interval(&self) -> [f64; 2] {
        let right = self.labels.iter().zip(&self.answers).filter(|(label, answer)| label == answer).count();
        wilson(right as f64, self.labels.len() as f64)
    }

    /// The accuracy for each class, 0 to 1; `None` for a class without images.
    pub fn class_accuracy(&self) -> Vec<Option<f64>> {
        let share = |(class, row): (usize, &Vec<u64>)| {
            let all: u64 = row.iter().sum();
            (all > 0).then(|| row[class] as f64 / all as f64)
        };
        self.confusion().iter().enumerate().map(share).collect()
    }

    /// The confusion matrix: how many images of a class (row) were predicted as a class (column).
    pub fn confusion(&self) -> Vec<Vec<u64>> {
        let mut counts = vec![vec![0; self.classes.len()]; self.classes.len()];
        for (label, answer) in self.labels.iter().zip(&self.answers) {
            // The lists are public and may have been changed: a class that does not exist is not counted.
            if let Some(count) = counts.get_mut(*label).and_then(|row: &mut Vec<u64>| row.get_mut(*answer)) {
                *count += 1;
            }
        }
        counts
    }

    /// The indices of the wrongly classified images, the most confident first.
    pub fn mistakes(&self) -> Vec<usize> {
        let is_wrong = |index: &usize| self.labels[*index] != self.answers[*index];
        let count = self.labels.len().min(self.answers.len()).min(self.confidence.len());
        descending(&self.confidence[..count]).into_iter().filter(is_wrong).collect()
    }

    /// Refuses images other than those of the report, and a report whose fields were changed.
    pub(crate) fn is_about(&self, examples: &Examples) -> Result<()> {
        if examples.len() != self.labels.len() {
            return Err(Error::new(format!(
                "the report is about {} images, but these are {}: expected the images that `evaluate` got",
                self.labels.len(),
                examples.len()
            )));
        }
        let classes = self.labels.iter().chain(&self.answers);
        let lengths = [self.answers.len(), self.confidence.len()];
        if lengths != [self.labels.len(); 2] || classes.into_iter().any(|class| *class >= self.classes.len())
        {
            return Err(Error::new(format!(
                "the report was changed: expected {} answers and as many confidences, got {} and {}, and classes \
                 from 0 to {}. Make a new report with `evaluate`",
                self.labels.len(),
                lengths[0],
                lengths[1],
                self.classes.len().saturating_sub(1)
            )));
        }
        Ok(())
    }

    /// The report as JSON, for other programs.
    pub fn json(&self) -> Value {
        json!({
            "pictures": self.labels.len(),
            "accuracy": self.accuracy(),
            "classes": self.classes,
            "class_accuracy": self.class_accuracy(),
            "confusion": self.confusion(),
        })
    }
}

/// The 95 % confidence interval of a fraction of which `right` of `all` were observed.
fn wilson(right: f64, all: f64) -> [f64; 2] {
    /// The standard normal distribution has 95 % of its mass within so many standard deviations.
    const Z: f64 = 1.959_963_984_540_054;
    if all == 0.0 {
        return [0.0, 1.0];
    }
    let (share, z2) = (right / all, Z * Z);
    let middle = (share + z2 / (2.0 * all)) / (1.0 + z2 / all);
    let half = Z / (1.0 + z2 / all) * (share * (1.0 - share) / all + z2 / (4.0 * all * all)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (confusion, shares) = (self.confusion(), self.class_accuracy());
        let widest = self.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        writeln!(f, "accuracy {:.2} % on {} images", 100.0 * self.accuracy(), self.labels.len())?;
        write!(f, "{:widest$} accuracy  predicted:", "")?;
        for class in 0..self.classes.len() {
            write!(f, "{class:>6}")?;
        }
        for (class, row) in confusion.iter().enumerate() {
            let share = shares[class].map_or("-".into(), |share| format!("{:.1} %", 100.0 * share));
            write!(f, "\n{:widest$} {share:>8}  {class:>10}", self.classes[class])?;
            for count in row {
                write!(f, "{count:>6}")?;
            }
        }
        Ok(())
    }
}

debug_as_display!(Report);

impl Dataset {
    /// Evaluates a network on the test images. See [`evaluate`].
    ///
    /// # Errors
    /// If the images or the labels have another shape or kind, or a label is not one of the network's classes.
    pub fn judge(&self, net: &LectureNet) -> Result<Report> {
        let report = evaluate(net, &self.test, &self.classes, false)?;
        Ok(report.titled(format!("{}, {} test images", self.name, commas(self.test.len() as u64))))
    }
}
