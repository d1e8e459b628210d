//! The lecture's network for CIFAR-10 (part 7) in libtorch. Its layers and the names of its parameters are
//! in `nchw_core::lecture`.

use crate::{
    Error, Result, check,
    check::{check_finite, is_float},
    device::cpu_has_bf16,
    error::debug_as_display,
    init::{INITIAL_WEIGHTS, init_like_pytorch},
    lecture::{CLASSES, EPSILON, Given, LectureNetConfig},
    normalise::normalised,
    random::Rng,
    shapes::Op,
    summary::{Layered, Layers},
    weights::Weights,
};
use std::{collections::HashMap, fmt, path::Path};
use tch::{Device, Kind, Tensor, nn};

/// The lecture's network.
///
/// ```
/// use nchw::prelude::*;
/// let net = LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu)?;
/// let images = Tensor::zeros([5, 3, 32, 32], (Kind::Uint8, Device::Cpu));
/// assert_eq!(net.logits(&images)?.size(), [5, 10]);
/// assert_eq!(net.map(&images, "block2")?.size(), [5, 64, 8, 8]);
/// # Ok::<(), nchw::Error>(())
/// ```
///
/// # Source
/// Lecture part 7.
pub struct LectureNet {
    config: LectureNetConfig,
    /// The names of the classes.
    classes: Vec<String>,
    variables: nn::VarStore,
    steps: Vec<(String, Step)>,
}

/// The seed of the new head of [`LectureNet::with_classes`].
const HEAD_SEED: u64 = 1;

/// Names of classes, owned.
pub(crate) fn owned<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}

/// A layer with its parameters.
enum Step {
    Conv { weight: Tensor },
    Norm { weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor },
    Relu,
    Pool,
    Average,
    Flatten,
    Linear { weight: Tensor, bias: Tensor },
}

impl LectureNet {
    /// An untrained network, initialised as in PyTorch: the weights are uniformly distributed in
    /// ±1/√(inputs of a filter). The same seed gives the same weights on every machine.
    ///
    /// # Errors
    /// If the number of feature maps of a block is not from 1 to 4096, or the device is not
    /// available.
    pub fn new(config: LectureNetConfig, seed: u64, device: Device) -> Result<LectureNet> {
        let sizes: HashMap<String, Vec<i64>> = config.variables()?.into_iter().collect();
        // An error if the device is not available, where tch's variables would panic.
        let _ = Tensor::f_zeros([1], (Kind::Float, device))?;
        let variables = nn::VarStore::new(device);
        let mut rng = Rng::new(seed, INITIAL_WEIGHTS);
        let mut steps = Vec::new();
        for (name, layer) in config.layers() {
            let path = name.split('.').fold(variables.root(), |path, part| path / part);
            let size = |part: &str| sizes.get(&format!("{name}.{part}")).map_or(&[][..], Vec::as_slice);
            let (weight, maps) = (size("weight"), size("bias"));
            steps.push((
                name,
                match layer.op() {
                    Op::Conv => {
                        let weight = path.zeros("weight", weight);
                        init_like_pytorch(&mut rng, &weight, None);
                        Step::Conv { weight }
                    }
                    Op::BatchNorm => Step::Norm {
                        weight: path.ones("weight", maps),
                        bias: path.zeros("bias", maps),
                        mean: path.zeros_no_train("running_mean", maps),
                        variance: path.ones_no_train("running_var", maps),
                    },
                    Op::Linear => {
                        let (weight, bias) = (path.zeros("weight", weight), path.zeros("bias", maps));
                        init_like_pytorch(&mut rng, &weight, Some(&bias));
                        Step::Linear { weight, bias }
                    }
                    Op::Relu => Step::Relu,
                    Op::MaxPool => Step::Pool,
                    Op::GlobalAvgPool => Step::Average,
                    _ => Step::Flatten,
                },
            ));
        }
        Ok(LectureNet { config, classes: config.default_names(), variables, steps })
    }

