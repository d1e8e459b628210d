//! Pictures in batches: mixed, mirrored and moved anew in every epoch.
//!
//! The whole set lies on the device, a pixel to a number, so that one lookup
//! gives a batch whose pictures are already mirrored and moved. All lots are
//! drawn from the seed and the epoch: a training that goes on later draws the same.
//! They go to the device once an epoch: at each way there, a GPU waits.

use crate::{
    Error, Result,
    data::Examples,
    net::{STD, MEAN, channels_last},
    random::Rng,
    train::Recipe,
};
use tch::{Device, Kind, Tensor};

/// Rows and columns.
const SIDE: i64 = 32;

pub(crate) struct Batches {
    /// `[N * H * W + 1]`, a pixel's red, green and blue (and nothing) in 32 bits;
    /// the last is the colour of what is cut out.
    pixels: Tensor,
    /// `[N]`, Int64.
    labels: Tensor,
    /// `[1, 3, 1, 1]`: a byte times `scale` plus `offset` is what the network sees.
    scale: Tensor,
    offset: Tensor,
    device: Device,
}

/// What is drawn by lot for one epoch, on the device, in the order of its pictures.
pub(crate) struct Epoch {
    /// `[N]`, Int64.
    labels: Tensor,
    /// Where in the pixels each row is read, `[N, 32, 1]`, and each column of it, `[N, 1, 32]`.
    rows: Tensor,
    columns: Tensor,
    /// Which rows and columns are cut out, if any: of the same shapes, Bool.
    hidden: Option<[Tensor; 2]>,
}

