//! Shapes-10: a data set drawn by the crate.
//!
//! Small colour images of ten shapes. Only the form depends on the class:
//! position, size, tilt, colours and noise are random for every image. The
//! experiments of lecture part 1 (why not fully connected) use it, so that they
//! need no download.

use super::{Dataset, Examples};
use crate::{Error, Result, random::Rng};
use tch::Tensor;

/// Rows and columns of an image.
const SIDE: usize = 32;
/// Bytes of one image: channels, rows, columns.
const BYTES: usize = 3 * SIDE * SIDE;
/// 3 GB of images; more could run out of memory and end the kernel.
const MOST: usize = 1_000_000;
/// Sample points along each side of a pixel: edges have 4 x 4 + 1 shades.
const SAMPLES: usize = 4;
/// The distance of `Left` and `Right` in columns.
const MOVE: f32 = 10.0;

/// The generator of Shapes-10.
///
/// # Source
/// Drawn for lecture part 1.
///
/// ```
/// use nchw::prelude::*;
/// let shapes: Examples = Shapes10::draw(12, 1)?;
/// assert_eq!(shapes.images.size(), [12, 3, 32, 32]);
/// assert_eq!(Shapes10::NAMES[9], "arrow");
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Shapes10;

/// The position of a shape in its image.
///
/// The centre of a shape is always in rows 9 to 23; this selects the columns.
/// `Left` and `Right` have no column in common: a network that is trained on one
/// of them has never seen a shape at the other.
///
/// ```
/// use nchw::prelude::*;
/// let left = Shapes10::draw_at(Place::Left, 10, 1)?;
/// assert_eq!(left.images.size(), [10, 3, 32, 32]);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The centre of the shape is in columns 9 to 23.
    Anywhere,
    /// The centre of the shape is in columns 9 to 13.
    Left,
    /// The centre of the shape is in columns 19 to 23: ten columns to the right of
    /// the same shape with `Left`.
    Right,
}

impl Shapes10 {
    /// The class names for the labels 0, 1, …, 9.
    pub const NAMES: [&str; 10] =
        ["circle", "ring", "square", "frame", "triangle", "cross", "star", "heart", "moon", "arrow"];

    /// Draws `count` images with the shapes anywhere.
    ///
    /// The same seed gives the same images on every machine, and a larger
    /// count only appends to them. The labels repeat 0, 1, …, 9, so that every
    /// shape is equally frequent: shuffle them before training in batches.
    ///
    /// # Shapes
    /// → `images` `[count, 3, 32, 32]`, `labels` `[count]`
    ///
    /// # Errors
    /// When `count` is 0 or more than a million.
    ///
    /// # Source
    /// Lecture part 1.
    pub fn draw(count: usize, seed: u64) -> Result<Examples> {
        Shapes10::draw_at(Place::Anywhere, count, seed)
    }

    /// Draws `count` images with the shapes at `place`.
    ///
    /// For the same seed, `Place::Left` and `Place::Right` give the same
    /// shapes in the same colours on the same backgrounds with the same
    /// noise, except that with `Right` the shape is ten columns further to the right.
    ///
    /// # Shapes
    /// → `images` `[count, 3, 32, 32]`, `labels` `[count]`
    ///
    /// # Errors
    /// When `count` is 0 or more than a million.
    ///
    /// # Source
    /// Lecture part 1.
    pub fn draw_at(place: Place, count: usize, seed: u64) -> Result<Examples> {
        if !(1..=MOST).contains(&count) {
            return Err(Error::new(format!(
                "expected a count from 1 to {MOST} images, got {count}. \
                 Axis 0 (N) of the images is this count; try Shapes10::draw(1000, {seed})?"
            )));
        }
        let mut bytes = vec![0; count * BYTES];
        for (index, image) in bytes.chunks_exact_mut(BYTES).enumerate() {
            draw_image(image, index, seed, place);
        }
        let labels: Vec<i64> = (0..count).map(label).collect();
        let side = SIDE as i64;
        Ok(Examples {
            images: Tensor::f_from_slice(&bytes)?.f_view([count as i64, 3, side, side])?,
            labels: Tensor::f_from_slice(&labels)?,
        })
    }
}

