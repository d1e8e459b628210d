//! Shapes-10: a data set that the crate draws itself.
//!
//! Small colour pictures of ten shapes that differ in form and in nothing
//! else: place, size, tilt, colours and noise are drawn by lot for every
//! picture, whatever its shape. Made for the experiments of lecture part 1
//! (why not fully connected), which need no download.

use crate::random::Rng;
use crate::{Error, Result};
use std::fmt;
use tch::Tensor;

/// Rows and columns of a picture.
const SIDE: usize = 32;
/// Bytes of one picture: channels, rows, columns.
const BYTES: usize = 3 * SIDE * SIDE;
/// 3 GB of pictures; more would rather end the kernel than fit.
const MOST: usize = 1_000_000;
/// Sample points per pixel side: edges get 4 x 4 + 1 shades.
const SAMPLES: usize = 4;
/// Left and right lie this many columns apart.
const MOVE: f32 = 10.0;

/// Pictures and what is on them.
///
/// # Shapes
/// N pictures: `images` is `[N, 3, 32, 32]` (bytes from 0 to 255), `labels` is
/// `[N]` (whole numbers from 0 to 9, places in [`Shapes10::NAMES`]).
///
/// # Source
/// Drawn for lecture part 1.
///
/// ```
/// use nchw::prelude::*;
/// let shapes = Shapes10::draw(12, 1)?;
/// assert_eq!(shapes.images.size(), [12, 3, 32, 32]);
/// assert_eq!(shapes.labels.size(), [12]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Shapes10 {
    /// The pictures, `[N, 3, 32, 32]`, kind `Uint8`.
    pub images: Tensor,
    /// The number of the shape on each picture, `[N]`, kind `Int64`.
    pub labels: Tensor,
}

/// Where on the picture a shape is put.
///
/// The middle of a shape lies in rows 9 to 23 in every case; the place says in
/// which columns. `Left` and `Right` have no column in common: a network that
/// is trained on one of them has never seen a shape in the other.
///
/// ```
/// use nchw::prelude::*;
/// let left = Shapes10::draw_at(Place::Left, 10, 1)?;
/// assert_eq!(left.images.size(), [10, 3, 32, 32]);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The middle of the shape lies in columns 9 to 23.
    Anywhere,
    /// The middle of the shape lies in columns 9 to 13.
    Left,
    /// The middle of the shape lies in columns 19 to 23: ten to the right of
    /// where `Left` puts the same shape.
    Right,
}

impl Shapes10 {
    /// What is on a picture with label 0, 1, …, 9.
    pub const NAMES: [&str; 10] =
        ["circle", "ring", "square", "frame", "triangle", "cross", "star", "heart", "moon", "arrow"];

    /// Draws `count` pictures, shapes anywhere.
    ///
    /// The same seed gives the same pictures on every machine, and a larger
    /// count only appends to them. Labels go round, 0, 1, …, 9, 0, 1, …, so
    /// every shape comes equally often: mix before training in batches.
    ///
    /// # Shapes
    /// → `images` `[count, 3, 32, 32]`, `labels` `[count]`
    ///
    /// # Errors
    /// When `count` is 0 or more than a million.
    ///
    /// # Source
    /// Lecture part 1.
    pub fn draw(count: usize, seed: u64) -> Result<Shapes10> {
        Shapes10::draw_at(Place::Anywhere, count, seed)
    }

    /// Draws `count` pictures with the shapes at `place`.
    ///
    /// For the same seed, `Place::Left` and `Place::Right` give the same
    /// shapes in the same colours on the same backgrounds with the same
    /// noise; only the shape is ten columns further to the right.
    ///
    /// # Shapes
    /// → `images` `[count, 3, 32, 32]`, `labels` `[count]`
    ///
    /// # Errors
    /// When `count` is 0 or more than a million.
    ///
    /// # Source
    /// Lecture part 1.
    pub fn draw_at(place: Place, count: usize, seed: u64) -> Result<Shapes10> {
        if !(1..=MOST).contains(&count) {
            return Err(Error::new(format!(
                "expected a count from 1 to {MOST} pictures, got {count}. \
                 Axis 0 (N) of the images is this count; try Shapes10::draw(1000, {seed})?"
            )));
        }
        let mut bytes = vec![0; count * BYTES];
        for (index, picture) in bytes.chunks_exact_mut(BYTES).enumerate() {
            draw_picture(picture, index, seed, place);
        }
        let labels: Vec<i64> = (0..count).map(label).collect();
        let side = SIDE as i64;
        Ok(Shapes10 {
            images: Tensor::f_from_slice(&bytes)?.f_view([count as i64, 3, side, side])?,
            labels: Tensor::f_from_slice(&labels)?,
        })
    }

