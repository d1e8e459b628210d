//! Channels arranged by similarity: those that are active in the same places form a group.

use crate::see::{
    progress::Progress,
    view::{View, layer_with_maps},
};
use crate::{
    Error, Result, data::Examples, error::debug_as_display, image::Image, net::LectureNet,
    numbers::values_of, ranking::descending,
};
use std::fmt;
use tch::{Kind, Tensor};

/// Batch size of the search.
const BATCH: i64 = 250;
/// The most groups: each has a colour.
pub(in crate::see) const MAX_GROUPS: usize = 8;
/// How many of the strongest positions are kept for each group.
const KEPT: usize = 60;

/// The channels of a layer in groups. See [`groups`].
pub struct Groups {
    pub(in crate::see) layer: String,
    pub(in crate::see) searched: usize,
    pub(in crate::see) groups: Vec<Group>,
    /// The correlation of each pair of channels.
    ///
    /// # Shapes
    /// `[C, C]`
    similarity: Tensor,
    /// Mean and standard deviation of each channel.
    ///
    /// # Shapes
    /// `[1, C, 1, 1]`
    mean: Tensor,
    std: Tensor,
}

/// Channels that are active together.
pub(in crate::see) struct Group {
    pub(in crate::see) channels: Vec<usize>,
    pub(in crate::see) name: String,
    /// The most frequent labels among the 60 strongest positions, with their shares.
    pub(in crate::see) labels: Vec<(&'static str, f32)>,
    /// The strongest positions, at most one in each image: the image, row and column.
    pub(in crate::see) best: Vec<(Image, usize, usize)>,
    /// Rows and columns of the maps.
    pub(in crate::see) rows: usize,
    pub(in crate::see) columns: usize,
}

/// Groups the channels of a layer: two channels are similar if they are active at the same positions of these
/// images. Each channel is first normalised by its own mean and standard deviation, because some channels are
/// always large.
///
/// # Shapes
/// `images` `[N, 3, 32, 32]`, maps `[N, C, H, W]`
///
/// # Errors
/// When there is no such layer (the message lists them), or the number of groups is not from 2 to 8.
///
/// # Source
/// Ward, *Hierarchical Grouping to Optimize an Objective Function*, 1963; the distance of two channels is
/// 1 − correlation.
///
/// ```
/// use nchw::prelude::*;
/// let found = groups(&LectureNet::shipped()?, &Cifar10::samples()?, Cifar10::NAMES, "block3", 4)?;
/// assert_eq!(found.channels().iter().map(Vec::len).sum::<usize>(), 128);
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn groups(
    net: &LectureNet,
    examples: &Examples,
    classes: [&'static str; 10],
    layer: &str,
    count: usize,
) -> Result<Groups> {
    layer_with_maps(net, layer)?;
    let all = examples.len() as i64;
    if all < 2 {
        return Err(Error::new(format!("expected at least 2 images to compare channels, got {all}")));
    }
    let maps = |from: i64| net.map(&examples.images.f_narrow(0, from, BATCH.min(all - from))?, layer);
    // The channels as columns, each position of each image a row.
    let as_columns = |maps: &Tensor| -> Result<Tensor> {
        let channels = maps.size()[1];
        Ok(maps.f_permute([0, 2, 3, 1])?.f_reshape([-1, channels])?.f_to_kind(Kind::Double)?)
    };
    let mut progress = Progress::new(2 * all as usize);
    let (mut number, mut sum, mut products) = (0, Tensor::from(0.0), Tensor::from(0.0));
    for from in (0..all).step_by(BATCH as usize) {
        let rows = as_columns(&maps(from)?)?;
        number += rows.size()[0];
        sum = sum.f_add(&rows.f_sum_dim_intlist([0].as_slice(), false, Kind::Double)?)?;
        products = products.f_add(&rows.f_transpose(0, 1)?.f_matmul(&rows)?)?;
        progress.done((from + BATCH).min(all) as usize);
    }
    let mean = sum.f_div_scalar(number as f64)?;
    let covariance = products.f_div_scalar(number as f64)?.f_sub(&mean.f_outer(&mean)?)?;
    let std = covariance.f_diagonal(0, 0, 1)?.f_clamp_min(1e-12)?.f_sqrt()?;
    let similarity = covariance.f_div(&std.f_outer(&std)?)?.f_to_kind(Kind::Float)?;
    let channels = similarity.size()[0];
    if !(2..=MAX_GROUPS).contains(&count) || count as i64 > channels {
        return Err(Error::new(format!(
            "expected 2 to {MAX_GROUPS} groups (each gets a colour) of at least one of {channels} channels, got {count}"
        )));
    }
    let shape = [1, -1, 1, 1];
    let mut found = Groups {
        layer: layer.to_owned(),
        searched: all as usize,
        groups: Vec::new(),
        mean: mean.f_to_kind(Kind::Float)?.f_view(shape)?,
        std: std.f_to_kind(Kind::Float)?.f_view(shape)?,
        similarity,
    };
    let clusters = ward(&values_of(&found.similarity)?, channels as usize, count);
    // For each group the strongest positions: value, image, row, column.
    let mut best: Vec<Vec<(f32, usize, usize, usize)>> = vec![Vec::new(); count];
    let (mut rows, mut columns) = (1, 1);
    for from in (0..all).step_by(BATCH as usize) {
        let scores = found.scores(&maps(from)?, &clusters)?;
        let &[n, _, h, w] = &scores.size()[..] else { continue };
        (rows, columns) = (h as usize, w as usize);
        for (place, value) in values_of(&scores)?.into_iter().enumerate() {
            let (row, column) = (place / columns % rows, place % columns);
            let plane = place / (rows * columns);
            let (image, group) = (plane / count, plane % count);
            best[group].push((value, from as usize + image, row, column));
        }
        best.iter_mut().for_each(keep_best);
        progress.done((all + from + n) as usize);
    }
    let labels = values_of(&examples.labels)?;
    for (channels, best) in clusters.into_iter().zip(best) {
        let mut counts = [0_u32; 10];
        for (_, image, ..) in &best {
            if let Some(count) = labels.get(*image).and_then(|label| counts.get_mut(*label as usize)) {
                *count += 1;
            }
        }
        let kept = best.len().max(1) as f32;
        let order = descending(&counts).into_iter().filter(|class| counts[*class] > 0).take(3);
        let labels: Vec<_> = order.map(|class| (classes[class], counts[class] as f32 / kept)).collect();
        let mut seen = Vec::new();
        let mut patches = Vec::new();
        for (_, image, row, column) in best {
            if !seen.contains(&image) && patches.len() < MAX_GROUPS {
                seen.push(image);
                patches.push((examples.picture(image)?, row, column));
            }
        }
        let name = labels.first().map_or(String::new(), |(name, _)| (*name).to_owned());
        found.groups.push(Group { channels, name, labels, best: patches, rows, columns });
    }
    Ok(found)
}

/// Keeps the largest values, largest first.
fn keep_best(best: &mut Vec<(f32, usize, usize, usize)>) {
    best.sort_by(|a, b| b.0.total_cmp(&a.0));
    best.truncate(KEPT);
}

/// Ward's method: starts with one cluster per channel, and joins the two whose union increases the sum of squared
/// distances least, until `count` clusters are left; the largest first.
fn ward(similarity: &[f32], channels: usize, count: usize) -> Vec<Vec<usize>> {
    // Squared distances of vectors of length 1.
    let mut distance: Vec<Vec<f64>> = similarity
        .chunks(channels)
        .map(|row| row.iter().map(|similarity| 2.0 - 2.0 * f64::from(*similarity)).collect())
        .collect();
    let mut clusters: Vec<Vec<usize>> = (0..channels).map(|channel| vec![channel]).collect();
    while clusters.len() > count {
        let pairs = (0..clusters.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
        let Some((i, j)) = pairs.min_by(|a, b| distance[a.0][a.1].total_cmp(&distance[b.0][b.1])) else {
            break;
        };
        let size = |cluster: usize| clusters[cluster].len() as f64;
        let joined: Vec<f64> = (0..clusters.len())
            .map(|k| {
                let (di, dj, dij) = (distance[i][k], distance[j][k], distance[i][j]);
                ((size(i) + size(k)) * di + (size(j) + size(k)) * dj - size(k) * dij)
                    / (size(i) + size(j) + size(k))
            })
            .collect();
        for (k, value) in joined.into_iter().enumerate() {
            (distance[i][k], distance[k][i]) = (value, value);
        }
        let moved = clusters.remove(j);
        clusters[i].extend(moved);
        distance.remove(j);
        for row in &mut distance {
            row.remove(j);
        }
    }
    clusters.iter_mut().for_each(|channels| channels.sort_unstable());
    clusters.sort_by_key(|channels| (std::cmp::Reverse(channels.len()), channels[0]));
    clusters
}

impl Groups {
    /// The channels of each group; the largest group first.
    pub fn channels(&self) -> Vec<Vec<usize>> {
        self.groups.iter().map(|group| group.channels.clone()).collect()
    }

    /// How similar the channels are, in the order of the groups: the correlation of each pair.
    ///
    /// # Shapes
    /// → `[C, C]`
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn tensor(&self) -> Result<Tensor> {
        let order: Vec<i64> =
            self.groups.iter().flat_map(|group| &group.channels).map(|channel| *channel as i64).collect();
        let order = Tensor::f_from_slice(&order)?;
        Ok(self.similarity.f_index_select(0, &order)?.f_index_select(1, &order)?)
    }

    /// Gives a group a name. Until then, its name is the most frequent label of its patches.
    ///
    /// # Errors
    /// When there is no such group, or the name is longer than 24 letters.
    pub fn name(mut self, group: usize, name: &str) -> Result<Groups> {
        let last = self.groups.len().saturating_sub(1);
        let Some(named) = self.groups.get_mut(group) else {
            return Err(Error::new(format!("there is no group {group}: expected 0 to {last}")));
        };
        if name.chars().count() > 24 {
            return Err(Error::new(format!(
                "expected a name of at most 24 letters, to fit beside its colour; `{name}` has {}",
                name.chars().count()
            )));
        }
        name.trim().clone_into(&mut named.name);
        Ok(self)
    }

    /// The group that is strongest at each position of an image, compared with its own usual strength.
    ///
    /// # Shapes
    /// `[1, C, H, W]` → `[H, W]`
    ///
    /// # Errors
    /// When the view belongs to a network with other layers.
    ///
    /// # Source
    /// Lecture part 6: at every position, the name of the channel that is strongest there.
    pub fn map(&self, view: &View) -> Result<GroupMap> {
        let maps = view.tensor(&self.layer)?;
        if maps.size()[1] != self.mean.size()[1] {
            return Err(Error::new(format!(
                "{} has {} channels here, the groups have {}: expected the view of the same network",
                self.layer,
                maps.size()[1],
                self.mean.size()[1]
            )));
        }
        let clusters = self.channels();
        let strongest = self.scores(&maps, &clusters)?.f_select(0, 0)?.f_argmax(0, false)?;
        let (rows, columns) = (strongest.size()[0] as usize, strongest.size()[1] as usize);
        let strongest = values_of(&strongest)?.into_iter().map(|group| group as usize).collect();
        Ok(GroupMap {
            layer: self.layer.clone(),
            names: self.groups.iter().map(|group| group.name.clone()).collect(),
            image: view.picture().clone(),
            rows,
            columns,
            strongest,
        })
    }

    /// The mean of each group's channels, each channel normalised by its own mean and standard deviation.
    ///
    /// # Shapes
    /// `[N, C, H, W]` → `[N, groups, H, W]`
    fn scores(&self, maps: &Tensor, clusters: &[Vec<usize>]) -> Result<Tensor> {
        let device = maps.device();
        let normal = maps.f_sub(&self.mean.f_to_device(device)?)?.f_div(&self.std.f_to_device(device)?)?;
        let scores = clusters.iter().map(|channels| -> Result<Tensor> {
            let channels: Vec<i64> = channels.iter().map(|channel| *channel as i64).collect();
            let channels = Tensor::f_from_slice(&channels)?.f_to_device(device)?;
            Ok(normal.f_index_select(1, &channels)?.f_mean_dim([1].as_slice(), true, Kind::Float)?)
        });
        Ok(Tensor::f_cat(&scores.collect::<Result<Vec<Tensor>>>()?, 1)?)
    }
}

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: channels that are active together in {} images", self.layer, self.searched)?;
        for (number, group) in self.groups.iter().enumerate() {
            let labels: Vec<String> =
                group.labels.iter().map(|(name, share)| format!("{name} {:.0} %", 100.0 * share)).collect();
            write!(f, "\n{number}: {} channels; strongest on {}", group.channels.len(), labels.join(", "))?;
        }
        Ok(())
    }
}

/// The group that is strongest at each position of an image. See [`Groups::map`].
pub struct GroupMap {
    pub(in crate::see) layer: String,
    pub(in crate::see) names: Vec<String>,
    pub(in crate::see) image: Image,
    pub(in crate::see) rows: usize,
    pub(in crate::see) columns: usize,
    /// The group at each position, row by row.
    pub(in crate::see) strongest: Vec<usize>,
}

impl GroupMap {
    /// The group at each position.
    ///
    /// # Shapes
    /// → `[H, W]` of the layer
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn tensor(&self) -> Result<Tensor> {
        let groups: Vec<i64> = self.strongest.iter().map(|group| *group as i64).collect();
        Ok(Tensor::f_from_slice(&groups)?.f_view([self.rows as i64, self.columns as i64])?)
    }

