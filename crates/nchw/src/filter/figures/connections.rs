//! The weights of a layer in three stages, side by side.

use super::cells::{on_one_scale, readable};
use crate::{
    Result,
    filter::Connections,
    notebook::{Output, shows},
};
use nchw_draw::{Figure, Highlights, Layout, Palette, Panel};

impl Connections {
    /// Draws the three stages on one scale: a row per pixel, a column per unit.
    ///
    /// # Errors
    /// When there are more than 25 pixels or 16 units, too many to read.
    pub fn figure(&self) -> Result<Figure> {
        let stages = [self.full(), self.local(), self.shared()];
        stages.iter().try_for_each(readable)?;
        let [all, windows, one] = self.counts();
        let titles = [format!("everything: {all}"), format!("local: {windows}"), format!("shared: {one}")];
        let mut panels = Vec::new();
        for (matrix, title) in stages.iter().zip(titles) {
            if !panels.is_empty() {
                panels.push(Panel::sign("\u{2192}"));
            }
            let mut panel = Panel::cells(title, matrix.grid(), Palette::Signed, Highlights::default());
            panel.names = (0..matrix.height()).map(|pixel| self.position(0, pixel)).collect();
            panel.column_names = (0..matrix.width()).map(|unit| self.position(1, unit)).collect();
            panels.push(panel);
        }
        on_one_scale(&mut panels);
        let lines = vec!["a row for each pixel, a column for each unit, named by row, column".to_owned()];
        let text = format!(
            "{self}\n\neverything:\n{}\n\nlocal:\n{}\n\nshared:\n{}",
            stages[0], stages[1], stages[2]
        );
        let alt = format!("Three matrices of weights. {}", text.replace("\n\n", ". ").replace('\n', " / "));
        Layout { title: "The weights of one layer".into(), rows: vec![panels], lines }.figure(alt, text)
    }
}

shows!(Connections: |layer| Output::figure_or_text(layer.figure(), layer));
