"""Benchmarks: `cargo xtask bench`."""
