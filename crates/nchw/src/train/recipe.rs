//! How to train: every choice that changes what is learned.

use crate::{
    Error, Result,
    device::{compute_capability, cpu_has_bf16, device},
    error::debug_as_display,
    net::LectureNetConfig,
};
use serde_json::{Value, json};
use std::{fmt, path::PathBuf};
use tch::{Device, Kind};

/// In what kind of numbers the layers compute. The weights themselves are
/// always kept in fp32.
///
/// ```
/// use nchw::prelude::*;
/// let recipe = Recipe { precision: Precision::Fp32, ..Recipe::quick() };
/// println!("{recipe:?}, at best {}", Precision::fastest(device()));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits. NVIDIA's GPUs since 2020 round what a convolution multiplies to 19 of
    /// them (TF32), as in PyTorch; `NVIDIA_TF32_OVERRIDE=0` in the environment keeps all.
    Fp32,
    /// 16 bits with the range of 32 (bfloat16): two to three times as fast where
    /// the hardware has it (GPUs of compute capability 8.0 or higher, CPUs with AVX-512-BF16
    /// or AMX).
    Bf16,
}

/// What the value of each choice must be that can be given as text.
const CHOICES: [(&str, &str); 15] = [
    ("epochs", "a whole number from 1 to 10000"),
    ("minutes", "a number from 0 (no limit) to 100000"),
    ("batch", "a whole number of at least 2 images (batch normalization needs a spread)"),
    ("peak_rate", "a learning rate above 0 and up to 100, such as 0.3"),
    ("warm_up", PART),
    ("head_pace", "a number above 0 and up to 1"),
    ("momentum", PART),
    ("weight_decay", PART),
    ("label_smoothing", PART),
    ("flip", "true or false"),
    ("shift", "a whole number of pixels from 0 to 16"),
    ("cutout", "a whole number of pixels from 0 to 24"),
    ("average", PART),
    ("seed", "a whole number from 0 to 18446744073709551615"),
    ("pooling", "true or false"),
];
const PART: &str = "a number from 0 up to, but not including, 1";

/// What is said about a value that a choice cannot have.
fn wrong(name: &str, got: &dyn fmt::Display) -> Error {
    let expected = CHOICES.iter().find(|(own, _)| *own == name).map_or("another value", |(_, text)| text);
    Error::new(format!("{name}: expected {expected}, got {got}"))
}

/// Whether a GPU of this compute capability (major, minor) has bf16 in hardware: from 8.0 on.
/// Where the capability is unknown, fp32 is the safe choice: every GPU has it.
fn gpu_has_bf16(capability: Option<(i32, i32)>) -> bool {
    capability.is_some_and(|(major, _)| major >= 8)
}

/// Refuses bf16 on a GPU that is known not to have it.
fn check_bf16(capability: Option<(i32, i32)>) -> Result<()> {
    match capability {
        Some((major, minor)) if !gpu_has_bf16(capability) => Err(Error::new(format!(
            "precision: expected fp32, got bf16: this GPU has compute capability {major}.{minor}, and bf16 needs \
             8.0 or higher. In a recipe: `precision: Precision::Fp32`; on the command line: `--precision fp32`"
        ))),
        _ => Ok(()),
    }
}

impl Precision {
    /// The fastest that this device computes in hardware.
    pub fn fastest(device: Device) -> Precision {
        let has_it = match device {
            Device::Cuda(number) => gpu_has_bf16(compute_capability(number)),
            Device::Cpu => cpu_has_bf16(),
            _ => false,
        };
        if has_it { Precision::Bf16 } else { Precision::Fp32 }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::Fp32 => "fp32",
            Precision::Bf16 => "bf16",
        })
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Precision> {
        match text {
            "fp32" => Ok(Precision::Fp32),
            "bf16" => Ok(Precision::Bf16),
            other => Err(Error::new(format!("expected the precision fp32 or bf16, got `{other}`"))),
        }
    }
}

