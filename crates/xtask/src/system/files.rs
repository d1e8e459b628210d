//! Files and folders: a file is written completely or not at all, and only folders that a command
//! made are removed.
//!
//! `nchw-files` writes in the same way, but not with a mode: a file with a key must never be readable by
//! others, not even for a moment. Its errors come from `nchw-core`, with which every machine would first
//! compile serde and toml.

use crate::paths;
use anyhow::{Context, Error, Result, bail};
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// The file that marks a folder as made by a command.
pub const MARK: &str = "made-by-nchw-setup";
const MARK_TEXT: &str = "A command of `cargo xtask` made this folder, and may remove it or make it again.\n";

/// Replaces a file in one step: a program that reads it at the same time sees either the old text or
/// the new one. If the disk is full, the old text stays.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    write_with_mode(path, text, 0o666)
}

/// Like [`write`], for a program.
pub fn write_program(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    write_with_mode(path, text, 0o777)
}

/// Like [`write`], for a file with a key: only the user can read it.
pub fn write_private(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    write_with_mode(path, text, 0o600)
}

fn write_with_mode(path: &Path, text: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    let folder = path.parent().with_context(|| format!("{} is not in a folder", path.display()))?;
    let written = || -> Result<()> {
        fs::create_dir_all(folder)?;
        // The user's umask removes permissions from the mode.
        let mut builder = tempfile::Builder::new();
        let mut file = builder.permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
        file.write_all(text.as_ref())?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("could not write {}", path.display()))
}

/// All files in a folder and its subfolders, sorted; if `folder` is a file, only this file.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    let files = entries.filter(|entry| entry.as_ref().map_or(true, |entry| entry.file_type().is_file()));
    Ok(files.map(|entry| entry.map(DirEntry::into_path)).collect::<walkdir::Result<_>>()?)
}

/// Copies a folder of compiled results; `wanted` leaves out files and folders.
///
/// Large files become hard links, which take no time and no space: compilers replace such a file and do
/// not write into it. Cargo does write into small files. These are copied, with their times, from
/// which cargo knows what is up to date.
pub fn copy(from: &Path, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<()> {
    for entry in WalkDir::new(from).into_iter().filter_entry(|entry| wanted(entry.path())) {
        let entry = entry?;
        let (path, metadata) = (to.join(entry.path().strip_prefix(from)?), entry.metadata()?);
        if metadata.is_dir() {
            fs::create_dir_all(path)?;
        } else if metadata.len() < 65_536 || fs::hard_link(entry.path(), &path).is_err() {
            // Under its own name only when it is complete: cargo would not notice that a part is missing.
            let part = path.with_extension("nchw-part");
            fs::copy(entry.path(), &part)?;
            File::options().write(true).open(&part)?.set_modified(metadata.modified()?)?;
            fs::rename(part, path)?;
        }
    }
    Ok(())
}

/// Makes a link to `target`, or makes it again if it leads elsewhere.
///
/// # Errors
/// If something else than a link is there, which is not replaced.
pub fn link(target: &Path, link: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|leads_to| leads_to == target) {
        return Ok(());
    }
    let made = || -> io::Result<()> {
        if link.is_symlink() {
            fs::remove_file(link)?;
        }
        symlink(target, link)
    };
    made().with_context(|| format!("could not make the link {}", link.display()))
}

/// Makes a folder, if it does not exist, and marks it as made by a command.
pub fn make(folder: &Path) -> Result<()> {
    if !folder.exists() {
        fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
        write(&folder.join(MARK), MARK_TEXT)?;
    }
    Ok(())
}

/// Whether a command made this folder: it contains the mark, or one of `signs` (files that only our
/// commands write into it), or nothing at all. A link is the user's, wherever it leads.
pub fn is_ours(folder: &Path, signs: &[&str]) -> bool {
    folder.is_dir()
        && !folder.is_symlink()
        && ([MARK].iter().chain(signs).any(|sign| folder.join(sign).exists()) || is_empty(folder))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Removes a folder that a command made; does nothing if it does not exist.
///
/// # Errors
/// If no command made it, or it cannot be removed.
pub fn remove(folder: &Path, signs: &[&str]) -> Result<()> {
    if fs::symlink_metadata(folder).is_err() {
        return Ok(());
    }
    if !is_ours(folder, signs) {
        bail!(
            "{0} exists, but set-up did not make it: move it away (`mv '{0}' '{0}-mine'`), then run the same command again",
            folder.display()
        );
    }
    let remove = || -> Result<()> {
        // The mark and the lock are removed last. After an interruption, the rest is still
        // recognised as ours, and a second program still waits for the lock.
        let mark = folder.join(MARK);
        // On a full disk the mark cannot be written; removing the folder makes room.
        if !mark.exists() {
            let _ = write(&mark, MARK_TEXT);
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false if entry.path() == mark || entry.file_name() == "lock" => {}
                false => fs::remove_file(entry.path())?,
            }
        }
        Ok(fs::remove_dir_all(folder)?)
    };
    remove().with_context(|| format!("could not remove {}", folder.display()))
}

