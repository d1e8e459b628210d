//! The sliding window: a convolution of a few numbers, one position at a time.

mod position;
mod presets;
#[cfg(test)]
mod tests;

use crate::Module;
use crate::paint::{Cell, cells};
use nchw_core::colour::{Palette, TINTS};
use nchw_core::grid::{Grid, read_number};
use nchw_core::shapes::{Row, Seen, chain, conv};
use nchw_core::text::{count_of, number};
use nchw_core::{Error, Result};
use serde::{Deserialize, Serialize};

pub(crate) use position::Position;
pub(crate) use presets::presets;

/// The most rows and columns of the image, of the kernel and of the padding: more would not fit on a phone.
const MOST_PIXELS: usize = 12;
const MOST_WEIGHTS: usize = 5;
const MOST_PADDING: usize = 4;

const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// What the reader has chosen, in every call: `{"call": "window", "image": "0 1 1\n0 0 1", "kernel": "1 -1", …}`.
/// Channels are separated by an empty line.
#[derive(Deserialize)]
pub(crate) struct Ask {
    image: String,
    kernel: String,
    #[serde(default)]
    bias: String,
    stride: u64,
    padding: u64,
    dilation: u64,
}

/// One channel of each grid, or three.
struct Window {
    image: Vec<Grid>,
    kernel: Vec<Grid>,
    bias: f32,
    /// Its output has at least one row and one column.
    layer: Row,
    output: [usize; 2],
    stride: usize,
    padding: usize,
    dilation: usize,
}

/// The channels in a text, separated by empty lines.
pub(crate) fn read_sheets(name: &str, text: &str, most: usize) -> Result<Vec<Grid>> {
    let wrong = |error: &dyn std::fmt::Display| Error::new(format!("{name}: {error}"));
    let lines: Vec<&str> = text.trim().lines().collect();
    let sheets: Vec<Grid> = lines
        .split(|line| line.trim().is_empty())
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.join("\n").parse::<Grid>().map_err(|error| wrong(&error)))
        .collect::<Result<_>>()?;
    let Some(first) = sheets.first() else {
        return Err(wrong(&"expected rows of numbers such as `1 2 0`, got none"));
    };
    let (height, width) = (first.height(), first.width());
    if height.max(width) > most {
        return Err(wrong(&format!(
            "expected at most {most} rows and {most} columns, got {height} x {width}"
        )));
    }
    if let Some(other) = sheets.iter().find(|sheet| (sheet.height(), sheet.width()) != (height, width)) {
        let (h, w) = (other.height(), other.width());
        return Err(wrong(&format!(
            "expected {height} x {width} (H x W) in every channel, as in the first, got {h} x {w}"
        )));
    }
    match sheets.len() {
        1 | 3 => Ok(sheets),
        got => Err(wrong(&format!(
            "expected 1 channel, or 3 with an empty line between red, green and blue, got {got}"
        ))),
    }
}

impl Window {
    fn new(ask: &Ask) -> Result<Window> {
        let image = read_sheets("image", &ask.image, MOST_PIXELS)?;
        let kernel = read_sheets("kernel", &ask.kernel, MOST_WEIGHTS)?;
        let bias = if ask.bias.trim().is_empty() { Some(0.0) } else { read_number(&ask.bias) };
        let bias = bias.ok_or_else(|| {
            Error::new(format!("bias: expected a number such as 2, -0.5 or 1/9, got `{}`", ask.bias))
        })?;
        let [height, width] = [kernel[0].height(), kernel[0].width()].map(|size| size as u64);
        let layer = conv(1, (height, width)).in_channels(kernel.len() as u64);
        let layer = layer.stride(ask.stride).padding(ask.padding).dilation(ask.dilation);
        let [h, w] = [image[0].height(), image[0].width()].map(|size| size as u64);
        let table = chain![layer].on([image.len() as u64, h, w]);
        if let Some(problem) = &table.problem {
            return Err(Error::new(problem.alone()));
        }
        if ask.padding > MOST_PADDING as u64 {
            let given = ask.padding;
            return Err(Error::new(format!("padding: this figure has room for {MOST_PADDING}, got {given}")));
        }
        let layer = table.rows.into_iter().next().ok_or_else(|| Error::new("the table has no row"))?;
        let output = layer.positions().unwrap_or_default().map(|size| size as usize);
        // A stride or a dilation that is larger than any image leaves one position.
        let [stride, padding, dilation] =
            [ask.stride, ask.padding, ask.dilation].map(|n| n.min(1 << 20) as usize);
        Ok(Window { image, kernel, bias, layer, output, stride, padding, dilation })
    }

