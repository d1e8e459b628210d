//! Pages and fragments of pages that contain figures and everything that the figures need.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use nchw_core::html::escape;
use serde_json::{Value, json};
use std::{collections::BTreeMap, io::Write as _, sync::LazyLock};

/// A module, built by `cargo xtask web`, and its compressed form as base64.
struct Wasm {
    name: &'static str,
    packed: LazyLock<String>,
}

static MAPS: Wasm =
    Wasm { name: "maps", packed: LazyLock::new(|| pack(include_bytes!("../assets/maps.wasm"))) };
static NET: Wasm = Wasm { name: "net", packed: LazyLock::new(|| pack(include_bytes!("../assets/net.wasm"))) };

static SHAPES: Wasm =
    Wasm { name: "shapes", packed: LazyLock::new(|| pack(include_bytes!("../assets/shapes.wasm"))) };

/// What every figure needs.
const BASE: [&str; 2] = [include_str!("../script/module.js"), include_str!("../script/play.js")];
const STYLE: &str = include_str!("../script/style.css");

/// The module, the scripts and the styles of one kind of figure.
struct Kind {
    name: &'static str,
    module: &'static Wasm,
    scripts: &'static [&'static str],
    style: &'static str,
}

/// All kinds of figures.
static KINDS: [Kind; 6] = [
    Kind {
        name: "filter",
        module: &MAPS,
        scripts: &[
            include_str!("../script/photo.js"),
            include_str!("../script/filter/filter.js"),
            include_str!("../script/filter/parts.js"),
        ],
        style: concat!(include_str!("../script/photo.css"), include_str!("../script/filter/filter.css")),
    },
    Kind {
        name: "explorer",
        module: &NET,
        scripts: &[
            include_str!("../script/photo.js"),
            include_str!("../script/explorer/explorer.js"),
            include_str!("../script/explorer/input.js"),
            include_str!("../script/explorer/layers.js"),
            include_str!("../script/explorer/value.js"),
            include_str!("../script/explorer/scores.js"),
        ],
        style: concat!(include_str!("../script/photo.css"), include_str!("../script/explorer/explorer.css")),
    },
    Kind {
        name: "window",
        module: &MAPS,
        scripts: &[include_str!("../script/cells.js"), include_str!("../script/window.js")],
        style: concat!(include_str!("../script/cells.css"), include_str!("../script/window.css")),
    },
    Kind {
        name: "pool",
        module: &MAPS,
        scripts: &[include_str!("../script/cells.js"), include_str!("../script/pool.js")],
        style: concat!(include_str!("../script/cells.css"), include_str!("../script/pool.css")),
    },
    Kind {
        name: "shapes",
        module: &SHAPES,
        scripts: &[include_str!("../script/shapes.js")],
        style: include_str!("../script/shapes.css"),
    },
    Kind {
        name: "quiz",
        module: &SHAPES,
        scripts: &[include_str!("../script/quiz.js")],
        style: include_str!("../script/quiz.css"),
    },
];

/// An interactive figure: its kind, and what it begins with.
#[derive(Clone)]
pub struct Figure {
    kind: &'static str,
    heading: String,
    options: Value,
}

impl Figure {
    pub(crate) fn new(kind: &'static str, heading: &str) -> Figure {
        Figure { kind, heading: heading.into(), options: json!({}) }
    }

    /// The sliding window. Everything that [`Figure::options`] does not set begins with the first preset: `image` and
    /// `kernel` (rows of numbers as text; an empty line separates three channels), `bias` (text), `stride`, `padding`
    /// and `dilation` (numbers).
    pub fn window() -> Figure {
        Figure::new("window", "Sliding window")
    }

    /// Pooling. Options: `map` (rows of numbers as text), `window` and `stride` (numbers).
    pub fn pool() -> Figure {
        Figure::new("pool", "Pooling")
    }

    /// The shape lab: layers as text, and their shapes, costs and receptive fields.
    pub fn shapes() -> Figure {
        Figure::new("shapes", "Shape lab")
    }

    /// Random quiz questions.
    pub fn quiz() -> Figure {
        Figure::new("quiz", "Quiz")
    }

    /// Its heading on a page.
    pub fn heading(&self) -> &str {
        &self.heading
    }

    /// What the script of the figure receives as `options`.
    pub fn options(self, options: Value) -> Figure {
        Figure { options, ..self }
    }

    /// The element that the figure replaces, and what it shows until then.
    fn element(&self, still: &str) -> String {
        format!(
            "<div class=\"nchw-play\" data-figure=\"{}\" data-options=\"{}\">{still}</div>",
            self.kind,
            escape(&self.options.to_string())
        )
    }
}

