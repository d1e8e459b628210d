//! Figures of a layer's filters.

use super::{patches::Patches, view::numbers};
use crate::{
    Error, Result,
    canvas::number,
    colour::Palette,
    error::debug_as_display,
    figure::{Figure, Pixels},
    grid::Grid,
    net::LectureNet,
    notebook::shows_its_figure,
    panels::{Content, Layout, Panel},
};
use std::fmt;
use tch::{Kind, Tensor};

/// The filters of a convolution. See [`filters`].
pub struct FilterBank {
    layer: String,
    weight: Tensor,
    /// The weights in row-major order.
    values: Vec<f32>,
    /// The largest absolute weight: the end of the colour scale.
    max: f32,
}

/// The filters of a convolution, such as `block1.conv1`.
///
/// # Shapes
/// `[N filters, C, 3, 3]`
///
/// # Errors
/// When the layer is not a convolution (the message lists the convolutions).
///
/// ```
/// use nchw::prelude::*;
/// let net = LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu)?;
/// assert_eq!(filters(&net, "block1.conv1")?.tensor().size(), [32, 3, 3, 3]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn filters(net: &LectureNet, layer: &str) -> Result<FilterBank> {
    FilterBank::new(layer, net.filters(layer)?)
}

/// How many filters of a deep layer are drawn, and how many input channels of each.
const DEEP: (usize, usize) = (10, 16);

impl FilterBank {
    pub(super) fn new(layer: &str, weight: Tensor) -> Result<FilterBank> {
        let values = numbers(&weight)?;
        let finite = values.iter().filter(|v| v.is_finite());
        let max = finite.fold(0.0f32, |max, v| max.max(v.abs())).max(f32::MIN_POSITIVE);
        Ok(FilterBank { layer: layer.to_owned(), weight, values, max })
    }

    /// The weights.
    ///
    /// # Shapes
    /// `[N filters, C, H, W]`
    pub fn tensor(&self) -> Tensor {
        self.weight.copy()
    }

    /// N, C, H, W.
    fn size(&self) -> [usize; 4] {
        let size = self.weight.size();
        std::array::from_fn(|axis| size[axis] as usize)
    }

    fn shape_text(&self) -> String {
        self.size().map(|n| n.to_string()).join(" \u{d7} ")
    }

    /// A filter's weights for one input channel.
    fn slice(&self, filter: usize, channel: usize) -> &[f32] {
        let [_, c, h, w] = self.size();
        &self.values[(filter * c + channel) * h * w..][..h * w]
    }

    /// A filter with three input channels as an RGB image: grey is 0, brighter positive, darker negative.
    fn rgb(&self, filter: usize) -> Pixels {
        let [_, _, h, w] = self.size();
        let byte = |value: f32| (127.5 * (1.0 + value / self.max)).round() as u8;
        let planes = [0, 1, 2].map(|channel| self.slice(filter, channel));
        let rgb = (0..h * w).flat_map(|i| planes.map(|plane| byte(plane[i]))).collect();
        Pixels { width: w as u32, height: h as u32, rgb }
    }

    /// All filters with three input channels in one image: eight per row, separated by white.
    pub(super) fn tiles(&self) -> Pixels {
        let [n, _, h, w] = self.size();
        let (height, width) = (n.div_ceil(8) * (h + 1) - 1, 8 * (w + 1) - 1);
        let mut rgb = vec![255; height * width * 3];
        for filter in 0..n {
            let (top, left) = (filter / 8 * (h + 1), filter % 8 * (w + 1));
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
        let content = Content::Heat {
            values,
            palette: Palette::Signed,
            range: (-self.max, self.max),
            bar: false,
            under: None,
        };
        Ok(Panel::new(title, content, width).bare())
    }

    /// The colour scale of single channels.
    fn scale(&self) -> Panel<'static> {
        let ends = [number(-self.max), number(self.max)];
        Panel::new("", Content::Scale { palette: Palette::Signed, range: (-self.max, self.max), ends }, 420.0)
    }

    /// The scale of filters drawn as RGB images.
    fn rgb_scale(&self) -> Panel<'static> {
        let ends = [format!("{}: black", number(-self.max)), format!("{}: full colour", number(self.max))];
        Panel::new("", Content::Scale { palette: Palette::Grey, range: (-self.max, self.max), ends }, 420.0)
    }

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
            for from in (0..n).step_by(8) {
                let tile =
                    |filter| Panel::new(format!("{filter}"), Content::Picture(self.rgb(filter)), 84.0).bare();
                rows.push((from..n.min(from + 8)).map(tile).collect());
            }
            rows.push(vec![self.rgb_scale()]);
            format!(
                "each filter as an RGB image: grey is 0, black {}, full colour {}",
                number(-self.max),
                number(self.max)
            )
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

    /// The filters by their L2 norm, largest first.
    fn strongest(&self) -> Result<Vec<usize>> {
        let norms = numbers(&self.weight.f_norm_scalaropt_dim(2.0, [1, 2, 3], false)?)?;
        let mut order: Vec<usize> = (0..norms.len()).collect();
        order.sort_by(|a, b| norms[*b].total_cmp(&norms[*a]));
        Ok(order)
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
            let mut row = vec![Panel::new("as RGB image", Content::Picture(self.rgb(filter)), 130.0).bare()];
            for (channel, name) in ["red", "green", "blue"].into_iter().enumerate() {
                row.push(self.heat(filter, channel, name.into(), 130.0)?);
            }
            rows.push(row);
        } else {
            for from in (0..c).step_by(16) {
                let tile = |channel: usize| self.heat(filter, channel, channel.to_string(), 42.0);
                rows.push((from..c.min(from + 16)).map(tile).collect::<Result<_>>()?);
            }
        }
        rows.push(vec![self.scale()]);
        let (min, max) = (number(-self.max), number(self.max));
        let mut lines = vec![format!("one scale for all channels, from {min} to {max}")];
        if let Some(patches) = patches {
            rows.push(vec![Panel::heading("the patches that activate it most".into())]);
            rows.push(patches.panels(filter, 96.0)?);
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
}

impl fmt::Display for FilterBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean =
            self.weight.f_mean(Kind::Float).and_then(|m| m.f_double_value(&[])).map_err(|_| fmt::Error)?;
        write!(
            f,
            "Filters of {}: {} (N filters, C, H, W), from {} to {}, mean {}",
            self.layer,
            self.size().map(|n| n.to_string()).join("x"),
            number(-self.max),
            number(self.max),
            number(mean as f32)
        )
    }
}

debug_as_display!(FilterBank);
shows_its_figure!(FilterBank);