/// How to train a [`LectureNet`](crate::net::LectureNet).
///
/// Begin with a preset and change what you like:
///
/// ```
/// use nchw::prelude::*;
/// let recipe = Recipe { epochs: 3, peak_rate: 0.1, ..Recipe::quick() };
/// assert_eq!(recipe.batch, Recipe::quick().batch);
/// ```
#[derive(Clone, PartialEq)]
pub struct Recipe {
    /// What it is called, in figures and as the name of its folder.
    pub name: String,
    /// The network.
    pub plan: LectureNetConfig,
    /// How often every picture is seen.
    pub epochs: usize,
    /// Minutes that the training may take at most, tests and checkpoints included: as
    /// many of the epochs are trained as fit, at least one, judged by a few steps that
    /// are timed beforehand. 0 for no limit.
    pub minutes: f64,
    /// Pictures to a step.
    pub batch: usize,
    /// The largest step size: it rises to it in a straight line, over the
    /// `warm_up` part of all steps, and falls to 0 in another.
    pub peak_rate: f64,
    /// See `peak_rate`; from 0 to 1.
    pub warm_up: f64,
    /// The head's step size, as a part of that of the convolutions: 2048 numbers
    /// above 0 go into each of its ten sums, so that a small step moves them far.
    pub head_pace: f64,
    /// How much of a step goes on in the next one (Nesterov's momentum).
    pub momentum: f64,
    /// How strongly weights are drawn to 0 (not those of batch normalisation).
    pub weight_decay: f64,
    /// How much of the truth is spread over all ten classes, 0 to 1.
    pub label_smoothing: f64,
    /// Whether pictures are mirrored left to right: each in every second epoch.
    pub flip: bool,
    /// Pictures are moved by up to so many pixels, the edge mirrored into the gap.
    pub shift: usize,
    /// A square of so many pixels is greyed out somewhere in every picture, so that
    /// no single part of it can be relied on (DeVries & Taylor, 2017, arXiv:1708.04552);
    /// 0 hides nothing.
    pub cutout: usize,
    /// What is tested and kept are weights averaged over about this part of
    /// all steps, 0 to 1; 0 takes the last ones as they are.
    pub average: f64,
    /// Decides the first weights, the order of the pictures, flips, shifts and cutouts.
    pub seed: u64,
    /// Where it computes.
    pub device: Device,
    /// In which numbers it computes.
    pub precision: Precision,
    /// Where checkpoint and log are kept; nothing for `runs/NAME-…` (or in the
    /// folder that `NCHW_RUNS` names), with an ending that differs as soon as the
    /// recipe or the data does.
    pub folder: Option<PathBuf>,
}

impl Recipe {
    /// Enough to see it learn: at most three minutes on two CPU cores, seconds on a GPU.
    pub fn quick() -> Recipe {
        Recipe { name: "quick".into(), epochs: 5, minutes: 3.0, ..Recipe::lecture() }
    }

    /// Beyond the lecture's accuracy, 84.4 %, in less than three minutes on two CPU
    /// cores that multiply matrices (AMX): 85.1 to 85.4 % on JPEG-compressed CIFAR-10.
    pub fn lecture() -> Recipe {
        let device = device();
        Recipe {
            name: "lecture".into(),
            plan: LectureNetConfig::default(),
            epochs: 7,
            minutes: 0.0,
            batch: 256,
            peak_rate: 0.3,
            warm_up: 0.2,
            head_pace: 0.05,
            momentum: 0.9,
            weight_decay: 5e-4,
            label_smoothing: 0.1,
            flip: true,
            shift: 2,
            cutout: 0,
            average: 0.04,
            seed: 1,
            device,
            precision: Precision::fastest(device),
            folder: None,
        }
    }

    /// As good as this network gets in an hour or two on two CPU cores, or in two
    /// minutes and a half on a large GPU: 90.4 % on JPEG-compressed CIFAR-10, the mean
    /// of three seeds (`assets/lecture-net.md`).
    pub fn best() -> Recipe {
        let lecture = Recipe::lecture();
        Recipe { name: "best".into(), epochs: 120, shift: 4, cutout: 10, ..lecture }
    }

    /// The preset of this name: quick, lecture or best.
    ///
    /// # Errors
    /// When there is no such preset.
    pub fn preset(name: &str) -> Result<Recipe> {
        match name {
            "quick" => Ok(Recipe::quick()),
            "lecture" => Ok(Recipe::lecture()),
            "best" => Ok(Recipe::best()),
            other => {
                Err(Error::new(format!("there is no preset `{other}`: expected quick, lecture or best")))
            }
        }
    }

