//! Line charts: how values change over steps or epochs.

use crate::{
    Error, Result,
    canvas::{Canvas, INK, PALE_INK, Text, rgb, scaled, text_width, wrap},
    colour::{LINES, as_text},
    figure::{Figure, PIXEL_RATIO, Pixels},
    page::Page,
};
use nchw_core::text::number;
use plotters::{
    coord::types::RangedCoordf64,
    prelude::{
        Cartesian2d, ChartBuilder, ChartContext, Circle, Cross, IntoDrawingArea, LineSeries, TriangleMarker,
    },
    style::{Color, TextStyle, text_anchor::HPos},
};

/// A line chart; each line has its name at its right end.
///
/// ```
/// use nchw::prelude::*;
/// let figure = Chart::new("Training", "epoch", "accuracy in %")
///     .line("CNN", &[40.0, 70.0, 85.0])
///     .line("MLP", &[30.0, 45.0, 50.0])
///     .figure()?;
/// assert!(figure.text().contains("CNN: 40, 70, 85"));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    x_label: String,
    y_label: String,
    first: f64,
    lines: Vec<(String, Vec<f64>)>,
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 430.0;
/// The style of the lines' names, and the largest width of a name.
const NAME: Text = Text { size: 16.0, bold: false, colour: INK, align: HPos::Center };
const MAX_NAME_WIDTH: f64 = 320.0;
/// The largest value that can be drawn, and the smallest range of the y axis.
const MAX_VALUE: f64 = 1e30;
const MIN_RANGE: f64 = 1e-30;
/// The most values of a line that its text contains.
const MAX_WRITTEN: usize = 60;
/// The most values of a line, far more than a chart has pixels.
const MAX_VALUES: usize = 100_000;

