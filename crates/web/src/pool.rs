//! Pooling: the maximum and the mean of each window, and what a shift by one pixel changes.

use crate::Module;
use crate::paint::{Cell, cells};
use crate::window::{Position, formula, in_brackets, is_rounded, read_sheets, sum};
use nchw_core::colour::Palette;
use nchw_core::grid::Grid;
use nchw_core::random::Rng;
use nchw_core::shapes::{Row, chain, max_pool};
use nchw_core::text::number;
use nchw_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The most rows and columns of the map: more would not fit on a phone.
const MOST: usize = 12;

/// Maps to begin with; the first is that of the notebook.
const MAPS: &[(&str, &str)] = &[
    ("Six regions, 4 x 6", "1 0 2 3 0 8\n4 6 6 8 0 0\n3 1 1 0 5 5\n1 2 2 4 5 5"),
    (
        "A thin line, 6 x 8",
        "0 0 0 9 0 0 0 0\n0 0 0 9 0 0 0 0\n0 0 0 9 0 0 0 0\n0 0 0 9 0 0 0 0\n0 0 0 9 0 0 0 0\n0 0 0 9 0 0 0 0",
    ),
    (
        "A broad bar, 6 x 8",
        "0 0 1 5 9 5 1 0\n0 0 1 5 9 5 1 0\n0 0 1 5 9 5 1 0\n0 0 1 5 9 5 1 0\n0 0 1 5 9 5 1 0\n0 0 1 5 9 5 1 0",
    ),
    ("One point, 6 x 6", "0 0 0 0 0 0\n0 0 0 0 0 0\n0 0 7 0 0 0\n0 0 0 0 0 0\n0 0 0 0 0 0\n0 0 0 0 0 0"),
    (
        "A wall without edges, 6 x 8",
        "4 4 4 4 4 4 4 4\n4 4 4 4 4 4 4 4\n4 4 4 4 4 4 4 4\n4 4 4 4 4 4 4 4\n4 4 4 4 4 4 4 4\n4 4 4 4 4 4 4 4",
    ),
];

/// What the reader has chosen, in every call: `{"call": "pool", "map": "1 0\n4 6", "window": 2, …}`.
#[derive(Deserialize)]
pub(crate) struct Ask {
    map: String,
    window: u64,
    stride: u64,
    /// How far the map is shifted. Zeros enter at the other side.
    #[serde(default)]
    down: i64,
    #[serde(default)]
    right: i64,
}

struct Pool {
    map: Grid,
    /// The map before the shift.
    before: Grid,
    layer: Row,
    output: [usize; 2],
    window: usize,
    stride: usize,
}

/// A window: its values, row by row, and their indices in the map.
struct Values<'a> {
    grid: &'a Grid,
    indices: Vec<usize>,
}

impl Pool {
    fn new(ask: &Ask) -> Result<Pool> {
        let sheets = read_sheets("map", &ask.map, MOST)?;
        let [before] = <[Grid; 1]>::try_from(sheets)
            .map_err(|_| Error::new("map: expected one channel: each channel is pooled separately"))?;
        let (height, width) = (before.height(), before.width());
        let table = chain![max_pool(ask.window).stride(ask.stride)].on([1, height as u64, width as u64]);
        if let Some(problem) = &table.problem {
            return Err(Error::new(problem.alone()));
        }
        let layer = table.rows.into_iter().next().ok_or_else(|| Error::new("the table has no row"))?;
        let output = layer.positions().unwrap_or_default().map(|size| size as usize);
        let from = |at: usize, shift: i64| usize::try_from((at as i64).checked_sub(shift)?).ok();
        let value = |row: usize, col: usize| {
            let (row, col) = (from(row, ask.down)?, from(col, ask.right)?);
            before.row(row).get(col).copied()
        };
        let values = (0..height).flat_map(|row| (0..width).map(move |col| (row, col)));
        let values = values.map(|(row, col)| value(row, col).unwrap_or(0.0)).collect();
        let map = Grid::new(height, width, values)?;
        let stride = ask.stride.min(1 << 20) as usize;
        // A window that fits is not larger than the map.
        Ok(Pool { map, before, layer, output, window: ask.window.min(MOST as u64) as usize, stride })
    }

