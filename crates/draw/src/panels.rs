//! Panels, each with a title, an image, a heat map or a matrix, and a caption. All figures except charts
//! consist of panels.

use crate::{
    Error, Result,
    canvas::{Canvas, INK, MARK, PALE_INK, Text, between, colour_bar_width, text_width, wrap},
    cells::{CELL_HEIGHT, Highlights, cell_width, draw_cells},
    colour::{Palette, readable_on},
    figure::Pixels,
};
use nchw_core::{grid::Grid, text::count_of};

/// What a panel shows.
pub enum Content<'a> {
    /// An image.
    Picture(Pixels),
    /// A heat map: numbers as colours, optionally over an image.
    Heat {
        /// The map.
        values: Grid,
        /// Its colours.
        palette: Palette,
        /// The numbers at the two ends of the colour scale.
        range: (f32, f32),
        /// Whether a colour bar is drawn beside it.
        bar: bool,
        /// The image under it, with the same number of rows and columns.
        under: Option<Pixels>,
    },
    /// A small matrix: each number in its coloured cell.
    Cells {
        /// The numbers.
        matrix: &'a Grid,
        /// Their colours.
        palette: Palette,
        /// The numbers at the two ends of the colour scale.
        range: (f32, f32),
        /// What is highlighted.
        highlights: Highlights,
    },
    /// An operator between two panels.
    Sign(&'a str),
    /// Shares from 0 to 1 as bars with names; the correct one is bold.
    Bars {
        /// Each bar's name and its share.
        shares: Vec<(String, f32)>,
        /// The index of the correct one.
        right: Option<usize>,
    },
    /// A horizontal colour bar for all maps above it.
    Scale {
        /// Its colours.
        palette: Palette,
        /// The numbers at its two ends.
        range: (f32, f32),
        /// The texts at its two ends.
        ends: [String; 2],
    },
    /// A legend: colours and their meanings, below each other.
    Legend(Vec<([u8; 3], String)>),
}

/// A frame around a part of a panel, with a name.
pub struct Frame {
    /// Its position and size in the content's pixels.
    pub left: f64,
    /// See `left`.
    pub top: f64,
    /// See `left`.
    pub width: f64,
    /// See `left`.
    pub height: f64,
    /// What is written at its upper left corner, if anything.
    pub name: String,
    /// Its colour.
    pub colour: [u8; 3],
}

/// One panel.
pub struct Panel<'a> {
    /// The text above it.
    pub title: String,
    /// What it shows.
    pub content: Content<'a>,
    /// The text below it.
    pub caption: String,
    /// The width of the content on the page.
    pub width: f64,
    /// `(top, left, height, width)` of a thick frame, in the content's pixels.
    pub mark: Option<(usize, usize, usize, usize)>,
    /// Frames with names.
    pub frames: Vec<Frame>,
    /// The least width that it takes on the page, so that panels of several rows are below each other.
    pub room: f64,
    /// Whether the numbers of rows and columns are written beside it.
    pub axes: bool,
    /// The names of the rows of a matrix. If empty, the number of rows and columns is written instead.
    pub names: Vec<String>,
    /// The names of its columns; if empty, the columns of a matrix with named rows get their indices.
    pub column_names: Vec<String>,
}