impl Dataset {
    /// Images drawn by the course, as a stand-in for CIFAR-10: tensors of the same
    /// shape, ten other classes, and much easier to classify.
    ///
    /// # Shapes
    /// → `train.images` `[train, 3, 32, 32]`, `test.images` `[test, 3, 32, 32]`
    ///
    /// # Errors
    /// When `train` or `test` is 0, or both together are more than a million.
    pub fn shapes10(train: usize, test: usize, seed: u64) -> Result<Dataset> {
        if train == 0 || test == 0 {
            return Err(Error::new(format!(
                "expected at least one training image and one test image, got train = {train} and test = {test}; \
                 try Dataset::shapes10(10_000, 2_000, {seed})?"
            )));
        }
        let drawn = Shapes10::draw(train.saturating_add(test), seed)?;
        let part = |from: usize, count: usize| -> Result<Examples> {
            let take = |tensor: &Tensor| tensor.f_narrow(0, from as i64, count as i64);
            Ok(Examples { images: take(&drawn.images)?, labels: take(&drawn.labels)? })
        };
        Ok(Dataset {
            name: "Shapes-10 (stand-in: drawn by this course)".into(),
            classes: Shapes10::NAMES.map(str::to_owned).to_vec(),
            notes: Vec::new(),
            train: part(0, train)?,
            test: part(train, test)?,
        })
    }
}

fn label(index: usize) -> i64 {
    (index % Shapes10::NAMES.len()) as i64
}

/// The random properties of one image, except for its noise.
struct Sketch {
    centre: (f32, f32),
    radius: f32,
    cos: f32,
    sin: f32,
    colour: [f32; 3],
    background: Background,
}

/// A background that changes linearly from one colour to another.
struct Background {
    from: [f32; 3],
    to: [f32; 3],
    direction: (f32, f32),
}

fn draw_image(image: &mut [u8], index: usize, seed: u64, place: Place) {
    let mut rng = Rng::new(seed, index as u64);
    let sketch = Sketch::random(&mut rng, place);
    let coverage = sketch.coverage(label(index));
    let strength = rng.between(0.03, 0.12);
    let mut random = [0; 4 * BYTES];
    rng.fill(&mut random);
    for (at, (byte, random)) in image.iter_mut().zip(random.chunks_exact(4)).enumerate() {
        let (channel, pixel) = (at / (SIDE * SIDE), at % (SIDE * SIDE));
        let background = sketch.background.at(channel, pixel / SIDE, pixel % SIDE);
        let clean = background + coverage[pixel] * (sketch.colour[channel] - background);
        // The sum of four random bytes is nearly Gaussian, and needs no logarithm, whose last bit
        // differs between machines.
        let noise: f32 = random.iter().map(|&byte| f32::from(byte) - 127.5).sum();
        *byte = (clean + strength * noise + 0.5) as u8; // saturates at 0 and 255
    }
}

/// A photo of `side` rows and columns with a shape of 12 to 16 pixels somewhere in it, in C-H-W order.
pub(super) fn sign(side: usize, label: i64, index: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed, index as u64);
    let mut sketch = Sketch::random(&mut rng, Place::Anywhere);
    let mut draw = || eighths(rng.between(0.12, 0.88) * side as f32);
    sketch.centre = (draw(), draw());
    let strength = rng.between(0.03, 0.08);
    let mut random = vec![0; 4 * 3 * side * side];
    rng.fill(&mut random);
    let reach = sketch.radius + 1.0;
    let pixel = |(at, random): (usize, &[u8])| {
        let (channel, row, column) = (at / (side * side), at % (side * side) / side, at % side);
        let background = sketch.background.at(channel, row * SIDE / side, column * SIDE / side);
        let near = |at: usize, centre: f32| (at as f32 + 0.5 - centre).abs() < reach;
        let is_near = near(row, sketch.centre.1) && near(column, sketch.centre.0);
        let covered = if is_near { sketch.coverage_of_pixel(label, row, column) } else { 0.0 };
        let noise: f32 = random.iter().map(|&byte| f32::from(byte) - 127.5).sum();
        (background + covered * (sketch.colour[channel] - background) + strength * noise + 0.5) as u8
    };
    random.chunks_exact(4).enumerate().map(pixel).collect()
}

