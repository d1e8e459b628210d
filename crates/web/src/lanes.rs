//! Eight numbers that are multiplied and added together.
//!
//! In WebAssembly, two SIMD registers, by name: a module that is optimised for size gets none otherwise,
//! and would take ten times as long. On the host, plain numbers; both round in the same way.

/// How many numbers.
pub(crate) const LANES: usize = 8;

#[cfg(target_arch = "wasm32")]
mod own {
    use core::arch::wasm32::{f32x4, f32x4_add, f32x4_extract_lane, f32x4_mul, f32x4_splat, v128};

    /// Eight numbers.
    pub(crate) type Lanes = [v128; 2];

    pub(crate) fn lanes([a, b, c, d, e, f, g, h]: [f32; super::LANES]) -> Lanes {
        [f32x4(a, b, c, d), f32x4(e, f, g, h)]
    }

    pub(crate) fn numbers([low, high]: Lanes) -> [f32; super::LANES] {
        [
            f32x4_extract_lane::<0>(low),
            f32x4_extract_lane::<1>(low),
            f32x4_extract_lane::<2>(low),
            f32x4_extract_lane::<3>(low),
            f32x4_extract_lane::<0>(high),
            f32x4_extract_lane::<1>(high),
            f32x4_extract_lane::<2>(high),
            f32x4_extract_lane::<3>(high),
        ]
    }

    /// Eight neighbouring numbers of a buffer.
    #[cfg(feature = "maps")]
    #[inline(always)]
    pub(crate) fn load(numbers: &[f32; super::LANES]) -> Lanes {
        bytemuck::pod_read_unaligned(bytemuck::bytes_of(numbers))
    }

    /// `sums + value * weights`.
    #[inline(always)]
    pub(crate) fn add([low, high]: Lanes, value: f32, weights: &Lanes) -> Lanes {
        let value = f32x4_splat(value);
        [f32x4_add(low, f32x4_mul(value, weights[0])), f32x4_add(high, f32x4_mul(value, weights[1]))]
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod own {
    /// Eight numbers.
    pub(crate) type Lanes = [f32; super::LANES];

    pub(crate) fn lanes(numbers: [f32; super::LANES]) -> Lanes {
        numbers
    }

    pub(crate) fn numbers(lanes: Lanes) -> [f32; super::LANES] {
        lanes
    }

    /// Eight neighbouring numbers of a buffer.
    #[cfg(feature = "maps")]
    pub(crate) fn load(numbers: &[f32; super::LANES]) -> Lanes {
        *numbers
    }

    /// `sums + value * weights`.
    #[inline(always)]
    pub(crate) fn add(sums: Lanes, value: f32, weights: &Lanes) -> Lanes {
        std::array::from_fn(|lane| sums[lane] + value * weights[lane])
    }
}

#[cfg(feature = "maps")]
pub(crate) use own::load;
pub(crate) use own::{Lanes, add, lanes, numbers};