    /// The same labels with other images, such as shuffled ones.
    ///
    /// # Shapes
    /// `images` `[N, 3, H, W]` with the N of `self`
    ///
    /// # Errors
    /// When `images` is not a batch of as many pictures as there are labels.
    pub fn with_images(&self, images: Tensor) -> Result<Shapes10> {
        let (shape, labels) = (images.size(), self.labels.size());
        let &[count] = labels.as_slice() else {
            return Err(Error::new(format!(
                "expected labels of shape [N], one for each picture; got {labels:?}: `.view([-1])` puts them in a row"
            )));
        };
        if shape.len() != 4 || shape[0] != count {
            return Err(Error::new(format!(
                "expected images of shape [N, C, H, W] with N = {count}, one for each label; got {shape:?}. \
                 Axis 0 (N) must stay as it was: change what is on the pictures, not how many there are"
            )));
        }
        Ok(Shapes10 { images, labels: self.labels.shallow_clone() })
    }
}

impl fmt::Debug for Shapes10 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shapes10: images {:?}, labels {:?}", self.images.size(), self.labels.size())
    }
}

fn label(index: usize) -> i64 {
    (index % Shapes10::NAMES.len()) as i64
}

/// What is drawn by lot for one picture, but for its noise.
struct Sketch {
    middle: (f32, f32),
    radius: f32,
    cos: f32,
    sin: f32,
    colour: [f32; 3],
    ground: Ground,
}

/// A background that goes evenly from one colour to another.
struct Ground {
    from: [f32; 3],
    to: [f32; 3],
    direction: (f32, f32),
}

fn draw_picture(picture: &mut [u8], index: usize, seed: u64, place: Place) {
    let mut rng = Rng::new(seed, index as u64);
    let sketch = Sketch::by_lot(&mut rng, place);
    let cover = sketch.cover(label(index));
    let strength = rng.between(0.03, 0.12);
    let mut lots = [0; 4 * BYTES];
    rng.fill(&mut lots);
    for (at, (byte, lots)) in picture.iter_mut().zip(lots.chunks_exact(4)).enumerate() {
        let (channel, pixel) = (at / (SIDE * SIDE), at % (SIDE * SIDE));
        let ground = sketch.ground.at(channel, pixel / SIDE, pixel % SIDE);
        let clean = ground + cover[pixel] * (sketch.colour[channel] - ground);
        // Four random bytes added up are nearly bell-shaped, and need no
        // logarithm, whose last bit differs from machine to machine.
        let noise: f32 = lots.iter().map(|&lot| f32::from(lot) - 127.5).sum();
        *byte = (clean + strength * noise + 0.5) as u8; // stops at 0 and 255
    }
}

impl Sketch {
    fn by_lot(rng: &mut Rng, place: Place) -> Sketch {
        let radius = rng.between(6.0, 8.0);
        // tan of half the angle, up to 15 degrees either way: gives the sine
        // and cosine by division alone, the same on every machine.
        let t = rng.between(-0.13, 0.13);
        let middle = (place.column(rng.between(0.0, 1.0)), eighths(rng.between(9.0, 23.0)));
        let ground = Ground::by_lot(rng);
        Sketch {
            middle,
            radius,
            cos: (1.0 - t * t) / (1.0 + t * t),
            sin: 2.0 * t / (1.0 + t * t),
            colour: ground.contrast(rng),
            ground,
        }
    }

    /// How much of each pixel the shape covers, 0 to 1: rows from the top.
    fn cover(&self, label: i64) -> [f32; SIDE * SIDE] {
        let mut cover = [0.0; SIDE * SIDE];
        let (columns, rows) = (self.extent(self.middle.0), self.extent(self.middle.1));
        for row in rows {
            for column in columns.clone() {
                cover[row * SIDE + column] = self.cover_of_pixel(label, row, column);
            }
        }
        cover
    }

    /// The pixels along one side that a shape around `middle` can touch.
    fn extent(&self, middle: f32) -> std::ops::Range<usize> {
        (middle - self.radius) as usize..((middle + self.radius) as usize + 1).min(SIDE)
    }

    fn cover_of_pixel(&self, label: i64, row: usize, column: usize) -> f32 {
        let mut hits = 0;
        for sample in 0..SAMPLES * SAMPLES {
            let part = |k: usize| (k as f32 + 0.5) / SAMPLES as f32;
            let x = (column as f32 + part(sample % SAMPLES) - self.middle.0) / self.radius;
            let y = (row as f32 + part(sample / SAMPLES) - self.middle.1) / self.radius;
            let (u, v) = (self.cos * x + self.sin * y, self.cos * y - self.sin * x);
            hits += usize::from(inside(label, u, v));
        }
        hits as f32 / (SAMPLES * SAMPLES) as f32
    }
}

