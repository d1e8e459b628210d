//! A 3 × 3 convolution of one image, fast enough to follow a camera.

use super::maps::Maps;
use crate::lanes::{LANES, Lanes, add, lanes, numbers};

/// How many neighbouring columns are computed together, so that each weight is read once for all of them.
const COLUMNS: usize = 4;
/// The rows and columns of a kernel.
pub(crate) const KERNEL: usize = 3;

/// The filters of a convolution with a 3 × 3 kernel, padding 1, stride 1 and no bias.
pub struct Filters {
    /// The number of filters.
    pub outputs: usize,
    /// The number of channels of each filter.
    pub inputs: usize,
    /// Blocks of [`LANES`] filters; in a block `[H, W, C]`, and then the filters. Missing filters are 0.
    packed: Vec<Lanes>,
}

impl Filters {
    /// # Shapes
    /// `weight` `[N filters, C, 3, 3]`
    pub(crate) fn new(outputs: usize, inputs: usize, weight: &[f32]) -> Filters {
        let size = KERNEL * KERNEL;
        let mut packed = vec![[0.0; LANES]; outputs.div_ceil(LANES) * size * inputs];
        for (index, number) in weight.iter().enumerate() {
            let (filter, rest) = (index / (inputs * size), index % (inputs * size));
            let (channel, position) = (rest / size, rest % size);
            let block = filter / LANES * size * inputs;
            packed[block + position * inputs + channel][filter % LANES] = *number;
        }
        Filters { outputs, inputs, packed: packed.into_iter().map(lanes).collect() }
    }

    /// One weight of a filter.
    pub(crate) fn weight(&self, filter: usize, channel: usize, row: usize, column: usize) -> f32 {
        let block = filter / LANES * KERNEL * KERNEL * self.inputs;
        numbers(self.packed[block + (row * KERNEL + column) * self.inputs + channel])[filter % LANES]
    }

    /// The feature maps of the filters. `padded` is memory that is used again for the next layer.
    ///
    /// The innermost loop has no bounds checks: it walks through the weights and four windows at once, and
    /// a window's columns and channels are next to each other in memory.
    ///
    /// # Shapes
    /// `[C, H, W]` → `[N filters, H, W]`
    pub(crate) fn apply(&self, input: &Maps, padded: &mut Vec<f32>, output: &mut Maps) {
        let width = pad(input, padded);
        let inputs = self.inputs;
        let blocks = self.packed.chunks_exact(KERNEL * KERNEL * inputs);
        for (block, weights) in blocks.enumerate() {
            let first = block * LANES;
            let count = LANES.min(self.outputs - first);
            for row in 0..output.rows {
                for column in (0..output.columns).step_by(COLUMNS) {
                    let [mut s0, mut s1, mut s2, mut s3] = [lanes([0.0; LANES]); COLUMNS];
                    for (line, weights) in weights.chunks_exact(KERNEL * inputs).enumerate() {
                        let start = ((row + line) * width + column) * inputs;
                        let window = |column: usize| &padded[start + column * inputs..][..KERNEL * inputs];
                        let windows = window(0).iter().zip(window(1)).zip(window(2)).zip(window(3));
                        for (weights, (((a, b), c), d)) in weights.iter().zip(windows) {
                            s0 = add(s0, *a, weights);
                            s1 = add(s1, *b, weights);
                            s2 = add(s2, *c, weights);
                            s3 = add(s3, *d, weights);
                        }
                    }
                    let sums = [s0, s1, s2, s3].map(numbers);
                    let real = COLUMNS.min(output.columns - column);
                    for (offset, sums) in sums.iter().take(real).enumerate() {
                        output.position_mut(row, column + offset)[first..first + count]
                            .copy_from_slice(&sums[..count]);
                    }
                }
            }
        }
    }
}

/// Copies maps with a border of zeros, and the columns filled up to a multiple of [`COLUMNS`].
/// Returns the width of the copy.
fn pad(input: &Maps, padded: &mut Vec<f32>) -> usize {
    let width = input.columns.next_multiple_of(COLUMNS) + KERNEL - 1;
    let line = width * input.channels;
    padded.clear();
    padded.resize((input.rows + KERNEL - 1) * line, 0.0);
    let lines = padded.chunks_exact_mut(line).skip(1);
    for (to, from) in lines.zip(input.numbers.chunks_exact(input.columns * input.channels)) {
        to[input.channels..][..from.len()].copy_from_slice(from);
    }
    width
}
