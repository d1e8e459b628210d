//! The architecture of the lecture's network for CIFAR-10 (part 7): its layers, the names and shapes of
//! its parameters, and how its images are normalised.
//!
//! Three blocks of 3 × 3 convolutions, each followed by max pooling, and a fully connected head:
//! `[conv ×2, pool] [conv ×3, pool] [conv ×3, pool]`.

use crate::{
    Error, Result,
    shapes::{Chain, Layer, Op, batch_norm, conv, flatten, global_avg_pool, linear, max_pool, relu},
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The number of classes of CIFAR-10.
pub const CLASSES: i64 = 10;
/// The classes of CIFAR-10, in the order of their labels.
pub const CIFAR10_NAMES: [&str; CLASSES as usize] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
/// The most classes that a network can have.
pub const MAX_CLASSES: i64 = 1000;
/// The rows and columns of CIFAR-10's images.
pub const SIDE: i64 = 32;
/// What batch normalisation adds to the variance before the square root.
pub const EPSILON: f64 = 1e-5;
/// The mean of the red, green and blue of CIFAR-10's training images, scaled to 0 to 1. The
/// network's input is `(image - MEAN) / STD`.
pub const MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
/// The standard deviation of the same values; see [`MEAN`].
pub const STD: [f32; 3] = [0.2470, 0.2435, 0.2616];
/// The number of convolutions in each of the three blocks.
const CONVOLUTIONS: [usize; 3] = [2, 3, 3];
/// The key of the configuration in a weight file's metadata, and its name in older files.
const CONFIG: &str = "config";
const OLD_CONFIG: &str = "plan";
/// The key of the class names, a JSON list, in a weight file's metadata.
const NAMES: &str = "classes";

/// The configuration of a `LectureNet`; the default is the lecture's network.
///
/// ```
/// use nchw::prelude::*;
/// let config = LectureNetConfig { maps: [8, 16, 32], ..LectureNetConfig::default() };
/// println!("{:?}", config.chain().on([1, 3, 32, 32]));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LectureNetConfig {
    /// The number of feature maps (output channels) of each of the three blocks.
    pub maps: [i64; 3],
    /// Whether each block ends with max pooling.
    pub pooling: bool,
    /// The number of classes, which is the number of scores.
    pub classes: i64,
    /// The rows and columns of the images that it is trained on.
    pub side: i64,
    /// Whether the head gets the mean of each of the last feature maps (global average pooling) in place of all
    /// their numbers. Then images may have any size from 8 × 8 on, else only `side` × `side`.
    pub average: bool,
}

impl Default for LectureNetConfig {
    fn default() -> LectureNetConfig {
        LectureNetConfig { maps: [32, 64, 128], pooling: true, classes: CLASSES, side: SIDE, average: false }
    }
}

/// What [`LectureNetConfig::check`] needs to know of a tensor.
pub struct Given<'a> {
    /// Its name, such as `block1.conv1.weight`.
    pub name: &'a str,
    /// Its sizes.
    pub size: Vec<i64>,
    /// The kind of its numbers, for the message.
    pub kind: String,
    /// Whether its numbers are floating-point numbers.
    pub is_float: bool,
}

impl LectureNetConfig {
    /// The layers with their names, in order, for the shape arithmetic of [`crate::shapes`].
    pub fn layers(&self) -> Vec<(String, Layer)> {
        let mut layers = Vec::new();
        for (block, (maps, convolutions)) in (1..).zip(self.maps.into_iter().zip(CONVOLUTIONS)) {
            for number in 1..=convolutions {
                let name = |kind: &str| format!("block{block}.{kind}{number}");
                // No bias, because batch normalisation adds one.
                layers.push((name("conv"), conv(maps as u64, 3).same().nobias().into()));
                layers.push((name("norm"), batch_norm().into()));
                layers.push((name("relu"), relu().into()));
            }
            if self.pooling {
                layers.push((format!("block{block}.pool"), max_pool(2).into()));
            }
        }
        if self.average {
            layers.push(("average".into(), global_avg_pool().into()));
        }
        layers.push(("flatten".into(), flatten().into()));
        layers.push(("head".into(), linear(self.classes.max(0) as u64).into()));
        layers
    }