impl Batches {
    pub(crate) fn new(examples: &Examples, device: Device) -> Result<Batches> {
        check_examples(examples)?;
        let images = examples.images.f_to_device(device)?.f_permute([0, 2, 3, 1])?;
        let filled = images.f_constant_pad_nd([0, 1])?.f_contiguous()?;
        let along = |numbers: [f32; 3]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(&numbers)?.f_view([1, 3, 1, 1])?.f_to_device(device)?)
        };
        // The mean colour: to the network, nothing at all.
        let grey = MEAN.map(|mean| (255.0 * mean).round() as u8);
        let grey = Tensor::f_from_slice(&[grey[0], grey[1], grey[2], 0])?.f_view_dtype(Kind::Int)?;
        let pixels =
            Tensor::f_cat(&[filled.f_view_dtype(Kind::Int)?.f_view([-1])?, grey.f_to_device(device)?], 0)?;
        let inverse = STD.map(|deviation| 1.0 / deviation);
        Ok(Batches {
            pixels,
            labels: examples.labels.f_to_device(device)?,
            scale: along(inverse.map(|inverse| inverse / 255.0))?,
            offset: along([0, 1, 2].map(|c| -MEAN[c] * inverse[c]))?,
            device,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// Where the colour of what is cut out stands.
    fn grey(&self) -> i64 {
        self.pixels.numel() as i64 - 1
    }

    /// The lots of one epoch.
    pub(crate) fn epoch(&self, recipe: &Recipe, epoch: usize) -> Result<Epoch> {
        let Recipe { seed, flip, shift, cutout, .. } = *recipe;
        let mut rng = Rng::new(seed, 1 + epoch as u64);
        let order = rng.order(self.len());
        // In every second epoch each picture is mirrored: it is seen both ways
        // equally often, sooner than by chance (Jordan, 2024, arXiv:2404.00498).
        let mut first = Rng::new(seed, 0);
        let mirrored: Vec<bool> =
            (0..self.len()).map(|_| flip && (first.below(2) + epoch) % 2 == 1).collect();
        let mut draw = || rng.below(2 * shift + 1) as i64 - shift as i64;
        let moved: Vec<[i64; 2]> = (0..self.len()).map(|_| [draw(), draw()]).collect();
        // The middle of what is cut out, row and column.
        let mut draw = || rng.below(SIDE as usize) as i64;
        let hidden: Vec<[i64; 2]> =
            (0..if cutout > 0 { self.len() } else { 0 }).map(|_| [draw(), draw()]).collect();

        let mut rows = Vec::with_capacity(self.len() * SIDE as usize);
        let mut columns = Vec::with_capacity(self.len() * SIDE as usize);
        for &picture in &order {
            let [down, right] = moved[picture as usize];
            rows.extend((0..SIDE).map(|y| (picture * SIDE + inside(y - down)) * SIDE));
            columns.extend((0..SIDE).map(|x| {
                let x = inside(x - right);
                if mirrored[picture as usize] { SIDE - 1 - x } else { x }
            }));
        }
        let covered = |axis: usize, size| {
            let from = order.iter().map(|&picture| hidden[picture as usize][axis] - cutout as i64 / 2);
            let covers =
                from.flat_map(|from| (0..SIDE).map(move |at| (from..from + cutout as i64).contains(&at)));
            self.there(&covers.collect::<Vec<bool>>(), size)
        };
        let (down, along) = ([-1, SIDE, 1], [-1, 1, SIDE]);
        Ok(Epoch {
            labels: self.labels.f_index_select(0, &self.there(&order, &[-1])?)?,
            rows: self.there(&rows, &down)?,
            columns: self.there(&columns, &along)?,
            hidden: if cutout > 0 { Some([covered(0, &down)?, covered(1, &along)?]) } else { None },
        })
    }

    /// Numbers on the device, in this shape.
    fn there<T: tch::kind::Element>(&self, numbers: &[T], size: &[i64]) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(numbers)?.f_to_device(self.device)?.f_view(size)?)
    }

    /// Pictures `from..from + count` of an epoch's order, and their labels.
    ///
    /// # Shapes
    /// → `[count, 3, 32, 32]` of this kind, `[count]`
    pub(crate) fn batch(
        &self,
        epoch: &Epoch,
        from: usize,
        count: usize,
        kind: Kind,
    ) -> Result<(Tensor, Tensor)> {
        let part = |all: &Tensor| all.f_narrow(0, from as i64, count as i64);
        let mut places = part(&epoch.rows)?.f_add(&part(&epoch.columns)?)?;
        if let Some([rows, columns]) = &epoch.hidden {
            places = places.f_masked_fill(&part(rows)?.f_logical_and(&part(columns)?)?, self.grey())?;
        }
        Ok((self.seen(&self.pixels.f_index_select(0, &places.f_view([-1])?)?, kind)?, part(&epoch.labels)?))
    }

    /// Pictures as they are, in their own order.
    ///
    /// # Shapes
    /// → `[count, 3, 32, 32]` of this kind, `[count]`
    pub(crate) fn plain(&self, from: usize, count: usize, kind: Kind) -> Result<(Tensor, Tensor)> {
        let area = SIDE * SIDE;
        let pixels = self.pixels.f_narrow(0, from as i64 * area, count as i64 * area)?;
        Ok((self.seen(&pixels, kind)?, self.labels.f_narrow(0, from as i64, count as i64)?))
    }

    /// Pixels as the network sees them, channels last in memory.
    fn seen(&self, pixels: &Tensor, kind: Kind) -> Result<Tensor> {
        let bytes = pixels.f_view_dtype(Kind::Uint8)?.f_view([-1, SIDE, SIDE, 4])?;
        let colours = bytes.f_narrow(3, 0, 3)?.f_permute([0, 3, 1, 2])?.f_to_kind(Kind::Float)?;
        let numbers = self.offset.f_addcmul(&colours, &self.scale)?;
        channels_last(&numbers.f_to_kind(kind)?)
    }
}

/// Beyond the edge the picture is mirrored: row -1 is row 1 once more.
fn inside(place: i64) -> i64 {
    let last = SIDE - 1;
    if place < 0 {
        -place
    } else if place > last {
        2 * last - place
    } else {
        place
    }
}

/// An error when these are not labelled pictures of 32 x 32.
pub(crate) fn check_examples(examples: &Examples) -> Result<()> {
    let _ = crate::check(&examples.images, "N C=3 H=32 W=32")?;
    let (images, labels) = (examples.images.size(), examples.labels.size());
    if labels != [images[0]] || images[0] == 0 {
        return Err(Error::new(format!(
            "expected a label for each picture: images {images:?} and labels [{}], got labels {labels:?}",
            images[0]
        )));
    }
    for (what, tensor, kind) in
        [("images", &examples.images, Kind::Uint8), ("labels", &examples.labels, Kind::Int64)]
    {
        if tensor.kind() != kind {
            return Err(Error::new(format!(
                "{what}: expected kind {kind:?}, got {:?}: `{what}.to_kind(Kind::{kind:?})`",
                tensor.kind()
            )));
        }
    }
    let (least, most) =
        (examples.labels.f_min()?.f_int64_value(&[])?, examples.labels.f_max()?.f_int64_value(&[])?);
    if least < 0 || most > 9 {
        return Err(Error::new(format!(
            "expected labels from 0 to 9, ten classes, got {least} to {most}. Do they count from 1? Then: `labels - 1`"
        )));
    }
    Ok(())
}