impl Place {
    /// A column for the middle of a shape; `unit` lies between 0 and 1.
    fn column(self, unit: f32) -> f32 {
        match self {
            Place::Anywhere => eighths(9.0 + 14.0 * unit),
            Place::Left => eighths(9.0 + 4.0 * unit),
            Place::Right => Place::Left.column(unit) + MOVE,
        }
    }
}

/// To whole eighths of a pixel, so that moving a shape by whole pixels gives
/// exactly the same edges.
fn eighths(x: f32) -> f32 {
    (x * 8.0).floor() / 8.0
}

impl Ground {
    fn by_lot(rng: &mut Rng) -> Ground {
        let from = [0; 3].map(|_| rng.between(0.0, 255.0));
        let to = from.map(|c| (c + rng.between(-40.0, 40.0)).clamp(0.0, 255.0));
        Ground { from, to, direction: (rng.between(-1.0, 1.0), rng.between(-1.0, 1.0)) }
    }

    fn at(&self, channel: usize, row: usize, column: usize) -> f32 {
        let part = |k: usize| (k as f32 + 0.5) / SIDE as f32 - 0.5;
        let way = 0.5 + 0.5 * (self.direction.0 * part(column) + self.direction.1 * part(row));
        self.from[channel] + way * (self.to[channel] - self.from[channel])
    }

    /// A colour clearly lighter or darker than the whole background, so that
    /// the shape shows in grey, too, and to eyes that tell few colours apart.
    fn contrast(&self, rng: &mut Rng) -> [f32; 3] {
        loop {
            let colour = [0; 3].map(|_| rng.between(0.0, 255.0));
            let differs = |ground| (grey(colour) - grey(ground)).abs() >= 70.0;
            if differs(self.from) && differs(self.to) {
                return colour;
            }
        }
    }
}

