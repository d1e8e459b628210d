//! The colours of regions are distinguishable, also for colour-blind readers.

use crate::see::figures::semantic::{NOTHING, REST};
use nchw_draw::colour::REGIONS;

/// How colours appear to eyes with all cones, and to eyes without one kind of cone (Machado, Oliveira and
/// Fernandes, *A Physiologically-based Model for Simulation of Color Vision Deficiency*, 2009).
const EYES: [(&str, [[f64; 3]; 3]); 4] = [
    ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    ),
    (
        "deuteranopia",
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ),
    (
        "tritanopia",
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ),
];

/// CIE L*a*b* of an sRGB colour.
fn lab(rgb: [u8; 3], eye: &[[f64; 3]; 3]) -> [f64; 3] {
    let linear = rgb.map(|v| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    let dot = |row: &[f64; 3], v: [f64; 3]| row.iter().zip(v).map(|(a, b)| a * b).sum::<f64>();
    let seen = [0, 1, 2].map(|i| dot(&eye[i], linear).clamp(0.0, 1.0));
    let [x, y, z] = [
        dot(&[0.4124, 0.3576, 0.1805], seen) / 0.9505,
        dot(&[0.2126, 0.7152, 0.0722], seen),
        dot(&[0.0193, 0.1192, 0.9505], seen) / 1.089,
    ]
    .map(|t| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[test]
fn regions_are_distinguishable_for_colour_blind_readers() {
    let mut colours = REGIONS.to_vec();
    colours.extend([REST, NOTHING]);
    for (name, eye) in &EYES {
        for (i, a) in colours.iter().enumerate() {
            for b in &colours[..i] {
                let (one, other) = (lab(*a, eye), lab(*b, eye));
                let distance = one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                // A distance of 2 is just visible side by side; these colours are not adjacent.
                assert!(distance > 14.0, "{name}: {a:?} and {b:?} are {distance:.1} apart");
            }
        }
    }
}
