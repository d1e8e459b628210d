//! The filter lab: a filter applied to a photo, and the products at one position of its window. `figure` is its
//! page.

#[cfg(not(target_arch = "wasm32"))]
mod figure;
#[cfg(test)]
mod tests;

#[cfg(not(target_arch = "wasm32"))]
pub use figure::{LabFilter, Photo};

use crate::lanes::{LANES, Lanes, add, lanes, load, numbers};
use crate::{
    Module,
    paint::{Name, css, fill},
};
use nchw_core::colour::{Palette, TINTS, readable_on};
use nchw_core::kernels::{self, Kernel};
use nchw_core::{Error, Result, text::number};
use serde::{Deserialize, Serialize};

/// The most rows and columns of a kernel: more fields cannot be read.
const MOST: usize = 7;
/// The most rows and columns of a photo.
const LONGEST: usize = 8192;
/// How many neighbouring columns are computed together, so that each weight is read once for all of them.
const BLOCK: usize = 4 * LANES;

/// The photo in a buffer of the module, `[C, H, W]`, and the filter.
#[derive(Deserialize)]
pub(crate) struct Lab {
    image: usize,
    channels: usize,
    rows: usize,
    columns: usize,
    /// Rows and columns of the kernels.
    kernel: [usize; 2],
    /// `[C, H, W]`
    weights: Vec<f32>,
    bias: f32,
    /// Whether zeros around the photo keep its size (padding `same`); otherwise there is no padding.
    same: bool,
    relu: bool,
    /// Buffers for the map and for its colours, as large as the photo; and the position of the window.
    #[serde(default)]
    map: usize,
    #[serde(default)]
    rgba: usize,
    #[serde(default)]
    position: [usize; 2],
}

impl Lab {
    fn check(&self) -> Result<()> {
        let Lab { channels, rows, columns, kernel: [h, w], .. } = *self;
        if channels != 1 && channels != 3 {
            return Err(Error::new(format!(
                "axis C (channels): expected 1 (grey) or 3 (RGB), got {channels}"
            )));
        }
        if !(1..=LONGEST).contains(&rows) || !(1..=LONGEST).contains(&columns) {
            return Err(Error::new(format!(
                "expected a photo of 1 to {LONGEST} rows and columns, got {rows} x {columns} (H x W)"
            )));
        }
        if !(1..=MOST).contains(&h) || !(1..=MOST).contains(&w) {
            return Err(Error::new(format!(
                "expected a kernel of 1 x 1 to {MOST} x {MOST}, got {h} x {w} (H x W)"
            )));
        }
        if self.weights.len() != channels * h * w {
            return Err(Error::new(format!(
                "a filter of shape [1, {channels}, {h}, {w}] (N C H W) has {} weights, got {}",
                channels * h * w,
                self.weights.len()
            )));
        }
        if !self.same && (h > rows || w > columns) {
            return Err(Error::new(format!(
                "the kernel ({h} x {w}) is larger than the photo ({rows} x {columns}), so no position fits: \
                 choose the padding \"same\", or a larger photo"
            )));
        }
        Ok(())
    }

    /// The rows and columns of zeros above and to the left. With an even kernel, PyTorch's `same` adds one
    /// more below and to the right.
    fn before(&self) -> [usize; 2] {
        self.kernel.map(|side| if self.same { (side - 1) / 2 } else { 0 })
    }

    /// Rows and columns of the map.
    fn size(&self) -> [usize; 2] {
        let [h, w] = self.kernel;
        if self.same { [self.rows, self.columns] } else { [self.rows - h + 1, self.columns - w + 1] }
    }

