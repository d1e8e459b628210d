//! Explains libtorch's error messages about shapes and kinds: the likely cause, and what to type.

use crate::shapes::{DEPTH, NO_ROOM, count, times, why_these_channels};

const UNBATCHED: &str = "likely cause: the batch axis is missing: this is one image (C H W), and batch \
     normalisation takes a batch (N C H W)\ninstead: `.unsqueeze(0)` on the input makes it";

/// The likely cause of libtorch's message, for a layer that got an input of these sizes.
pub(crate) fn hint(message: &str, input: &[u64]) -> Option<String> {
    let has = |words: &str| message.contains(words);
    if let Some((filters, maps)) = numbers_at(message, "to have ", " channels, but got ") {
        return Some(format!(
            "axis C (channels): {DEPTH}; the input has {maps}, and the filters have {filters}\nlikely cause: {}\n\
             instead: make the layer for {maps} channels",
            why_these_channels(filters, input.first().copied().unwrap_or(0))
        ));
    }
    if has("shapes cannot be multiplied") {
        return Some(explain_features(message, input));
    }
    if let Some((channels, made_for)) = numbers_at(message, "should contain ", " elements not ") {
        // Without a batch axis, libtorch takes the rows for channels.
        if input.len() == 3 && input[0] == made_for {
            return Some(format!("{UNBATCHED} 1x{}", times(input)));
        }
        return Some(format!(
            "likely cause: batch normalisation has a pair of numbers for each channel; it was made for {made_for} \
             channels, and the input has {channels}\ninstead: make it for {channels} channels"
        ));
    }
    // tch's own message, of `nn::batch_norm2d`.
    if has("expected an input tensor with 4 dims") {
        return Some(match input.len() {
            3 => format!("{UNBATCHED} 1x{}", times(input)),
            2 => "likely cause: the flatten is too early; batch normalisation in two dimensions takes feature maps\n\
                  instead: put the batch normalisation before the flatten, or make it with `nn::batch_norm1d`"
                .into(),
            _ => "likely cause: batch normalisation in two dimensions takes N C H W".into(),
        });
    }
    if has("input to conv2d, but got input of size") {
        let detail = match input.len() {
            2 => {
                "either there is a flatten before it, or `.unsqueeze(0)` is missing twice (batch and channels)"
            }
            _ => "a batch of feature maps has four axes, N C H W",
        };
        return Some(format!("likely cause: a convolution needs rows and columns; {detail}"));
    }
    if has("Kernel size can't be greater") || has("Output size is too small") {
        return Some(format!(
            "likely cause: the window is larger than its input; earlier strides and pooling layers left too few positions\n\
             instead: {NO_ROOM}"
        ));
    }
    if has("should be the same") || has("expected scalar type") || has("must have the same dtype") {
        return Some(
            "likely cause: the input and the weights have different kinds (the input may be the bytes of an image)\n\
             instead: `.to_kind(Kind::Float)` on the input"
                .into(),
        );
    }
    has("on the same device").then(|| {
        "likely cause: the input and the weights are on different devices\n\
         instead: `.to_device(device())` on the input"
            .into()
    })
}

/// `mat1 and mat2 shapes cannot be multiplied (8x250 and 490x10)`.
fn explain_features(message: &str, input: &[u64]) -> String {
    let made_for =
        message.rsplit(" and ").next().and_then(|tail| tail.split('x').next()).unwrap_or("another number");
    if input.len() > 2 {
        let features = count(&input[1..]).map_or("…".into(), |features| features.to_string());
        return format!(
            "likely cause: a linear layer, which takes one row of values per image, got feature maps ({})\n\
             instead: `.flatten(1, -1)` before it makes it {}x{features}",
            times(input),
            input[0]
        );
    }
    let got = input.last().copied().unwrap_or(0);
    format!(
        "likely cause: a linear layer made for {made_for} features gets {got}; the size before the flatten was \
         computed wrongly\ninstead: make the layer for {got} features"
    )
}

/// The number between `before` and `between`, and the number after `between`.
fn numbers_at(message: &str, before: &str, between: &str) -> Option<(u64, u64)> {
    let (head, tail) = message.split_once(between)?;
    let first = head.rsplit_once(before)?.1.parse().ok()?;
    let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    Some((first, tail[..digits].parse().ok()?))
}
