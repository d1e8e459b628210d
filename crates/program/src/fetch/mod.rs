//! Downloads CIFAR-10 or imports it from a file, completely or not at all.
//!
//! The data set is assembled in a working folder next to its own (`workspace`),
//! checked by size and SHA-256, and then renamed. After an interruption, the same
//! call resumes its downloads. A folder that is not empty is never replaced.

pub mod archive;
mod download;
mod parquet;
mod source;
mod spec;
mod workspace;

pub use source::{Addresses, Limits, Progress, Source};
pub use spec::{PublishedFile, Spec, Verification};
pub use ureq::Proxy;

use crate::{
    Error, Result,
    data::{FOLDER, Other},
    files,
    shapes::commas,
};
use download::{Download, DownloadError};
use spec::{read_error, write_error};
use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write},
    path::{Path, PathBuf},
};
use workspace::Workspace;

/// Downloads the data set into `folder` from the first source that works.
///
/// Returns false if the folder already contained it.
///
/// # Errors
/// When no source works (the message says why, for each of them), the disk is full, or
/// `folder` cannot be used. A partial download is kept and resumed by the next call.
pub fn fetch(
    spec: &Spec,
    sources: &[Source],
    folder: &Path,
    limits: &Limits,
    progress: &mut dyn Progress,
) -> Result<bool> {
    let Some(work) = Work::begin(spec, folder)? else { return Ok(false) };
    work.require_space(spec.archive.bytes + spec.unpacked_bytes())?;
    let mut failures = Vec::new();
    let mut slow: Vec<(f64, &Source)> = Vec::new();
    for source in sources {
        progress.message(&format!("downloading from {}", source.name));
        let why = match work.try_source(source, Some(limits.floor), limits, progress) {
            Ok(()) => return work.finish().map(|()| true),
            Err(DownloadError::Stop(error)) => return Err(error),
            Err(DownloadError::Slow(rate)) => {
                slow.push((rate, source));
                let least = limits.floor / 1000.0;
                format!("too slow ({:.0} kB/s; expected at least {least:.0} kB/s)", rate / 1000.0)
            }
            Err(DownloadError::Failed(why) | DownloadError::Dropped(why)) => why,
        };
        progress.message(&format!("{}: {why}", source.name));
        failures.push(format!("\n  {}: {why}", source.name));
    }
    // If nothing else works, a slow source is better than none, unless it sends nothing at all.
    slow.retain(|(rate, _)| *rate > 0.0);
    slow.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (_, source) in slow {
        progress.message(&format!("no source is fast: trying {} without a speed limit", source.name));
        let why = match work.try_source(source, None, limits, progress) {
            Ok(()) => return work.finish().map(|()| true),
            Err(DownloadError::Stop(error)) => return Err(error),
            Err(DownloadError::Slow(_)) => "it sent nothing".into(),
            Err(DownloadError::Failed(why) | DownloadError::Dropped(why)) => why,
        };
        failures.push(format!("\n  {}: then {why}", source.name));
    }
    let kept = match work.downloads().iter().map(|path| download::size(path)).sum() {
        0 => "`nchw data fetch` tries again".into(),
        kept => format!("{} bytes are kept: `nchw data fetch` resumes the download", commas(kept)),
    };
    Err(Error::new(format!(
        "CIFAR-10 could not be downloaded:{}\n{kept}. Or copy {} from a USB stick: `nchw data import FILE`",
        failures.concat(),
        spec.archive.name
    )))
}

/// Imports the data set into `folder` from the archive, from a folder with the two
/// Parquet tables, or from a folder with the unpacked files.
///
/// Returns false if `folder` already contained it.
///
/// # Errors
/// When `from` is none of these, or is damaged or incomplete; when the disk is full.
pub fn import(spec: &Spec, from: &Path, folder: &Path) -> Result<bool> {
    let unreadable = read_error(from.display());
    let data = fs::metadata(from).map_err(&unreadable)?;
    match data.is_dir() {
        true => drop(fs::read_dir(from).map_err(&unreadable)?),
        false => require_archive(spec, from, data.len())?,
    }
    let Some(work) = Work::begin(spec, folder)? else { return Ok(false) };
    work.require_space(spec.unpacked_bytes())?;
    if data.is_dir() {
        work.fill_from_folder(from)?;
    } else {
        spec.archive.check(from)?;
        work.unpack(from)?;
    }
    work.finish().map(|()| true)
}

/// The message for a folder that contains nothing to import.
fn nothing_in(spec: &Spec, folder: &Path) -> String {
    let what = folder.display();
    let archive = folder.join(&spec.archive.name);
    if archive.exists() {
        return format!("{what} contains the archive: `nchw data import {}` unpacks it", archive.display());
    }
    if let Some(other) = Other::inside(folder) {
        return other_data_set(spec, &format!("{what} contains"), other);
    }
    format!(
        "{what} contains nothing to import: expected {} and {}, or the six files {} to {}",
        spec.parquet[0].name,
        spec.parquet[1].name,
        spec.files[0].name,
        spec.files[spec.files.len() - 1].name,
    )
}