impl<'a> Panel<'a> {
    /// A panel with its axes and without a caption.
    pub fn new(title: impl Into<String>, content: Content<'a>, width: f64) -> Panel<'a> {
        Panel {
            title: title.into(),
            content,
            caption: String::new(),
            width,
            mark: None,
            frames: Vec::new(),
            room: 0.0,
            axes: true,
            names: Vec::new(),
            column_names: Vec::new(),
        }
    }
    /// The same with a caption.
    pub fn caption(self, caption: impl Into<String>) -> Panel<'a> {
        Panel { caption: caption.into(), ..self }
    }
    /// The same without axes, for one of many panels of the same size.
    pub fn bare(self) -> Panel<'a> {
        Panel { axes: false, ..self }
    }
    /// A title for the rows below it.
    pub fn heading(text: String) -> Panel<'a> {
        Panel::new(text, Content::Legend(Vec::new()), 1.0).bare()
    }
    /// An operator between two panels, such as `=`.
    pub fn sign(sign: &'a str) -> Panel<'a> {
        Panel::new("", Content::Sign(sign), 22.0)
    }
    /// A matrix with its numbers in cells of a readable size.
    pub fn cells(
        title: impl Into<String>,
        matrix: &'a Grid,
        palette: Palette,
        highlights: Highlights,
    ) -> Panel<'a> {
        let range = palette.range(matrix.values());
        let width = matrix.width() as f64 * cell_width(matrix);
        Panel::new(title, Content::Cells { matrix, palette, range, highlights }, width)
    }
    /// A heat map with the palette and the range that fit its numbers.
    pub fn heat(title: impl Into<String>, values: Grid, width: f64) -> Panel<'a> {
        let palette = Palette::fitting(values.values());
        let range = palette.clear_range(values.values());
        Panel::new(title, Content::Heat { values, palette, range, bar: true, under: None }, width)
    }
    /// A heat map on a given scale, without axes and colour bar: one of many on the same page.
    pub fn tile(
        title: impl Into<String>,
        values: Grid,
        palette: Palette,
        range: (f32, f32),
        width: f64,
    ) -> Panel<'a> {
        Panel::new(title, Content::Heat { values, palette, range, bar: false, under: None }, width).bare()
    }
    /// An image.
    pub fn picture(title: impl Into<String>, image: Pixels, width: f64) -> Panel<'a> {
        Panel::new(title, Content::Picture(image), width)
    }
    /// A horizontal colour bar, with a text at each end, for all maps above it.
    pub fn scale(palette: Palette, range: (f32, f32), ends: [String; 2]) -> Panel<'a> {
        Panel::new("", Content::Scale { palette, range, ends }, 420.0)
    }

    /// Rows and columns of an image or a heat map.
    fn size(&self) -> Option<(usize, usize)> {
        match &self.content {
            Content::Picture(image) => Some((image.height as usize, image.width as usize)),
            Content::Heat { values, .. } => Some((values.height(), values.width())),
            _ => None,
        }
    }

    /// Refuses a panel that is too high to look at, or so wide that drawing it would take gigabytes.
    pub(crate) fn require_drawable(&self) -> Result<()> {
        let Some((rows, columns)) = self.size() else { return Ok(()) };
        if columns > MAX_COLUMNS {
            return Err(Error::new(format!(
                "{columns} columns (W) are too many to draw, a figure shows at most {MAX_COLUMNS}. Crop the \
                 columns: of a tensor, `.narrow(-1, 0, 100)` takes the first 100; of an image, \
                 `.crop(0, 0, {rows}, 100)?`"
            )));
        }
        if self.height() <= MAX_HEIGHT {
            return Ok(());
        }
        let fits = (rows as f64 * MAX_HEIGHT / self.height()).max(1.0) as usize;
        Err(Error::new(format!(
            "{rows} rows (H) and {} are too narrow to draw: {:.0} wide on the page, they would be {:.0} \
             high, and a figure is at most {MAX_HEIGHT} high. Crop the rows: of a tensor, \
             `.narrow(-2, 0, {fits})` takes the first {fits}; of an image, \
             `.crop(0, 0, {fits}, {columns})?`",
            count_of(columns, "column (W)", "columns (W)"),
            self.width,
            self.height()
        )))
    }

    fn height(&self) -> f64 {
        match &self.content {
            Content::Picture(_) | Content::Heat { .. } => {
                let (rows, columns) = self.size().unwrap_or((1, 1));
                // A single row of many columns remains visible.
                (self.width * rows as f64 / columns as f64).max(MIN_HEIGHT)
            }
            Content::Cells { matrix, .. } => matrix.height() as f64 * CELL_HEIGHT,
            Content::Sign(_) => 0.0,
            Content::Bars { shares, .. } => shares.len() as f64 * LINE_HEIGHT,
            Content::Scale { .. } => 16.0,
            Content::Legend(colours) => colours.len() as f64 * LINE_HEIGHT,
        }
    }

    /// The height including the colour bar, which needs room for its numbers.
    pub(crate) fn full_height(&self) -> f64 {
        if self.bar() > 0.0 { self.height().max(MIN_BAR_HEIGHT) } else { self.height() }
    }

    /// Whether it has a frame with rows and columns.
    fn framed(&self) -> bool {
        !matches!(
            self.content,
            Content::Sign(_) | Content::Bars { .. } | Content::Scale { .. } | Content::Legend(_)
        )
    }

    /// The space below for the axis.
    pub(crate) fn foot(&self) -> f64 {
        if self.framed() && self.axes || matches!(self.content, Content::Scale { .. }) { 24.0 } else { 4.0 }
    }

    /// The width including the colour bar, at least that of the title and its room.
    pub(crate) fn full_width(&self) -> f64 {
        let content = self.width + self.margin() + self.bar();
        content.max(text_width(&self.title, TITLE.bold())).max(self.room)
    }

    fn margin(&self) -> f64 {
        let widest = self.names.iter().map(|name| text_width(name, NAME)).fold(0.0, f64::max);
        if self.framed() && self.axes { AXIS_WIDTH.max(widest + 10.0) } else { 0.0 }
    }

    fn bar(&self) -> f64 {
        match self.content {
            Content::Heat { range, bar: true, .. } => 10.0 + colour_bar_width(range),
            _ => 0.0,
        }
    }

    pub(crate) fn caption_lines(&self) -> Vec<String> {
        wrap(&self.caption, CAPTION, self.full_width())
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, x: f64, top: f64, middle: f64) {
        let (width, height) = (self.width, self.height());
        let (full, y) = (self.full_width(), middle - height / 2.0);
        let left = x + (full - width - self.margin() - self.bar()) / 2.0 + self.margin();
        // In a row with higher panels, the title of a panel without axes stays near its content.
        let title = if self.axes { top + 12.0 } else { y - 14.0 };
        canvas.text(left + width / 2.0, title, &self.title, TITLE.bold());
        let size = self.draw_content(canvas, left, y);
        if !self.framed() {
            return;
        }
        self.draw_frame(canvas, left, y, size);
        for (i, line) in self.caption_lines().iter().enumerate() {
            let at = y + height + self.foot() + 8.0 + 18.0 * i as f64;
            canvas.text(left + width / 2.0, at, line, CAPTION);
        }
    }

    /// Draws the content, and returns its number of rows and columns.
    fn draw_content(&self, canvas: &mut Canvas, left: f64, y: f64) -> (usize, usize) {
        let (width, height) = (self.width, self.height());
        match &self.content {
            Content::Picture(image) => {
                canvas.picture(left, y, width, height, image);
                (image.height as usize, image.width as usize)
            }
            Content::Heat { values, palette, range, bar, under } => {
                let mut colours = coloured(values, *palette, *range);
                if let Some(under) = under {
                    lay_over(&mut colours, values, *palette, *range, &grey(under));
                }
                canvas.picture(left, y, width, height, &colours);
                let ends = |(low, high): (f32, f32), v: &f32| (low.min(*v), high.max(*v));
                let extremes = values.values().iter().fold(*range, ends);
                if *bar {
                    let (bar, middle) = (self.full_height(), y + height / 2.0);
                    let (x, y) = (left + width + 10.0, middle - bar / 2.0);
                    canvas.colour_bar(x, y, bar, *palette, *range, extremes);
                }
                (values.height(), values.width())
            }
            Content::Cells { matrix, palette, range, highlights } => {
                draw_cells(canvas, left, y, width, matrix, *palette, *range, *highlights);
                (matrix.height(), matrix.width())
            }
            Content::Bars { shares, right } => {
                draw_bars(canvas, left, y, width, shares, *right);
                (1, 1)
            }
            Content::Scale { palette, range, ends } => {
                let steps = width as usize;
                let value = |i: usize| between(*range, i as f64 / (steps - 1) as f64);
                let bar = Pixels {
                    width: steps as u32,
                    height: 1,
                    rgb: (0..steps).flat_map(|i| palette.rgb(value(i), *range)).collect(),
                };
                canvas.picture(left, y, width, height, &bar);
                canvas.frame(left, y, width, height, INK, 0.5);
                canvas.text(left, y + height + 13.0, &ends[0], SCALE.left());
                canvas.text(left + width, y + height + 13.0, &ends[1], SCALE.right());
                (1, 1)
            }
            Content::Legend(colours) => {
                for (i, (colour, name)) in colours.iter().enumerate() {
                    let at = y + (i as f64 + 0.5) * LINE_HEIGHT;
                    canvas.fill(left, at - 9.0, 22.0, 18.0, *colour);
                    canvas.frame(left, at - 9.0, 22.0, 18.0, INK, 0.5);
                    canvas.text(left + 32.0, at, name, NAME.left());
                }
                (1, 1)
            }
            Content::Sign(sign) => {
                canvas.text(left + width / 2.0, y, sign, Text::new(26.0).bold());
                (1, 1)
            }
        }
    }

    /// Draws the frame, the mark, and the axes: the number of rows and columns, or their names.
    fn draw_frame(&self, canvas: &mut Canvas, left: f64, y: f64, size: (usize, usize)) {
        let (width, height) = (self.width, self.height());
        canvas.frame(left, y, width, height, INK, 0.5);
        if let Some((row, column, rows, columns)) = self.mark {
            let unit = width / size.1 as f64;
            let [x, y0, w, h] = [column, row, columns, rows].map(|n| n as f64 * unit);
            // Outside of the marked part, and never too small to see.
            canvas.frame(left + x - 3.0, y + y0 - 3.0, w.max(2.0) + 6.0, h.max(2.0) + 6.0, MARK, 3.0);
        }
        if self.names.is_empty() && self.axes {
            canvas.text(left - 5.0, y + height / 2.0, &size.0.to_string(), AXES.right());
            canvas.text(left + width / 2.0, y + height + 11.0, &size.1.to_string(), AXES);
        }
        let middle = |i: usize, count: usize| (i as f64 + 0.5) / count as f64;
        for (i, name) in self.names.iter().enumerate() {
            canvas.text(left - 8.0, y + height * middle(i, self.names.len()), name, NAME.right());
        }
        let columns = if self.names.is_empty() { 0 } else { size.1 };
        for i in 0..columns {
            let name = self.column_names.get(i).cloned().unwrap_or_else(|| i.to_string());
            canvas.text(left + width * middle(i, columns), y + height + 14.0, &name, NAME);
        }
        for frame in &self.frames {
            let unit = (width / size.1 as f64, height / size.0 as f64);
            frame.draw(canvas, (left, y), unit, left + width);
        }
    }
}