/// A complete page with these figures. It loads nothing, so one file is enough.
pub fn page(title: &str, figures: &[Figure]) -> String {
    let title = escape(title);
    let still = "<noscript><p>This figure needs JavaScript.</p></noscript>";
    let body: String = figures
        .iter()
        .map(|figure| {
            format!("<section><h2>{}</h2>{}</section>\n", escape(&figure.heading), figure.element(still))
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n{MARK}\n<title>{title}</title>\n<style>{PAGE_STYLE}</style></head>\n\
         <body><main><h1>{title}</h1>\n{body}</main>\n{}</body></html>\n",
        support(figures)
    )
}

/// Says in the head of a page who has written it.
const MARK: &str = "<meta name=\"generator\" content=\"nchw\">";

/// Whether [`page`] has written this file.
pub fn is_page(file: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&file[..file.len().min(1000)]);
    head.starts_with("<!DOCTYPE html>") && head.contains(MARK)
}

const PAGE_STYLE: &str = "body{margin:0;background:light-dark(#fff,#17181c);color:light-dark(#1b1b1f,#e6e6ea);\
    font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans KR',sans-serif}\
    main{max-width:1100px;margin:0 auto;padding:8px 16px 40px}h1{font-size:1.5rem}h2{font-size:1.2rem}";

/// A figure for the output of a notebook cell. `still` is HTML, such as an `<img>` with its alternative
/// text; it stays where scripts do not run.
pub fn fragment(figure: &Figure, still: &str) -> String {
    figure.element(still) + &support(std::slice::from_ref(figure))
}

/// The styles, the modules and the script that start these figures.
fn support(figures: &[Figure]) -> String {
    let used: Vec<&Kind> =
        KINDS.iter().filter(|kind| figures.iter().any(|figure| figure.kind == kind.name)).collect();
    let mut scripts = BASE.to_vec();
    let mut modules = BTreeMap::new();
    for kind in &used {
        modules.insert(kind.module.name, kind.module.packed.as_str());
        for script in kind.scripts {
            if !scripts.contains(script) {
                scripts.push(script);
            }
        }
    }
    let module_of: BTreeMap<_, _> = used.iter().map(|kind| (kind.name, kind.module.name)).collect();
    let styles: String = used.iter().map(|kind| kind.style).collect();
    format!(
        "<style>{STYLE}{styles}</style>\n<script>(function(){{\n\"use strict\";\n\
         const NCHW_MODULES={};\nconst NCHW_MODULE_OF={};\n{}nchwStart();\n}})();</script>\n",
        json!(modules),
        json!(module_of),
        scripts.iter().map(|script| without_comments(script)).collect::<String>()
    )
}

/// A script without its indentation and the lines that are comments: a page, and every notebook with a figure,
/// carries its text.
fn without_comments(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// A module or other bytes, compressed, as base64.
pub(crate) fn pack(module: &[u8]) -> String {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail; if it did, the page would say that the figure did not start.
    let packed = packed.write_all(module).and_then(|()| packed.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_page_has_everything_and_loads_nothing() {
        let text = page("A & B", &[Figure::shapes(), Figure::quiz(), Figure::quiz()]);
        assert!(text.contains("<title>A &amp; B</title>") && text.matches("data-figure=").count() == 3);
        assert!(is_page(text.as_bytes()) && !is_page(b"") && !is_page("<!DOCTYPE html><p>é</p>".as_bytes()));
        // Each script once.
        assert_eq!(text.matches("nchwFigures.quiz = ").count(), 1);
        assert_eq!(text.matches("const NCHW_MODULES=").count(), 1);
        let without_svg = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!without_svg.contains("http:") && !without_svg.contains("https:") && !text.contains("src="));
        // A script that contains its own end tag would end there.
        assert_eq!(text.matches("</script>").count(), 1);
    }

    /// On a page with several figures, a name of one script would replace that of another.
    #[test]
    fn no_name_is_in_two_scripts() {
        let scripts: BTreeSet<&str> =
            BASE.into_iter().chain(KINDS.iter().flat_map(|kind| kind.scripts).copied()).collect();
        let mut names = BTreeSet::new();
        for line in scripts.iter().flat_map(|script| script.lines()) {
            let declared = ["function ", "async function ", "const ", "let "]
                .iter()
                .find_map(|word| line.strip_prefix(word))
                .and_then(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
            if let Some(name) = declared.filter(|name| !name.is_empty()) {
                assert!(names.insert(name), "`{name}` is declared in two scripts");
            }
        }
        assert!(names.len() > 40 && names.contains("nchwPlay"), "{names:?}");
    }

    #[test]
    fn a_fragment_keeps_the_still_figure_and_its_options() {
        let figure = Figure::quiz().options(json!({"level": 2, "name": "<\"&>"}));
        let text = fragment(&figure, "<img alt=\"a quiz\">");
        assert!(text.starts_with(
            "<div class=\"nchw-play\" data-figure=\"quiz\" data-options=\"{&quot;level&quot;:2,"
        ));
        assert!(text.contains("&lt;\\&quot;&amp;&gt;") && text.contains("}\"><img alt=\"a quiz\"></div>"));
        assert!(!text.contains("nchwFigures.shapes = "));
    }
}
