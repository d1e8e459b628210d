//! Feature maps: what comes out of a convolution, and what is done with it.

use super::Filter;
use crate::{
    Error, Result,
    check::holds_something,
    error::debug_as_display,
    image::Image,
    matrix::{Matrix, Meaning},
    numbers::{empty_axis, extent, grids_of, values_of},
};
use std::{borrow::Borrow, fmt};
use tch::{Kind, Tensor};

/// Feature maps, one for each filter, with their names. They are displayed on one scale: results of a
/// convolution with red above 0, white at 0 and blue below; after a ReLU from white to red.
///
/// ```
/// use nchw::prelude::*;
/// let photo = Image::from_tensor(&Tensor::rand([1, 1, 20, 30], (Kind::Float, Device::Cpu)))?;
/// let maps: FeatureMaps = Filters::stack([Filter::vertical_edge(), Filter::horizontal_edge()])?.convolve(&photo)?;
/// let pooled = maps.relu().max_pool(2)?;
/// assert_eq!(pooled.tensor().size(), [1, 2, 9, 14]);
/// assert_eq!(pooled.names(), ["vertical edge", "horizontal edge"]);
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct FeatureMaps {
    /// `[N, C, H, W]`
    maps: Tensor,
    /// One for each channel.
    names: Vec<String>,
    meaning: Meaning,
    /// What was done after the convolution, such as "ReLU".
    done: Vec<String>,
    /// The photo and the filter, if one filter was applied to a photo.
    seen_in: Option<Box<(Image, Filter)>>,
}

impl FeatureMaps {
    /// The result of a convolution.
    pub(super) fn signed(maps: Tensor, names: Vec<String>) -> FeatureMaps {
        FeatureMaps { maps, names, meaning: Meaning::Signed, done: vec![], seen_in: None }
    }

    pub(super) fn seen_in(self, photo: &Image, filter: &Filter) -> FeatureMaps {
        FeatureMaps { seen_in: Some(Box::new((photo.clone(), filter.clone()))), ..self }
    }

    /// Feature maps from a tensor, such as the output of a layer. They are signed if a number is below 0,
    /// otherwise activations. Their names are their indices.
    ///
    /// # Shapes
    /// `[N, C, H, W]` or, for one image, `[C, H, W]`.
    ///
    /// # Errors
    /// When the tensor has another number of axes, or is empty.
    pub fn from_tensor(tensor: &Tensor) -> Result<FeatureMaps> {
        holds_something(tensor)?;
        let size = tensor.size();
        if let Some(empty) = empty_axis(&size) {
            return Err(Error::new(format!("feature maps need at least one number, got {size:?}: {empty}")));
        }
        let maps = match size.len() {
            4 => tensor.shallow_clone(),
            3 => tensor.f_unsqueeze(0)?,
            axes => {
                let fix = if axes == 2 { ": `.unsqueeze(0)` adds C" } else { "" };
                return Err(Error::new(format!(
                    "feature maps need a tensor of shape [N, C, H, W] or [C, H, W], got {size:?}{fix}"
                )));
            }
        };
        let maps = maps.f_to_kind(Kind::Float)?;
        let below = maps.f_min()?.f_double_value(&[])? < 0.0;
        let names = (0..maps.size()[1]).map(|channel| channel.to_string()).collect();
        let meaning = if below { Meaning::Signed } else { Meaning::Activations };
        Ok(FeatureMaps { meaning, ..FeatureMaps::signed(maps, names) })
    }

    /// Stacks maps of the same image on the channel axis.
    ///
    /// # Shapes
    /// `[N, C₁, H, W]`, `[N, C₂, H, W]`, … to `[N, C₁ + C₂ + …, H, W]`.
    ///
    /// # Errors
    /// When there are no maps, or two differ in N, H or W.
    ///
    /// # Source
    /// Lecture part 2: stacked on the channel axis, never added.
    pub fn stack<M: Borrow<FeatureMaps>>(maps: impl IntoIterator<Item = M>) -> Result<FeatureMaps> {
        let all: Vec<M> = maps.into_iter().collect();
        let Some(first) = all.first().map(Borrow::borrow) else {
            return Err(Error::new("nothing to stack: `FeatureMaps::stack([&maps])?`"));
        };
        for maps in all.iter().map(Borrow::borrow) {
            let axes = [(0, "N"), (2, "H (rows)"), (3, "W (columns)")];
            if let Some((axis, name)) =
                axes.into_iter().find(|(axis, _)| first.maps.size()[*axis] != maps.maps.size()[*axis])
            {
                return Err(Error::new(format!(
                    "only maps of the same N, H and W can be stacked. Axis {name}: \"{}\" has {}, \"{}\" has {}",
                    first.names.join(", "),
                    first.maps.size()[axis],
                    maps.names.join(", "),
                    maps.maps.size()[axis]
                )));
            }
        }
        let tensors: Vec<&Tensor> = all.iter().map(|maps| &maps.borrow().maps).collect();
        let names = all.iter().flat_map(|maps| maps.borrow().names.clone()).collect();
        let signed = all.iter().any(|maps| maps.borrow().meaning == Meaning::Signed);
        let meaning = if signed { Meaning::Signed } else { Meaning::Activations };
        let done =
            if all.iter().all(|maps| maps.borrow().done == first.done) { first.done.clone() } else { vec![] };
        Ok(FeatureMaps { meaning, done, ..FeatureMaps::signed(Tensor::f_cat(&tensors, 1)?, names) })
    }

