//! Figures of the strongest channel at each position.

use crate::{
    Error, Result,
    notebook::shows_its_figure,
    see::{
        Patches, Semantic,
        semantic::{FREQUENT, Region},
    },
};
use nchw_draw::{Content, Figure, Layout, Panel, Pixels, colour::REGIONS, panels::blend};

/// The colour of all channels that are not among the most frequent.
pub(super) const REST: [u8; 3] = [200, 200, 200];
/// The colour of positions where no channel is active.
pub(super) const NOTHING: [u8; 3] = [0, 0, 0];
/// Patches shown for each channel: few, so that each can be seen from the last row.
const EXAMPLES: usize = 6;

/// Each of the most frequent channels has a colour.
const _: () = assert!(FREQUENT == REGIONS.len());

fn colour(region: Region) -> [u8; 3] {
    match region {
        Region::Frequent(index) => REGIONS[index],
        Region::Others => REST,
        Region::Nothing => NOTHING,
    }
}

impl Semantic {
    /// Draws the image, the coloured map over it, and a legend.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let image = self.image.pixels();
        let (height, width) = (image.height as usize, image.width as usize);
        let (rows, columns) = (self.rows, self.columns);
        let regions = self.regions();
        // Each position covers its part of the image.
        let at = |y: usize, x: usize| regions[(y * rows / height) * columns + x * columns / width];
        let positions = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let rgb = positions.flat_map(|(y, x)| colour(at(y, x))).collect();
        let mut map = Pixels { width: image.width, height: image.height, rgb };
        blend(&mut map, &image, 0.75);
        let legend: Vec<_> = self.legend().into_iter().map(|(region, text)| (colour(region), text)).collect();
        let words: Vec<String> = legend.iter().map(|(_, text)| text.clone()).collect();
        let text = format!("{}. {}: {}", self.title, self.layer, words.join(", "));
        let page_width = self.image.page_width(300.0);
        let row = vec![
            Panel::picture("image", image, page_width).bare(),
            Panel::picture("strongest channel", map, page_width).bare(),
            Panel::new("", Content::Legend(legend), 240.0),
        ];
        let lines = vec![self.answer_line.clone()];
        Layout { title: self.title.clone(), rows: vec![row], lines }.figure(text, words.join("\n"))
    }

    /// Draws the patches that activate each channel of the map most, to help with naming it.
    ///
    /// # Errors
    /// When the patches belong to another layer.
    pub fn introduce(&self, patches: &Patches) -> Result<Figure> {
        if patches.layer != self.layer {
            return Err(Error::new(format!(
                "expected the patches of {}, got those of {}: `patches(&net, &examples, \"{}\")?`",
                self.layer, patches.layer, self.layer
            )));
        }
        let mut rows = Vec::new();
        let mut names = Vec::new();
        for (index, (channel, _)) in self.order.iter().take(FREQUENT).enumerate() {
            let name = self.label(*channel);
            let legend = Content::Legend(vec![(colour(Region::Frequent(index)), name.clone())]);
            let mut row = vec![Panel::new("", legend, 170.0)];
            row.extend(patches.panels(patches.shown(*channel)?, 72.0)?.into_iter().take(EXAMPLES));
            rows.push(row);
            names.push(name);
        }
        let title = format!("{}: the patches that activate each channel most", self.layer);
        let text = format!("{title}: channels {}", names.join(", "));
        Layout { title, rows, lines: vec![patches.line()] }.figure(text.clone(), text)
    }
}

shows_its_figure!(Semantic);
