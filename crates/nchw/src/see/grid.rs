//! The feature maps of a layer, and which of them are the strongest.

use super::view::{View, shape};
use crate::{Result, error::debug_as_display, ranking::strongest_channels};
use std::fmt;
use tch::Tensor;

/// How many channels the text lists.
pub(super) const LISTED: usize = 6;

/// The feature maps of a layer, each in a tile with its channel number. See [`View::maps`].
pub struct MapGrid {
    pub(super) title: String,
    pub(super) answer_line: String,
    pub(super) maps: Tensor,
    pub(super) own_scale: bool,
    pub(super) strongest_first: bool,
}

impl View {
    /// The feature maps of a layer or a block, side by side, on one colour scale.
    ///
    /// # Shapes
    /// `[1, C, H, W]`
    ///
    /// # Errors
    /// When there is no such layer (the message lists them), or it has no feature maps.
    pub fn maps(&self, name: &str) -> Result<MapGrid> {
        let (_, maps) = self.layer(name)?;
        let title = format!("{name}: {} \u{2192} {}", self.before(name)?, shape(maps));
        Ok(MapGrid {
            title,
            answer_line: self.answer_line(),
            maps: maps.shallow_clone(),
            own_scale: false,
            strongest_first: false,
        })
    }
}

impl MapGrid {
    /// Draws each map on its own scale, from its minimum to its maximum, which shows shapes. By default all
    /// maps share one scale, which shows strengths.
    pub fn own_scale(self) -> MapGrid {
        MapGrid { own_scale: true, ..self }
    }

    /// Sorts the maps by their largest activation, strongest first.
    pub fn strongest_first(self) -> MapGrid {
        MapGrid { strongest_first: true, ..self }
    }

    /// The feature maps.
    ///
    /// # Shapes
    /// `[1, C, H, W]`
    pub fn tensor(&self) -> Tensor {
        self.maps.copy()
    }

    /// The channels in the order in which they are shown.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn order(&self) -> Result<Vec<usize>> {
        if self.strongest_first {
            let ranked = strongest_channels(&self.maps)?;
            return Ok(ranked.into_iter().map(|(channel, _)| channel).collect());
        }
        Ok((0..self.maps.size()[1] as usize).collect())
    }

    /// Lists at most `max` channels with the largest activations; channels without a number above 0 are left
    /// out.
    pub(super) fn strongest(&self, max: usize) -> Result<String> {
        let ranked = strongest_channels(&self.maps)?.into_iter();
        let active = ranked.filter(|(_, largest)| *largest > 0.0).take(max);
        let names: Vec<String> = active.map(|(channel, _)| channel.to_string()).collect();
        Ok(if names.is_empty() { "none has a number above 0".into() } else { names.join(", ") })
    }
}

impl fmt::Display for MapGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strongest = self.strongest(LISTED).map_err(|_| fmt::Error)?;
        write!(f, "{}; the strongest: {strongest}", self.title)
    }
}

debug_as_display!(MapGrid);
