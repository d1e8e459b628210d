//! What libtorch's sentences about shapes and kinds mean, and what to type.

use crate::shapes::{DEPTH, NO_ROOM, count, times, why_these_channels};

const UNBATCHED: &str = "likely cause: the batch axis is missing: this is one picture (C H W), and batch \
     normalisation takes a batch (N C H W)\ninstead: `.unsqueeze(0)` on the input makes it";

/// The likely cause behind libtorch's sentence, for a layer that got an input of these sizes.
pub(crate) fn hint(sentence: &str, input: &[u64]) -> Option<String> {
    let has = |words: &str| sentence.contains(words);
    if let Some((filters, maps)) = numbers_at(sentence, "to have ", " channels, but got ") {
        return Some(format!(
            "axis C (channels): {DEPTH}; {maps} come, and the filters have {filters}\nlikely cause: {}\n\
             instead: make the layer for {maps} channels",
            why_these_channels(filters, input.first().copied().unwrap_or(0))
        ));
    }
    if has("shapes cannot be multiplied") {
        return Some(features(sentence, input));
    }
    if let Some((channels, made_for)) = numbers_at(sentence, "should contain ", " elements not ") {
        // Without a batch axis libtorch takes the rows for channels.
        if input.len() == 3 && input[0] == made_for {
            return Some(format!("{UNBATCHED} 1x{}", times(input)));
        }
        return Some(format!(
            "likely cause: batch normalisation has a pair of numbers for each channel; it was made for {made_for} \
             channels, and {channels} come\ninstead: make it with {channels}"
        ));
    }
    // tch's own sentence, for `nn::batch_norm2d`.
    if has("expected an input tensor with 4 dims") {
        return Some(match input.len() {
            3 => format!("{UNBATCHED} 1x{}", times(input)),
            2 => "likely cause: a flatten came too early; batch normalisation in two dimensions takes maps\n\
                  instead: put it before the flatten, or make it with `nn::batch_norm1d`"
                .into(),
            _ => "likely cause: batch normalisation in two dimensions takes N C H W".into(),
        });
    }
    if has("input to conv2d, but got input of size") {
        let lacks = match input.len() {
            2 => "a flatten came too early, or `.unsqueeze(0)` is missing twice (batch and channels)",
            _ => "a batch of maps has four axes, N C H W",
        };
        return Some(format!("likely cause: a convolution needs rows and columns; {lacks}"));
    }
    if has("Kernel size can't be greater") || has("Output size is too small") {
        return Some(format!(
            "likely cause: the window is larger than what it is laid on; strides and pools before left too little\n\
             instead: {NO_ROOM}"
        ));
    }
    if has("should be the same") || has("expected scalar type") || has("must have the same dtype") {
        return Some(
            "likely cause: the input and the weights are numbers of different kinds (bytes of a picture, say)\n\
             instead: `.to_kind(Kind::Float)` on the input"
                .into(),
        );
    }
    has("on the same device").then(|| {
        "likely cause: the input is in one memory and the weights in another\n\
         instead: `.to_device(device())` on the input"
            .into()
    })
}

/// `mat1 and mat2 shapes cannot be multiplied (8x250 and 490x10)`.
fn features(sentence: &str, input: &[u64]) -> String {
    let made_for =
        sentence.rsplit(" and ").next().and_then(|tail| tail.split('x').next()).unwrap_or("another number");
    if input.len() > 2 {
        let features = count(&input[1..]).map_or("…".into(), |features| features.to_string());
        return format!(
            "likely cause: maps ({}) came to a linear layer, which takes one row of values for each picture\n\
             instead: `.flatten(1, -1)` before it makes it {}x{features}",
            times(input),
            input[0]
        );
    }
    let got = input.last().copied().unwrap_or(0);
    format!(
        "likely cause: a linear layer made for {made_for} features gets {got}; the size before the flatten was \
         reckoned wrongly\ninstead: make the layer for {got} features"
    )
}

/// The numbers on both sides of `between`, the first of them behind `before`.
fn numbers_at(sentence: &str, before: &str, between: &str) -> Option<(u64, u64)> {
    let (head, tail) = sentence.split_once(between)?;
    let first = head.rsplit_once(before)?.1.parse().ok()?;
    let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    Some((first, tail[..digits].parse().ok()?))
}