    /// The photo's buffer.
    fn image<'a>(&self, module: &'a Module) -> Result<&'a [f32]> {
        let needs = self.channels * self.rows * self.columns;
        let image = module.memory.floats(self.image)?;
        let short = || {
            Error::new(format!(
                "a photo of shape [{}, {}, {}] (C H W) has {needs} numbers, got {}",
                self.channels,
                self.rows,
                self.columns,
                image.len()
            ))
        };
        image.get(..needs).ok_or_else(short)
    }

    /// The photo with zeros around it, and each row filled up so that whole blocks can be read.
    /// Returns the rows and columns of a channel, too.
    fn padded(&self, image: &[f32]) -> (Vec<f32>, usize, usize) {
        let ([rows, columns], [top, left]) = (self.size(), self.before());
        let (height, width) =
            (rows + self.kernel[0] - 1, columns.next_multiple_of(BLOCK) + self.kernel[1] - 1);
        let mut padded = vec![0.0; self.channels * height * width];
        let planes =
            padded.chunks_exact_mut(height * width).zip(image.chunks_exact(self.rows * self.columns));
        for (to, from) in planes {
            let lines = to.chunks_exact_mut(width).skip(top).zip(from.chunks_exact(self.columns));
            lines.for_each(|(to, from)| to[left..left + self.columns].copy_from_slice(from));
        }
        (padded, height, width)
    }

    /// Multiplies and adds at every position. As usual in deep learning, the kernel is not flipped.
    ///
    /// # Shapes
    /// `[C, H, W]` → `[H, W]`
    fn convolve(&self, image: &[f32], map: &mut [f32]) {
        let (padded, height, width) = self.padded(image);
        let [h, w] = self.kernel;
        let [_, columns] = self.size();
        for (row, map) in map.chunks_exact_mut(columns).enumerate() {
            for (block, map) in map.chunks_mut(BLOCK).enumerate() {
                let [mut s0, mut s1, mut s2, mut s3]: [Lanes; 4] = [lanes([self.bias; LANES]); 4];
                for (line, weights) in self.weights.chunks_exact(w).enumerate() {
                    let start = (line / h * height + row + line % h) * width + block * BLOCK;
                    for (column, weight) in weights.iter().enumerate() {
                        let pixels = &padded[start + column..][..BLOCK];
                        if let ([a, b, c, d], _) = pixels.as_chunks::<LANES>()
                            && *weight != 0.0
                        {
                            s0 = add(s0, *weight, &load(a));
                            s1 = add(s1, *weight, &load(b));
                            s2 = add(s2, *weight, &load(c));
                            s3 = add(s3, *weight, &load(d));
                        }
                    }
                }
                let sums = [s0, s1, s2, s3].map(numbers);
                map.iter_mut().zip(sums.as_flattened()).for_each(|(to, sum)| *to = *sum);
            }
        }
        if self.relu {
            // NaN stays NaN, as in PyTorch.
            map.iter_mut().filter(|value| **value < 0.0).for_each(|value| *value = 0.0);
        }
    }
}

/// The map and what to write beside it.
#[derive(Serialize)]
pub(crate) struct Drawn {
    rows: usize,
    columns: usize,
    palette: Name,
    /// The numbers at both ends and in the middle of the colour bar.
    scale: [String; 3],
    size: String,
    /// What the sum of the weights means.
    sum: String,
    problem: Option<String>,
}

/// `{"call": "filter_map", …}`: writes the map `[H, W]` into the buffer `map`, and its colours into `rgba`.
pub(crate) fn map(module: &mut Module, lab: Lab) -> Result<Drawn> {
    lab.check()?;
    let [rows, columns] = lab.size();
    let count = rows * columns;
    lab.image(module)?;
    let mut map = module.memory.take(lab.map)?;
    let drawn = match map.get_mut(..count) {
        None => Err(Error::new(format!("expected a buffer of {count} numbers for the map"))),
        Some(map) => lab.image(module).map(|image| lab.convolve(image, map)),
    };
    let drawn = drawn.and_then(|()| {
        let values = &map[..count];
        let name = if lab.relu { Name::Sequential } else { Name::Signed };
        let palette = name.palette();
        let range = palette.clear_range(values);
        fill(palette, values, range, module.memory.bytes_mut(lab.rgba, 4 * count)?);
        let ((low, high), [least, most]) = (range, extremes(values));
        // The few largest numbers of a large map are beyond the ends of the scale.
        let end = |sign: &str, end: f32, beyond: bool| {
            if beyond { format!("{sign} {}", number(end)) } else { number(end) }
        };
        let scale = [
            end("\u{2264}", low, least < low),
            number((low + high) / 2.0),
            end("\u{2265}", high, most > high),
        ];
        Ok(Drawn {
            rows,
            columns,
            palette: name,
            scale,
            size: format!("C=1  H={rows}  W={columns}, {}", extent([least, most])),
            sum: lab.meaning(),
            problem: problem(values),
        })
    });
    module.memory.put(map);
    drawn
}

/// The smallest and the largest number.
fn extremes(values: &[f32]) -> [f32; 2] {
    let finite = values.iter().filter(|value| value.is_finite());
    // Not with `f32::min`, which is a function call for each number in WebAssembly.
    finite.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], value| {
        [if *value < low { *value } else { low }, if *value > high { *value } else { high }]
    })
}

fn extent([low, high]: [f32; 2]) -> String {
    if low > high {
        "no number".into()
    } else if low == high {
        format!("all {}", number(low))
    } else {
        format!("from {} to {}", number(low), number(high))
    }
}

