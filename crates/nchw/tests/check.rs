//! `check`: shapes that match, and every error message, compared with `tests/check.txt`.
//!
//! `UPDATE_EXPECT=1 cargo test --test check` rewrites the file; review the changes.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod common;

use nchw::prelude::*;
use std::fmt::Write;

fn zeros(sizes: &[i64]) -> Tensor {
    Tensor::zeros(sizes, (Kind::Float, Device::Cpu))
}

#[test]
fn a_shape_that_matches_returns_the_same_tensor() {
    let images = zeros(&[8, 3, 32, 48]);
    for pattern in
        ["N C=3 H=32 W=48", "8 3 32 48", "_ 3 _ W", "N, C, rows, columns", "_ _ _ _", "개 채=3 행 열"]
    {
        let same = check(&images, pattern).unwrap();
        assert_eq!(same.data_ptr(), images.data_ptr(), "{pattern}");
    }
    assert!(check(&zeros(&[2, 5, 5]), "N S S").is_ok());
    assert!(check(&zeros(&[2, 0]), "N 0").is_ok());
    check_all(&[(&images, "N C=3 H W"), (&zeros(&[8]), "N"), (&zeros(&[32, 48]), "H W")]).unwrap();
}

const WRONG: &[(&[i64], &str)] = &[
    (&[8, 32, 48, 3], "N C=3 H W"),
    (&[8, 32, 32, 3], "N C=3 H=32 W=32"),
    (&[32, 48, 3], "C=3 H W"),
    (&[32, 48, 3], "N C=3 H W"),
    (&[8, 3, 32, 48], "N H W C=3"),
    (&[3, 32, 48], "H W C=3"),
    (&[8, 3, 48, 32], "N C=3 H=32 W=48"),
    (&[3, 8, 32, 48], "N=8 C=3 H W"),
    (&[5, 7], "rows=7 columns=5"),
    (&[3, 32, 48], "N C=3 H=32 W=48"),
    (&[8, 32, 48], "N=8 C=1 H W"),
    (&[32, 48], "N C=1 H=32 W=48"),
    (&[8, 1, 3, 32, 48], "N C=3 H W"),
    (&[8, 3, 32, 48], "C=3 H W"),
    (&[8, 4608], "N C=3 H=32 W=48"),
    (&[36864], "N C=3 H=32 W=48"),
    (&[8, 3, 32, 48], "N features=4608"),
    (&[8, 1, 32, 48], "N C=3 H W"),
    (&[8, 4, 32, 48], "N C=3 H W"),
    (&[8, 3, 32, 48], "N C=1 H W"),
    (&[8, 5, 32, 48], "N C=3 H W"),
    (&[8, 3, 30, 48], "N C=3 H=32 W=32"),
    (&[8, 3, 32, 48], "N C=3 S S"),
    (&[8, 3, 5, 5], "N C=3 S=5 S=6"),
    (&[], "N C=3 H W"),
    (&[8, 3, 32, 48], "N"),
    (&[0, 3, 32, 48], "C=3 H W"),
    (&[8, 3, 32, 48], ""),
    (&[8, 3, 32, 48], "8x3x32x48"),
    (&[8, 3, 32, 48], "N C=three H W"),
    (&[8, 3, 32, 48], "N C= H W"),
    (&[8, 3, 32, 48], "N C=-3 H W"),
    (&[8, 3, 32, 48], "N -1 H W"),
    (&[8, 3, 32, 48], "N, =3 H W"),
    (&[8, 3, 32, 48], "N  C:3 H W"),
    (&[8, 3, 32, 48], "개 채널? H W"),
];

#[test]
fn every_message_is_the_reviewed_one() {
    let mut all = String::new();
    for (sizes, pattern) in WRONG {
        let error = check(&zeros(sizes), pattern).expect_err(pattern);
        writeln!(all, "=== {sizes:?} | {pattern}\n{error}\n").unwrap();
    }
    let (images, labels) = (zeros(&[8, 3, 32, 48]), zeros(&[7]));
    let error = check_all(&[(&images, "N C=3 H W"), (&labels, "N")]).unwrap_err();
    writeln!(all, "=== pictures and labels\n{error}\n").unwrap();
    let error = check_all(&[(&images, "N C=3 H W"), (&zeros(&[32, 8]), "N H")]).unwrap_err();
    writeln!(all, "=== pictures and features\n{error}\n").unwrap();
    let error = check_all(&[(&images, "N C=3 H W"), (&labels, "N=seven")]).unwrap_err();
    writeln!(all, "=== a pattern that cannot be read\n{error}\n").unwrap();
    common::as_kept("check.txt", &all);
}

/// tch would panic with such a tensor.
#[test]
fn a_tensor_that_was_never_filled_is_refused() {
    let error = check(&Tensor::new(), "N C=3 H W").unwrap_err().to_string();
    assert!(error.contains("never filled (`Tensor::new()`)"), "{error}");
    let error = check_all(&[(&zeros(&[8]), "N"), (&Tensor::new(), "N")]).unwrap_err().to_string();
    assert!(error.starts_with("tensor 2: expected a tensor with numbers"), "{error}");
    assert!(check(&zeros(&[8, 3, 5, 7]), "Ｎ Ｃ＝３ H W").is_ok());
}
