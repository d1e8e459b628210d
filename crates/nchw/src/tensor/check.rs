//! Checks of tensors: shapes in one line, with an error that explains them axis by axis; images and
//! labels; finite numbers.

use crate::{
    Error, Result,
    shapes::{Bound, Pattern, times},
};
use tch::{Kind, Tensor};

/// Returns the tensor if its shape matches the pattern.
///
/// # Shapes
/// The pattern has one entry per axis: a name (`N`: any size, but the same size wherever the
/// name is repeated), a name with a size (`C=3`), a size (`32`), or `_` (any size).
///
/// # Errors
/// If the shape does not match: the message lists what was expected and what it got for each
/// axis, marks the first wrong one, and, if another order of the axes would match, says what to
/// type. Also if the pattern cannot be parsed.
///
/// ```
/// use nchw::prelude::*;
/// let images = Tensor::zeros([8, 32, 48, 3], (Kind::Float, Device::Cpu));
/// let error = check(&images, "N C=3 H W").unwrap_err().to_string();
/// assert!(error.contains("axis 1  C  expected 3, got 32  <-- the first wrong axis"));
/// let images = check(&images.permute([0, 3, 1, 2]), "N C=3 H W")?;
/// assert_eq!(images.size(), [8, 3, 32, 48]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn check(tensor: &Tensor, pattern: &str) -> Result<Tensor> {
    let pattern: Pattern = pattern.parse()?;
    holds_something(tensor)?;
    pattern.check(&sizes(tensor))?;
    Ok(tensor.shallow_clone())
}

/// Checks several tensors, in which a name means the same size: for example, that there are as
/// many labels as images.
///
/// # Shapes
/// As with [`check`].
///
/// # Errors
/// As with [`check`], for the first tensor that does not match. Tensors are counted from 1.
///
/// ```
/// use nchw::prelude::*;
/// let images = Tensor::zeros([8, 3, 32, 48], (Kind::Float, Device::Cpu));
/// let labels = Tensor::zeros([7], (Kind::Int64, Device::Cpu));
/// let error = check_all(&[(&images, "N C=3 H W"), (&labels, "N")]).unwrap_err().to_string();
/// assert!(error.contains("expected 8 (as axis 0 of tensor 1), got 7"));
/// ```
pub fn check_all(tensors: &[(&Tensor, &str)]) -> Result<()> {
    let mut bound = Bound::default();
    for ((tensor, pattern), number) in tensors.iter().zip(1..) {
        check_named(&format!("tensor {number}"), tensor, pattern, &mut bound)?;
    }
    Ok(())
}

/// Checks a tensor, which messages call `name`; a name in the pattern has the size from earlier checks.
fn check_named(name: &str, tensor: &Tensor, pattern: &str, bound: &mut Bound) -> Result<()> {
    let pattern: Pattern = pattern.parse().map_err(|e| Error::new(format!("the pattern of {name}: {e}")))?;
    holds_something(tensor).map_err(|e| Error::new(format!("{name}: {e}")))?;
    pattern.check_with(&sizes(tensor), bound, name)
}

/// Refuses anything but images that the networks of the course train on.
///
/// # Shapes
/// `[N, 3, 32, 32]` bytes
pub(crate) fn check_images(name: &str, images: &Tensor) -> Result<()> {
    check_named(name, images, "N C=3 H=32 W=32", &mut Bound::default()).map_err(|error| {
        match sizes(images)[..] {
            [_, 3, _, _] => advised(error, "instead: resize the images; the networks are made for 32 x 32"),
            _ => error,
        }
    })?;
    check_bytes(name, images)
}

/// Refuses anything but one or more images as bytes, of any size.
///
/// # Shapes
/// `[N, 3, H, W]` bytes
pub(crate) fn check_bytes(name: &str, images: &Tensor) -> Result<()> {
    check_named(name, images, "N C=3 H W", &mut Bound::default())?;
    check_not_empty(name, images)?;
    if images.kind() == Kind::Uint8 {
        return Ok(());
    }
    Err(Error::new(format!(
        "{name}: expected bytes from 0 to 255 (kind Uint8), got kind {:?}. The networks scale the bytes \
         themselves: pass the images as they were drawn, or `(images * 255).to_kind(Kind::Uint8)` if they \
         lie between 0 and 1",
        images.kind()
    )))
}

