//! The output of a layer.

use nchw_core::{Error, Result};

/// Feature maps of one image. In memory, the channels of a position are next to each other (H-W-C), because
/// a convolution reads them together. The output of a flatten or a linear layer has one row and one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// The number of channels, or of features.
    pub channels: usize,
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub columns: usize,
    pub(crate) numbers: Vec<f32>,
}

impl Maps {
    pub(crate) fn zeros(channels: usize, rows: usize, columns: usize) -> Maps {
        Maps { channels, rows, columns, numbers: vec![0.0; channels * rows * columns] }
    }

    /// The value at a position. It must be inside.
    pub(crate) fn at(&self, channel: usize, row: usize, column: usize) -> f32 {
        self.position(row, column)[channel]
    }

    /// All channels at a position.
    pub(crate) fn position(&self, row: usize, column: usize) -> &[f32] {
        &self.numbers[(row * self.columns + column) * self.channels..][..self.channels]
    }

    pub(crate) fn position_mut(&mut self, row: usize, column: usize) -> &mut [f32] {
        &mut self.numbers[(row * self.columns + column) * self.channels..][..self.channels]
    }

    /// One channel, row by row.
    ///
    /// # Shapes
    /// → `[H, W]`
    pub fn channel(&self, channel: usize) -> impl Iterator<Item = f32> {
        self.numbers.iter().skip(channel).step_by(self.channels).copied()
    }

    /// All numbers in the order of libtorch.
    ///
    /// # Shapes
    /// → `[C, H, W]`
    pub fn planes(&self) -> Vec<f32> {
        (0..self.channels).flat_map(|channel| self.channel(channel)).collect()
    }

    /// Writes all numbers in the order of libtorch into a buffer.
    ///
    /// # Shapes
    /// → `[C, H, W]`
    ///
    /// # Errors
    /// If the buffer is too short.
    pub fn write_planes(&self, to: &mut [f32]) -> Result<()> {
        fits(to.len(), self.numbers.len())?;
        let planes = to.chunks_exact_mut(self.rows * self.columns);
        for (channel, plane) in planes.take(self.channels).enumerate() {
            for (to, from) in plane.iter_mut().zip(self.channel(channel)) {
                *to = from;
            }
        }
        Ok(())
    }

    /// The smallest and the largest number.
    pub fn extremes(&self) -> [f32; 2] {
        let numbers = self.numbers.iter();
        numbers.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], n| [low.min(*n), high.max(*n)])
    }
}

/// Refuses a buffer that is too short.
pub(crate) fn fits(length: usize, needed: usize) -> Result<()> {
    if length < needed {
        return Err(Error::new(format!("expected a buffer of {needed} numbers, got {length}")));
    }
    Ok(())
}
