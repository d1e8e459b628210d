//! Batches of images: shuffled, mirrored, shifted and cut out in every epoch.
//!
//! The whole data set is on the device, one number per pixel, so that a single lookup gives a
//! batch of augmented images. All random numbers depend only on the seed and the epoch, so a
//! resumed training draws the same. They are copied to the device once per epoch, because a GPU
//! waits for each copy.

use crate::{
    Result,
    data::Examples,
    normalise::{Normaliser, mean_colour},
    random::Rng,
};
use tch::{Device, Kind, Tensor};

pub(crate) struct Batches {
    /// `[N * H * W + 1]`, Int: red, green, blue and an unused byte of each pixel in 32 bits. The
    /// last one is the grey of cutouts.
    pixels: Tensor,
    /// `[N]`, Int64.
    labels: Tensor,
    /// Rows and columns of an image.
    height: i64,
    width: i64,
    normaliser: Normaliser,
    device: Device,
}

/// How the images are changed at random in every epoch, and the seed of these changes and of the order.
#[derive(Clone, Copy)]
pub(crate) struct Augmentation {
    pub seed: u64,
    pub flip: bool,
    pub shift: usize,
    pub cutout: usize,
}

/// The random order and augmentation of one epoch, or of a part of it, on the device.
pub(crate) struct Epoch {
    /// `[N]`, Int64.
    labels: Tensor,
    /// The index of a pixel is the sum of its row's, `[N, H, 1]`, and its column's, `[N, 1, W]`.
    rows: Tensor,
    columns: Tensor,
    /// Which rows and columns belong to the cutout, if there is one: the same shapes, Bool.
    cutout: Option<[Tensor; 2]>,
}

impl Epoch {
    /// The part for images `from..from + count`.
    pub(crate) fn part(&self, from: usize, count: usize) -> Result<Epoch> {
        let part = |all: &Tensor| all.f_narrow(0, from as i64, count as i64);
        Ok(Epoch {
            labels: part(&self.labels)?,
            rows: part(&self.rows)?,
            columns: part(&self.columns)?,
            cutout: match &self.cutout {
                None => None,
                Some([rows, columns]) => Some([part(rows)?, part(columns)?]),
            },
        })
    }

    /// Tensors of their own, with the same numbers.
    pub(crate) fn copy(&self) -> Epoch {
        let cutout = self.cutout.as_ref().map(|both| both.each_ref().map(Tensor::copy));
        let [labels, rows, columns] = [&self.labels, &self.rows, &self.columns].map(Tensor::copy);
        Epoch { labels, rows, columns, cutout }
    }

    /// Copies another part of the same size into the tensors of this one.
    pub(crate) fn copy_from(&mut self, part: &Epoch) -> Result<()> {
        self.labels.f_copy_(&part.labels)?;
        self.rows.f_copy_(&part.rows)?;
        self.columns.f_copy_(&part.columns)?;
        for (own, other) in self.cutout.iter_mut().flatten().zip(part.cutout.iter().flatten()) {
            own.f_copy_(other)?;
        }
        Ok(())
    }
}

impl Batches {
    /// # Shapes
    /// images `[N, 3, H, W]`, bytes
    pub(crate) fn new(examples: &Examples, device: Device) -> Result<Batches> {
        let (_, _, height, width) = examples.images.size4()?;
        let images = examples.images.f_to_device(device)?.f_permute([0, 2, 3, 1])?;
        let filled = images.f_constant_pad_nd([0, 1])?.f_contiguous()?;
        let [red, green, blue] = mean_colour();
        let grey = Tensor::f_from_slice(&[red, green, blue, 0])?.f_view_dtype(Kind::Int)?;
        let pixels =
            Tensor::f_cat(&[filled.f_view_dtype(Kind::Int)?.f_view([-1])?, grey.f_to_device(device)?], 0)?;
        Ok(Batches {
            pixels,
            labels: examples.labels.f_to_device(device)?,
            height,
            width,
            normaliser: Normaliser::new(device)?,
            device,
        })
    }

