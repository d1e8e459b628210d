//! The strongest channel at each position, and the names that learners give to channels.

use super::{channels::names::names_of, view::View};
use crate::{
    Error, Result, error::debug_as_display, files, image::Image, numbers::values_of, ranking::descending,
    train::runs,
};
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};
use tch::Tensor;

/// Marks positions where no channel is active.
const NONE: i64 = -1;

/// How many of the most frequent channels are listed one by one.
pub(super) const FREQUENT: usize = 8;

/// What is strongest at a position of the map.
#[derive(Clone, Copy)]
pub(super) enum Region {
    /// One of the most frequent channels: its index in [`Semantic::order`].
    Frequent(usize),
    /// Any other channel.
    Others,
    /// No active channel.
    Nothing,
}

/// Names of channels by network, layer and channel, as they are stored in the file.
type Names = BTreeMap<String, BTreeMap<String, BTreeMap<usize, String>>>;

/// The strongest channel at each position of a layer. See [`View::semantic`].
pub struct Semantic {
    pub(super) layer: String,
    /// Identifies the network, because the names belong to its channels.
    network: String,
    pub(super) answer_line: String,
    pub(super) image: Image,
    pub(super) title: String,
    channels: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
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
        let largest = values_of(&largest)?;
        let strongest: Vec<i64> = channels
            .iter()
            .zip(largest)
            .map(|(channel, activation)| if activation > 0.0 { *channel } else { NONE })
            .collect();
        let mut counts = vec![0_u32; count as usize];
        for channel in strongest.iter().filter(|channel| **channel != NONE) {
            counts[*channel as usize] += 1;
        }
        let order = descending(&counts).into_iter().map(|channel| (channel, counts[channel] as usize));
        let order = order.take_while(|(_, count)| *count > 0).collect();
        let network: String = self.net.fingerprint()?.chars().take(16).collect();
        let names = known(&read(names)?, &network, name)?;
        Ok(Semantic {
            layer: name.to_owned(),
            network,
            answer_line: self.answer_line(),
            image: self.picture().clone(),
            title: format!(
                "{name}: strongest of {count} channels at each of {rows} \u{d7} {columns} positions"
            ),
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
        self.names = known(&all, &self.network, &self.layer)?;
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

    /// The number of a channel, and its name if it has one.
    pub(super) fn label(&self, channel: usize) -> String {
        match self.names.get(&channel) {
            Some(name) => format!("{channel}: {name}"),
            None => channel.to_string(),
        }
    }

    /// What the map shows, and how the legend describes it.
    pub(super) fn legend(&self) -> Vec<(Region, String)> {
        let all = self.strongest.len() as f64;
        let share = |count: usize| format!("{:.0} %", 100.0 * count as f64 / all);
        let frequent = self.order.iter().take(FREQUENT).enumerate();
        let mut legend: Vec<_> = frequent
            .map(|(index, (channel, count))| {
                (Region::Frequent(index), format!("{} ({})", self.label(*channel), share(*count)))
            })
            .collect();
        let others = self.order.iter().skip(FREQUENT);
        let (channels, positions) = (others.clone().count(), others.map(|(_, count)| count).sum());
        if channels > 0 {
            legend.push((Region::Others, format!("{channels} others ({})", share(positions))));
        }
        let inactive = self.strongest.iter().filter(|channel| **channel == NONE).count();
        if inactive > 0 {
            legend.push((Region::Nothing, format!("no active channel ({})", share(inactive))));
        }
        legend
    }

    /// What each position shows, row by row.
    pub(super) fn regions(&self) -> Vec<Region> {
        let frequent = self.order.iter().take(FREQUENT);
        let region = |channel: &i64| match frequent.clone().position(|(shown, _)| *shown as i64 == *channel) {
            Some(index) => Region::Frequent(index),
            None if *channel == NONE => Region::Nothing,
            None => Region::Others,
        };
        self.strongest.iter().map(region).collect()
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

/// The names of a layer's channels: the course's, and over them those that the learner gave.
fn known(names: &Names, network: &str, layer: &str) -> Result<BTreeMap<usize, String>> {
    let mut all: BTreeMap<usize, String> =
        names_of(network, layer)?.iter().map(|named| (named.number, named.name.clone())).collect();
    let given = names.get(network).and_then(|layers| layers.get(layer)).cloned();
    all.extend(given.unwrap_or_default());
    Ok(all)
}

impl fmt::Display for Semantic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let legend: Vec<String> = self.legend().into_iter().map(|(_, text)| text).collect();
        write!(f, "{}: {}", self.title, legend.join(", "))
    }
}

debug_as_display!(Semantic);
