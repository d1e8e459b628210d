//! The calls of the network explorer.

use super::{
    explain::{Explanation, HeadSums},
    forward::{Net, Pass, Step},
};
use crate::Module;
use nchw_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A network and the image in it.
#[derive(Default)]
pub struct Explorer {
    net: Option<Net>,
    pass: Option<Pass>,
    /// The channels that are switched off in each layer. They stay off for the next image.
    off: Vec<(usize, Vec<usize>)>,
}

impl Explorer {
    fn net(&self) -> Result<&Net> {
        self.net.as_ref().ok_or_else(|| Error::new("there is no network yet: `net_load` comes first"))
    }

    pub(crate) fn both(&mut self) -> Result<(&Net, &mut Pass)> {
        self.net()?;
        let pass = self.pass.as_mut();
        let pass = pass.ok_or_else(|| Error::new("there is no image yet: `net_show` comes first"))?;
        // The first line has found the network.
        Ok((self.net.as_ref().ok_or_else(|| Error::new("there is no network"))?, pass))
    }
}

/// `{"call": "net_load", "weights": address, "length": bytes}`: reads a weight file.
#[derive(Deserialize)]
pub(crate) struct Load {
    weights: usize,
    length: usize,
}

/// What a network consists of.
#[derive(Serialize)]
pub(crate) struct Loaded {
    maps: [i64; 3],
    pooling: bool,
    parameters: u64,
    layers: Vec<LayerAnswer>,
}

/// A layer, for an image of 32 × 32.
#[derive(Serialize)]
struct LayerAnswer {
    name: String,
    /// `conv`, `norm`, `relu`, `pool`, `flatten` or `head`.
    kind: &'static str,
    /// Channels, rows and columns; for flatten and head the features, 1 and 1.
    channels: u64,
    rows: u64,
    columns: u64,
    parameters: u64,
    multiply_adds: u64,
    /// The rows and columns of the receptive field.
    sees: Option<[u64; 2]>,
}

pub(crate) fn load(module: &mut Module, ask: Load) -> Result<Loaded> {
    let net = Net::parse(module.memory.bytes(ask.weights, ask.length)?)?;
    let table = net.config.chain().on([1, 3, 32, 32]).ok()?;
    let layers = net.layers.iter().zip(&table.rows).map(|(layer, row)| {
        let sizes = row.output.sizes();
        let size = |axis: usize| sizes.get(axis).copied().unwrap_or(1);
        LayerAnswer {
            name: layer.name.clone(),
            kind: layer.step.kind(),
            channels: size(1),
            rows: size(2),
            columns: size(3),
            parameters: row.parameters,
            multiply_adds: row.multiply_adds,
            sees: row.field.map(|field| [field.h.size, field.w.size]),
        }
    });
    let loaded = Loaded {
        maps: net.config.maps,
        pooling: net.config.pooling,
        parameters: table.totals.parameters,
        layers: layers.collect(),
    };
    // Another network has other channels, and the outputs of another image are of no use.
    module.net = Explorer { net: Some(net), pass: None, off: Vec::new() };
    Ok(loaded)
}

impl Step {
    fn kind(&self) -> &'static str {
        match self {
            Step::Conv(_) => "conv",
            Step::Norm(_) => "norm",
            Step::Relu => "relu",
            Step::Pool => "pool",
            Step::Flatten => "flatten",
            Step::Linear(_) => "head",
        }
    }
}

/// `{"call": "net_show", "image": address, "rows": 32, "columns": 32}`: computes all layers. The image is
/// `[3, H, W]`, numbers from 0 to 1.
#[derive(Deserialize)]
pub(crate) struct Show {
    image: usize,
    rows: usize,
    columns: usize,
}

/// The answer of the network. Both lists are empty if the image is not 32 × 32.
#[derive(Serialize)]
pub(crate) struct Answer {
    scores: Vec<f32>,
    probabilities: Vec<f32>,
}

impl Answer {
    fn of(pass: &Pass) -> Answer {
        let scores = pass.scores().map(<[f32]>::to_vec).unwrap_or_default();
        Answer { scores, probabilities: pass.probabilities.clone() }
    }
}

