//! The split of photos into training and test set, with photos that look the same on the same side.

use super::{
    notes::{FEW, counted, some_of},
    settings::FolderSettings,
};
use crate::{Result, image::Image, random::Rng};

/// Two photos look the same if so many of the 128 bits differ at most.
const BITS: u32 = 12;
/// … and the red, the green and the blue of their mean colours differ by at most so much.
const COLOUR: u8 = 16;
/// The stream of random numbers of the split.
const SPLIT: u64 = 0;

/// What a photo looks like: a perceptual hash and its mean colour.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// For 8 × 8 positions, whether the grey image is brighter than on the right, and than below.
    hash: u128,
    colour: [u8; 3],
}

impl Look {
    pub fn of(image: &Image) -> Result<Look> {
        let grey = image.grey();
        let (wide, high) = (grey.resize(8, 9)?.planes(), grey.resize(9, 8)?.planes());
        let right = (0..64).map(|at| at / 8 * 9 + at % 8).map(|at| wide[at] > wide[at + 1]);
        let below = (0..64).map(|at| high[at] > high[at + 8]);
        let hash = right.chain(below).fold(0, |hash, bit| hash << 1 | u128::from(bit));
        let planes = image.planes();
        let mean = |plane: &[u8]| {
            (plane.iter().map(|value| u64::from(*value)).sum::<u64>() / plane.len().max(1) as u64) as u8
        };
        let mut means = planes.chunks((planes.len() / 3).max(1)).map(mean);
        Ok(Look { hash, colour: [0; 3].map(|_| means.next().unwrap_or(0)) })
    }

    fn is_like(&self, other: &Look) -> bool {
        let near = |(a, b): (u8, u8)| a.abs_diff(b) <= COLOUR;
        (self.hash ^ other.hash).count_ones() <= BITS && self.colour.into_iter().zip(other.colour).all(near)
    }
}

/// A photo of a class, reduced.
pub(super) struct Photo {
    pub class: usize,
    /// `CLASS/FILE`, for notes.
    pub shown: String,
    /// `[3, side, side]`.
    pub pixels: Vec<u8>,
    pub look: Look,
}

/// Which photos are for the training and which for the test.
pub(super) struct Split {
    pub train: Vec<usize>,
    pub test: Vec<usize>,
    /// The photos that look the same, where there is more than one.
    alike: Vec<Vec<usize>>,
    /// For each class, how many photos it has and how many of them are for the test.
    counts: Vec<(usize, usize)>,
}

impl Split {
    /// `looks` are the classes and the looks of the photos.
    pub fn new(looks: &[(usize, Look)], classes: usize, settings: &FolderSettings) -> Split {
        let mut rng = Rng::new(settings.seed, SPLIT);
        let groups = groups(looks);
        let mut counts = vec![(0, 0); classes];
        looks.iter().for_each(|(class, _)| counts[*class].0 += 1);
        let wanted: Vec<usize> =
            counts.iter().map(|(all, _)| ((*all as f64 * settings.test).round() as usize).max(1)).collect();
        let mut in_test = vec![false; groups.len()];
        let class_of = |group: &Vec<usize>| {
            let class = looks[group[0]].0;
            group.iter().all(|photo| looks[*photo].0 == class).then_some(class)
        };
        // Groups in random order, as long as they fit. Photos that are in two classes are for the training.
        for index in rng.order(groups.len()) {
            let group = &groups[index as usize];
            let Some(class) = class_of(group) else { continue };
            let (all, tested) = &mut counts[class];
            if *tested + group.len() <= wanted[class] && *tested + group.len() < *all {
                *tested += group.len();
                in_test[index as usize] = true;
            }
        }
        // A class whose groups are all too large: the smallest of them.
        for class in (0..classes).filter(|class| counts[*class].1 == 0).collect::<Vec<_>>() {
            let own = groups.iter().enumerate().filter(|(_, group)| class_of(group) == Some(class));
            if let Some((index, group)) = own.min_by_key(|(_, group)| group.len())
                && group.len() < counts[class].0
            {
                counts[class].1 = group.len();
                in_test[index] = true;
            }
        }
        let part = |wanted: bool| {
            let groups = groups.iter().zip(&in_test).filter(|(_, in_test)| **in_test == wanted);
            let mut photos: Vec<usize> = groups.flat_map(|(group, _)| group.iter().copied()).collect();
            photos.sort_unstable();
            photos
        };
        let (train, test) = (part(false), part(true));
        let alike = groups.into_iter().filter(|group| group.len() > 1).collect();
        Split { train, test, alike, counts }
    }

    /// What to know about the split.
    pub fn notes(&self, photos: &[Photo], classes: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, (all, tested)) in classes.iter().zip(&self.counts) {
            if *all < FEW {
                notes.push(format!(
                    "`{name}` has only {}: with fewer than {FEW}, luck decides. 30 or more are better",
                    counted(*all, "image", "images")
                ));
            }
            if *tested == 0 {
                notes.push(format!("`{name}` has no image for the test: all of its images look the same"));
            }
        }
        let shown = |group: &Vec<usize>| {
            let names = group.iter().take(3).map(|photo| photos[*photo].shown.as_str());
            names.collect::<Vec<_>>().join(" = ") + if group.len() > 3 { " = \u{2026}" } else { "" }
        };
        let (same, different): (Vec<_>, Vec<_>) = self
            .alike
            .iter()
            .partition(|group| group.iter().all(|photo| photos[*photo].class == photos[group[0]].class));
        if !same.is_empty() {
            let names: Vec<String> = same.into_iter().map(shown).collect();
            notes.push(format!(
                "{} the same; each is kept on one side of the split: {}",
                counted(names.len(), "group of photos looks", "groups of photos look"),
                some_of(&names)
            ));
        }
        if !different.is_empty() {
            let names: Vec<String> = different.into_iter().map(shown).collect();
            notes.push(format!(
                "these look the same but are in different classes; is one misplaced? {}",
                some_of(&names)
            ));
        }
        notes
    }
}

/// The photos in groups that look the same: if A looks like B and B like C, all three are in one group.
fn groups(looks: &[(usize, Look)]) -> Vec<Vec<usize>> {
    // Sorted by red, so that each photo is compared only with those of a similar colour.
    let mut order: Vec<usize> = (0..looks.len()).collect();
    order.sort_by_key(|index| looks[*index].1.colour[0]);
    let mut parent: Vec<usize> = (0..looks.len()).collect();
    for (at, &a) in order.iter().enumerate() {
        let near = |b: &&usize| looks[**b].1.colour[0] - looks[a].1.colour[0] <= COLOUR;
        for &b in order[at + 1..].iter().take_while(near) {
            if looks[a].1.is_like(&looks[b].1) {
                let (first, second) = (root(&mut parent, a), root(&mut parent, b));
                parent[first.max(second)] = first.min(second);
            }
        }
    }
    let mut groups = vec![Vec::new(); looks.len()];
    for index in 0..looks.len() {
        groups[root(&mut parent, index)].push(index);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The first photo of a photo's group.
fn root(parent: &mut [usize], mut index: usize) -> usize {
    while parent[index] != index {
        parent[index] = parent[parent[index]];
        index = parent[index];
    }
    index
}
