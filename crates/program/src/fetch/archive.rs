//! The packed set: only what is expected comes out of it.

use super::spec::{BESIDE, PublishedFile};
use crate::{Error, Result, data::FOLDER};
use std::io::{Read, Write};

/// More than all headers, the readme and the names of the classes take.
const SLACK: u64 = 1 << 20;

/// Unpacks a `tar.gz` that holds just `files`, each in the folder of the set.
///
/// Paths of the archive are never used as paths: a name is looked up among the
/// expected ones, and `create` makes the file for it. Links, devices, other
/// names, other sizes, other bytes, files that come twice or not at all: refused.
///
/// # Errors
/// With what is wrong, and where.
pub fn unpack<W: Write>(
    packed: impl Read,
    files: &[PublishedFile],
    what: &str,
    mut create: impl FnMut(&PublishedFile) -> Result<W>,
) -> Result<()> {
    let refused = |why: String| Error::new(format!("{what} is refused: {why}"));
    let broken = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => refused("it ends too early: it was cut off on its way".into()),
        _ => refused(format!("it cannot be unpacked ({e})")),
    };
    // What unpacks to more than the set is no set: stop there.
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
            return Err(refused(format!("`{path}` is no plain file ({kind:?})")));
        }
        if BESIDE.contains(&name) {
            continue;
        }
        let Some(index) = files.iter().position(|file| file.name == name) else {
            return Err(refused(format!("`{path}` is none of the set's files")));
        };
        if std::mem::replace(&mut seen[index], true) {
            return Err(refused(format!("`{path}` comes twice")));
        }
        files[index].copy(&mut entry, &mut create(&files[index])?, what)?;
    }
    match seen.iter().position(|seen| !seen) {
        None => Ok(()),
        Some(index) => Err(refused(format!("{} is missing in it", files[index].name))),
    }
}

/// The name that the first path of a packed archive begins with; `None` if it cannot be read.
pub(super) fn first_folder(packed: impl Read) -> Option<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed).take(SLACK));
    let first = archive.entries().ok()?.next()?.ok()?;
    let path = String::from_utf8_lossy(&first.path_bytes()).into_owned();
    path.trim_start_matches("./").split('/').next().map(str::to_owned)
}
