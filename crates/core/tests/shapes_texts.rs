//! All messages of the module `shapes`, compared with `tests/shapes/texts.txt`.
//!
//! `UPDATE_EXPECT=1 cargo test -p nchw-core --test shapes_texts` rewrites the file: review the changes.

#![allow(clippy::unwrap_used)] // a panic fails the test

#[path = "../../nchw/tests/common/mod.rs"]
mod common;

use nchw_core::shapes::*;
use std::fmt::Write;

/// Texts that cannot be read.
const UNREADABLE: &[(&str, &str)] = &[
    ("3x7xq", "relu"),
    ("3x-7x7", "relu"),
    ("3x7.5x7", "relu"),
    ("99999999999999999999x3x3", "relu"),
    ("3x7x7x7x7", "relu"),
    ("", "relu"),
    ("3x7x7", ""),
    ("3x7x7", " ;; "),
    ("3x7x7", "conv 10 3x3; cnov 20 3x3"),
    ("3x7x7", "relu;\n\tmax 3"),
    ("3x7x7", "개채 10 3"),
    ("3x7x7", "relu; 채널 3"),
    ("3x7x7", "conv"),
    ("3x7x7", "conv 10"),
    ("3x7x7", "conv ten 3"),
    ("3x7x7", "conv 10 3xq"),
    ("3x7x7", "conv 10 3x"),
    ("3x7x7", "conv 10 3 x 3"),
    ("3x7x7", "conv 3 10 3"),
    ("3x7x7", "conv 10 three"),
    ("3x7x7", "conv 10 3x3 strid 2"),
    ("3x7x7", "conv 10 3x3 sideways"),
    ("3x7x7", "conv 10 3x3 stride"),
    ("3x7x7", "conv 10 3x3 padding 1.5"),
    ("3x7x7", "conv 10 3x3 padding -1"),
    ("3x7x7", "conv 10 3x3 groups many"),
    ("3x7x7", "conv 10 3x3 ceil"),
    ("3x7x7", "conv 10 3x3 stride 2 stride 3"),
    ("3x7x7", "conv 10 3x3 padding 1 same"),
    ("3x7x7", "conv 10 3x3 relu"),
    ("3x7x7", "convt 10 3x3 padding same"),
    ("3x7x7", "convt 10"),
    ("3x7x7", "maxpool"),
    ("3x7x7", "maxpool 3->4"),
    ("3x7x7", "maxpool 2 nobias"),
    ("3x7x7", "linear"),
    ("3x7x7", "linear 10 stride 2"),
    ("3x7x7", "relu 5"),
    ("3x7x7", "relu inplace"),
    ("3x7x7", "dropout 50"),
    ("3x7x7", "bn -3"),
    ("3x7x7", "maxpool 3 2"),
    ("3x7x7", "avgpool 3 2x1"),
    ("3x7x7", "conv 10 3 2"),
    ("3x7x7", "linear 20 10"),
    ("3x7x7", "conv 10 3 stride 2 1"),
    ("3x7x7", "conv3d 10 3"),
    ("3x7x7", "nn.Conv1d(3, 10, 3)"),
    ("3x7x7", "nn.MaxPool3d(2)"),
    ("3x7x7", "nn.Conv2d(3, kernel_size=3)"),
    ("3x7x7", "nn.Conv2d(3, 10)\nnn.Conv2d(10, 20"),
    ("3x7x7", "relu)"),
    ("3x7x7", "nn.Conv2d(3, 10, 3, kernel_size=5)"),
    ("3x7x7", "nn.Conv2d(3, 10, 3, stride=)"),
    ("3x7x7", "nn.Conv2d(3, 10, (3, 3, 3))"),
    ("3x7x7", "nn.Conv2d(3, 10, 3, strides=2)"),
    ("3x7x7", "nn.Conv2d(3, 10, 3, bias=maybe)"),
    ("3x7x7", "nn.MaxPool2d(2, 2, 0, 1, False, True, 7)"),
    ("3x7x7", "nn.MaxPool2d(2, return_indices=True)"),
    ("3x7x7", "nn.AdaptiveAvgPool2d((7, 7))"),
    ("3x7x7", "nn.Flatten(0)"),
    ("3x7x7", "nn.Linear(in_features=147)"),
    ("3x7x7", "nn.Softmax(dim=1)"),
];

