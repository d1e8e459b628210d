//! Figures of a search: the photos that were found, with their heat.

use crate::{
    Result,
    notebook::{Output, shows, shows_its_figure},
    numbers::grid_of,
    see::{HeatSearch, Hidden, heat::enlarge, search::answer},
};
use nchw_draw::{Content, Figure, Layout, Palette, Panel};

/// How many of the images that were found are drawn.
const SHOWN: usize = 5;
/// The width of an image on the page.
const WIDTH: f64 = 176.0;

impl HeatSearch {
    /// Draws the first five images that were found: each photo with the answer, the sum over it, and after
    /// [`HeatSearch::misled`] the photo with its hottest part hidden and the new answer.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let all = &self.all;
        let found = self.images().iter().take(SHOWN);
        let mut rows: [Vec<Panel>; 3] = Default::default();
        for &index in found.clone() {
            let image = self.image(index)?;
            let title = format!("{index}: {}", all.classes[all.labels[index]]);
            let photo = Panel::picture(title, image.pixels(), WIDTH).bare();
            rows[0].push(photo.caption(self.said(index, self.probabilities(index))));
            let values = grid_of(&enlarge(&self.sum(index)?, [32, 32])?)?;
            let palette = Palette::fitting(&all.sums[index]);
            let range = palette.range(&all.sums[index]);
            let heat = Content::Heat { values, palette, range, bar: false, under: Some(image.pixels()) };
            rows[1].push(Panel::new("", heat, WIDTH).bare());
            if let Some((image, shares)) = self.hidden_image(index)? {
                let hidden = Panel::picture("", image.pixels(), WIDTH).bare();
                rows[2].push(hidden.caption(self.said(index, &shares)));
            }
        }
        let mut rows: Vec<Vec<Panel>> = rows.into_iter().filter(|row| !row.is_empty()).collect();
        let ends = ["0".to_owned(), "maximum of this image".to_owned()];
        rows.push(vec![Panel::scale(Palette::Sequential, (0.0, 1.0), ends)]);
        let shown = found.len();
        let title = match self.images().len() {
            0 => "No image was found".to_owned(),
            1 => format!("One of {} images", all.sums.len()),
            count if count == shown => format!("{count} of {} images", all.sums.len()),
            count => format!("{count} of {} images: the first {shown}", all.sums.len()),
        };
        let lines = match self.rule.split_last() {
            Some((order, conditions)) if !conditions.is_empty() => vec![conditions.join(", "), order.clone()],
            _ => self.rule.clone(),
        };
        Layout { title, rows, lines }
            .figure(format!("Photos with the sum of block 3 over them. {self}"), self.to_string())
    }

    /// The answer, and its mark.
    fn said(&self, index: usize, shares: &[f32; 10]) -> String {
        let class = answer(shares);
        let mark = if class == self.all.labels[index] { "\u{2713}" } else { "\u{2717}" };
        format!("{mark} {} {:.0} %", self.all.classes[class], 100.0 * shares[class])
    }
}

shows_its_figure!(HeatSearch);
shows!(Hidden: |hidden| Output::Text(hidden.to_string()));