impl Frame {
    /// Draws the frame into content whose upper left corner is at `origin`, whose pixels or cells have the
    /// width and height `unit`, and which ends at `right`.
    fn draw(&self, canvas: &mut Canvas, origin: (f64, f64), unit: (f64, f64), right: f64) {
        let [x, y] = [origin.0 + self.left * unit.0, origin.1 + self.top * unit.1];
        let [width, height] = [self.width * unit.0, self.height * unit.1].map(|side| side.max(2.0));
        // A thin white line makes the frame visible on its own colour.
        canvas.frame(x - 1.0, y - 1.0, width + 2.0, height + 2.0, [255, 255, 255], 5.0);
        canvas.frame(x, y, width, height, self.colour, 3.0);
        if self.name.is_empty() {
            return;
        }
        let name = Text::new(15.0).bold().colour(readable_on(self.colour));
        let tag = text_width(&self.name, name) + 12.0;
        // Above the frame if there is room, and within the content.
        let top = if y - 20.0 >= origin.1 { y - 20.0 } else { y };
        let start = x.min(right - tag).max(origin.0);
        canvas.fill(start, top, tag, 20.0, self.colour);
        canvas.text(start + 6.0, top + 10.0, &self.name, name.left());
    }
}

const TITLE: Text = Text { size: 17.0, bold: false, colour: INK, align: CENTRE };
const CAPTION: Text = Text { size: 14.0, bold: false, colour: PALE_INK, align: CENTRE };
const NAME: Text = Text { size: 16.0, bold: false, colour: INK, align: CENTRE };
const SCALE: Text = Text { size: 15.0, bold: false, colour: INK, align: CENTRE };
const AXES: Text = Text { size: 13.0, bold: false, colour: PALE_INK, align: CENTRE };
const CENTRE: plotters::style::text_anchor::HPos = plotters::style::text_anchor::HPos::Center;
const LINE_HEIGHT: f64 = 28.0;
const AXIS_WIDTH: f64 = 34.0;
/// The smallest and the largest height of an image or a heat map on the page.
const MIN_HEIGHT: f64 = 4.0;
const MAX_HEIGHT: f64 = 4000.0;
/// The smallest height of a colour bar, with three numbers below each other.
const MIN_BAR_HEIGHT: f64 = 56.0;
/// The most columns of an image or a heat map.
const MAX_COLUMNS: usize = 50_000;