    /// The numbers.
    ///
    /// # Shapes
    /// `[N, C, H, W]`, `f32`.
    pub fn tensor(&self) -> Tensor {
        self.maps.shallow_clone()
    }

    /// C, the number of maps.
    pub fn channels(&self) -> usize {
        self.maps.size()[1] as usize
    }

    /// H, the number of rows.
    pub fn height(&self) -> usize {
        self.maps.size()[2] as usize
    }

    /// W, the number of columns.
    pub fn width(&self) -> usize {
        self.maps.size()[3] as usize
    }

    /// The names of the maps.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The same maps under other names.
    ///
    /// # Errors
    /// When there is not one name for each map.
    pub fn named<S: Into<String>>(&self, names: impl IntoIterator<Item = S>) -> Result<FeatureMaps> {
        // No more names than decide whether they fit: the list may be endless.
        let names: Vec<String> = names.into_iter().take(self.channels() + 1).map(S::into).collect();
        if names.len() != self.channels() {
            let got = if names.len() > self.channels() { "more".into() } else { names.len().to_string() };
            return Err(Error::new(format!(
                "expected one name for each of the {} maps (axis C), got {got}",
                self.channels()
            )));
        }
        Ok(FeatureMaps { names, ..self.clone() })
    }

    /// One of the maps, counted from 0.
    ///
    /// # Errors
    /// When there is no such map.
    pub fn channel(&self, channel: usize) -> Result<FeatureMaps> {
        let Some(name) = self.names.get(channel) else {
            return Err(Error::new(format!(
                "there are {} maps (axis C), counted from 0 to {}; there is no map {channel}",
                self.channels(),
                self.channels() - 1
            )));
        };
        let maps = self.maps.f_narrow(1, channel as i64, 1)?;
        Ok(FeatureMaps { maps, names: vec![name.clone()], seen_in: None, ..self.clone() })
    }

    /// The map as a matrix, if there is only one.
    ///
    /// # Errors
    /// When there are several maps or images.
    pub fn matrix(&self) -> Result<Matrix> {
        if self.channels() > 1 {
            return Err(Error::new(format!(
                "a matrix holds one map, got {}: `.channel(0)?` selects the first",
                self.channels()
            )));
        }
        Ok(Matrix::from_tensor(&self.maps)?.meaning(self.meaning))
    }

