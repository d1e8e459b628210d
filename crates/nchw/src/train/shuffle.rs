//! The shuffled-pixels experiment of lecture part 1.
//!
//! It shuffles the pixels of all images with one fixed permutation and trains again. A fully
//! connected network does no worse, because it never knew which pixels are neighbours. A
//! convolutional network does worse, because it relies on neighbourhoods.

use super::fit::{Curve, FitSettings};
use crate::{Error, Result, check, data::Examples, error::debug_as_display, net::SmallNet, random::Rng};
use std::{fmt, time::Instant};
use tch::Tensor;

/// A fixed permutation of the positions of an image.
///
/// Position `p` of a shuffled image (counted along the rows: p = row × W + column) has the pixel
/// that was at position `positions()[p]`.
///
/// # Source
/// Lecture part 1.
///
/// ```
/// use nchw::prelude::*;
/// let permutation = Permutation::random(32 * 32, 7)?;
/// let data = Shapes10::draw(4, 1)?;
/// let shuffled = permutation.apply(&data.images)?;
/// assert_eq!(permutation.inverse().apply(&shuffled)?, data.images);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Permutation(Vec<i64>);

impl Permutation {
    /// A random permutation of `len` positions (H × W of the images). The same seed gives the same
    /// permutation on every machine.
    ///
    /// # Errors
    /// If `len` is less than 1 or more than 100 million.
    pub fn random(len: i64, seed: u64) -> Result<Permutation> {
        if !(1..=100_000_000).contains(&len) {
            return Err(Error::new(format!(
                "expected the number of positions of an image, H x W, such as 32 * 32; got {len}"
            )));
        }
        Ok(Permutation(Rng::new(seed, 0).order(len as usize)))
    }

    /// Shuffles the pixels of every image in the same way. The channels of a pixel move together, so
    /// it keeps its colour.
    ///
    /// # Shapes
    /// `[N, C, H, W]` with H × W = the number of positions → `[N, C, H, W]`, of the same kind
    ///
    /// # Errors
    /// If `images` does not have four axes, or H × W is another number.
    ///
    /// # Source
    /// Lecture part 1.
    pub fn apply(&self, images: &Tensor) -> Result<Tensor> {
        let _ = check(images, "N C H W")?;
        let (n, c, h, w) = images.size4()?;
        if h.checked_mul(w) != Some(self.0.len() as i64) {
            return Err(Error::new(format!(
                "this permutation has {} positions, but the images {:?} have H x W = {h} x {w} = {} \
                 (axes 2 and 3). Make one that fits: Permutation::random({h} * {w}, 1)?",
                self.0.len(),
                images.size(),
                i128::from(h) * i128::from(w)
            )));
        }
        let order = Tensor::f_from_slice(&self.0)?.f_to_device(images.device())?;
        Ok(images.f_reshape([n, c, h * w])?.f_index_select(2, &order)?.f_view([n, c, h, w])?)
    }

    /// The permutation that undoes this one.
    pub fn inverse(&self) -> Permutation {
        let mut inverse = vec![0; self.0.len()];
        for (to, &from) in self.0.iter().enumerate() {
            inverse[from as usize] = to as i64;
        }
        Permutation(inverse)
    }

    /// For each position of a shuffled image, the position in the original image.
    pub fn positions(&self) -> Vec<i64> {
        self.0.clone()
    }
}

impl fmt::Debug for Permutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: Vec<String> = self.0.iter().take(8).map(i64::to_string).collect();
        let more = if self.0.len() > 8 { ", …" } else { "" };
        write!(f, "Permutation of {} positions: {}{more}", self.0.len(), first.join(", "))
    }
}

/// The results of [`shuffled_pixels`].
///
/// ```
/// use nchw::prelude::*;
/// let data = Shapes10::draw(20, 1)?;
/// let settings = FitSettings { epochs: 1, ..FitSettings::default() };
/// let result: ShuffledPixels = shuffled_pixels(&data, &data, &settings)?;
/// assert_eq!(result.curves().len(), 4);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone)]
pub struct ShuffledPixels {
    /// The fully connected network on plain images.
    pub mlp_plain: Curve,
    /// The fully connected network on shuffled images.
    pub mlp_shuffled: Curve,
    /// The convolutional network on plain images.
    pub cnn_plain: Curve,
    /// The convolutional network on shuffled images.
    pub cnn_shuffled: Curve,
    /// The fully connected network that was trained on plain images.
    pub mlp: SmallNet,
    /// The convolutional network that was trained on plain images.
    pub cnn: SmallNet,
    /// The permutation of all shuffled images.
    pub permutation: Permutation,
    /// How long the whole experiment took, in seconds.
    pub seconds: f64,
}

impl ShuffledPixels {
    /// The four curves: fully connected before convolutional, plain before shuffled.
    pub fn curves(&self) -> [Curve; 4] {
        [&self.mlp_plain, &self.mlp_shuffled, &self.cnn_plain, &self.cnn_shuffled].map(Curve::clone)
    }
}

