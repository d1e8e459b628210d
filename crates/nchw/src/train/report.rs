//! How good a network is: accuracy, class by class, what is taken for what, and
//! the mistakes it is surest of.

use super::batches::{Batches, check_examples};
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

/// Pictures at a time.
const BATCH: usize = 500;

/// What a network answered to pictures whose class is known. See [`evaluate`].
#[derive(Clone, PartialEq)]
pub struct Report {
    /// What the labels 0 to 9 stand for.
    pub classes: [&'static str; 10],
    /// The class of every picture.
    pub labels: Vec<usize>,
    /// The class that the network took it for.
    pub answers: Vec<usize>,
    /// The probability that the network gave its answer.
    pub sureness: Vec<f32>,
}

/// Asks a network for the class of every picture.
///
/// With `flips`, each picture is shown mirrored, too, and the mean of both
/// scores decides.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`
///
/// # Errors
/// When a shape, a kind or a label is another.
///
/// ```
/// use nchw::prelude::*;
/// let report = evaluate(&LectureNet::shipped()?, &Cifar10::samples()?, Cifar10::NAMES, false)?;
/// println!("{:.0} % right", 100.0 * report.accuracy());
/// assert_eq!(report.labels.len(), 20);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn evaluate(
    net: &LectureNet,
    examples: &Examples,
    classes: [&'static str; 10],
    flips: bool,
) -> Result<Report> {
    check_examples(examples)?;
    let all = Batches::new(examples, net.device())?;
    let mut report = Report { classes, labels: vec![], answers: vec![], sureness: vec![] };
    tch::no_grad(|| -> Result<()> {
        for from in (0..all.len()).step_by(BATCH) {
            let (pictures, labels) = all.plain(from, BATCH.min(all.len() - from), Kind::Float)?;
            let mut logits = net.forward(&pictures, false)?;
            if flips {
                logits = (logits + net.forward(&pictures.f_flip([3])?, false)?) / 2.0;
            }
            check_output(&logits)?;
            let (sureness, answers) = logits.f_softmax(1, Kind::Float)?.f_max_dim(1, false)?;
            let whole = |tensor: &Tensor| -> Result<Vec<usize>> {
                Ok(Vec::<i64>::try_from(tensor)?.into_iter().map(|n| n as usize).collect())
            };
            report.labels.extend(whole(&labels)?);
            report.answers.extend(whole(&answers)?);
            report.sureness.extend(Vec::<f32>::try_from(&sureness)?);
        }
        Ok(())
    })?;
    Ok(report)
}

impl Report {
    /// The share of right answers, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        let right = self.labels.iter().zip(&self.answers).filter(|(label, answer)| label == answer).count();
        right as f64 / self.labels.len() as f64
    }

    /// The share of right answers of each class, 0 to 1; nothing where the class has no picture.
    pub fn class_accuracy(&self) -> [Option<f64>; 10] {
        let confusion = self.confusion();
        std::array::from_fn(|class| {
            let all: u64 = confusion[class].iter().sum();
            (all > 0).then(|| confusion[class][class] as f64 / all as f64)
        })
    }

    /// How often a class (the row) was taken for a class (the column).
    pub fn confusion(&self) -> [[u64; 10]; 10] {
        let mut counts = [[0; 10]; 10];
        for (label, answer) in self.labels.iter().zip(&self.answers) {
            // The lists are public: a class that does not exist is not counted.
            if let Some(count) = counts.get_mut(*label).and_then(|row: &mut [u64; 10]| row.get_mut(*answer)) {
                *count += 1;
            }
        }
        counts
    }

