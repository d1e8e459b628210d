//! A layer's filters as pictures.

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
    panels::{Content, Panel, Sheet},
};
use std::fmt;
use tch::{Kind, Tensor};

/// The filters of a convolution. See [`filters`].
pub struct FilterBank {
    layer: String,
    weight: Tensor,
    /// The same, in memory.
    values: Vec<f32>,
    /// The largest number of all, without its sign: the end of the scale.
    most: f32,
}

/// The filters of a convolution, such as `block1.conv1`.
///
/// # Shapes
/// `[N filters, C, 3, 3]`
///
/// # Errors
/// When the layer is no convolution: the message lists them.
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

/// Filters of a deep layer that are shown in its bank, and input channels of each.
const DEEP: (usize, usize) = (10, 16);

impl FilterBank {
    pub(super) fn new(layer: &str, weight: Tensor) -> Result<FilterBank> {
        let values = numbers(&weight)?;
        let finite = values.iter().filter(|v| v.is_finite());
        let most = finite.fold(0.0f32, |most, v| most.max(v.abs())).max(f32::MIN_POSITIVE);
        Ok(FilterBank { layer: layer.to_owned(), weight, values, most })
    }

    /// The numbers.
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

    fn named(&self) -> String {
        self.size().map(|n| n.to_string()).join(" \u{d7} ")
    }

    /// A filter's numbers for one input channel.
    fn slice(&self, filter: usize, channel: usize) -> &[f32] {
        let [_, c, h, w] = self.size();
        &self.values[(filter * c + channel) * h * w..][..h * w]
    }

    /// A filter on three channels as a picture: grey is 0, brighter is above, darker below.
    fn rgb(&self, filter: usize) -> Pixels {
        let [_, _, h, w] = self.size();
        let byte = |value: f32| (127.5 * (1.0 + value / self.most)).round() as u8;
        let planes = [0, 1, 2].map(|channel| self.slice(filter, channel));
        let rgb = (0..h * w).flat_map(|i| planes.map(|plane| byte(plane[i]))).collect();
        Pixels { width: w as u32, height: h as u32, rgb }
    }

    /// All filters on three channels in one picture, eight to a row, with white between them.
    pub(super) fn tiles(&self) -> Pixels {
        let [n, _, h, w] = self.size();
        let (down, across) = (n.div_ceil(8) * (h + 1) - 1, 8 * (w + 1) - 1);
        let mut rgb = vec![255; down * across * 3];
        for filter in 0..n {
            let (top, left) = (filter / 8 * (h + 1), filter % 8 * (w + 1));
            for (y, row) in self.rgb(filter).rgb.chunks(w * 3).enumerate() {
                rgb[((top + y) * across + left) * 3..][..w * 3].copy_from_slice(row);
            }
        }
        Pixels { width: across as u32, height: down as u32, rgb }
    }

    /// One input channel of a filter: blue below 0, white, red above.
    fn heat(&self, filter: usize, channel: usize, title: String, width: f64) -> Result<Panel<'static>> {
        let [_, _, h, w] = self.size();
        let values = Grid::new(h, w, self.slice(filter, channel).to_vec())?;
        let content = Content::Heat {
            values,
            palette: Palette::Signed,
            range: (-self.most, self.most),
            bar: false,
            under: None,
        };
        Ok(Panel::new(title, content, width).bare())
    }

    fn scale(&self) -> Panel<'static> {
        let ends = [number(-self.most), number(self.most)];
        Panel::new(
            "",
            Content::Scale { palette: Palette::Signed, range: (-self.most, self.most), ends },
            420.0,
        )
    }

    /// The same for filters on red, green and blue.
    fn rgb_scale(&self) -> Panel<'static> {
        let ends = [format!("{}: black", number(-self.most)), format!("{}: full colour", number(self.most))];
        Panel::new("", Content::Scale { palette: Palette::Grey, range: (-self.most, self.most), ends }, 420.0)
    }

    /// The whole bank: filters on red, green and blue as small pictures, of others the
    /// strongest, each with its input channels in a row.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let [n, c, ..] = self.size();
        let title = format!("The filters of {}: {}", self.layer, self.named());
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        let line = if c == 3 {
            for from in (0..n).step_by(8) {
                let tile =
                    |filter| Panel::new(format!("{filter}"), Content::Picture(self.rgb(filter)), 84.0).bare();
                rows.push((from..n.min(from + 8)).map(tile).collect());
            }
            rows.push(vec![self.rgb_scale()]);
            format!(
                "each filter on red, green and blue: grey is 0, black {}, full colour {}",
                number(-self.most),
                number(self.most)
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
                "the {filters} strongest of {n} filters, a row each, on the first {channels} of {c} channels; all from {} to {}",
                number(-self.most),
                number(self.most)
            )
        };
        let alt = format!("{title}. {line}");
        Sheet { title, rows, lines: vec![line] }.figure(alt, self.to_string())
    }

    /// The filters by the size of their numbers (the square root of their squares' sum), the largest first.
    fn strongest(&self) -> Result<Vec<usize>> {
        let sizes = numbers(&self.weight.f_norm_scalaropt_dim(2.0, [1, 2, 3], false)?)?;
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by(|a, b| sizes[*b].total_cmp(&sizes[*a]));
        Ok(order)
    }

    /// One filter, input channel by input channel.
    ///
    /// # Errors
    /// When there is no such filter.
    pub fn filter(&self, filter: usize) -> Result<Figure> {
        self.one(filter, None)
    }

    /// One filter beside the patches of a data set that excite it most.
    ///
    /// # Errors
    /// When there is no such filter.
    pub fn beside(&self, filter: usize, patches: &Patches) -> Result<Figure> {
        self.one(filter, Some(patches))
    }

    fn one(&self, filter: usize, patches: Option<&Patches>) -> Result<Figure> {
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
            let mut row = vec![Panel::new("as a picture", Content::Picture(self.rgb(filter)), 130.0).bare()];
            for (channel, name) in ["on red", "on green", "on blue"].into_iter().enumerate() {
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
        let (least, most) = (number(-self.most), number(self.most));
        let mut lines = vec![format!("one scale for all channels, from {least} to {most}")];
        if let Some(patches) = patches {
            rows.push(vec![Panel::heading("what excites it most".into())]);
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
        Sheet { title, rows, lines }.figure(alt, numbers.join("\n"))
    }
}

impl fmt::Display for FilterBank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean =
            self.weight.f_mean(Kind::Float).and_then(|m| m.f_double_value(&[])).map_err(|_| fmt::Error)?;
        write!(
            f,
            "The filters of {}: {} (N filters, C, H, W), from {} to {}, mean {}",
            self.layer,
            self.size().map(|n| n.to_string()).join("x"),
            number(-self.most),
            number(self.most),
            number(mean as f32)
        )
    }
}

debug_as_display!(FilterBank);
shows_its_figure!(FilterBank);