impl fmt::Display for ShuffledPixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "test accuracy   plain  shuffled  parameters")?;
        let rows = [
            (&self.mlp, &self.mlp_plain, &self.mlp_shuffled),
            (&self.cnn, &self.cnn_plain, &self.cnn_shuffled),
        ];
        for (net, plain, shuffled) in rows {
            let [plain, shuffled] = [plain, shuffled].map(|curve| percent(curve.last_accuracy()));
            writeln!(f, "{:11}{plain:>10}{shuffled:>10}{:>12}", net.name, net.parameters())?;
        }
        write!(f, "{:.0} s", self.seconds)
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

debug_as_display!(ShuffledPixels);

/// Trains a fully connected and a convolutional network, each on plain and on shuffled images, with the
/// same initial weights.
///
/// Prints its progress. On the same machine, the same settings give the same curves. Another machine may
/// add numbers in another order; its curves differ slightly, as with another seed.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`, in both; N may differ
///
/// # Errors
/// If the images or the labels have another shape or kind, a label is not from 0 to 9, or a
/// setting is out of range.
///
/// # Source
/// Lecture part 1: "shuffle all pixels with one fixed permutation, train
/// again, and a fully connected network does no worse".
///
/// ```
/// use nchw::prelude::*;
/// let data = Shapes10::draw(20, 1)?;
/// let settings = FitSettings { epochs: 1, ..FitSettings::default() };
/// println!("{:?}", shuffled_pixels(&data, &data, &settings)?);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn shuffled_pixels(train: &Examples, test: &Examples, settings: &FitSettings) -> Result<ShuffledPixels> {
    settings.check()?;
    train.check("the training set")?;
    test.check("the test set")?;
    let start = Instant::now();
    let permutation = Permutation::random(32 * 32, settings.seed)?;
    let train_shuffled = train.with_images(permutation.apply(&train.images)?)?;
    let test_shuffled = test.with_images(permutation.apply(&test.images)?)?;
    let both = |new: fn(u64) -> SmallNet| -> Result<(SmallNet, Curve, Curve)> {
        let net = new(settings.seed);
        let plain = net.train(&format!("{}, plain pixels", net.name), train, test, settings)?;
        let other = new(settings.seed);
        let name = format!("{}, shuffled pixels", net.name);
        let shuffled = other.train(&name, &train_shuffled, &test_shuffled, settings)?;
        Ok((net, plain, shuffled))
    };
    let (mlp, mlp_plain, mlp_shuffled) = both(SmallNet::mlp)?;
    let (cnn, cnn_plain, cnn_shuffled) = both(SmallNet::cnn)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(ShuffledPixels { mlp_plain, mlp_shuffled, cnn_plain, cnn_shuffled, mlp, cnn, permutation, seconds })
}

/// The results of [`moved_shapes`].
///
/// ```
/// use nchw::prelude::*;
/// let (left, right) = (Shapes10::draw_at(Place::Left, 20, 1)?, Shapes10::draw_at(Place::Right, 20, 1)?);
/// let result: MovedShapes = moved_shapes(&[&SmallNet::mlp(1), &SmallNet::cnn(1)], &left, &right)?;
/// assert_eq!(result.rows.len(), 2);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct MovedShapes {
    /// For each network: its name, and its accuracy on the first and on the second images, 0 to 1.
    pub rows: Vec<(String, f64, f64)>,
}

/// Tests networks on images as in their training, and on images whose shapes are somewhere else.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]` bytes, `labels` `[N]`, in both; N may differ
///
/// # Errors
/// If the images or the labels have another shape or kind, or a label is not from 0 to 9.
///
/// # Source
/// Lecture part 1: a fully connected unit loses the position.
///
/// ```
/// use nchw::prelude::*;
/// let (left, right) = (Shapes10::draw_at(Place::Left, 20, 1)?, Shapes10::draw_at(Place::Right, 20, 1)?);
/// println!("{:?}", moved_shapes(&[&SmallNet::cnn(1), &SmallNet::cnn_flat(1)], &left, &right)?);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn moved_shapes(nets: &[&SmallNet], as_learned: &Examples, moved: &Examples) -> Result<MovedShapes> {
    let row = |net: &&SmallNet| Ok((net.name.to_owned(), net.accuracy(as_learned)?, net.accuracy(moved)?));
    Ok(MovedShapes { rows: nets.iter().map(row).collect::<Result<_>>()? })
}

impl fmt::Display for MovedShapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "test accuracy     as learned     moved")?;
        self.rows.iter().try_for_each(|(name, here, there)| {
            write!(f, "\n{name:16}{:>12}{:>10}", percent(*here), percent(*there))
        })
    }
}

