//! What a notebook shows of a value: the only module that knows the output format.

pub(crate) mod runtime;

use crate::{
    Result,
    chart::Chart,
    figure::{Figure, PIXEL_RATIO},
    shapes::{Explanation, Problem, Row, Table},
};
use base64::Engine as _;
use nchw_core::html::escape;
use std::fmt;

/// What a cell shows when its last expression is this value.
///
/// evcxr calls `evcxr_display` by this name; the prelude brings the trait into every cell.
///
/// ```
/// use nchw::prelude::*;
/// // The last line of a cell: the table is shown as HTML.
/// table("3x7x7", "conv 10 3x3")?.evcxr_display();
/// # Ok::<(), nchw::Error>(())
/// ```
pub trait Show {
    /// Shows the value as the output of a cell.
    fn evcxr_display(&self);
}

/// The output of a cell: the same content for everything that may display it.
pub(crate) enum Output {
    /// A picture, with its alternative text and its content in words.
    Figure(Figure),
    /// HTML, and the same as text where HTML is not understood. Notebooks that are not trusted
    /// drop scripts and style sheets, so neither may carry meaning.
    Html(String, String),
    /// Only text.
    Text(String),
}

impl Output {
    /// A figure, or the reason why there is none.
    pub(crate) fn figure(figure: Result<Figure>) -> Output {
        figure.map_or_else(|error| Output::Text(error.to_string()), Output::Figure)
    }

    /// A figure; where there is none, the value as text.
    pub(crate) fn figure_or_text(figure: Result<Figure>, value: &dyn fmt::Debug) -> Output {
        figure.map_or_else(|_| Output::Text(format!("{value:?}")), Output::Figure)
    }

    /// HTML, with the value as text.
    pub(crate) fn html(html: String, value: &dyn fmt::Display) -> Output {
        Output::Html(html, value.to_string())
    }

    /// Writes it in evcxr's format: a block for each MIME type, of which the last that the
    /// notebook knows wins. One write: lines of other threads must not come in between.
    pub(crate) fn print(&self) {
        let block =
            |mime: &str, content: &str| format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n");
        let output = match self {
            Output::Figure(figure) => {
                let data = base64::engine::general_purpose::STANDARD.encode(figure.png());
                let width = figure.size().0 / PIXEL_RATIO;
                let html = format!(
                    "<img src=\"data:image/png;base64,{data}\" width=\"{width}\" alt=\"{}\" \
                     style=\"max-width:100%;height:auto\">",
                    escape(figure.alt())
                );
                // For viewers that strip HTML, and for terminals.
                block("text/html", &html) + &block("image/png", &data) + &block("text/plain", figure.text())
            }
            Output::Html(html, text) => block("text/html", html) + &block("text/plain", text),
            Output::Text(text) => format!("{text}\n"),
        };
        print!("{output}");
    }
}

/// Says what each type shows in a notebook: `shows!(Heat: |heat| Output::figure(heat.figure()))`.
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

/// What a type with a `figure()` of its own can do: show it, and save it.
macro_rules! shows_its_figure {
    ($($type:ty),*) => { $(
        impl $type {
            /// Writes the figure as a PNG file.
            ///
            /// # Errors
            /// When it cannot be written, or its name does not end in `.png`.
            pub fn save(&self, path: impl AsRef<std::path::Path>) -> $crate::Result<()> {
                self.figure()?.save(path)
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
