//! Figures of a layer's filters.

use crate::{
    Error, Result,
    grid::Grid,
    notebook::shows_its_figure,
    see::{FilterBank, Patches},
    text::number,
};
use nchw_draw::{Figure, Layout, Palette, Panel, Pixels, in_rows};

/// How to read filters that are drawn as images.
const OWN_SCALE: &str =
    "each filter as an RGB image on its own scale: grey is 0, brighter is more, darker is less";
/// How many filters of a deep layer are drawn, and how many input channels of each.
const DEEP: (usize, usize) = (10, 16);

impl FilterBank {
    /// Draws the filters: with three input channels all of them as small RGB images; of deeper layers those
    /// with the largest norm, one row per filter and one tile per input channel.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let [n, c, ..] = self.size();
        let title = format!("Filters of {}: {}", self.layer, self.shape_text());
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        let line = if c == 3 {
            let tile = |filter: usize| Panel::picture(filter.to_string(), self.rgb(filter), 84.0).bare();
            rows = in_rows((0..n).map(tile).collect(), 8);
            OWN_SCALE.to_owned()
        } else {
            let order = self.strongest()?;
            let (filters, channels) = (order.len().min(DEEP.0), c.min(DEEP.1));
            for &filter in &order[..filters] {
                let mut row = Vec::new();
                for channel in 0..channels {
                    let title = if channel == 0 { format!("{filter}") } else { String::new() };
                    row.push(self.heat(filter, channel, title, 42.0)?);
                }
                rows.push(row);
            }
            rows.push(vec![self.scale()]);
            format!(
                "{filters} of {n} filters, largest norm first; {channels} of {c} input channels; from {} to {}",
                number(-self.max),
                number(self.max)
            )
        };
        let alt = format!("{title}. {line}");
        Layout { title, rows, lines: vec![line] }.figure(alt, self.to_string())
    }

    /// Draws the filters on three channels from those that look for an edge of brightness to those that look for a
    /// colour. Below each: the share of its weights that differs between red, green and blue.
    ///
    /// # Errors
    /// When the filters do not have three channels.
    pub fn by_colour(&self) -> Result<Figure> {
        let (order, shares) = self.colourfulness()?;
        let tile = |filter: usize| {
            let share = format!("{:.0} %", 100.0 * shares[filter]);
            Panel::picture(filter.to_string(), self.rgb(filter), 84.0).bare().caption(share)
        };
        let rows = in_rows(order.iter().copied().map(tile).collect(), 8);
        let title = format!("Filters of {}: from edges to colours", self.layer);
        let lines = vec![
            OWN_SCALE.to_owned(),
            "below: the share of its weights that differs between red, green and blue".to_owned(),
        ];
        let words: Vec<String> =
            order.iter().map(|filter| format!("{filter}: {:.0} %", 100.0 * shares[*filter])).collect();
        Layout { title: title.clone(), rows, lines }
            .figure(format!("{title}. {}", words.join(", ")), words.join("\n"))
    }

    /// Draws one filter, input channel by input channel.
    ///
    /// # Errors
    /// When there is no such filter.
    pub fn filter(&self, filter: usize) -> Result<Figure> {
        self.draw_filter(filter, None)
    }

    /// Draws one filter, and the patches of a data set that activate it most.
    ///
    /// # Errors
    /// When there is no such filter.
    pub fn beside(&self, filter: usize, patches: &Patches) -> Result<Figure> {
        self.draw_filter(filter, Some(patches))
    }

    fn draw_filter(&self, filter: usize, patches: Option<&Patches>) -> Result<Figure> {
        let [n, c, ..] = self.size();
        if filter >= n {
            return Err(Error::new(format!(
                "there is no filter {filter} in `{}`: expected 0 to {}",
                self.layer,
                n - 1
            )));
        }
        let title = format!(
            "{}, filter {filter}: {}",
            self.layer,
            self.size()[1..].iter().map(usize::to_string).collect::<Vec<_>>().join(" \u{d7} ")
        );
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        if c == 3 {
            let mut row = vec![Panel::picture("as RGB image", self.rgb(filter), 130.0).bare()];
            for (channel, name) in ["red", "green", "blue"].into_iter().enumerate() {
                row.push(self.heat(filter, channel, name.into(), 130.0)?);
            }
            rows.push(row);
        } else {
            let tile = |channel: usize| self.heat(filter, channel, channel.to_string(), 42.0);
            rows = in_rows((0..c).map(tile).collect::<Result<_>>()?, 16);
        }
        rows.push(vec![self.scale()]);
        let (min, max) = (number(-self.max), number(self.max));
        let mut lines = vec![format!("one scale for all channels, from {min} to {max}")];
        if let Some(patches) = patches {
            rows.push(vec![Panel::heading("the patches that activate it most".into())]);
            rows.push(patches.panels(patches.shown(filter)?, 96.0)?);
            lines.push(patches.line());
        }
        let numbers: Vec<String> = (0..c.min(3))
            .map(|channel| {
                let numbers: Vec<String> = self.slice(filter, channel).iter().map(|v| number(*v)).collect();
                format!("channel {channel}: {}", numbers.join(" "))
            })
            .collect();
        let alt = format!("{title}. {}. {}", numbers.join("; "), lines.join(". "));
        Layout { title, rows, lines }.figure(alt, numbers.join("\n"))
    }

    /// A filter with three input channels as an RGB image on its own scale: grey is 0, brighter positive, darker
    /// negative.
    fn rgb(&self, filter: usize) -> Pixels {
        let [_, _, h, w] = self.size();
        let planes = [0, 1, 2].map(|channel| self.slice(filter, channel));
        let finite = planes.iter().flat_map(|plane| plane.iter()).filter(|v| v.is_finite());
        let max = finite.fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
        let byte = |value: f32| (127.5 * (1.0 + value / max)).round() as u8;
        let rgb = (0..h * w).flat_map(|i| planes.map(|plane| byte(plane[i]))).collect();
        Pixels { width: w as u32, height: h as u32, rgb }
    }

    /// All filters with three input channels in one image, separated by white.
    pub(in crate::see) fn tiles(&self, columns: usize) -> Pixels {
        let [n, _, h, w] = self.size();
        let (height, width) = (n.div_ceil(columns) * (h + 1) - 1, columns * (w + 1) - 1);
        let mut rgb = vec![255; height * width * 3];
        for filter in 0..n {
            let (top, left) = (filter / columns * (h + 1), filter % columns * (w + 1));
            for (y, row) in self.rgb(filter).rgb.chunks(w * 3).enumerate() {
                rgb[((top + y) * width + left) * 3..][..w * 3].copy_from_slice(row);
            }
        }
        Pixels { width: width as u32, height: height as u32, rgb }
    }

    /// One input channel of a filter: blue below 0, white at 0, red above.
    fn heat(&self, filter: usize, channel: usize, title: String, width: f64) -> Result<Panel<'static>> {
        let [_, _, h, w] = self.size();
        let values = Grid::new(h, w, self.slice(filter, channel).to_vec())?;
        Ok(Panel::tile(title, values, Palette::Signed, (-self.max, self.max), width))
    }

    /// The colour scale of single channels.
    fn scale(&self) -> Panel<'static> {
        let ends = [number(-self.max), number(self.max)];
        Panel::scale(Palette::Signed, (-self.max, self.max), ends)
    }
}

shows_its_figure!(FilterBank);
