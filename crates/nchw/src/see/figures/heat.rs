//! Figures of heat maps.

use crate::{
    Result,
    notebook::shows_its_figure,
    numbers::{extent, grid_of, values_of},
    ranking::argmax,
    see::{Heat, View, view::shape},
};
use nchw_draw::{Content, Figure, Layout, Palette, Panel};

/// The largest width of an image and of its heat maps on the page.
const WIDTH: f64 = 270.0;

impl View {
    /// Draws the sum, Grad-CAM and occlusion side by side, the last two for the class of the answer.
    ///
    /// # Errors
    /// When there is no such layer, or the image is not 32 × 32.
    pub fn compare(&self, name: &str) -> Result<Figure> {
        let answer = self.answer()?;
        let heats = [self.sum(name)?, self.grad_cam(name, answer)?, self.occlusion(answer)?];
        const EACH: f64 = 226.0;
        let titles = [
            format!("sum of {name}"),
            format!("Grad-CAM, {}", self.classes[answer]),
            format!("occlusion, {}", self.classes[answer]),
        ];
        let mut row = vec![self.panel(EACH).bare()];
        let mut text = vec![self.to_string()];
        for (heat, title) in heats.iter().zip(titles) {
            text.push(format!("{title}: {}", heat.extent()?));
            row.push(heat.overlay(title, self.picture().page_width(EACH), true)?.bare());
        }
        let lines = vec![
            self.answer_line(),
            "The sum does not depend on the class: it is red where many maps are active.".to_owned(),
            "Grad-CAM and occlusion are computed for this class.".to_owned(),
        ];
        let title = format!("Where in the image is the {}? Three heat maps", self.classes[answer]);
        Layout { title, rows: vec![row], lines }.figure(text.join(". "), text.join("\n"))
    }

    /// The sum of each block's maps over the image, each on its own scale, with its title.
    pub(super) fn heats(&self, width: f64) -> Result<Vec<(String, Panel<'static>)>> {
        let heats = ["block1", "block2", "block3"].into_iter().map(|block| {
            let panel = self.sum(block)?.overlay("", width, false)?.bare();
            Ok((format!("{block}: {}", shape(&self.tensor(block)?)), panel))
        });
        heats.collect()
    }
}

impl Heat {
    /// Draws the image, the heat map, and the heat map over the image.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let (map, large) = (grid_of(&self.map)?, grid_of(&self.enlarged()?)?);
        let (h, w) = (map.height(), map.width());
        let enlarged = (h, w) != (large.height(), large.width());
        let width = self.image.page_width(WIDTH);
        let mut row = vec![Panel::picture(self.image.name(), self.image.pixels(), width)];
        if enlarged {
            row.push(Panel::heat(format!("{h} \u{d7} {w} numbers"), map.clone(), width));
        }
        row.push(self.overlay("over the image", width, true)?);
        let mut meaning = self.meaning.clone();
        if argmax(map.values()).is_none() {
            meaning += &format!(" Here: {}.", extent(map.values()));
        }
        if enlarged {
            meaning += &format!(" Enlarged to {} \u{d7} {} (bilinear)", large.height(), large.width());
        }
        let lines = vec![self.answer_line.clone(), meaning];
        let alt = format!("{}. {} {}. {}", self.title, self.meaning, self.extent()?, self.answer_line);
        Layout { title: self.title.clone(), rows: vec![row], lines }.figure(alt, self.to_string())
    }

    /// The heat map over the image, with or without its colour bar.
    fn overlay(&self, title: impl Into<String>, width: f64, bar: bool) -> Result<Panel<'static>> {
        let values = grid_of(&self.enlarged()?)?;
        // Interpolation stays within the range of the map, so both use its scale.
        let map = values_of(&self.map)?;
        let palette = Palette::fitting(&map);
        let range = palette.clear_range(&map);
        let under = Some(self.image.pixels());
        let width = width.min(self.image.page_width(WIDTH));
        Ok(Panel::new(title, Content::Heat { values, palette, range, bar, under }, width))
    }
}

shows_its_figure!(Heat);
