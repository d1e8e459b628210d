//! Everything that a script can ask the module for.

#[cfg(feature = "maps")]
use crate::filter;
use crate::module::Module;
#[cfg(feature = "net")]
use crate::net;
#[cfg(any(feature = "maps", feature = "net"))]
use crate::{paint, photo};
#[cfg(feature = "maps")]
use crate::{pool, window};
#[cfg(feature = "shapes")]
use crate::{quiz, shapes};
use nchw_core::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Answers a request such as `{"call": "shapes", "input": "3x32x32", "layers": "relu"}`, in JSON.
/// After a mistake, the answer is `{"error": "…"}` with a message for the reader.
pub fn answer(module: &mut Module, request: &[u8]) -> String {
    let answer = serde_json::from_slice(request)
        .map_err(|error| Error::new(format!("the request is not JSON: {error}")))
        .and_then(|request| dispatch(module, request));
    answer.unwrap_or_else(|error| json!({"error": error.to_string()})).to_string()
}

/// A call: its name, and the function that answers it.
type Call = (&'static str, fn(&mut Module, Value) -> Result<Value>);

/// All calls, in groups. Each group is a module of its own in the browser.
const CALLS: &[&[Call]] = &[
    &[("version", |module, request| call(module, request, version))],
    #[cfg(any(feature = "maps", feature = "net"))]
    &[
        ("paint", |module, request| call(module, request, paint::paint)),
        ("colours", |module, request| call(module, request, paint::colours)),
        ("photo_planes", |module, request| call(module, request, photo::planes)),
    ],
    #[cfg(feature = "maps")]
    &[
        ("filter_presets", |module, request| call(module, request, filter::presets)),
        ("filter_change", |module, request| call(module, request, filter::change)),
        ("filter_map", |module, request| call(module, request, filter::map)),
        ("filter_window", |module, request| call(module, request, filter::window)),
    ],
    #[cfg(feature = "maps")]
    &[
        ("window", |module, request| call(module, request, window::show)),
        ("window_at", |module, request| call(module, request, window::at)),
        ("window_uses", |module, request| call(module, request, window::uses)),
        ("window_presets", |module, request| call(module, request, window::presets)),
        ("pool", |module, request| call(module, request, pool::show)),
        ("pool_at", |module, request| call(module, request, pool::at)),
        ("pool_under", |module, request| call(module, request, pool::under)),
        ("pool_presets", |module, request| call(module, request, pool::presets)),
    ],
    #[cfg(feature = "shapes")]
    &[
        ("shapes", |module, request| call(module, request, shapes::table)),
        ("shapes_presets", |module, request| call(module, request, shapes::presets)),
        ("field", |module, request| call(module, request, shapes::field)),
        ("quiz", |module, request| call(module, request, quiz::show)),
        ("quiz_check", |module, request| call(module, request, quiz::check)),
        ("quiz_explained", |module, request| call(module, request, quiz::explained)),
    ],
    #[cfg(feature = "net")]
    &[
        ("net_photo", |module, request| call(module, request, net::photo)),
        ("net_load", |module, request| call(module, request, net::load)),
        ("net_show", |module, request| call(module, request, net::show)),
        ("net_paint", |module, request| call(module, request, net::paint)),
        ("net_maps", |module, request| call(module, request, net::maps)),
        ("net_explain", |module, request| call(module, request, net::explain)),
        ("net_head", |module, request| call(module, request, net::head)),
        ("net_switch", |module, request| call(module, request, net::switch)),
    ],
];

fn dispatch(module: &mut Module, request: Value) -> Result<Value> {
    let name = request["call"].as_str().unwrap_or_default();
    let found = CALLS.iter().copied().flatten().find(|(known, _)| *known == name);
    let (_, function) = found.ok_or_else(|| Error::new(format!("there is no call `{name}`")))?;
    function(module, request)
}

/// Reads the arguments, calls the function, and writes its result.
fn call<A: DeserializeOwned, R: Serialize>(
    module: &mut Module,
    request: Value,
    function: fn(&mut Module, A) -> Result<R>,
) -> Result<Value> {
    let name = request["call"].to_string();
    let wrong = |error: serde_json::Error| Error::new(format!("the call {name}: {error}"));
    let arguments = serde_json::from_value(request).map_err(wrong)?;
    serde_json::to_value(function(module, arguments)?).map_err(wrong)
}

/// The version of the course, which a script shows when module and script do not fit together.
fn version(_: &mut Module, _: Value) -> Result<Value> {
    Ok(json!({"version": env!("CARGO_PKG_VERSION")}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_cannot_be_answered_gets_an_error() {
        let ask = |request: &str| answer(&mut Module::default(), request.as_bytes());
        assert_eq!(ask(r#"{"call": "version"}"#), r#"{"version":"0.1.0"}"#);
        assert_eq!(ask(r#"{"call": "colour"}"#), r#"{"error":"there is no call `colour`"}"#);
        assert_eq!(ask("{}"), r#"{"error":"there is no call ``"}"#);
        assert!(ask("").starts_with(r#"{"error":"the request is not JSON: "#));
    }
}
