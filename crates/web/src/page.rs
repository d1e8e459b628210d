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
static KINDS: [Kind; 2] = [
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
pub struct Figure {
    kind: &'static str,
    heading: String,
    options: Value,
}

impl Figure {
    fn new(kind: &'static str, heading: &str) -> Figure {
        Figure { kind, heading: heading.into(), options: json!({}) }
    }

    /// The shape lab: layers as text, and their shapes, costs and receptive fields.
    pub fn shapes() -> Figure {
        Figure::new("shapes", "Shape lab")
    }

    /// Random quiz questions.
    pub fn quiz() -> Figure {
        Figure::new("quiz", "Quiz")
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
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>{PAGE_STYLE}</style></head>\n\
         <body><main><h1>{title}</h1>\n{body}</main>\n{}</body></html>\n",
        support(figures)
    )
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
        scripts.concat()
    )
}

/// A module, compressed, as base64.
fn pack(module: &[u8]) -> String {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory cannot fail; if it did, the page would say that the figure did not start.
    let packed = packed.write_all(module).and_then(|()| packed.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_everything_and_loads_nothing() {
        let text = page("A & B", &[Figure::shapes(), Figure::quiz(), Figure::quiz()]);
        assert!(text.contains("<title>A &amp; B</title>") && text.matches("data-figure=").count() == 3);
        // Each script once.
        assert_eq!(text.matches("nchwFigures.quiz = ").count(), 1);
        assert_eq!(text.matches("const NCHW_MODULES=").count(), 1);
        let without_svg = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!without_svg.contains("http:") && !without_svg.contains("https:") && !text.contains("src="));
        // A script that contains its own end tag would end there.
        assert_eq!(text.matches("</script>").count(), 1);
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