fn coloured(map: &Grid, palette: Palette, range: (f32, f32)) -> Pixels {
    let rgb = map.values().iter().flat_map(|v| palette.rgb(*v, range)).collect();
    Pixels { width: map.width() as u32, height: map.height() as u32, rgb }
}

/// Blends colours with the image under them. `cover` is the opacity of the colours, 0 to 1.
pub fn blend(colours: &mut Pixels, under: &Pixels, cover: f64) {
    for (colour, below) in colours.rgb.iter_mut().zip(&under.rgb) {
        *colour = (cover * f64::from(*colour) + (1.0 - cover) * f64::from(*below)).round() as u8;
    }
}

/// Converts an image to grey: under a heat map, its colours could be mistaken for those of the map.
fn grey(image: &Pixels) -> Pixels {
    let brightness = |rgb: &[u8]| {
        (0.299 * f64::from(rgb[0]) + 0.587 * f64::from(rgb[1]) + 0.114 * f64::from(rgb[2])).round() as u8
    };
    Pixels { rgb: image.rgb.chunks_exact(3).flat_map(|rgb| [brightness(rgb); 3]).collect(), ..image.clone() }
}

/// The opacity of the largest number of a heat map over an image.
const COVER: f64 = 0.85;

/// Lays a heat map over an image. One colour, or one for each sign; its opacity follows the heat, so that the image
/// stays visible where there is little of it: at 0, nothing covers the image.
fn lay_over(colours: &mut Pixels, values: &Grid, palette: Palette, range: (f32, f32), under: &Pixels) {
    let pixels = colours.rgb.chunks_exact_mut(3).zip(under.rgb.chunks_exact(3)).zip(values.values());
    for ((colour, below), value) in pixels {
        let share = palette.share(*value, range);
        // Not the end of the palette, which can be too dark to be seen over a photo.
        let vivid = palette.rgb(if share > 0.0 { value * (0.75 / share) as f32 } else { *value }, range);
        let cover = COVER * share;
        colour.copy_from_slice(&vivid);
        for (colour, below) in colour.iter_mut().zip(below) {
            *colour = (cover * f64::from(*colour) + (1.0 - cover) * f64::from(*below)).round() as u8;
        }
    }
}

