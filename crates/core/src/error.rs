//! The error type of every crate of the course: a message for the learner.

use std::{fmt, ops::Range};

/// Implements `Debug` through `Display`, so that a value in a cell is readable.
#[macro_export]
macro_rules! debug_as_display {
    ($($name:ty),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )*};
}
pub use debug_as_display;

/// What went wrong, and what to do next.
///
/// `Debug` prints the same as `Display`, so that `unwrap()` and `?` in a cell
/// show the message rather than the name of a struct.
///
/// ```
/// use nchw::prelude::*;
/// let error: Error = conv(8, 5).on([3, 4, 9]).unwrap_err();
/// assert!(error.to_string().contains("axis H"));
/// ```
pub struct Error {
    message: String,
    kind: Kind,
    at: Option<Range<usize>>,
    source: Option<Source>,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What code needs to distinguish.
#[derive(PartialEq)]
enum Kind {
    Other,
    Unsolved,
}

/// `Result` with the crate's [`Error`] as the default error type.
///
/// Notebooks need the second parameter: evcxr wraps each cell in code that
/// names `Result<(), …>`, and the prelude makes that name this type.
///
/// ```
/// use nchw::prelude::*;
/// fn rows(path: &str) -> Result<usize> {
///     Ok(Image::open(path)?.height())
/// }
/// assert!(rows("none.png").is_err());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Error {
        Error { message: message.into(), kind: Kind::Other, at: None, source: None }
    }

    /// The error in these characters of the text that the learner wrote, counted from 0.
    pub fn at(self, characters: Range<usize>) -> Error {
        Error { at: Some(characters), ..self }
    }

    /// The characters of the learner's text that the error is about, if it is about a text. A page marks them.
    pub fn characters(&self) -> Option<Range<usize>> {
        self.at.clone()
    }

    /// The error of a `your_turn` that the learner has not replaced yet.
    pub fn unsolved(message: impl Into<String>) -> Error {
        Error { kind: Kind::Unsolved, ..Error::new(message) }
    }

    /// Whether it is the error of a `your_turn` that the learner has not replaced yet.
    pub fn is_unsolved(&self) -> bool {
        self.kind == Kind::Unsolved
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

debug_as_display!(Error);

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(feature = "tch")]
impl From<tch::TchError> for Error {
    /// Keeps libtorch's message and drops the C++ stack trace, which the source still has.
    fn from(error: tch::TchError) -> Error {
        let message = format!("libtorch says: {}", sentence(&error.to_string()));
        Error { source: Some(error.into()), ..Error::new(message) }
    }
}

/// libtorch's message without the C++ stack trace and the list of all backends.
pub fn sentence(text: &str) -> String {
    let text = text.split("\nException raised from").next().unwrap_or(text).trim_end();
    let text = text.strip_prefix("Internal torch error: ").unwrap_or(text);
    match text.split_once(" This could be because the operator doesn't exist for this backend") {
        Some((message, _)) => {
            format!(
                "{message} This device is not available: `device()` returns the GPU if there is one, else the CPU"
            )
        }
        None => text.to_owned(),
    }
}