/// The message for another data set than the one that the course uses.
fn other_data_set(spec: &Spec, what: &str, other: &Other) -> String {
    format!(
        "{what} {} ({}). The course needs the binary version of CIFAR-10, {} ({} bytes): `nchw data fetch` \
         downloads it",
        other.is,
        other.archive,
        spec.archive.name,
        commas(spec.archive.bytes)
    )
}

/// Checks that a file appears to be the archive; otherwise the error says what it is.
fn require_archive(spec: &Spec, path: &Path, bytes: u64) -> Result<()> {
    let what = path.display();
    let unreadable = read_error(&what);
    if let Some(other) = Other::of_size(bytes) {
        return Err(Error::new(other_data_set(spec, &format!("{what} is"), other)));
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(&unreadable)?;
    let is = match head.trim_ascii_start() {
        [0x1f, 0x8b, ..] => match archive::first_folder(File::open(path).map_err(&unreadable)?) {
            Some(name) if name == FOLDER => return Ok(()),
            // Not readable as an archive: the check of its size and hash reports the rest.
            None => return Ok(()),
            Some(name) => match Other::of_folder(&name) {
                Some(other) => {
                    return Err(Error::new(other_data_set(spec, &format!("{what} is"), other)));
                }
                None => format!("is a different archive: it begins with `{name}`"),
            },
        },
        [] => "is empty".into(),
        [b'<', ..] => {
            "is a web page that was saved under the name of the archive: download it again, and check its size".into()
        }
        [b'P', b'A', b'R', b'1', ..] => {
            "is one of the two Parquet tables: give the folder that contains both".into()
        }
        [b'P', b'K', ..] => "is a ZIP archive".into(),
        [0x80, 2..=5, ..] => "is a file of the Python version; the binary version is needed".into(),
        _ if path.file_name().is_some_and(|name| spec.files.iter().any(|file| name == &*file.name)) => {
            "is one of the six files of the data set: give the folder that contains all of them".into()
        }
        _ => "is not a known archive".into(),
    };
    Err(Error::new(format!(
        "{what} {is}; expected {} ({} bytes)",
        spec.archive.name,
        commas(spec.archive.bytes)
    )))
}

/// A data set that is being assembled.
struct Work<'a> {
    spec: &'a Spec,
    folder: &'a Path,
    workspace: Workspace,
}

