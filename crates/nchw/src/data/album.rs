//! What a data set looks like: a strip of pictures for every class.

use super::Dataset;
use crate::{
    Result,
    figure::Figure,
    image::Image,
    matrix::count_of_numbers,
    notebook::{Output, shows},
    panels::{Content, Panel, Sheet},
    shapes::commas,
};
use tch::Tensor;

/// Pictures in the strip of a class.
const EACH: usize = 6;
/// The width of a strip on the page.
const WIDTH: f64 = 396.0;

/// The labels in memory. An expanded tensor can claim more than there is memory for.
fn classes(labels: &Tensor) -> Result<Vec<i64>> {
    count_of_numbers(&labels.size())?;
    Ok(Vec::<i64>::try_from(labels)?)
}

impl Dataset {
    /// How many pictures of each class there are, to train on and to test with.
    pub fn balance(&self) -> [(usize, usize); 10] {
        let [train, test] = [&self.train, &self.test].map(|part| classes(&part.labels).unwrap_or_default());
        let count = |labels: &[i64], class: i64| labels.iter().filter(|label| **label == class).count();
        std::array::from_fn(|class| (count(&train, class as i64), count(&test, class as i64)))
    }

    /// The first training pictures of every class, with how many there are.
    ///
    /// # Errors
    /// When the labels are no whole numbers.
    pub fn figure(&self) -> Result<Figure> {
        let labels = classes(&self.train.labels)?;
        let mut panels = Vec::new();
        let mut words = Vec::new();
        for (class, (train, test)) in self.balance().into_iter().enumerate() {
            let name = self.classes[class];
            words.push(format!("{name}: {} and {}", commas(train as u64), commas(test as u64)));
            let places: Vec<i64> =
                (0..labels.len() as i64).filter(|&i| labels[i as usize] == class as i64).take(EACH).collect();
            if places.is_empty() {
                continue;
            }
            let strip = self.train.images.f_index_select(0, &Tensor::f_from_slice(&places)?)?;
            // One picture beside the other: N x C x H x W becomes C x H x (N W).
            let wide = strip.f_permute([1, 2, 0, 3])?.f_reshape([1, 3, 32, -1])?;
            let width = WIDTH * places.len() as f64 / EACH as f64;
            panels.push(Panel::new(
                format!("{class}  {name}"),
                Content::Picture(Image::from_tensor(&wide)?.pixels()),
                width,
            ));
        }
        let mut rows: Vec<Vec<Panel>> = Vec::new();
        while !panels.is_empty() {
            rows.push(panels.drain(..2.min(panels.len())).collect());
        }
        let (train, test) = (commas(self.train.len() as u64), commas(self.test.len() as u64));
        let line = format!("{train} pictures to train on, {test} to test with");
        let alt = format!(
            "{}: the first training pictures of each class. To train on and to test with: {}",
            self.name,
            words.join("; ")
        );
        Sheet { title: self.name.clone(), rows, lines: vec![line] }.figure(alt, words.join("\n"))
    }
}

shows!(Dataset: |dataset| Output::figure_or_text(dataset.figure(), dataset));
