//! The working folder of a download: beside the set's own, and provably ours.

use super::spec::unwritten;
use crate::{Error, Result, files};
use same_file::Handle;
use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The file that says whose folder it is. Programs that make backups know its first line
/// (<https://bford.info/cachedir/>) and leave the folder out.
const MARKER: &str = "CACHEDIR.TAG";
const MARKER_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Unfinished downloads of `nchw data`, which deletes this folder when they are complete.\n";

/// A folder with our marker, in which one process works at a time.
pub(super) struct Workspace {
    path: PathBuf,
    /// Held open: the lock ends with the process.
    _lock: File,
}

impl Workspace {
    /// Opens the folder for a set in `parent`, or makes it. Its name holds the beginning of the
    /// archive's hash, so only downloads of that archive are continued.
    pub fn open(parent: &Path, sha256: &str) -> Result<Workspace> {
        let path = parent.join(format!(".nchw-data-{sha256:.16}"));
        let failed = |e: io::Error| unwritten(&path.display().to_string(), &e);
        fs::create_dir_all(parent).map_err(failed)?;
        loop {
            if !path.try_exists().map_err(failed)? {
                make(parent, &path).map_err(failed)?;
            }
            match fs::read_to_string(path.join(MARKER)) {
                Ok(text) if text == MARKER_TEXT => {}
                // The process that worked there has just finished.
                Err(e) if e.kind() == ErrorKind::NotFound && !path.exists() => continue,
                Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                    return Err(Error::new(format!(
                        "the unfinished downloads in {} belong to another user ({e}): choose another place with \
                         --to DIR",
                        path.display()
                    )));
                }
                _ => return Err(foreign(&path)),
            }
            let lock_path = path.join("lock");
            let lock = match files::lock_file(&lock_path) {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                opened => opened.map_err(failed)?,
            };
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(busy(&path)),
                Err(TryLockError::Error(e)) if !files::has_no_locks(&e) => return Err(failed(e)),
                _ => {}
            }
            // The lock counts only if the folder was not removed while we waited for it.
            let held = lock.try_clone().and_then(Handle::from_file).map_err(failed)?;
            if Handle::from_path(&lock_path).is_ok_and(|there| there == held) {
                return Ok(Workspace { path, _lock: lock });
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder. It loses its name first: no other process finds half of it.
    pub fn remove(&self) -> io::Result<()> {
        let away = tempfile::Builder::new().prefix(".nchw-").tempdir_in(files::folder_of(&self.path))?;
        fs::rename(&self.path, away.path().join("old"))?;
        away.close()
    }
}

/// The folder with its marker, in one step.
fn make(parent: &Path, path: &Path) -> io::Result<()> {
    let new = tempfile::Builder::new().prefix(".nchw-").tempdir_in(parent)?;
    fs::write(new.path().join(MARKER), MARKER_TEXT)?;
    match fs::rename(new.path(), path) {
        Ok(()) => {
            let _ = new.keep();
            Ok(())
        }
        // Another process was faster, or the folder is not ours: the marker will tell.
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn busy(path: &Path) -> Error {
    Error::new(format!("another `nchw data` is at work in {}: wait until it has ended", path.display()))
}

fn foreign(path: &Path) -> Error {
    Error::new(format!(
        "`nchw data` would keep its downloads in {}, but that folder was not made by it ({MARKER} is missing or \
         changed there). Nothing was touched: move the folder away, or choose another place with --to DIR",
        path.display()
    ))
}
