//! One layer applied to one input: what PyTorch accepts, and every number that follows.

use super::fault::Fault;
use super::field::{Field, Growing, Path, Seen};
use super::slide::{Axis, Slide};
use crate::shapes::layer::{Layer, Op};
use crate::shapes::problem::Problem;
use crate::shapes::shape::{LIMIT, Nchw, Pair, Shape, count, product};
use crate::{Error, Result, text::count_of};

/// What a layer does to an input: a row of the [`Table`](crate::shapes::Table).
#[derive(Clone)]
pub struct Row {
    /// The layer.
    pub layer: Layer,
    /// The input.
    pub input: Shape,
    /// The output.
    pub output: Shape,
    /// The sizes of the weight; empty if there is none. The batch size is never among them.
    pub weight: Vec<u64>,
    /// The sizes of the bias; empty if there is none.
    pub bias: Vec<u64>,
    /// The number of parameters: weights and biases.
    pub parameters: u64,
    /// Multiply-add operations for the whole batch; those with padding are included.
    ///
    /// Batch normalisation counts one for each value; pooling, relu and biases
    /// count none. (torchinfo also counts the biases, and counts batch
    /// normalisation by its parameters.)
    pub multiply_adds: u64,
    /// Bytes of the output for the whole batch, at four per value (fp32).
    pub bytes: u64,
    /// The receptive field of one output value in the input of the chain; `None` if that input has no
    /// rows and columns.
    pub field: Option<Field>,
    pub(in crate::shapes) before: Option<Field>,
    pub(in crate::shapes) slides: Option<[Slide; 2]>,
    pub(in crate::shapes) path: Option<Path>,
}

impl Layer {
    /// Every number of this layer for this input.
    ///
    /// A layer is valid exactly when PyTorch's CPU operations (its own and those
    /// of oneDNN) accept it, except that this function is stricter in four cases:
    /// - An empty batch (N=0) and empty maps are checked like others, since a
    ///   model is defined for one image; PyTorch skips some checks.
    /// - `conv` rejects an image without channels; PyTorch returns 0 channels
    ///   for any filters.
    /// - Global average pooling rejects flattened values; PyTorch would average
    ///   over the batch.
    /// - `linear` rejects maps unless its `in_channels` is W; PyTorch applies it
    ///   to the last axis, which is rarely intended.
    ///
    /// # Shapes
    /// Maps N C H W, or flattened N features; N=1 if it is omitted.
    ///
    /// # Errors
    /// When the layer does not fit, or a number would exceed 63 bits. The message
    /// says what was expected, what was given, on which axis, the likely cause,
    /// and what to write instead.
    ///
    /// ```
    /// use nchw::shapes::conv;
    /// let row = conv(10, 3).on([32, 3, 7, 9])?;
    /// assert_eq!(row.output, [32, 10, 5, 7].into());
    /// assert_eq!(row.weight, [10, 3, 3, 3]); // no 32 in it
    /// assert_eq!(row.parameters, 280);
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn on(&self, input: impl Into<Shape>) -> Result<Row> {
        let input = input.into();
        let problem = |fault| Error::new(self.problem(1, input, fault).to_string());
        let (row, _) = self.row(input, Growing::start(input).as_ref()).map_err(problem)?;
        let mut rows = [row];
        connect(input, &mut rows);
        let [row] = rows;
        Ok(row)
    }

