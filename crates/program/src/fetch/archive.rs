//! Unpacks the archive of the data set, and nothing but the expected files.

use super::spec::{PublishedFile, UNUSED};
use crate::{Error, Result, data::FOLDER};
use std::io::{Read, Write};

/// More than the size of all headers, the readme and the class names.
const SLACK: u64 = 1 << 20;

/// Unpacks a `tar.gz` that contains exactly `files`, each in the folder of the data set.
///
/// The paths in the archive are never used as paths: each name is looked up among
/// the expected ones, and `create` creates the file for it.
///
/// # Errors
/// When the archive contains links, devices or unexpected names, or a file has the
/// wrong size or content, occurs twice or is missing. The message says which.
pub fn unpack<W: Write>(
    packed: impl Read,
    files: &[PublishedFile],
    what: &str,
    mut create: impl FnMut(&PublishedFile) -> Result<W>,
) -> Result<()> {
    let refused = |why: String| Error::new(format!("{what} is refused: {why}"));
    let broken = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            refused("it ends too early: it was not copied completely".into())
        }
        _ => refused(format!("it cannot be unpacked ({e})")),
    };
    // Stop when it unpacks to more than the data set.
    let most = files.iter().map(|file| file.bytes).sum::<u64>() + SLACK;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed).take(most));
    let mut seen = vec![false; files.len()];
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() && path.trim_end_matches('/') == FOLDER {
            continue;
        }
        let name = path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/')).unwrap_or("");
        if !kind.is_file() {
            return Err(refused(format!("`{path}` is not a regular file ({kind:?})")));
        }
        if UNUSED.contains(&name) {
            continue;
        }
        let Some(index) = files.iter().position(|file| file.name == name) else {
            return Err(refused(format!("`{path}` is not a file of the data set")));
        };
        if std::mem::replace(&mut seen[index], true) {
            return Err(refused(format!("`{path}` occurs twice")));
        }
        files[index].copy(&mut entry, &mut create(&files[index])?, what)?;
    }
    match seen.iter().position(|seen| !seen) {
        None => Ok(()),
        Some(index) => Err(refused(format!("{} is missing", files[index].name))),
    }
}

/// The first folder in a packed archive; `None` if it cannot be read.
pub(super) fn first_folder(packed: impl Read) -> Option<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed).take(SLACK));
    let first = archive.entries().ok()?.next()?.ok()?;
    let path = String::from_utf8_lossy(&first.path_bytes()).into_owned();
    path.trim_start_matches("./").split('/').next().map(str::to_owned)
}
