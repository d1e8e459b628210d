//! Where a value of the network comes from: its window in the layer before, the products whose sum it is,
//! and the pixels that it depends on.

use super::{
    conv::KERNEL,
    forward::{Net, Norm, Pass, Step},
    maps::Maps,
};
use nchw_core::{
    Error, Result,
    shapes::{Chain, Shape},
};
use serde::Serialize;

/// Where a value comes from. `bias` plus the products of all its terms is `sum`, and `sum` is the value
/// unless its channel is switched off. (The sums are exact to about six digits.)
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The value.
    pub value: f32,
    /// Whether its channel is switched off: the value is 0 then, whatever its sum.
    pub is_off: bool,
    /// The bias and the products.
    pub sum: f32,
    /// What is added to the products: a bias, or the offset of a batch normalisation.
    pub bias: f32,
    /// The layer whose output the terms belong to; `None` for the normalised image.
    pub from: Option<usize>,
    /// The window in that output.
    pub window: Window,
    /// How many terms there are; those in the padding are not counted.
    pub count: usize,
    /// The terms with the largest products, regardless of sign.
    pub terms: Vec<Term>,
    /// The sum of the products of all other terms.
    pub rest: f32,
    /// The input channels with the largest sums of products, regardless of sign.
    pub channels: Vec<ChannelSum>,
    /// The sum of the products of all other channels.
    pub others: f32,
    /// The numbers of a batch normalisation.
    pub norm: Option<NormNumbers>,
    /// The parts of all earlier outputs that the value depends on, from the layer before to the image.
    pub path: Vec<Sight>,
}

/// The first and last row and column of a window. Those outside of the maps are padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The first and the last row.
    pub rows: [i64; 2],
    /// The first and the last column.
    pub columns: [i64; 2],
}

/// A product of a sum, and where its input is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Term {
    /// The channel of the input.
    pub channel: usize,
    /// The row of the input.
    pub row: usize,
    /// The column of the input.
    pub column: usize,
    /// The weight.
    pub weight: f32,
    /// The input.
    pub input: f32,
    /// The weight times the input.
    pub product: f32,
}

/// What one input channel contributes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelSum {
    /// The input channel.
    pub channel: usize,
    /// The sum of its products.
    pub sum: f32,
    /// The weights of the window, row by row; only for a convolution.
    pub weights: Vec<f32>,
    /// The inputs in the window, row by row, 0 in the padding; only for a convolution.
    pub inputs: Vec<f32>,
}

/// The numbers of a batch normalisation for one channel: the value is
/// `(input - mean) / sqrt(variance + 0.00001) * weight + bias`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NormNumbers {
    /// The mean over the training images.
    pub mean: f32,
    /// The variance over the training images.
    pub variance: f32,
    /// The learned factor.
    pub weight: f32,
    /// The learned offset.
    pub bias: f32,
}

/// The part of an earlier output that a value depends on, without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sight {
    /// The layer; `None` for the image.
    pub layer: Option<usize>,
    /// The first and the last row and column.
    #[serde(flatten)]
    pub window: Window,
}

/// What each position of the last maps contributes to the score of a class.
#[derive(Debug, Serialize)]
pub struct HeadSums {
    /// The bias of the class.
    pub bias: f32,
    /// The score of the class: the bias and all products.
    pub score: f32,
    /// The layer of the last maps.
    pub from: usize,
    /// The sum over the positions, for each channel.
    pub channels: Vec<f32>,
    /// The sum over the channels, for each position, row by row.
    pub positions: Vec<f32>,
    /// Every product.
    ///
    /// # Shapes
    /// `[C, H, W]`
    #[serde(skip)]
    pub products: Vec<f32>,
}