impl Sketch {
    fn random(rng: &mut Rng, place: Place) -> Sketch {
        let radius = rng.between(6.0, 8.0);
        // The tangent of half the angle, for up to 15 degrees in both directions: sine and cosine
        // follow by division alone, with the same result on every machine.
        let t = rng.between(-0.13, 0.13);
        let centre = (place.column(rng.between(0.0, 1.0)), eighths(rng.between(9.0, 23.0)));
        let background = Background::random(rng);
        Sketch {
            centre,
            radius,
            cos: (1.0 - t * t) / (1.0 + t * t),
            sin: 2.0 * t / (1.0 + t * t),
            colour: background.contrasting_colour(rng),
            background,
        }
    }

    /// The fraction of each pixel that the shape covers, from 0 to 1, row by row from the top.
    fn coverage(&self, label: i64) -> [f32; SIDE * SIDE] {
        let mut coverage = [0.0; SIDE * SIDE];
        let (columns, rows) = (self.extent(self.centre.0), self.extent(self.centre.1));
        for row in rows {
            for column in columns.clone() {
                coverage[row * SIDE + column] = self.coverage_of_pixel(label, row, column);
            }
        }
        coverage
    }

    /// The rows or columns that a shape around `centre` can touch.
    fn extent(&self, centre: f32) -> std::ops::Range<usize> {
        (centre - self.radius) as usize..((centre + self.radius) as usize + 1).min(SIDE)
    }

    fn coverage_of_pixel(&self, label: i64, row: usize, column: usize) -> f32 {
        let mut hits = 0;
        for sample in 0..SAMPLES * SAMPLES {
            let part = |k: usize| (k as f32 + 0.5) / SAMPLES as f32;
            let x = (column as f32 + part(sample % SAMPLES) - self.centre.0) / self.radius;
            let y = (row as f32 + part(sample / SAMPLES) - self.centre.1) / self.radius;
            let (u, v) = (self.cos * x + self.sin * y, self.cos * y - self.sin * x);
            hits += usize::from(inside(label, u, v));
        }
        hits as f32 / (SAMPLES * SAMPLES) as f32
    }
}

impl Place {
    /// A column for the centre of a shape; `unit` is between 0 and 1.
    fn column(self, unit: f32) -> f32 {
        match self {
            Place::Anywhere => eighths(9.0 + 14.0 * unit),
            Place::Left => eighths(9.0 + 4.0 * unit),
            Place::Right => Place::Left.column(unit) + MOVE,
        }
    }
}

/// Rounds down to eighths of a pixel, so that a shape moved by whole pixels has
/// exactly the same edges.
fn eighths(x: f32) -> f32 {
    (x * 8.0).floor() / 8.0
}

impl Background {
    fn random(rng: &mut Rng) -> Background {
        let from = [0; 3].map(|_| rng.between(0.0, 255.0));
        let to = from.map(|c| (c + rng.between(-40.0, 40.0)).clamp(0.0, 255.0));
        Background { from, to, direction: (rng.between(-1.0, 1.0), rng.between(-1.0, 1.0)) }
    }

    fn at(&self, channel: usize, row: usize, column: usize) -> f32 {
        let part = |k: usize| (k as f32 + 0.5) / SIDE as f32 - 0.5;
        let blend = 0.5 + 0.5 * (self.direction.0 * part(column) + self.direction.1 * part(row));
        self.from[channel] + blend * (self.to[channel] - self.from[channel])
    }

