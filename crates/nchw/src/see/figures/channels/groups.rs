//! Figures of groups of channels.

use crate::{
    Result,
    notebook::shows_its_figure,
    numbers::grid_of,
    see::{
        GroupMap, Groups,
        channels::groups::{Group, MAX_GROUPS},
    },
};
use nchw_draw::{Content, Figure, Layout, Palette, Panel, Pixels, colour::REGIONS, panels::blend};

/// Each group has a colour.
const _: () = assert!(MAX_GROUPS == REGIONS.len());
/// Patches shown for each group.
const PATCHES: usize = 6;

impl Groups {
    /// Draws a row for each group: its colour and size, the photos in which it is strongest with a frame where,
    /// and the labels of these photos.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let mut rows = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let text = format!("{number}: {} channels", group.channels.len());
            let mut row = vec![Panel::new("", Content::Legend(vec![(REGIONS[number], text)]), 170.0)];
            row.extend(self.patches(group));
            let shares = group.labels.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect();
            row.push(Panel::new("", Content::Bars { shares, right: None }, 270.0));
            rows.push(row);
        }
        let title = format!("{}: channels that are active together", self.layer);
        let lines = vec![
            format!(
                "frame: where the group is strongest in {} images, compared with its usual strength",
                self.searched
            ),
            "bars: the labels of the 60 strongest positions".to_owned(),
        ];
        Layout { title, rows, lines }.figure(self.to_string(), self.to_string())
    }

    fn patches(&self, group: &Group) -> impl Iterator<Item = Panel<'static>> {
        group.best.iter().take(PATCHES).map(|(image, row, column)| {
            // The part of the image that belongs to the position.
            let (height, width) = (image.height() / group.rows, image.width() / group.columns);
            let mut panel = Panel::picture("", image.pixels(), 84.0).bare();
            panel.mark = Some((row * height, column * width, height, width));
            panel
        })
    }

    /// Draws the similarity of each pair of channels, in the order of the groups: groups are red squares on the
    /// diagonal.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn similarity(&self) -> Result<Figure> {
        let values = grid_of(&self.tensor()?)?;
        let content =
            Content::Heat { values, palette: Palette::Signed, range: (-1.0, 1.0), bar: true, under: None };
        let panel = Panel::new("", content, 560.0);
        let title =
            format!("{}: correlation of each pair of channels, in the order of the groups", self.layer);
        let sizes: Vec<String> = self.groups.iter().map(|group| group.channels.len().to_string()).collect();
        let lines = vec![format!("groups of {} channels: red squares on the diagonal", sizes.join(", "))];
        let alt = format!("{title}. {self}");
        Layout { title, rows: vec![vec![panel]], lines }.figure(alt, self.to_string())
    }
}

impl GroupMap {
    /// Draws the image, the coloured map over it, and a legend.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let image = self.image.pixels();
        let (height, width) = (image.height as usize, image.width as usize);
        let at = |y: usize, x: usize| {
            self.strongest[(y * self.rows / height) * self.columns + x * self.columns / width]
        };
        let positions = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let rgb = positions.flat_map(|(y, x)| REGIONS[at(y, x)]).collect();
        let mut map = Pixels { width: image.width, height: image.height, rgb };
        blend(&mut map, &image, 0.65);
        let legend = self.legend().into_iter().map(|(group, text)| (REGIONS[group], text)).collect();
        let page_width = self.image.page_width(330.0);
        let row = vec![
            Panel::picture("image", image, page_width).bare(),
            Panel::picture("strongest group", map, page_width).bare(),
            Panel::new("", Content::Legend(legend), 250.0),
        ];
        let title = format!(
            "{}: the strongest group of channels at each of {} \u{d7} {} positions",
            self.layer, self.rows, self.columns
        );
        Layout { title, rows: vec![row], lines: Vec::new() }.figure(self.to_string(), self.to_string())
    }
}

shows_its_figure!(Groups, GroupMap);
