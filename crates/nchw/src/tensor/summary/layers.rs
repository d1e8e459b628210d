//! The layers of a network and their variables, as far as they are known: listed by the learner, or found
//! in the computation graph.

use crate::{Error, Result, runtime::caught};
use std::collections::{HashMap, HashSet};
use tch::{Tensor, nn};

/// A network that [`summary`](crate::summary) can run layer by layer: tch's `Sequential` and `SequentialT`, the
/// networks of the course, and layers with names (see [`named`]).
#[diagnostic::on_unimplemented(
    message = "`summary` cannot look into `{Self}`",
    label = "the layers of this type are unknown",
    note = "list them with their names, in order: `summary(&named(&vs, &[(\"conv1\", &net.conv1), (\"relu\", &relu)]), &input)`"
)]
pub trait Layered {
    /// The layers.
    fn layers(&self) -> Result<Layers>;

    /// The outputs of the first `count` layers. May panic where tch panics.
    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>>;

    /// The `VarStore` in which the variables of the layers are to be found, if the layers do not know them.
    fn store(&self) -> Option<&nn::VarStore> {
        None
    }
}

/// The layers of a network, as far as they are known.
pub struct Layers {
    /// In order.
    pub(super) layers: Vec<Layer>,
    /// Variables of the `VarStore` that belong to none of them.
    pub(super) left_over: Vec<String>,
}

pub(super) struct Layer {
    /// The name; without one, the number from 1.
    pub name: String,
    /// The variables with their names; `None` if they are unknown.
    pub variables: Option<Vec<(String, Tensor)>>,
}

/// Layers with names. See [`named`].
pub struct Named<'a> {
    variables: Option<&'a nn::VarStore>,
    layers: &'a [(&'a str, &'a dyn nn::ModuleT)],
}

/// Names for the layers of a network, for [`summary`](crate::summary).
///
/// The layers of your own network are not known to tch, so list them with their names, in order. If you
/// pass the `VarStore` in which the layers were created, the table also has their weights and
/// parameters: those whose path begins with the name of the layer (`&(vs.root() / "conv1")`).
///
/// ```
/// use nchw::prelude::*;
/// use tch::nn;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let conv1 = nn::conv2d(vs.root() / "conv1", 3, 10, 3, Default::default());
/// let relu = nn::func(|maps| maps.relu());
/// let images = Tensor::zeros([8, 3, 7, 9], (Kind::Float, Device::Cpu));
/// let table = summary(&named(&vs, &[("conv1", &conv1), ("relu", &relu)]), &images)?;
/// assert_eq!(table.rows[0].output, [8, 10, 5, 7]);
/// assert_eq!(table.parameters, Some(280));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn named<'a>(
    variables: impl Into<Option<&'a nn::VarStore>>,
    layers: &'a [(&'a str, &'a dyn nn::ModuleT)],
) -> Named<'a> {
    Named { variables: variables.into(), layers }
}

/// tch's `Sequential` or `SequentialT`, with the `VarStore` of its layers. See [`with_weights`].
pub struct WithWeights<'a, M> {
    net: &'a M,
    store: &'a nn::VarStore,
}

/// A network of tch, `nn::seq()` or `nn::seq_t()`, with its weights, for [`summary`](crate::summary).
///
/// tch's `Sequential` does not tell which variables its layers have. `store` is the `VarStore` in which
/// they were created: a layer has those variables that its output depends on, and no output before it.
/// If their names have a path, such as `block1.conv1`, it is the name of the layer in the table.
///
/// ```
/// use nchw::prelude::*;
/// use tch::nn;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let net = nn::seq()
///     .add(nn::conv2d(vs.root() / "conv1", 3, 10, 3, Default::default()))
///     .add_fn(|maps| maps.relu());
/// let images = Tensor::zeros([8, 3, 7, 9], (Kind::Float, Device::Cpu));
/// let table = summary(&with_weights(&net, &vs), &images)?;
/// assert_eq!((table.rows[0].name.as_str(), table.parameters), ("conv1", Some(280)));
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn with_weights<'a, M: Layered>(net: &'a M, store: &'a nn::VarStore) -> WithWeights<'a, M> {
    WithWeights { net, store }
}