    /// The rows and columns of the window at this position. Here and below they are counted in the padded image.
    fn reads(&self, at: [usize; 2]) -> [Vec<usize>; 2] {
        let line = |at: usize, size: usize| (0..size).map(|k| at * self.stride + k * self.dilation).collect();
        [line(at[0], self.kernel[0].height()), line(at[1], self.kernel[0].width())]
    }

    /// A number of the image; `None` in the padding.
    fn pixel(&self, channel: usize, row: usize, col: usize) -> Option<f32> {
        let [row, col] = [row.checked_sub(self.padding)?, col.checked_sub(self.padding)?];
        self.image[channel].row(row).get(col).copied()
    }

    /// For each weight of a channel the number that it meets (`None` in the padding), and the weight.
    fn pairs(&self, channel: usize, at: [usize; 2]) -> Vec<(Option<f32>, f32)> {
        let [rows, cols] = self.reads(at);
        let pixels = rows.iter().flat_map(|row| cols.iter().map(move |col| (*row, *col)));
        let weights = self.kernel[channel].values();
        pixels.zip(weights).map(|((row, col), weight)| (self.pixel(channel, row, col), *weight)).collect()
    }

    fn products(&self, channel: usize, at: [usize; 2]) -> impl Iterator<Item = f64> {
        let pairs = self.pairs(channel, at).into_iter();
        pairs.map(|(pixel, weight)| f64::from(pixel.unwrap_or(0.0)) * f64::from(weight))
    }

    /// The number at this position of the output.
    fn result(&self, at: [usize; 2]) -> f32 {
        let products = (0..self.image.len()).flat_map(|channel| self.products(channel, at));
        sum(products.chain([f64::from(self.bias)])) as f32
    }

    /// The numbers of the output, row by row.
    fn results(&self) -> Vec<f32> {
        let [rows, cols] = self.output;
        (0..rows).flat_map(|row| (0..cols).map(move |col| [row, col])).map(|at| self.result(at)).collect()
    }

    fn colour(&self, channel: usize) -> Option<&'static str> {
        (self.image.len() == COLOURS.len()).then(|| COLOURS[channel])
    }

    /// An image is grey, unless a number is below 0; its channels are tinted. White is 1, or the largest number.
    fn sheet(&self, channel: usize) -> Vec<Cell> {
        let values = self.image[channel].values();
        let all: Vec<f32> = self.image.iter().flat_map(|sheet| sheet.values()).copied().collect();
        let palette = match Palette::fitting(&all) {
            _ if self.colour(channel).is_some() => Palette::Tint(TINTS[channel]),
            Palette::Signed if all.iter().any(|value| *value < 0.0) => Palette::Signed,
            _ => Palette::Grey,
        };
        let (low, high) = palette.range(&all);
        cells(values, palette, if palette == Palette::Signed { (low, high) } else { (0.0, high.max(1.0)) })
    }

    /// The largest finite product that an image with these numbers and this kernel can have.
    fn largest_product(&self) -> f32 {
        let largest = |grids: &[Grid]| {
            let values = grids.iter().flat_map(|grid| grid.values()).map(|value| value.abs());
            values.filter(|value| value.is_finite()).fold(0.0, f32::max)
        };
        largest(&self.image) * largest(&self.kernel)
    }
}

