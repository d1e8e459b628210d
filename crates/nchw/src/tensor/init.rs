//! Initial weights, the same on every machine.

use crate::random::Rng;
use tch::Tensor;

/// The stream of random numbers for the initial weights of a network; an epoch's numbers come from
/// the stream with its number.
pub(crate) const INITIAL_WEIGHTS: u64 = u64::MAX;

/// Initialises weights and biases uniformly in ±1/√(inputs of a unit), which is what PyTorch's
/// Kaiming-uniform with a = √5 amounts to. It does not use libtorch's random numbers, because all
/// threads share one generator, and another thread's draws would change the weights.
pub(crate) fn init_like_pytorch(rng: &mut Rng, weight: &Tensor, bias: Option<&Tensor>) {
    let inputs = weight.numel() / weight.size()[0] as usize;
    let bound = 1.0 / (inputs as f32).sqrt();
    for tensor in [Some(weight), bias].into_iter().flatten() {
        let values: Vec<f32> = (0..tensor.numel()).map(|_| rng.between(-bound, bound)).collect();
        let values = Tensor::from_slice(&values).view_as(tensor);
        tch::no_grad(|| tensor.shallow_clone().copy_(&values));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// As in torch.nn.Conv2d and Linear: weight and bias are at most 1/sqrt(fan-in), and their standard
    /// deviation is that divided by sqrt(3).
    #[test]
    fn initial_weights_are_distributed_as_in_pytorch() {
        let zeros = |sizes: &[i64]| Tensor::zeros(sizes, (Kind::Float, Device::Cpu));
        let (weight, bias) = (zeros(&[64, 32, 3, 3]), zeros(&[64]));
        init_like_pytorch(&mut Rng::new(1, 0), &weight, Some(&bias));
        let bound = 1.0 / (32.0 * 9.0_f64).sqrt();
        assert!(weight.abs().max().double_value(&[]) <= bound);
        let std = weight.std(true).double_value(&[]);
        assert!((std / (bound / 3.0_f64.sqrt()) - 1.0).abs() < 0.03, "{std}");
        assert!(bias.abs().max().double_value(&[]) <= bound && bias.std(true).double_value(&[]) > 0.0);
    }
}
