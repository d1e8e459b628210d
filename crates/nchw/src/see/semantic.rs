//! The strongest channel at each position, and the names that learners give to channels.

use super::{
    patches::Patches,
    view::{View, numbers},
};
use crate::{
    Error, Result,
    colour::REGIONS,
    error::debug_as_display,
    figure::{Figure, Pixels},
    files,
    notebook::shows_its_figure,
    panels::{Content, Layout, Panel, blend},
    train::runs,
};
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};
use tch::Tensor;

/// The colour of all channels that are not among the most frequent.
pub(super) const REST: [u8; 3] = [200, 200, 200];
/// The colour of positions where no channel is active.
pub(super) const NOTHING: [u8; 3] = [0, 0, 0];
/// Marks positions where no channel is active.
const NONE: i64 = -1;
/// Patches shown for each channel: few, so that each can be seen from the last row.
const EXAMPLES: usize = 6;

/// Names of channels by network, layer and channel, as they are stored in the file.
type Names = BTreeMap<String, BTreeMap<String, BTreeMap<usize, String>>>;

/// The strongest channel at each position of a layer. See [`View::semantic`].
pub struct Semantic {
    layer: String,
    /// Identifies the network, because the names belong to its channels.
    network: String,
    answer_line: String,
    image: Pixels,
    title: String,
    width: f64,
    channels: usize,
    rows: usize,
    columns: usize,
    /// The channel at each position, row by row.
    pub(super) strongest: Vec<i64>,
    /// Channel and number of positions, most frequent first.
    pub(super) order: Vec<(usize, usize)>,
    names: BTreeMap<usize, String>,
}

impl View {
    /// The channel with the largest activation at each position of a layer. The most frequent channels have a
    /// colour each; channels that you named show their names.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), it has no feature maps, or the file with
    /// the names cannot be read.
    ///
    /// # Source
    /// Lecture part 7: what is an ear, a paw, an outline?
    pub fn semantic(&self, name: &str) -> Result<Semantic> {
        self.semantic_with(name, &file())
    }

    pub(super) fn semantic_with(&self, name: &str, names: &Path) -> Result<Semantic> {
        let (_, maps) = self.layer(name)?;
        let size = maps.size();
        let (count, rows, columns) = (size[1], size[2] as usize, size[3] as usize);
        let (largest, channels) = maps.f_select(0, 0)?.f_max_dim(0, false)?;
        let channels =
            Vec::<i64>::try_from(&channels.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_view([-1])?)?;
        let largest = numbers(&largest)?;
        let strongest: Vec<i64> = channels
            .iter()
            .zip(largest)
            .map(|(channel, activation)| if activation > 0.0 { *channel } else { NONE })
            .collect();
        let mut counts = BTreeMap::new();
        for channel in strongest.iter().filter(|channel| **channel != NONE) {
            *counts.entry(*channel as usize).or_insert(0) += 1;
        }
        let mut order: Vec<(usize, usize)> = counts.into_iter().collect();
        order.sort_by_key(|(channel, count)| (std::cmp::Reverse(*count), *channel));
        let network = self.net.fingerprint()?.chars().take(16).collect();
        let names = of_layer(&read(names)?, &network, name);
        Ok(Semantic {
            layer: name.to_owned(),
            network,
            answer_line: self.answer_line(),
            image: self.pixels(),
            title: format!(
                "{name}: strongest of {count} channels at each of {rows} \u{d7} {columns} positions"
            ),
            width: self.picture().page_width(300.0),
            channels: count as usize,
            rows,
            columns,
            strongest,
            order,
            names,
        })
    }
}

impl Semantic {
    /// Names a channel of this layer and network. The name is saved in `runs/channel-names.json`; an
    /// empty one removes it.
    ///
    /// # Errors
    /// When the name is longer than 24 letters, or the file cannot be written.
    pub fn name(self, channel: usize, name: &str) -> Result<Semantic> {
        self.name_in(&file(), channel, name)
    }

    pub(super) fn name_in(mut self, file: &Path, channel: usize, name: &str) -> Result<Semantic> {
        let name = name.trim();
        if channel >= self.channels {
            return Err(Error::new(format!(
                "there is no channel {channel} in `{}`: expected 0 to {}",
                self.layer,
                self.channels - 1
            )));
        }
        if name.chars().count() > 24 {
            return Err(Error::new(format!(
                "expected a name of at most 24 letters, to fit beside its colour; `{name}` has {}",
                name.chars().count()
            )));
        }
        // Locked, because two notebooks may add names at the same time.
        let _lock = files::lock(file).map_err(|e| files::not_written(file, &e))?;
        let mut all = read(file)?;
        let of_layer = all.entry(self.network.clone()).or_default().entry(self.layer.clone()).or_default();
        if name.is_empty() {
            of_layer.remove(&channel);
        } else {
            of_layer.insert(channel, name.to_owned());
        }
        self.names.clone_from(of_layer);
        let text = serde_json::to_string_pretty(&all)
            .map_err(|e| Error::new(format!("the channel names could not be written: {e}")))?;
        files::write(file, text.as_bytes()).map_err(|e| files::not_written(file, &e))?;
        Ok(self)
    }

