//! Figures of matrices, filters and feature maps.

mod cells;
mod connections;
mod learned;
mod maps;
mod matrix;
mod play;
mod sheets;
mod shifts;
mod steps;
mod windows;

pub use matrix::side_by_side;
pub use steps::Steps;

use super::{Filter, Filters};
use crate::{
    Result,
    matrix::{Matrix, Meaning},
    notebook::{Output, shows, shows_its_figure},
    text::number,
};
use cells::{on_one_scale, readable, wrapped};
use nchw_draw::{Figure, Highlights, Layout, Palette, Panel};

impl Filter {
    /// Draws the filter's weights: its kernels side by side, on one scale.
    ///
    /// # Errors
    /// When the filter is too large to read.
    pub fn figure(&self) -> Result<Figure> {
        let kernels = self.drawn_kernels()?;
        let mut panels = self.panels(&kernels, &[]);
        if let [panel] = &mut panels[..] {
            panel.title = String::new();
        }
        let text = format!("{self:?}");
        let alt = format!("The filter {}: {}", self.name(), text.replace('\n', " / "));
        Layout { title: self.name().into(), rows: wrapped(panels), lines: Vec::new() }.figure(alt, text)
    }

    /// The kernels to draw; the single weights of a 1 × 1 convolution as one row.
    fn drawn_kernels(&self) -> Result<Vec<Matrix>> {
        let kernels = self.kernels();
        if self.channels() > 1 && self.size() == (1, 1) {
            let weights = kernels.iter().flat_map(|kernel| kernel.values().to_vec()).collect();
            let row = Matrix::new(1, self.channels(), weights)?.meaning(Meaning::Signed);
            return readable(&row).map(|()| vec![row]);
        }
        kernels.iter().try_for_each(readable)?;
        Ok(kernels)
    }

    /// A panel for each kernel, on one scale.
    fn panels<'a>(&self, kernels: &'a [Matrix], channels: &[&str]) -> Vec<Panel<'a>> {
        let caption = self.options().join(", ");
        let panel = |(i, kernel): (usize, &'a Matrix)| {
            let title = match (kernels.len(), channels.get(i)) {
                (1, _) => self.name().to_owned(),
                (_, Some(channel)) => format!("on {channel}"),
                (_, None) => format!("on {}", self.channel_name(i)),
            };
            Panel::cells(title, kernel.grid(), Palette::Signed, Highlights::default()).caption(&caption)
        };
        let mut panels: Vec<Panel> = kernels.iter().enumerate().map(panel).collect();
        on_one_scale(&mut panels);
        panels
    }

    /// The bias and the options, if they are not as usual.
    fn options(&self) -> Vec<String> {
        let bias = (self.bias() != 0.0).then(|| format!("bias {}", number(self.bias())));
        bias.into_iter().chain(self.slide.in_words()).collect()
    }
}

impl Filters {
    /// Draws all filters on one scale: a row for each, or, if they have one kernel, side by side.
    ///
    /// # Errors
    /// When a filter is too large to read.
    pub fn figure(&self) -> Result<Figure> {
        let drawn = self.filters().iter().map(Filter::drawn_kernels).collect::<Result<Vec<_>>>()?;
        let mut panels: Vec<Vec<Panel>> =
            self.filters().iter().zip(&drawn).map(|(filter, kernels)| filter.panels(kernels, &[])).collect();
        on_one_scale(panels.iter_mut().flatten());
        let rows = if drawn.iter().all(|kernels| kernels.len() == 1) {
            wrapped(panels.into_iter().flatten().collect())
        } else {
            let heading = |filter: &Filter| vec![Panel::heading(filter.name().to_owned())];
            self.filters().iter().map(heading).zip(panels).flat_map(|(heading, row)| [heading, row]).collect()
        };
        let size = self.weight().size();
        let title =
            format!("{} filters   N={}  C={}  H={}  W={}", size[0], size[0], size[1], size[2], size[3]);
        let text = format!("{self:?}");
        Layout { title, rows, lines: Vec::new() }.figure(text.replace('\n', " / "), text)
    }
}

shows!(Filter: |filter| Output::figure_or_text(filter.figure(), filter));
shows!(Filters: |filters| Output::figure_or_text(filters.figure(), filters));
shows_its_figure!(super::FeatureMaps, super::Learned);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::RED;

    #[test]
    fn each_kernel_is_drawn_and_described() {
        let filter = Filter::vertical_edge().for_colour(RED).stride(2).with_bias(0.5);
        let figure = filter.figure().unwrap();
        assert!(figure.text().contains("bias 0.5, stride 2") && figure.text().contains("blue:"));
        let one = Filter::mixture("both", [1, 1, 0]).figure().unwrap();
        assert!(figure.size().0 > 2 * one.size().0, "{:?} {:?}", figure.size(), one.size());
        let layer = Filters::stack([&filter, &filter.named("again")]).unwrap().figure().unwrap();
        assert!(layer.alt().starts_with("2 filters, N C H W = [2, 3, 3, 3]"), "{}", layer.alt());
        assert!(Filter::random(30, 1).unwrap().figure().is_err());
    }
}
