//! Expressions of an input `x`, which libtorch computes: `(x.channel(0) + x.channel(1)) / 2`.
//!
//! | written | computes |
//! | --- | --- |
//! | `x`, `0.5`, `[1 0 / 0 1]` | the input, a number, a small map (`\|` between channels) |
//! | `+ - * / ( )` | arithmetic, element by element |
//! | `.channel(0)` | one channel; the axis stays |
//! | `.sum(C)`, `.mean(H W)`, `.max(C)` | over these axes, which disappear; with `keep` they stay: `.sum(C, keep)` |
//! | `.exp()`, `.log()`, `.relu()` | e to the power of each element, its natural logarithm, ReLU |
//! | `.flip(W)` | in reverse order along these axes |
//! | `.max_pool(2)`, `.avg_pool(3, 1)` | pooling; the second number is the stride |
//! | `.pad(1, replicate)` | padding: `constant` (zeros), `replicate` or `reflect` |
//! | `.conv(-1 0 1 / -1 0 1)` | one filter; if it has one channel, that one is used for all |
//! | `.conv_each(…)` | the same, but each channel gives a feature map of its own |
//!
//! Another operation is another line in `apply`.

use crate::quiz::run::values;
use crate::{Error, Result};
use tch::{Kind, Tensor};

/// The value of this expression.
///
/// # Errors
/// If it cannot be read, or libtorch refuses an operation.
pub(super) fn evaluated(text: &str, x: &Tensor) -> Result<Tensor> {
    let mut reader = Reader { text, rest: text, x };
    let value = reader.sum()?;
    if reader.rest.trim().is_empty() { Ok(value) } else { reader.unexpected("an operator") }
}

/// The input that this text describes: numbers (`1 0 / 0 1`), or the sizes of random ones (`2x3x6x10`).
pub(super) fn input(text: &str) -> Result<Tensor> {
    if text.contains(' ') {
        return values(text);
    }
    let sizes = text.split('x').map(|size| number(size, text));
    random(&sizes.collect::<Result<Vec<i64>>>()?)
}

/// Numbers that look random and are the same every time.
fn random(size: &[i64]) -> Result<Tensor> {
    let count: i64 = size.iter().product();
    let steps = Tensor::f_arange(count, (Kind::Double, tch::Device::Cpu))?;
    Ok(((steps * 12.9898 + 4.0).sin() * 5.0).f_to_kind(Kind::Float)?.f_view(size)?)
}

fn number<T: std::str::FromStr>(word: &str, text: &str) -> Result<T> {
    word.trim().parse().map_err(|_| Error::new(format!("`{text}`: expected a number, got `{word}`")))
}

/// Reads an expression from left to right, and computes it at the same time.
struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    x: &'a Tensor,
}

impl<'a> Reader<'a> {
    fn sum(&mut self) -> Result<Tensor> {
        let mut value = self.product()?;
        loop {
            if self.takes('+') {
                value = value.f_add(&self.product()?)?;
            } else if self.takes('-') {
                value = value.f_sub(&self.product()?)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<Tensor> {
        let mut value = self.factor()?;
        loop {
            if self.takes('*') {
                value = value.f_mul(&self.factor()?)?;
            } else if self.takes('/') {
                value = value.f_div(&self.factor()?)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn factor(&mut self) -> Result<Tensor> {
        if self.takes('-') {
            return Ok(self.factor()?.f_neg()?);
        }
        let mut value = if self.takes('(') {
            let value = self.sum()?;
            if !self.takes(')') {
                return self.unexpected("`)`");
            }
            value
        } else if self.takes('[') {
            values(self.until(']')?)?
        } else {
            match self.word() {
                "x" => self.x.shallow_clone(),
                word => Tensor::from(number::<f32>(word, self.text)?),
            }
        };
        while self.takes('.') {
            let method = self.until('(')?;
            let arguments: Vec<&str> = self.until(')')?.split(',').map(str::trim).collect();
            value = apply(&value, method, &arguments)?;
        }
        Ok(value)
    }

    fn takes(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: char) -> Result<&'a str> {
        let Some((inside, rest)) = self.rest.split_once(end) else {
            return self.unexpected(&format!("`{end}`"));
        };
        self.rest = rest;
        Ok(inside)
    }

    /// `x`, or a number.
    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end =
            if rest.starts_with('x') { Some(1) } else { rest.find(|c: char| !matches!(c, '0'..='9' | '.')) };
        let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = rest;
        word
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T> {
        Err(Error::new(format!("`{}`: expected {expected}, got `{}`", self.text, self.rest.trim())))
    }
}

fn apply(x: &Tensor, method: &str, arguments: &[&str]) -> Result<Tensor> {
    let whole = |index: usize| number::<i64>(arguments.get(index).unwrap_or(&""), method);
    // The axes of `sum(H W, keep)`; without one, all of them.
    let axes: Vec<i64> =
        arguments[0].chars().filter_map(|axis| "NCHW".find(axis)).map(|at| at as i64).collect();
    let keep = arguments.get(1) == Some(&"keep");
    Ok(match method {
        "channel" => x.f_narrow(1, whole(0)?, 1)?,
        "exp" => x.f_exp()?,
        "log" => x.f_log()?,
        "relu" => x.f_relu()?,
        "flip" => x.f_flip(&axes)?,
        "sum" => x.f_sum_dim_intlist(axes.as_slice(), keep, Kind::Float)?,
        "mean" => x.f_mean_dim(axes.as_slice(), keep, Kind::Float)?,
        "max" => x.f_amax(axes.as_slice(), keep)?,
        "max_pool" | "avg_pool" => {
            let kernel = [whole(0)?; 2];
            let stride = if arguments.len() > 1 { [whole(1)?; 2] } else { kernel };
            match method {
                "max_pool" => x.f_max_pool2d(kernel, stride, [0, 0], [1, 1], false)?,
                _ => x.f_avg_pool2d(kernel, stride, [0, 0], false, true, None)?,
            }
        }
        "pad" => x.f_pad([whole(0)?; 4], arguments.get(1).unwrap_or(&"constant"), None)?,
        "conv" | "conv_each" => {
            let weight = values(arguments[0])?;
            let channels = x.size().get(1).copied().unwrap_or(1);
            let (sizes, groups) =
                if method == "conv" { ([1, channels, -1, -1], 1) } else { ([channels, 1, -1, -1], channels) };
            x.f_conv2d::<&Tensor>(&weight.f_expand(sizes, false)?, None, 1, 0, 1, groups)?
        }
        _ => return Err(Error::new(format!("expressions have no operation `{method}`"))),
    })
}
