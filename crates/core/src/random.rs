//! Random numbers that are the same on every machine.
//!
//! libtorch has one generator for the whole program, and its numbers may
//! change between versions and devices. The numbers drawn here depend only on
//! the seed: the output of ChaCha is fixed by its definition, and everything
//! computed from it uses arithmetic that IEEE 754 defines to the last bit.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A random number generator, independent for each `(seed, stream)`.
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The streams of a seed are independent: image 7 is the same whether or
    /// not image 6 was drawn.
    pub fn new(seed: u64, stream: u64) -> Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Rng(rng)
    }

    /// A random number from `low` (included) to `high` (excluded).
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        // An f32 holds 24 bits exactly.
        let unit = (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32;
        low + unit * (high - low)
    }

    /// A random whole number from 0 to `count - 1`.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.0.next_u64()) * count as u128) >> 64) as usize
    }

    /// The whole numbers from 0 to `count - 1` in random order.
    pub fn order(&mut self, count: usize) -> Vec<i64> {
        let mut order: Vec<i64> = (0..count as i64).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}
