//! How a notebook displays a value. No other module knows the output format.

mod plain;
mod play;
pub(crate) mod runtime;

pub use play::{Interactive, shape_lab};

use crate::{
    Result,
    shapes::{Explanation, Problem, Row, Table},
};
use base64::Engine as _;
use nchw_core::html::escape;
use nchw_draw::{Chart, Figure, PIXEL_RATIO};
use std::fmt;

/// Displays a value when it is the last expression of a cell.
///
/// evcxr calls `evcxr_display` by name; the prelude imports the trait into every cell.
///
/// ```
/// use nchw::prelude::*;
/// // The last line of a cell: the table is shown as HTML.
/// table("3x7x7", "conv 10 3x3")?.evcxr_display();
/// # Ok::<(), nchw::Error>(())
/// ```
pub trait Show {
    /// Displays the value as the output of a cell.
    fn evcxr_display(&self);
}

/// The output of a cell, in a form for each kind of viewer.
pub(crate) enum Output {
    /// A figure, with its alternative text and its content as text.
    Figure(Figure),
    /// HTML, and the same content as plain text for viewers without HTML. Untrusted notebooks
    /// drop scripts and style sheets, so neither may carry meaning.
    Html(String, String),
    /// A message.
    Text(String),
    /// A value as text, as evcxr displays values.
    Value(String),
}

impl Output {
    /// The figure, or the error message.
    pub(crate) fn figure(figure: Result<Figure>) -> Output {
        figure.map_or_else(|error| Output::Text(error.to_string()), Output::Figure)
    }

    /// The figure, or the value as text if drawing it failed.
    pub(crate) fn figure_or_text(figure: Result<Figure>, value: &dyn fmt::Debug) -> Output {
        figure.map_or_else(|_| Output::Text(format!("{value:?}")), Output::Figure)
    }

    /// HTML, with the value as its plain text.
    pub(crate) fn html(html: String, value: &dyn fmt::Display) -> Output {
        Output::Html(html, value.to_string())
    }

    /// Writes the output in evcxr's format: a block for each MIME type. Everything is written at
    /// once, so that other threads cannot print a line in between.
    pub(crate) fn print(&self) {
        let block =
            |mime: &str, content: &str| format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n");
        let output = match self {
            Output::Figure(figure) => {
                let data = encoded(figure);
                let html = image(figure, &data);
                // For viewers that strip HTML, and for terminals.
                block("text/html", &html) + &block("image/png", &data) + &block("text/plain", figure.text())
            }
            Output::Html(html, text) => block("text/html", html) + &block("text/plain", text),
            Output::Text(text) => format!("{text}\n"),
            Output::Value(text) => block("text/plain", text),
        };
        print!("{output}");
    }
}

/// The PNG file of a figure as base64.
fn encoded(figure: &Figure) -> String {
    base64::engine::general_purpose::STANDARD.encode(figure.png())
}

/// A figure as HTML; `data` is its PNG file as base64.
fn image(figure: &Figure, data: &str) -> String {
    let width = figure.size().0 / PIXEL_RATIO;
    format!(
        "<img src=\"data:image/png;base64,{data}\" width=\"{width}\" alt=\"{}\" style=\"max-width:100%;height:auto\">",
        escape(figure.alt())
    )
}

/// Implements [`Show`] for types: `shows!(Heat: |heat| Output::figure(heat.figure()))`.
macro_rules! shows {
    ($($type:ty: |$value:ident| $content:expr),* $(,)?) => { $(
        impl $crate::notebook::Show for $type {
            fn evcxr_display(&self) {
                let $value = self;
                $content.print();
            }
        }
    )* };
}
pub(crate) use shows;

/// Implements [`Show`] and the methods `save` and `save_slide` for types with a method `figure()`.
macro_rules! shows_its_figure {
    ($($type:ty),*) => { $(
        impl $type {
            /// Writes the figure as a PNG file.
            ///
            /// # Errors
            /// When the file cannot be written, or its name does not end in `.png`.
            pub fn save(&self, path: impl AsRef<std::path::Path>) -> $crate::Result<()> {
                self.figure()?.save(path)
            }

            /// Writes the figure as large as it fits on a page of 1920 x 1080 pixels (16:9), for a projector.
            ///
            /// # Errors
            /// When the file cannot be written, or its name does not end in `.png`.
            pub fn save_slide(&self, path: impl AsRef<std::path::Path>) -> $crate::Result<()> {
                self.figure()?.save_slide(path)
            }
        }
        $crate::notebook::shows!($type: |value| $crate::notebook::Output::figure(value.figure()));
    )* };
}
pub(crate) use shows_its_figure;

shows!(
    Figure: |figure| Output::Figure(figure.clone()),
    Chart: |chart| Output::figure(chart.figure()),
    Table: |table| Output::html(table.to_html(), table),
    Row: |row| Output::html(row.to_html(), &row.explain()),
    Explanation: |explanation| Output::html(explanation.to_html(), explanation),
    Problem: |problem| Output::html(problem.to_html(), problem),
);