    /// The groups that are strongest somewhere, most frequent first, with their number of positions.
    pub(in crate::see) fn order(&self) -> Vec<(usize, usize)> {
        let mut counts = vec![0_u32; self.names.len()];
        self.strongest.iter().for_each(|group| counts[*group] += 1);
        let order = descending(&counts).into_iter().map(|group| (group, counts[group] as usize));
        order.take_while(|(_, count)| *count > 0).collect()
    }

    /// Each group of the map with its name and its share of the positions.
    pub(in crate::see) fn legend(&self) -> Vec<(usize, String)> {
        let all = self.strongest.len() as f64;
        let text = |(group, count): (usize, usize)| {
            let share = 100.0 * count as f64 / all;
            let share = if share < 0.5 { "< 1".to_owned() } else { format!("{share:.0}") };
            (group, format!("{group}: {} ({share} %)", self.names[group]))
        };
        self.order().into_iter().map(text).collect()
    }
}

impl fmt::Display for GroupMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let legend: Vec<String> = self.legend().into_iter().map(|(_, text)| text).collect();
        write!(
            f,
            "{}: the strongest group of channels at each of {} × {} positions: {}",
            self.layer,
            self.rows,
            self.columns,
            legend.join(", ")
        )
    }
}

debug_as_display!(Groups, GroupMap);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ward_joins_the_most_similar_channels_first() {
        // 0 and 3 are alike, 1 and 4 are alike, 2 is like nothing.
        let alike = [(0, 3), (1, 4)];
        let mut similarity = vec![0.0; 25];
        for channel in 0..5 {
            similarity[channel * 5 + channel] = 1.0;
        }
        for (a, b) in alike {
            (similarity[a * 5 + b], similarity[b * 5 + a]) = (0.9, 0.9);
        }
        assert_eq!(ward(&similarity, 5, 3), [vec![0, 3], vec![1, 4], vec![2]]);
        assert_eq!(ward(&similarity, 5, 5).len(), 5);
        assert_eq!(ward(&similarity, 5, 1), [vec![0, 1, 2, 3, 4]]);
    }
}