fn grey([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Whether a point is part of the shape. `u` goes right and `v` down; every
/// shape lies within the circle of radius 1 around 0.
fn inside(label: i64, u: f32, v: f32) -> bool {
    let within = |radius: f32| u * u + v * v <= radius * radius;
    let square = |half: f32| u.abs() <= half && v.abs() <= half;
    match label {
        0 => within(0.85),
        1 => within(0.95) && !within(0.52),
        2 => square(0.7),
        3 => square(0.7) && !square(0.36),
        // Three sides at half a radius from the middle, one corner up.
        4 => v <= 0.5 && 0.866 * u.abs() - 0.5 * v <= 0.5,
        5 => u.abs().min(v.abs()) <= 0.27 && u.abs().max(v.abs()) <= 0.93,
        6 => star(u, v),
        7 => heart(u, v),
        8 => within(0.95) && (u - 0.5) * (u - 0.5) + v * v > 0.72 * 0.72,
        _ => arrow(u, v),
    }
}

/// Five lines make a five-pointed star: a point is in it when it lies on the
/// inner side of at least four of them.
fn star(u: f32, v: f32) -> bool {
    const POINTS: [(f32, f32); 5] =
        [(0.0, -1.0), (0.9511, -0.3090), (0.5878, 0.8090), (-0.5878, 0.8090), (-0.9511, -0.3090)];
    POINTS.iter().filter(|(x, y)| u * x + v * y <= 0.309).count() >= 4
}

/// The curve (x² + y² − 1)³ = x² y³.
fn heart(u: f32, v: f32) -> bool {
    let (x, y) = (1.36 * u, 0.12 - 1.36 * v);
    let round = x * x + y * y - 1.0;
    round * round * round <= x * x * y * y * y
}

/// Points right, as the triangle already points up.
fn arrow(u: f32, v: f32) -> bool {
    let shaft = (-0.95..=0.1).contains(&u) && v.abs() <= 0.25;
    let head = u >= 0.1 && v.abs() <= 0.85 * (0.98 - u);
    shaft || head
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{IndexOp, Kind};

    fn bytes(data: &Shapes10) -> Vec<u8> {
        Vec::try_from(data.images.flatten(0, -1)).unwrap()
    }

    /// FNV-1a: enough to notice that one bit differs.
    fn hash(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn a_seed_gives_these_bytes_on_every_machine() {
        let places = [Place::Anywhere, Place::Left, Place::Right];
        let hashes = places.map(|place| hash(&bytes(&Shapes10::draw_at(place, 50, 7).unwrap())));
        assert_eq!(hashes, [4678356374999563796, 7633203805538489136, 14422956283254445614]);
        assert_eq!(hash(&bytes(&Shapes10::draw(50, 7).unwrap())), hashes[0]);
        assert_ne!(hash(&bytes(&Shapes10::draw(50, 8).unwrap())), hashes[0]);
    }

    #[test]
    fn more_pictures_only_append() {
        let (few, many) = (Shapes10::draw(15, 3).unwrap(), Shapes10::draw(40, 3).unwrap());
        assert_eq!(few.images.size(), [15, 3, 32, 32]);
        assert_eq!(few.images.kind(), Kind::Uint8);
        assert_eq!(few.images, many.images.i(..15));
        assert_eq!(few.labels, many.labels.i(..15));
    }

    #[test]
    fn every_shape_comes_equally_often() {
        let data = Shapes10::draw(1000, 1).unwrap();
        assert_eq!(data.labels.kind(), Kind::Int64);
        let counts: Vec<i64> = Vec::try_from(data.labels.bincount::<&Tensor>(None, 10)).unwrap();
        assert_eq!(counts, [100; 10]);
    }

    #[test]
    fn every_shape_shows_and_lies_inside_the_picture() {
        for index in 0..3000 {
            let place = [Place::Anywhere, Place::Left, Place::Right][index / 1000];
            let sketch = Sketch::by_lot(&mut Rng::new(5, index as u64), place);
            let cover = sketch.cover(label(index));
            let name = Shapes10::NAMES[index % 10];
            let whole = cover.iter().filter(|&&c| c == 1.0).count();
            assert!(whole >= 15, "{name} {index} fills {whole} pixels");
            for k in 0..SIDE {
                for edge in [k, (SIDE - 1) * SIDE + k, k * SIDE, k * SIDE + SIDE - 1] {
                    assert!(cover[edge] == 0.0, "{name} {index} touches the edge");
                }
            }
            for (row, column) in [(0, 0), (0, SIDE - 1), (SIDE - 1, 0), (SIDE - 1, SIDE - 1)] {
                let ground = [0, 1, 2].map(|channel| sketch.ground.at(channel, row, column));
                let contrast = (grey(ground) - grey(sketch.colour)).abs();
                assert!(contrast > 40.0, "{name} {index} differs from its ground by {contrast}");
            }
        }
    }

    /// What is cut off outside the circle would be missing in the pictures.
    #[test]
    fn every_shape_lies_in_the_circle_of_radius_1() {
        for label in 0..10 {
            let mut area = 0;
            for k in 0..300 * 300 {
                let [u, v] = [k % 300, k / 300].map(|k| k as f32 / 100.0 - 1.5);
                let is_inside = inside(label, u, v);
                area += usize::from(is_inside);
                let far = u * u + v * v > 1.001;
                assert!(!(is_inside && far), "{} at {u}, {v}", Shapes10::NAMES[label as usize]);
            }
            assert!(area > 4000, "{} has an area of {area} of 31,416", Shapes10::NAMES[label as usize]);
        }
    }

    #[test]
    fn right_is_left_ten_columns_further() {
        for index in 0..20 {
            let cover = |place| {
                let cover = Sketch::by_lot(&mut Rng::new(1, index), place).cover(label(index as usize));
                Tensor::from_slice(&cover).view([32, 32])
            };
            let (left, right) = (cover(Place::Left), cover(Place::Right));
            assert_eq!(left.roll([10], [1]), right);
            assert_ne!(left, right);
        }
    }

    /// Rows must not have become columns: the picture is square, so only
    /// what is on it can tell.
    #[test]
    fn rows_are_rows() {
        let sketch = Sketch {
            middle: (10.0, 20.0),
            radius: 6.0,
            cos: 1.0,
            sin: 0.0,
            colour: [255.0; 3],
            ground: Ground { from: [0.0; 3], to: [0.0; 3], direction: (0.0, 0.0) },
        };
        let arrow = sketch.cover(9);
        assert_eq!(arrow[20 * SIDE + 5], 1.0, "the tail, row 20, column 5");
        assert_eq!(arrow[15 * SIDE + 8], 0.0, "above the shaft, row 15, column 8");
        assert_eq!(arrow[10 * SIDE + 20], 0.0, "row 10, column 20");
    }

    #[test]
    fn labels_without_an_axis_are_refused() {
        let labels = Tensor::from(3_i64);
        let data = Shapes10 { images: Shapes10::draw(1, 1).unwrap().images, labels };
        let error = data.with_images(data.images.shallow_clone()).unwrap_err().to_string();
        assert!(error.contains("labels of shape [N]") && error.contains("got []"), "{error}");
    }

    #[test]
    fn errors_teach() {
        let error = Shapes10::draw(0, 4).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected a count from 1 to 1000000 pictures, got 0. Axis 0 (N) of the images is this count; \
             try Shapes10::draw(1000, 4)?"
        );
        let data = Shapes10::draw(10, 1).unwrap();
        let error = data.with_images(data.images.i(..4)).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected images of shape [N, C, H, W] with N = 10, one for each label; got [4, 3, 32, 32]. \
             Axis 0 (N) must stay as it was: change what is on the pictures, not how many there are"
        );
    }
}
