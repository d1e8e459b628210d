//! The feedback on each misconception: the texts of `questions/slips.toml`.

use crate::{Error, Result};
use serde::{Deserialize, de::DeserializeOwned};
use std::{fmt::Display, sync::LazyLock};

/// One text for each misconception. A missing or unknown name in the file is an error, and the
/// compiler reports a name that is never used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each name says it")]
pub struct Texts {
    // The answer as a whole.
    pub output_not_weight: String,
    pub weight_n_c_swapped: String,
    pub weight_not_output: String,
    pub shape_before: String,
    pub n_first: String,
    pub h_w_swapped: String,
    // The weight: N, C, H and W.
    pub batch_in_weight: String,
    pub channels_as_filters: String,
    pub one_filter_only: String,
    pub channels_of_first_input: String,
    pub channels_of_all_groups: String,
    pub groups_as_channels: String,
    pub filters_as_channels: String,
    pub one_channel_only: String,
    pub output_side_in_weight: String,
    pub input_side_in_weight: String,
    pub padding_in_weight: String,
    pub dilation_in_weight: String,

    // The output: N and C.
    pub batch_of_one: String,
    pub channels_as_batch: String,
    pub features_as_batch: String,
    pub pooling_keeps_channels: String,
    pub channels_of_the_beginning: String,
    pub channels_before: String,
    pub filters_times_channels: String,
    pub maps_added: String,
    pub batch_as_channels: String,

    // The output: H and W.
    pub padding_on_one_side: String,
    pub same_padding_forgotten: String,
    pub padding_forgotten: String,
    pub own_stride_forgotten: String,
    pub stride_forgotten: String,
    pub dilation_forgotten: String,
    pub floor_forgotten: String,
    pub ceil_forgotten: String,
    pub side_kept: String,
    pub side_before: String,
    pub side_over_stride: String,
    pub side_of_window: String,
    pub one_too_few: String,
    pub one_too_many: String,

    // Weights and parameters.
    pub weights_of_one_channel: String,
    pub bias_counted: String,
    pub channels_as_weights: String,
    pub biases_forgotten: String,
    pub one_bias: String,
    pub channels_forgotten: String,
    pub channels_and_biases_forgotten: String,
    pub parameters_of_one_filter: String,
    pub times_batch: String,
    pub times_positions: String,
    pub unit_biases_forgotten: String,
    pub one_unit_bias: String,
    pub parameters_of_one_unit: String,
    pub weights_of_one_unit: String,
    pub last_layer_only: String,

    // The receptive field.
    pub field_without_stride: String,
    pub field_without_gaps: String,
    pub field_of_last_layer: String,
    pub field_as_sum: String,
    pub field_as_product: String,

    // The values after `flatten`.
    pub features_of_one_map: String,
    pub maps_as_features: String,
    pub features_of_batch: String,
    pub sizes_added: String,
    pub features_before: String,
}

/// The texts, parsed once.
///
/// # Errors
/// If the file is not as expected: its name, the line and the field.
pub fn texts() -> Result<&'static Texts> {
    static TEXTS: LazyLock<Result<Texts>> =
        LazyLock::new(|| parse("questions/slips.toml", include_str!("../../questions/slips.toml")));
    TEXTS.as_ref().map_err(|error| Error::new(error.to_string()))
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
