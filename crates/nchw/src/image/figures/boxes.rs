//! A photo with boxes around its objects.

use crate::{Result, image::Boxes, notebook::shows_its_figure, text::number};
use nchw_draw::{Figure, Frame, Layout, Panel, colour::LINES};

impl Boxes {
    /// Draws the photo with a named frame around each object.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let mut panel = Panel::picture("", self.photo.pixels(), self.photo.page_width(620.0));
        let frame = |((name, [x, y, w, h]), colour): (&(String, [f64; 4]), &[u8; 3])| Frame {
            left: x - w / 2.0,
            top: y - h / 2.0,
            width: *w,
            height: *h,
            name: name.clone(),
            colour: *colour,
        };
        panel.frames = self.boxes.iter().zip(LINES.iter().cycle()).map(frame).collect();
        let each = |(name, numbers): &(String, [f64; 4])| {
            format!("{name} [{}]", numbers.map(|value| number(value as f32)).join(", "))
        };
        let list = self.boxes.iter().map(each).collect::<Vec<_>>().join(", ");
        let alt = format!("The image {} with boxes, [x, y, w, h]: {list}", self.photo.name());
        let (c, h, w) = (self.photo.channels(), self.photo.height(), self.photo.width());
        let title = format!("{}   C={c}  H={h}  W={w}", self.photo.name());
        Layout { title, rows: vec![vec![panel]], lines: Vec::new() }.figure(alt.clone(), alt)
    }
}

shows_its_figure!(Boxes);
