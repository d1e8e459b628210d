//! Compares the named filters with PyTorch's conv2d; `filters.py` computed the expected numbers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use nchw::prelude::*;

fn image(c: i64, h: i64, w: i64) -> Image {
    let pixel = |c: i64, h: i64, w: i64| ((31 * c + 7 * h * h + 13 * w + 5 * h * w) % 256) as u8;
    let bytes: Vec<u8> =
        (0..c).flat_map(|i| (0..h).flat_map(move |j| (0..w).map(move |k| pixel(i, j, k)))).collect();
    Image::from_tensor(&Tensor::from_slice(&bytes).view([1, c, h, w])).unwrap()
}

#[test]
fn every_named_filter_agrees_with_pytorch_on_images_that_are_not_square() {
    let filters = [
        Filter::vertical_edge(),
        Filter::horizontal_edge(),
        Filter::falling_diagonal(),
        Filter::rising_diagonal(),
        Filter::blur(),
        Filter::sharpen(),
        Filter::emboss(),
        Filter::identity(),
    ];
    let mut compared = 0;
    for line in include_str!("filters.txt").lines() {
        let fields: Vec<&str> = line.split("; ").collect();
        let numbers = |field: &str| -> Vec<f64> { field.split(' ').map(|n| n.parse().unwrap()).collect() };
        let size: Vec<i64> = numbers(fields[1]).iter().map(|n| *n as i64).collect();
        let shape: Vec<i64> = numbers(fields[3]).iter().map(|n| *n as i64).collect();
        let expected = numbers(fields[4]);
        let filter = filters.iter().find(|f| f.name() == fields[0]).unwrap();
        let filter = filter.with_bias(fields[2].parse().unwrap());
        // PyTorch's groups: each channel by itself.
        let channels = image(size[0], size[1], size[2]).tensor().split(1, 1);
        let got: Vec<Tensor> = channels.iter().map(|one| filter.convolve(one).unwrap().tensor()).collect();
        let got = Tensor::cat(&got, 1);
        assert_eq!(got.size(), shape, "{line}");
        let got: Vec<f64> = Vec::try_from(got.to_kind(Kind::Double).contiguous().view([-1])).unwrap();
        assert_eq!(got.len(), expected.len());
        for (a, b) in got.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-5, "{}: {a} is not {b}", fields[0]);
        }
        compared += 1;
    }
    assert_eq!(compared, 2 * filters.len());
}