    pub(crate) fn device(&self) -> Device {
        self.device
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// The index of the grey of cutouts.
    fn grey(&self) -> i64 {
        self.pixels.numel() as i64 - 1
    }

    /// Draws the order and the augmentation of one epoch.
    pub(crate) fn epoch(&self, augmentation: Augmentation, epoch: usize) -> Result<Epoch> {
        let Augmentation { seed, flip, shift, cutout } = augmentation;
        let (height, width) = (self.height, self.width);
        let mut rng = Rng::new(seed, 1 + epoch as u64);
        let order = rng.order(self.len());
        // Each image is mirrored in every second epoch, so that the network sees both versions
        // equally often, which independent draws would not ensure (Jordan, 2024, arXiv:2404.00498).
        let mut first = Rng::new(seed, 0);
        let mirrored: Vec<bool> =
            (0..self.len()).map(|_| flip && (first.below(2) + epoch) % 2 == 1).collect();
        let mut draw = || rng.below(2 * shift + 1) as i64 - shift as i64;
        let shifts: Vec<[i64; 2]> = (0..self.len()).map(|_| [draw(), draw()]).collect();
        // The centre of each cutout: row and column.
        let mut draw = |side: i64| rng.below(side as usize) as i64;
        let centres: Vec<[i64; 2]> =
            (0..if cutout > 0 { self.len() } else { 0 }).map(|_| [draw(height), draw(width)]).collect();

        let mut rows = Vec::with_capacity(self.len() * height as usize);
        let mut columns = Vec::with_capacity(self.len() * width as usize);
        for &image in &order {
            let [down, right] = shifts[image as usize];
            rows.extend((0..height).map(|y| (image * height + reflect(y - down, height)) * width));
            columns.extend((0..width).map(|x| {
                let x = reflect(x - right, width);
                if mirrored[image as usize] { width - 1 - x } else { x }
            }));
        }
        let covered = |axis: usize, side: i64, size| {
            let starts = order.iter().map(|&image| centres[image as usize][axis] - cutout as i64 / 2);
            let covered = starts
                .flat_map(|start| (0..side).map(move |at| (start..start + cutout as i64).contains(&at)));
            self.to_device(&covered.collect::<Vec<bool>>(), size)
        };
        let (row_shape, column_shape) = ([-1, height, 1], [-1, 1, width]);
        Ok(Epoch {
            labels: self.labels.f_index_select(0, &self.to_device(&order, &[-1])?)?,
            rows: self.to_device(&rows, &row_shape)?,
            columns: self.to_device(&columns, &column_shape)?,
            cutout: match cutout {
                0 => None,
                _ => Some([covered(0, height, &row_shape)?, covered(1, width, &column_shape)?]),
            },
        })
    }

    /// Copies numbers to the device, in this shape.
    fn to_device<T: tch::kind::Element>(&self, numbers: &[T], size: &[i64]) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(numbers)?.f_to_device(self.device)?.f_view(size)?)
    }

    /// The images of a part of an epoch, augmented, and their labels.
    ///
    /// # Shapes
    /// → `[N, 3, H, W]` of this kind, `[N]`
    pub(crate) fn batch(&self, part: &Epoch, kind: Kind) -> Result<(Tensor, Tensor)> {
        let pixels = self.pixels.f_index_select(0, &self.indices(part)?)?;
        Ok((self.normalised(&pixels, kind)?, part.labels.shallow_clone()))
    }

    /// An image as it is in an epoch, augmented.
    ///
    /// # Shapes
    /// → `[1, 3, H, W]`, bytes
    pub(crate) fn seen(&self, augmentation: Augmentation, index: usize, epoch: usize) -> Result<Tensor> {
        let drawn = self.epoch(augmentation, epoch)?;
        let order = Rng::new(augmentation.seed, 1 + epoch as u64).order(self.len());
        let position = order.iter().position(|image| *image == index as i64).unwrap_or(0);
        let pixels = self.pixels.f_index_select(0, &self.indices(&drawn.part(position, 1)?)?)?;
        let bytes = pixels.f_view_dtype(Kind::Uint8)?.f_view([1, self.height, self.width, 4])?;
        Ok(bytes.f_narrow(3, 0, 3)?.f_permute([0, 3, 1, 2])?.f_contiguous()?)
    }

    /// The pixels of a part of an epoch.
    ///
    /// # Shapes
    /// → `[N * H * W]`
    fn indices(&self, part: &Epoch) -> Result<Tensor> {
        let mut indices = part.rows.f_add(&part.columns)?;
        if let Some([rows, columns]) = &part.cutout {
            indices = indices.f_masked_fill(&rows.f_logical_and(columns)?, self.grey())?;
        }
        Ok(indices.f_view([-1])?)
    }

    /// Images `from..from + count` of the data set, not augmented, and their labels.
    ///
    /// # Shapes
    /// → `[count, 3, H, W]` of this kind, `[count]`
    pub(crate) fn plain(&self, from: usize, count: usize, kind: Kind) -> Result<(Tensor, Tensor)> {
        let area = self.height * self.width;
        let pixels = self.pixels.f_narrow(0, from as i64 * area, count as i64 * area)?;
        Ok((self.normalised(&pixels, kind)?, self.labels.f_narrow(0, from as i64, count as i64)?))
    }

    /// Normalised pixels, with the channels last in memory.
    fn normalised(&self, pixels: &Tensor, kind: Kind) -> Result<Tensor> {
        let bytes = pixels.f_view_dtype(Kind::Uint8)?.f_view([-1, self.height, self.width, 4])?;
        self.normaliser.apply(&bytes.f_narrow(3, 0, 3)?.f_permute([0, 3, 1, 2])?, kind)
    }
}

/// Reflection at the edge of `side` positions: position -1 is position 1 again.
pub(super) fn reflect(position: i64, side: i64) -> i64 {
    let last = side - 1;
    last - (last - position.abs()).abs()
}
