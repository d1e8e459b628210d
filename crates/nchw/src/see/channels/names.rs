//! Names for channels of the network that comes with the course: data, with a count of how often each holds.

use super::patches::Patches;
use crate::{Error, Result};
use nchw_core::quiz::texts::parse;
use serde::Deserialize;
use std::sync::LazyLock;

/// The content of `assets/channel-names.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::see) struct Names {
    pub(in crate::see) layer: String,
    /// The first 16 digits of the SHA-256 of the weights.
    pub(in crate::see) network: String,
    channel: Vec<Named>,
}

/// A channel with a name, and the images whose patches were judged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::see) struct Named {
    pub(in crate::see) number: usize,
    pub(in crate::see) name: String,
    /// The images in which the patch shows what the name says, and the others.
    pub(in crate::see) yes: Vec<usize>,
    pub(in crate::see) no: Vec<usize>,
}

/// The names, parsed once.
pub(in crate::see) fn names() -> Result<&'static Names> {
    static NAMES: LazyLock<Result<Names>> =
        LazyLock::new(|| parse("channel-names.toml", include_str!("../../../assets/channel-names.toml")));
    NAMES.as_ref().map_err(|error| Error::new(error.to_string()))
}

/// The names of the channels of a layer, if this is the network that they belong to.
pub(in crate::see) fn names_of(network: &str, layer: &str) -> Result<&'static [Named]> {
    let names = names()?;
    Ok(if names.network == network && names.layer == layer { &names.channel } else { &[] })
}

impl Patches {
    /// The named channels of this layer.
    pub(in crate::see) fn names(&self) -> Result<&'static [Named]> {
        let known = names_of(&self.network, &self.layer)?;
        if known.is_empty() {
            let names = names()?;
            return Err(Error::new(format!(
                "there are no names for these channels of {}: the course has names for {} of the network that comes \
                 with it, `LectureNet::shipped()?`",
                self.layer, names.layer
            )));
        }
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Cifar10, net::LectureNet, see::patches};
    use std::collections::BTreeSet;

    #[test]
    fn the_judged_patches_are_still_the_strongest_ones() {
        let net = LectureNet::shipped().unwrap();
        let names = names().unwrap();
        assert!(
            net.fingerprint().unwrap().starts_with(&names.network),
            "the course's weights have changed: judge again"
        );
        let found = patches(&net, &Cifar10::album().unwrap(), &names.layer).unwrap();
        for Named { number, name, yes, no } in found.names().unwrap() {
            let judged: BTreeSet<usize> = yes.iter().chain(no).copied().collect();
            let shown: BTreeSet<usize> =
                found.shown(*number).unwrap().iter().map(|patch| patch.image).collect();
            assert_eq!(judged, shown, "channel {number}: {name}");
            assert!(yes.len() > no.len(), "a name should hold in more than half of the patches: {name}");
        }
    }
}
