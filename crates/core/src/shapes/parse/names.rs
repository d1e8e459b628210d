//! The names of layers and options in the text of a chain.

use crate::shapes::layer::Op;

impl Op {
    /// The accepted names; a chain's own text has the first one.
    pub(in crate::shapes) fn names(self) -> &'static [&'static str] {
        match self {
            Op::Conv => &["conv", "convolution"],
            Op::ConvTranspose => &["convt", "convtranspose", "transposedconv", "deconv", "tconv"],
            Op::MaxPool => &["maxpool", "maxpooling"],
            Op::AvgPool => &["avgpool", "averagepool", "avgpooling", "meanpool"],
            Op::GlobalAvgPool => {
                &["gap", "globalavgpool", "globalaveragepool", "globalaveragepooling", "adaptiveavgpool"]
            }
            Op::GlobalMaxPool => &["gmp", "globalmaxpool", "globalmaxpooling", "adaptivemaxpool"],
            Op::Flatten => &["flatten", "flat"],
            Op::Linear => &["linear", "fc", "dense", "fullyconnected"],
            Op::Relu => &["relu"],
            Op::BatchNorm => &["bn", "batchnorm", "batchnormalization", "batchnorm1d"],
            Op::Dropout => &["dropout", "drop"],
        }
    }

    pub(in crate::shapes) fn name(self) -> &'static str {
        self.names()[0]
    }
}

/// The accepted names of each option; suggestions use the first one.
pub(in crate::shapes) const OPTIONS: [(&str, &[&str]); 8] = [
    ("stride", &["stride", "s"]),
    ("padding", &["padding", "pad", "p"]),
    ("same", &["same"]),
    ("dilation", &["dilation", "dilate", "d"]),
    ("groups", &["groups", "group", "g"]),
    ("output_padding", &["outputpadding", "outpad"]),
    ("ceil", &["ceil", "ceilmode"]),
    ("nobias", &["nobias"]),
];

/// `torch.nn.Max_Pool2d` as `maxpool`.
pub(in crate::shapes) fn normal(word: &str) -> String {
    let word = word.to_lowercase().replace(['_', '-'], "");
    let word = word.strip_prefix("torch.").unwrap_or(&word);
    let word = word.strip_prefix("nn.").unwrap_or(word);
    word.strip_suffix("2d").unwrap_or(word).to_string()
}

pub(in crate::shapes) fn layer_named(word: &str) -> Option<Op> {
    let word = normal(word);
    Op::ALL.iter().copied().find(|op| op.names().contains(&word.as_str()))
}

pub(in crate::shapes) fn option_named(word: &str) -> Option<&'static str> {
    let word = normal(word);
    OPTIONS.iter().find(|(_, names)| names.contains(&word.as_str())).map(|(name, _)| *name)
}