    /// The strongest channel at each position; -1 where none is active.
    ///
    /// # Shapes
    /// `[H, W]` of the layer
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn tensor(&self) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(&self.strongest)?.f_view([self.rows as i64, self.columns as i64])?)
    }

    /// The channels that are strongest somewhere, most frequent first.
    pub fn present(&self) -> Vec<usize> {
        self.order.iter().map(|(channel, _)| *channel).collect()
    }

    /// The channels that have their own colour, and the colours.
    fn shown(&self) -> impl Iterator<Item = (usize, [u8; 3])> {
        self.order.iter().map(|(channel, _)| *channel).zip(REGIONS)
    }

    fn colour(&self, channel: i64) -> [u8; 3] {
        let own = self.shown().find(|(shown, _)| *shown as i64 == channel);
        own.map_or(if channel == NONE { NOTHING } else { REST }, |(_, colour)| colour)
    }

    /// The number of a channel, and its name if it has one.
    fn label(&self, channel: usize) -> String {
        match self.names.get(&channel) {
            Some(name) => format!("{channel}: {name}"),
            None => channel.to_string(),
        }
    }

    fn legend(&self) -> Vec<([u8; 3], String)> {
        let all = self.strongest.len() as f64;
        let share = |count: usize| format!("{:.0} %", 100.0 * count as f64 / all);
        let count =
            |channel: usize| self.order.iter().find(|(c, _)| *c == channel).map_or(0, |(_, count)| *count);
        let mut legend: Vec<_> = self
            .shown()
            .map(|(channel, colour)| (colour, format!("{} ({})", self.label(channel), share(count(channel)))))
            .collect();
        let rest = self.order.iter().skip(REGIONS.len());
        let (channels, rest) = (rest.clone().count(), rest.map(|(_, count)| count).sum());
        if channels > 0 {
            legend.push((REST, format!("{channels} others ({})", share(rest))));
        }
        let inactive = self.strongest.iter().filter(|channel| **channel == NONE).count();
        if inactive > 0 {
            legend.push((NOTHING, format!("no active channel ({})", share(inactive))));
        }
        legend
    }

    /// Draws the image, the coloured map over it, and a legend.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let (height, width) = (self.image.height as usize, self.image.width as usize);
        let (rows, columns) = (self.rows, self.columns);
        // Each position covers its part of the image.
        let at = |y: usize, x: usize| self.strongest[(y * rows / height) * columns + x * columns / width];
        let rgb = (0..height)
            .flat_map(|y| (0..width).map(move |x| (y, x)))
            .flat_map(|(y, x)| self.colour(at(y, x)));
        let mut regions = Pixels { width: width as u32, height: height as u32, rgb: rgb.collect() };
        blend(&mut regions, &self.image, 0.75);
        let legend = self.legend();
        let words: Vec<&str> = legend.iter().map(|(_, text)| text.as_str()).collect();
        let text = format!("{}. {}: {}", self.title, self.layer, words.join(", "));
        let row = vec![
            Panel::new("image", Content::Picture(self.image.clone()), self.width).bare(),
            Panel::new("strongest channel", Content::Picture(regions), self.width).bare(),
            Panel::new("", Content::Legend(legend.clone()), 240.0),
        ];
        let lines = vec![self.answer_line.clone()];
        Layout { title: self.title.clone(), rows: vec![row], lines }.figure(text, words.join("\n"))
    }

    /// Draws the patches that activate each channel of the map most, to help with naming it.
    ///
    /// # Errors
    /// When the patches belong to another layer.
    pub fn introduce(&self, patches: &Patches) -> Result<Figure> {
        if patches.layer() != self.layer {
            return Err(Error::new(format!(
                "expected the patches of {}, got those of {}: `patches(&net, &examples, \"{}\")?`",
                self.layer,
                patches.layer(),
                self.layer
            )));
        }
        let mut rows = Vec::new();
        for (channel, colour) in self.shown() {
            let mut row = vec![Panel::new("", Content::Legend(vec![(colour, self.label(channel))]), 170.0)];
            row.extend(patches.panels(channel, 72.0)?.into_iter().take(EXAMPLES));
            rows.push(row);
        }
        let title = format!("{}: the patches that activate each channel most", self.layer);
        let names: Vec<String> = self.shown().map(|(channel, _)| self.label(channel)).collect();
        let text = format!("{title}: channels {}", names.join(", "));
        Layout { title, rows, lines: vec![patches.line()] }.figure(text.clone(), text)
    }
}

/// The file with the channel names, in the folder of the trainings.
fn file() -> PathBuf {
    runs().join("channel-names.json")
}

fn read(file: &Path) -> Result<Names> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Names::new()),
        Err(error) => {
            return Err(Error::new(format!(
                "the channel names in {} could not be read: {error}",
                file.display()
            )));
        }
    };
    serde_json::from_str(&text).map_err(|error| {
        Error::new(format!(
            "{} is not a valid file of channel names ({error}): repair it, or move it away and name the \
             channels again",
            file.display()
        ))
    })
}

fn of_layer(names: &Names, network: &String, layer: &str) -> BTreeMap<usize, String> {
    names.get(network).and_then(|layers| layers.get(layer)).cloned().unwrap_or_default()
}

impl fmt::Display for Semantic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let legend: Vec<String> = self.legend().into_iter().map(|(_, text)| text).collect();
        write!(f, "{}: {}", self.title, legend.join(", "))
    }
}

debug_as_display!(Semantic);
shows_its_figure!(Semantic);