impl Pass {
    /// Explains the value at a position of a layer. Lists at most `most` terms and input channels. For
    /// `flatten` and `head`, the channel is the feature or the class, row and column are 0, and the terms
    /// are values of the last maps.
    ///
    /// # Errors
    /// If there is no such layer or position.
    pub fn explain(
        &self,
        net: &Net,
        layer: usize,
        [channel, row, column]: [usize; 3],
        most: usize,
    ) -> Result<Explanation> {
        let output = self.output(net, layer)?;
        for (axis, given, size) in
            [("C", channel, output.channels), ("H", row, output.rows), ("W", column, output.columns)]
        {
            if given >= size {
                return Err(Error::new(format!(
                    "`{}` has no position {given} on axis {axis}: expected 0 to {}",
                    net.layers[layer].name,
                    size - 1
                )));
            }
        }
        let mut from = layer.checked_sub(1);
        let mut input = self.before(layer);
        let (mut bias, mut norm, mut kernel) = (0.0, None, None);
        let (mut window, mut terms) = (window(row, column, 1), Vec::new());
        match &net.layers[layer].step {
            Step::Conv(filters) => {
                window = Window { rows: around(row), columns: around(column) };
                for (line, position, [r, c]) in kernel_positions(input, row, column) {
                    for (index, value) in input.position(r, c).iter().enumerate() {
                        terms.push(Term::new(
                            [index, r, c],
                            filters.weight(channel, index, line, position),
                            *value,
                        ));
                    }
                }
                kernel = Some(filters);
            }
            Step::Norm(numbers) => {
                let (factor, offset) = numbers.line(channel);
                terms.push(Term::new([channel, row, column], factor, input.at(channel, row, column)));
                (bias, norm) = (offset, Some(norm_numbers(numbers, channel)));
            }
            Step::Relu => {
                let value = input.at(channel, row, column);
                terms.push(Term::new([channel, row, column], if value < 0.0 { 0.0 } else { 1.0 }, value));
            }
            Step::Pool => {
                window = self::window(2 * row, 2 * column, 2);
                let corners = [0, 1, 2, 3].map(|corner| [2 * row + corner / 2, 2 * column + corner % 2]);
                let values = corners.map(|[r, c]| input.at(channel, r, c));
                // Of equal values, the first, as in libtorch.
                let largest =
                    (1..4).fold(0, |best, next| if values[next] > values[best] { next } else { best });
                for (corner, ([r, c], value)) in corners.into_iter().zip(values).enumerate() {
                    terms.push(Term::new([channel, r, c], if corner == largest { 1.0 } else { 0.0 }, value));
                }
            }
            Step::Flatten => {
                let [c, h, w] = unflattened(input, channel);
                window = self::window(h, w, 1);
                terms.push(Term::new([c, h, w], 1.0, input.at(c, h, w)));
            }
            Step::Linear(linear) => {
                let before = layer.saturating_sub(1);
                (from, input) = (before.checked_sub(1), self.before(before));
                bias = linear.bias[channel];
                window = Window { rows: [0, input.rows as i64 - 1], columns: [0, input.columns as i64 - 1] };
                let features = input.channels * input.rows * input.columns;
                for (index, weight) in linear.weight[channel * features..][..features].iter().enumerate() {
                    let [c, h, w] = unflattened(input, index);
                    terms.push(Term::new([c, h, w], *weight, input.at(c, h, w)));
                }
            }
        }
        let all: f64 = terms.iter().map(|term| term.exact()).sum();
        let mut sums = vec![(0.0_f64, 0_usize); input.channels];
        for (index, sum) in sums.iter_mut().enumerate() {
            sum.1 = index;
        }
        for term in &terms {
            sums[term.channel].0 += term.exact();
        }
        let count = terms.len();
        if count == 1 || matches!(net.layers[layer].step, Step::Pool) {
            sums.retain(|(_, index)| terms.first().is_some_and(|term| term.channel == *index));
        }
        sums.sort_by(|(a, _), (b, _)| b.abs().total_cmp(&a.abs()));
        let others: f64 = sums.iter().skip(most).map(|(sum, _)| sum).sum();
        let channels = sums.into_iter().take(most).map(|(sum, index)| {
            let positions = || (0..KERNEL).flat_map(|line| (0..KERNEL).map(move |position| [line, position]));
            let weights = kernel.map(|filters| {
                positions().map(|[line, position]| filters.weight(channel, index, line, position)).collect()
            });
            let inputs = kernel.map(|_| {
                positions()
                    .map(|[line, position]| padded_at(input, index, row + line, column + position))
                    .collect()
            });
            ChannelSum {
                channel: index,
                sum: sum as f32,
                weights: weights.unwrap_or_default(),
                inputs: inputs.unwrap_or_default(),
            }
        });
        let channels = channels.collect();
        terms.sort_by(|a, b| b.product.abs().total_cmp(&a.product.abs()));
        terms.truncate(most);
        let shown: f64 = terms.iter().map(|term| term.exact()).sum();
        Ok(Explanation {
            value: output.at(channel, row, column),
            is_off: self.is_off(layer, channel),
            sum: (all + f64::from(bias)) as f32,
            bias,
            from,
            window,
            count,
            terms,
            rest: (all - shown) as f32,
            channels,
            others: others as f32,
            norm,
            path: self.path(net, layer, [channel, row, column])?,
        })
    }

