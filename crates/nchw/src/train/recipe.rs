//! The training recipe: every option that changes the result of a training.

use super::batches::Augmentation;
use crate::{
    Error, Result,
    device::{compute_capability, cpu_has_bf16, device, kind},
    error::debug_as_display,
    net::LectureNetConfig,
};
use serde_json::{Value, json};
use std::{fmt, path::PathBuf};
use tch::{Device, Kind};

/// The number format in which the layers compute. The parameters are always stored in fp32.
///
/// ```
/// use nchw::prelude::*;
/// let recipe = Recipe { precision: Precision::Fp32, ..Recipe::quick() };
/// println!("{recipe:?}; fastest here: {}", Precision::fastest(device()));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits. As in PyTorch, NVIDIA GPUs since 2020 round the inputs of a convolution to
    /// 19 bits (TF32); the environment variable `NVIDIA_TF32_OVERRIDE=0` turns this off.
    Fp32,
    /// 16 bits with the range of fp32 (bfloat16): two to three times as fast if the hardware
    /// supports it (GPUs of compute capability 8.0 or higher, CPUs with AVX-512-BF16 or AMX).
    Bf16,
}

/// The options that [`Recipe::set`] accepts, with the values that each of them may have.
const OPTIONS: [(&str, &str); 15] = [
    ("epochs", "a whole number from 1 to 10000"),
    ("minutes", "a number from 0 (no limit) to 100000"),
    ("batch_size", "a whole number of at least 2 images (batch normalisation needs a variance)"),
    ("max_lr", "a learning rate above 0 and up to 100, such as 0.3"),
    ("warm_up", FRACTION),
    ("head_lr_scale", "a number above 0 and up to 1"),
    ("momentum", FRACTION),
    ("weight_decay", FRACTION),
    ("label_smoothing", FRACTION),
    ("flip", "true or false"),
    ("shift", "a whole number of pixels from 0 to 16"),
    ("cutout", "a whole number of pixels from 0 to 24"),
    ("average", FRACTION),
    ("seed", "a whole number from 0 to 18446744073709551615"),
    ("pooling", "true or false"),
];
const FRACTION: &str = "a number from 0 up to, but not including, 1";

/// Options that were renamed: the old name and the present one.
const RENAMED: [(&str, &str); 3] =
    [("batch", "batch_size"), ("peak_rate", "max_lr"), ("head_pace", "head_lr_scale")];

/// The name that an option had before it was renamed; else its present name.
pub(super) fn old_name(name: &str) -> &str {
    RENAMED.iter().find(|(_, new)| *new == name).map_or(name, |(old, _)| old)
}

fn invalid_value(name: &str, got: &dyn fmt::Display) -> Error {
    let expected = OPTIONS.iter().find(|(option, _)| *option == name);
    let expected = expected.map_or("another value", |(_, text)| text);
    Error::new(format!("{name}: expected {expected}, got {got}"))
}

fn unknown_option(name: &str, value: &str) -> Error {
    if let Some((old, new)) = RENAMED.iter().find(|(old, _)| *old == name) {
        let value = if value.is_empty() { "VALUE" } else { value };
        return Error::new(format!("`{old}` is now called `{new}`: `--set {new}={value}`"));
    }
    let names = OPTIONS.map(|(name, _)| name).join(", ");
    Error::new(format!("there is no option `{name}`: expected one of {names}, as in `max_lr=0.3`"))
}

/// Whether a GPU of this compute capability (major, minor) has bf16 in hardware: from 8.0 on.
/// If the capability is unknown, the answer is no, because every GPU has fp32.
fn gpu_has_bf16(capability: Option<(i32, i32)>) -> bool {
    capability.is_some_and(|(major, _)| major >= 8)
}

