//! Figures of an image in a network: the answer, and receptive fields.

use crate::{
    Result,
    notebook::{Output, shows},
    see::{View, view::layers_until},
    trace::trace,
};
use nchw_draw::{Content, Figure, Layout, Panel};

impl View {
    /// Draws the image and the three most probable classes.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let mut row = vec![self.panel(300.0)];
        row.extend(self.bars(380.0));
        let title = match self.label {
            Some(label) => format!("An image of the class {}", self.classes[label]),
            None => "An image".to_owned(),
        };
        Layout { title, rows: vec![row], lines: vec![self.answer_line()] }
            .figure(self.to_string(), self.to_string())
    }

    /// Draws the receptive field of the value at `row` and `column` of a layer's feature maps: framed in the
    /// image, and enlarged beside it.
    ///
    /// # Errors
    /// When there is no such layer or position.
    ///
    /// # Source
    /// Lecture part 5.
    pub fn trace(&self, name: &str, row: usize, column: usize) -> Result<Figure> {
        let (index, _) = self.layer(name)?;
        trace(self.picture(), &layers_until(&self.net, index), name, row, column)
    }

    /// The image as a panel.
    pub(super) fn panel(&self, width: f64) -> Panel<'static> {
        let image = self.picture();
        Panel::picture(image.name(), image.pixels(), image.page_width(width))
    }

    /// The most probable classes as bars; the label is blue and bold.
    pub(super) fn bars(&self, width: f64) -> Option<Panel<'static>> {
        let most_probable = self.most_probable()?;
        let right = most_probable.iter().position(|(class, _)| Some(*class) == self.label);
        let shares =
            most_probable.into_iter().map(|(class, share)| (self.classes[class].clone(), share)).collect();
        Some(Panel::new("", Content::Bars { shares, right }, width))
    }
}

shows!(View: |view| Output::figure(view.figure()));
