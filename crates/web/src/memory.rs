//! The numbers that scripts and calls share: images, filters, feature maps.

use nchw_core::{Error, Result};
use std::collections::BTreeMap;

/// The buffers that scripts have allocated, each under its address.
///
/// Calls receive addresses as plain numbers and look them up here, so a wrong address is an error
/// message and never a wrong access.
#[derive(Default)]
pub struct Memory {
    buffers: BTreeMap<usize, Vec<f32>>,
}

impl Memory {
    /// A buffer of at least this many bytes, filled with zeros; its address. `None` when the memory is full.
    pub fn alloc(&mut self, bytes: usize) -> Option<usize> {
        // An empty buffer would have the address of every other empty buffer.
        let length = bytes.div_ceil(size_of::<f32>()).max(1);
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(length).ok()?;
        buffer.resize(length, 0.0);
        let address = buffer.as_mut_ptr() as usize;
        self.buffers.insert(address, buffer);
        Some(address)
    }

    /// Frees the buffer at this address; does nothing if there is none.
    pub fn free(&mut self, address: usize) {
        self.buffers.remove(&address);
    }

    /// The numbers of a buffer.
    ///
    /// # Errors
    /// If no buffer has this address.
    pub fn floats(&self, address: usize) -> Result<&[f32]> {
        self.buffers.get(&address).map(Vec::as_slice).ok_or_else(|| none(address))
    }

    /// The numbers of a buffer, to write to.
    ///
    /// # Errors
    /// If no buffer has this address.
    pub fn floats_mut(&mut self, address: usize) -> Result<&mut [f32]> {
        self.buffers.get_mut(&address).map(Vec::as_mut_slice).ok_or_else(|| none(address))
    }

    /// Takes a buffer out, so that a call can write to it while it reads others. [`Memory::put`] must follow:
    /// until then, the buffer is unknown.
    ///
    /// # Errors
    /// If no buffer has this address.
    #[cfg(any(feature = "maps", feature = "net"))]
    pub(crate) fn take(&mut self, address: usize) -> Result<Vec<f32>> {
        self.buffers.remove(&address).ok_or_else(|| none(address))
    }

    /// Puts a buffer back, under the same address.
    #[cfg(any(feature = "maps", feature = "net"))]
    pub(crate) fn put(&mut self, mut buffer: Vec<f32>) {
        self.buffers.insert(buffer.as_mut_ptr() as usize, buffer);
    }

    /// The first bytes of a buffer.
    ///
    /// # Errors
    /// If no buffer has this address, or it is shorter.
    pub fn bytes(&self, address: usize, length: usize) -> Result<&[u8]> {
        let all: &[u8] = bytemuck::cast_slice(self.floats(address)?);
        let short = || Error::new(format!("expected a buffer of {length} bytes, got {}", all.len()));
        all.get(..length).ok_or_else(short)
    }

    /// The first bytes of a buffer, to write to.
    ///
    /// # Errors
    /// If no buffer has this address, or it is shorter.
    pub fn bytes_mut(&mut self, address: usize, length: usize) -> Result<&mut [u8]> {
        let all: &mut [u8] = bytemuck::cast_slice_mut(self.floats_mut(address)?);
        let found = all.len();
        all.get_mut(..length)
            .ok_or_else(|| Error::new(format!("expected a buffer of {length} bytes, got {found}")))
    }
}

fn none(address: usize) -> Error {
    Error::new(format!("there is no buffer at address {address}: it was freed, or never allocated"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_holds_numbers_until_it_is_freed() {
        let mut memory = Memory::default();
        let (a, b) = (memory.alloc(8).unwrap(), memory.alloc(0).unwrap());
        assert_ne!(a, b);
        memory.floats_mut(a).unwrap().copy_from_slice(&[1.0, 2.0]);
        assert_eq!(memory.floats(a).unwrap(), [1.0, 2.0]);
        assert_eq!(memory.bytes(a, 4).unwrap(), 1f32.to_ne_bytes());
        assert!(memory.bytes(a, 9).unwrap_err().to_string().contains("expected a buffer of 9 bytes, got 8"));
        let taken = memory.take(a).unwrap();
        assert!(memory.take(a).is_err());
        memory.put(taken);
        assert_eq!(memory.floats(a).unwrap(), [1.0, 2.0]);
        memory.free(a);
        assert!(memory.floats(a).unwrap_err().to_string().contains("no buffer at address"));
        assert!(memory.alloc(usize::MAX).is_none());
    }
}