    fn values<'a>(&self, grid: &'a Grid, at: [usize; 2]) -> Values<'a> {
        let [rows, cols] = self.reads(at);
        let index = |row: usize| cols.iter().map(move |col| row * grid.width() + col);
        Values { grid, indices: rows.iter().flat_map(|row| index(*row)).collect() }
    }

    /// The rows and columns of the window at this position.
    fn reads(&self, at: [usize; 2]) -> [Vec<usize>; 2] {
        at.map(|at| (at * self.stride..at * self.stride + self.window).collect())
    }

    /// What `of` gives for each position.
    fn pooled(&self, grid: &Grid, of: fn(&Values) -> f32) -> Vec<f32> {
        let [rows, cols] = self.output;
        let positions = (0..rows).flat_map(|row| (0..cols).map(move |col| [row, col]));
        positions.map(|at| of(&self.values(grid, at))).collect()
    }
}

impl Values<'_> {
    fn numbers(&self) -> impl Iterator<Item = f32> + Clone {
        self.indices.iter().filter_map(|index| self.grid.values().get(*index).copied())
    }

    /// As in PyTorch, NaN is larger than every number, and the first of several equal values is chosen.
    fn chosen(&self) -> usize {
        let larger = |best: (usize, f32), value: (usize, f32)| {
            if value.1 > best.1 || (value.1.is_nan() && !best.1.is_nan()) { value } else { best }
        };
        let values = self.indices.iter().copied().zip(self.numbers());
        values.reduce(larger).map_or(0, |(index, _)| index)
    }

    fn maximum(&self) -> f32 {
        self.grid.values().get(self.chosen()).copied().unwrap_or(0.0)
    }

    fn mean(&self) -> f32 {
        (sum(self.numbers().map(f64::from)) / self.indices.len() as f64) as f32
    }
}

/// `{"call": "pool_presets", "seed": 1}`.
#[derive(Deserialize)]
pub(crate) struct Seed {
    /// Decides the random digits.
    seed: u64,
}

#[derive(Serialize)]
pub(crate) struct Preset {
    name: &'static str,
    text: String,
}

/// Answers `pool_presets`.
pub(crate) fn presets(_: &mut Module, ask: Seed) -> Result<Vec<Preset>> {
    let mut rng = Rng::new(ask.seed, 2);
    let mut row = |_| (0..8).map(|_| rng.below(10).to_string()).collect::<Vec<_>>().join(" ");
    let random = (0..6).map(&mut row).collect::<Vec<_>>().join("\n");
    let maps = MAPS.iter().map(|(name, text)| Preset { name, text: (*text).into() });
    Ok(maps.chain([Preset { name: "Random digits, 6 x 8", text: random }]).collect())
}

/// The map and both results.
#[derive(Serialize)]
pub(crate) struct Picture {
    size: [usize; 2],
    output: [usize; 2],
    /// The map, the maxima, the means.
    panels: Vec<Panel>,
    formula: Vec<Vec<String>>,
    says: String,
}

#[derive(Serialize)]
struct Panel {
    cells: Vec<Cell>,
    /// Which numbers the shift has changed.
    changed: Vec<bool>,
    /// `3 of 6 changed`.
    says: String,
}

