//! A training as an animation.

use crate::{
    Error, Result,
    notebook::shows_its_figure,
    numbers::grids_of,
    see::{
        Film, FilterBank,
        film::{BLOCKS, FILTERS, MAPS},
        view::shape,
    },
};
use nchw_draw::{Content, Figure, Layout, Palette, Panel, Pixels};

impl Film {
    /// Draws all frames as an animation.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let last = self.epochs.len() - 1;
        let seconds = |number| match number {
            0 => 1.5,
            n if n == last => 3.0,
            _ => 0.7,
        };
        let drawn = (0..=last).map(|number| Ok((self.layout(number)?.draw()?, seconds(number))));
        let alt = format!("Animation. {self}");
        Figure::animation(&drawn.collect::<Result<Vec<(Pixels, f32)>>>()?, alt, self.to_string())
    }

    /// Draws one frame; frame 0 shows the initial weights.
    ///
    /// # Errors
    /// When there is no such frame.
    pub fn frame(&self, number: usize) -> Result<Figure> {
        if number >= self.epochs.len() {
            return Err(Error::new(format!(
                "there is no frame {number}: expected 0 to {}",
                self.epochs.len() - 1
            )));
        }
        let layout = self.layout(number)?;
        let title = layout.title.clone();
        layout.figure(format!("{title}. {self}"), title)
    }

    /// Draws stills for a page on which nothing moves: the filters of five epochs, from random numbers to the end.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn strip(&self) -> Result<Figure> {
        let last = self.epochs.len() - 1;
        // More of the beginning, where most happens.
        let mut numbers = vec![0, 1, 2.min(last), last / 2, last];
        numbers.sort_unstable();
        numbers.dedup();
        let mut row = Vec::new();
        for number in numbers {
            let (epoch, accuracy) = self.epochs[number];
            let bank = FilterBank::new(FILTERS, self.filters_at(number)?)?;
            let caption = accuracy.map_or("random".to_owned(), |share| format!("{:.1} %", 100.0 * share));
            row.push(Panel::picture(format!("epoch {epoch}"), bank.tiles(4), 170.0).bare().caption(caption));
        }
        let lines = vec![format!("the filters of {FILTERS}, each on its own scale; below: test accuracy")];
        let title = "Filters during training".to_owned();
        Layout { title, rows: vec![row], lines }.figure(format!("Stills. {self}"), self.to_string())
    }

    fn layout(&self, number: usize) -> Result<Layout<'_>> {
        let (epoch, accuracy) = self.epochs[number];
        let bank = FilterBank::new(FILTERS, self.filters_at(number)?)?;
        let share = accuracy.unwrap_or(0.1) as f32;
        let name = if accuracy.is_some() { "accuracy" } else { "guessing" };
        let bar = Content::Bars { shares: vec![(name.into(), share)], right: Some(0) };
        let mut rows = vec![
            vec![
                Panel::picture(self.image.name(), self.image.pixels(), 140.0).bare(),
                Panel::new("", bar, 380.0),
            ],
            vec![Panel::heading(format!("filters of {FILTERS}"))],
            vec![Panel::picture("", bank.tiles(16), 760.0).bare()],
        ];
        for (index, block) in BLOCKS.iter().enumerate() {
            let maps = self.maps_at(number, index)?;
            rows.push(vec![Panel::heading(format!("{block}: {}", shape(&maps)))]);
            let grids = grids_of(&maps)?;
            let tile = |channel: usize| {
                let values = grids[channel].clone();
                let palette = Palette::fitting(values.values());
                let range = palette.range(values.values());
                Panel::tile(channel.to_string(), values, palette, range, 88.0)
            };
            rows.push(self.strongest(index)?.into_iter().map(tile).collect());
        }
        let title = match (epoch, accuracy) {
            (0, _) => "Before the first epoch: random filters".to_owned(),
            (epoch, Some(share)) => {
                format!("After epoch {epoch}: test accuracy {:.1} %", 100.0 * share)
            }
            (epoch, None) => format!("After epoch {epoch}"),
        };
        let lines = vec![format!(
            "the {MAPS} strongest maps of the last frame; each filter and each map on its own scale"
        )];
        Ok(Layout { title, rows, lines })
    }
}

shows_its_figure!(Film);
