//! Interactive figures in a notebook.

use super::{Output, encoded, image, shows};
use crate::{Error, Result, files, shapes::table};
use nchw_draw::Figure;
use serde_json::json;
use std::{fmt, fs, path::Path};

/// An interactive figure: the `play` of a filter, of the steps of a convolution, of a network.
///
/// As the last expression of a cell it is displayed. Where scripts do not run (GitHub, print, a notebook that
/// you do not trust), its still figure stands in its place. Nothing is loaded from a network.
///
/// ```
/// use nchw::prelude::*;
/// let lab = shape_lab("3x32x32", "conv 8 3x3; relu")?;
/// lab.save(std::env::temp_dir().join("shape-lab.html"))?;
/// # Ok::<(), nchw::Error>(())
/// ```
pub struct Interactive {
    figure: nchw_web::Figure,
    /// What stands in its place where scripts do not run, as HTML and as text.
    still: String,
    text: String,
}

impl Interactive {
    /// A figure that stands beside its still figure.
    pub(crate) fn with_still(figure: nchw_web::Figure, still: &Figure) -> Interactive {
        Interactive { still: image(still, &encoded(still)), text: still.text().to_owned(), figure }
    }

    /// A figure whose still form is HTML, such as a table.
    pub(crate) fn with_html(figure: nchw_web::Figure, still: String, text: String) -> Interactive {
        Interactive { figure, still, text }
    }

    /// Writes a web page with this figure: one file to hand out, to project, or to open on a phone. It needs no
    /// network and no installation.
    ///
    /// # Errors
    /// When the file cannot be written, its name does not end in `.html`, or it is there and is no such page.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Interactive::save_page(self.figure.heading(), std::slice::from_ref(self), path)
    }

    /// Writes a web page with several figures.
    ///
    /// # Errors
    /// Like [`Interactive::save`].
    pub fn save_page(title: &str, figures: &[Interactive], path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let shown = path.display();
        if path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("html")) {
            return Err(Error::new(format!(
                "interactive figures are saved as web pages: expected a name like \"figure.html\", got \"{shown}\""
            )));
        }
        if fs::read(path).is_ok_and(|bytes| !nchw_web::is_page(&bytes)) {
            return Err(Error::new(format!(
                "{shown} is a file that the course has not written, and would be overwritten: choose another name"
            )));
        }
        let figures: Vec<nchw_web::Figure> = figures.iter().map(|play| play.figure.clone()).collect();
        let page = nchw_web::page(title, &figures);
        files::write(path, page.as_bytes()).map_err(|e| files::not_written(path, &e))
    }

    fn html(&self) -> String {
        nchw_web::fragment(&self.figure, &self.still)
    }
}

/// The shape lab: type layers, and the table of their shapes follows each key.
///
/// # Errors
/// When the input or a layer cannot be read. Layers that do not fit are no error: the figure marks them.
///
/// ```
/// use nchw::prelude::*;
/// let lab = shape_lab("3x32x32", "conv 8 3x3; maxpool 2")?;
/// assert_eq!(format!("{lab:?}"), "interactive figure: Shape lab");
/// # Ok::<(), nchw::Error>(())
/// ```
pub fn shape_lab(input: &str, layers: &str) -> Result<Interactive> {
    let table = table(input, layers)?;
    let figure = nchw_web::Figure::shapes().options(json!({"input": input, "layers": layers}));
    Ok(Interactive::with_html(figure, table.to_html(), table.to_string()))
}

impl fmt::Debug for Interactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interactive figure: {}", self.figure.heading())
    }
}

shows!(Interactive: |play| Output::Html(play.html(), play.text.clone()));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    #[test]
    fn a_page_is_saved_under_a_name_of_html() {
        let play = Interactive::with_html(nchw_web::Figure::quiz(), "<p>still</p>".into(), "still".into());
        let folder = TempFolder::new("play");
        let error = play.save(folder.path().join("quiz.png")).unwrap_err().to_string();
        assert!(
            error.contains("expected a name like \"figure.html\"") && error.contains("quiz.png"),
            "{error}"
        );
        let mine = folder.path().join("mine.html");
        std::fs::write(&mine, "<p>mine</p>").unwrap();
        assert!(play.save(&mine).unwrap_err().to_string().contains("choose another name"));
        assert_eq!(std::fs::read_to_string(mine).unwrap(), "<p>mine</p>");
        // A page of the course is replaced.
        for _ in 0..2 {
            play.save(folder.path().join("quiz.html")).unwrap();
        }
        let page = std::fs::read_to_string(folder.path().join("quiz.html")).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("data-figure=\"quiz\""));
        assert!(play.html().contains("<p>still</p>") && !page.contains("<p>still</p>"));
        assert_eq!(format!("{play:?}"), "interactive figure: Quiz");
    }
}
