//! Figures of data sets.

use super::{Bars as BarImages, Dataset, balance::labels_of};
use crate::{
    Result,
    image::Image,
    notebook::{Output, shows, shows_its_figure},
    shapes::commas,
    text::number,
};
use nchw_draw::{
    Figure, Layout, Panel,
    bars::{Bar, Bars, Column, PLAIN, STRONG},
    in_rows,
};
use tch::Tensor;

/// The number of images in the strip of a class.
const EACH: usize = 6;
/// The width of a strip on the page.
const WIDTH: f64 = 396.0;
/// A class with fewer images is pointed out.
const FEW: usize = 10;
/// The most letters of a line below a figure.
const LINE: usize = 92;

impl Dataset {
    /// The first training images of each class, with the number of images per class.
    ///
    /// # Errors
    /// When the labels are not whole numbers.
    pub fn figure(&self) -> Result<Figure> {
        let labels = labels_of(&self.train.labels)?;
        let mut panels = Vec::new();
        let mut counts = Vec::new();
        for (class, (train, test)) in self.balance().into_iter().enumerate() {
            let name = &self.classes[class];
            counts.push(format!("{name}: {} and {}", commas(train as u64), commas(test as u64)));
            let first: Vec<i64> =
                (0..labels.len() as i64).filter(|&i| labels[i as usize] == class as i64).take(EACH).collect();
            if first.is_empty() {
                continue;
            }
            let strip = self.train.images.f_index_select(0, &Tensor::f_from_slice(&first)?)?;
            // The images side by side: N x C x H x W becomes C x H x (N W).
            let rows = strip.size().get(2).copied().unwrap_or(0);
            let wide = strip.f_permute([1, 2, 0, 3])?.f_reshape([1, 3, rows, -1])?;
            let width = WIDTH * first.len() as f64 / EACH as f64;
            let image = Image::from_tensor(&wide)?;
            panels.push(Panel::picture(format!("{class}  {name}"), image.pixels(), width).bare());
        }
        let (train, test) = (commas(self.train.len() as u64), commas(self.test.len() as u64));
        let line = format!("{train} training images, {test} test images");
        let alt = format!(
            "{}: the first training images of each class. Training images and test images: {}",
            self.name,
            counts.join("; ")
        );
        let mut lines = vec![line];
        lines.extend(self.notes.iter().flat_map(|note| wrapped(note)));
        let text = counts.iter().chain(&self.notes).map(String::as_str).collect::<Vec<_>>().join("\n");
        Layout { title: self.name.clone(), rows: in_rows(panels, 2), lines }.figure(alt, text)
    }

    /// How many images each class has: a bar for the training images and one for the test images.
    ///
    /// # Errors
    /// When the labels are not whole numbers, or there are no classes.
    ///
    /// ```
    /// use nchw::prelude::*;
    /// let figure = Dataset::animals_and_vehicles()?.balance_figure()?;
    /// assert!(figure.text().contains("animal: 126 to train on, 42 to test with"));
    /// # Ok::<(), nchw::Error>(())
    /// ```
    pub fn balance_figure(&self) -> Result<Figure> {
        let counts = self.balance();
        let most = counts.iter().map(|(train, test)| (*train).max(*test)).max().unwrap_or(0).max(1);
        let column = |title: &str, counts: Vec<usize>| {
            let bar = |count: &usize| Bar {
                from: 0.0,
                to: *count as f64,
                text: commas(*count as u64),
                colour: if *count < FEW { STRONG } else { PLAIN },
            };
            let bars = counts.iter().map(bar).collect();
            Column { title: title.to_owned(), bars, range: (0.0, most as f64), ticks: vec![], width: 280.0 }
        };
        let columns = vec![
            column("to train on", counts.iter().map(|(train, _)| *train).collect()),
            column("to test with", counts.iter().map(|(_, test)| *test).collect()),
        ];
        let title = format!("Images per class: {}", self.name);
        let rows = self.classes.iter().zip(&counts);
        let text: Vec<String> = rows
            .map(|(name, (train, test))| {
                format!(
                    "{name}: {} to train on, {} to test with",
                    commas(*train as u64),
                    commas(*test as u64)
                )
            })
            .collect();
        let lines = vec![format!("blue: fewer than {FEW}, so few that luck decides")];
        let alt = format!("{title}. {}", text.join("; "));
        Bars { title, names: self.classes.clone(), bold: None, columns, lines }.figure(alt, text.join("\n"))
    }
}

/// A text in lines that fit below a figure.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LINE => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

shows!(Dataset: |dataset| Output::figure_or_text(dataset.figure(), dataset));
impl BarImages {
    /// Draws the first twelve images with their labels.
    ///
    /// # Errors
    /// When drawing fails.
    pub fn figure(&self) -> Result<Figure> {
        let count = self.labels.numel().min(12);
        let mut panels = Vec::new();
        for index in 0..count {
            let label = self.labels.f_double_value(&[index as i64])?;
            let image = self.image(index)?;
            panels.push(
                Panel::picture(format!("label {}", number(label as f32)), image.pixels(), 120.0).bare(),
            );
        }
        let title = format!("{} images of bars, the first {count}   C=1  H=12  W=12", self.images.size()[0]);
        let text = format!("{title}; the label is 1 if the bar is vertical, 0 if it is horizontal");
        Layout { title, rows: in_rows(panels, 6), lines: Vec::new() }.figure(text.clone(), text)
    }
}
shows_its_figure!(BarImages);