    /// The row, which does not have its path yet, and the receptive field after it.
    pub(in crate::shapes) fn row(
        &self,
        input: Shape,
        before: Option<&Growing>,
    ) -> Result<(Row, Option<Growing>), Fault> {
        self.check_numbers(input)?;
        match (input, self.op) {
            (_, Op::Flatten | Op::Linear | Op::Relu | Op::BatchNorm | Op::Dropout) => {}
            (Shape::Flat(_), _) => return Err(self.on_flat(input)),
            (Shape::Maps(maps), _) => self.check_maps(maps)?,
        }
        let slides = self.slides(input, before)?;
        let output = self.output(input, &slides)?;
        let too_large = || Fault::too_large("the numbers of this layer");
        let after = before.map(|b| b.then(&slides).ok_or_else(too_large)).transpose()?;
        let (weight, bias) = self.weights(input);
        let parameters = (|| count(&weight)?.checked_add(count(&bias)?).filter(|&n| n <= LIMIT))();
        let row = Row {
            layer: *self,
            input,
            output,
            parameters: parameters.ok_or_else(too_large)?,
            multiply_adds: self.multiply_adds(input, output, &weight).ok_or_else(too_large)?,
            bytes: output.elements().and_then(|n| product(&[4, n])).ok_or_else(too_large)?,
            weight,
            bias,
            field: after.as_ref().map(Growing::field),
            before: before.map(Growing::field),
            slides,
            path: None,
        };
        Ok((row, after))
    }

    /// The windows along rows and columns; `None` if every value keeps its position.
    fn slides(&self, input: Shape, before: Option<&Growing>) -> Result<Option<[Slide; 2]>, Fault> {
        let along = |axis, size| Slide::of(self, axis, size);
        let (slides, maps) = match (input, self.op) {
            (Shape::Flat(_), Op::Linear) => return Ok(before.map(Growing::everything)),
            (Shape::Maps(m), Op::Linear) => return Ok(Some([Slide::stay(m.h), Slide::all(m.w)])),
            (Shape::Maps(m), Op::GlobalAvgPool | Op::GlobalMaxPool) => {
                return Ok(Some([Slide::all(m.h), Slide::all(m.w)]));
            }
            (Shape::Maps(m), op) if op.convolves() || op.pools() => {
                ([along(Axis::H, m.h), along(Axis::W, m.w)], m)
            }
            _ => return Ok(None),
        };
        if slides.iter().any(|s| s.size() > i128::from(LIMIT)) {
            return Err(Fault::too_large("the output's rows or columns"));
        }
        for slide in &slides {
            let fits = if self.op == Op::Conv { slide.room() >= 0 } else { slide.size() >= 1 };
            if !fits {
                return Err(self.no_room(maps, slide, &slides));
            }
        }
        Ok(Some(slides))
    }

    fn output(&self, input: Shape, slides: &Option<[Slide; 2]>) -> Result<Shape, Fault> {
        let flat = |n, features, batched| Shape::Flat(crate::shapes::Flat { n, features, batched });
        Ok(match (input, self.op) {
            (Shape::Maps(m), Op::Flatten) => {
                let features = product(&[m.c, m.h, m.w]).ok_or_else(|| Fault::too_large("the features"))?;
                flat(m.n, features, m.batched)
            }
            (Shape::Maps(m), Op::Linear) => Shape::Maps(Nchw { w: self.out, ..m }),
            (Shape::Flat(f), Op::Linear) => flat(f.n, self.out, f.batched),
            (Shape::Maps(m), op) => {
                let c = if op.convolves() { self.out } else { m.c };
                let [h, w] = slides.map_or([m.h, m.w], |[h, w]| [h.size() as u64, w.size() as u64]);
                Shape::Maps(Nchw { c, h, w, ..m })
            }
            (Shape::Flat(f), _) => Shape::Flat(f),
        })
    }

    /// The sizes of weight and bias.
    fn weights(&self, input: Shape) -> (Vec<u64>, Vec<u64>) {
        let (channels, last) = channels_and_last(input);
        let Pair { h, w } = self.kernel;
        let weight = match self.op {
            Op::Conv => vec![self.out, channels / self.groups(), h, w],
            Op::ConvTranspose => vec![channels, self.out / self.groups(), h, w],
            Op::Linear => vec![self.out, last],
            Op::BatchNorm => return (vec![channels], vec![channels]),
            _ => return (vec![], vec![]),
        };
        (weight, if self.nobias { vec![] } else { vec![self.out] })
    }

