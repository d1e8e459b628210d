//! The outputs of four layers before a photo moves, and what is left over of them.

use crate::{
    Result,
    filter::shifts::{ShiftTest, Shifted},
    grid::Grid,
    notebook::{Output, shows},
    text::count_of,
};
use nchw_draw::{Content, Figure, Highlights, Layout, Palette, Panel};

/// The width of a map on the page.
const WIDTH: f64 = 215.0;
/// The width of a single number: that of the name above it.
const CELL_WIDTH: f64 = 160.0;

impl ShiftTest {
    /// Draws, for each layer, its output, and below it what is left over of it, on the same scale.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let mut grids = Vec::new();
        for layer in &self.layers {
            let [before, left] = [layer.before.grids()?.remove(0), layer.difference.grids()?.remove(0)];
            grids.push([before, rounded(left)?]);
        }
        let largest = grids.iter().flat_map(|[before, _]| before.values()).fold(0.0, |a: f32, b| a.max(*b));
        let (mut outputs, mut left) = (Vec::new(), Vec::new());
        for (layer, [before, difference]) in self.layers.iter().zip(&grids) {
            let share = format!("{:.1} %", 100.0 * layer.left_over);
            outputs.push(panel(layer.name, before, Palette::Sequential, (0.0, largest)));
            left.push(panel(&share, difference, Palette::Signed, (-largest, largest)));
        }
        let moved = count_of(self.columns, "column", "columns");
        let rows = vec![
            vec![Panel::heading("The output: the strength of vertical edges".into())],
            outputs,
            vec![Panel::heading(format!(
                "Left over, when the photo moves by {moved} and the output is moved back"
            ))],
            left,
        ];
        let each = |layer: &Shifted| format!("{} {:.1} %", layer.name, 100.0 * layer.left_over);
        let each: Vec<String> = self.layers.iter().map(each).collect();
        let alt = format!("A photo moves by {moved}; left over of the outputs: {}", each.join(", "));
        Layout { title: format!("A photo moves by {moved}"), rows, lines: Vec::new() }
            .figure(alt, self.to_string())
    }
}

/// A single number with two digits after the point; maps stay as they are.
fn rounded(values: Grid) -> Result<Grid> {
    match values.values() {
        [value] => Grid::new(1, 1, vec![(value * 100.0).round() / 100.0]),
        _ => Ok(values),
    }
}

/// A map; a single number as a cell.
fn panel<'a>(name: &str, values: &'a Grid, palette: Palette, range: (f32, f32)) -> Panel<'a> {
    if values.values().len() > 1 {
        return Panel::tile(name, values.clone(), palette, range, WIDTH);
    }
    let mut cell = Panel::cells(name, values, palette, Highlights::default()).bare();
    cell.width = CELL_WIDTH;
    if let Content::Cells { range: ends, .. } = &mut cell.content {
        *ends = range;
    }
    cell
}

shows!(ShiftTest: |test| Output::figure_or_text(test.figure(), test));