fn draw_bars(
    canvas: &mut Canvas,
    left: f64,
    top: f64,
    width: f64,
    shares: &[(String, f32)],
    right: Option<usize>,
) {
    // At least as wide as the longest class name, so that bars are aligned across figures.
    let longest = text_width("automobile", NAME.bold());
    let names = shares.iter().map(|(name, _)| text_width(name, NAME.bold())).fold(longest, f64::max);
    let (start, room) = (left + names + 8.0, width - names - 8.0 - 52.0);
    for (i, (name, share)) in shares.iter().enumerate() {
        let at = top + (i as f64 + 0.5) * LINE_HEIGHT;
        let set = if right == Some(i) { NAME.bold() } else { NAME };
        canvas.text(start - 8.0, at, name, set.right());
        let colour = if right == Some(i) { RIGHT } else { OTHER };
        let length = (room * f64::from(share.clamp(0.0, 1.0))).max(1.0);
        canvas.fill(start, at - 9.0, length, 18.0, colour);
        canvas.text(start + length + 6.0, at, &format!("{:.0} %", 100.0 * share), NAME.left());
    }
}

/// The bar of the correct answer, and of any other; they also differ in brightness.
const RIGHT: [u8; 3] = [0, 114, 178];
const OTHER: [u8; 3] = [170, 170, 170];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        layout::Layout,
        pixels::{area, ink},
    };

    fn layout(rows: Vec<Vec<Panel>>) -> Layout {
        Layout { title: String::new(), rows, lines: Vec::new() }
    }

    fn heat(values: Grid, width: f64) -> Panel<'static> {
        let (palette, range) = (Palette::Sequential, (0.0, 1.0));
        let content = Content::Heat { values, palette, range, bar: false, under: None };
        Panel::new("", content, width)
    }

    const BRIGHTEST: [u8; 3] = [103, 0, 31];

    #[test]
    fn a_number_is_drawn_in_its_colour_at_its_position() {
        // 1 in row 1, column 2 of 3 x 4, each 20 x 20 on the page and 40 x 40 in pixels.
        let mut values = vec![0.0; 12];
        values[4 + 2] = 1.0;
        values[0] = 0.5;
        let figure = layout(vec![vec![heat(Grid::new(3, 4, values).unwrap(), 80.0)]]).figure("", "").unwrap();
        let (_, [left, top, ..]) = area(&figure, Palette::Sequential.rgb(0.5, (0.0, 1.0)));
        let (count, bounds) = area(&figure, BRIGHTEST);
        assert_eq!(count, 40 * 40);
        // The frame covers the first pixel of the map.
        assert_eq!(bounds, [left + 79, top + 39, left + 119, top + 79]);
    }

    #[test]
    fn the_length_of_a_bar_is_its_share_and_is_clamped() {
        let length = |share: f32| {
            let shares = vec![("a".to_owned(), share)];
            let panel = Panel::new("", Content::Bars { shares, right: Some(0) }, 380.0);
            let (_, [left, _, right, _]) = area(&layout(vec![vec![panel]]).figure("", "").unwrap(), RIGHT);
            right.saturating_sub(left)
        };
        let whole = length(1.0);
        assert!(whole > 300, "{whole}");
        assert!(length(0.5).abs_diff(whole / 2) <= 2 && length(0.25).abs_diff(whole / 4) <= 2);
        assert_eq!([length(0.0), length(-3.0), length(f32::NAN), length(1e9)], [2, 2, 2, whole]);
    }

    #[test]
    fn a_mark_surrounds_the_marked_part() {
        let mut panel = heat(Grid::new(10, 20, vec![0.0; 200]).unwrap(), 200.0);
        panel.mark = Some((3, 8, 2, 5));
        let figure = layout(vec![vec![panel]]).figure("", "").unwrap();
        let (_, [left, top, ..]) = area(&figure, INK);
        // A number is 10 wide on the page and 20 in pixels; the frame is 3 thick and outside.
        let (_, [x, y, right, bottom]) = area(&figure, MARK);
        assert_eq!([x - left, y - top], [2 * (80 - 3), 2 * (30 - 3)]);
        assert_eq!([right - x, bottom - y], [2 * (50 + 6), 2 * (20 + 6)]);
    }

    #[test]
    fn title_lines_and_captions_are_written() {
        let figure = |title: &str, caption: &str, line: &str| {
            let panel = heat(Grid::new(2, 2, vec![1.0; 4]).unwrap(), 300.0).bare().caption(caption);
            let layout = Layout { title: title.into(), rows: vec![vec![panel]], lines: vec![line.into()] };
            layout.figure("", "").unwrap()
        };
        let all = figure("Title", "caption", "line");
        let (w, h) = all.size();
        let (top, middle, bottom) = ([0, 0, w, 90], [0, h - 140, w, h - 80], [0, h - 76, w, h]);
        for (part, without) in [
            (top, figure("", "caption", "line")),
            (middle, figure("Title", " ", "line")),
            (bottom, figure("Title", "caption", "")),
        ] {
            assert!(ink(&all, part) > 100, "{part:?}: {}", ink(&all, part));
            let empty = if without.size() == (w, h) { ink(&without, part) } else { 0 };
            assert!(empty < 50, "{part:?}: {empty}");
        }
    }

    #[test]
    fn a_narrow_map_is_refused_and_a_flat_one_is_visible() {
        let message = |panel| layout(vec![vec![panel]]).figure("", "").unwrap_err().to_string();
        let narrow = message(heat(Grid::new(3072, 1, vec![0.5; 3072]).unwrap(), 560.0));
        assert!(narrow.contains("3072 rows (H) and 1 column (W) are"), "{narrow}");
        assert!(narrow.contains("`.narrow(-2, 0, 7)` takes the first 7"), "{narrow}");
        // The suggested fix can be drawn.
        let seven = heat(Grid::new(7, 1, vec![1.0; 7]).unwrap(), 560.0);
        layout(vec![vec![seven]]).figure("", "").unwrap();
        let wide = message(heat(Grid::new(1, 70_000, vec![0.5; 70_000]).unwrap(), 560.0));
        assert!(wide.contains("70000 columns (W)") && wide.contains("`.narrow(-1, 0, 100)`"), "{wide}");
        let flat = layout(vec![vec![heat(Grid::new(1, 3072, vec![1.0; 3072]).unwrap(), 560.0)]]);
        let (_, [left, top, right, bottom]) = area(&flat.figure("", "").unwrap(), BRIGHTEST);
        assert!(right - left > 1100 && bottom - top >= 6, "{left} {top} {right} {bottom}");
        // The numbers of its colour bar do not overlap: there are rows without ink between them.
        let bar = Panel::heat("", Grid::new(1, 300, vec![1.0; 300]).unwrap(), 560.0);
        let bar = layout(vec![vec![bar]]).figure("", "").unwrap();
        let (w, h) = bar.size();
        // Right of the map (560 on the page), its bar and the ticks.
        let numbers = 2 * (18 + 34 + 560 + 10 + 14 + 6);
        let written: Vec<bool> = (0..h).map(|y| ink(&bar, [numbers, y, w, y + 1]) > 0).collect();
        assert_eq!(written.windows(2).filter(|rows| !rows[0] && rows[1]).count(), 3);
    }

    #[test]
    fn a_constant_map_has_a_colour_bar_with_numbers() {
        for value in [0.0, 2.0, -3.0, 1e30, f32::MAX] {
            let panel = Panel::heat("", Grid::new(2, 2, vec![value; 4]).unwrap(), 200.0);
            let figure = layout(vec![vec![panel.bare()]]).figure("", "").unwrap();
            let (w, h) = figure.size();
            // The numbers are right of the map and the bar.
            let numbers = ink(&figure, [18 * 2 + 2 * (200 + 10 + 14 + 6), 0, w, h]);
            assert!(numbers > 100, "{value}: {numbers}");
        }
    }
}