    /// Changes one choice, given as text: `peak_rate=0.3`, `flip=false`.
    ///
    /// # Errors
    /// When there is no such choice (the message lists them), or the value is not of
    /// its kind. Whether it is in its range is checked when the training starts.
    pub fn set(&mut self, text: &str) -> Result<()> {
        fn read<T: std::str::FromStr>(choice: &mut T, name: &str, value: &str) -> Result<()> {
            let quoted = || if value.is_empty() { "nothing".to_owned() } else { format!("`{value}`") };
            *choice = value.parse().map_err(|_| wrong(name, &quoted()))?;
            Ok(())
        }
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let (name, value) = (name.trim(), value.trim());
        match name {
            "epochs" => read(&mut self.epochs, name, value),
            "minutes" => read(&mut self.minutes, name, value),
            "batch" => read(&mut self.batch, name, value),
            "peak_rate" => read(&mut self.peak_rate, name, value),
            "warm_up" => read(&mut self.warm_up, name, value),
            "head_pace" => read(&mut self.head_pace, name, value),
            "momentum" => read(&mut self.momentum, name, value),
            "weight_decay" => read(&mut self.weight_decay, name, value),
            "label_smoothing" => read(&mut self.label_smoothing, name, value),
            "flip" => read(&mut self.flip, name, value),
            "shift" => read(&mut self.shift, name, value),
            "cutout" => read(&mut self.cutout, name, value),
            "average" => read(&mut self.average, name, value),
            "seed" => read(&mut self.seed, name, value),
            "pooling" => read(&mut self.plan.pooling, name, value),
            other => {
                let names = CHOICES.map(|(name, _)| name).join(", ");
                Err(Error::new(format!(
                    "there is no choice `{other}`: expected one of {names}, as in `peak_rate=0.3`"
                )))
            }
        }
    }

    /// Whether every choice is in its range.
    pub(crate) fn check(&self) -> Result<()> {
        let is_part = |number: f64| (0.0..1.0).contains(&number);
        let (peak_rate, head_pace) = (self.peak_rate, self.head_pace);
        let choices: [(&str, bool, &dyn fmt::Display); 12] = [
            ("epochs", (1..=10_000).contains(&self.epochs), &self.epochs),
            ("minutes", (0.0..=100_000.0).contains(&self.minutes), &self.minutes),
            ("batch", self.batch >= 2, &self.batch),
            ("peak_rate", peak_rate > 0.0 && peak_rate <= 100.0, &peak_rate),
            ("warm_up", is_part(self.warm_up), &self.warm_up),
            ("head_pace", head_pace > 0.0 && head_pace <= 1.0, &head_pace),
            ("momentum", is_part(self.momentum), &self.momentum),
            ("weight_decay", is_part(self.weight_decay), &self.weight_decay),
            ("label_smoothing", is_part(self.label_smoothing), &self.label_smoothing),
            ("average", is_part(self.average), &self.average),
            ("shift", self.shift <= 16, &self.shift),
            ("cutout", self.cutout <= 24, &self.cutout),
        ];
        if let Some((name, _, got)) = choices.iter().find(|(_, fits, _)| !fits) {
            return Err(wrong(name, got));
        }
        match (self.precision, self.device) {
            (Precision::Bf16, Device::Cuda(number)) => check_bf16(compute_capability(number)),
            _ => Ok(()),
        }
    }

    /// The step size when this part of all steps is done, 0 to 1.
    pub(crate) fn rate(&self, done: f64) -> f64 {
        let rising = if self.warm_up > 0.0 { done / self.warm_up } else { 1.0 };
        let falling = (1.0 - done) / (1.0 - self.warm_up);
        self.peak_rate * rising.min(falling).max(0.0)
    }

    /// Every choice that changes what is learned, by name. Not among them: the
    /// name, the folder, and the minutes (what they come to is the epochs').
    pub(crate) fn choices(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("maps", json!(self.plan.maps)),
            ("pooling", json!(self.plan.pooling)),
            ("epochs", json!(self.epochs)),
            ("batch", json!(self.batch)),
            ("peak_rate", json!(self.peak_rate)),
            ("warm_up", json!(self.warm_up)),
            ("head_pace", json!(self.head_pace)),
            ("momentum", json!(self.momentum)),
            ("weight_decay", json!(self.weight_decay)),
            ("label_smoothing", json!(self.label_smoothing)),
            ("flip", json!(self.flip)),
            ("shift", json!(self.shift)),
            ("cutout", json!(self.cutout)),
            ("average", json!(self.average)),
            ("seed", json!(self.seed)),
            ("device", json!(if self.device == Device::Cpu { "cpu" } else { "cuda" })),
            ("precision", json!(self.precision.to_string())),
        ]
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choices = self.choices();
        let choices: Vec<String> =
            choices.iter().map(|(name, value)| format!("{name} {value}").replace('"', "")).collect();
        write!(f, "{}: {}", self.name, choices.join(", "))
    }
}

