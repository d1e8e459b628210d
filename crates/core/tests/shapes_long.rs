//! Long chains: memory and time grow linearly with the number of layers.
//!
//! There is only one test in this file, since the allocator counts the memory of all threads.

#![allow(clippy::unwrap_used)] // a panic fails the test

use nchw_core::shapes::{Chain, table};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicIsize, Ordering},
    time::{Duration, Instant},
};

/// The system's allocator, which also counts the bytes in use and their maximum. A standard library that is loaded as
/// a library of its own does not call it: a text that it allocates and the test drops is only subtracted, so the
/// numbers are signed.
struct Counting;

static USED: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

// SAFETY: both calls are forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size() as isize;
        let used = USED.fetch_add(size, Ordering::Relaxed) + size;
        MOST.fetch_max(used, Ordering::Relaxed);
        // SAFETY: the caller guarantees what `System.alloc` requires of the layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above, that is, from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The maximum memory that `work` uses, and the time it takes.
fn cost(work: impl Fn()) -> (isize, Duration) {
    let before = USED.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let start = Instant::now();
    work();
    (MOST.load(Ordering::Relaxed) - before, start.elapsed())
}

/// Reads a chain of this many layers and calls every method of its table.
fn use_chain(pattern: &[&str], layers: usize) {
    let text = pattern.iter().cycle().take(layers).copied().collect::<Vec<_>>().join("; ");
    let chain: Chain = text.parse().unwrap();
    assert_eq!(chain.to_string().len(), text.len());
    let table = table("3x16x16", &text).unwrap().ok().unwrap();
    assert_eq!(table.rows.len(), layers);
    assert!(table.to_string().lines().count() > layers);
    assert!(table.to_markdown().len() > layers && table.to_json().len() > layers);
    for row in &table.rows {
        assert!(row.explain().to_string().contains("receptive field") && row.field.is_some());
    }
    let last = table.rows.last().unwrap();
    assert!(last.sees(8, 8).unwrap().rows.len() >= 9);
    assert_eq!(table.clone().rows.len(), layers);
}

#[test]
fn cost_is_linear_in_the_number_of_layers() {
    let plain: &[&str] = &["conv 4 3x3 padding same", "relu", "bn 4"];
    // Neighbouring values have different receptive fields after every second layer.
    let up_and_down: &[&str] = &["convt 4 2x2 stride 2", "conv 4 3x3 stride 2 padding 1"];
    for pattern in [plain, up_and_down] {
        let (few, time_few) = cost(|| use_chain(pattern, 1_000));
        let (many, time_many) = cost(|| use_chain(pattern, 20_000));
        let (bytes, times) = (many as f64 / few as f64, time_many.as_secs_f64() / time_few.as_secs_f64());
        println!("{pattern:?}: {} MB, {bytes:.1} times the bytes, {times:.1} times the time", many >> 20);
        // A linear cost gives a factor of 20, a quadratic one 400.
        assert!(bytes < 30.0 && many < 300 << 20, "{bytes} times the bytes for 20 times the layers: {many}");
        assert!(times < 80.0, "{times} times the time for 20 times the layers");
    }
}
