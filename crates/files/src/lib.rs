//! Writes files completely or not at all, and locks files that several processes change.

use nchw_core::Error;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Writes a file atomically: a reader finds either the old content or the new, never a part of it,
/// even after a crash, a full disk or a power cut.
///
/// The content is written to a temporary file in the same folder, which is then renamed. A
/// symbolic link remains: the file it points to is replaced. A new file gets default
/// permissions; a replaced file keeps its own. Devices and pipes are written to directly.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = resolve(path)?;
    // Opened as if to overwrite it: this refuses protected files and folders.
    let old = match OpenOptions::new().write(true).open(&path) {
        Ok(mut device) if !device.metadata()?.is_file() => return device.write_all(bytes),
        Ok(file) => Some(file.metadata()?.permissions()),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = folder_of(&path);
    // Not `tempfile_in`, which makes files that only their owner may read.
    let mut new = tempfile::Builder::new().prefix(".nchw-").make_in(folder, |name| File::create_new(name))?;
    // Not through `NamedTempFile`, whose errors name the temporary file.
    new.as_file_mut().write_all(bytes)?;
    if let Some(old) = old
        && old != new.as_file().metadata()?.permissions()
    {
        new.as_file().set_permissions(old)?;
    }
    new.as_file().sync_all()?;
    new.persist(&path).map_err(|error| error.error)?;
    // The rename is durable only after the folder is synced. Not all file systems support this, and
    // the file is already in place.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Waits for the lock on `path`, for changes that read the file before they write it.
///
/// The lock is released when the returned file is dropped or the process ends. It is held on an
/// empty file next to `path`, since every change replaces `path` itself.
pub fn lock(path: &Path) -> io::Result<File> {
    let path = resolve(path)?;
    fs::create_dir_all(folder_of(&path))?;
    let lock = lock_file(&with_ending(&path, "lock"))?;
    match lock.lock() {
        // Without locks, reading before every write has to suffice.
        Err(error) if !has_no_locks(&error) => Err(error),
        _ => Ok(lock),
    }
}

/// Whether locking failed because the file system does not support it, as on some network drives.
pub fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOLCK)
}

/// Opens or creates a file to lock it. An existing file keeps its content.
pub fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The paths in a folder; none if the folder does not exist.
pub fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect()),
    };
    entries.map_err(|e| Error::new(format!("the folder {} could not be read: {e}", folder.display())))
}

/// `path` with another extension appended: `progress.json.lock`.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

/// The folder that contains `path`.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Follows symbolic links, also to a file that does not exist yet.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => resolve(&folder_of(path).join(target)),
            Err(_) => Ok(path.into()),
        },
        other => other,
    }
}

