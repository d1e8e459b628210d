//! The files in a folder of photos, and what else is there.

use super::notes::{counted, some_of};
use crate::{Error, Result};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The most classes; a network can have no more.
const MOST_CLASSES: usize = nchw_core::lecture::MAX_CLASSES as usize;
/// Files that systems put into folders of photos; those that begin with a dot are ignored, too.
const SYSTEM: [&str; 2] = ["Thumbs.db", "desktop.ini"];

/// What a folder of photos contains.
pub(super) struct Found {
    /// The folder's name.
    pub name: String,
    /// The names of the folders in it, sorted.
    pub classes: Vec<String>,
    /// The files in these folders, sorted.
    pub files: Vec<File>,
    pub notes: Vec<String>,
}

/// A file that may be a photo.
pub(super) struct File {
    pub path: PathBuf,
    pub class: usize,
    /// `CLASS/FILE`.
    pub shown: String,
}

/// What an entry of a folder is, after its symbolic links.
enum Kind {
    Folder,
    File,
    /// Why it is not used.
    Skip(&'static str),
}

/// Lists the folders of classes and the files in them.
pub(super) fn list(folder: &Path) -> Result<Found> {
    let cannot = |e: &io::Error| {
        let why = match e.kind() {
            io::ErrorKind::NotFound => {
                let here = std::env::current_dir().ok();
                let here = here.and_then(|here| Some(here.file_name()?.to_string_lossy().into_owned()));
                format!(
                    "there is no such folder; a relative path starts at the notebook's folder, `{}`",
                    here.unwrap_or_default()
                )
            }
            io::ErrorKind::NotADirectory => {
                "it is a file: expected a folder with one folder of photos for each class".to_owned()
            }
            _ => e.to_string(),
        };
        Error::new(format!("the photos in {} could not be read: {why}", folder.display()))
    };
    let root = folder.canonicalize().map_err(|e| cannot(&e))?;
    let name = root.file_name().map_or_else(|| "photos".into(), |name| name.to_string_lossy().into_owned());
    let mut found = Found { name, classes: Vec::new(), files: Vec::new(), notes: Vec::new() };
    let mut skipped = Vec::new();
    for (entry, shown) in entries(folder).map_err(|e| cannot(&e))? {
        match kind(&entry, &root) {
            Kind::Folder => {
                list_class(&mut found, &mut skipped, &entry, &shown, &root);
            }
            Kind::File => {
                skipped.push(format!("{shown}: it is not in the folder of a class"));
            }
            Kind::Skip(why) => skipped.push(format!("{shown}: {why}")),
        }
    }
    if found.classes.len() > MOST_CLASSES {
        return Err(Error::new(format!(
            "{} has {} folders: expected one for each class, at most {MOST_CLASSES}",
            found.name,
            found.classes.len()
        )));
    }
    if !skipped.is_empty() {
        let count = counted(skipped.len(), "entry is", "entries are");
        found.notes.push(format!("{count} not used: {}", some_of(&skipped)));
    }
    Ok(found)
}

/// Adds a class and its files.
fn list_class(found: &mut Found, skipped: &mut Vec<String>, folder: &Path, name: &str, root: &Path) {
    let entries = match entries(folder) {
        Ok(entries) => entries,
        Err(error) => return skipped.push(format!("{name}: the folder could not be read ({error})")),
    };
    let class = found.classes.len();
    found.classes.push(name.to_owned());
    for (path, file) in entries {
        let shown = format!("{name}/{file}");
        match kind(&path, root) {
            Kind::File => found.files.push(File { path, class, shown }),
            Kind::Folder => skipped.push(format!("{shown}: it is a folder within the folder of a class")),
            Kind::Skip(why) => skipped.push(format!("{shown}: {why}")),
        }
    }
}

/// The entries of a folder with their names, sorted by name; without hidden files and those of systems.
fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !SYSTEM.contains(&name.as_str()) {
            entries.push((entry.path(), name));
        }
    }
    entries.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    Ok(entries)
}

/// Whether an entry is a file or a folder. A symbolic link must stay within the folder of photos: it could lead to any
/// file of the machine, or around in a circle. A pipe or a device is never opened, because reading it may not end.
fn kind(path: &Path, root: &Path) -> Kind {
    let Ok(entry) = fs::symlink_metadata(path) else { return Kind::Skip("it could not be read") };
    if entry.is_symlink() {
        match path.canonicalize() {
            Ok(target) if !target.starts_with(root) => {
                return Kind::Skip("it is a symbolic link that leaves the folder: copy the photo itself");
            }
            Ok(target) if target.is_dir() => return Kind::Skip("it is a symbolic link to a folder"),
            Ok(_) => {}
            Err(_) => return Kind::Skip("it is a symbolic link to nothing"),
        }
    }
    match fs::metadata(path) {
        Ok(entry) if entry.is_dir() => Kind::Folder,
        Ok(entry) if entry.is_file() => Kind::File,
        _ => Kind::Skip("it is neither a file nor a folder"),
    }
}
