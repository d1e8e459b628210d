//! Figures of a training and of its result, and how a cell displays them.

use super::{
    fit::Curve,
    report::Report,
    run::{Run, Status},
    shuffle::ShuffledPixels,
    training::EpochLog,
};
use crate::{
    Error, Result,
    data::Examples,
    image::Image,
    notebook::{Output, shows},
    ranking::descending,
};
use nchw_core::html::escape;
use nchw_draw::{Chart, Confusion, Content, Figure, Layout, Panel, in_rows, stacked};

impl Run {
    /// Loss and accuracy of the epochs so far, as a figure.
    ///
    /// # Errors
    /// If no epoch is complete yet.
    pub fn curve(&self) -> Result<Figure> {
        let status = self.status();
        if status.log.is_empty() {
            return Err(Error::new(format!("no epoch is complete yet, so there is no curve: {status}")));
        }
        let line = |value: fn(&EpochLog) -> f64| status.log.iter().map(value).collect::<Vec<f64>>();
        let accuracy = Chart::new("Accuracy", "epoch", "accuracy in %")
            .line("test images", &line(|epoch| 100.0 * epoch.accuracy))
            .line("training images, augmented", &line(|epoch| 100.0 * epoch.train_accuracy));
        let loss =
            Chart::new("Loss", "epoch", "cross-entropy").line("training images", &line(|epoch| epoch.loss));
        stacked(&[accuracy, loss], &status.about)
    }
}

impl Curve {
    /// Draws the accuracy on the training images and on the test images.
    ///
    /// # Errors
    /// If there is no epoch.
    pub fn figure(&self) -> Result<Figure> {
        Chart::new(&self.name, "epoch", "accuracy in %")
            .line("training", &self.train_percent())
            .line("test", &self.test_percent())
            .figure()
    }
}

impl ShuffledPixels {
    /// Draws the test accuracy of the four trainings.
    ///
    /// # Errors
    /// If the figure cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let chart = Chart::new("Plain and shuffled pixels", "epoch", "test accuracy in %");
        self.curves()
            .iter()
            .fold(chart, |chart, curve| chart.line(&curve.name, &curve.test_percent()))
            .figure()
    }
}

impl Status {
    fn html(&self) -> String {
        format!("<p>{}</p>", escape(&self.to_string()))
    }
}

impl Report {
    /// The confusion matrix as a figure: a row per true class, a column per answer. In % of the row, or the numbers of
    /// images if there are fewer than a thousand. Only mistakes have colours.
    ///
    /// # Errors
    /// If the figure cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let confusion = self.confusion();
        let few = self.labels.len() < 1000;
        let share = |row: &Vec<u64>| {
            let all = if few { 100.0 } else { row.iter().sum::<u64>().max(1) as f32 };
            row.iter().map(|count| (100.0 * *count as f32 / all).round()).collect::<Vec<f32>>()
        };
        let values = confusion.iter().flat_map(share).collect();
        let about = capitalised(&self.about);
        let title = format!("{about}: {:.1} % right", 100.0 * self.accuracy());
        let unit = if few { "number of images" } else { "% of the images of a class" };
        let lines = vec![format!("{unit}; grey: right; a frame: the most frequent mistake")];
        let alt = format!("{title}. Confusion matrix. {}", self.worst());
        let names = self.classes.clone();
        Confusion { title, names, values, lines }.figure(alt, self.to_string())
    }

    /// The most frequent mistake, in a sentence.
    fn worst(&self) -> String {
        let confusion = self.confusion();
        let pairs = (0..confusion.len())
            .flat_map(|a| (0..confusion.len()).map(move |b| (a, b)))
            .filter(|(a, b)| a != b);
        // The first of several that are equally frequent: `max_by_key` takes the last, hence `rev`.
        match pairs.rev().max_by_key(|&(a, b)| confusion[a][b]) {
            Some((a, b)) if confusion[a][b] > 0 => format!(
                "Most frequent mistake: {} predicted as {}, {} times",
                self.classes[a], self.classes[b], confusion[a][b]
            ),
            _ => "There are no mistakes".into(),
        }
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
        if self.labels != other.labels || self.classes != other.classes {
            return Err(Error::new(
                "the reports are about different images: call `evaluate` with the same images",
            ));
        }
        let both = [self, other].map(Report::class_accuracy);
        let change =
            |class: usize| both[0][class].zip(both[1][class]).map(|(before, after)| 100.0 * (after - before));
        let known: Vec<(usize, f64)> =
            (0..both[0].len()).filter_map(|class| Some((class, change(class)?))).collect();
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
        let doubt: Vec<f32> = self.confidence.iter().map(|confidence| -confidence).collect();
        let right = descending(&doubt).into_iter().filter(|&i| self.labels[i] == self.answers[i]);
        indices.extend(right.take(count - mistakes));
        let title = match mistakes {
            0 => "no mistakes; the right answers with the least confidence",
            _ if mistakes == indices.len() => "the most confident mistakes",
            _ => "all mistakes, then the right answers with the least confidence",
        };
        let mut panels = Vec::new();
        let mut words = Vec::new();
        for &index in &indices {
            let [label, answer] = [self.labels[index], self.answers[index]].map(|class| &self.classes[class]);
            let confidence = format!("{:.0} %", 100.0 * self.confidence[index]);
            let caption = if label == answer {
                format!("{answer}, {confidence} (right)")
            } else {
                format!("\u{2192} {answer}, {confidence}")
            };
            words.push(format!("{label} {caption}"));
            let pixels = Image::from_tensor(&examples.images.f_narrow(0, index as i64, 1)?)?.pixels();
            panels.push(Panel::picture(label.as_str(), pixels, 124.0).bare().caption(caption));
        }
        let lines = vec!["above: what it is; below: the answer, and how sure the network is".to_owned()];
        let title = format!("{}: {title}", capitalised(&self.about));
        let alt = format!("{title}: {}", words.join("; "));
        Layout { title, rows: in_rows(panels, 6), lines }.figure(alt, words.join("\n"))
    }
}

/// The text with a capital letter at its start.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A change with its sign; the minus sign is as wide as the plus sign.
fn signed(points: f64) -> String {
    format!("{points:+.1}").replace('-', "\u{2212}")
}

shows!(
    Run: |run| {
        let status = run.status();
        Output::html(status.html(), &status)
    },
    Status: |status| Output::html(status.html(), status),
    Report: |report| Output::figure_or_text(report.figure(), report),
    Curve: |curve| Output::figure_or_text(curve.figure(), curve),
    ShuffledPixels: |result| Output::figure_or_text(result.figure(), result),
);
