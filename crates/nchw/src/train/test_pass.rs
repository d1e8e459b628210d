//! Tests between the epochs of a training: how many images does the network classify correctly?

use super::batches::Batches;
use crate::{Result, cuda_graph::Repeated};
use tch::{Kind, Tensor};

/// Test images, and a network that is tested with them again and again.
pub(super) struct TestPass {
    images: Batches,
    /// How many images are classified at once.
    batch_size: usize,
    kind: Kind,
    repeated: Repeated,
    /// The images and the labels of a batch that a GPU repeats: always the same tensors.
    batch: Option<(Tensor, Tensor)>,
}

impl TestPass {
    pub(super) fn new(images: Batches, batch_size: usize, kind: Kind) -> TestPass {
        let repeated = Repeated::on(images.device());
        TestPass { images, batch_size, kind, repeated, batch: None }
    }

    /// The fraction of the images that are classified correctly. It must always be the same network: its weights may
    /// change, but not where they are stored.
    ///
    /// Reads one number at the end, because each one waits for a GPU.
    ///
    /// # Shapes
    /// logits: `[N, 3, H, W]` → `[N, classes]`
    pub(super) fn accuracy(&mut self, logits: impl Fn(&Tensor) -> Result<Tensor>) -> Result<f64> {
        let right = |images: &Tensor, labels: &Tensor| -> Result<Tensor> {
            Ok(logits(images)?.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Int64)?)
        };
        let all = self.images.len();
        let results = tch::no_grad(|| -> Result<Vec<Tensor>> {
            (0..all)
                .step_by(self.batch_size)
                .map(|from| {
                    let count = self.batch_size.min(all - from);
                    let (images, labels) = self.images.plain(from, count, self.kind)?;
                    // The last batch may be smaller, and what is repeated must always be the same.
                    if !self.repeated.is_recorded() || count < self.batch_size {
                        return right(&images, &labels);
                    }
                    let (own_images, own_labels) =
                        self.batch.get_or_insert_with(|| (images.copy(), labels.copy()));
                    own_images.f_copy_(&images)?;
                    own_labels.f_copy_(&labels)?;
                    self.repeated.run(&[], &mut || right(own_images, own_labels))
                })
                .collect()
        })?;
        Ok(Tensor::f_stack(&results, 0)?.f_sum(Kind::Int64)?.f_int64_value(&[])? as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Dataset, net::LectureNet};
    use tch::Device;

    #[test]
    fn the_batches_that_a_gpu_repeats_are_the_same_as_any_others() {
        let data = Dataset::shapes10(10, 115, 1).unwrap().test;
        let net = LectureNet::shipped().unwrap();
        // It was trained for other images, so that only some answers are right.
        let accuracy = |repeated| {
            let images = Batches::new(&data, Device::Cpu).unwrap();
            let mut pass = TestPass { repeated, ..TestPass::new(images, 20, Kind::Float) };
            let first = pass.accuracy(|images| net.forward(images, false)).unwrap();
            (first, pass.accuracy(|images| net.forward(images, false)).unwrap(), pass.batch.is_some())
        };
        let (plain, again, copied) = accuracy(Repeated::on(Device::Cpu));
        assert_eq!((plain, copied), (again, false));
        assert!(plain > 0.0 && plain < 1.0, "{plain}");
        assert_eq!(accuracy(Repeated::without_room()), (plain, plain, true));
    }
}
