//! Mistakes and correct predictions, each with the heat maps of its image.

use super::view::View;
use crate::{
    Error, Result, data::Examples, error::debug_as_display, net::LectureNet, ranking::descending,
    train::Report,
};
use std::fmt;

/// The most rows of a figure.
const MAX_ROWS: usize = 12;

/// Images with predictions and heat maps. See [`album`].
pub struct Album {
    /// Index in the data set, and view: the most confident mistakes, then the most confident right answers.
    views: Vec<(usize, View)>,
    pub(super) wrong: usize,
}

/// An album of `count` answers: half of them the most confident mistakes (or all mistakes, where there are
/// fewer), the others the most confident right answers.
///
/// # Shapes
/// `examples`: the ones that the report was made from
///
/// # Errors
/// When the report was made from other images, or the count is not from 1 to 12.
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
    if !(1..=MAX_ROWS).contains(&count) {
        return Err(Error::new(format!(
            "expected 1 to {MAX_ROWS} images, the most that fit into a figure, got {count}"
        )));
    }
    let mut indices = report.mistakes();
    indices.truncate(count.div_ceil(2));
    let wrong = indices.len();
    let right = descending(&report.confidence).into_iter().filter(|&i| report.labels[i] == report.answers[i]);
    // One image of each class before a second of any class: the most confident answers are often alike.
    let mut seen = vec![0; report.classes.len()];
    let mut rounds: Vec<(usize, usize)> = Vec::new();
    for index in right {
        let round = &mut seen[report.labels[index]];
        rounds.push((*round, index));
        *round += 1;
    }
    rounds.sort_by_key(|(round, _)| *round);
    indices.extend(rounds.into_iter().map(|(_, index)| index).take(count - wrong));
    let views = indices.into_iter().map(|index| Ok((index, examples.see(net, index, &report.classes)?)));
    Ok(Album { views: views.collect::<Result<_>>()?, wrong })
}

impl Album {
    /// The index of each image in the data set and its view, in the order of the album.
    pub fn views(&self) -> &[(usize, View)] {
        &self.views
    }
}

impl fmt::Display for Album {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<String> = self.views.iter().map(|(_, view)| view.to_string()).collect();
        f.write_str(&each.join("\n"))
    }
}

debug_as_display!(Album);