    /// The layers as a chain, for `chain.on([32, 3, 32, 32])`.
    pub fn chain(&self) -> Chain {
        self.layers().into_iter().map(|(_, layer)| layer).collect()
    }

    /// Names and shapes of the parameters and the running statistics.
    ///
    /// # Errors
    /// If the number of feature maps of a block is not from 1 to 4096, the number of classes
    /// not from 2 to 1000, or the side of the images not from 8 to 256.
    pub fn variables(&self) -> Result<Vec<(String, Vec<i64>)>> {
        if self.maps.iter().any(|maps| !(1..=4096).contains(maps)) {
            return Err(Error::new(format!(
                "expected 1 to 4096 maps in each of the three blocks, got {:?}; the lecture's are [32, 64, 128]",
                self.maps
            )));
        }
        if !(2..=MAX_CLASSES).contains(&self.classes) {
            return Err(Error::new(format!("expected 2 to {MAX_CLASSES} classes, got {}", self.classes)));
        }
        if !(8..=256).contains(&self.side) {
            return Err(Error::new(format!(
                "expected images of 8 to 256 rows and columns, got {}",
                self.side
            )));
        }
        let table = self.chain().on([1, 3, self.side as u64, self.side as u64]).ok()?;
        let mut variables = Vec::new();
        for ((name, layer), row) in self.layers().into_iter().zip(&table.rows) {
            let size = |sizes: &[u64]| sizes.iter().map(|n| *n as i64).collect::<Vec<i64>>();
            let norm = layer.op() == Op::BatchNorm;
            let parts: &[(&str, &[u64], bool)] = &[
                ("weight", &row.weight, true),
                ("bias", &row.bias, true),
                ("running_mean", &row.bias, norm),
                ("running_var", &row.bias, norm),
            ];
            let parts = parts.iter().filter(|(_, sizes, is_used)| *is_used && !sizes.is_empty());
            variables.extend(parts.map(|(part, sizes, _)| (format!("{name}.{part}"), size(sizes))));
        }
        Ok(variables)
    }

    /// Checks that these are the tensors of this network: no other names, shapes or kinds.
    ///
    /// # Errors
    /// If they are not: the message lists the first differences.
    pub fn check(&self, given: &[Given]) -> Result<()> {
        let by_name: HashMap<&str, &Given> = given.iter().map(|tensor| (tensor.name, tensor)).collect();
        let expected = self.variables()?;
        let mut differs = Vec::new();
        for (name, size) in &expected {
            match by_name.get(name.as_str()) {
                None => differs.push(format!("`{name}` {size:?} is missing")),
                Some(tensor) if tensor.size != *size => {
                    let axis = differing_axis(size, &tensor.size);
                    differs.push(format!("`{name}`: expected {size:?}, got {:?}{axis}", tensor.size));
                }
                Some(tensor) if !tensor.is_float => differs.push(format!(
                    "`{name}`: expected numbers of kind Float (Half, BFloat16 and Double are converted), got {}",
                    tensor.kind
                )),
                Some(_) => {}
            }
        }
        // PyTorch stores how many batches batch normalisation has seen.
        let known = |name: &str| {
            expected.iter().any(|(own, _)| own == name) || name.ends_with(".num_batches_tracked")
        };
        let unknown = given.iter().filter(|tensor| !known(tensor.name));
        differs.extend(unknown.map(|tensor| format!("`{}` is unknown", tensor.name)));
        let more = differs.len().saturating_sub(5);
        differs.truncate(5);
        if more > 0 {
            differs.push(format!("and {more} more"));
        }
        if differs.is_empty() {
            return Ok(());
        }
        let [one, two, three] = self.maps;
        let classes = match self.classes {
            CLASSES => String::new(),
            classes => format!(" and {classes} classes"),
        };
        Err(Error::new(format!(
            "these are not the weights of a LectureNet with {one}, {two} and {three} feature maps{classes}: {}",
            differs.join("; ")
        )))
    }