impl Chart {
    /// An empty chart. The labels of the axes should contain the units.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>, y_label: impl Into<String>) -> Chart {
        let (title, x_label, y_label) = (title.into(), x_label.into(), y_label.into());
        Chart { title, x_label, y_label, first: 1.0, lines: Vec::new() }
    }

    /// Sets the x coordinate of the first value; it is 1 by default.
    pub fn from(self, first: f64) -> Chart {
        Chart { first, ..self }
    }

    /// Adds a line: one value per step.
    pub fn line(mut self, name: impl Into<String>, values: &[f64]) -> Chart {
        self.lines.push((name.into(), values.to_vec()));
        self
    }

    /// Draws the chart.
    ///
    /// # Errors
    /// When there is no line, more than six, or one without a finite value.
    pub fn figure(&self) -> Result<Figure> {
        Figure::still(&self.pixels()?, self.alt(), self.as_text_lines())
    }

    fn pixels(&self) -> Result<Pixels> {
        self.check()?;
        let finite = || self.lines.iter().flat_map(|(_, v)| v).copied().filter(|v| v.is_finite());
        let (low, high) =
            (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let low = low.min(0.0);
        let high = if high - low > MIN_RANGE { high } else { low + 1.0 };
        let high = high + 0.06 * (high - low);
        let steps = self.lines.iter().map(|(_, v)| v.len()).max().unwrap_or(1);
        let last = self.first + (steps.max(2) - 1) as f64;

        let name = NAME.bold();
        let widest = self.lines.iter().map(|(n, _)| text_width(n, name)).fold(0.0, f64::max);
        let mut canvas = Canvas::new(WIDTH, HEIGHT)?;
        canvas.text(WIDTH / 2.0, 24.0, &self.title, Text::new(21.0).bold());
        canvas.text(16.0, 52.0, &self.y_label, Text::new(16.0).left().colour(INK));
        let mut ends = Vec::new();
        canvas.draw(|backend| -> std::result::Result<(), String> {
            let message = |e: &dyn std::fmt::Display| e.to_string();
            let area = backend.into_drawing_area();
            let ink = rgb(PALE_INK);
            let label = TextStyle::from(("sans-serif", 15.0 * f64::from(PIXEL_RATIO))).color(&ink);
            let mut chart = ChartBuilder::on(&area)
                .margin_top(scaled(66.0))
                .margin_right(scaled(widest + 36.0))
                .margin_left(scaled(12.0))
                .margin_bottom(scaled(30.0))
                .x_label_area_size(scaled(26.0))
                .y_label_area_size(scaled(46.0))
                .build_cartesian_2d(self.first..last, low..high)
                .map_err(|e| message(&e))?;
            chart
                .configure_mesh()
                .x_labels(steps.clamp(2, 10))
                .y_labels(6)
                .x_label_formatter(&|v| if v.fract() == 0.0 { format!("{v:.0}") } else { String::new() })
                .y_label_formatter(&|v| number(*v as f32))
                .light_line_style(rgb([255, 255, 255]))
                .bold_line_style(rgb([222, 222, 222]).stroke_width(2))
                .axis_style(rgb(PALE_INK).stroke_width(2))
                .label_style(label)
                .draw()
                .map_err(|e| message(&e))?;
            for (i, (_, values)) in self.lines.iter().enumerate() {
                let points: Vec<(f64, f64)> = values
                    .iter()
                    .enumerate()
                    .filter(|(_, v)| v.is_finite())
                    .map(|(x, v)| (self.first + x as f64, *v))
                    .collect();
                draw_line(&mut chart, i, &points)?;
                if let Some(end) = points.last() {
                    let (x, y) = chart.backend_coord(end);
                    ends.push((
                        f64::from(x) / f64::from(PIXEL_RATIO),
                        f64::from(y) / f64::from(PIXEL_RATIO),
                        i,
                    ));
                }
            }
            Ok(())
        });
        // Overlapping names are moved apart, downward from the highest.
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut free = 0.0;
        for (x, y, i) in ends {
            let at = f64::max(y, free);
            free = at + 20.0;
            canvas.text(x + 14.0, at, &self.lines[i].0, name.left().colour(as_text(LINES[i % LINES.len()])));
        }
        canvas.text(WIDTH / 2.0, HEIGHT - 18.0, &self.x_label, Text::new(16.0));
        canvas.finish()
    }

    fn check(&self) -> Result<()> {
        if self.lines.is_empty() || self.lines.len() > LINES.len() {
            return Err(Error::new(format!(
                "a chart shows 1 to {} lines, this one has {}: add them with `.line(\"name\", &values)`",
                LINES.len(),
                self.lines.len()
            )));
        }
        if self.first.is_nan() || self.first.abs() > 1e9 {
            return Err(Error::new(format!(
                "the x axis begins at {}: expected a number from -1,000,000,000 to 1,000,000,000, such as \
                 `.from(0.0)`",
                self.first
            )));
        }
        for (name, values) in &self.lines {
            let mut finite = values.iter().filter(|v| v.is_finite()).peekable();
            if finite.peek().is_none() {
                return Err(Error::new(format!("the line \"{name}\" has no finite value to draw")));
            }
            if let Some(far) = finite.find(|v| v.abs() > MAX_VALUE) {
                return Err(Error::new(format!(
                    "the line \"{name}\" has the value {far:e}, too large to draw beside others: expected at \
                     most {MAX_VALUE:e}. Did the training diverge? `.line(\"log10\", ...)` of the logarithms \
                     can be drawn"
                )));
            }
            if values.len() > MAX_VALUES {
                return Err(Error::new(format!(
                    "the line \"{name}\" has {} values, a chart shows at most {MAX_VALUES}: take every \
                     tenth, `values.iter().copied().step_by(10).collect::<Vec<f64>>()`",
                    values.len()
                )));
            }
            if text_width(name, NAME.bold()) > MAX_NAME_WIDTH {
                return Err(Error::new(format!(
                    "the name \"{name}\" is too long to fit at the end of its line: expected about 30 letters"
                )));
            }
        }
        Ok(())
    }

    fn as_text_lines(&self) -> String {
        let short = |v: &f64| format!("{v:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
        let line = |(name, values): &(String, Vec<f64>)| {
            let every = values.len().div_ceil(MAX_WRITTEN).max(1);
            let some = if every > 1 { format!(", one of {every}") } else { String::new() };
            let written: Vec<String> = values.iter().step_by(every).map(short).collect();
            format!("{name}{some}: {}", written.join(", "))
        };
        format!(
            "{} ({} over {})\n{}",
            self.title,
            self.y_label,
            self.x_label,
            self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
        )
    }

    fn alt(&self) -> String {
        let ends = |(name, values): &(String, Vec<f64>)| {
            let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            let others = match values.len() - finite.len() {
                0 => String::new(),
                others => format!(", {others} of {} values are NaN or infinite", values.len()),
            };
            match (finite.first(), finite.last()) {
                (Some(first), Some(last)) => format!("{name} from {first:.1} to {last:.1}{others}"),
                _ => format!("{name}{others}"),
            }
        };
        let lines: Vec<String> = self.lines.iter().map(ends).collect();
        format!("Chart: {}. {} over {}: {}", self.title, self.y_label, self.x_label, lines.join("; "))
    }
}

/// Draws a line and, if there are few enough, its points. The shape of the points also distinguishes lines,
/// for colour-blind readers and black-and-white prints.
fn draw_line(
    chart: &mut ChartContext<'_, Page<'_>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    index: usize,
    points: &[(f64, f64)],
) -> std::result::Result<(), String> {
    let (colour, size) = (rgb(LINES[index % LINES.len()]), scaled(5.0));
    let thick = colour.stroke_width(5);
    chart.draw_series(LineSeries::new(points.iter().copied(), thick)).map_err(|e| e.to_string())?;
    if points.len() > 60 {
        return Ok(());
    }
    let points = points.iter().copied();
    let drawn = match index % 3 {
        0 => chart.draw_series(points.map(|p| Circle::new(p, size, colour.filled()))).map(drop),
        1 => chart.draw_series(points.map(|p| TriangleMarker::new(p, size + 3, colour.filled()))).map(drop),
        _ => chart.draw_series(points.map(|p| Cross::new(p, size, thick))).map(drop),
    };
    drawn.map_err(|e| e.to_string())
}

/// Draws charts below each other as one figure, and a caption below them.
pub fn stacked(charts: &[Chart], caption: &str) -> Result<Figure> {
    let mut drawn: Vec<Pixels> = charts.iter().map(Chart::pixels).collect::<Result<_>>()?;
    if let Some(chart) = drawn.first() {
        let width = f64::from(chart.width) / f64::from(PIXEL_RATIO);
        let set = Text::new(17.0);
        let lines = wrap(caption, set, width - 40.0);
        let mut canvas = Canvas::new(width, 24.0 * lines.len() as f64 + 12.0)?;
        for (row, line) in lines.iter().enumerate() {
            canvas.text(width / 2.0, 12.0 + 24.0 * row as f64, line, set);
        }
        drawn.push(canvas.finish()?);
    }
    let (width, height) = (drawn.first().map_or(0, |p| p.width), drawn.iter().map(|p| p.height).sum());
    let rgb = drawn.into_iter().flat_map(|p| p.rgb).collect();
    let join =
        |text: fn(&Chart) -> String, with: &str| charts.iter().map(text).collect::<Vec<_>>().join(with);
    let alt = format!("{}. {caption}", join(Chart::alt, ". "));
    let text = format!("{}\n\n{caption}", join(Chart::as_text_lines, "\n\n"));
    Figure::still(&Pixels { width, height, rgb }, alt, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::{area, drawn};

    #[test]
    fn charts_without_finite_values_are_refused() {
        let chart = Chart::new("t", "x", "y");
        assert!(chart.figure().unwrap_err().to_string().contains("shows 1 to 6 lines, this one has 0"));
        let error = chart.line("loss", &[f64::NAN]).figure().unwrap_err().to_string();
        assert!(error.contains("\"loss\" has no finite value"), "{error}");
    }

    #[test]
    fn values_and_names_that_do_not_fit_are_refused() {
        let message = |chart: Chart| chart.figure().unwrap_err().to_string();
        let chart = || Chart::new("t", "x", "y");
        assert!(message(chart().line("loss", &[1.0, -1e300])).contains("the value -1e300, too large"));
        assert!(message(chart().line("a", &[1.0]).from(f64::NAN)).contains("begins at NaN"));
        assert!(message(chart().line("name ".repeat(30), &[1.0])).contains("too long to fit"));
        assert!(message(chart().line("a", &vec![0.5; 200_000])).contains("200000 values"));
    }

    /// Left, top, right and bottom of the pixels in a line's colour.
    fn bounds(figure: &Figure, line: usize) -> [u32; 4] {
        let (count, bounds) = area(figure, LINES[line]);
        assert!(count > 50, "line {line} has {count} pixels");
        bounds
    }

    #[test]
    fn a_line_goes_up_where_its_values_do() {
        // Two lines over the whole width: a flat one, and one that rises at the last step.
        let figure = Chart::new("t", "x", "y").line("", &[4.0; 4]).line("", &[0.0, 0.0, 0.0, 8.0]).figure();
        let figure = figure.unwrap();
        let [left, top, right, bottom] = bounds(&figure, 0);
        assert!(bottom - top < 30 && right - left > 1200, "flat and wide: {left} {top} {right} {bottom}");
        let [_, high, end, low] = bounds(&figure, 1);
        assert!(low - high > 400 && end.abs_diff(right) < 20, "{high} {low} {end}");
        // The steep part is in the last third.
        let drawn = drawn(&figure);
        let colour_at = |x: u32| {
            (0..(high + low) / 2)
                .any(|y| drawn.get_pixel(x, y).0.iter().zip(LINES[1]).all(|(a, b)| a.abs_diff(b) <= 2))
        };
        let step = (end - left) / 3;
        assert!((left + 20..left + 2 * step).all(|x| !colour_at(x)));
        assert!((left + 2 * step..end).any(colour_at));
    }

    #[test]
    fn title_axes_and_names_are_written() {
        let [title, x_label, y_label, name] = ["Training", "epoch", "accuracy", "CNN"];
        let figure = |title, x_label, y_label, name| {
            drawn(&Chart::new(title, x_label, y_label).line(name, &[1.0, 2.0]).figure().unwrap())
        };
        let whole = figure(title, x_label, y_label, name);
        let (w, h) = whole.dimensions();
        for (without, [left, top, right, bottom]) in [
            (figure("", x_label, y_label, name), [w / 4, 0, 3 * w / 4, h / 8]),
            (figure(title, "", y_label, name), [w / 4, 7 * h / 8, 3 * w / 4, h]),
            (figure(title, x_label, "", name), [0, h / 16, w / 4, h / 6]),
            (figure(title, x_label, y_label, ""), [3 * w / 4, 0, w, h]),
        ] {
            let ink = |image: &image::RgbImage| {
                let inside = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
                inside.filter(|(x, y)| image.get_pixel(*x, *y).0.iter().any(|v| *v < 160)).count()
            };
            assert!(ink(&whole) > ink(&without) + 50, "{} and {}", ink(&whole), ink(&without));
        }
    }

    #[test]
    fn one_point_and_a_constant_line_can_be_drawn() {
        let figure =
            Chart::new("t", "x", "y").line("a", &[2.0]).line("b", &[0.0, 0.0, f64::NAN]).figure().unwrap();
        assert!(figure.alt().contains("a from 2.0 to 2.0"), "{}", figure.alt());
        // The text gives the last finite value, and counts the NaN.
        assert!(figure.alt().contains("b from 0.0 to 0.0, 1 of 3 values are NaN or infinite"));
        for line in [0, 1] {
            bounds(&figure, line);
        }
        assert_eq!(figure.size(), (WIDTH as u32 * PIXEL_RATIO, HEIGHT as u32 * PIXEL_RATIO));
    }
}