fn problem(values: &[f32]) -> Option<String> {
    if values.iter().all(|value| value.is_finite()) {
        return None;
    }
    let nan = values.iter().filter(|value| value.is_nan()).count();
    let infinite = values.iter().filter(|value| value.is_infinite()).count();
    Some(format!(
        "Some sums are too large for 32-bit numbers: of {} values, {infinite} are infinite and {nan} are NaN \
         (magenta). Use smaller weights.",
        values.len()
    ))
}

impl Lab {
    /// What the sum of the weights means for an area in which all pixels are equal.
    fn meaning(&self) -> String {
        let sum = self.weights.iter().map(|weight| f64::from(*weight)).sum::<f64>() as f32;
        // The weights of a blur add up to 1 only up to rounding.
        let sum = if (sum - sum.round()).abs() < 1e-4 { sum.round() } else { sum };
        let area = if self.channels == 1 { "a uniform area" } else { "a uniform grey area" };
        let bias = number(self.bias);
        let (is_zero, plus) = if self.bias == 0.0 {
            ("0".to_owned(), String::new())
        } else if self.bias > 0.0 {
            (format!("the bias, {bias}"), format!(", plus the bias, {bias}"))
        } else {
            (format!("the bias, {bias}"), format!(", minus {}", number(-self.bias)))
        };
        let relu = if self.relu { " The ReLU then replaces negative numbers with 0." } else { "" };
        if self.weights.iter().all(|weight| *weight == 0.0) {
            return format!("All weights are 0, so every number of the map is {is_zero}.{relu}");
        }
        let becomes = if sum == 0.0 {
            format!("becomes {is_zero}")
        } else if sum == 1.0 {
            format!("keeps its brightness{plus}")
        } else if sum.is_finite() {
            format!("becomes {} times its brightness{plus}", number(sum))
        } else {
            "becomes infinite".into()
        };
        format!("The weights add up to {}: {area} {becomes}.{relu}", number(sum))
    }
}

/// The products at one position of the window.
#[derive(Serialize)]
pub(crate) struct Window {
    /// One for each channel.
    channels: Vec<Vec<Product>>,
    /// The first row and column of the window in the photo; negative in the padding.
    top: isize,
    left: isize,
    says: String,
}

/// A pixel, its weight and their product.
#[derive(Serialize)]
pub(crate) struct Product {
    pixel: String,
    /// CSS colours of the pixel, and of text on it.
    paper: String,
    ink: String,
    weight: String,
    product: String,
    product_paper: String,
    product_ink: String,
    outside: bool,
}

/// `{"call": "filter_window", …, "position": [row, column]}`: how one number of the map is computed.
pub(crate) fn window(module: &mut Module, lab: Lab) -> Result<Window> {
    lab.check()?;
    let image = lab.image(module)?;
    let ([h, w], [rows, columns], [above, before]) = (lab.kernel, lab.size(), lab.before());
    let [row, column] = lab.position;
    if row >= rows || column >= columns {
        return Err(Error::new(format!(
            "the map has {rows} rows and {columns} columns, counted from 0: there is no position {row}, {column}"
        )));
    }
    let [top, left] = [row as isize - above as isize, column as isize - before as isize];
    let pixel = |channel: usize, at: usize| {
        let row = usize::try_from(top + (at / w) as isize).ok().filter(|row| *row < lab.rows)?;
        let column = usize::try_from(left + (at % w) as isize).ok().filter(|column| *column < lab.columns)?;
        image.get((channel * lab.rows + row) * lab.columns + column).copied()
    };
    let products: Vec<(Option<f32>, f32)> = lab
        .weights
        .iter()
        .enumerate()
        .map(|(index, weight)| (pixel(index / (h * w), index % (h * w)), *weight))
        .collect();
    let value = |(pixel, weight): &(Option<f32>, f32)| pixel.unwrap_or(0.0) * weight;
    let values: Vec<f32> = products.iter().map(value).collect();
    let range = Palette::Signed.range(&values);
    let product = |channel: usize, (part, value): (&(Option<f32>, f32), &f32)| {
        let tint = if lab.channels == 1 { Palette::Grey } else { Palette::Tint(TINTS[channel]) };
        let (of_pixel, of_product) =
            (tint.rgb(part.0.unwrap_or(0.0), (0.0, 1.0)), Palette::Signed.rgb(*value, range));
        Product {
            pixel: number(part.0.unwrap_or(0.0)),
            paper: css(of_pixel),
            ink: css(readable_on(of_pixel)),
            weight: number(part.1),
            product: number(*value),
            product_paper: css(of_product),
            product_ink: css(readable_on(of_product)),
            outside: part.0.is_none(),
        }
    };
    let channels = products
        .chunks_exact(h * w)
        .zip(values.chunks_exact(h * w))
        .enumerate()
        .map(|(channel, (parts, values))| {
            parts.iter().zip(values).map(|pair| product(channel, pair)).collect()
        })
        .collect();
    let sum = values.iter().map(|value| f64::from(*value)).sum::<f64>();
    let total = (sum + f64::from(lab.bias)) as f32;
    let (count, relu) = (values.len(), if lab.relu { total.max(0.0) } else { total });
    let mut says = match count {
        1 => format!("Row {row}, column {column} of the map: the product is {}", number(sum as f32)),
        _ => format!(
            "Row {row}, column {column} of the map: the {count} products add up to {}",
            number(sum as f32)
        ),
    };
    if lab.bias != 0.0 {
        let (sign, size) = if lab.bias < 0.0 { ("minus", -lab.bias) } else { ("plus the bias", lab.bias) };
        says += &format!(", {sign} {} gives {}", number(size), number(total));
    }
    if lab.relu {
        says += &format!("; after the ReLU {}", number(relu));
    }
    Ok(Window { channels, top, left, says: says + "." })
}