    fn multiply_adds(&self, input: Shape, output: Shape, weight: &[u64]) -> Option<u64> {
        match self.op {
            // Every output value is a dot product as long as one filter.
            Op::Conv | Op::Linear => product(&[output.elements()?, product(&weight[1..])?]),
            // Every input value is multiplied by all weights of its filters.
            Op::ConvTranspose => product(&[input.elements()?, product(&weight[1..])?]),
            Op::BatchNorm => output.elements(),
            _ => Some(0),
        }
    }

    /// What can be wrong for any number of rows and columns.
    fn check_numbers(&self, input: Shape) -> Result<(), Fault> {
        let pairs = [self.stride, self.padding, self.dilation, self.output_padding];
        let pairs = pairs.into_iter().flatten().chain([self.kernel]).flat_map(|p| [p.h, p.w]);
        let single = [self.out, self.groups.unwrap_or(0), self.input.unwrap_or(0)];
        if pairs.chain(single).chain(input.sizes()).any(|n| n > LIMIT) {
            return Err(Fault::too_large("one of the numbers"));
        }
        if input.elements().is_none() {
            return Err(Fault::too_large("the values of the input"));
        }
        if self.op == Op::Dropout && !(0.0..=1.0).contains(&self.rate) {
            return Err(self.rate_out_of_range());
        }
        self.check_zeros()?;
        self.check_channels(input)
    }

    fn check_zeros(&self) -> Result<(), Fault> {
        let positive = |pair: Pair| pair.map(|n| n.max(1));
        let instead = Layer {
            out: if self.op.convolves() { self.out.max(1) } else { self.out },
            kernel: positive(self.kernel),
            stride: self.stride.map(positive),
            dilation: self.dilation.map(positive),
            groups: self.groups.map(|groups| groups.max(1)),
            ..*self
        };
        let zeros = [
            ("filters", self.out != instead.out),
            ("kernel size", self.kernel != instead.kernel),
            ("stride", self.stride != instead.stride),
            ("dilation", self.dilation != instead.dilation),
            ("groups", self.groups != instead.groups),
        ];
        let zero = zeros.into_iter().find(|(_, zero)| *zero);
        zero.map_or(Ok(()), |(what, _)| Err(Fault::zero(what, instead)))
    }

    fn check_channels(&self, input: Shape) -> Result<(), Fault> {
        let (channels, last) = channels_and_last(input);
        if self.op == Op::Linear {
            return self.check_features(input, last);
        }
        if !self.op.convolves() && self.op != Op::BatchNorm {
            return Ok(());
        }
        if matches!(input, Shape::Flat(_)) && self.op.convolves() {
            return Err(self.on_flat(input));
        }
        if self.input.is_some_and(|given| given != channels) {
            return Err(self.wrong_channels(channels, input.n()));
        }
        if channels == 0 {
            return Err(self.empty("C (channels)"));
        }
        let groups = self.groups();
        if self.op.convolves() && (!channels.is_multiple_of(groups) || !self.out.is_multiple_of(groups)) {
            return Err(self.groups_do_not_divide(channels, groups));
        }
        Ok(())
    }

    fn check_features(&self, input: Shape, last: u64) -> Result<(), Fault> {
        match input {
            Shape::Maps(maps) if self.input != Some(last) => Err(self.not_flattened(maps)),
            _ if self.input.is_some_and(|given| given != last) => Err(self.wrong_features(last)),
            _ => Ok(()),
        }
    }

    /// Checks the window against the maps, except for the size of the output.
    fn check_maps(&self, maps: Nchw) -> Result<(), Fault> {
        if self.same && self.stride() != 1.into() {
            return Err(self.same_with_stride());
        }
        for (axis, size) in [("C (channels)", maps.c), ("H (rows)", maps.h), ("W (columns)", maps.w)] {
            if size == 0 && self.op != Op::GlobalAvgPool {
                return Err(self.empty(axis));
            }
        }
        let half = self.kernel.map(|size| size / 2);
        if self.op.pools() && self.padding().exceeds(half) {
            return Err(self.padding_over_half(half));
        }
        let most = self.stride().zip(self.dilation(), |stride, dilation| stride.max(dilation) - 1);
        if self.op == Op::ConvTranspose && self.output_padding().exceeds(most) {
            return Err(self.output_padding_too_large(most));
        }
        Ok(())
    }