/// Answers `pool`.
pub(crate) fn show(_: &mut Module, ask: Ask) -> Result<Picture> {
    let pool = Pool::new(&ask)?;
    let values = |grid: &Grid| {
        let maxima = pool.pooled(grid, |values| values.maximum());
        [grid.values().to_vec(), maxima, pool.pooled(grid, |values| values.mean())]
    };
    let now = values(&pool.map);
    // One scale, so that equal numbers have the same colour everywhere.
    let all = now.concat();
    let palette = Palette::fitting(&all);
    let panel = |(now, before): (&Vec<f32>, &Vec<f32>)| {
        let differs = |(a, b): (&f32, &f32)| a != b && !(a.is_nan() && b.is_nan());
        let changed: Vec<bool> = now.iter().zip(before).map(differs).collect();
        let count = changed.iter().filter(|changed| **changed).count();
        let says = format!("{count} of {} changed", now.len());
        Panel { cells: cells(now, palette, palette.range(&all)), changed, says }
    };
    let panels: Vec<Panel> = now.iter().zip(&values(&pool.before)).map(panel).collect();
    let [rows, cols] = pool.output;
    let says = match shift(&ask) {
        Some(shift) => format!(
            "Shifted {shift}. Numbers of the map: {}. Maxima: {}. Averages: {}.",
            panels[0].says, panels[1].says, panels[2].says
        ),
        None => format!("The map is not shifted. The results have {rows} x {cols} numbers (H x W)."),
    };
    let size = [pool.map.height(), pool.map.width()];
    Ok(Picture { size, output: pool.output, panels, formula: formula(&pool.layer), says })
}

