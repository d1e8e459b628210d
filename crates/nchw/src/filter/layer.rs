//! Several filters, stacked into one layer.

use super::Filter;
use crate::{Error, Result};
use std::{borrow::Borrow, fmt};
use tch::Tensor;

/// Several filters of the same size: the weight of a convolutional layer.
///
/// ```
/// use nchw::prelude::*;
/// let layer = Filters::stack([Filter::vertical_edge(), Filter::horizontal_edge()])?;
/// assert_eq!(layer.weight().size(), [2, 1, 3, 3]);
/// let photo = Tensor::rand([1, 1, 20, 30], (Kind::Float, Device::Cpu));
/// assert_eq!(layer.convolve(&photo)?.tensor().size(), [1, 2, 18, 28]);
/// # Ok::<(), nchw::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Filters {
    /// At least one.
    filters: Vec<Filter>,
}

impl Filters {
    /// Stacks filters: N filters, each with C kernels of H × W.
    ///
    /// # Errors
    /// When there is no filter, or two differ in C, H, W, stride, padding or dilation.
    pub fn stack<F: Borrow<Filter>>(filters: impl IntoIterator<Item = F>) -> Result<Filters> {
        let filters: Vec<Filter> = filters.into_iter().map(|filter| filter.borrow().clone()).collect();
        let Some(first) = filters.first() else {
            return Err(Error::new("a layer needs at least one filter: `Filters::stack([&filter])?`"));
        };
        for other in &filters {
            let sizes = first.weight.size().into_iter().zip(other.weight.size());
            let names = ["N", "C (channels)", "H (rows)", "W (columns)"];
            let different = names.iter().zip(sizes).find(|(_, (a, b))| a != b);
            if let Some((axis, (expected, got))) = different {
                return Err(Error::new(format!(
                    "all filters of a layer have the same C, H and W. Axis {axis}: \"{}\" has {expected}, \
                     \"{}\" has {got}",
                    first.name, other.name
                )));
            }
            if first.slide != other.slide {
                return Err(Error::new(format!(
                    "all filters of a layer have the same stride, padding and dilation; \"{}\" and \"{}\" \
                     differ",
                    first.name, other.name
                )));
            }
        }
        Ok(Filters { filters })
    }

    /// The filters.
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// The names of the filters, and of the maps that they give.
    pub fn names(&self) -> Vec<&str> {
        self.filters.iter().map(Filter::name).collect()
    }

    /// The weight of the layer.
    ///
    /// # Shapes
    /// `[N, C, H, W]`, `f32`: N filters for C channels.
    pub fn weight(&self) -> Tensor {
        Tensor::cat(&self.filters.iter().map(|filter| &filter.weight).collect::<Vec<_>>(), 0)
    }

    /// The biases of the layer.
    ///
    /// # Shapes
    /// `[N]`, `f32`: one for each filter.
    pub fn bias(&self) -> Tensor {
        Tensor::cat(&self.filters.iter().map(|filter| &filter.bias).collect::<Vec<_>>(), 0)
    }

    /// The one filter whose map is the sum of all maps: its weights are the sums of the filters' weights.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let sum = Filters::stack([Filter::new("a", [[1, 2]]), Filter::new("b", [[3, -2]])])?.sum();
    /// assert_eq!(sum.kernels()[0], Matrix::from([[4, 0]]));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn sum(&self) -> Filter {
        let (first, others) = (&self.filters[0], &self.filters[1..]);
        let add = |sum: Filter, filter: &Filter| Filter {
            weight: sum.weight + &filter.weight,
            bias: sum.bias + &filter.bias,
            ..sum
        };
        others.iter().fold(first.clone(), add).named(format!("sum of {} filters", self.filters.len()))
    }
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} filters, N C H W = {:?}", self.filters.len(), self.weight().size())?;
        self.filters.iter().try_for_each(|filter| write!(f, "\n{filter:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::RED;
    use tch::{Device, Kind};

    #[test]
    fn each_filter_gives_its_map() {
        let filters = [Filter::vertical_edge().with_bias(1.0), Filter::rising_diagonal()];
        let photo = Tensor::arange(35, (Kind::Float, Device::Cpu)).sin().view([1, 1, 5, 7]);
        let maps = Filters::stack(&filters).unwrap().convolve(&photo).unwrap();
        assert_eq!(maps.names(), ["vertical edge", "rising diagonal"]);
        for (filter, map) in filters.iter().zip(maps.tensor().split(1, 1)) {
            assert!(filter.convolve(&photo).unwrap().tensor().allclose(&map, 1e-5, 1e-5, false));
        }
        let sum = Filters::stack(&filters).unwrap().sum().convolve(&photo).unwrap().tensor();
        let added = maps.tensor().sum_dim_intlist([1_i64].as_slice(), true, Kind::Float);
        assert!((sum - added).abs().max().double_value(&[]) < 1e-5);
    }

    #[test]
    fn filters_that_differ_are_refused() {
        let edge = Filter::vertical_edge();
        let says = |other: Filter| Filters::stack([&edge, &other]).unwrap_err().to_string();
        assert!(says(edge.for_colour(RED)).contains("Axis C (channels): \"vertical edge\" has 1, \"red"));
        assert!(says(Filter::blur()).contains("Axis H (rows)"));
        assert!(says(edge.stride(2)).contains("the same stride"));
        let none: [Filter; 0] = [];
        assert!(Filters::stack(none).unwrap_err().to_string().contains("at least one filter"));
    }
}