    /// Adds the configuration and the names of the classes to the metadata of a weight file.
    pub fn write_to(&self, names: &[String], notes: &mut HashMap<String, String>) {
        let LectureNetConfig { maps, pooling, classes, side, average } = self;
        let text =
            json!({ "maps": maps, "pooling": pooling, "classes": classes, "side": side, "average": average });
        notes.insert(CONFIG.to_owned(), text.to_string());
        notes.insert(NAMES.to_owned(), json!(names).to_string());
    }

    /// Reads the configuration from the metadata of a weight file. Older files, and those that PyTorch wrote,
    /// lack some of it: they get the default.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn read_from(notes: &HashMap<String, String>) -> Result<LectureNetConfig> {
        let Some(text) = notes.get(CONFIG).or_else(|| notes.get(OLD_CONFIG)) else {
            return Ok(LectureNetConfig::default());
        };
        LectureNetConfig::from_json(text)
            .ok_or_else(|| Error::new(format!("its config `{text}` cannot be read")))
    }

    /// Reads the names of the classes from the metadata of a weight file. Without names there, ten classes are those
    /// of CIFAR-10, and others are numbered.
    ///
    /// # Errors
    /// If the names cannot be read, or their number is not that of the classes.
    pub fn names_from(&self, notes: &HashMap<String, String>) -> Result<Vec<String>> {
        let Some(text) = notes.get(NAMES) else { return Ok(self.default_names()) };
        let names: Vec<String> = serde_json::from_str(text).map_err(|_| {
            Error::new(format!(
                "its class names `{text}` cannot be read: expected a list such as [\"cat\", \"dog\"]"
            ))
        })?;
        self.check_names(&names)?;
        Ok(names)
    }

    /// Refuses names unless there is one for each class, and all are different.
    ///
    /// # Errors
    /// If that is not so.
    pub fn check_names(&self, names: &[String]) -> Result<()> {
        if names.len() as i64 != self.classes {
            return Err(Error::new(format!(
                "expected a name for each of the network's {} classes, got {} names: {}",
                self.classes,
                names.len(),
                names.join(", ")
            )));
        }
        match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            Some((_, twice)) => Err(Error::new(format!(
                "two classes have the name `{twice}`: expected a different name for each"
            ))),
            None => Ok(()),
        }
    }

    /// The names of the classes if nobody gave them names.
    pub fn default_names(&self) -> Vec<String> {
        match self.classes {
            CLASSES => CIFAR10_NAMES.map(str::to_owned).to_vec(),
            classes => (0..classes).map(|class| format!("class {class}")).collect(),
        }
    }

    fn from_json(text: &str) -> Option<LectureNetConfig> {
        let value: Value = serde_json::from_str(text).ok()?;
        let maps: Vec<i64> = value["maps"].as_array()?.iter().map(Value::as_i64).collect::<Option<_>>()?;
        let [classes, side, average] = ["classes", "side", "average"].map(|name| &value[name]);
        Some(LectureNetConfig {
            maps: maps.try_into().ok()?,
            pooling: value["pooling"].as_bool()?,
            classes: if classes.is_null() { CLASSES } else { classes.as_i64()? },
            side: if side.is_null() { SIDE } else { side.as_i64()? },
            average: if average.is_null() { false } else { average.as_bool()? },
        })
    }
}

/// The first axis whose size differs, for a message; empty if the number of axes differs.
fn differing_axis(expected: &[i64], given: &[i64]) -> String {
    if expected.len() != given.len() {
        return String::new();
    }
    match expected.iter().zip(given).position(|(expected, given)| expected != given) {
        Some(axis) if expected.len() == 4 => format!(" (axis {})", ["N", "C", "H", "W"][axis]),
        Some(axis) => format!(" (axis {axis})"),
        None => String::new(),
    }
}