    /// ReLU: positive numbers stay, negative ones become 0.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let result = Filter::vertical_edge().convolve(&Matrix::from([[1, 1, 0, 0, 1, 1]; 3]))?;
    /// assert_eq!(result.row(0), [-3.0, -3.0, 3.0, 3.0]);
    /// assert_eq!(result.relu().row(0), [0.0, 0.0, 3.0, 3.0]);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn relu(&self) -> FeatureMaps {
        self.then("ReLU", Meaning::Activations, self.maps.relu())
    }

    /// How strong each response is, whatever its sign.
    pub fn abs(&self) -> FeatureMaps {
        self.then("without sign", Meaning::Activations, self.maps.abs())
    }

    /// Max pooling: the largest number of each window of `size` × `size`; the windows do not overlap.
    ///
    /// # Shapes
    /// `[N, C, H, W]` to `[N, C, H / size, W / size]`, rounded down.
    ///
    /// # Errors
    /// When `size` is 0 or larger than the map.
    pub fn max_pool(&self, size: usize) -> Result<FeatureMaps> {
        let window = self.window("max_pool", size)?;
        let pooled = self.maps.f_max_pool2d(window, window, [0, 0], [1, 1], false)?;
        Ok(self.then(&format!("max pool {size}"), self.meaning, pooled))
    }

    /// Average pooling: the mean of each window of `size` × `size`; the windows do not overlap.
    ///
    /// # Shapes
    /// `[N, C, H, W]` to `[N, C, H / size, W / size]`, rounded down.
    ///
    /// # Errors
    /// When `size` is 0 or larger than the map.
    pub fn avg_pool(&self, size: usize) -> Result<FeatureMaps> {
        let window = self.window("avg_pool", size)?;
        let pooled = self.maps.f_avg_pool2d(window, window, [0, 0], false, true, None)?;
        Ok(self.then(&format!("average pool {size}"), self.meaning, pooled))
    }

    /// Global average pooling: the mean of each map.
    ///
    /// # Shapes
    /// `[N, C, H, W]` to `[N, C, 1, 1]`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn global_avg_pool(&self) -> Result<FeatureMaps> {
        let means = self.maps.f_mean_dim([2_i64, 3].as_slice(), true, Kind::Float)?;
        Ok(self.then("global average", self.meaning, means))
    }

    /// Global max pooling: the largest number of each map.
    ///
    /// # Shapes
    /// `[N, C, H, W]` to `[N, C, 1, 1]`.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn global_max_pool(&self) -> Result<FeatureMaps> {
        Ok(self.then("global maximum", self.meaning, self.maps.f_amax([2, 3], true)?))
    }

    /// The mean of the squared differences, a loss for [`Filter::learn`].
    ///
    /// # Shapes
    /// `wanted` has the shape of the maps; or, if there is one number for each image, `[N]`.
    ///
    /// # Errors
    /// When `wanted` has another shape.
    pub fn squared_error(&self, wanted: &Tensor) -> Result<Tensor> {
        holds_something(wanted)?;
        let (size, other) = (self.maps.size(), wanted.size());
        let labels = size[1..] == [1, 1, 1] && other == size[..1];
        if other != size && !labels {
            return Err(Error::new(format!(
                "squared_error compares numbers one by one: the maps have the shape {size:?} (N C H W), the \
                 wanted numbers have {other:?}"
            )));
        }
        Ok((&self.maps - wanted.f_to_kind(Kind::Float)?.f_view(&size[..])?)
            .f_square()?
            .f_mean(Kind::Float)?)
    }

    /// What the numbers mean.
    pub(super) fn meaning(&self) -> Meaning {
        self.meaning
    }

    /// What was done after the convolution.
    pub(super) fn done(&self) -> &[String] {
        &self.done
    }

    /// The photo and the filter, if one filter was applied to a photo.
    pub(super) fn origin(&self) -> Option<(&Image, &Filter)> {
        self.seen_in.as_deref().map(|(photo, filter)| (photo, filter))
    }

    fn then(&self, step: &str, meaning: Meaning, maps: Tensor) -> FeatureMaps {
        let done = [self.done.clone(), vec![step.to_owned()]].concat();
        FeatureMaps { maps, meaning, done, ..self.clone() }
    }

    /// The window of a pooling.
    fn window(&self, name: &str, size: usize) -> Result<[i64; 2]> {
        let (h, w) = (self.height(), self.width());
        if (1..=h.min(w)).contains(&size) {
            return Ok([size as i64; 2]);
        }
        let axis = if size > h { format!("rows (H), {h}") } else { format!("columns (W), {w}") };
        Err(Error::new(match size {
            0 => format!("{name} needs a window of at least 1 x 1, got 0"),
            _ => format!("the window of {name}({size}) is larger than the number of {axis}"),
        }))
    }
}

impl Matrix {
    /// ReLU: positive numbers stay, negative ones become 0.
    pub fn relu(&self) -> Matrix {
        let values = self.values().iter().map(|value| value.max(0.0)).collect();
        let matrix = Matrix::new(self.height(), self.width(), values);
        matrix.map_or_else(|_| self.clone(), |matrix| matrix.meaning(Meaning::Activations))
    }

    /// Max pooling: the largest number of each window of `size` × `size`; the windows do not overlap.
    ///
    /// # Errors
    /// When `size` is 0 or larger than the matrix.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let map = Matrix::from([[1, 0, 2, 3], [4, 6, 6, 8]]);
    /// assert_eq!(map.max_pool(2)?, Matrix::from([[6, 8]]));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn max_pool(&self, size: usize) -> Result<Matrix> {
        self.maps().max_pool(size)?.matrix()
    }

    /// Average pooling: the mean of each window of `size` × `size`; the windows do not overlap.
    ///
    /// # Errors
    /// When `size` is 0 or larger than the matrix.
    pub fn avg_pool(&self, size: usize) -> Result<Matrix> {
        self.maps().avg_pool(size)?.matrix()
    }

    fn maps(&self) -> FeatureMaps {
        FeatureMaps { meaning: self.means(), ..FeatureMaps::signed(self.tensor(), vec![String::new()]) }
    }
}

impl Clone for FeatureMaps {
    fn clone(&self) -> FeatureMaps {
        FeatureMaps {
            maps: self.maps.shallow_clone(),
            names: self.names.clone(),
            meaning: self.meaning,
            done: self.done.clone(),
            seen_in: self.seen_in.clone(),
        }
    }
}