/// Refuses anything but RGB images of any size, as bytes or as numbers from 0 to 1.
///
/// # Shapes
/// `[N, 3, H, W]`
pub(crate) fn check_image_numbers(name: &str, images: &Tensor) -> Result<()> {
    let _ = check(images, "N C=3 H W")?;
    match images.kind() {
        Kind::Uint8 => Ok(()),
        kind if is_float(kind) => check_finite(name, images, "Expected numbers from 0 to 1"),
        other => Err(Error::new(format!(
            "expected images as bytes from 0 to 255 (kind Uint8) or as numbers from 0 to 1 (kind Float), \
             got kind {other:?}: `images.to_kind(Kind::Uint8)`"
        ))),
    }
}

/// Refuses anything but one whole number for each image. `what` is the name of the examples.
///
/// # Shapes
/// `images` `[N, …]`, `labels` `[N]`
pub(crate) fn check_labels(what: &str, images: &Tensor, labels: &Tensor) -> Result<()> {
    let mut bound = Bound::default();
    let any_size = " _".repeat(images.dim().saturating_sub(1));
    check_named(&format!("the images of {what}"), images, &format!("N{any_size}"), &mut bound)?;
    check_not_empty(&format!("the images of {what}"), images)?;
    let name = format!("the labels of {what}");
    check_named(&name, labels, "N", &mut bound).map_err(|error| match labels.dim() {
        1 => advised(error, "likely cause: only the images, or only the labels, were cut or shuffled"),
        _ => error,
    })?;
    if labels.kind() == Kind::Int64 {
        return Ok(());
    }
    Err(Error::new(format!(
        "{name}: expected whole numbers (kind Int64), got kind {:?}: `labels.to_kind(Kind::Int64)`",
        labels.kind()
    )))
}

/// Refuses labels other than 0 to `classes - 1`.
pub(crate) fn check_classes(what: &str, labels: &Tensor, classes: i64) -> Result<()> {
    let (min, max) = (labels.f_min()?.f_int64_value(&[])?, labels.f_max()?.f_int64_value(&[])?);
    if min >= 0 && max < classes {
        return Ok(());
    }
    let hint = if min > 0 { ". Do the labels count from 1? Then: `labels - 1`" } else { "" };
    Err(Error::new(format!(
        "the labels of {what}: expected numbers from 0 to {}, as there are {classes} classes; got {min} to {max}{hint}",
        classes - 1
    )))
}

/// Refuses other images for these labels unless there is one for each label.
///
/// # Shapes
/// `labels` `[N]`, `images` `[N, C, H, W]`
pub(crate) fn check_new_images(labels: &Tensor, images: &Tensor) -> Result<()> {
    let mut bound = Bound::default();
    check_named("the labels", labels, "N", &mut bound)?;
    check_named("the images", images, "N C H W", &mut bound).map_err(|error| match images.dim() {
        4 => advised(error, "instead: change the content of the images, not their number"),
        _ => error,
    })
}

/// Refuses a tensor whose first axis is empty.
fn check_not_empty(name: &str, images: &Tensor) -> Result<()> {
    match sizes(images)[..] {
        [0, ..] => Err(Error::new(format!(
            "{name}: expected at least one image, got {}: axis 0 (N) is 0. Was it cut to nothing?",
            times(&sizes(images))
        ))),
        _ => Ok(()),
    }
}

/// An error with advice on a line of its own.
fn advised(error: Error, advice: &str) -> Error {
    Error::new(format!("{error}\n{advice}"))
}

/// The floating-point kinds that weights and images may have; all are converted to fp32.
pub(crate) fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16)
}

/// Refuses `Tensor::new()`, which has neither a shape nor numbers, and with which tch would panic.
pub(crate) fn holds_something(tensor: &Tensor) -> Result<()> {
    if tensor.defined() {
        return Ok(());
    }
    Err(Error::new(
        "expected a tensor with numbers, got one that was never filled (`Tensor::new()`)\n\
         instead: `Tensor::zeros([…], (Kind::Float, Device::Cpu))`, or the output of a layer",
    ))
}

/// Refuses a tensor that contains NaN or infinite numbers, with this advice.
pub(crate) fn check_finite(what: &str, tensor: &Tensor, advice: &str) -> Result<()> {
    let numbers = tensor.f_detach()?;
    let bad = numbers.numel() as i64 - numbers.f_isfinite()?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
    if bad == 0 {
        return Ok(());
    }
    let kind = if numbers.f_isnan()?.f_any()?.f_int64_value(&[])? != 0 { "NaN" } else { "infinite numbers" };
    Err(Error::new(format!(
        "{what} {:?} holds {kind}: {bad} of its {} numbers are not finite. {advice}",
        tensor.size(),
        tensor.numel()
    )))
}