/// The error for a file that could not be written: what happened, and what to do.
pub fn not_written(path: &Path, error: &io::Error) -> Error {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ": free some space on that disk".into(),
        ErrorKind::PermissionDenied if path.is_file() => {
            ": this file is write-protected; choose another name, or run `chmod u+w` with its name in a \
             terminal"
                .into()
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            let folder = folder_of(path).display();
            format!(": you have no permission to write in the folder {folder}; choose a folder of your own")
        }
        ErrorKind::NotFound => ": does its folder exist?".into(),
        ErrorKind::IsADirectory => ": this is a folder; add the name of a file".into(),
        _ => String::new(),
    };
    Error::new(format!(
        "{} could not be written: {error}{advice}; the previous file is unchanged",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use tempfile::TempDir;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn concurrent_writers_never_leave_a_partial_file() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("file");
        let texts: Vec<Vec<u8>> = (0..4u8).map(|n| vec![n; 300_000 + usize::from(n)]).collect();
        write(&file, &texts[0]).unwrap();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..25).for_each(|_| write(&file, text).unwrap()));
            }
            for _ in 0..200 {
                assert!(texts.contains(&fs::read(&file).unwrap()), "a partial file");
            }
        });
        assert!(texts.contains(&fs::read(&file).unwrap()));
        assert_eq!(names(folder.path()), ["file"], "no temporary file is left");
    }

    #[test]
    fn write_protected_files_and_folders_get_different_advice() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("file");
        let message = || not_written(&file, &ErrorKind::PermissionDenied.into()).to_string();
        assert!(message().contains("choose a folder of your own"), "{}", message());
        fs::write(&file, "").unwrap();
        assert!(message().contains("this file is write-protected"), "{}", message());
    }

    #[test]
    fn a_file_system_without_locks_is_recognised() {
        assert!(has_no_locks(&io::Error::from_raw_os_error(libc::ENOLCK)));
        assert!(has_no_locks(&io::Error::from_raw_os_error(libc::EOPNOTSUPP)));
        assert!(!has_no_locks(&io::Error::from_raw_os_error(libc::EACCES)));
    }

    #[test]
    fn a_new_file_gets_default_permissions_and_a_replaced_file_keeps_its_own() {
        let folder = TempDir::new().unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().mode() & 0o7777;
        fs::write(folder.path().join("ordinary"), "").unwrap();
        write(&folder.path().join("ours"), b"").unwrap();
        assert_eq!(mode("ours"), mode("ordinary"));
        fs::set_permissions(folder.path().join("ours"), fs::Permissions::from_mode(0o640)).unwrap();
        write(&folder.path().join("ours"), b"more").unwrap();
        assert_eq!(mode("ours"), 0o640);
    }

    #[test]
    fn writing_through_a_link_replaces_its_target() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("real")).unwrap();
        symlink("real/file", at("link")).unwrap();
        symlink("link", at("to-link")).unwrap();
        for text in ["first", "second"] {
            write(&at("to-link"), text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(at("real/file")).unwrap(), text);
        }
        assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("real/file"));
        assert_eq!(fs::read_link(at("to-link")).unwrap(), Path::new("link"));
        symlink("cycle", at("cycle")).unwrap();
        assert!(write(&at("cycle"), b"").is_err());
        // Locking a link locks its target.
        drop(lock(&at("link")).unwrap());
        assert_eq!(names(&at("real")), ["file", "file.lock"]);
    }

    #[test]
    fn devices_and_folders_are_not_replaced() {
        let folder = TempDir::new().unwrap();
        let full = folder.path().join("full");
        symlink("/dev/full", &full).unwrap();
        let error = write(&full, b"text").unwrap_err();
        let text = not_written(&full, &error).to_string();
        assert!(text.contains("No space left on device") && text.contains("free some space"), "{text}");
        write(Path::new("/dev/null"), b"text").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let text = not_written(folder.path(), &write(folder.path(), b"text").unwrap_err()).to_string();
        assert!(text.contains("this is a folder"), "{text}");
        // A file where the folder should be.
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(write(&folder.path().join("file/x"), b"").is_err());
        let nowhere = folder.path().join("none/x");
        let text = not_written(&nowhere, &write(&nowhere, b"").unwrap_err()).to_string();
        assert!(text.contains("does its folder exist?") && !text.contains(".nchw-"), "{text}");
    }

    #[test]
    fn a_read_only_folder_is_reported() {
        // Not even root can create a file here.
        let file = Path::new("/proc/self/x.png");
        let text = not_written(file, &write(file, b"").unwrap_err()).to_string();
        assert!(text.starts_with("/proc/self/x.png could not be written: "), "{text}");
        let error = io::Error::from(ErrorKind::ReadOnlyFilesystem);
        let text = not_written(Path::new("runs/x.png"), &error).to_string();
        assert!(text.contains("in the folder runs; choose a folder of your own"), "{text}");
    }

    #[test]
    fn a_lock_is_exclusive_and_keeps_an_existing_file() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("deep/counter");
        let counts =
            |file: &Path| -> u32 { fs::read_to_string(file).map_or(0, |text| text.parse().unwrap()) };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let _lock = lock(&file).unwrap();
                        let next = counts(&file) + 1;
                        write(&file, next.to_string().as_bytes()).unwrap();
                    }
                });
            }
        });
        assert_eq!(counts(&file), 100);
        let mine = folder.path().join("mine.lock");
        fs::write(&mine, "a user's").unwrap();
        drop(lock(&folder.path().join("mine")).unwrap());
        assert_eq!(fs::read_to_string(mine).unwrap(), "a user's");
    }
}
