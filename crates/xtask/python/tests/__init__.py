"""Unit tests of the scripts, and tests of the kernel, of `cargo xtask doctor` and of `cargo xtask lab`."""
