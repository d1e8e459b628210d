//! How good a network is: accuracy, accuracy per class, confusion matrix, most confident mistakes.

use super::batches::Batches;
use crate::{
    Error, Result,
    colour::Palette,
    data::{Dataset, Examples},
    error::debug_as_display,
    figure::Figure,
    grid::Grid,
    image::Image,
    net::{LectureNet, check_output},
    notebook::{Output, shows},
    panels::{Content, Highlights, Layout, Panel},
};
use serde_json::{Value, json};
use std::fmt;
use tch::{Kind, Tensor};

/// How many images are evaluated at once.
const BATCH: usize = 500;

/// A network's predictions for labelled images. See [`evaluate`].
#[derive(Clone, PartialEq)]
pub struct Report {
    /// The names of the classes 0 to 9.
    pub classes: [&'static str; 10],
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
/// If the images or the labels have another shape or kind, or a label is not from 0 to 9.
///
/// ```
/// use nchw::prelude::*;
/// let report = evaluate(&LectureNet::shipped()?, &Cifar10::samples()?, Cifar10::NAMES, false)?;
/// println!("{:.0} % correct", 100.0 * report.accuracy());
/// assert_eq!(report.labels.len(), 20);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn evaluate(
    net: &LectureNet,
    examples: &Examples,
    classes: [&'static str; 10],
    flips: bool,
) -> Result<Report> {
    examples.check("the data")?;
    let all = Batches::new(examples, net.device())?;
    let mut report = Report { classes, labels: vec![], answers: vec![], confidence: vec![] };
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

impl Report {
    /// The fraction of correct predictions, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        let right = self.labels.iter().zip(&self.answers).filter(|(label, answer)| label == answer).count();
        right as f64 / self.labels.len() as f64
    }

    /// The accuracy for each class, 0 to 1; `None` for a class without images.
    pub fn class_accuracy(&self) -> [Option<f64>; 10] {
        let confusion = self.confusion();
        std::array::from_fn(|class| {
            let all: u64 = confusion[class].iter().sum();
            (all > 0).then(|| confusion[class][class] as f64 / all as f64)
        })
    }

    /// The confusion matrix: how many images of a class (row) were predicted as a class (column).
    pub fn confusion(&self) -> [[u64; 10]; 10] {
        let mut counts = [[0; 10]; 10];
        for (label, answer) in self.labels.iter().zip(&self.answers) {
            // The lists are public and may have been changed: a class that does not exist is not counted.
            if let Some(count) = counts.get_mut(*label).and_then(|row: &mut [u64; 10]| row.get_mut(*answer)) {
                *count += 1;
            }
        }
        counts
    }

    /// The confusion matrix as a figure: a row per true class, a column per predicted class, in %
    /// of the row.
    ///
    /// # Errors
    /// If the figure cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let confusion = self.confusion();
        let share = |row: &[u64; 10]| {
            let all = row.iter().sum::<u64>().max(1) as f32;
            row.map(|count| (100.0 * count as f32 / all).round())
        };
        let matrix = Grid::new(10, 10, confusion.iter().flat_map(share).collect())?;
        let title = format!("Confusion matrix in %; accuracy {:.1} %", 100.0 * self.accuracy());
        let mut panel = Panel::cells("", &matrix, Palette::Sequential, Highlights::default());
        panel.names = (0..10).map(|class| format!("{} {class}", self.classes[class])).collect();
        let lines = vec!["rows: true class; columns: predicted class".to_owned()];
        let alt = format!("{title}. {}", self.worst());
        Layout { title, rows: vec![vec![panel]], lines }.figure(alt, self.to_string())
    }

    /// The most frequent mistake, in a sentence.
    fn worst(&self) -> String {
        let confusion = self.confusion();
        let pairs = (0..10).flat_map(|a| (0..10).map(move |b| (a, b))).filter(|(a, b)| a != b);
        // The first of several that are equally frequent: `max_by_key` takes the last, hence `rev`.
        match pairs.rev().max_by_key(|&(a, b)| confusion[a][b]) {
            Some((a, b)) if confusion[a][b] > 0 => format!(
                "Most frequent mistake: {} predicted as {}, {} times",
                self.classes[a], self.classes[b], confusion[a][b]
            ),
            _ => "There are no mistakes".into(),
        }
    }

    /// The indices of the wrongly classified images, the most confident first.
    pub fn mistakes(&self) -> Vec<usize> {
        let is_wrong = |index: &usize| self.labels[*index] != self.answers[*index];
        let count = self.labels.len().min(self.answers.len()).min(self.confidence.len());
        let mut indices: Vec<usize> = (0..count).filter(is_wrong).collect();
        indices.sort_by(|a, b| self.confidence[*b].total_cmp(&self.confidence[*a]));
        indices
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
        if lengths != [self.labels.len(); 2] || classes.into_iter().any(|class| *class > 9) {
            return Err(Error::new(format!(
                "the report was changed: expected {} answers and as many confidences, got {} and {}, and classes \
                 from 0 to 9. Make a new report with `evaluate`",
                self.labels.len(),
                lengths[0],
                lengths[1]
            )));
        }
        Ok(())
    }

    /// The accuracy per class, compared with another report on the same images: which class gains,
    /// which loses?
    ///
    /// # Errors
    /// If the reports are about different images.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let net = LectureNet::shipped()?;
    /// let samples = Cifar10::samples()?;
    /// let whole = evaluate(&net, &samples, Cifar10::NAMES, false)?;
    /// let without = evaluate(&net.without("block3", 5)?, &samples, Cifar10::NAMES, false)?;
    /// whole.beside(&without, ["all maps", "without map 5"])?;
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn beside(&self, other: &Report, names: [&str; 2]) -> Result<Figure> {
        if self.labels != other.labels {
            return Err(Error::new(
                "the reports are about different images: call `evaluate` with the same images",
            ));
        }
        let both = [self, other].map(Report::class_accuracy);
        let change =
            |class: usize| both[0][class].zip(both[1][class]).map(|(before, after)| 100.0 * (after - before));
        let known: Vec<(usize, f64)> = (0..10).filter_map(|class| Some((class, change(class)?))).collect();
        let largest = known.iter().copied().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let (class, points) = largest.ok_or_else(|| Error::new("the reports contain no images"))?;
        let row = both.into_iter().zip(names).map(|(shares, name)| {
            let shares = known
                .iter()
                .map(|(class, _)| (self.classes[*class].to_owned(), shares[*class].unwrap_or(0.0) as f32));
            let right = known.iter().position(|(known, _)| *known == class);
            Panel::new(name, Content::Bars { shares: shares.collect(), right }, 400.0)
        });
        let title =
            format!("Accuracy: {:.1} % and {:.1} %", 100.0 * self.accuracy(), 100.0 * other.accuracy());
        let line = match points {
            0.0 => "no class changes".to_owned(),
            _ => format!("{} changes most: by {} percentage points", self.classes[class], signed(points)),
        };
        let words: Vec<String> = known
            .iter()
            .map(|(class, points)| format!("{} {}", self.classes[*class], signed(*points)))
            .collect();
        let alt = format!(
            "{title} ({} and {}). Change in percentage points: {}",
            names[0],
            names[1],
            words.join(", ")
        );
        Layout { title, rows: vec![row.collect()], lines: vec![line] }.figure(alt, words.join("\n"))
    }

    /// The `count` most confident mistakes: each image with its true class, the predicted class and
    /// the confidence. If there are fewer mistakes, the correct predictions with the lowest
    /// confidence follow.
    ///
    /// # Shapes
    /// `examples`: the images of the report
    ///
    /// # Errors
    /// If `examples` are other images.
    pub fn most_confident_mistakes(&self, examples: &Examples, count: usize) -> Result<Figure> {
        self.is_about(examples)?;
        let count = count.clamp(1, 64).min(self.labels.len());
        let mut indices = self.mistakes();
        indices.truncate(count);
        let mistakes = indices.len();
        let mut right: Vec<usize> =
            (0..self.labels.len()).filter(|&i| self.labels[i] == self.answers[i]).collect();
        right.sort_by(|a, b| self.confidence[*a].total_cmp(&self.confidence[*b]));
        indices.extend(right.into_iter().take(count - mistakes));
        let title = match mistakes {
            0 => "No mistakes; the correct predictions with the lowest confidence",
            _ if mistakes == indices.len() => "The most confident mistakes",
            _ => "All mistakes, then the correct predictions with the lowest confidence",
        };
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        let mut words = Vec::new();
        for (number, &index) in indices.iter().enumerate() {
            let [label, answer] = [self.labels[index], self.answers[index]].map(|class| self.classes[class]);
            let confidence = format!("{:.0} %", 100.0 * self.confidence[index]);
            let caption =
                if label == answer { confidence } else { format!("\u{2192} {answer}, {confidence}") };
            words.push(format!("{label} {caption}"));
            let pixels = Image::from_tensor(&examples.images.f_narrow(0, index as i64, 1)?)?.pixels();
            if number % 6 == 0 {
                rows.push(Vec::new());
            }
            if let Some(row) = rows.last_mut() {
                row.push(Panel::new(label, Content::Picture(pixels), 112.0).caption(caption));
            }
        }
        let lines = vec!["above: true class; below: predicted class and confidence".to_owned()];
        let alt = format!("{title}: {}", words.join("; "));
        Layout { title: title.to_owned(), rows, lines }.figure(alt, words.join("\n"))
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

/// A change with its sign; the minus sign is as wide as the plus sign.
fn signed(points: f64) -> String {
    format!("{points:+.1}").replace('-', "\u{2212}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (confusion, shares) = (self.confusion(), self.class_accuracy());
        let widest = self.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        writeln!(f, "accuracy {:.2} % on {} images", 100.0 * self.accuracy(), self.labels.len())?;
        write!(f, "{:widest$} accuracy  predicted:", "")?;
        for class in 0..10 {
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
    /// If the images or the labels have another shape or kind, or a label is not from 0 to 9.
    pub fn judge(&self, net: &LectureNet) -> Result<Report> {
        evaluate(net, &self.test, self.classes, false)
    }
}

shows!(Report: |report| Output::figure_or_text(report.figure(), report));
