//! Images and kernels to begin with.

use crate::Module;
use nchw_core::Result;
use nchw_core::random::Rng;
use serde::{Deserialize, Serialize};

/// The images of the notebooks, by name, as digits. The photo's pixels are tenths, from red to blue.
const IMAGES: &[(&str, &[&str])] = &[
    ("Vertical edge, 6 x 6", &["000111", "000111", "000111", "000111", "000111", "000111"]),
    (
        "Diagonal, 7 x 9",
        &["110000000", "111000000", "011100000", "001110000", "000111000", "000011100", "000001110"],
    ),
    ("Small numbers, 3 x 3", &["120", "013", "401"]),
    ("Stairs, 4 x 5", &["00110", "01110", "11100", "01001"]),
    ("A bright wall, 4 x 6", &["111111", "111111", "111111", "111111"]),
];
const GREY: &[(&str, &[&str])] = &[
    (
        "Photo: a cat's eye, 10 x 12",
        &[
            "566655555553",
            "553232234554",
            "532443111355",
            "633553212235",
            "644541113315",
            "653541023314",
            "563443234323",
            "446345453213",
            "444543221112",
            "444456554422",
        ],
    ),
    ("Photo: a red column, 4 x 5", &["31142", "31253", "31244", "32253"]),
];
const COLOUR: &[(&str, [&[&str]; 3])] = &[
    (
        "Photo: a red column, 4 x 5",
        [
            &["42363", "42375", "42375", "52385"],
            &["21132", "21143", "21134", "31133"],
            &["21132", "21132", "21133", "21133"],
        ],
    ),
    (
        "Photo: a cat's eye, 10 x 12",
        [
            &[
                "777766666765",
                "764343345775",
                "753554212576",
                "755653213357",
                "855651114426",
                "764651024516",
                "674553245425",
                "567456564324",
                "656754322224",
                "656677766533",
            ],
            &[
                "555555555553",
                "543222234553",
                "532443111354",
                "633553212235",
                "634541113315",
                "553541023314",
                "463443234313",
                "345344453212",
                "434543211112",
                "444455544322",
            ],
            &[
                "444444344431",
                "332111113431",
                "321222100233",
                "422333211024",
                "522231112104",
                "431221012103",
                "342221112112",
                "224222221212",
                "222321111111",
                "222334333211",
            ],
        ],
    ),
    (
        "From green to red, 5 x 7",
        [
            &["0001111", "0001111", "0001111", "0001111", "0001111"],
            &["1110000", "1110000", "1110000", "1110000", "1110000"],
            &["0000000", "0000000", "0000000", "0000000", "0000000"],
        ],
    ),
];

const KERNELS: &[(&str, &str)] = &[
    ("Vertical edge", "-1 0 1\n-1 0 1\n-1 0 1"),
    ("Horizontal edge", "-1 -1 -1\n0 0 0\n1 1 1"),
    ("Falling diagonal", "0 1 1\n-1 0 1\n-1 -1 0"),
    ("Rising diagonal", "-1 -1 0\n-1 0 1\n0 1 1"),
    ("Mean of 3 x 3", "1/9 1/9 1/9\n1/9 1/9 1/9\n1/9 1/9 1/9"),
    ("Sum of 3 x 3", "1 1 1\n1 1 1\n1 1 1"),
    ("Sharpen", "0 -1 0\n-1 5 -1\n0 -1 0"),
    ("Identity", "0 0 0\n0 1 0\n0 0 0"),
    ("Four weights, 2 x 2", "1 0\n2 -1"),
    ("Across, 1 x 3", "-1 0 1"),
    ("One weight, 1 x 1", "1"),
];

/// The red vertical edge of the notebooks: where all colours change in the same way, the sum is 0.
const RED_EDGE: &str =
    "-1 0 1\n-1 0 1\n-1 0 1\n\n0.5 0 -0.5\n0.5 0 -0.5\n0.5 0 -0.5\n\n0.5 0 -0.5\n0.5 0 -0.5\n0.5 0 -0.5";

/// `{"call": "window_presets", "seed": 1}`.
#[derive(Deserialize)]
pub(crate) struct Ask {
    /// Decides the random digits.
    pub(super) seed: u64,
}

/// Answers `window_presets`.
#[derive(Serialize)]
pub(crate) struct Presets {
    pub(super) images: Vec<Preset>,
    pub(super) kernels: Vec<Preset>,
}

#[derive(Serialize)]
pub(super) struct Preset {
    pub(super) name: String,
    pub(super) channels: usize,
    pub(super) text: String,
}

pub(crate) fn presets(_: &mut Module, ask: Ask) -> Result<Presets> {
    let preset = |name: &str, channels: usize, text: String| Preset { name: name.into(), channels, text };
    let mut images: Vec<Preset> =
        IMAGES.iter().map(|(name, rows)| preset(name, 1, digits(rows, ""))).collect();
    images.extend(GREY.iter().map(|(name, rows)| preset(name, 1, digits(rows, "0."))));
    for (name, sheets) in COLOUR {
        let tenths = if name.starts_with("Photo") { "0." } else { "" };
        images.push(preset(name, 3, sheets.map(|rows| digits(rows, tenths)).join("\n\n")));
    }
    for channels in [1, 3] {
        let mut rng = Rng::new(ask.seed, channels);
        let mut row = |_| (0..7).map(|_| rng.below(10).to_string()).collect::<Vec<_>>().join(" ");
        let sheets: Vec<String> =
            (0..channels).map(|_| (0..5).map(&mut row).collect::<Vec<_>>().join("\n")).collect();
        images.push(preset("Random digits, 5 x 7", channels as usize, sheets.join("\n\n")));
    }
    let mut kernels = vec![preset("Red vertical edge", 3, RED_EDGE.into())];
    for channels in [1, 3] {
        kernels.extend(
            KERNELS.iter().map(|(name, text)| preset(name, channels, [*text; 3][..channels].join("\n\n"))),
        );
    }
    Ok(Presets { images, kernels })
}

/// Rows of digits as rows of numbers, with this text before each digit.
fn digits(rows: &[&str], before: &str) -> String {
    let number = |digit: char| if digit == '0' { "0".to_string() } else { format!("{before}{digit}") };
    let row = |row: &&str| row.chars().map(number).collect::<Vec<_>>().join(" ");
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}
