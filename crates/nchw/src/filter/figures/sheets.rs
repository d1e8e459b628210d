//! Convolution step by step over several channels: a sheet and a kernel for each, and one number.

use super::{
    cells::rounded,
    matrix::{highlights, palette},
    steps::{Walk, in_brackets},
};
use crate::{
    Result,
    matrix::{Matrix, Meaning},
    text::number,
};
use nchw_draw::{Content, Highlights, Layout, Palette, Panel, colour::TINTS};
use std::ops::Range;

const COLOURS: [&str; 3] = ["red", "green", "blue"];

impl Walk<'_> {
    /// The products of each channel at a position.
    pub(super) fn all_products(&self, position: usize) -> Result<Vec<Matrix>> {
        let (top, left, height, width) = self.window(position);
        let of_channel = |(sheet, kernel): (&Matrix, &Matrix)| {
            let products =
                Matrix::from_fn(height, width, |i, j| sheet.at(top + i, left + j) * kernel.at(i, j))?;
            Ok(products.meaning(Meaning::Signed))
        };
        self.sheets.iter().zip(&self.kernels).map(of_channel).collect()
    }

    /// The sums of the channels, the bias, and their sum: "0.3 + (−0.1) + 0.2 = 0.4".
    pub(super) fn sum_of_sheets(&self, position: usize, named: bool) -> String {
        let sums = self.products[position].iter().enumerate().map(|(channel, products)| {
            let sum = in_brackets(sum(products));
            if named { format!("{} {sum}", self.name(channel)) } else { sum }
        });
        let bias = self.filter.bias();
        let bias = (bias != 0.0).then(|| format!("{} (bias)", in_brackets(bias)));
        let all: Vec<String> = sums.chain(bias).collect();
        format!("{} = {}", all.join(" + "), number(self.result.values()[position]))
    }

    fn name(&self, channel: usize) -> String {
        if self.coloured { COLOURS[channel].to_owned() } else { format!("map {channel}") }
    }

    /// One channel with the window of a position.
    fn sheet(&self, channel: usize, position: usize) -> Panel<'_> {
        let sheet = &self.sheets[channel];
        let highlights = Highlights { window: Some(self.window(position)), ..highlights(sheet) };
        if !self.coloured {
            return Panel::cells(self.name(channel), sheet.grid(), palette(sheet), highlights);
        }
        let tint = Palette::Tint(TINTS[channel]);
        scaled(Panel::cells(self.name(channel), sheet.grid(), tint, highlights), (0.0, 1.0))
    }

    /// Matrices of weights or of products, in colours of one scale.
    fn signed<'a>(
        title: impl Fn(usize) -> String,
        matrices: &'a [Matrix],
        range: (f32, f32),
    ) -> Vec<Panel<'a>> {
        let panel = |(channel, matrix): (usize, &'a Matrix)| {
            let cells = Panel::cells(title(channel), matrix.grid(), Palette::Signed, Highlights::default());
            scaled(cells, range).bare()
        };
        matrices.iter().enumerate().map(panel).collect()
    }

    /// The sheets with the window, the kernels, the products, and the result.
    pub(super) fn layout_of_sheets(
        &self,
        title: String,
        position: usize,
        computed: Highlights,
    ) -> Layout<'_> {
        let channels = 0..self.sheets.len();
        let mut sheets: Vec<Panel> = channels.map(|channel| self.sheet(channel, position).bare()).collect();
        let mut kernels = Self::signed(
            |channel| format!("\u{d7} weights for {}", self.name(channel)),
            &self.kernels,
            range(&self.kernels),
        );
        let products = &self.products[position];
        let all: Vec<Matrix> = self.products.iter().flatten().cloned().collect();
        let mut found = Self::signed(
            |channel| format!("= {} products", products[channel].values().len()),
            products,
            range(&all),
        );
        for (panel, products) in found.iter_mut().zip(products) {
            panel.caption = format!("sum: {}", number(sum(products)));
        }
        let widest =
            sheets.iter().chain(&kernels).chain(&found).map(|panel| panel.width).fold(200.0, f64::max);
        sheets.iter_mut().chain(&mut kernels).chain(&mut found).for_each(|panel| panel.room = widest);
        let count: usize = products.iter().map(|products| products.values().len()).sum();
        let lines = vec![format!("{count} products:  {}", self.sum_of_sheets(position, false))];
        let result = vec![self.result(computed)];
        Layout { title, rows: vec![sheets, kernels, found, result], lines }
    }

    /// The sheets with the window of each position, then the numbers found so far.
    pub(super) fn stills_of_sheets(
        &self,
        title: String,
        positions: Range<usize>,
        known: Highlights,
    ) -> Layout<'_> {
        let mut rows = Vec::new();
        for position in positions {
            let (row, column) = self.at(position);
            let sum = self.sum_of_sheets(position, true);
            rows.push(vec![Panel::heading(format!("row {row}, column {column}: {sum}"))]);
            let sheet = |channel| Panel { title: String::new(), ..self.sheet(channel, position) }.bare();
            rows.push((0..self.sheets.len()).map(sheet).collect());
        }
        rows.push(vec![self.result(known)]);
        Layout { title, rows, lines: Vec::new() }
    }
}

fn sum(matrix: &Matrix) -> f32 {
    rounded(matrix.values().iter().sum())
}

/// The scale of all these matrices together.
fn range(matrices: &[Matrix]) -> (f32, f32) {
    let values: Vec<f32> = matrices.iter().flat_map(|matrix| matrix.values().to_vec()).collect();
    Palette::Signed.range(&values)
}

/// The panel on another scale.
fn scaled(mut panel: Panel<'_>, ends: (f32, f32)) -> Panel<'_> {
    if let Content::Cells { range, .. } = &mut panel.content {
        *range = ends;
    }
    panel
}

#[cfg(test)]
mod tests {
    use crate::{
        filter::{Filter, RED},
        image::Image,
        pixels::frames,
    };
    use tch::{Device, Kind, Tensor};

    /// Red gets brighter to the right, green and blue are even.
    fn piece() -> Image {
        let red = Tensor::from_slice(&[0.0_f32, 0.2, 0.4, 1.0]).view([1, 1, 4]).expand([1, 3, 4], false);
        let even = Tensor::full([2, 3, 4], 0.5, (Kind::Float, Device::Cpu));
        Image::from_tensor(&Tensor::cat(&[red, even], 0)).unwrap()
    }

    #[test]
    fn the_sums_of_the_channels_make_one_number() {
        let filter = Filter::vertical_edge().for_colour(RED).with_bias(-1.0);
        let text = filter.steps(&piece()).unwrap().figure().unwrap().text().to_owned();
        let expected = "row 0, column 0: red 1.2 + green 0 + blue 0 + (\u{2212}1) (bias) = 0.2\n\
                        row 0, column 1: red 2.4 + green 0 + blue 0 + (\u{2212}1) (bias) = 1.4";
        assert_eq!(text, expected);
        assert_eq!(frames(&filter.steps(&piece()).unwrap().figure().unwrap()).len(), 2);
        assert_eq!(filter.stills(&piece(), 0..2).unwrap().text(), expected);
        assert_eq!(filter.step(&piece(), 1).unwrap().text(), expected.lines().nth(1).unwrap());
    }

    #[test]
    fn a_filter_for_one_channel_is_refused_for_three() {
        let error = Filter::vertical_edge().steps(&piece()).unwrap_err().to_string();
        assert!(error.contains("C"), "{error}");
    }
}
