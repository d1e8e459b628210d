//! A figure of a data set: a strip of images for each class.

use super::Dataset;
use crate::{
    Result,
    figure::Figure,
    image::Image,
    matrix::count_of_numbers,
    notebook::{Output, shows},
    panels::{Content, Layout, Panel},
    shapes::commas,
};
use tch::Tensor;

/// The number of images in the strip of a class.
const EACH: usize = 6;
/// The width of a strip on the page.
const WIDTH: f64 = 396.0;

/// The labels as a vector. Checks the size first: an expanded tensor can claim more values than fit in
/// memory.
fn labels_of(labels: &Tensor) -> Result<Vec<i64>> {
    count_of_numbers(&labels.size())?;
    Ok(Vec::<i64>::try_from(labels)?)
}

impl Dataset {
    /// The number of training images and test images of each class.
    pub fn balance(&self) -> [(usize, usize); 10] {
        let [train, test] = [&self.train, &self.test].map(|part| labels_of(&part.labels).unwrap_or_default());
        let count = |labels: &[i64], class: i64| labels.iter().filter(|label| **label == class).count();
        std::array::from_fn(|class| (count(&train, class as i64), count(&test, class as i64)))
    }

    /// The first training images of each class, with the number of images per class.
    ///
    /// # Errors
    /// When the labels are not whole numbers.
    pub fn figure(&self) -> Result<Figure> {
        let labels = labels_of(&self.train.labels)?;
        let mut panels = Vec::new();
        let mut counts = Vec::new();
        for (class, (train, test)) in self.balance().into_iter().enumerate() {
            let name = self.classes[class];
            counts.push(format!("{name}: {} and {}", commas(train as u64), commas(test as u64)));
            let first: Vec<i64> =
                (0..labels.len() as i64).filter(|&i| labels[i as usize] == class as i64).take(EACH).collect();
            if first.is_empty() {
                continue;
            }
            let strip = self.train.images.f_index_select(0, &Tensor::f_from_slice(&first)?)?;
            // The images side by side: N x C x H x W becomes C x H x (N W).
            let wide = strip.f_permute([1, 2, 0, 3])?.f_reshape([1, 3, 32, -1])?;
            let width = WIDTH * first.len() as f64 / EACH as f64;
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
        let line = format!("{train} training images, {test} test images");
        let alt = format!(
            "{}: the first training images of each class. Training images and test images: {}",
            self.name,
            counts.join("; ")
        );
        Layout { title: self.name.clone(), rows, lines: vec![line] }.figure(alt, counts.join("\n"))
    }
}

shows!(Dataset: |dataset| Output::figure_or_text(dataset.figure(), dataset));
