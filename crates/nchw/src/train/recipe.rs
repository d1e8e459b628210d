//! How to train: every choice that changes what is learned.

use crate::{
    Error, Result,
    device::{cpu_has_bf16, device},
    error::debug_as_display,
    net::Plan,
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
    /// the hardware has it (GPUs since 2020, CPUs with AVX-512-BF16 or AMX).
    Bf16,
}

impl Precision {
    /// The fastest that this device computes in hardware.
    pub fn fastest(device: Device) -> Precision {
        let has_it = match device {
            Device::Cuda(_) => true,
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
    pub plan: Plan,
    /// How often every picture is seen.
    pub epochs: usize,
    /// Minutes that the training may take at most: as many of the epochs are
    /// trained as fit, judged by the first steps. 0 for no limit.
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
            plan: Plan::default(),
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
    /// When there is no such choice (the message lists them), or the value is no
    /// number for it.
    pub fn set(&mut self, text: &str) -> Result<()> {
        fn read<T: std::str::FromStr>(place: &mut T, name: &str, value: &str) -> Result<()> {
            let wrong = |_| Error::new(format!("{name}: `{value}` is no value for it"));
            value.parse().map(|value| *place = value).map_err(wrong)
        }
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
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
            other => Err(Error::new(format!(
                "there is no choice `{other}`: expected epochs, minutes, batch, peak_rate, warm_up, head_pace, momentum, \
                 weight_decay, label_smoothing, flip, shift, cutout, average, seed or pooling, as in `peak_rate=0.3`"
            ))),
        }
    }

    /// Whether every choice makes sense.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: &str, expected: &str, got: &dyn fmt::Display| {
            Err(Error::new(format!("{what}: expected {expected}, got {got}")))
        };
        if self.epochs == 0 || self.epochs > 10_000 {
            return wrong("epochs", "1 to 10000", &self.epochs);
        }
        if self.batch < 2 {
            return wrong(
                "batch",
                "at least 2 pictures to a step (batch normalisation needs a spread)",
                &self.batch,
            );
        }
        if !(self.peak_rate > 0.0 && self.peak_rate <= 100.0) {
            return wrong("peak_rate", "a step size above 0, such as 0.2", &self.peak_rate);
        }
        if !(self.head_pace > 0.0 && self.head_pace <= 1.0) {
            return wrong("head_pace", "a number above 0 and up to 1", &self.head_pace);
        }
        if self.shift > 16 {
            return wrong("shift", "0 to 16 pixels", &self.shift);
        }
        if self.cutout > 24 {
            return wrong("cutout", "0 to 24 pixels", &self.cutout);
        }
        if !(self.minutes >= 0.0 && self.minutes.is_finite()) {
            return wrong("minutes", "0 (no limit) or more", &self.minutes);
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay < 1.0) {
            return wrong("weight_decay", "a number from 0 to 1, such as 0.0005", &self.weight_decay);
        }
        let parts = [
            ("warm_up", self.warm_up),
            ("momentum", self.momentum),
            ("label_smoothing", self.label_smoothing),
            ("average", self.average),
        ];
        for (what, part) in parts {
            if !(0.0..1.0).contains(&part) {
                return wrong(what, "a number from 0 up to, but not including, 1", &part);
            }
        }
        Ok(())
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