    /// The confusion matrix as a figure: in a row what the pictures are, in a
    /// column what they were taken for, in % of the row.
    ///
    /// # Errors
    /// When the picture cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let confusion = self.confusion();
        let share = |row: &[u64; 10]| {
            let all = row.iter().sum::<u64>().max(1) as f32;
            row.map(|count| (100.0 * count as f32 / all).round())
        };
        let matrix = Grid::new(10, 10, confusion.iter().flat_map(share).collect())?;
        let title = format!("What was taken for what, in %: {:.1} % right", 100.0 * self.accuracy());
        let mut panel = Panel::cells("", &matrix, Palette::Sequential, Highlights::default());
        panel.names = (0..10).map(|class| format!("{} {class}", self.classes[class])).collect();
        let lines = vec!["a row: what it is; a column: what it was taken for".to_owned()];
        let alt = format!("{title}. {}", self.worst());
        Layout { title, rows: vec![vec![panel]], lines }.figure(alt, self.to_string())
    }

    /// The two classes most often taken for one another, in a sentence.
    fn worst(&self) -> String {
        let confusion = self.confusion();
        let pairs = (0..10).flat_map(|a| (0..10).map(move |b| (a, b))).filter(|(a, b)| a != b);
        // Of equally frequent ones the first, as everywhere.
        match pairs.rev().max_by_key(|&(a, b)| confusion[a][b]) {
            Some((a, b)) if confusion[a][b] > 0 => format!(
                "Most often, a {} was taken for a {}: {} times",
                self.classes[a], self.classes[b], confusion[a][b]
            ),
            _ => "Nothing was taken for anything else".into(),
        }
    }

    /// The places of the wrong answers, the surest first.
    pub fn mistakes(&self) -> Vec<usize> {
        let wrong = |place: &usize| self.labels[*place] != self.answers[*place];
        let count = self.labels.len().min(self.answers.len()).min(self.sureness.len());
        let mut places: Vec<usize> = (0..count).filter(wrong).collect();
        places.sort_by(|a, b| self.sureness[*b].total_cmp(&self.sureness[*a]));
        places
    }

    /// Refuses other pictures than the ones it was made of.
    pub(crate) fn is_about(&self, examples: &Examples) -> Result<()> {
        if examples.len() != self.labels.len() {
            return Err(Error::new(format!(
                "the report is about {} pictures, these are {}: expected the ones it was made of",
                self.labels.len(),
                examples.len()
            )));
        }
        let classes = self.labels.iter().chain(&self.answers);
        let lengths = [self.answers.len(), self.sureness.len()];
        if lengths != [self.labels.len(); 2] || classes.into_iter().any(|class| *class > 9) {
            return Err(Error::new(format!(
                "the report was changed: expected {} answers and as many probabilities, got {} and {}, and classes \
                 from 0 to 9. `evaluate` makes it again",
                self.labels.len(),
                lengths[0],
                lengths[1]
            )));
        }
        Ok(())
    }

    /// Class by class the share of right answers, beside another report on the same
    /// pictures: which class gains, which suffers?
    ///
    /// # Errors
    /// When the reports are about different pictures.
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
            return Err(Error::new("the reports are about different pictures: make both of the same ones"));
        }
        let both = [self, other].map(Report::class_accuracy);
        let change =
            |class: usize| both[0][class].zip(both[1][class]).map(|(before, after)| 100.0 * (after - before));
        let known: Vec<(usize, f64)> = (0..10).filter_map(|class| Some((class, change(class)?))).collect();
        let most = known.iter().copied().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let (class, points) = most.ok_or_else(|| Error::new("there is no picture in these reports"))?;
        let row = both.into_iter().zip(names).map(|(shares, name)| {
            let shares = known
                .iter()
                .map(|(class, _)| (self.classes[*class].to_owned(), shares[*class].unwrap_or(0.0) as f32));
            let right = known.iter().position(|(known, _)| *known == class);
            Panel::new(name, Content::Bars { shares: shares.collect(), right }, 400.0)
        });
        let title =
            format!("Right answers: {:.1} % and {:.1} %", 100.0 * self.accuracy(), 100.0 * other.accuracy());
        let line = match points {
            0.0 => "no class changes".to_owned(),
            _ => format!("{} changes most: by {} points", self.classes[class], signed(points)),
        };
        let words: Vec<String> = known
            .iter()
            .map(|(class, points)| format!("{} {}", self.classes[*class], signed(*points)))
            .collect();
        let alt = format!("{title} ({} and {}). Change in points: {}", names[0], names[1], words.join(", "));
        Layout { title, rows: vec![row.collect()], lines: vec![line] }.figure(alt, words.join("\n"))
    }

    /// The `count` surest mistakes as pictures, each with what it is, what it was
    /// taken for, and how surely. Where there are fewer, the right answers it was
    /// least sure of follow.
    ///
    /// # Shapes
    /// `examples`: the ones the report is about
    ///
    /// # Errors
    /// When these are other pictures.
    pub fn surest_mistakes(&self, examples: &Examples, count: usize) -> Result<Figure> {
        self.is_about(examples)?;
        let count = count.clamp(1, 64).min(self.labels.len());
        let mut places = self.mistakes();
        places.truncate(count);
        let mistakes = places.len();
        let mut right: Vec<usize> =
            (0..self.labels.len()).filter(|&i| self.labels[i] == self.answers[i]).collect();
        right.sort_by(|a, b| self.sureness[*a].total_cmp(&self.sureness[*b]));
        places.extend(right.into_iter().take(count - mistakes));
        let title = match mistakes {
            0 => "No mistake: the right answers it was least sure of",
            _ if mistakes == places.len() => "The surest mistakes",
            _ => "All mistakes, then the right answers it was least sure of",
        };
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        let mut words = Vec::new();
        for (number, &place) in places.iter().enumerate() {
            let [is, taken] = [self.labels[place], self.answers[place]].map(|class| self.classes[class]);
            let sure = format!("{:.0} % sure", 100.0 * self.sureness[place]);
            let caption = if is == taken { sure } else { format!("\u{2192} {taken}, {sure}") };
            words.push(format!("{is} {caption}"));
            let picture = Image::from_tensor(&examples.images.f_narrow(0, place as i64, 1)?)?.pixels();
            if number % 6 == 0 {
                rows.push(Vec::new());
            }
            if let Some(row) = rows.last_mut() {
                row.push(Panel::new(is, Content::Picture(picture), 112.0).caption(caption));
            }
        }
        let lines = vec!["above: what it is; below: what it was taken for".to_owned()];
        let alt = format!("{title}: {}", words.join("; "));
        Layout { title: title.to_owned(), rows, lines }.figure(alt, words.join("\n"))
    }

    /// Everything for other programs.
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

/// A change with its sign; the minus as long as the plus.
fn signed(points: f64) -> String {
    format!("{points:+.1}").replace('-', "\u{2212}")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (confusion, shares) = (self.confusion(), self.class_accuracy());
        let widest = self.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:.2} % of {} pictures right", 100.0 * self.accuracy(), self.labels.len())?;
        write!(f, "{:widest$}   right  taken for:", "")?;
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
    /// How a network does on the test pictures. See [`evaluate`].
    ///
    /// # Errors
    /// When a shape, a kind or a label is another than the network's.
    pub fn judge(&self, net: &LectureNet) -> Result<Report> {
        evaluate(net, &self.test, self.classes, false)
    }
}

shows!(Report: |report| Output::figure_or_text(report.figure(), report));
