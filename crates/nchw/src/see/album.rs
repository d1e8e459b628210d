//! Right and wrong answers beside where the network found much.

use super::view::View;
use crate::{
    Error, Result,
    colour::Palette,
    data::Examples,
    error::debug_as_display,
    figure::Figure,
    net::LectureNet,
    notebook::shows_its_figure,
    panels::{Content, Panel, Sheet},
    train::Report,
};
use std::fmt;

/// Rows that fit a figure.
const MOST: usize = 12;

/// Pictures with their answers and heat maps. See [`album`].
pub struct Album {
    /// Place in the data set and view, the surest mistakes first, then the surest right answers.
    views: Vec<(usize, View)>,
    wrong: usize,
}

/// An album of `count` answers: the surest mistakes, and as many of the surest
/// right ones; where there are fewer mistakes, more that are right.
///
/// # Shapes
/// `examples`: the ones that the report is about
///
/// # Errors
/// When these are other pictures, or the count is not from 1 to 12.
///
/// # Source
/// Lecture part 7.
///
/// ```
/// use nchw::prelude::*;
/// let (net, samples) = (LectureNet::shipped()?, Cifar10::samples()?);
/// let report = evaluate(&net, &samples, Cifar10::NAMES, false)?;
/// assert_eq!(album(&net, &samples, &report, 4)?.views().len(), 4);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn album(net: &LectureNet, examples: &Examples, report: &Report, count: usize) -> Result<Album> {
    report.is_about(examples)?;
    if !(1..=MOST).contains(&count) {
        return Err(Error::new(format!(
            "expected 1 to {MOST} pictures, as many as a figure holds, got {count}"
        )));
    }
    let mut places = report.mistakes();
    places.truncate(count.div_ceil(2));
    let wrong = places.len();
    let mut right: Vec<usize> =
        (0..report.labels.len()).filter(|&i| report.labels[i] == report.answers[i]).collect();
    right.sort_by(|a, b| report.sureness[*b].total_cmp(&report.sureness[*a]));
    // One of each class before the next of the same: the surest are often alike.
    let mut seen = [0; 10];
    let mut rounds: Vec<(usize, usize)> = Vec::new();
    for place in right {
        let round = &mut seen[report.labels[place]];
        rounds.push((*round, place));
        *round += 1;
    }
    rounds.sort_by_key(|(round, _)| *round);
    places.extend(rounds.into_iter().map(|(_, place)| place).take(count - wrong));
    let views = places.into_iter().map(|place| Ok((place, examples.see(net, place, report.classes)?)));
    Ok(Album { views: views.collect::<Result<_>>()?, wrong })
}

impl Album {
    /// Each picture's place in the data set and what the network made of it, in the
    /// order of the album.
    pub fn views(&self) -> &[(usize, View)] {
        &self.views
    }

    /// A row for each picture: itself, the heat after each block, the three likeliest classes.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let mut rows = Vec::new();
        for (number, (_, view)) in self.views.iter().enumerate() {
            let heading = match number {
                n if n == self.wrong => "right, the surest of each class",
                0 => "wrong, the surest first",
                _ => "",
            };
            let first = !heading.is_empty();
            if first {
                rows.push(vec![Panel::heading(heading.into())]);
            }
            let mut row = vec![view.panel(170.0).bare()];
            for (title, heat) in view.heats(170.0)? {
                row.push(if first { Panel { title, ..heat } } else { heat });
            }
            row.extend(view.bars(300.0));
            rows.push(row);
        }
        let title = format!("{} wrong and {} right", self.wrong, self.views.len() - self.wrong);
        let ends = ["0".to_owned(), "the most in this picture".to_owned()];
        rows.push(vec![Panel::new(
            "",
            Content::Scale { palette: Palette::Sequential, range: (0.0, 1.0), ends },
            420.0,
        )]);
        let lines = vec![
            "over each picture: all maps of a block added up".to_owned(),
            "bars: the three likeliest classes; blue and bold is what it is".to_owned(),
        ];
        let alt = format!("{title}. {self}");
        Sheet { title, rows, lines }.figure(alt, self.to_string())
    }
}

impl fmt::Display for Album {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<String> = self.views.iter().map(|(_, view)| view.to_string()).collect();
        f.write_str(&each.join("\n"))
    }
}

debug_as_display!(Album);
shows_its_figure!(Album);