    /// The network that comes with the course, trained on CIFAR-10 for 120 epochs.
    ///
    /// # Errors
    /// Never, unless the course's files are damaged.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let net = LectureNet::shipped()?;
    /// assert_eq!(net.logits(&Cifar10::samples()?.images)?.size(), [20, 10]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn shipped() -> Result<LectureNet> {
        let Weights { tensors, .. } = Weights::parse(include_bytes!("../../assets/lecture-net.safetensors"))?;
        LectureNet::from_tensors(LectureNetConfig::default(), &tensors, Device::Cpu)
    }

    /// A network with weights from a file that [`LectureNet::save`] or PyTorch wrote.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged, or if its tensors have other names or shapes
    /// than the network's: the message lists the differences.
    pub fn load(path: impl AsRef<Path>) -> Result<LectureNet> {
        let path = path.as_ref();
        let Weights { tensors, notes } = Weights::read(path)?;
        let loaded = LectureNetConfig::read_from(&notes).and_then(|config| {
            let classes = config.names_from(&notes)?;
            Ok(LectureNet { classes, ..LectureNet::from_tensors(config, &tensors, Device::Cpu)? })
        });
        loaded.map_err(|e| Error::new(format!("{}: {e}", path.display())))
    }

    /// Writes the weights to a safetensors file, with their hash, the configuration and the names of the classes.
    ///
    /// # Errors
    /// If the file cannot be written; an existing file is then unchanged.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(HashMap::new(), path.as_ref())
    }

    /// Like [`LectureNet::save`], with metadata on the origin of the weights.
    pub(crate) fn save_with(&self, mut notes: HashMap<String, String>, path: &Path) -> Result<()> {
        self.config.write_to(&self.classes, &mut notes);
        Weights { tensors: self.variables(), notes }.write(path)
    }

    /// The bytes of the file that [`LectureNet::save`] writes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        let mut notes = HashMap::new();
        self.config.write_to(&self.classes, &mut notes);
        Weights { tensors: self.variables(), notes }.bytes()
    }

    /// A network with these weights.
    pub(crate) fn from_tensors(
        config: LectureNetConfig,
        tensors: &[(String, Tensor)],
        device: Device,
    ) -> Result<LectureNet> {
        let given: HashMap<&str, &Tensor> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
        // Checked before memory is allocated: a damaged file may request more than there is.
        let sizes = tensors.iter().map(|(name, tensor)| Given {
            name,
            size: tensor.size(),
            kind: format!("{:?}", tensor.kind()),
            is_float: is_float(tensor.kind()),
        });
        config.check(&sizes.collect::<Vec<_>>())?;
        let net = LectureNet::new(config, 0, device)?;
        for (name, mut variable) in net.variables() {
            if let Some(tensor) = given.get(name.as_str()) {
                tch::no_grad(|| variable.f_copy_(tensor))?;
            }
        }
        net.check_weights()?;
        Ok(net)
    }

    /// Refuses weights that are not finite and negative variances, because all logits would be NaN.
    fn check_weights(&self) -> Result<()> {
        for (name, tensor) in self.variables() {
            let advice = "A training that diverged leaves such weights: use those of an earlier epoch, or train \
                          again with a smaller `max_lr`";
            check_finite(&format!("`{name}`"), &tensor, advice)?;
            if name.ends_with("running_var") && tensor.f_min()?.f_double_value(&[])? < 0.0 {
                return Err(Error::new(format!(
                    "`{name}` holds a negative number, and a variance is never negative. {advice}"
                )));
            }
        }
        Ok(())
    }

    /// The same network on another device.
    ///
    /// # Errors
    /// If the device is not available.
    pub fn to_device(&self, device: Device) -> Result<LectureNet> {
        let net = LectureNet::from_tensors(self.config, &self.variables(), device)?;
        Ok(LectureNet { classes: self.classes.clone(), ..net })
    }

    /// The names of the classes, in the order of the scores.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The same network for other classes: the convolutions keep their weights, and the head gets new ones.
    ///
    /// This network stays as it is. Train the copy with [`LectureNet::train_head`], then [`LectureNet::train_all`].
    ///
    /// # Errors
    /// If there are not 2 to 1000 names, or two are the same.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let net = LectureNet::shipped()?.with_classes(["cat", "dog", "고양이"])?;
    /// let images = Tensor::zeros([5, 3, 32, 32], (Kind::Uint8, Device::Cpu));
    /// assert_eq!(net.logits(&images)?.size(), [5, 3]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn with_classes<S: AsRef<str>>(&self, names: impl AsRef<[S]>) -> Result<LectureNet> {
        self.with_head(owned(names.as_ref()), self.config)
    }

    /// Like [`LectureNet::with_classes`], for images of `side` × `side`: the head gets the mean of each map of the last
    /// block (global average pooling), because it would have weights for one size only.
    ///
    /// # Errors
    /// As [`LectureNet::with_classes`], and if `side` is not from 8 to 256.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let net = LectureNet::shipped()?.with_classes_at(["circle", "square"], 64)?;
    /// let images = Tensor::zeros([5, 3, 64, 64], (Kind::Uint8, Device::Cpu));
    /// assert_eq!(net.logits(&images)?.size(), [5, 2]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn with_classes_at<S: AsRef<str>>(&self, names: impl AsRef<[S]>, side: usize) -> Result<LectureNet> {
        let side = i64::try_from(side).unwrap_or(i64::MAX);
        self.with_head(owned(names.as_ref()), LectureNetConfig { side, average: true, ..self.config })
    }

    fn with_head(&self, classes: Vec<String>, config: LectureNetConfig) -> Result<LectureNet> {
        let config = LectureNetConfig { classes: classes.len() as i64, ..config };
        let net = LectureNet::new(config, HEAD_SEED, self.device())?;
        config.check_names(&classes)?;
        let own: HashMap<String, Tensor> = self.variables().into_iter().collect();
        for (name, mut variable) in net.variables() {
            if let Some(tensor) = own.get(&name).filter(|_| !name.starts_with("head.")) {
                tch::no_grad(|| variable.f_copy_(tensor))?;
            }
        }
        Ok(LectureNet { classes, ..net })
    }

    /// The device of the network.
    pub fn device(&self) -> Device {
        self.variables.device()
    }

    /// The configuration of the network.
    pub fn config(&self) -> LectureNetConfig {
        self.config
    }

    /// The number of parameters: weights and biases.
    pub fn parameters(&self) -> i64 {
        self.variables.trainable_variables().iter().map(|v| v.numel() as i64).sum()
    }

    /// The logits: one score per class. The largest one is the prediction;
    /// `softmax(-1, Kind::Float)` converts them to probabilities.
    ///
    /// # Shapes
    /// `[N, 3, 32, 32]`, bytes or numbers from 0 to 1 → `[N, 10]`, one score per class. If the head averages the
    /// maps, rows and columns may be any from 8 on.
    ///
    /// # Errors
    /// If the images have another shape or kind.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor> {
        self.check_size(images)?;
        let logits = tch::no_grad(|| self.forward(&normalised(images, self.device())?, false))?;
        check_output(&logits)?;
        Ok(logits)
    }

    /// Refuses images of a size that the head has no weights for.
    pub(crate) fn check_size(&self, images: &Tensor) -> Result<()> {
        let size = images.size();
        match size[..] {
            [_, _, h, w] if self.classifies(h, w) => Ok(()),
            [_, 3, h, w] if self.config.average => Err(Error::new(format!(
                "expected images of at least 8 rows and columns, got {h} rows (H) and {w} columns (W): the network \
                 halves them three times"
            ))),
            _ if self.config.average => check(images, "N C=3 H W").map(|_| ()),
            _ => check(images, &format!("N C=3 H={0} W={0}", self.config.side)).map(|_| ()),
        }
    }

    /// Whether the network gives scores for images of this size: that of its images, or any from 8 × 8 on if its head averages
    /// the maps.
    pub(crate) fn classifies(&self, height: i64, width: i64) -> bool {
        match self.config.average {
            true => height >= 8 && width >= 8,
            false => [height, width] == [self.config.side; 2],
        }
    }

    /// The feature maps after a layer, such as `block1.conv2`, or after a block, such as `block1`.
    ///
    /// # Shapes
    /// `[N, 3, H, W]`, bytes or numbers from 0 to 1 → `[N, C, H', W']`. Up to the last block, H and
    /// W are free; the head needs 32 × 32.
    ///
    /// # Errors
    /// If there is no such layer (the message lists all), or the images have another shape or kind.
    pub fn map(&self, images: &Tensor, name: &str) -> Result<Tensor> {
        let last = self.position(name)?;
        Ok(self.run(images, last + 1)?.swap_remove(last).1)
    }

    /// The index of a layer, or of the last layer of a block.
    ///
    /// # Errors
    /// If there is no such layer: the message lists all.
    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        let last = self.names().rposition(|layer| layer == name || is_in_block(layer, name));
        last.ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::new(format!(
                "there is no layer `{name}`; expected block1, block2, block3 or one of: {}",
                names.join(", ")
            ))
        })
    }

    /// The filters of a convolution.
    ///
    /// # Shapes
    /// → `[N filters, C, 3, 3]`
    ///
    /// # Errors
    /// If the layer is not a convolution: the message lists all convolutions.
    pub fn filters(&self, name: &str) -> Result<Tensor> {
        let found = self.steps.iter().find(|(layer, _)| layer == name);
        match found {
            Some((_, Step::Conv { weight })) => Ok(weight.f_detach()?),
            _ => {
                let convolutions = self.steps.iter().filter(|(_, step)| matches!(step, Step::Conv { .. }));
                let names: Vec<&str> = convolutions.map(|(name, _)| name.as_str()).collect();
                Err(Error::new(format!(
                    "`{name}` is no convolution and has no filters; expected one of: {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// The same network with one feature map switched off: this channel of this block or layer is
    /// 0 everywhere, for every image.
    ///
    /// The weights that compute the map are set to 0. For ReLU and pooling, these are the ones of
    /// the batch normalisation before them, because both turn 0 into 0.
    ///
    /// # Errors
    /// If there is no such layer, or it has no such channel.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let net = LectureNet::new(LectureNetConfig::default(), 7, Device::Cpu)?;
    /// let images = Tensor::ones([2, 3, 32, 32], (Kind::Float, Device::Cpu));
    /// let map = net.without("block2", 41)?.map(&images, "block2")?.i((.., 41));
    /// assert_eq!(map.abs().max().double_value(&[]), 0.0);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn without(&self, name: &str, channel: usize) -> Result<LectureNet> {
        let net = self.to_device(self.device())?;
        let last = net.position(name)?;
        if is_head(name) {
            return Err(Error::new(format!(
                "`{name}` has no maps any more; the last layer with feature maps is block3"
            )));
        }
        let tensors = net.steps[..=last].iter().rev().find_map(|(_, step)| match step {
            Step::Conv { weight } => Some(vec![weight]),
            Step::Norm { weight, bias, .. } => Some(vec![weight, bias]),
            _ => None,
        });
        let tensors = tensors.unwrap_or_default();
        let channels = tensors.first().map_or(0, |weight| weight.size()[0] as usize);
        if channel >= channels {
            return Err(Error::new(format!(
                "there is no channel {channel} in `{name}`: expected 0 to {}",
                channels.saturating_sub(1)
            )));
        }
        for tensor in tensors {
            let _ = tch::no_grad(|| tensor.f_select(0, channel as i64)?.f_fill_(0.0))?;
        }
        Ok(net)
    }

    /// Continues the forward pass: the output of the network, given the output of layer `after`.
    pub(crate) fn go_on(&self, after: usize, maps: &Tensor) -> Result<Tensor> {
        let mut maps = maps.shallow_clone();
        for (_, step) in &self.steps[after + 1..] {
            maps = step.apply(&maps, false)?;
        }
        Ok(maps)
    }

    /// A hash of the weights.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        crate::weights::fingerprint(&self.variables())
    }

    /// The output of every layer, with the layers' names, in order.
    ///
    /// # Shapes
    /// `[N, 3, 32, 32]`, bytes or numbers from 0 to 1 → from `[N, 32, 32, 32]` to `[N, 10]`
    ///
    /// # Errors
    /// If the images have another shape or kind.
    pub fn maps(&self, images: &Tensor) -> Result<Vec<(String, Tensor)>> {
        self.run(images, self.steps.len())
    }

    /// The layers' names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.steps.iter().map(|(name, _)| name.as_str())
    }

    /// The outputs of the first `count` layers.
    pub(crate) fn run(&self, images: &Tensor, count: usize) -> Result<Vec<(String, Tensor)>> {
        tch::no_grad(|| {
            let mut maps = normalised(images, self.device())?;
            let mut all = Vec::with_capacity(count);
            for (name, step) in &self.steps[..count] {
                maps = step.apply(&maps, false)?;
                all.push((name.clone(), maps.shallow_clone()));
            }
            check_output(&maps)?;
            Ok(all)
        })
    }

    /// The output of layer `count - 1`, with the computation graph from the images to it.
    pub(crate) fn run_with_gradients(&self, images: &Tensor, count: usize) -> Result<Tensor> {
        let mut maps = normalised(images, self.device())?;
        for (_, step) in &self.steps[..count] {
            maps = step.apply(&maps, false)?;
        }
        check_output(&maps)?;
        Ok(maps)
    }

    /// The logits of images that are already normalised, computed in the kind of the images (the
    /// head always in fp32). In training, batch normalisation uses the statistics of the batch
    /// and updates the running ones.
    ///
    /// # Shapes
    /// `[N, 3, 32, 32]` → `[N, 10]`, fp32
    pub(crate) fn forward(&self, images: &Tensor, training: bool) -> Result<Tensor> {
        let mut maps = match training && onednn_keeps(&self.config, images) {
            true => images.f_to_mkldnn(None)?,
            false => images.shallow_clone(),
        };
        let mut steps = self.steps.iter().map(|(_, step)| step).peekable();
        while let Some(step) = steps.next() {
            // Pooling before ReLU gives the same result, and ReLU has a quarter of the positions.
            if matches!(step, Step::Relu)
                && let Some(pool) = steps.next_if(|next| matches!(next, Step::Pool))
            {
                maps = pool.apply(&maps, training)?;
            }
            maps = step.apply(&maps, training)?;
        }
        Ok(maps)
    }

    /// Like [`LectureNet::forward`], for the training of the head alone: the other layers compute as in a test, without
    /// a computation graph.
    pub(crate) fn forward_with_frozen_maps(&self, images: &Tensor) -> Result<Tensor> {
        let Some(((_, head), before)) = self.steps.split_last() else { return Ok(images.shallow_clone()) };
        let features = tch::no_grad(|| -> Result<Tensor> {
            let mut maps = images.shallow_clone();
            for (_, step) in before {
                maps = step.apply(&maps, false)?;
            }
            Ok(maps)
        })?;
        head.apply(&features, false)
    }

    /// The variables, for an optimizer of tch.
    pub(crate) fn store(&self) -> &nn::VarStore {
        &self.variables
    }

    /// The parameters and the running statistics of batch normalisation, sorted by name.
    pub(crate) fn variables(&self) -> Vec<(String, Tensor)> {
        let mut all: Vec<(String, Tensor)> = self.variables.variables().into_iter().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Moves all variables into one tensor, parameters first, so that one operation updates them
    /// all: with many small operations, a GPU would wait for the next one to be launched.
    ///
    /// # Shapes
    /// → `[numbers]`, and the variables as views of it, in the same order, with the gaps of
    /// [`with_gap`] between them
    pub(crate) fn in_one(&self) -> Result<(Tensor, Vec<(String, Tensor)>)> {
        let mut parts = self.variables();
        parts.sort_by_key(|(_, variable)| !variable.requires_grad());
        let mut lines = Vec::new();
        for (_, variable) in &parts {
            lines.extend(with_gap(variable.f_detach()?)?);
        }
        let all = Tensor::f_cat(&lines, 0)?;
        let mut from = 0;
        for ((_, variable), line) in parts.iter_mut().zip(lines.chunks(2)) {
            let part = all.f_narrow(0, from, variable.numel() as i64)?;
            let part = match variable.size()[..] {
                [n, c, h, w] => part.f_view([n, h, w, c])?.f_permute([0, 3, 1, 2])?,
                _ => part.f_view(variable.size().as_slice())?,
            };
            variable.f_set_data(&part)?;
            from += line.iter().map(|tensor| tensor.numel() as i64).sum::<i64>();
        }
        Ok((all, parts))
    }
}

/// A flattened tensor (see [`in_line`]), and as many zeros as it takes to align the next tensor
/// at a multiple of 128 bytes, as a GPU needs it for fast reads.
pub(crate) fn with_gap(tensor: Tensor) -> Result<[Tensor; 2]> {
    let gap = (tensor.numel() as i64).wrapping_neg().rem_euclid(32);
    let gap = Tensor::f_zeros([gap], (Kind::Float, tensor.device()))?;
    Ok([in_line(&tensor)?, gap])
}

/// A tensor as one row of numbers; filters with the channels last, like the feature maps.
pub(crate) fn in_line(tensor: &Tensor) -> Result<Tensor> {
    if tensor.dim() != 4 {
        return Ok(tensor.f_reshape([-1])?);
    }
    Ok(tensor.f_permute([0, 2, 3, 1])?.f_reshape([-1])?)
}

impl Step {
    fn apply(&self, maps: &Tensor, training: bool) -> Result<Tensor> {
        Ok(match self {
            Step::Conv { weight } => {
                // With oneDNN's tensors, the weights stay in fp32.
                let kind = if maps.is_mkldnn() { weight.kind() } else { maps.kind() };
                maps.f_conv2d(&weight.f_to_kind(kind)?, None::<&Tensor>, 1, 1, 1, 1)?
            }
            Step::Norm { weight, bias, mean, variance } => {
                let learned = [weight, bias, mean, variance].map(Some);
                let [weight, bias, mean, variance] = learned;
                maps.f_batch_norm(weight, bias, mean, variance, training, 0.1, EPSILON, true)?
            }
            Step::Relu => maps.f_relu()?,
            Step::Pool => maps.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?,
            Step::Average => {
                let maps =
                    if maps.is_mkldnn() { maps.f_to_dense(None, false)? } else { maps.shallow_clone() };
                maps.f_mean_dim([2, 3].as_slice(), true, Kind::Float)?
            }
            Step::Flatten if maps.is_mkldnn() => maps.f_to_dense(None, false)?.f_flatten(1, -1)?,
            Step::Flatten => maps.f_flatten(1, -1)?,
            Step::Linear { weight, bias } => maps.f_to_kind(Kind::Float)?.f_linear(weight, Some(bias))?,
        })
    }
}

/// Whether training keeps the feature maps in tensors of oneDNN, the library that computes
/// libtorch's convolutions on a CPU, from the first layer to the last.
///
/// Batch normalisation, ReLU and pooling are then also oneDNN's, and faster than libtorch's;
/// but with channels that are not multiples of 16, bf16 takes twice as long. oneDNN's ReLU
/// turns NaN into 0, so after a divergence only the weights contain NaN.
fn onednn_keeps(config: &LectureNetConfig, images: &Tensor) -> bool {
    let has_multiples_of_16 = config.maps.iter().all(|maps| maps % 16 == 0);
    let has_kind = images.kind() == Kind::Float || cpu_has_bf16();
    let on_cpu = cfg!(target_arch = "x86_64") && images.device() == Device::Cpu;
    has_multiples_of_16 && has_kind && on_cpu && tch::utils::has_mkldnn()
}

/// Refuses an output that is not finite although the weights and the images are.
pub(crate) fn check_output(output: &Tensor) -> Result<()> {
    check_finite(
        "the output of the network",
        output,
        "Its weights are finite, but so large that sums overflow: train again with a smaller `max_lr`",
    )
}

/// Whether the output of a layer has no rows and columns.
pub(crate) fn is_head(name: &str) -> bool {
    matches!(name, "average" | "flatten" | "head")
}

/// Whether a layer belongs to a block: `block1.pool` to `block1`.
fn is_in_block(layer: &str, block: &str) -> bool {
    layer.strip_prefix(block).is_some_and(|rest| rest.starts_with('.'))
}

impl Layered for LectureNet {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::named(self.names(), Some(&self.variables)))
    }

    fn outputs(&self, images: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        Ok(self.run(images, count)?.into_iter().map(|(_, maps)| maps).collect())
    }
}

impl fmt::Display for LectureNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two, three] = self.config.maps;
        let pooling = if self.config.pooling { "" } else { ", without pooling" };
        let average = if self.config.average { ", their means" } else { "" };
        let classes = match self.classes.as_slice() {
            names if self.classes == self.config.default_names() && names.len() as i64 == CLASSES => {
                String::new()
            }
            names => format!(", classes {}", names.join(", ")),
        };
        write!(
            f,
            "LectureNet with {one}, {two} and {three} feature maps{pooling}{average}{classes}: {} parameters",
            self.parameters()
        )
    }
}

