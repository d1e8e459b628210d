//! The lecture's network on one image: the outputs of all layers.

use super::{conv::Filters, maps::Maps, weights::Weights};
use nchw_core::{
    Error, Result,
    lecture::{EPSILON, LectureNetConfig, MEAN, SIDE, STD},
    shapes::{Op, Shape},
};
use std::collections::BTreeSet;

/// The most pixels of an image: the maps of all layers take 1.7 kB of memory per pixel.
const MOST_PIXELS: usize = 256 * 256;

/// The lecture's network with its weights.
pub struct Net {
    /// Its configuration.
    pub config: LectureNetConfig,
    /// Its layers, in order.
    pub layers: Vec<NetLayer>,
}

/// A layer of a network.
pub struct NetLayer {
    /// Its name, such as `block1.conv1`.
    pub name: String,
    /// What it computes.
    pub step: Step,
}

/// What a layer computes, with its parameters.
pub enum Step {
    /// A convolution.
    Conv(Filters),
    /// Batch normalisation with the statistics of the training.
    Norm(Norm),
    /// Replaces negative values by 0.
    Relu,
    /// The maximum of 2 × 2 values.
    Pool,
    /// Writes the maps one after the other.
    Flatten,
    /// One weighted sum of all values for each class.
    Linear(Linear),
}

/// The numbers of a batch normalisation, one for each channel.
pub struct Norm {
    /// The learned factors.
    pub weight: Vec<f32>,
    /// The learned offsets.
    pub bias: Vec<f32>,
    /// The means over the training images.
    pub mean: Vec<f32>,
    /// The variances over the training images.
    pub variance: Vec<f32>,
}

impl Norm {
    /// The factor and the offset of a channel: an output is `factor * input + offset`.
    pub(crate) fn line(&self, channel: usize) -> (f32, f32) {
        let number = |numbers: &[f32]| f64::from(numbers[channel]);
        let factor = number(&self.weight) / (number(&self.variance) + EPSILON).sqrt();
        (factor as f32, (number(&self.bias) - number(&self.mean) * factor) as f32)
    }
}

/// The weights of the head.
pub struct Linear {
    /// Row by row.
    ///
    /// # Shapes
    /// `[classes, features]`
    pub weight: Vec<f32>,
    /// One for each class.
    pub bias: Vec<f32>,
}

impl Net {
    /// A network from its weight file.
    ///
    /// # Errors
    /// If [`Weights::parse`] refuses the file.
    pub fn parse(bytes: &[u8]) -> Result<Net> {
        let mut weights = Weights::parse(bytes)?;
        let config = weights.config;
        let mut channels = 3;
        let mut layers = Vec::new();
        for (name, layer) in config.layers() {
            let mut part = |part: &str| weights.take(&format!("{name}.{part}"));
            let step = match layer.op() {
                Op::Conv => {
                    let outputs = layer.out() as usize;
                    let filters = Filters::new(outputs, channels, &part("weight")?);
                    channels = outputs;
                    Step::Conv(filters)
                }
                Op::BatchNorm => Step::Norm(Norm {
                    weight: part("weight")?,
                    bias: part("bias")?,
                    mean: part("running_mean")?,
                    variance: part("running_var")?,
                }),
                Op::Relu => Step::Relu,
                Op::MaxPool => Step::Pool,
                Op::Linear => Step::Linear(Linear { weight: part("weight")?, bias: part("bias")? }),
                _ => Step::Flatten,
            };
            layers.push(NetLayer { name, step });
        }
        Ok(Net { config, layers })
    }
}

/// An image in a network: the outputs of all layers, computed again for each change.
pub struct Pass {
    /// The normalised image.
    pub input: Maps,
    /// The output of each layer. Without flatten and head if the image is not 32 × 32, because the head has
    /// weights for this size only.
    pub outputs: Vec<Maps>,
    /// The probabilities of the classes: softmax of the scores. Empty if there are no scores.
    pub probabilities: Vec<f32>,
    /// Layers and their channels that are 0 at every position.
    off: BTreeSet<(usize, usize)>,
    /// Memory for the input of a convolution with its border.
    padded: Vec<f32>,
}