pub(crate) fn show(module: &mut Module, ask: Show) -> Result<Answer> {
    let Explorer { net, pass, off } = &mut module.net;
    let Some(net) = net else { return Err(Error::new("there is no network yet: `net_load` comes first")) };
    let pixels = module.memory.floats(ask.image)?;
    let is_same = pass.as_ref().is_some_and(|p| [p.input.rows, p.input.columns] == [ask.rows, ask.columns]);
    if !is_same {
        let mut new = Pass::new(net, ask.rows, ask.columns)?;
        for (layer, channels) in off.iter() {
            new.keep_off(net, *layer, channels)?;
        }
        *pass = Some(new);
    }
    let Some(pass) = pass else { return Err(Error::new("there is no image")) };
    let count = 3 * ask.rows * ask.columns;
    // A buffer may be longer than what was asked for.
    pass.show(net, pixels.get(..count).unwrap_or(pixels))?;
    Ok(Answer::of(pass))
}

/// `{"call": "net_maps", "layer": 5, "to": address}`: writes the output of a layer, `[C, H, W]`.
/// Layer -1 is the normalised image.
#[derive(Deserialize)]
pub(crate) struct MapsOf {
    layer: i64,
    to: usize,
}

/// The shape of an output, and its extremes for the colours.
#[derive(Serialize)]
pub(crate) struct Shape {
    channels: usize,
    rows: usize,
    columns: usize,
    smallest: f32,
    largest: f32,
}

pub(crate) fn maps(module: &mut Module, ask: MapsOf) -> Result<Shape> {
    let (net, pass) = module.net.both()?;
    let maps = match usize::try_from(ask.layer) {
        Ok(layer) => pass.output(net, layer)?,
        Err(_) => &pass.input,
    };
    maps.write_planes(module.memory.floats_mut(ask.to)?)?;
    let [smallest, largest] = maps.extremes();
    Ok(Shape { channels: maps.channels, rows: maps.rows, columns: maps.columns, smallest, largest })
}

/// `{"call": "net_explain", "layer": 5, "channel": 0, "row": 3, "column": 4, "most": 8}`: where a value
/// comes from.
#[derive(Deserialize)]
pub(crate) struct Explain {
    layer: usize,
    channel: usize,
    row: usize,
    column: usize,
    most: usize,
}

pub(crate) fn explain(module: &mut Module, ask: Explain) -> Result<Explanation> {
    let (net, pass) = module.net.both()?;
    pass.explain(net, ask.layer, [ask.channel, ask.row, ask.column], ask.most)
}

/// `{"call": "net_head", "class": 3, "to": address}`: what the last maps contribute to the score of a
/// class. Writes every product, `[C, H, W]`.
#[derive(Deserialize)]
pub(crate) struct Head {
    class: usize,
    to: usize,
}

pub(crate) fn head(module: &mut Module, ask: Head) -> Result<HeadSums> {
    let (net, pass) = module.net.both()?;
    let sums = pass.head_sums(net, ask.class)?;
    let to = module.memory.floats_mut(ask.to)?;
    super::maps::fits(to.len(), sums.products.len())?;
    to[..sums.products.len()].copy_from_slice(&sums.products);
    Ok(sums)
}

/// `{"call": "net_switch", "layer": 5, "off": [3, 8]}`: switches these channels of a layer off and all its
/// others on. Without a layer, it switches all channels on.
#[derive(Deserialize)]
pub(crate) struct Switch {
    layer: Option<usize>,
    #[serde(default)]
    off: Vec<usize>,
}

pub(crate) fn switch(module: &mut Module, ask: Switch) -> Result<Answer> {
    let (net, pass) = module.net.both()?;
    match ask.layer {
        Some(layer) => pass.switch_off(net, layer, &ask.off)?,
        None => pass.switch_on(net)?,
    }
    let answer = Answer::of(pass);
    let off = &mut module.net.off;
    off.retain(|(other, _)| ask.layer.is_some_and(|layer| layer != *other));
    off.extend(ask.layer.map(|layer| (layer, ask.off)));
    Ok(answer)
}