/// The layers with the variables of `store` that they use. They stay unknown if the first `count` layers
/// use none of them, but others, or cannot be run with gradients.
pub(super) fn found(
    model: &impl Layered,
    store: &nn::VarStore,
    input: &Tensor,
    layers: Vec<Layer>,
    count: usize,
) -> Layers {
    let mut all: Vec<(String, Tensor)> = store.variables().into_iter().collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    let trainable: HashSet<_> = store.trainable_variables().iter().map(Tensor::data_ptr).collect();
    let (parameters, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, variable)| trainable.contains(&variable.data_ptr()));
    // Frozen parameters are found, too.
    let frozen: Vec<_> = parameters.iter().filter(|(_, variable)| !variable.requires_grad()).collect();
    let set_frozen = |requires_grad| {
        for (_, variable) in &frozen {
            let _ = variable.set_requires_grad(requires_grad);
        }
    };
    set_frozen(true);
    let owners = caught(|| owners(model, input, count, &parameters));
    set_frozen(false);
    match owners {
        Ok(Ok(owners)) => Layers::owning(layers, parameters, owners, others),
        _ => Layers { layers, left_over: vec![] },
    }
}

/// The index of the layer that uses each parameter: the first one whose output depends on it.
fn owners(
    model: &impl Layered,
    input: &Tensor,
    count: usize,
    parameters: &[(String, Tensor)],
) -> Result<Vec<Option<usize>>> {
    let outputs = tch::with_grad(|| model.outputs(input, count))?;
    let mut owners = vec![None; parameters.len()];
    for (layer, output) in outputs.iter().enumerate().filter(|(_, output)| output.requires_grad()) {
        // Without the parameters of earlier layers, libtorch computes gradients in this layer only.
        let left: Vec<usize> = (0..owners.len()).filter(|&index| owners[index].is_none()).collect();
        let tensors: Vec<&Tensor> = left.iter().map(|&index| &parameters[index].1).collect();
        if tensors.is_empty() {
            break;
        }
        let gradients = Tensor::f_run_backward(&[output], &tensors, true, false)?;
        for (index, _) in left.iter().zip(gradients).filter(|(_, gradient)| gradient.defined()) {
            owners[*index] = Some(layer);
        }
    }
    match outputs.last() {
        Some(last) if last.requires_grad() && owners.iter().all(Option::is_none) => {
            Err(Error::new("the parameters are in another VarStore"))
        }
        _ => Ok(owners),
    }
}

impl Layers {
    /// `count` layers without names, whose variables are unknown.
    fn unknown(count: i64) -> Layers {
        let layers = (1..=count).map(|number| Layer { name: number.to_string(), variables: None });
        Layers { layers: layers.collect(), left_over: vec![] }
    }