    /// A random colour that is clearly lighter or darker than the whole background, so that the
    /// shape is visible in grey, too, and to people who distinguish few colours.
    fn contrasting_colour(&self, rng: &mut Rng) -> [f32; 3] {
        loop {
            let colour = [0; 3].map(|_| rng.between(0.0, 255.0));
            let differs = |background| (grey(colour) - grey(background)).abs() >= 70.0;
            if differs(self.from) && differs(self.to) {
                return colour;
            }
        }
    }
}

fn grey([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Whether a point is part of the shape. `u` points right and `v` down; every
/// shape lies within the circle of radius 1 around the origin.
fn inside(label: i64, u: f32, v: f32) -> bool {
    let within = |radius: f32| u * u + v * v <= radius * radius;
    let square = |half: f32| u.abs() <= half && v.abs() <= half;
    match label {
        0 => within(0.85),
        1 => within(0.95) && !within(0.52),
        2 => square(0.7),
        3 => square(0.7) && !square(0.36),
        // Three sides at a distance of 0.5 from the centre, one corner at the top.
        4 => v <= 0.5 && 0.866 * u.abs() - 0.5 * v <= 0.5,
        5 => u.abs().min(v.abs()) <= 0.27 && u.abs().max(v.abs()) <= 0.93,
        6 => star(u, v),
        7 => heart(u, v),
        8 => within(0.95) && (u - 0.5) * (u - 0.5) + v * v > 0.72 * 0.72,
        _ => arrow(u, v),
    }
}

/// Five lines form a five-pointed star: a point is inside the star when it is on
/// the inner side of at least four of them.
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

/// Points right, since the triangle points up.
fn arrow(u: f32, v: f32) -> bool {
    let shaft = (-0.95..=0.1).contains(&u) && v.abs() <= 0.25;
    let head = u >= 0.1 && v.abs() <= 0.85 * (0.98 - u);
    shaft || head
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{IndexOp, Kind};

    fn bytes(data: &Examples) -> Vec<u8> {
        Vec::try_from(data.images.flatten(0, -1)).unwrap()
    }

    /// FNV-1a: sufficient to notice a difference of one bit.
    fn hash(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn a_seed_gives_the_same_bytes_on_every_machine() {
        let places = [Place::Anywhere, Place::Left, Place::Right];
        let hashes = places.map(|place| hash(&bytes(&Shapes10::draw_at(place, 50, 7).unwrap())));
        assert_eq!(hashes, [4678356374999563796, 7633203805538489136, 14422956283254445614]);
        assert_eq!(hash(&bytes(&Shapes10::draw(50, 7).unwrap())), hashes[0]);
        assert_ne!(hash(&bytes(&Shapes10::draw(50, 8).unwrap())), hashes[0]);
    }

    #[test]
    fn a_larger_count_only_appends() {
        let (few, many) = (Shapes10::draw(15, 3).unwrap(), Shapes10::draw(40, 3).unwrap());
        assert_eq!(few.images.size(), [15, 3, 32, 32]);
        assert_eq!(few.images.kind(), Kind::Uint8);
        assert_eq!(few.images, many.images.i(..15));
        assert_eq!(few.labels, many.labels.i(..15));
    }

    #[test]
    fn every_shape_is_equally_frequent() {
        let data = Shapes10::draw(1000, 1).unwrap();
        assert_eq!(data.labels.kind(), Kind::Int64);
        let counts: Vec<i64> = Vec::try_from(data.labels.bincount::<&Tensor>(None, 10)).unwrap();
        assert_eq!(counts, [100; 10]);
    }

    #[test]
    fn every_shape_is_visible_and_inside_the_image() {
        for index in 0..3000 {
            let place = [Place::Anywhere, Place::Left, Place::Right][index / 1000];
            let sketch = Sketch::random(&mut Rng::new(5, index as u64), place);
            let coverage = sketch.coverage(label(index));
            let name = Shapes10::NAMES[index % 10];
            let covered = coverage.iter().filter(|&&c| c == 1.0).count();
            assert!(covered >= 15, "{name} {index} covers {covered} pixels");
            for k in 0..SIDE {
                for edge in [k, (SIDE - 1) * SIDE + k, k * SIDE, k * SIDE + SIDE - 1] {
                    assert!(coverage[edge] == 0.0, "{name} {index} touches the edge");
                }
            }
            for (row, column) in [(0, 0), (0, SIDE - 1), (SIDE - 1, 0), (SIDE - 1, SIDE - 1)] {
                let background = [0, 1, 2].map(|channel| sketch.background.at(channel, row, column));
                let contrast = (grey(background) - grey(sketch.colour)).abs();
                assert!(contrast > 40.0, "{name} {index} differs from its background by {contrast}");
            }
        }
    }

    /// `coverage` looks only inside this circle, so anything outside would be cut off.
    #[test]
    fn every_shape_is_inside_the_circle_of_radius_1() {
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
    fn right_is_left_moved_by_ten_columns() {
        for index in 0..20 {
            let coverage = |place| {
                let coverage = Sketch::random(&mut Rng::new(1, index), place).coverage(label(index as usize));
                Tensor::from_slice(&coverage).view([32, 32])
            };
            let (left, right) = (coverage(Place::Left), coverage(Place::Right));
            assert_eq!(left.roll([10], [1]), right);
            assert_ne!(left, right);
        }
    }

    /// The image is square, so only its content shows whether rows and columns are swapped.
    #[test]
    fn rows_and_columns_are_not_swapped() {
        let sketch = Sketch {
            centre: (10.0, 20.0),
            radius: 6.0,
            cos: 1.0,
            sin: 0.0,
            colour: [255.0; 3],
            background: Background { from: [0.0; 3], to: [0.0; 3], direction: (0.0, 0.0) },
        };
        let arrow = sketch.coverage(9);
        assert_eq!(arrow[20 * SIDE + 5], 1.0, "the tail, row 20, column 5");
        assert_eq!(arrow[15 * SIDE + 8], 0.0, "above the shaft, row 15, column 8");
        assert_eq!(arrow[10 * SIDE + 20], 0.0, "row 10, column 20");
    }

    #[test]
    fn the_stand_in_is_labelled_as_one() {
        let set = Dataset::shapes10(20, 10, 7).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (20, 10));
        assert_eq!(
            format!("{set:?}"),
            "Shapes-10 (stand-in: drawn by this course): 20 training images, 10 test images, each [3, 32, 32] \
             (C, H, W); ten classes: circle, ring, square, frame, triangle, cross, star, heart, moon, arrow"
        );
        // No test image is a training image.
        let whole = Shapes10::draw(30, 7).unwrap();
        assert_eq!(set.test.images, whole.images.narrow(0, 20, 10));
        assert_eq!(set.to_device(tch::Device::Cpu).unwrap().train.labels, set.train.labels);
        let error = Dataset::shapes10(0, 10, 7).unwrap_err().to_string();
        assert!(error.contains("train = 0 and test = 10"), "{error}");
    }

    #[test]
    fn errors_say_what_to_type_instead() {
        let error = Shapes10::draw(0, 4).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected a count from 1 to 1000000 images, got 0. Axis 0 (N) of the images is this count; \
             try Shapes10::draw(1000, 4)?"
        );
        let mut data = Shapes10::draw(10, 1).unwrap();
        let error = data.with_images(data.images.i(..4)).unwrap_err().to_string();
        let expected = "the images: expected N C H W, got 4x3x32x32\n  axis 0  N  expected 10 (as axis 0 of the labels), got 4";
        assert!(error.starts_with(expected), "{error}");
        assert!(error.ends_with("instead: change the content of the images, not their number"), "{error}");
        data.labels = Tensor::from(3_i64);
        let error = data.with_images(data.images.shallow_clone()).unwrap_err().to_string();
        assert!(error.starts_with("the labels: expected 1 axis, N, got 0 axes"), "{error}");
    }
}