impl<'a> Work<'a> {
    /// Opens the working folder; `None` if the data set is already in `folder`.
    fn begin(spec: &'a Spec, folder: &'a Path) -> Result<Option<Work<'a>>> {
        // An existing data set is only read, since its folder may be write-protected.
        if let Ok(Verification::Published | Verification::Converted) = spec.verify(folder) {
            return Ok(None);
        }
        // This check comes before anything is written next to the folder.
        if let Err(problem) = spec.verify(folder) {
            spec.may_fill(folder, &problem)?;
        }
        let workspace = Workspace::open(files::folder_of(folder), &spec.archive.sha256)?;
        let work = Work { spec, folder, workspace };
        // Checked again under the lock: another process may just have created the data set.
        match spec.verify(folder) {
            Ok(Verification::Published | Verification::Converted) => return Ok(None),
            Ok(Verification::OtherBytes) => {
                return Err(Error::new(format!(
                    "{} contains a complete data set with other images than the published ones: move it away first, \
                     or choose another folder with --to DIR",
                    folder.display()
                )));
            }
            Err(problem) => spec.may_fill(folder, &problem)?,
        }
        work.clear()?;
        Ok(Some(work))
    }

    /// The folder for the unpacked files.
    fn new_set(&self) -> PathBuf {
        self.workspace.path().join("new")
    }

    /// Makes the folder for the unpacked files empty.
    fn clear(&self) -> Result<()> {
        let new = self.new_set();
        let _ = fs::remove_dir_all(&new);
        fs::create_dir(&new).map_err(|e| write_error(&new.display().to_string(), &e))
    }

    /// Checks the free space on the disk before a long download begins.
    fn require_space(&self, needed: u64) -> Result<()> {
        let downloaded = self.downloads().iter().map(|path| download::size(path)).sum();
        let needed = needed.saturating_sub(downloaded);
        // Continue if the free space is unknown.
        let Ok(disk) = rustix::fs::statvfs(self.workspace.path()) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < needed {
            return Err(Error::new(format!(
                "not enough disk space: {} MB are needed next to {}, {} MB are free. \
                 Free some space, or choose another disk with --to DIR",
                commas(needed.div_ceil(1_000_000)),
                self.folder.display(),
                commas(free / 1_000_000)
            )));
        }
        Ok(())
    }

    fn downloads(&self) -> [PathBuf; 3] {
        let [train, test] = &self.spec.parquet;
        [&self.spec.archive, train, test].map(|file| self.workspace.path().join(&file.name))
    }

    fn try_source(
        &self,
        source: &Source,
        floor: Option<f64>,
        limits: &Limits,
        progress: &mut dyn Progress,
    ) -> std::result::Result<(), DownloadError> {
        let agent = download::agent(source.tls_only, limits);
        let [archive, train, test] = self.downloads();
        let mut get = |url: &str, file: &PublishedFile, to: &Path| {
            Download { agent: &agent, url, file, to, floor, limits }.run(progress)
        };
        let unpacked = match &source.addresses {
            Addresses::Archive(url) => {
                get(url, &self.spec.archive, &archive)?;
                self.unpack(&archive)
            }
            Addresses::Parquet(urls) => {
                get(&urls[0], &self.spec.parquet[0], &train)?;
                get(&urls[1], &self.spec.parquet[1], &test)?;
                self.unpack_parquet(&[train, test])
            }
        };
        unpacked.map_err(DownloadError::Stop)
    }

    /// Converts the two Parquet tables in a folder, or copies the unpacked files.
    fn fill_from_folder(&self, from: &Path) -> Result<()> {
        let spec = self.spec;
        for tables in [from.into(), from.join("plain_text")] {
            let paths = spec.parquet.each_ref().map(|table| tables.join(&table.name));
            if paths.iter().all(|path| path.is_file()) {
                for (table, path) in spec.parquet.iter().zip(&paths) {
                    table.check(path)?;
                }
                return self.unpack_parquet(&paths);
            }
        }
        for files in [from.into(), from.join(FOLDER)] {
            if spec.files.iter().all(|file| files.join(&file.name).is_file()) {
                return spec.files.iter().try_for_each(|file| self.copy(file, &files, from));
            }
        }
        Err(Error::new(nothing_in(spec, from)))
    }

    /// Copies an unpacked file. `from` is the folder that the user gave.
    fn copy(&self, file: &PublishedFile, folder: &Path, from: &Path) -> Result<()> {
        let path = folder.join(&file.name);
        let what = from.display();
        let mut source = File::open(&path).map_err(read_error(path.display()))?;
        file.copy(&mut source, &mut self.create(&file.name)?, &what.to_string()).map_err(|error| {
            Error::new(format!(
                "{error}. A data set of other images can be used without importing it: NCHW_DATA={what}"
            ))
        })
    }

    fn create(&self, name: &str) -> Result<BufWriter<File>> {
        let path = self.new_set().join(name);
        let file = File::create(&path).map_err(|e| write_error(&path.display().to_string(), &e))?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    }

    fn unpack(&self, archive: &Path) -> Result<()> {
        self.clear()?;
        let what = archive.display().to_string();
        let packed = File::open(archive).map_err(read_error(&what))?;
        archive::unpack(std::io::BufReader::new(packed), &self.spec.files, &what, |file| {
            self.create(&file.name)
        })
    }

    /// Writes the images of the tables, in order, as the files of the binary version.
    fn unpack_parquet(&self, tables: &[PathBuf; 2]) -> Result<()> {
        self.clear()?;
        let (train, test) = self.spec.files.split_at(self.spec.files.len() - 1);
        for (path, files) in tables.iter().zip([train, test]) {
            let what = path.display().to_string();
            let table = File::open(path).map_err(read_error(&what))?;
            let mut outputs = Vec::new();
            for file in files {
                outputs.push((self.create(&file.name)?, &file.name));
            }
            let (mut count, expected) = (0, files.len() * self.spec.per_file);
            parquet::read(table, &what, |label, pixels| {
                let Some((output, name)) = outputs.get_mut(count / self.spec.per_file) else {
                    return Err(Error::new(format!(
                        "{what}: expected {} images, got more",
                        commas(expected as u64)
                    )));
                };
                count += 1;
                let written = output.write_all(&[label]).and_then(|()| output.write_all(pixels));
                written.map_err(|e| write_error(name, &e))
            })?;
            if count != expected {
                let (expected, count) = (commas(expected as u64), commas(count as u64));
                return Err(Error::new(format!("{what}: expected {expected} images, got {count}")));
            }
            for (output, name) in &mut outputs {
                output.flush().map_err(|e| write_error(name, &e))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.spec.put_in_place(&self.new_set(), self.folder)?;
        // The data set is complete, so the downloads are no longer needed.
        for path in self.downloads() {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }
}

impl Drop for Work<'_> {
    /// Leaves the downloads that a later call can resume, and nothing else.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.new_set());
        if self.downloads().iter().all(|path| download::size(path) == 0) {
            let _ = self.workspace.remove();
        }
    }
}