    /// Layers with these names, and the variables whose names begin with them.
    pub(crate) fn named<'n>(
        names: impl IntoIterator<Item = &'n str>,
        variables: Option<&nn::VarStore>,
    ) -> Layers {
        let mut all: Vec<(String, Tensor)> =
            variables.map_or(Vec::new(), |variables| variables.variables().into_iter().collect());
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let named = |name: &str| Layer { name: name.into(), variables: variables.map(|_| vec![]) };
        let mut layers: Vec<Layer> = names.into_iter().map(named).collect();
        let mut indices = HashMap::new();
        for (index, layer) in layers.iter().enumerate() {
            indices.entry(layer.name.clone()).or_insert(index);
        }
        let mut left_over = vec![];
        for (full, tensor) in all {
            // If the path begins with the names of several layers, the variable belongs to the first one.
            let splits = full.match_indices('.').map(|(dot, _)| (&full[..dot], &full[dot + 1..]));
            let owners = splits.filter_map(|(layer, own)| Some((*indices.get(layer)?, own)));
            match owners.min_by_key(|(index, _)| *index) {
                Some((index, own)) => {
                    layers[index].variables.get_or_insert_default().push((own.into(), tensor))
                }
                None => left_over.push(full),
            }
        }
        Layers { layers, left_over }
    }

    /// Layers with the `parameters` that each of them owns, and the variables beside them: the running
    /// statistics of batch normalisation have the same path as its weight.
    fn owning(
        layers: Vec<Layer>,
        parameters: Vec<(String, Tensor)>,
        owners: Vec<Option<usize>>,
        others: Vec<(String, Tensor)>,
    ) -> Layers {
        let mut own: Vec<Vec<(String, Tensor)>> = layers.iter().map(|_| vec![]).collect();
        let (mut left_over, mut folders) = (vec![], HashMap::<String, HashSet<usize>>::new());
        for (variable, owner) in parameters.into_iter().zip(owners) {
            match owner {
                Some(layer) => {
                    folders.entry(folder(&variable.0).into()).or_default().insert(layer);
                    own[layer].push(variable);
                }
                None => left_over.push(variable.0),
            }
        }
        for variable in others {
            match folders.get(folder(&variable.0)).map(|layers| layers.iter().collect::<Vec<_>>()) {
                Some(layers) if layers.len() == 1 => own[*layers[0]].push(variable),
                // Several layers without a path: nobody knows whose it is, and it is no parameter.
                Some(_) => {}
                None => left_over.push(variable.0),
            }
        }
        let named = |(layer, variables): (Layer, Vec<(String, Tensor)>)| {
            let path = variables.iter().map(|(name, _)| folder(name)).reduce(common).unwrap_or("");
            let name = if path.is_empty() { layer.name } else { path.to_owned() };
            let start = if path.is_empty() { 0 } else { path.len() + 1 };
            // tch makes a name unique with a number: `weight__2`.
            let own = |full: &str| full[start..].split("__").next().unwrap_or("").to_owned();
            let variables = variables.iter().map(|(full, tensor)| (own(full), tensor.shallow_clone()));
            Layer { variables: Some(variables.collect()), name }
        };
        Layers { layers: layers.into_iter().zip(own).map(named).collect(), left_over }
    }

    /// Layers whose names describe them, each with its weight and bias.
    pub(crate) fn described(layers: impl Iterator<Item = (String, Vec<Tensor>)>) -> Layers {
        let layers = layers.map(|(name, variables)| {
            let variables = ["weight", "bias"].map(String::from).into_iter().cycle().zip(variables);
            Layer { name, variables: Some(variables.collect()) }
        });
        Layers { layers: layers.collect(), left_over: vec![] }
    }
}

/// The path of a variable without its last part: `conv1` for `conv1.weight`.
fn folder(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(folder, _)| folder)
}

/// The path that two paths have in common: `block1` for `block1.conv1` and `block1.norm1`.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let mut path = a;
    while !(path.is_empty() || b == path || b.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))) {
        path = folder(path);
    }
    path
}

impl<M: Layered> Layered for WithWeights<'_, M> {
    fn layers(&self) -> Result<Layers> {
        self.net.layers()
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        self.net.outputs(input, count)
    }

    fn store(&self) -> Option<&nn::VarStore> {
        Some(self.store)
    }
}

impl Layered for Named<'_> {
    fn layers(&self) -> Result<Layers> {
        let mut names = HashSet::new();
        for ((name, _), position) in self.layers.iter().zip(1..) {
            if !names.insert(name) {
                return Err(Error::new(format!(
                    "two layers are named `{name}`: expected different names, such as `{name}{position}`"
                )));
            }
        }
        Ok(Layers::named(self.layers.iter().map(|(name, _)| *name), self.variables))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        let mut outputs: Vec<Tensor> = Vec::new();
        for (_, layer) in &self.layers[..count] {
            outputs.push(layer.forward_t(outputs.last().unwrap_or(input), false));
        }
        Ok(outputs)
    }
}

impl Layered for nn::Sequential {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::unknown(self.len()))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        Ok(self.forward_all(input, Some(count)))
    }
}

impl Layered for nn::SequentialT {
    fn layers(&self) -> Result<Layers> {
        Ok(Layers::unknown(self.len()))
    }

    fn outputs(&self, input: &Tensor, count: usize) -> Result<Vec<Tensor>> {
        Ok(self.forward_all_t(input, false, Some(count)))
    }
}
