//! The working folder of a download: next to the folder of the data set, and marked as ours.

use super::spec::write_error;
use crate::{Error, Result, files};
use same_file::Handle;
use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The file that marks the folder as ours. Backup programs recognise its first line
/// (<https://bford.info/cachedir/>) and skip the folder.
const MARKER: &str = "CACHEDIR.TAG";
const MARKER_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Unfinished downloads of `nchw data`, which deletes this folder when they are complete.\n";

/// A folder with our marker, which one process uses at a time.
pub(super) struct Workspace {
    path: PathBuf,
    /// Kept open, so that the lock lasts until the process ends.
    _lock: File,
}

impl Workspace {
    /// Opens the working folder in `parent`, or creates it. Its name contains the beginning of the
    /// archive's hash, so only downloads of the same archive are resumed.
    pub fn open(parent: &Path, sha256: &str) -> Result<Workspace> {
        let path = parent.join(format!(".nchw-data-{sha256:.16}"));
        let failed = |e: io::Error| write_error(&path.display().to_string(), &e);
        fs::create_dir_all(parent).map_err(failed)?;
        loop {
            if !path.try_exists().map_err(failed)? {
                create(parent, &path).map_err(failed)?;
            }
            match fs::read_to_string(path.join(MARKER)) {
                Ok(text) if text == MARKER_TEXT => {}
                // Another process has just finished and removed the folder.
                Err(e) if e.kind() == ErrorKind::NotFound && !path.exists() => continue,
                Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                    return Err(Error::new(format!(
                        "the unfinished downloads in {} belong to another user ({e}): choose another folder with \
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
            // The lock is valid only if the folder was not removed while we waited for it.
            let held = lock.try_clone().and_then(Handle::from_file).map_err(failed)?;
            if Handle::from_path(&lock_path).is_ok_and(|current| current == held) {
                return Ok(Workspace { path, _lock: lock });
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder. It is renamed first, so that no other process finds a part of it.
    pub fn remove(&self) -> io::Result<()> {
        let trash = tempfile::Builder::new().prefix(".nchw-").tempdir_in(files::folder_of(&self.path))?;
        fs::rename(&self.path, trash.path().join("old"))?;
        trash.close()
    }
}

/// Creates the folder with its marker in one step.
fn create(parent: &Path, path: &Path) -> io::Result<()> {
    let new = tempfile::Builder::new().prefix(".nchw-").tempdir_in(parent)?;
    fs::write(new.path().join(MARKER), MARKER_TEXT)?;
    match fs::rename(new.path(), path) {
        Ok(()) => {
            let _ = new.keep();
            Ok(())
        }
        // Another process was faster, or the folder is not ours: the check of the marker decides.
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn busy(path: &Path) -> Error {
    Error::new(format!("another `nchw data` is using {}: wait until it has finished", path.display()))
}

fn foreign(path: &Path) -> Error {
    Error::new(format!(
        "`nchw data` keeps its downloads in {}, but it did not create that folder ({MARKER} is missing or \
         changed). Nothing was modified: move the folder away, or choose another one with --to DIR",
        path.display()
    ))
}
