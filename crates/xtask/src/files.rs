//! Files that chores write and folders that they remove: a file is written whole or not at all, and
//! nothing is removed that no chore made.

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;
use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// The file by which a folder that a chore made is known.
pub const MARK: &str = "made-by-nchw-setup";
const MARK_TEXT: &str = "A chore of `cargo xtask` made this folder, and may remove it or make it anew.\n";

/// Writes a file in one step: who reads it meanwhile sees the old text or the new one, and a full
/// disk leaves the old one.
pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    write_with_mode(path, text, 0o666)
}

/// As [`write`], for a program.
pub fn write_program(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    write_with_mode(path, text, 0o777)
}

fn write_with_mode(path: &Path, text: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    let folder = path.parent().with_context(|| format!("{} is not in a folder", path.display()))?;
    let written = || -> Result<()> {
        fs::create_dir_all(folder)?;
        // The user's umask takes away from the mode what others may not do.
        let mut builder = tempfile::Builder::new();
        let mut file = builder.permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
        file.write_all(text.as_ref())?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| format!("could not write {}", path.display()))
}

/// Makes a folder, if it does not exist, and marks it as made by a chore.
pub fn make(folder: &Path) -> Result<()> {
    if !folder.exists() {
        fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
        write(&folder.join(MARK), MARK_TEXT)?;
    }
    Ok(())
}

/// Whether a chore made this folder: it has the mark, or one of `signs`, files that only chores
/// leave in it, or there is nothing in it that could be lost. A link was set up by the user,
/// wherever it leads.
pub fn is_ours(folder: &Path, signs: &[&str]) -> bool {
    folder.is_dir()
        && !folder.is_symlink()
        && ([MARK].iter().chain(signs).any(|sign| folder.join(sign).exists()) || is_empty(folder))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Removes a folder that a chore made; does nothing where there is none.
///
/// # Errors
/// When no chore made it, or it cannot be removed.
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
        // The mark and the lock go last: interrupted, the rest is still known as ours, and what a
        // second program must not do before everything is gone it cannot do.
        let mark = folder.join(MARK);
        // On a full disk it cannot be written, and removing is what makes room.
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

/// Locks a file, which is made where it does not exist; None when another process holds the lock.
/// The lock is gone when the file is closed.
pub fn lock(path: &Path) -> Result<Option<File>> {
    let file = File::create(path).with_context(|| format!("could not open {}", path.display()))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("could not lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_that_no_chore_made_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("mine.py"), "").unwrap();
        let error = remove(&folder, &["stamp"]).unwrap_err().to_string();
        assert!(error.contains("set-up did not make it") && error.contains("mv "), "{error}");
        assert!(folder.join("mine.py").exists());

        // A link to a folder of ours was set up by the user.
        let (ours, link) = (temp.path().join("ours"), temp.path().join("link"));
        make(&ours).unwrap();
        symlink(&ours, &link).unwrap();
        remove(&link, &[]).unwrap_err();
        assert!(ours.exists() && link.is_symlink());
    }

    #[test]
    fn a_folder_that_a_chore_made_is_removed_and_what_its_links_lead_to_stays() {
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
    fn a_file_is_replaced_whole_and_has_the_usual_mode() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("new/file");
        write(&file, "one").unwrap();
        write(&file, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::read_dir(temp.path().join("new")).unwrap().count(), 1, "nothing is left beside it");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let usual = temp.path().join("usual");
        fs::write(&usual, "").unwrap();
        assert_eq!(mode(&file), mode(&usual), "whoever could read it still can");
        write_program(&file, "#!/bin/sh\n").unwrap();
        assert_eq!(mode(&file) & 0o100, 0o100);
    }

    #[test]
    fn a_lock_is_held_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let held = lock(&path).unwrap().unwrap();
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        // A process that another test starts has every open file for a moment.
        let free = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            lock(&path).unwrap().is_some()
        });
        assert!(free, "nobody holds it any more");
    }
}
