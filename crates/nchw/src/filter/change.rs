//! How much two outputs differ.

use super::FeatureMaps;
use crate::{Error, Result, error::debug_as_display};
use std::fmt;
use tch::Kind;

/// How much feature maps changed. See [`FeatureMaps::change`].
#[derive(Clone, Copy)]
pub struct Change {
    /// The share of the numbers that differ at all.
    pub any: f64,
    /// The share of the numbers that differ by more than a tenth of the largest one.
    pub clear: f64,
    /// All differences together, as a share of all numbers together.
    pub amount: f64,
}

impl FeatureMaps {
    /// Compares these maps with others of the same shape, number by number.
    ///
    /// # Errors
    /// When the shapes differ.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let maps = |numbers: [f32; 4]| FeatureMaps::from_tensor(&Tensor::from_slice(&numbers).view([1, 1, 2, 2]));
    /// let change = maps([0.0, 1.0, 3.0, 4.0])?.change(&maps([0.0, 1.1, 3.0, 2.0])?)?;
    /// assert_eq!((change.any, change.clear), (0.5, 0.25));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn change(&self, after: &FeatureMaps) -> Result<Change> {
        let (before, after) = (self.tensor(), after.tensor());
        if before.size() != after.size() {
            return Err(Error::new(format!(
                "maps are compared number by number: these have the shape {:?} (N C H W), the others {:?}",
                before.size(),
                after.size()
            )));
        }
        let difference = (&before - after).f_abs()?;
        let tenth = before.f_abs()?.f_max()?.f_double_value(&[])? / 10.0;
        let share = |more_than: f64| -> Result<f64> {
            Ok(difference
                .f_gt(more_than)?
                .f_to_kind(Kind::Double)?
                .f_mean(Kind::Double)?
                .f_double_value(&[])?)
        };
        let whole = before.f_abs()?.f_sum(Kind::Double)?.f_double_value(&[])?;
        let amount = difference.f_sum(Kind::Double)?.f_double_value(&[])?;
        let amount = if whole > 0.0 { amount / whole } else { 0.0 };
        Ok(Change { any: share(0.0)?, clear: share(tenth)?, amount })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [any, clear, amount] = [self.any, self.clear, self.amount].map(|share| 100.0 * share);
        write!(
            f,
            "{any:.0} % of the numbers differ, {clear:.0} % by more than a tenth of the largest\n\
             all differences together are {amount:.0} % of all numbers together"
        )
    }
}

debug_as_display!(Change);