/// The sum of these numbers. Pixels such as 0.1 are not exact in binary, so a sum that is nearly 0 is 0.
pub(crate) fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
    if sum.abs() < size * 1e-6 { 0.0 } else { sum }
}

/// The number in brackets if it is negative: 2 × (−1).
pub(crate) fn in_brackets(value: f32) -> String {
    let text = number(value);
    if value < 0.0 && text != "0" { format!("({text})") } else { text }
}

/// Whether the text of a number has fewer digits than the number.
pub(crate) fn is_rounded(value: f32) -> bool {
    value.is_finite() && read_number(&number(value)) != Some(value)
}

/// Everything that does not depend on the position of the window.
#[derive(Serialize)]
pub(crate) struct Picture {
    size: [usize; 2],
    sheets: Vec<Sheet>,
    kernel: [usize; 2],
    output: [usize; 2],
    result: Vec<Cell>,
    /// The formula for the size of the output, and the numbers for the rows and for the columns.
    formula: Vec<Vec<String>>,
    says: String,
}

/// One channel: its pixels, and the colours of its weights.
#[derive(Serialize)]
struct Sheet {
    name: Option<&'static str>,
    cells: Vec<Cell>,
    weights: Vec<Cell>,
}

/// Answers `window`.
pub(crate) fn show(_: &mut Module, ask: Ask) -> Result<Picture> {
    let window = Window::new(&ask)?;
    let weights: Vec<f32> = window.kernel.iter().flat_map(|sheet| sheet.values()).copied().collect();
    let range = Palette::Signed.range(&weights);
    let sheet = |channel: usize| Sheet {
        name: window.colour(channel),
        cells: window.sheet(channel),
        weights: cells(window.kernel[channel].values(), Palette::Signed, range),
    };
    let results = window.results();
    let [h, w] = [window.image[0].height(), window.image[0].width()];
    let [rows, cols] = window.output;
    Ok(Picture {
        size: [h, w],
        sheets: (0..window.image.len()).map(sheet).collect(),
        kernel: [window.kernel[0].height(), window.kernel[0].width()],
        output: window.output,
        result: cells(&results, Palette::Signed, Palette::Signed.range(&results)),
        formula: formula(&window.layer),
        says: format!("The image has {h} x {w} numbers (H x W), the output {rows} x {cols}."),
    })
}

/// The formula for the size of the output, and the numbers for the rows and for the columns, line by line.
pub(crate) fn formula(layer: &Row) -> Vec<Vec<String>> {
    let parts = layer.explain_sizes().into_iter().flatten();
    parts.map(|part| part.to_string().lines().map(String::from).collect()).collect()
}

/// The window at one position of the output.
#[derive(Serialize)]
pub(crate) struct At {
    /// Rows and columns in the padded image.
    rows: Vec<usize>,
    cols: Vec<usize>,
    channels: Vec<Products>,
    /// How the sums become the result: `red 1.4 + green (−0.35) + blue (−0.3) = 0.75`.
    total: String,
    says: String,
    /// Whether some of the texts have fewer digits than their numbers.
    rounded: bool,
}

#[derive(Serialize)]
struct Products {
    name: Option<&'static str>,
    products: Vec<Product>,
    sum: String,
}

#[derive(Serialize)]
struct Product {
    /// `0.5 × (−1)`.
    factors: String,
    padding: bool,
    #[serde(flatten)]
    cell: Cell,
}