/// The sizes of a tensor; empty for `Tensor::new()`.
pub(crate) fn sizes(tensor: &Tensor) -> Vec<u64> {
    if !tensor.defined() {
        return vec![];
    }
    tensor.size().iter().map(|size| *size as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Checks that each text has this beginning and this end.
    fn has_ends(text: String, start: &str, end: &str) {
        assert!(text.starts_with(start) && text.ends_with(end), "expected `{start}` and `{end}` in: {text}");
    }

    #[test]
    fn images_of_another_shape_or_kind_are_refused() {
        let refused = |sizes: &[i64], kind| {
            check_images("the images", &Tensor::zeros(sizes, (kind, Device::Cpu))).unwrap_err().to_string()
        };
        let cases: [(&[i64], &str, &str); 7] = [
            (
                &[8, 32, 32, 3],
                "the images: expected N C=3 H=32 W=32, got 8x32x32x3\n  axis 0  N  expected any, got 8\n  axis 1  C  expected 3, got 32",
                "likely cause: the channels come last (N H W C), as in image files\n\
                 instead: `.permute([0, 3, 1, 2])` makes it 8x3x32x32",
            ),
            (
                &[8, 1, 32, 32],
                "the images: expected",
                "likely cause: these are grey images\ninstead: `.repeat([1, 3, 1, 1])` makes it 8x3x32x32",
            ),
            (&[3, 32, 32], "the images: expected 4 axes", "instead: `.unsqueeze(0)` makes it 1x3x32x32"),
            (
                &[8, 3, 28, 32],
                "the images: expected",
                "axis 3  W  expected 32, got 32\ninstead: resize the images; the networks are made for 32 x 32",
            ),
            (
                &[8, 3, 32, 48],
                "the images: expected",
                "<-- the first wrong axis\ninstead: resize the images; the networks are made for 32 x 32",
            ),
            (
                &[0, 3, 32, 32],
                "the images: expected at least one image, got 0x3x32x32",
                "axis 0 (N) is 0. Was it cut to nothing?",
            ),
            (&[3072], "the images: expected 4 axes", ""),
        ];
        for (sizes, start, end) in cases {
            has_ends(refused(sizes, Kind::Uint8), start, end);
        }
        let start = "the images: expected bytes from 0 to 255 (kind Uint8), got kind Float.";
        has_ends(refused(&[2, 3, 32, 32], Kind::Float), start, "if they lie between 0 and 1");
    }

    #[test]
    fn labels_that_do_not_belong_to_the_images_are_refused() {
        let images = Tensor::zeros([20, 3, 32, 32], (Kind::Uint8, Device::Cpu));
        let labels = Tensor::arange(20, (Kind::Int64, Device::Cpu)).remainder(10);
        let check_both = |labels: &Tensor| {
            check_labels("the test set", &images, labels)?;
            check_classes("the test set", labels, 10)
        };
        check_both(&labels).unwrap();
        let cases = [
            (
                labels.narrow(0, 0, 12),
                "the labels of the test set: expected N, got 12\n  axis 0  N  \
                 expected 20 (as axis 0 of the images of the test set), got 12",
                "likely cause: only the images, or only the labels, were cut or shuffled",
            ),
            (
                &labels + 1,
                "the labels of the test set: expected numbers from 0 to 9, as there are 10 classes; got 1 to 10",
                "Then: `labels - 1`",
            ),
            (&labels - 1, "the labels of the test set: expected numbers from 0 to 9", "got -1 to 8"),
            (
                labels.to_kind(Kind::Float),
                "the labels of the test set: expected whole numbers (kind Int64), got kind Float",
                "`labels.to_kind(Kind::Int64)`",
            ),
            (
                labels.view([20, 1]),
                "the labels of the test set: expected 1 axis",
                "`.squeeze_dim(1)` makes it 20",
            ),
            (Tensor::new(), "the labels of the test set: expected a tensor with numbers", ""),
        ];
        for (labels, start, end) in cases {
            has_ends(check_both(&labels).unwrap_err().to_string(), start, end);
        }
        let none = images.narrow(0, 0, 0);
        let error = check_labels("the test set", &none, &labels.narrow(0, 0, 0)).unwrap_err();
        has_ends(
            error.to_string(),
            "the images of the test set: expected at least one image",
            "Was it cut to nothing?",
        );
    }
}
