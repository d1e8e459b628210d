//! Figures of an album.

use crate::{Result, notebook::shows_its_figure, see::Album};
use nchw_draw::{Figure, Layout, Palette, Panel};

impl Album {
    /// Draws one row per image: the image, a heat map after each block, the three most probable classes.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let mut rows = Vec::new();
        for (number, (_, view)) in self.views().iter().enumerate() {
            let heading = match number {
                n if n == self.wrong => "correct predictions: the most confident of each class",
                0 => "mistakes: the most confident first",
                _ => "",
            };
            let first = !heading.is_empty();
            if first {
                rows.push(vec![Panel::heading(heading.into())]);
            }
            let image = view.picture();
            let mut row = vec![Panel::picture(image.name(), image.pixels(), 170.0).bare()];
            for (title, heat) in view.heats(170.0)? {
                row.push(if first { Panel { title, ..heat } } else { heat });
            }
            row.extend(view.bars(300.0));
            rows.push(row);
        }
        let title =
            format!("{} mistakes and {} correct predictions", self.wrong, self.views().len() - self.wrong);
        let ends = ["0".to_owned(), "maximum of this image".to_owned()];
        rows.push(vec![Panel::scale(Palette::Sequential, (0.0, 1.0), ends)]);
        let lines = vec![
            "heat maps: sum of all feature maps of a block".to_owned(),
            "bars: the three most probable classes; the label is blue and bold".to_owned(),
        ];
        let alt = format!("{title}. {self}");
        Layout { title, rows, lines }.figure(alt, self.to_string())
    }
}

shows_its_figure!(Album);