debug_as_display!(MovedShapes);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Place, Shapes10};
    use tch::IndexOp;
    use tch::{Device, Kind};

    #[test]
    fn a_permutation_and_its_inverse_give_the_same_image() {
        let images = Tensor::arange(2 * 3 * 5 * 7, (Kind::Int64, Device::Cpu)).view([2, 3, 5, 7]);
        let permutation = Permutation::random(5 * 7, 4).unwrap();
        let shuffled = permutation.apply(&images).unwrap();
        assert_eq!(shuffled.size(), [2, 3, 5, 7]);
        assert_ne!(shuffled, images);
        assert_eq!(permutation.inverse().apply(&shuffled).unwrap(), images);
        assert_eq!(permutation.inverse().inverse(), permutation);
        // Also with the channels last in memory.
        let strided = images.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        assert_eq!(permutation.apply(&strided).unwrap(), shuffled);
    }

    #[test]
    fn every_pixel_moves_with_all_its_channels() {
        let images = Tensor::arange(2 * 3 * 4 * 6, (Kind::Int64, Device::Cpu)).view([2, 3, 4, 6]);
        let permutation = Permutation::random(4 * 6, 1).unwrap();
        let shuffled = permutation.apply(&images).unwrap();
        for (to, from) in (0..).zip(permutation.positions()) {
            assert_eq!(shuffled.i((.., .., to / 6, to % 6)), images.i((.., .., from / 6, from % 6)));
        }
    }

    #[test]
    fn a_seed_gives_the_same_permutation_on_every_machine() {
        let permutation = Permutation::random(10, 1).unwrap();
        assert_eq!(format!("{permutation:?}"), "Permutation of 10 positions: 1, 4, 9, 8, 0, 5, 7, 6, …");
        assert_eq!(permutation, Permutation::random(10, 1).unwrap());
        assert_ne!(permutation, Permutation::random(10, 2).unwrap());
        let mut positions = Permutation::random(1024, 1).unwrap().positions();
        positions.sort_unstable();
        assert_eq!(positions, (0..1024).collect::<Vec<i64>>());
    }

    #[test]
    fn a_small_experiment_learns_and_is_repeatable() {
        let train = Shapes10::draw_at(Place::Left, 1000, 1).unwrap();
        let test = Shapes10::draw_at(Place::Left, 200, 2).unwrap();
        let moved = Shapes10::draw_at(Place::Right, 200, 2).unwrap();
        let settings = FitSettings { epochs: 3, batch_size: 25, ..Default::default() };
        let result = shuffled_pixels(&train, &test, &settings).unwrap();
        for curve in result.curves() {
            assert_eq!([curve.loss.len(), curve.train_accuracy.len(), curve.accuracy.len()], [3; 3]);
            assert!(curve.loss[2] < curve.loss[0], "{curve:?}");
        }
        let names = result.curves().map(|curve| curve.name);
        assert_eq!(
            names,
            ["MLP, plain pixels", "MLP, shuffled pixels", "CNN, plain pixels", "CNN, shuffled pixels"]
        );
        assert!(result.mlp_plain.last_accuracy() > 0.2, "{result}");
        assert!(result.mlp_shuffled.last_accuracy() > 0.2, "{result}");
        assert!(result.seconds > 0.0);
        assert_eq!(result.permutation, Permutation::random(1024, settings.seed).unwrap());
        let text = result.to_string();
        assert!(text.starts_with("test accuracy   plain  shuffled  parameters\nMLP "), "{text}");

        let net = SmallNet::mlp(settings.seed);
        let again = net.train("again", &train, &test, &settings).unwrap();
        assert_eq!(again.loss, result.mlp_plain.loss);
        let moved = moved_shapes(&[&net, &result.cnn], &test, &moved).unwrap();
        assert_eq!(moved.rows[0].1, result.mlp_plain.last_accuracy());
        assert_eq!(moved.rows[1].1, result.cnn_plain.last_accuracy());
        assert!(moved.to_string().starts_with("test accuracy     as learned     moved\nMLP "), "{moved}");
    }

    fn error_text<T: fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_permutation_says_what_would_fit() {
        let permutation = Permutation::random(32 * 32, 1).unwrap();
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Uint8, Device::Cpu));
        assert_eq!(
            error_text(permutation.apply(&zeros(&[2, 3, 20, 30]))),
            "this permutation has 1024 positions, but the images [2, 3, 20, 30] have H x W = 20 x 30 = 600 \
             (axes 2 and 3). Make one that fits: Permutation::random(20 * 30, 1)?"
        );
        assert_eq!(
            error_text(permutation.apply(&zeros(&[3, 32, 32]))),
            "expected 4 axes, N C H W, got 3 axes: 3x32x32\n  axis 0  N  expected any, got 3\n  \
             axis 1  C  expected any, got 32\n  axis 2  H  expected any, got 32\n  \
             axis 3  W  expected any, missing  <-- the first wrong axis\n\
             likely cause: the batch axis is missing: this is a single item, not a batch\n\
             instead: `.unsqueeze(0)` makes it 1x3x32x32"
        );
        assert_eq!(
            error_text(Permutation::random(0, 1)),
            "expected the number of positions of an image, H x W, such as 32 * 32; got 0"
        );
    }
}
