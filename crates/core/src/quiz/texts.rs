//! The feedback on each misconception: the texts of `questions/slips.toml`.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt::Display, sync::LazyLock};

/// Declares the struct of the texts, and how it is filled from a file. serde would generate 60 times as
/// much code, which every web page would carry.
macro_rules! texts {
    ($($name:ident,)*) => {
        /// One text for each misconception. A missing or unknown name in the file is an error, and the
        /// compiler reports a name that is never used.
        #[allow(missing_docs, reason = "each name says it")]
        pub struct Texts {
            $(pub $name: String,)*
        }

        impl Texts {
            fn from(mut texts: BTreeMap<String, String>) -> Result<Texts, String> {
                let known = [$(stringify!($name)),*];
                if let Some(name) = texts.keys().find(|name| !known.contains(&&*name.replace('-', "_"))) {
                    return Err(format!("unknown field `{name}`"));
                }
                // One check at the end: sixty early returns would be 30 kB of code.
                let mut missing = None;
                let mut take = |name: &str| {
                    let name = name.replace('_', "-");
                    texts.remove(&name).unwrap_or_else(|| {
                        missing = Some(format!("missing field `{name}`"));
                        String::new()
                    })
                };
                let all = Texts { $($name: take(stringify!($name)),)* };
                missing.map_or(Ok(all), Err)
            }
        }
    };
}

texts! {
    // The answer as a whole.
    output_not_weight,
    weight_n_c_swapped,
    weight_not_output,
    shape_before,
    n_first,
    h_w_swapped,
    // The weight: N, C, H and W.
    batch_in_weight,
    channels_as_filters,
    one_filter_only,
    channels_of_first_input,
    channels_of_all_groups,
    groups_as_channels,
    filters_as_channels,
    one_channel_only,
    output_side_in_weight,
    input_side_in_weight,
    padding_in_weight,
    dilation_in_weight,

    // The output: N and C.
    batch_of_one,
    channels_as_batch,
    features_as_batch,
    pooling_keeps_channels,
    channels_of_the_beginning,
    channels_before,
    filters_times_channels,
    maps_added,
    batch_as_channels,

    // The output: H and W.
    padding_on_one_side,
    same_padding_forgotten,
    padding_forgotten,
    own_stride_forgotten,
    stride_forgotten,
    dilation_forgotten,
    floor_forgotten,
    ceil_forgotten,
    side_kept,
    side_before,
    side_over_stride,
    side_of_window,
    one_too_few,
    one_too_many,

    // Weights and parameters.
    weights_of_one_channel,
    bias_counted,
    channels_as_weights,
    biases_forgotten,
    one_bias,
    channels_forgotten,
    channels_and_biases_forgotten,
    parameters_of_one_filter,
    times_batch,
    times_positions,
    unit_biases_forgotten,
    one_unit_bias,
    parameters_of_one_unit,
    weights_of_one_unit,
    last_layer_only,

    // The receptive field.
    field_without_stride,
    field_without_gaps,
    field_of_last_layer,
    field_as_sum,
    field_as_product,

    // The values after `flatten`.
    features_of_one_map,
    maps_as_features,
    features_of_batch,
    sizes_added,
    features_before,
}

/// The texts, parsed once.
///
/// # Errors
/// If the file is not as expected: its name and the field.
pub fn texts() -> Result<&'static Texts> {
    static TEXTS: LazyLock<Result<Texts>> =
        LazyLock::new(|| slips("questions/slips.toml", include_str!("../../questions/slips.toml")));
    TEXTS.as_ref().map_err(|error| Error::new(error.to_string()))
}

/// The texts of a file.
///
/// # Errors
/// If it is not as expected: its name and the field.
pub fn slips(file: &str, text: &str) -> Result<Texts> {
    Texts::from(parse(file, text)?).map_err(|error| Error::new(format!("{file}: {error}")))
}

/// Parses a TOML file of the crate.
///
/// # Errors
/// If it is not as expected: its name, the line and the field.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| Error::new(format!("{file}: {error}")))
}

/// A text with values in place of `{name}`.
pub fn filled(text: &str, values: &[(&str, &dyn Display)]) -> String {
    values
        .iter()
        .fold(text.into(), |text, (name, value)| text.replace(&format!("{{{name}}}"), &value.to_string()))
}

/// A text with variables in place of their names in braces: `fill!(texts.times_batch, n)`.
macro_rules! fill {
    ($text:expr $(, $name:ident)*) => {
        $crate::quiz::texts::filled(&$text, &[$((stringify!($name), &$name)),*])
    };
}
pub(super) use fill;