/// Refuses bf16 on a GPU that is known not to support it.
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
    /// The fastest precision that this device supports in hardware.
    pub fn fastest(device: Device) -> Precision {
        let has_bf16 = match device {
            Device::Cuda(number) => gpu_has_bf16(compute_capability(number)),
            Device::Cpu => cpu_has_bf16(),
            _ => false,
        };
        if has_bf16 { Precision::Bf16 } else { Precision::Fp32 }
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
/// Start from a preset and change single options:
///
/// ```
/// use nchw::prelude::*;
/// let recipe = Recipe { epochs: 3, max_lr: 0.1, ..Recipe::quick() };
/// assert_eq!(recipe.batch_size, Recipe::quick().batch_size);
/// ```
#[derive(Clone, PartialEq)]
pub struct Recipe {
    /// The name of the training, in figures and in the name of its folder.
    pub name: String,
    /// The network: channels per block, and whether there is pooling.
    pub config: LectureNetConfig,
    /// How many times the training sees every image.
    pub epochs: usize,
    /// The longest time that the training may take, in minutes, including tests and
    /// checkpoints; 0 for no limit. The training times a few steps first, and then trains
    /// as many of the `epochs` as fit, but at least one.
    pub minutes: f64,
    /// How many images a step uses.
    pub batch_size: usize,
    /// The maximum learning rate. The learning rate rises linearly to it during `warm_up`,
    /// then falls linearly to 0.
    pub max_lr: f64,
    /// The fraction of all steps in which the learning rate rises, 0 to 1.
    pub warm_up: f64,
    /// The learning rate of the head, as a multiple of the learning rate of the convolutions.
    /// It is small, because each of the head's ten sums adds up 2,048 activations, so that a
    /// small change of the weights changes the sum a lot.
    pub head_lr_scale: f64,
    /// Nesterov momentum: the fraction of the previous update that is added to the next one.
    pub momentum: f64,
    /// Weight decay, for the weights of convolutions and of the head (not for biases and
    /// batch normalisation).
    pub weight_decay: f64,
    /// Label smoothing: the fraction of the target that is spread over all ten classes, 0 to 1.
    pub label_smoothing: f64,
    /// Whether images are mirrored left to right: each image in every second epoch.
    pub flip: bool,
    /// Images are shifted at random by up to this many pixels; the gap is filled by
    /// reflection at the edge.
    pub shift: usize,
    /// The side length of a square at a random position of every image that is filled with
    /// grey, so that the network cannot rely on a single part of the image (DeVries & Taylor,
    /// 2017, arXiv:1708.04552); 0 turns it off.
    pub cutout: usize,
    /// The network that is tested and saved has weights averaged over about this fraction of
    /// all steps, 0 to 1 (an exponential moving average); 0 takes the latest weights.
    pub average: f64,
    /// The seed of all random numbers: initial weights, order of the images, flips, shifts
    /// and cutouts.
    pub seed: u64,
    /// The device that trains. `Device::Mps`, the GPU of a Mac, is never chosen by itself: it is not tested.
    pub device: Device,
    /// The number format in which the layers compute.
    pub precision: Precision,
    /// The folder for checkpoint, log and weights. `None` means `runs/NAME-…` (or a folder
    /// `NAME-…` in the one that `NCHW_RUNS` names); the suffix depends on the recipe and on
    /// the data.
    pub folder: Option<PathBuf>,
}

impl Recipe {
    /// A short training: at most three minutes on two CPU cores, seconds on a GPU. Its learning rate is
    /// smaller than that of [`lecture`](Recipe::lecture): with few images it makes few steps, and with 0.3
    /// they are too large for some data (the network stays at chance on 5,000 images of Shapes-10).
    pub fn quick() -> Recipe {
        Recipe { name: "quick".into(), epochs: 5, minutes: 3.0, max_lr: 0.1, ..Recipe::lecture() }
    }

    /// Exceeds the lecture's accuracy of 84.4 % in less than three minutes on two CPU
    /// cores with AMX (matrix multiplication in hardware): 85.1 to 85.4 % on
    /// JPEG-compressed CIFAR-10.
    pub fn lecture() -> Recipe {
        let device = device();
        Recipe {
            name: "lecture".into(),
            config: LectureNetConfig::default(),
            epochs: 7,
            minutes: 0.0,
            batch_size: 256,
            max_lr: 0.3,
            warm_up: 0.2,
            head_lr_scale: 0.05,
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

    /// The best accuracy that we reached with this network: 90.4 % on JPEG-compressed
    /// CIFAR-10, the mean of three seeds (`assets/lecture-net.md`). Takes an hour or two on
    /// two CPU cores, or two and a half minutes on a large GPU.
    pub fn best() -> Recipe {
        let lecture = Recipe::lecture();
        Recipe { name: "best".into(), epochs: 120, shift: 4, cutout: 10, ..lecture }
    }

    /// The preset with this name: quick, lecture or best.
    ///
    /// # Errors
    /// If there is no such preset.
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

    /// Sets one option, given as text: `max_lr=0.3`, `flip=false`.
    ///
    /// # Errors
    /// If there is no such option (the message lists all, or gives the new name of an option
    /// that was renamed), or if the value cannot be parsed. Its range is checked when the
    /// training starts.
    pub fn set(&mut self, text: &str) -> Result<()> {
        fn parse<T: std::str::FromStr>(option: &mut T, name: &str, value: &str) -> Result<()> {
            let quoted = || if value.is_empty() { "nothing".to_owned() } else { format!("`{value}`") };
            *option = value.parse().map_err(|_| invalid_value(name, &quoted()))?;
            Ok(())
        }
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let (name, value) = (name.trim(), value.trim());
        match name {
            "epochs" => parse(&mut self.epochs, name, value),
            "minutes" => parse(&mut self.minutes, name, value),
            "batch_size" => parse(&mut self.batch_size, name, value),
            "max_lr" => parse(&mut self.max_lr, name, value),
            "warm_up" => parse(&mut self.warm_up, name, value),
            "head_lr_scale" => parse(&mut self.head_lr_scale, name, value),
            "momentum" => parse(&mut self.momentum, name, value),
            "weight_decay" => parse(&mut self.weight_decay, name, value),
            "label_smoothing" => parse(&mut self.label_smoothing, name, value),
            "flip" => parse(&mut self.flip, name, value),
            "shift" => parse(&mut self.shift, name, value),
            "cutout" => parse(&mut self.cutout, name, value),
            "average" => parse(&mut self.average, name, value),
            "seed" => parse(&mut self.seed, name, value),
            "pooling" => parse(&mut self.config.pooling, name, value),
            other => Err(unknown_option(other, value)),
        }
    }

    /// Checks that every option is in its range.
    pub(crate) fn check(&self) -> Result<()> {
        let is_fraction = |number: f64| (0.0..1.0).contains(&number);
        let (max_lr, head_lr_scale) = (self.max_lr, self.head_lr_scale);
        let options: [(&str, bool, &dyn fmt::Display); 12] = [
            ("epochs", (1..=10_000).contains(&self.epochs), &self.epochs),
            ("minutes", (0.0..=100_000.0).contains(&self.minutes), &self.minutes),
            ("batch_size", self.batch_size >= 2, &self.batch_size),
            ("max_lr", max_lr > 0.0 && max_lr <= 100.0, &max_lr),
            ("warm_up", is_fraction(self.warm_up), &self.warm_up),
            ("head_lr_scale", head_lr_scale > 0.0 && head_lr_scale <= 1.0, &head_lr_scale),
            ("momentum", is_fraction(self.momentum), &self.momentum),
            ("weight_decay", is_fraction(self.weight_decay), &self.weight_decay),
            ("label_smoothing", is_fraction(self.label_smoothing), &self.label_smoothing),
            ("average", is_fraction(self.average), &self.average),
            ("shift", self.shift <= 16, &self.shift),
            ("cutout", self.cutout <= 24, &self.cutout),
        ];
        if let Some((name, _, got)) = options.iter().find(|(_, is_valid, _)| !is_valid) {
            return Err(invalid_value(name, got));
        }
        match (self.precision, self.device) {
            (Precision::Bf16, Device::Cuda(number)) => check_bf16(compute_capability(number)),
            _ => Ok(()),
        }
    }

    /// The learning rate after this fraction of all steps, 0 to 1.
    pub(crate) fn lr(&self, done: f64) -> f64 {
        let rising = if self.warm_up > 0.0 { done / self.warm_up } else { 1.0 };
        let falling = (1.0 - done) / (1.0 - self.warm_up);
        self.max_lr * rising.min(falling).max(0.0)
    }

    /// The random changes of the images.
    pub(super) fn augmentation(&self) -> Augmentation {
        let Recipe { seed, flip, shift, cutout, .. } = *self;
        Augmentation { seed, flip, shift, cutout }
    }

    /// Every option that changes the result of the training, by name. Name and folder are not
    /// among them, and neither is `minutes`: it only determines the number of epochs.
    pub(crate) fn options(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("maps", json!(self.config.maps)),
            ("pooling", json!(self.config.pooling)),
            ("epochs", json!(self.epochs)),
            ("batch_size", json!(self.batch_size)),
            ("max_lr", json!(self.max_lr)),
            ("warm_up", json!(self.warm_up)),
            ("head_lr_scale", json!(self.head_lr_scale)),
            ("momentum", json!(self.momentum)),
            ("weight_decay", json!(self.weight_decay)),
            ("label_smoothing", json!(self.label_smoothing)),
            ("flip", json!(self.flip)),
            ("shift", json!(self.shift)),
            ("cutout", json!(self.cutout)),
            ("average", json!(self.average)),
            ("seed", json!(self.seed)),
            ("device", json!(kind(self.device))),
            ("precision", json!(self.precision.to_string())),
        ]
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = self.options();
        let options: Vec<String> =
            options.iter().map(|(name, value)| format!("{name} {value}").replace('"', "")).collect();
        write!(f, "{}: {}", self.name, options.join(", "))
    }
}

debug_as_display!(Recipe);

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets one option, then checks the recipe.
    fn set_and_check(text: &str) -> Result<()> {
        let mut recipe = Recipe { device: Device::Cpu, ..Recipe::lecture() };
        recipe.set(text)?;
        recipe.check()
    }

    #[test]
    fn every_option_has_a_range_and_names_it() {
        // Valid values, and values that `set` or `check` refuses.
        let cases: [(&str, &[&str], &[&str]); 15] = [
            ("epochs", &["1", "10000"], &["0", "10001", "1.5", "-1"]),
            ("minutes", &["0", "0.5", "100000"], &["-1", "100001"]),
            ("batch_size", &["2", "50000"], &["0", "1", "32.5"]),
            ("max_lr", &["0.001", "100"], &["0", "-0.1", "100.5", "1000"]),
            ("warm_up", &["0", "0.99"], &["-0.1", "1"]),
            ("head_lr_scale", &["0.001", "1"], &["0", "1.01"]),
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
        assert_eq!(cases.map(|(name, ..)| name), OPTIONS.map(|(name, _)| name));
        for ((name, valid, invalid), (_, expected)) in cases.into_iter().zip(OPTIONS) {
            for value in valid {
                set_and_check(&format!("{name}={value}")).unwrap();
                set_and_check(&format!(" {name} = {value} ")).unwrap();
            }
            for value in invalid.iter().chain(&["NaN", "inf", "-inf", "", "fast", "0,3"]) {
                let error = set_and_check(&format!("{name}={value}")).unwrap_err().to_string();
                let starts = format!("{name}: expected {expected}, got ");
                let got = error.strip_prefix(&starts).unwrap_or_else(|| panic!("{name}={value}: {error}"));
                let given = if value.is_empty() { "nothing" } else { value };
                assert_eq!(got.trim_matches('`'), given, "{name}");
            }
            assert!(set_and_check(name).unwrap_err().to_string().ends_with("got nothing"), "{name}");
        }
        let error = set_and_check("max_lr=1000").unwrap_err().to_string();
        assert_eq!(error, "max_lr: expected a learning rate above 0 and up to 100, such as 0.3, got 1000");
        let error = set_and_check("speed=3").unwrap_err().to_string();
        assert!(error.contains("no option `speed`: expected one of epochs, minutes, batch_size"), "{error}");
    }

    #[test]
    fn the_old_name_of_an_option_gives_the_new_one() {
        for (text, expected) in [
            ("peak_rate=0.3", "`peak_rate` is now called `max_lr`: `--set max_lr=0.3`"),
            ("head_pace = 0.1", "`head_pace` is now called `head_lr_scale`: `--set head_lr_scale=0.1`"),
            ("batch=64", "`batch` is now called `batch_size`: `--set batch_size=64`"),
            ("batch", "`batch` is now called `batch_size`: `--set batch_size=VALUE`"),
        ] {
            assert_eq!(set_and_check(text).unwrap_err().to_string(), expected);
        }
        for (old, new) in RENAMED {
            assert!(OPTIONS.iter().any(|(name, _)| *name == new), "{new}");
            assert_eq!((old_name(new), old_name("epochs")), (old, "epochs"));
        }
    }

    #[test]
    fn bf16_needs_a_gpu_of_compute_capability_8() {
        let gpus = [(None, false), (Some((7, 0)), false), (Some((7, 5)), false)];
        let newer = [(Some((8, 0)), true), (Some((8, 6)), true), (Some((9, 0)), true), (Some((10, 0)), true)];
        for (capability, expected) in gpus.into_iter().chain(newer) {
            assert_eq!(gpu_has_bf16(capability), expected, "{capability:?}");
            // An explicit bf16 is refused only on a GPU that is known not to support it.
            assert_eq!(check_bf16(capability).is_ok(), expected || capability.is_none(), "{capability:?}");
        }
        let error = check_bf16(Some((7, 5))).unwrap_err().to_string();
        assert!(error.contains("capability 7.5") && error.contains("`--precision fp32`"), "{error}");
    }
}