/// Locks a file, which is made if it does not exist; None if another process holds the lock.
/// Closing the file releases the lock.
pub fn lock(path: &Path) -> Result<Option<File>> {
    let file = File::create(path).with_context(|| format!("could not open {}", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(not_locked(path, error)),
        Ok(()) => Ok(Some(file)),
    }
}

/// Some network drives have no locks.
fn not_locked(path: &Path, error: io::Error) -> Error {
    let no_locks = rustix::io::Errno::NOLCK.raw_os_error();
    let what = format!("could not lock {}", path.display());
    if error.kind() == ErrorKind::Unsupported || error.raw_os_error() == Some(no_locks) {
        let why = "the disk of this folder has no file locks, and without them two programs of the course could write the \
                   same file: clone the course into a folder on this machine's own disk (`df -h .` shows the disk of a \
                   folder); if the path above is in the cache, set NCHW_CACHE to a folder there";
        return Error::new(error).context(what).context(why);
    }
    Error::new(error).context(what)
}

/// Whether this user may write into a folder.
pub fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Free space on the disk of the course, in GB.
pub fn free_gb() -> Result<f64> {
    let disk = rustix::fs::statvfs(paths::root())?;
    Ok((disk.f_bavail * disk.f_frsize) as f64 / 1e9)
}

/// Whether a condition becomes true within seconds. A process that another test starts inherits every open
/// file for a moment, and with it the lock.
#[cfg(test)]
pub fn soon(mut condition: impl FnMut() -> bool) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        condition()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_elsewhere_is_made_again_but_a_folder_is_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("link");
        for course in ["/one", "/two", "/two"] {
            link(Path::new(course), &path).unwrap();
            assert_eq!(fs::read_link(&path).unwrap(), Path::new(course));
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(link(Path::new("/one"), &path).is_err());
        assert!(path.is_dir() && !path.is_symlink());
    }

    #[test]
    fn a_folder_that_no_command_made_is_not_removed() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("mine.py"), "").unwrap();
        let error = remove(&folder, &["stamp"]).unwrap_err().to_string();
        assert!(error.contains("set-up did not make it") && error.contains("mv "), "{error}");
        assert!(folder.join("mine.py").exists());

        // A link is the user's, even if it leads to a folder of ours.
        let (ours, link) = (temp.path().join("ours"), temp.path().join("link"));
        make(&ours).unwrap();
        symlink(&ours, &link).unwrap();
        remove(&link, &[]).unwrap_err();
        assert!(ours.exists() && link.is_symlink());
    }

    #[test]
    fn a_folder_that_a_command_made_is_removed_without_following_its_links() {
        let temp = tempfile::tempdir().unwrap();
        let (folder, mine) = (temp.path().join("folder"), temp.path().join("mine"));
        fs::create_dir(&mine).unwrap();
        fs::write(mine.join("thesis"), "years of work").unwrap();
        for mark in [None, Some("stamp")] {
            match mark {
                None => make(&folder).unwrap(),
                Some(sign) => {
                    fs::create_dir(&folder).unwrap();
                    fs::write(folder.join(sign), "").unwrap();
                }
            }
            fs::create_dir_all(folder.join("lib/python3.11")).unwrap();
            symlink("lib", folder.join("lib64")).unwrap();
            symlink(&mine, folder.join("elsewhere")).unwrap();
            remove(&folder, &["stamp"]).unwrap();
            assert!(!folder.exists());
            assert_eq!(fs::read_to_string(mine.join("thesis")).unwrap(), "years of work");
            remove(&folder, &["stamp"]).unwrap();
        }
    }

    #[test]
    fn a_file_is_replaced_completely_and_has_the_usual_mode() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("new/file");
        write(&file, "one").unwrap();
        write(&file, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::read_dir(temp.path().join("new")).unwrap().count(), 1, "no temporary file is left");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let usual = temp.path().join("usual");
        fs::write(&usual, "").unwrap();
        assert_eq!(mode(&file), mode(&usual), "the same users can read it");
        write_program(&file, "#!/bin/sh\n").unwrap();
        assert_eq!(mode(&file) & 0o100, 0o100);
    }

    #[test]
    fn a_disk_without_locks_is_named_as_the_reason() {
        let errors = [ErrorKind::Unsupported.into(), rustix::io::Errno::NOLCK.into()];
        for error in errors {
            let text = format!("{:#}", not_locked(Path::new("/net/course/.nchw/lock"), error));
            assert!(text.contains("has no file locks") && text.contains("/net/course/.nchw/lock"), "{text}");
        }
        let other = not_locked(Path::new("/course/lock"), ErrorKind::PermissionDenied.into());
        assert!(!format!("{other:#}").contains("has no file locks"));
    }

    #[test]
    fn only_one_holds_a_lock() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let held = lock(&path).unwrap().unwrap();
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(soon(|| lock(&path).unwrap().is_some()), "the lock is released");
    }
}