/// Chains with a layer that does not fit.
const BROKEN: &[(&str, &str)] = &[
    ("32x3x7x9", "conv 10 3x3; relu; conv 3->20 3x3; flatten"),
    ("32x3x7x9", "conv 32->10 3x3"),
    ("32x3x7x9", "conv 10 3x3; bn 3"),
    ("32x3x7x9", "conv 10 3x3; flatten; linear 490->10"),
    ("32x3x7x9", "conv 10 3x3; linear 10"),
    ("32x3x7x9", "conv 10 3x3; linear 350->10"),
    ("32x3x7x9", "flatten; conv 10 3x3"),
    ("7x9", "conv 10 3x3"),
    ("7x9", "gap"),
    ("3x7x9", "maxpool 2; maxpool 2; conv 8 3x3"),
    ("3x4x9", "conv 8 3x2 dilation 2"),
    ("3x4x9", "maxpool 5 stride 1"),
    ("3x2x9", "avgpool 6x4 stride 2 ceil"),
    ("3x7x9", "conv 10 3x3 padding same stride 1x2"),
    ("3x7x9", "conv 10 3x3 groups 2"),
    ("4x7x9", "conv 10 3x3 groups 4"),
    ("3x7x9", "conv 10 3x3 groups 0"),
    ("3x7x9", "conv 0 3x3"),
    ("3x7x9", "conv 10 3x0"),
    ("3x7x9", "maxpool 0"),
    ("3x7x9", "maxpool 2 stride 0"),
    ("3x7x9", "conv 4 3x3 dilation 0"),
    ("3x7x9", "maxpool 3x4 padding 2"),
    ("3x7x9", "convt 8 3x3 stride 2x3 output_padding 2"),
    ("3x2x9", "convt 8 1x1 padding 3x0"),
    ("0x7x9", "conv 8 3x3"),
    ("3x0x9", "gmp"),
    ("3x7x9", "conv 9000000000000000000 3x3"),
    ("9000000000x9000000000x9000000000", "relu"),
    ("3x7x9", "conv 3000000000 3x3; linear 4->5"),
    ("3x7x9", "conv 1000000000000000000 1x1 nobias; conv 1 1x1"),
];

#[test]
fn every_message_is_as_expected() {
    let mut all = String::new();
    let mut add = |case: &str, text: &str| write!(all, "=== {case}\n{text}\n\n").unwrap();
    for (input, layers) in UNREADABLE {
        let error = table(input, layers).expect_err(layers);
        add(&format!("{input} | {layers}"), &error.to_string());
    }
    for (input, layers) in BROKEN {
        let problem = table(input, layers).unwrap().problem.unwrap_or_else(|| panic!("{layers} fits"));
        add(&format!("{input} | {layers}"), &problem.to_string());
    }
    let in_code = [
        ("dropout(50.0)", dropout(50.0).on([3, 30])),
        ("conv(8, u64::MAX)", conv(8, u64::MAX).on([3, 7, 9])),
    ];
    for (case, row) in in_code {
        add(case, &row.unwrap_err().to_string());
    }
    let (row, flat) = (conv(8, 3).on([3, 7, 9]).unwrap(), linear(8).on([3, 7]).unwrap());
    add("sees(5, 0)", &row.sees(5, 0).unwrap_err().to_string());
    add("sees of flattened values", &flat.sees(0, 0).unwrap_err().to_string());
    let huge = global_avg_pool().on([1, 1 << 40, 1]).unwrap();
    add("sees of huge maps", &huge.sees(0, 0).unwrap_err().to_string());
    add("7x9 as Nchw", &"7x9".parse::<Nchw>().unwrap_err().to_string());
    add("32x3x7 named", &Nchw::new(32, 3, 7, 9).named());

    let long = "conv 10 3x3 stride 2; bn; relu; conv 20 2x3 padding same groups 5; avgpool 2 stride 3 ceil padding 1; \
                convt 4 3x2 stride 2; conv 8 2x2 nobias; gap; flatten; linear 10; dropout 0.2";
    let whole = table("32x3x7x10", long).unwrap();
    add("table", &whole.to_string());
    for row in &whole.rows {
        add(&format!("explain {}", row.layer), &row.explain().to_string());
        add(&format!("row {}", row.layer), &row.to_string());
    }
    add("explain linear on maps", &linear(4).in_channels(9).on([3, 7, 9]).unwrap().explain().to_string());
    add("explain linear on values", &flat.explain().to_string());
    let broken = table("32x3x7x9", "conv 3->10 3x3; conv 3->20 3x3; flatten").unwrap();
    add("table, markdown", &broken.to_markdown());
    add("table, json", &broken.to_json());
    add("table, as an error", &broken.ok().unwrap_err().to_string());
    common::as_kept("shapes/texts.txt", &all);
}

#[test]
fn columns_are_aligned_under_wide_letters() {
    let text = table("32x3x7x9", "conv 10 3x3; conv 20 3x3").unwrap().to_string();
    let width = |line: &str| line.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum::<usize>();
    let lines = text.lines().take(4).collect::<Vec<_>>();
    let header_end = width(&lines[0][..lines[0].find("채 C").unwrap()]) + 4;
    assert_eq!(&lines[2][header_end - 2..header_end], "10");
    assert_eq!(width(lines[0]), width(lines[2]));
}