/// A filter by its numbers.
#[derive(Serialize)]
pub(crate) struct Preset {
    name: &'static str,
    kernel: [usize; 2],
    weights: Vec<f32>,
    bias: f32,
}

/// `{"call": "filter_presets"}`: the filters of the notebooks.
pub(crate) fn presets(_: &mut Module, _: serde_json::Value) -> Result<Vec<Preset>> {
    let preset = |kernel: &Kernel| Preset {
        name: kernel.name,
        kernel: [kernel.rows.len(), kernel.rows.first().map_or(0, |row| row.len())],
        weights: kernel.rows.concat(),
        bias: kernel.bias,
    };
    Ok(kernels::ALL.iter().map(preset).collect())
}

/// `{"call": "filter_change", "kernel": [3, 3], "weights": […], "how": "rotate"}`: other weights made of these.
#[derive(Deserialize)]
pub(crate) struct Change {
    kernel: [usize; 2],
    weights: Vec<f32>,
    how: How,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Negate,
    /// By 90 degrees, clockwise.
    Rotate,
    /// Three kernels of one, for a colour (see `Filter::for_colour`), or all alike.
    Red,
    Green,
    Blue,
    Yellow,
    Alike,
}

/// The weights after a change.
#[derive(Serialize)]
pub(crate) struct Changed {
    kernel: [usize; 2],
    weights: Vec<f32>,
}

pub(crate) fn change(_: &mut Module, ask: Change) -> Result<Changed> {
    let Change { kernel: [h, w], weights, how } = ask;
    let size = h.saturating_mul(w);
    if size == 0 || weights.is_empty() || weights.len() % size != 0 {
        return Err(Error::new(format!("{} weights are not kernels of {h} x {w} (H x W)", weights.len())));
    }
    if weights.len() > size && !matches!(how, How::Negate | How::Rotate) {
        return Err(Error::new(format!(
            "a filter for a colour is made of one kernel, got {} kernels of {h} x {w}",
            weights.len() / size
        )));
    }
    // 0 and not -0, which would be shown with its sign.
    let times = |number: f32| weights.iter().map(move |weight| weight * number + 0.0);
    let three = |colour: [f32; 3]| colour.into_iter().flat_map(times).collect();
    Ok(match how {
        How::Negate => Changed { kernel: [h, w], weights: times(-1.0).collect() },
        How::Rotate => {
            let turned = |kernel: &[f32]| {
                (0..size).map(|at| kernel[(h - 1 - at % h) * w + at / h]).collect::<Vec<f32>>()
            };
            Changed { kernel: [w, h], weights: weights.chunks_exact(size).flat_map(turned).collect() }
        }
        How::Red => Changed { kernel: [h, w], weights: three(kernels::FOR_RED) },
        How::Green => Changed { kernel: [h, w], weights: three(kernels::FOR_GREEN) },
        How::Blue => Changed { kernel: [h, w], weights: three(kernels::FOR_BLUE) },
        How::Yellow => Changed { kernel: [h, w], weights: three(kernels::FOR_YELLOW) },
        How::Alike => Changed { kernel: [h, w], weights: three([1.0; 3]) },
    })
}
