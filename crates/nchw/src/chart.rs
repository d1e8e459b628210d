//! A chart of lines: how something changes over steps or epochs.

use crate::{
    Error, Result,
    canvas::{Canvas, INK, PALE_INK, Text, number, rgb, scaled, text_width},
    colour::{LINES, as_text},
    figure::{Figure, PIXEL_RATIO, Pixels},
};
use plotters::{
    coord::types::RangedCoordf64,
    prelude::{
        BitMapBackend, Cartesian2d, ChartBuilder, ChartContext, Circle, Cross, IntoDrawingArea, LineSeries,
        TriangleMarker,
    },
    style::{Color, TextStyle},
};

/// Lines over one axis, each with its name at its end.
///
/// ```
/// use nchw::prelude::*;
/// let figure = Chart::new("Learning", "epoch", "accuracy in %")
///     .line("CNN", &[40.0, 70.0, 85.0])
///     .line("MLP", &[30.0, 45.0, 50.0])
///     .figure()?;
/// assert!(figure.text().contains("CNN: 40, 70, 85"));
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    across: String,
    up: String,
    first: f64,
    lines: Vec<(String, Vec<f64>)>,
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 430.0;

impl Chart {
    /// An empty chart; the axes' names say the units.
    pub fn new(title: impl Into<String>, across: impl Into<String>, up: impl Into<String>) -> Chart {
        Chart { title: title.into(), across: across.into(), up: up.into(), first: 1.0, lines: Vec::new() }
    }

    /// The number of the first value on the axis across (1 unless set).
    pub fn from(self, first: f64) -> Chart {
        Chart { first, ..self }
    }

    /// One more line: a value for each step.
    pub fn line(mut self, name: impl Into<String>, values: &[f64]) -> Chart {
        self.lines.push((name.into(), values.to_vec()));
        self
    }

    /// Draws it.
    ///
    /// # Errors
    /// When there is no line, more than six, or one without a finite value.
    pub fn figure(&self) -> Result<Figure> {
        Figure::still(&self.pixels()?, self.alt(), self.in_words())
    }

    fn pixels(&self) -> Result<Pixels> {
        self.check()?;
        let finite = || self.lines.iter().flat_map(|(_, v)| v).copied().filter(|v| v.is_finite());
        let (low, high) =
            (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = (low.min(0.0), if high > low { high } else { low + 1.0 });
        let high = high + 0.06 * (high - low);
        let steps = self.lines.iter().map(|(_, v)| v.len()).max().unwrap_or(1);
        let last = self.first + (steps.max(2) - 1) as f64;

        let name = Text::new(16.0).bold();
        let widest = self.lines.iter().map(|(n, _)| text_width(n, name)).fold(0.0, f64::max);
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        canvas.text(WIDTH / 2.0, 24.0, &self.title, Text::new(21.0).bold());
        canvas.text(16.0, 52.0, &self.up, Text::new(16.0).left().colour(INK));
        let mut ends = Vec::new();
        canvas.draw(|backend| -> std::result::Result<(), String> {
            let told = |e: &dyn std::fmt::Display| e.to_string();
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
                .map_err(|e| told(&e))?;
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
                .map_err(|e| told(&e))?;
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
        // Names that would overlap move apart, downward from the highest.
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut free = 0.0;
        for (x, y, i) in ends {
            let at = f64::max(y, free);
            free = at + 20.0;
            canvas.text(x + 14.0, at, &self.lines[i].0, name.left().colour(as_text(LINES[i % LINES.len()])));
        }
        canvas.text(WIDTH / 2.0, HEIGHT - 18.0, &self.across, Text::new(16.0));
        canvas.finish()
    }

    /// Shows itself as the last expression of a cell.
    pub fn evcxr_display(&self) {
        match self.figure() {
            Ok(figure) => figure.evcxr_display(),
            Err(error) => println!("{error}"),
        }
    }

    fn check(&self) -> Result<()> {
        if self.lines.is_empty() || self.lines.len() > LINES.len() {
            return Err(Error::new(format!(
                "a chart shows 1 to {} lines, this one has {}: add them with `.line(\"name\", &values)`",
                LINES.len(),
                self.lines.len()
            )));
        }
        match self.lines.iter().find(|(_, v)| !v.iter().any(|v| v.is_finite())) {
            Some((name, _)) => Err(Error::new(format!("the line \"{name}\" has no finite value to draw"))),
            None => Ok(()),
        }
    }

    fn in_words(&self) -> String {
        let short = |v: &f64| format!("{v:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
        let line = |(name, values): &(String, Vec<f64>)| {
            format!("{name}: {}", values.iter().map(short).collect::<Vec<_>>().join(", "))
        };
        format!(
            "{} ({} over {})\n{}",
            self.title,
            self.up,
            self.across,
            self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
        )
    }

    fn alt(&self) -> String {
        let ends = |(name, values): &(String, Vec<f64>)| match (values.first(), values.last()) {
            (Some(first), Some(last)) => format!("{name} from {first:.1} to {last:.1}"),
            _ => name.clone(),
        };
        let lines: Vec<String> = self.lines.iter().map(ends).collect();
        format!("Chart: {}. {} over {}: {}", self.title, self.up, self.across, lines.join("; "))
    }
}

/// A line and, while there are few enough, its points: each line has a shape of
/// its own, too, for eyes and printers that see no colours.
fn draw_line(
    chart: &mut ChartContext<'_, BitMapBackend<'_>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
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

/// Charts one below the other, as one figure.
pub(crate) fn stacked(charts: &[Chart]) -> Result<Figure> {
    let pictures: Vec<Pixels> = charts.iter().map(Chart::pixels).collect::<Result<_>>()?;
    let (width, height) = (pictures.first().map_or(0, |p| p.width), pictures.iter().map(|p| p.height).sum());
    let rgb = pictures.into_iter().flat_map(|p| p.rgb).collect();
    let join =
        |text: fn(&Chart) -> String, with: &str| charts.iter().map(text).collect::<Vec<_>>().join(with);
    Figure::still(&Pixels { width, height, rgb }, join(Chart::alt, ". "), join(Chart::in_words, "\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_drawn_is_told() {
        let chart = Chart::new("t", "x", "y");
        assert!(chart.figure().unwrap_err().to_string().contains("shows 1 to 6 lines, this one has 0"));
        let error = chart.line("loss", &[f64::NAN]).figure().unwrap_err().to_string();
        assert!(error.contains("\"loss\" has no finite value"), "{error}");
    }

    #[test]
    fn one_point_and_a_constant_line_can_be_drawn() {
        let figure =
            Chart::new("t", "x", "y").line("a", &[2.0]).line("b", &[0.0, 0.0, f64::NAN]).figure().unwrap();
        assert!(figure.alt().contains("a from 2.0 to 2.0"), "{}", figure.alt());
        assert_eq!(figure.size(), (WIDTH as u32 * PIXEL_RATIO, HEIGHT as u32 * PIXEL_RATIO));
    }
}