    /// The fault as a problem of this layer, with the layers that would fit.
    pub(in crate::shapes) fn problem(&self, position: usize, input: Shape, fault: Fault) -> Problem {
        let instead = self.corrected(input, &fault);
        let Fault { what, why, fix, .. } = fault;
        Problem { position, layer: *self, input, what, why, fix, instead }
    }

    /// What to write instead: corrected until it fits. Empty when no change of the layer helps.
    fn corrected(&self, input: Shape, fault: &Fault) -> Vec<Layer> {
        let mut instead = fault.instead.clone();
        for _ in 0..16 {
            let Some(&last) = instead.last() else { return vec![] };
            let flatten = Layer::new(Op::Flatten);
            let input = if instead.len() == 2 { flatten.on(input).map(|row| row.output) } else { Ok(input) };
            let Ok(input) = input else { return vec![] };
            let Err(next) = last.row(input, None) else { return instead };
            instead.pop();
            if next.instead.is_empty() {
                return vec![];
            }
            instead.extend(next.instead);
        }
        vec![]
    }
}

/// The size of axis 1 and that of the last axis.
pub(in crate::shapes) fn channels_and_last(input: Shape) -> (u64, u64) {
    match input {
        Shape::Maps(m) => (m.c, m.w),
        Shape::Flat(f) => (f.features, f.features),
    }
}

/// Gives every row the path of windows that leads to it.
pub(in crate::shapes) fn connect(input: Shape, rows: &mut [Row]) {
    let Shape::Maps(maps) = input else { return };
    let slides: Vec<_> = rows.iter().map(|row| row.slides).collect();
    for (row, path) in rows.iter_mut().zip(Path::to_each([maps.h, maps.w], &slides)) {
        row.path = Some(path);
    }
}

impl Row {
    /// The rows and columns of the positions for which [`Row::sees`] has an answer: those of the output, or
    /// of the last maps before a flatten. `None` if the input of the chain has no rows and columns.
    pub fn positions(&self) -> Option<[u64; 2]> {
        self.path.as_ref().map(Path::size)
    }

    /// The exact rows and columns of the chain's input that the output value at
    /// this position (row and column, from 0) depends on. After a flatten, the
    /// position is one of the maps before it. Both lists are empty for a value
    /// that sees only padding, or that no input value of a `conv_transpose` reaches.
    ///
    /// # Errors
    /// When the output has no such position, the chain's input had no rows and
    /// columns, or the maps are too large to search (more than 2^24 steps).
    ///
    /// ```
    /// use nchw::shapes::{chain, conv, max_pool};
    /// let table = chain![conv(8, 3), max_pool(2)].on([3, 12, 14]);
    /// let seen = table.rows[1].sees(0, 2)?;
    /// assert_eq!((seen.rows, seen.cols), (vec![0, 1, 2, 3], vec![4, 5, 6, 7]));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn sees(&self, row: u64, col: u64) -> Result<Seen> {
        let Some(path) = &self.path else {
            return Err(Error::new(format!(
                "`{}` has no receptive field: the input of the chain has no rows and columns ({})",
                self.layer, self.input
            )));
        };
        let [rows, cols] = path.size();
        if row >= rows || col >= cols {
            return Err(Error::new(format!(
                "there is no row {row}, column {col} in {} x {}: they are counted from 0",
                count_of(rows, "row", "rows"),
                count_of(cols, "column", "columns")
            )));
        }
        let too_large = || Error::new(format!("the maps before `{}` are too large to search", self.layer));
        let rows = path.trace(0, row).ok_or_else(too_large)?;
        let cols = path.trace(1, col).ok_or_else(too_large)?;
        if rows.is_empty() || cols.is_empty() {
            return Ok(Seen { rows: vec![], cols: vec![] });
        }
        Ok(Seen { rows, cols })
    }
}
