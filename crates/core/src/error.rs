//! The one error type: a message for a learner.

use std::fmt;

/// `Debug` as `Display`, so that a value in a cell reads well.
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

/// What went wrong, in words that say what to do next.
///
/// `Debug` prints the same as `Display`, so that `unwrap()` and a cell's `?`
/// show the message and not the name of a struct.
///
/// ```
/// use nchw::prelude::*;
/// let error: Error = conv(8, 5).on([3, 4, 9]).unwrap_err();
/// assert!(error.to_string().contains("axis H"));
/// ```
pub struct Error(String);

/// `Result` with the crate's [`Error`], unless another is named.
///
/// The second parameter is there for notebooks: the code that evcxr puts
/// around a cell says `Result<(), …>`, and sees this one through the prelude.
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
        Error(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

debug_as_display!(Error);

impl std::error::Error for Error {}

#[cfg(feature = "tch")]
impl From<tch::TchError> for Error {
    /// Keeps libtorch's sentence and drops its list of C++ frames.
    fn from(error: tch::TchError) -> Error {
        Error(format!("libtorch says: {}", sentence(&error.to_string())))
    }
}

/// libtorch's sentence, without its C++ frames and its list of all backends.
pub fn sentence(text: &str) -> String {
    let text = text.split("\nException raised from").next().unwrap_or(text).trim_end();
    let text = text.strip_prefix("Internal torch error: ").unwrap_or(text);
    match text.split_once(" This could be because the operator doesn't exist for this backend") {
        Some((said, _)) => {
            format!("{said} There is no such device here: `device()` gives the one that is, or the CPU")
        }
        None => text.to_owned(),
    }
}