impl Pass {
    /// Memory for the outputs of all layers for images of this size.
    ///
    /// # Errors
    /// If the network cannot process images of this size.
    pub fn new(net: &Net, rows: usize, columns: usize) -> Result<Pass> {
        if rows.saturating_mul(columns) > MOST_PIXELS {
            return Err(Error::new(format!(
                "expected an image of at most {MOST_PIXELS} pixels (256 x 256), got {rows} rows and {columns} \
                 columns: make it smaller; the network was trained on {SIDE} x {SIDE}"
            )));
        }
        let least = if net.config.pooling { 8 } else { 1 };
        if rows < least || columns < least {
            let why = if net.config.pooling { ": the network halves it three times" } else { "" };
            return Err(Error::new(format!(
                "expected an image of at least {least} x {least}, got {rows} rows and {columns} columns{why}"
            )));
        }
        let table = net.config.chain().on([1, 3, rows as u64, columns as u64]);
        let is_classified = [rows, columns] == [SIDE as usize; 2];
        let maps = table.rows.iter().map(|row| match row.output {
            Shape::Maps(maps) => Some(Maps::zeros(maps.c as usize, maps.h as usize, maps.w as usize)),
            Shape::Flat(flat) if is_classified => Some(Maps::zeros(flat.features as usize, 1, 1)),
            Shape::Flat(_) => None,
        });
        Ok(Pass {
            input: Maps::zeros(3, rows, columns),
            outputs: maps.map_while(|maps| maps).collect(),
            probabilities: vec![0.0; if is_classified { net.config.classes as usize } else { 0 }],
            off: BTreeSet::new(),
            padded: Vec::new(),
        })
    }

    /// Computes all layers for another image of the same size.
    ///
    /// # Shapes
    /// `pixels` `[3, H, W]`, numbers from 0 to 1
    ///
    /// # Errors
    /// If the image has another size, or its numbers are not finite.
    pub fn show(&mut self, net: &Net, pixels: &[f32]) -> Result<()> {
        let expected = self.input.numbers.len();
        if pixels.len() != expected {
            return Err(Error::new(format!(
                "expected the {expected} numbers of C=3 H={} W={}, got {}",
                self.input.rows,
                self.input.columns,
                pixels.len()
            )));
        }
        let bad = pixels.iter().filter(|pixel| !pixel.is_finite()).count();
        if bad > 0 {
            return Err(Error::new(format!(
                "the image holds NaN or infinite numbers: {bad} of its {expected} numbers are not finite. \
                 Expected numbers from 0 to 1"
            )));
        }
        for (channel, plane) in pixels.chunks_exact(expected / 3).enumerate() {
            let values = self.input.numbers.iter_mut().skip(channel).step_by(3);
            for (value, pixel) in values.zip(plane) {
                *value = (pixel - MEAN[channel]) / STD[channel];
            }
        }
        self.compute(net, 0)
    }

    /// Switches these channels of a layer off, and all its others on: they are 0 at every position. The
    /// layers from this one on are computed again.
    ///
    /// # Errors
    /// If there is no such layer or channel, or the layer has no maps.
    pub fn switch_off(&mut self, net: &Net, layer: usize, channels: &[usize]) -> Result<()> {
        self.keep_off(net, layer, channels)?;
        self.compute(net, layer)
    }

    /// Like [`Pass::switch_off`], before an image is shown.
    pub(crate) fn keep_off(&mut self, net: &Net, layer: usize, channels: &[usize]) -> Result<()> {
        let maps = self.maps(net, layer)?;
        if let Some(channel) = channels.iter().find(|channel| **channel >= maps.channels) {
            return Err(Error::new(format!(
                "there is no channel {channel} in `{}`: expected 0 to {}",
                net.layers[layer].name,
                maps.channels - 1
            )));
        }
        self.off.retain(|(other, _)| *other != layer);
        self.off.extend(channels.iter().map(|channel| (layer, *channel)));
        Ok(())
    }

    /// Switches all channels on again.
    ///
    /// # Errors
    /// If the scores are not finite.
    pub fn switch_on(&mut self, net: &Net) -> Result<()> {
        let first = self.off.first().map(|(layer, _)| *layer);
        self.off.clear();
        first.map_or(Ok(()), |first| self.compute(net, first))
    }

    /// Whether a channel is switched off.
    pub fn is_off(&self, layer: usize, channel: usize) -> bool {
        self.off.contains(&(layer, channel))
    }

    /// The scores of the classes, before softmax.
    ///
    /// # Errors
    /// If the image is not 32 × 32: there are no scores then.
    pub fn scores(&self) -> Result<&[f32]> {
        match self.outputs.last() {
            Some(scores) if !self.probabilities.is_empty() => Ok(&scores.numbers),
            _ => Err(Error::new(format!(
                "there is no answer for an image of {} x {}: expected {SIDE} x {SIDE}, because the last layer \
                 has weights for this size only",
                self.input.rows, self.input.columns
            ))),
        }
    }

    /// The output of a layer.
    ///
    /// # Errors
    /// If there is no such layer, or it is one of the head and the image is not 32 × 32.
    pub fn output(&self, net: &Net, layer: usize) -> Result<&Maps> {
        if layer >= net.layers.len() {
            return Err(Error::new(format!(
                "there is no layer {layer}: expected 0 to {}",
                net.layers.len() - 1
            )));
        }
        match self.outputs.get(layer) {
            Some(output) => Ok(output),
            None => Err(self.scores().err().unwrap_or_else(|| Error::new("there is no such layer"))),
        }
    }

