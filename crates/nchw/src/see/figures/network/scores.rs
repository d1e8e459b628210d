//! The ten scores of an image, and what softmax and cross-entropy make of them.

use crate::{Result, see::View, text::number};
use nchw_draw::{
    Figure,
    bars::{Bar, Bars, Column, PLAIN, STRONG},
};

impl View {
    /// Draws how ten scores become probabilities and a loss: a row for each class, with its score, e to its power, its
    /// probability (softmax) and its cross-entropy, −ln of the probability. The row of the label is blue: its
    /// cross-entropy is the loss.
    ///
    /// # Errors
    /// When the image is not 32 × 32: there are no scores then.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let view = Cifar10::samples()?.see(&LectureNet::shipped()?, 0, Cifar10::NAMES)?;
    /// assert!(view.loss()?.text().contains("cat"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn loss(&self) -> Result<Figure> {
        let scores = self.scores()?;
        let probabilities: Vec<f64> = self.probabilities()?.iter().map(|share| f64::from(*share)).collect();
        let losses: Vec<f64> = probabilities.iter().map(|share| -share.max(f64::MIN_POSITIVE).ln()).collect();
        let powers: Vec<f64> = scores.iter().map(|score| score.exp()).collect();
        let brief = |value: f64| number(value as f32);
        let percent = |share: f64| match 100.0 * share {
            large if large >= 9.95 => format!("{large:.0} %"),
            small => format!("{small:.1} %"),
        };
        let columns = vec![
            self.column("score", &scores, brief),
            self.column("exp(score)", &powers, |power| number(power as f32)),
            self.column("softmax: its share", &probabilities, percent),
            self.column("\u{2212}ln(share)", &losses, |loss| format!("{loss:.2}")),
        ];
        let names: Vec<String> = self.classes.clone();
        let label = self.label().map(|label| self.classes[label].as_str());
        let count = if names.len() == 10 { "ten".to_owned() } else { names.len().to_string() };
        let title = match label {
            Some(label) => format!("From {count} scores to one loss; the label is {label}"),
            None => format!("From {count} scores to probabilities"),
        };
        let line = match self.label() {
            Some(label) => format!(
                "cross-entropy: \u{2212}ln({:.4}) = {:.2}; guessing would give \u{2212}ln(1/{}) = {:.2}",
                probabilities[label],
                losses[label],
                names.len(),
                (names.len() as f64).ln()
            ),
            None => "without a label there is no loss".to_owned(),
        };
        let rows = names.iter().enumerate().map(|(i, name)| {
            format!("{name}: {:.2}, {}, {:.2}", scores[i], percent(probabilities[i]), losses[i])
        });
        let text = rows.collect::<Vec<_>>().join("\n");
        let alt = format!("{title}. {line}. {}", text.replace('\n', "; "));
        Bars { title, names, bold: self.label(), columns, lines: vec![line] }.figure(alt, text)
    }

    fn column(&self, title: &str, values: &[f64], text: impl Fn(f64) -> String) -> Column {
        let bar = |(i, value): (usize, &f64)| Bar {
            from: 0.0,
            to: *value,
            text: text(*value),
            colour: if self.label() == Some(i) { STRONG } else { PLAIN },
        };
        let low = values.iter().copied().fold(0.0, f64::min);
        let high = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let bars = values.iter().enumerate().map(bar).collect();
        Column { title: title.to_owned(), bars, range: (low, high), ticks: vec![], width: 200.0 }
    }
}