impl fmt::Display for FeatureMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.maps.size();
        let batch = if size[0] > 1 { format!("N={} ", size[0]) } else { String::new() };
        let (maps, range) = (if size[1] == 1 { "map" } else { "maps" }, values_of(&self.maps));
        let range = range.map_or_else(|error| error.to_string(), |values| extent(&values));
        write!(f, "{} feature {maps}, {batch}C={} H={} W={}: ", size[1], size[1], size[2], size[3])?;
        write!(f, "{}; {range}", [&self.names[..], &self.done[..]].concat().join(", "))
    }
}

debug_as_display!(FeatureMaps);

impl FeatureMaps {
    /// The maps as grids.
    pub(super) fn grids(&self) -> Result<Vec<crate::grid::Grid>> {
        if self.maps.size()[0] > 1 {
            return Err(Error::new(format!(
                "a figure shows the maps of one image, got N={}: `FeatureMaps::from_tensor(&maps.tensor().i(0))?` \
                 selects the first",
                self.maps.size()[0]
            )));
        }
        grids_of(&self.maps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn maps() -> FeatureMaps {
        let numbers = Tensor::arange(48, (Kind::Float, Device::Cpu)).view([1, 2, 4, 6]) - 20.0;
        FeatureMaps::from_tensor(&numbers).unwrap().named(["first", "second"]).unwrap()
    }

    #[test]
    fn pooling_takes_each_map_by_itself() {
        let maps = maps();
        let pooled = maps.max_pool(2).unwrap();
        assert_eq!(pooled.tensor().size(), [1, 2, 2, 3]);
        assert_eq!(pooled.channel(1).unwrap().matrix().unwrap().row(0), [11.0, 13.0, 15.0]);
        let means = maps.avg_pool(2).unwrap().channel(0).unwrap().matrix().unwrap();
        assert_eq!(means.row(1), [-4.5, -2.5, -0.5]);
        let all = maps.global_avg_pool().unwrap().tensor();
        assert_eq!(Vec::<f32>::try_from(all.view([-1])).unwrap(), [-8.5, 15.5]);
        let most = maps.global_max_pool().unwrap().tensor();
        assert_eq!(Vec::<f32>::try_from(most.view([-1])).unwrap(), [3.0, 27.0]);
        let text = maps.relu().max_pool(2).unwrap().to_string();
        assert_eq!(text, "2 feature maps, C=2 H=2 W=3: first, second, ReLU, max pool 2; from 0 to 27");
    }

    #[test]
    fn the_meaning_follows_what_was_done() {
        let maps = maps();
        let positive = FeatureMaps::from_tensor(&maps.tensor().abs()).unwrap();
        let pooled = maps.max_pool(2).unwrap();
        for (maps, meaning) in [
            (&maps, Meaning::Signed),
            (&maps.relu(), Meaning::Activations),
            (&maps.abs(), Meaning::Activations),
            (&positive, Meaning::Activations),
            (&pooled, Meaning::Signed),
            (&FeatureMaps::stack([&maps, &positive]).unwrap(), Meaning::Signed),
            (&FeatureMaps::stack([&positive, &positive]).unwrap(), Meaning::Activations),
        ] {
            assert_eq!(maps.meaning(), meaning, "{maps}");
        }
    }

    #[test]
    fn what_does_not_fit_names_the_axis() {
        let maps = maps();
        let says = |result: Result<FeatureMaps>| result.unwrap_err().to_string();
        assert!(says(maps.max_pool(5)).contains("larger than the number of rows (H), 4"));
        assert!(says(maps.max_pool(0)).contains("at least 1 x 1"));
        assert!(says(maps.channel(2)).contains("from 0 to 1; there is no map 2"));
        assert!(says(maps.named(["one"])).contains("each of the 2 maps (axis C), got 1"));
        let narrow = FeatureMaps::from_tensor(&maps.tensor().narrow(3, 0, 5)).unwrap();
        assert!(
            says(FeatureMaps::stack([&maps, &narrow])).contains("Axis W (columns): \"first, second\" has 6")
        );
        assert!(
            says(FeatureMaps::from_tensor(&maps.tensor().view([8, 6]))).contains("`.unsqueeze(0)` adds C")
        );
        let error =
            maps.squared_error(&Tensor::zeros([4], (Kind::Float, Device::Cpu))).unwrap_err().to_string();
        assert!(error.contains("[1, 2, 4, 6] (N C H W), the wanted numbers have [4]"), "{error}");
    }

    #[test]
    fn labels_are_compared_image_by_image() {
        let maps = FeatureMaps::from_tensor(&Tensor::from_slice(&[0.0_f32, 2.0]).view([2, 1, 1, 1])).unwrap();
        let error = maps.squared_error(&Tensor::from_slice(&[1.0_f32, 5.0])).unwrap();
        assert_eq!(error.double_value(&[]), 5.0);
    }
}
