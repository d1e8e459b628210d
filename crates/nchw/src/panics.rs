//! Panics in a cell, in words a learner can use.
//!
//! Inside an evcxr kernel, a panic prints its message and where in the cell it
//! happened, without the backtrace, which is about evcxr and the standard
//! library. Other programs keep Rust's own behaviour.

use std::panic::PanicHookInfo;

/// Runs when the library is loaded, so that no cell has to ask for it.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static ON_LOAD: extern "C" fn() = on_load;

extern "C" fn on_load() {
    // Set by evcxr for the process that runs the cells.
    if std::env::var_os("EVCXR_IS_RUNTIME").is_some() {
        std::panic::set_hook(Box::new(|info| eprintln!("{}", in_words(info))));
    }
}

fn in_words(info: &PanicHookInfo) -> String {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    shorten(message)
}

/// The message as a learner needs it.
///
/// tch's functions panic with Rust's text around libtorch's sentence; the
/// sentence is what helps, and that there is a variant that does not panic.
fn shorten(message: &str) -> String {
    let Some(start) = message.find("Torch(\"") else {
        return format!("the cell panicked: {message}");
    };
    let quoted = &message[start + "Torch(\"".len()..];
    let inside = quoted.strip_suffix("\")").unwrap_or(quoted);
    let sentence = inside.split("\\nException raised from").next().unwrap_or(inside);
    format!(
        "the cell panicked; libtorch says: {}\n\
         (the function of the same name with f_ in front returns this as an error: end it with `?`)",
        sentence.replace("\\n", "\n").replace("\\\"", "\"").trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn a_panic_of_libtorch_keeps_its_sentence_only() {
        let raw = "called `Result::unwrap()` on an `Err` value: Torch(\"size mismatch, got input (12), \
                   mat (12x5), vec (3)\\nException raised from meta at Blas.cpp:43\\nframe #0\")";
        let short = shorten(raw);
        assert!(
            short.contains("libtorch says: size mismatch, got input (12), mat (12x5), vec (3)\n"),
            "{short}"
        );
        assert!(!short.contains("frame") && !short.contains("unwrap"), "{short}");
    }

    #[test]
    fn another_panic_keeps_its_message() {
        assert_eq!(shorten("index out of bounds"), "the cell panicked: index out of bounds");
    }
}