/// Answers `window_at`: every product at one position of the output, and their sum.
pub(crate) fn at(_: &mut Module, position: Position<Ask>) -> Result<At> {
    let window = Window::new(&position.ask)?;
    let at = position.within(window.output)?;
    let [rows, cols] = window.reads(at);
    let most = window.largest_product().max(f32::MIN_POSITIVE);
    let mut shown = vec![window.bias, window.result(at)];
    let mut sums = Vec::new();
    let mut channels = Vec::new();
    for channel in 0..window.image.len() {
        let values: Vec<f32> = window.products(channel, at).map(|product| product as f32).collect();
        let sum = sum(window.products(channel, at)) as f32;
        shown.extend(values.iter().chain([&sum]));
        let pairs = window.pairs(channel, at);
        let products = pairs.iter().zip(cells(&values, Palette::Signed, (-most, most)));
        let products = products.map(|((pixel, weight), cell)| {
            shown.extend(pixel.iter().chain([weight]));
            let factors = format!("{} × {}", in_brackets(pixel.unwrap_or(0.0)), in_brackets(*weight));
            Product { factors, padding: pixel.is_none(), cell }
        });
        channels.push(Products {
            name: window.colour(channel),
            products: products.collect(),
            sum: number(sum),
        });
        let name = window.colour(channel).unwrap_or("sum of the products");
        sums.push(format!("{name} {}", in_brackets(sum)));
    }
    if window.bias != 0.0 {
        sums.push(format!("bias {}", in_brackets(window.bias)));
    }
    let result = number(window.result(at));
    let total = match sums.len() {
        1 => format!("sum of the products = {result}"),
        _ => format!("{} = {result}", sums.join(" + ")),
    };
    let says = format!("Output row {}, column {}: {result}", at[0], at[1]);
    let rounded = shown.into_iter().any(is_rounded);
    Ok(At { rows, cols, channels, total, says, rounded })
}

/// The positions of the output that use a number of the image.
#[derive(Serialize)]
pub(crate) struct Uses {
    rows: Vec<u64>,
    cols: Vec<u64>,
    /// The position of the window whose centre is nearest.
    nearest: [usize; 2],
    says: String,
}

/// Answers `window_uses`: where the output uses a number of the padded image.
pub(crate) fn uses(_: &mut Module, position: Position<Ask>) -> Result<Uses> {
    let window = Window::new(&position.ask)?;
    let Position { row, col, .. } = position;
    let at = [row, col];
    let [size, kernel] = [&window.image[0], &window.kernel[0]].map(|grid| [grid.height(), grid.width()]);
    if (0..2).any(|axis| at[axis] >= size[axis] + 2 * window.padding) {
        return Err(Error::new(format!("there is no row {row}, column {col} in the padded image")));
    }
    let windows = |axis: usize| -> Vec<u64> {
        let reads =
            |to: &usize| (0..kernel[axis]).any(|k| to * window.stride + k * window.dilation == at[axis]);
        (0..window.output[axis]).filter(reads).map(|to| to as u64).collect()
    };
    let [rows, cols] = [windows(0), windows(1)];
    let nearest = |axis: usize| {
        let middle = window.dilation * (kernel[axis] - 1) / 2;
        let steps = (at[axis].saturating_sub(middle) + window.stride / 2) / window.stride;
        steps.min(window.output[axis] - 1)
    };
    let what = match window.pixel(0, row, col) {
        Some(_) => {
            let numbers: Vec<String> = (0..window.image.len())
                .filter_map(|channel| {
                    let value = number(window.pixel(channel, row, col)?);
                    Some(window.colour(channel).map_or(value.clone(), |name| format!("{name} {value}")))
                })
                .collect();
            let numbers = numbers.join(", ");
            format!("Image row {}, column {} ({numbers})", row - window.padding, col - window.padding)
        }
        None => "This zero of the padding".to_string(),
    };
    let count = rows.len() * cols.len();
    let says = match count {
        0 => format!("{what} is in no window: the output does not depend on it."),
        _ => {
            let outputs = count_of(count as u64, "output", "outputs");
            let seen = Seen { rows: rows.clone(), cols: cols.clone() };
            format!("{what} is used by {outputs}: {seen}.")
        }
    };
    Ok(Uses { rows, cols, nearest: [nearest(0), nearest(1)], says })
}
