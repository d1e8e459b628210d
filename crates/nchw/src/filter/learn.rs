//! Learning a filter by gradient descent.

use super::Filter;
use crate::{Error, Result};
use std::fmt;
use tch::nn::{self, OptimizerConfig};
use tch::{Device, Tensor};

/// Adam's learning rate.
const LEARNING_RATE: f64 = 0.05;
/// More steps would take hours.
const MAX_STEPS: usize = 1_000_000;
/// After which shares of all steps the filter is kept.
const STAGES: [f64; 4] = [0.05, 0.15, 0.4, 1.0];

/// A filter before, while and after it was learned. Displays its weights at five stages.
///
/// ```
/// use nchw::prelude::*;
/// let smaller = |filter: &Filter| Ok(filter.weight().square().sum(Kind::Float));
/// let learned: Learned = Filter::vertical_edge().learn(20, smaller)?;
/// assert!(learned.losses[20] < learned.losses[0] && learned.stages.len() == 5);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Learned {
    /// The filter before the first step.
    pub start: Filter,
    /// The filter after the last step.
    pub filter: Filter,
    /// The filter at five stages, from the first to the last, with the number of steps as names.
    pub stages: Vec<Filter>,
    /// The loss before the first step, and after each.
    pub losses: Vec<f64>,
}

impl Filter {
    /// Learns the filter's weights and its bias: in each step, the loss is computed with the current
    /// filter, and every number of the filter moves a little in the direction in which the loss falls
    /// (gradient descent, with Adam at a learning rate of 0.05).
    ///
    /// # Errors
    /// When `steps` is 0; when the loss fails, is not one number, does not depend on the filter, or is not
    /// finite.
    ///
    /// # Source
    /// Lecture part 2: the weights and the bias are learned.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let image = Matrix::from([[0, 2, 1, 0, 3], [1, 0, 0, 2, 1], [3, 1, 2, 0, 0]]).tensor();
    /// let wanted = Filter::new("hidden", [[1, -1]]).convolve(&image)?.tensor();
    /// let start = Filter::new("start", [[0, 0]]);
    /// let learned = start.learn(300, |filter| filter.convolve(&image)?.squared_error(&wanted))?;
    /// assert!(learned.filter.likeness(&Filter::new("hidden", [[1, -1]]))? > 0.99);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn learn(&self, steps: usize, loss: impl Fn(&Filter) -> Result<Tensor>) -> Result<Learned> {
        if !(1..=MAX_STEPS).contains(&steps) {
            return Err(Error::new(format!("expected 1 to {MAX_STEPS} steps, got {steps}")));
        }
        let variables = nn::VarStore::new(Device::Cpu);
        let root = variables.root();
        let filter = Filter {
            weight: root.f_var_copy("weight", &self.weight.f_detach()?)?,
            bias: root.f_var_copy("bias", &self.bias.f_detach()?)?,
            ..self.clone()
        };
        let mut optimizer = nn::Adam::default().build(&variables, LEARNING_RATE)?;
        let kept = STAGES.map(|share| ((share * steps as f64).round() as usize).max(1));
        let (start, mut losses) = (filter.kept("start"), vec![]);
        let mut stages = vec![start.clone()];
        for step in 1..=steps {
            let value = loss(&filter)?;
            losses.push(number(&value, losses.len())?);
            optimizer.zero_grad();
            value.f_backward()?;
            optimizer.step();
            if kept.contains(&step) {
                stages.push(filter.kept(&format!("{step} step{}", if step == 1 { "" } else { "s" })));
            }
        }
        losses.push(number(&loss(&filter)?, steps)?);
        Ok(Learned { start, filter: filter.kept("learned"), stages, losses })
    }

    /// A copy that is not learned any further.
    fn kept(&self, name: &str) -> Filter {
        let (weight, bias) = (self.weight.detach().copy(), self.bias.detach().copy());
        Filter { name: name.to_owned(), weight, bias, slide: self.slide, for_colour: self.for_colour }
    }
}

/// The loss as a number, after so many steps.
fn number(loss: &Tensor, steps: usize) -> Result<f64> {
    if !loss.defined() || loss.numel() != 1 {
        return Err(Error::new(format!(
            "the loss must be one number, got {}: `.squared_error(&wanted)?` gives one",
            if loss.defined() { format!("a tensor of shape {:?}", loss.size()) } else { "no tensor".into() }
        )));
    }
    if !loss.requires_grad() {
        return Err(Error::new(
            "the loss does not depend on the filter that is learned: compute it from the filter that the \
             closure gets, `|filter| filter.convolve(&images)?…`",
        ));
    }
    let value = loss.f_reshape([1])?.f_double_value(&[0])?;
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::new(format!(
        "the loss is {value} after {steps} steps: the numbers of the input are too large"
    )))
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.losses.first().unwrap_or(&0.0), self.losses.last().unwrap_or(&0.0));
        let steps = self.losses.len().saturating_sub(1);
        write!(f, "learned in {steps} steps, loss from {first:.3} to {last:.3}\n{:?}", self.filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Matrix;
    use tch::Kind;

    fn image() -> Tensor {
        Tensor::arange(63, (Kind::Float, Device::Cpu)).square().sin().view([1, 1, 7, 9])
    }

    #[test]
    fn a_hidden_filter_with_its_bias_is_found() {
        let hidden = Filter::new("hidden", [[1, -1, 0], [0, 2, 0]]).with_bias(0.5);
        let wanted = hidden.convolve(&image()).unwrap().tensor();
        let start = Filter::new("start", [[0.0; 3]; 2]);
        let learned = start.learn(400, |filter| filter.convolve(&image())?.squared_error(&wanted)).unwrap();
        assert!(learned.filter.likeness(&hidden).unwrap() > 0.999, "{learned:?}");
        assert!((learned.filter.bias() - 0.5).abs() < 0.01);
        assert_eq!(learned.start.kernels(), start.kernels());
        assert_eq!(learned.losses.len(), 401);
        let names: Vec<&str> = learned.stages.iter().map(Filter::name).collect();
        assert_eq!(names, ["start", "20 steps", "60 steps", "160 steps", "400 steps"]);
    }

    #[test]
    fn losses_that_cannot_be_minimized_are_refused() {
        let filter = Filter::new("start", [[1]]);
        let says = |loss: fn(&Filter) -> Result<Tensor>| filter.learn(3, loss).unwrap_err().to_string();
        assert!(says(|filter| Ok(filter.convolve(&image())?.tensor())).contains("one number, got a tensor"));
        assert!(says(|_| Ok(image().sum(Kind::Float))).contains("does not depend on the filter"));
        assert!(says(|filter| Ok(filter.weight().sum(Kind::Float) / 0.0)).contains("inf after 0 steps"));
        assert!(filter.learn(0, |filter| Ok(filter.weight())).is_err());
    }

    #[test]
    fn the_filter_that_was_given_stays_as_it_is() {
        let start = Filter::new("start", Matrix::from([[1, 2]]));
        start.learn(5, |filter| Ok(filter.weight().square().sum(Kind::Float))).unwrap();
        assert_eq!(start.kernels()[0], Matrix::from([[1, 2]]));
    }
}