/// `by 1 down and 2 to the left`; `None` without a shift.
fn shift(ask: &Ask) -> Option<String> {
    let part = |shift: i64, one: &str, other: &str| {
        let direction = if shift > 0 { one } else { other };
        (shift != 0).then(|| format!("by {} {direction}", shift.unsigned_abs()))
    };
    let parts = [part(ask.down, "down", "up"), part(ask.right, "to the right", "to the left")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// The window at one position of the outputs.
#[derive(Serialize)]
pub(crate) struct At {
    rows: Vec<usize>,
    cols: Vec<usize>,
    /// The row and the column of the largest value.
    chosen: [usize; 2],
    /// `maximum of 1, 0, 4, 6 = 6`.
    maximum: String,
    /// `(1 + 0 + 4 + 6) / 4 = 2.75`.
    mean: String,
    says: String,
    /// Whether some of the texts have fewer digits than their numbers.
    rounded: bool,
}

/// Answers `pool_at`.
pub(crate) fn at(_: &mut Module, position: Position<Ask>) -> Result<At> {
    let pool = Pool::new(&position.ask)?;
    let at = position.within(pool.output)?;
    let [rows, cols] = pool.reads(at);
    let (now, before) = (pool.values(&pool.map, at), pool.values(&pool.before, at));
    let index = now.chosen();
    let was = |now: f32, before: f32| match shift(&position.ask) {
        Some(_) if number(now) == number(before) => " (as before the shift)".to_string(),
        Some(_) => format!(" ({} before the shift)", number(before)),
        None => String::new(),
    };
    let join = |separator: &str| now.numbers().map(in_brackets).collect::<Vec<_>>().join(separator);
    let (maximum, mean) = (now.maximum(), now.mean());
    let count = now.indices.len();
    Ok(At {
        rows,
        cols,
        chosen: [index / pool.map.width(), index % pool.map.width()],
        maximum: format!("largest of {} = {}{}", join(", "), number(maximum), was(maximum, before.maximum())),
        mean: format!("({}) / {count} = {}{}", join(" + "), number(mean), was(mean, before.mean())),
        says: format!(
            "Output row {}, column {}: maximum {}, average {}",
            at[0],
            at[1],
            number(maximum),
            number(mean)
        ),
        rounded: now.numbers().chain([mean]).any(is_rounded),
    })
}

/// Answers `pool_under`: the position whose window contains this number of the map; `null` if there is none.
pub(crate) fn under(_: &mut Module, position: Position<Ask>) -> Result<Option<[usize; 2]>> {
    let pool = Pool::new(&position.ask)?;
    let find = |at: usize, count: usize| {
        let last = (at / pool.stride).min(count.saturating_sub(1));
        pool.reads([last, last])[0].contains(&at).then_some(last)
    };
    let [rows, cols] = pool.output;
    Ok(find(position.row, rows).zip(find(position.col, cols)).map(|(row, col)| [row, col]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same numbers as `image` of `tests/maps.py`.
    fn image(height: usize, width: usize) -> String {
        let value = |i: usize| ((i * 7 + 3) % 13) as i32 - 5;
        let row = |row: usize| {
            (0..width).map(|col| value(row * width + col).to_string()).collect::<Vec<_>>().join(" ")
        };
        (0..height).map(row).collect::<Vec<_>>().join("\n")
    }

    fn ask(map: &str, window: u64, stride: u64) -> Ask {
        Ask { map: map.into(), window, stride, down: 0, right: 0 }
    }

    fn position(ask: Ask, row: usize, col: usize) -> Position<Ask> {
        Position { ask, row, col }
    }

    fn at(ask: Ask, row: usize, col: usize) -> At {
        super::at(&mut Module::default(), position(ask, row, col)).unwrap()
    }

    #[test]
    fn maxima_and_means_are_those_of_pytorch() {
        type Case<'a> = ([usize; 2], [u64; 2], &'a [f32], &'a [f32]);
        let cases: [Case; 3] = [
            ([5, 7], [2, 2], &[5.0, 6.0, 7.0, 5.0, 6.0, 7.0], &[0.0, 1.0, 2.0, 0.5, 1.5, 2.5]),
            (
                [5, 7],
                [3, 1],
                &[6.0, 6.0, 7.0, 7.0, 7.0, 6.0, 6.0, 7.0, 7.0, 7.0, 6.0, 7.0, 7.0, 7.0, 7.0],
                &[
                    0.5556, 1.7778, 1.5556, 2.7778, 1.1111, 0.4444, 0.2222, 1.4444, 1.2222, 1.0, 1.7778,
                    1.5556, 2.7778, 1.1111, 0.8889,
                ],
            ),
            ([7, 4], [3, 2], &[7.0, 7.0, 7.0], &[1.2222, 2.3333, 0.5556]),
        ];
        for ([h, w], [window, stride], maxima, means) in cases {
            let pool = Pool::new(&ask(&image(h, w), window, stride)).unwrap();
            assert_eq!(pool.pooled(&pool.map, |values| values.maximum()), maxima);
            let found = pool.pooled(&pool.map, |values| values.mean());
            assert!(found.len() == means.len() && found.iter().zip(means).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }

    #[test]
    fn a_window_says_which_value_it_chooses() {
        let found = at(ask(MAPS[0].1, 2, 2), 0, 1);
        assert_eq!((found.rows, found.cols, found.chosen), (vec![0, 1], vec![2, 3], [1, 3]));
        assert_eq!(found.maximum, "largest of 2, 3, 6, 8 = 8");
        assert_eq!(found.mean, "(2 + 3 + 6 + 8) / 4 = 4.75");
        assert_eq!(found.says, "Output row 0, column 1: maximum 8, average 4.75");
        // The first of equal values, as in PyTorch.
        assert_eq!(at(ask("1 4\n4 4", 2, 2), 0, 0).chosen, [0, 1]);
        let nan = at(ask("1 nan 3 4\n0 0 -1 2", 2, 2), 0, 0);
        assert_eq!((nan.chosen, nan.maximum.as_str()), ([0, 1], "largest of 1, NaN, 0, 0 = NaN"));
        assert_eq!(at(ask("-1 -2\n-3 -4", 2, 2), 0, 0).mean, "((−1) + (−2) + (−3) + (−4)) / 4 = −2.5");
        assert_eq!(at(ask("-inf -inf", 1, 1), 0, 1).maximum, "largest of (-inf) = -inf");
        assert!(at(ask("1 2\n3 1/3", 2, 2), 0, 0).rounded);
    }

    #[test]
    fn a_shift_marks_and_counts_what_changes() {
        let shifted = |map: &str, down: i64, right: i64| {
            show(&mut Module::default(), Ask { down, right, ..ask(map, 2, 2) }).unwrap()
        };
        // A line of 9 moves from the second column of a window into the first of the next one, then inside it.
        let line = "0 9 0 0 0 0\n0 9 0 0 0 0";
        let says =
            |down, right| shifted(line, down, right).panels.into_iter().map(|p| p.says).collect::<Vec<_>>();
        assert_eq!(says(0, 1), ["4 of 12 changed", "2 of 3 changed", "2 of 3 changed"]);
        assert_eq!(says(0, -1), ["4 of 12 changed", "0 of 3 changed", "0 of 3 changed"]);
        assert_eq!(says(1, -1), ["3 of 12 changed", "0 of 3 changed", "1 of 3 changed"]);
        assert_eq!(
            shifted(line, 0, 0).says,
            "The map is not shifted. The results have 1 x 3 numbers (H x W)."
        );
        assert_eq!(shifted(line, 0, 1).panels[1].changed, [true, true, false]);
        assert!(
            shifted(line, 2, -1)
                .says
                .starts_with("Shifted by 2 down and by 1 to the left. Numbers of the map: 2 of 12 changed.")
        );
        assert_eq!(shifted("nan 1\n1 1", 0, 0).panels[0].says, "0 of 4 changed");
        let found = at(Ask { right: 1, ..ask(line, 2, 2) }, 0, 0);
        assert_eq!(found.maximum, "largest of 0, 0, 0, 0 = 0 (9 before the shift)");
        for far in [i64::MIN, i64::MAX] {
            assert!(shifted(line, far, far).panels[0].cells.iter().all(|cell| cell.text == "0"));
        }
    }

    #[test]
    fn the_pointer_finds_the_window_under_it() {
        let under = |window, stride, row, col| {
            under(&mut Module::default(), position(ask(&image(5, 7), window, stride), row, col)).unwrap()
        };
        assert_eq!(under(2, 2, 3, 5), Some([1, 2]));
        assert_eq!(under(2, 2, 4, 0), None); // the floor discards the last row
        assert_eq!(under(1, 2, 1, 0), None); // between two windows
        assert_eq!(under(3, 1, 4, 6), Some([2, 4]));
        assert_eq!(under(3, 1, 99, 0), None);
    }

    #[test]
    fn every_map_has_an_answer_or_a_message() {
        for preset in presets(&mut Module::default(), Seed { seed: 3 }).unwrap() {
            let shown = show(&mut Module::default(), ask(&preset.text, 2, 2)).unwrap();
            assert!(
                preset.name.ends_with(&format!("{} x {}", shown.size[0], shown.size[1])),
                "{}",
                preset.name
            );
        }
        assert_eq!(show(&mut Module::default(), ask("5", 1, 1)).unwrap().output, [1, 1]);
        let zeros = show(&mut Module::default(), ask("0 0\n0 0", 2, 2)).unwrap();
        assert_eq!(zeros.panels[1].cells[0].text, "0");
        assert_eq!(zeros.formula[0], ["H' = floor((H - kernel) / stride) + 1"]);
        let error = |ask: Ask| Pool::new(&ask).err().unwrap().to_string();
        assert!(error(ask("1 2 3", 2, 2)).contains("axis H (rows): expected a window of at most 1 row"));
        assert!(error(ask("1", 1, 0)).contains("expected at least 1, got 0"));
        assert!(error(ask("1\n\n1\n\n1", 1, 1)).contains("each channel is pooled separately"));
        assert!(error(ask("1 a", 1, 1)).starts_with("map: row 0, column 1: expected a number"));
        for huge in [u64::MAX, 1 << 62] {
            assert!(Pool::new(&ask("1 2", huge, 1)).is_err());
            let _ =
                Pool::new(&ask("1 2", 1, huge)).map(|pool| pool.pooled(&pool.map, |values| values.mean()));
        }
        let far = super::at(&mut Module::default(), position(ask("1 2\n3 4", 2, 2), 0, 1)).err().unwrap();
        assert!(far.to_string().starts_with("there is no row 0, column 1 in an output of 1 x 1"));
    }
}
