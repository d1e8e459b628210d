//! What the commands write.

use nchw_core::{Error, Result};
use std::io::{self, Write};

/// Prints to the standard output. A closed pipe (`| head`) is not an error.
pub fn print(what: &str, text: &str) -> Result<()> {
    let mut out = io::stdout();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(format!("the {what} could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line to the error output. Failures are ignored: a training run must not end because
/// the disk of its log is full or its terminal is closed (`eprintln!` would panic).
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