debug_as_display!(LectureNet);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    fn images(count: i64) -> Tensor {
        let numbers: Vec<u8> = (0..count * 3072).map(|i| (i * 37 % 251) as u8).collect();
        Tensor::from_slice(&numbers).view([count, 3, 32, 32])
    }

    #[test]
    fn the_layers_have_the_shapes_of_the_config_s_table() {
        let net = LectureNet::new(LectureNetConfig::default(), 3, Device::Cpu).unwrap();
        let table = net.config().chain().on([5, 3, 32, 32]).ok().unwrap();
        let maps = net.maps(&images(5)).unwrap();
        assert_eq!(maps.len(), table.rows.len());
        for ((name, maps), row) in maps.iter().zip(&table.rows) {
            let size: Vec<u64> = maps.size().iter().map(|n| *n as u64).collect();
            let shape: crate::shapes::Shape = match size[..] {
                [n, c, h, w] => [n, c, h, w].into(),
                [n, features] => [n, features].into(),
                _ => panic!("{name} gives {size:?}"),
            };
            assert_eq!(shape, row.output, "{name}");
        }
        assert_eq!((net.parameters() as u64, net.parameters()), (table.totals.parameters, 492_650));
        let summary = crate::summary(&net, images(5)).unwrap();
        assert_eq!(summary.parameters, Some(492_650));
        assert_eq!(net.logits(&images(5)).unwrap(), maps.last().unwrap().1);
    }

    #[test]
    fn maps_have_names_and_images_any_size_up_to_the_head() {
        let net = LectureNet::new(LectureNetConfig::default(), 3, Device::Cpu).unwrap();
        let wide = Tensor::zeros([1, 3, 48, 80], (Kind::Float, Device::Cpu));
        assert_eq!(net.map(&wide, "block3").unwrap().size(), [1, 128, 6, 10]);
        assert_eq!(net.map(&wide, "block1.conv2").unwrap().size(), [1, 32, 48, 80]);
        let error = net.map(&wide, "block4").unwrap_err().to_string();
        assert!(error.contains("no layer `block4`") && error.contains("block2.conv3"), "{error}");
        let error = net.logits(&wide).unwrap_err().to_string();
        assert!(error.contains("H  expected 32, got 48"), "{error}");
        let error = net.logits(&images(1).to_kind(Kind::Int)).unwrap_err().to_string();
        assert!(error.contains("got kind Int"), "{error}");
    }

    #[test]
    fn saved_weights_are_loaded_and_others_refused() {
        let folder = TempFolder::new("net-weights");
        let file = folder.path().join("a.safetensors");
        let config = LectureNetConfig { maps: [2, 3, 4], pooling: false, ..LectureNetConfig::default() };
        let net = LectureNet::new(config, 9, Device::Cpu).unwrap();
        net.save(&file).unwrap();
        let loaded = LectureNet::load(&file).unwrap();
        assert_eq!(
            (loaded.config(), loaded.logits(&images(2)).unwrap()),
            (config, net.logits(&images(2)).unwrap())
        );

        let given: Vec<(String, Tensor)> = net.variables();
        let error = LectureNet::from_tensors(LectureNetConfig::default(), &given, Device::Cpu)
            .unwrap_err()
            .to_string();
        assert!(error.contains("`block1.conv1.weight`: expected [32, 3, 3, 3], got [2, 3, 3, 3]"), "{error}");
        assert!(error.contains("and 36 more"), "{error}");
        let mut given = given;
        given[0].0 = "conv".into();
        let error = LectureNet::from_tensors(config, &given, Device::Cpu).unwrap_err().to_string();
        assert!(
            error.contains("`block1.conv1.weight` [2, 3, 3, 3] is missing; `conv` is unknown"),
            "{error}"
        );

        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let error = LectureNet::load(&file).unwrap_err().to_string();
        assert!(
            error.contains("a.safetensors: the file was damaged or changed: expected the SHA-256"),
            "{error}"
        );
        std::fs::write(&file, &bytes[..last]).unwrap();
        let error = LectureNet::load(&file).unwrap_err().to_string();
        assert!(error.contains("not a whole safetensors file"), "{error}");
        let error = net.save(folder.path().join("none/a.safetensors")).unwrap_err().to_string();
        assert!(error.contains("does its folder exist?"), "{error}");
    }

    /// A network in which every number is random, so that no mistake hides behind a 0 or a 1.
    fn random_net(config: LectureNetConfig) -> LectureNet {
        let net = LectureNet::new(config, 5, Device::Cpu).unwrap();
        let mut rng = Rng::new(11, 0);
        for (name, mut variable) in net.variables() {
            let (low, high) = if name.ends_with("running_var") { (0.5, 1.5) } else { (-0.6, 0.7) };
            let numbers: Vec<f32> = (0..variable.numel()).map(|_| rng.between(low, high)).collect();
            tch::no_grad(|| variable.copy_(&Tensor::from_slice(&numbers).view_as(&variable)));
        }
        net
    }

    /// Compares every channel of every layer and block with maps in which that channel is set to 0.
    #[test]
    fn without_gives_the_same_as_a_masked_feature_map() {
        for pooling in [true, false] {
            let net =
                random_net(LectureNetConfig { maps: [2, 3, 5], pooling, ..LectureNetConfig::default() });
            let all = net.maps(&images(2)).unwrap();
            let layers: Vec<String> = net.names().filter(|name| !is_head(name)).map(String::from).collect();
            assert_eq!(layers.len(), if pooling { 27 } else { 24 });
            let blocks = ["block1", "block2", "block3"].map(String::from);
            for name in layers.iter().chain(&blocks) {
                let index = net.position(name).unwrap();
                let channels = all[index].1.size()[1] as usize;
                for channel in 0..channels {
                    let without = net.without(name, channel).unwrap();
                    let masked = all[index].1.copy();
                    let _ = masked.select(1, channel as i64).fill_(0.0);
                    let maps = without.maps(&images(2)).unwrap();
                    assert_eq!(maps[index].1, masked, "{name} {channel}");
                    assert_eq!(
                        maps.last().unwrap().1,
                        net.go_on(index, &masked).unwrap(),
                        "what follows {name} {channel}"
                    );
                    // Layers before the one whose weights are set to 0 do not change.
                    let changed = all[..=index]
                        .iter()
                        .rposition(|(layer, _)| layer.contains(".conv") || layer.contains(".norm"))
                        .unwrap();
                    for (before, after) in all[..changed].iter().zip(&maps) {
                        assert_eq!(before, after, "before {name} {channel}");
                    }
                }
                let error = net.without(name, channels).unwrap_err().to_string();
                let expected = format!("no channel {channels} in `{name}`: expected 0 to {}", channels - 1);
                assert!(error.contains(&expected), "{error}");
            }
        }
        let net =
            random_net(LectureNetConfig { maps: [2, 3, 5], pooling: true, ..LectureNetConfig::default() });
        let error = net.without("head", 0).unwrap_err().to_string();
        assert!(error.contains("`head` has no maps"), "{error}");
        // A default network: block2's layers have 64 channels, not block1's 32.
        let net = LectureNet::new(LectureNetConfig::default(), 3, Device::Cpu).unwrap();
        let silent = net.without("block2.conv1", 41).unwrap().map(&images(1), "block2.conv1").unwrap();
        let of = |maps: &Tensor, channel| maps.select(1, channel).abs().max().double_value(&[]);
        assert!(of(&silent, 41) == 0.0 && of(&silent, 40) > 0.0);
    }

    /// Floating-point weights are converted to fp32; other kinds are refused by name.
    #[test]
    fn weights_of_other_kinds_are_converted_or_refused() {
        let folder = TempFolder::new("net-kinds");
        let file = folder.path().join("a.safetensors");
        let net =
            random_net(LectureNetConfig { maps: [2, 3, 4], pooling: true, ..LectureNetConfig::default() });
        let save = |change: &dyn Fn(&str, Tensor) -> Tensor| {
            let tensors: Vec<(String, Tensor)> = net
                .variables()
                .into_iter()
                .map(|(name, t)| (name.clone(), change(&name, t.detach())))
                .collect();
            Tensor::write_safetensors(&tensors, &file).unwrap();
        };
        // Files of PyTorch have no metadata: the configuration is given separately.
        let load = || {
            let Weights { tensors, .. } = Weights::read(&file)?;
            LectureNet::from_tensors(net.config(), &tensors, Device::Cpu)
        };
        for kind in [Kind::Float, Kind::Half, Kind::BFloat16, Kind::Double] {
            save(&|_, tensor| tensor.to_kind(kind));
            for ((name, own), (_, loaded)) in net.variables().into_iter().zip(load().unwrap().variables()) {
                assert_eq!(loaded.kind(), Kind::Float);
                assert_eq!(loaded, own.to_kind(kind).to_kind(Kind::Float), "{name} as {kind:?}");
            }
        }
        for (kind, found) in [
            (Kind::Int64, "got Int64"),
            (Kind::Int, "kind I32"),
            (Kind::Uint8, "kind U8"),
            (Kind::Bool, "kind BOOL"),
        ] {
            save(&|name, tensor| if name == "head.bias" { tensor.to_kind(kind) } else { tensor });
            let error = load().unwrap_err().to_string();
            for words in ["`head.bias`", found, "BF", "are converted"] {
                assert!(error.contains(words), "expected `{words}` in: {error}");
            }
        }
        // PyTorch's counter of batches is ignored.
        let mut tensors = net.variables();
        tensors.push(("block1.norm1.num_batches_tracked".into(), Tensor::from(7i64)));
        Tensor::write_safetensors(&tensors, &file).unwrap();
        load().unwrap();
    }

    #[test]
    fn a_file_with_the_old_name_of_the_config_is_read() {
        let folder = TempFolder::new("net-old-config");
        let file = folder.path().join("old.safetensors");
        let config = LectureNetConfig { maps: [2, 3, 4], pooling: false, ..LectureNetConfig::default() };
        let net = LectureNet::new(config, 9, Device::Cpu).unwrap();
        let notes = HashMap::from([("plan".to_owned(), r#"{"maps":[2,3,4],"pooling":false}"#.to_owned())]);
        Weights { tensors: net.variables(), notes }.write(&file).unwrap();
        assert_eq!(LectureNet::load(&file).unwrap().config(), config);
        net.save(&file).unwrap();
        let notes = Weights::read(&file).unwrap().notes;
        assert!(notes.contains_key("config") && !notes.contains_key("plan"), "{notes:?}");
    }

    #[test]
    fn weights_and_images_that_are_not_finite_are_refused_by_name() {
        let config = LectureNetConfig { maps: [2, 3, 4], pooling: true, ..LectureNetConfig::default() };
        let net = random_net(config);
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        for (name, value, says) in [
            ("block2.conv3.weight", nan, "`block2.conv3.weight` [3, 3, 3, 3] holds NaN: 1 of its 81 numbers"),
            ("block1.norm2.bias", inf, "`block1.norm2.bias` [2] holds infinite numbers: 1 of its 2 numbers"),
            ("block3.norm1.running_mean", -inf, "`block3.norm1.running_mean` [4] holds infinite"),
            ("block3.norm1.running_var", -1.0, "`block3.norm1.running_var` holds a negative number"),
            // Too large for fp32.
            ("head.bias", 1e300, "`head.bias` [10] holds infinite numbers"),
        ] {
            let spoilt = net.variables().into_iter().map(|(own, tensor)| {
                let tensor = tensor.detach().to_kind(Kind::Double);
                if own == name {
                    let _ = tensor.view([-1]).narrow(0, 0, 1).fill_(value);
                }
                (own, tensor)
            });
            let spoilt: Vec<(String, Tensor)> = spoilt.collect();
            let error = LectureNet::from_tensors(config, &spoilt, Device::Cpu).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        for (value, says) in [(nan, "holds NaN"), (inf, "holds infinite numbers")] {
            let images = Tensor::zeros([2, 3, 32, 32], (Kind::Float, Device::Cpu));
            let _ = images.select(0, 1).select(0, 2).narrow(0, 4, 1).fill_(value);
            for error in [net.logits(&images).unwrap_err(), net.map(&images, "block1").unwrap_err()] {
                let error = error.to_string();
                let expected = format!("the batch of images [2, 3, 32, 32] {says}: 32 of its 6144 numbers");
                assert!(error.contains(&expected), "{error}");
            }
        }
        // Finite, but too large to compute with.
        for (name, mut variable) in net.variables() {
            let value = match name.as_str() {
                "block3.norm3.weight" => 0.0,
                "block3.norm3.bias" => 5.0,
                "head.weight" => 3e38,
                _ => continue,
            };
            let _ = tch::no_grad(|| variable.fill_(value));
        }
        let error = net.logits(&images(1)).unwrap_err().to_string();
        assert!(error.contains("the output of the network") && error.contains("overflow"), "{error}");
    }
}