debug_as_display!(Recipe);

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of `check` after one choice was set.
    fn tried(text: &str) -> Result<()> {
        let mut recipe = Recipe { device: Device::Cpu, ..Recipe::lecture() };
        recipe.set(text)?;
        recipe.check()
    }

    #[test]
    fn every_choice_names_both_ends_of_its_range() {
        // Taken, and refused in `check` or, as text, in `set`.
        let cases: [(&str, &[&str], &[&str]); 15] = [
            ("epochs", &["1", "10000"], &["0", "10001", "1.5", "-1"]),
            ("minutes", &["0", "0.5", "100000"], &["-1", "100001"]),
            ("batch", &["2", "50000"], &["0", "1", "32.5"]),
            ("peak_rate", &["0.001", "100"], &["0", "-0.1", "100.5", "1000"]),
            ("warm_up", &["0", "0.99"], &["-0.1", "1"]),
            ("head_pace", &["0.001", "1"], &["0", "1.01"]),
            ("momentum", &["0", "0.99"], &["-0.1", "1"]),
            ("weight_decay", &["0", "0.99"], &["-0.1", "1"]),
            ("label_smoothing", &["0", "0.99"], &["-0.1", "1"]),
            ("flip", &["true", "false"], &["1", "yes"]),
            ("shift", &["0", "16"], &["17", "-1"]),
            ("cutout", &["0", "24"], &["25", "-1"]),
            ("average", &["0", "0.99"], &["-0.1", "1"]),
            ("seed", &["0", "18446744073709551615"], &["-1", "18446744073709551616"]),
            ("pooling", &["true", "false"], &["0", "no"]),
        ];
        assert_eq!(cases.map(|(name, ..)| name), CHOICES.map(|(name, _)| name));
        for ((name, good, bad), (_, expected)) in cases.into_iter().zip(CHOICES) {
            for value in good {
                tried(&format!("{name}={value}")).unwrap();
                tried(&format!(" {name} = {value} ")).unwrap();
            }
            for value in bad.iter().chain(&["NaN", "inf", "-inf", "", "fast", "0,3"]) {
                let error = tried(&format!("{name}={value}")).unwrap_err().to_string();
                let starts = format!("{name}: expected {expected}, got ");
                let got = error.strip_prefix(&starts).unwrap_or_else(|| panic!("{name}={value}: {error}"));
                let given = if value.is_empty() { "nothing" } else { value };
                assert_eq!(got.trim_matches('`'), given, "{name}");
            }
            assert!(tried(name).unwrap_err().to_string().ends_with("got nothing"), "{name}");
        }
        let error = tried("peak_rate=1000").unwrap_err().to_string();
        assert_eq!(error, "peak_rate: expected a learning rate above 0 and up to 100, such as 0.3, got 1000");
        let error = tried("speed=3").unwrap_err().to_string();
        assert!(error.contains("no choice `speed`: expected one of epochs, minutes, batch"), "{error}");
    }

    #[test]
    fn bf16_needs_a_gpu_of_compute_capability_8() {
        let gpus = [(None, false), (Some((7, 0)), false), (Some((7, 5)), false)];
        let newer = [(Some((8, 0)), true), (Some((8, 6)), true), (Some((9, 0)), true), (Some((10, 0)), true)];
        for (capability, expected) in gpus.into_iter().chain(newer) {
            assert_eq!(gpu_has_bf16(capability), expected, "{capability:?}");
            // Asked for by name, it is refused only where it is known to be missing.
            assert_eq!(check_bf16(capability).is_ok(), expected || capability.is_none(), "{capability:?}");
        }
        let error = check_bf16(Some((7, 5))).unwrap_err().to_string();
        assert!(error.contains("capability 7.5") && error.contains("`--precision fp32`"), "{error}");
    }
}
