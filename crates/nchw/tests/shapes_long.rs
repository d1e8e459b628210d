//! Long chains: memory and time grow as the number of layers does.
//!
//! One test in a process of its own, for its allocator counts what all threads take.

#![allow(clippy::unwrap_used)] // in a test, a panic is the report

use nchw::shapes::{Chain, table};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// The system's allocator, which also counts the bytes in use and the most there were.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: both calls are handed on as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(used, Ordering::Relaxed);
        // SAFETY: the caller's promise about the layout is the one that is asked for here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the pointer came from `alloc` above, so from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that this needs, and how long it takes.
fn cost(work: impl Fn()) -> (usize, Duration) {
    let before = USED.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let begun = Instant::now();
    work();
    (MOST.load(Ordering::Relaxed) - before, begun.elapsed())
}

/// Reads a chain of so many layers, and asks everything about it.
fn ask(pattern: &[&str], layers: usize) {
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
fn twenty_times_the_layers_cost_twenty_times_as_much() {
    let plain: &[&str] = &["conv 4 3x3 padding same", "relu", "bn 4"];
    // Neighbours differ after every second layer.
    let back_and_forth: &[&str] = &["convt 4 2x2 stride 2", "conv 4 3x3 stride 2 padding 1"];
    for pattern in [plain, back_and_forth] {
        let (few, time_few) = cost(|| ask(pattern, 1_000));
        let (many, time_many) = cost(|| ask(pattern, 20_000));
        let (bytes, times) = (many as f64 / few as f64, time_many.as_secs_f64() / time_few.as_secs_f64());
        println!("{pattern:?}: {} MB, {bytes:.1} times the bytes, {times:.1} times the time", many >> 20);
        // Linear is 20, quadratic 400.
        assert!(bytes < 30.0 && many < 300 << 20, "{bytes} times the bytes for 20 times the layers: {many}");
        assert!(times < 80.0, "{times} times the time for 20 times the layers");
    }
}