    /// What each position and channel of the last maps contributes to the score of a class.
    ///
    /// # Errors
    /// If there is no such class, or the image is not 32 × 32.
    pub fn head_sums(&self, net: &Net, class: usize) -> Result<HeadSums> {
        let scores = self.scores()?;
        let (last, linear) = match net.layers.last().map(|layer| &layer.step) {
            Some(Step::Linear(linear)) => (net.layers.len() - 1, linear),
            _ => return Err(Error::new("the network has no head")),
        };
        let Some(score) = scores.get(class) else {
            return Err(Error::new(format!("there is no class {class}: expected 0 to {}", scores.len() - 1)));
        };
        let flat = &self.before(last).numbers;
        let maps = self.before(last - 1);
        let weights = &linear.weight[class * flat.len()..][..flat.len()];
        let products: Vec<f32> = weights.iter().zip(flat).map(|(weight, value)| weight * value).collect();
        let size = maps.rows * maps.columns;
        let sum =
            |products: &mut dyn Iterator<Item = &f32>| products.map(|p| f64::from(*p)).sum::<f64>() as f32;
        Ok(HeadSums {
            bias: linear.bias[class],
            score: *score,
            from: last - 2,
            channels: products.chunks_exact(size).map(|channel| sum(&mut channel.iter())).collect(),
            positions: (0..size).map(|p| sum(&mut products.iter().skip(p).step_by(size))).collect(),
            products,
        })
    }

    /// The parts of all earlier outputs that a value depends on. The arithmetic is that of
    /// [`nchw_core::shapes`].
    fn path(&self, net: &Net, layer: usize, [channel, row, column]: [usize; 3]) -> Result<Vec<Sight>> {
        let layers = net.config.layers();
        let [row, column] = match net.layers[layer].step {
            Step::Flatten => {
                let [_, row, column] = unflattened(self.before(layer), channel);
                [row, column]
            }
            _ => [row, column],
        };
        let mut path = Vec::new();
        for start in (0..=layer).rev() {
            // A flattened output has no rows and columns.
            if start > 0 && matches!(net.layers[start - 1].step, Step::Flatten) {
                continue;
            }
            let input = self.before(start);
            let chain: Chain = layers[start..=layer].iter().map(|(_, layer)| *layer).collect();
            let shape = Shape::from([1, input.channels as u64, input.rows as u64, input.columns as u64]);
            let table = chain.on(shape).ok()?;
            let Some(last) = table.rows.last() else { continue };
            let seen = last.sees(row as u64, column as u64)?;
            let ends = |positions: &[u64]| {
                [positions.first(), positions.last()].map(|end| end.map_or(0, |end| *end as i64))
            };
            let window = Window { rows: ends(&seen.rows), columns: ends(&seen.cols) };
            path.push(Sight { layer: start.checked_sub(1), window });
        }
        Ok(path)
    }
}

impl Term {
    fn new([channel, row, column]: [usize; 3], weight: f32, input: f32) -> Term {
        Term { channel, row, column, weight, input, product: weight * input }
    }

    /// The product without the rounding to fp32.
    fn exact(&self) -> f64 {
        f64::from(self.weight) * f64::from(self.input)
    }
}

/// The window of a kernel of 3 with padding 1.
fn around(position: usize) -> [i64; 2] {
    [position as i64 - 1, position as i64 + 1]
}

fn window(row: usize, column: usize, size: usize) -> Window {
    let ends = |first: usize| [first as i64, (first + size - 1) as i64];
    Window { rows: ends(row), columns: ends(column) }
}

/// The rows and columns of a kernel at a position, with the rows and columns of the input that they meet;
/// without those in the padding.
fn kernel_positions(input: &Maps, row: usize, column: usize) -> Vec<(usize, usize, [usize; 2])> {
    let inside = |position: usize, offset: usize, size: usize| {
        (position + offset).checked_sub(1).filter(|position| *position < size)
    };
    let mut positions = Vec::new();
    for line in 0..KERNEL {
        for offset in 0..KERNEL {
            if let Some(r) = inside(row, line, input.rows)
                && let Some(c) = inside(column, offset, input.columns)
            {
                positions.push((line, offset, [r, c]));
            }
        }
    }
    positions
}

/// A value of the maps with a border of one position of zeros.
fn padded_at(input: &Maps, channel: usize, row: usize, column: usize) -> f32 {
    match (row.checked_sub(1), column.checked_sub(1)) {
        (Some(row), Some(column)) if row < input.rows && column < input.columns => {
            input.at(channel, row, column)
        }
        _ => 0.0,
    }
}

/// The channel, row and column of a flattened value.
fn unflattened(maps: &Maps, index: usize) -> [usize; 3] {
    let size = maps.rows * maps.columns;
    [index / size, index % size / maps.columns, index % maps.columns]
}

fn norm_numbers(norm: &Norm, channel: usize) -> NormNumbers {
    NormNumbers {
        mean: norm.mean[channel],
        variance: norm.variance[channel],
        weight: norm.weight[channel],
        bias: norm.bias[channel],
    }
}