    /// The output of a layer with feature maps.
    ///
    /// # Errors
    /// If there is no such layer, or it has no feature maps.
    pub fn maps(&self, net: &Net, layer: usize) -> Result<&Maps> {
        match net.layers.get(layer) {
            Some(NetLayer { name, step: Step::Flatten | Step::Linear(_) }) => Err(Error::new(format!(
                "`{name}` has no rows and columns; the last feature maps are those of block3"
            ))),
            _ => self.output(net, layer),
        }
    }

    /// The input of a layer.
    pub(crate) fn before(&self, layer: usize) -> &Maps {
        layer.checked_sub(1).map_or(&self.input, |before| &self.outputs[before])
    }

    /// Computes the layers from this one on.
    fn compute(&mut self, net: &Net, from: usize) -> Result<()> {
        for index in from..self.outputs.len() {
            let (before, after) = self.outputs.split_at_mut(index);
            let (input, output) = (before.last().unwrap_or(&self.input), &mut after[0]);
            match &net.layers[index].step {
                Step::Conv(filters) => filters.apply(input, &mut self.padded, output),
                step => step.apply(input, output),
            }
            let off = self.off.range((index, 0)..(index + 1, 0));
            for (_, channel) in off {
                let channels = output.channels;
                output.numbers.iter_mut().skip(*channel).step_by(channels).for_each(|value| *value = 0.0);
            }
        }
        if let Some(last) = self.outputs.last()
            && last.numbers.iter().any(|value| !value.is_finite())
        {
            return Err(Error::new(
                "the output of the network holds NaN or infinite numbers. Its weights are finite, but so \
                 large that sums overflow: train again with a smaller `max_lr`",
            ));
        }
        if !self.probabilities.is_empty() {
            let scores = self.outputs.last().map_or(&[][..], |scores| &scores.numbers);
            self.probabilities = softmax(scores);
        }
        Ok(())
    }
}

impl Step {
    /// Every step but a convolution, which needs memory.
    fn apply(&self, input: &Maps, output: &mut Maps) {
        match self {
            Step::Conv(filters) => filters.apply(input, &mut Vec::new(), output),
            Step::Norm(norm) => {
                let lines: Vec<(f32, f32)> = (0..input.channels).map(|channel| norm.line(channel)).collect();
                let (factors, offsets): (Vec<f32>, Vec<f32>) = lines.into_iter().unzip();
                let positions = input.numbers.chunks_exact(input.channels);
                for (to, from) in output.numbers.chunks_exact_mut(input.channels).zip(positions) {
                    for (((to, from), factor), offset) in to.iter_mut().zip(from).zip(&factors).zip(&offsets)
                    {
                        *to = factor * from + offset;
                    }
                }
            }
            Step::Relu => {
                for (to, from) in output.numbers.iter_mut().zip(&input.numbers) {
                    // Written so that NaN stays NaN, as in libtorch.
                    *to = if *from < 0.0 { 0.0 } else { *from };
                }
            }
            Step::Pool => {
                for row in 0..output.rows {
                    for column in 0..output.columns {
                        let corner = |down, right| input.position(2 * row + down, 2 * column + right);
                        let to = output.position_mut(row, column);
                        to.copy_from_slice(corner(0, 0));
                        for from in [corner(0, 1), corner(1, 0), corner(1, 1)] {
                            for (to, from) in to.iter_mut().zip(from) {
                                *to = if *from > *to || from.is_nan() { *from } else { *to };
                            }
                        }
                    }
                }
            }
            Step::Flatten => {
                let size = input.rows * input.columns;
                for (index, to) in output.numbers.iter_mut().enumerate() {
                    *to = input.numbers[index % size * input.channels + index / size];
                }
            }
            Step::Linear(linear) => {
                let rows = linear.weight.chunks_exact(input.channels).zip(&linear.bias);
                for (to, (weights, bias)) in output.numbers.iter_mut().zip(rows) {
                    let products = weights.iter().zip(&input.numbers);
                    let sum: f64 = products.map(|(w, value)| f64::from(*w) * f64::from(*value)).sum();
                    *to = (sum + f64::from(*bias)) as f32;
                }
            }
        }
    }
}

/// Probabilities from scores. The largest score is subtracted first, so that no power overflows.
fn softmax(scores: &[f32]) -> Vec<f32> {
    let largest = scores.iter().fold(f32::NEG_INFINITY, |largest, score| largest.max(*score));
    let powers: Vec<f64> = scores.iter().map(|score| f64::from(score - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}
