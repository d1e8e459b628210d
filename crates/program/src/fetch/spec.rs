//! The names, sizes and hashes of the data set; checking a folder, and putting a new one in place.

use crate::{
    Error, Result,
    data::{FILES, FOLDER, PER_FILE, RECORD, read_records},
    shapes::commas,
};
use sha2::{Digest, Sha256};
use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// The file of hashes in the folder of the data set, in the format of `sha256sum -c`.
const SUMS: &str = "SHA256SUMS";
/// The other files of the archive, which are not used.
pub(super) const UNUSED: [&str; 2] = ["batches.meta.txt", "readme.html"];

/// A file with known content.
#[derive(Clone, Debug)]
pub struct PublishedFile {
    /// The name, without folders.
    pub name: String,
    /// The size.
    pub bytes: u64,
    /// The SHA-256 of the content, in 64 hexadecimal digits.
    pub sha256: String,
}

/// The data set as it is published.
///
/// This is a value, so that tests can use a small data set instead of 170 MB.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The archive of the binary version.
    pub archive: PublishedFile,
    /// The files in the archive: five with training images, one with test images.
    pub files: Vec<PublishedFile>,
    /// The same images as two Parquet tables: training images and test images.
    pub parquet: [PublishedFile; 2],
    /// The number of records in each of `files`.
    pub per_file: usize,
}

/// The result of checking a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Every byte is as published.
    Published,
    /// Every byte is as converted from the Parquet tables.
    Converted,
    /// Complete and readable, but neither of the two.
    OtherBytes,
}

impl PublishedFile {
    fn new(name: &str, bytes: u64, sha256: &str) -> PublishedFile {
        PublishedFile { name: name.into(), bytes, sha256: sha256.into() }
    }

    /// Checks that the file at `path` is this one.
    ///
    /// # Errors
    /// When it cannot be read, or its size or content differs.
    pub fn check(&self, path: &Path) -> Result<()> {
        let what = path.display();
        let unreadable = read_error(&what);
        let mut file = File::open(path).map_err(&unreadable)?;
        let size = file.metadata().map_err(&unreadable)?.len();
        if size != self.bytes {
            return Err(Error::new(format!(
                "{what}: expected {} bytes, got {}{}",
                commas(self.bytes),
                commas(size),
                if size < self.bytes {
                    ": it was not copied completely; copy or download it again"
                } else {
                    ""
                }
            )));
        }
        let found = sha256(&mut file).map_err(&unreadable)?;
        if found != self.sha256 {
            return Err(Error::new(format!(
                "{what}: expected the SHA-256 {}, got {found}: it was damaged on the way, \
                 or it is a different file with the same name; it is not used",
                self.sha256
            )));
        }
        Ok(())
    }

    /// Copies the file from `from` to `to`, and checks its size and hash.
    pub(super) fn copy(&self, from: &mut dyn Read, to: &mut dyn Write, what: &str) -> Result<()> {
        let (mut hash, mut size, mut buffer) = (Sha256::new(), 0u64, vec![0; 1 << 16]);
        loop {
            let got = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => got,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::new(format!("{what}: {} could not be read: {e}", self.name))),
            };
            size += got as u64;
            if size > self.bytes {
                break;
            }
            hash.update(&buffer[..got]);
            to.write_all(&buffer[..got]).map_err(|e| write_error(&self.name, &e))?;
        }
        if size != self.bytes {
            let (got, how) = (commas(size), if size > self.bytes { "at least " } else { "" });
            return Err(Error::new(format!(
                "{what}: {}: expected {} bytes, got {how}{got}",
                self.name,
                commas(self.bytes)
            )));
        }
        to.flush().map_err(|e| write_error(&self.name, &e))?;
        let found = format!("{:x}", hash.finalize());
        if found != self.sha256 {
            return Err(Error::new(format!(
                "{what}: {}: expected the SHA-256 {}, got {found}: it is not used",
                self.name, self.sha256
            )));
        }
        Ok(())
    }
}

impl Spec {
    /// CIFAR-10 as published by its author, and by Hugging Face.
    ///
    /// # Source
    /// <https://www.cs.toronto.edu/~kriz/cifar.html>;
    /// <https://huggingface.co/datasets/uoft-cs/cifar10>, revision `0b27149`.
    pub fn cifar10() -> Spec {
        let sums = [
            "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        ];
        let bytes = (PER_FILE * RECORD) as u64;
        Spec {
            archive: PublishedFile::new(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
            files: FILES.iter().zip(sums).map(|(name, sum)| PublishedFile::new(name, bytes, sum)).collect(),
            parquet: [
                PublishedFile::new(
                    "train-00000-of-00001.parquet",
                    119_705_255,
                    "8428b53a88a11ac374111006708df51469e315a22ac6d66470afd9c78d2ae883",
                ),
                PublishedFile::new(
                    "test-00000-of-00001.parquet",
                    23_940_850,
                    "841389e6f2d64f28bf17310e430aebac20ec3ba611a3c5e231dc93c645ce84de",
                ),
            ],
            per_file: PER_FILE,
        }
    }

    /// The size of the unpacked data set.
    pub fn unpacked_bytes(&self) -> u64 {
        (self.files.len() * self.per_file * RECORD) as u64
    }

    /// Checks every size, label and hash in a folder.
    ///
    /// # Errors
    /// When a file is missing, incomplete, or contains an invalid label, or when a hash differs
    /// from the one that was saved with the data set.
    pub fn verify(&self, folder: &Path) -> Result<Verification> {
        let mut sums = Vec::new();
        for file in &self.files {
            let path = folder.join(&file.name);
            let what = path.display().to_string();
            let bytes = fs::read(&path).map_err(read_error(&what))?;
            let records = read_records(&bytes, &what)?.labels.len();
            if records != self.per_file {
                return Err(Error::new(format!(
                    "{what}: expected {} images, got {}",
                    commas(self.per_file as u64),
                    commas(records as u64)
                )));
            }
            sums.push((format!("{:x}", Sha256::digest(&bytes)), &file.name));
        }
        if sums.iter().zip(&self.files).all(|((sum, _), file)| *sum == file.sha256) {
            return Ok(Verification::Published);
        }
        match fs::read_to_string(folder.join(SUMS)) {
            Ok(saved) if saved == sums_text(&sums) => Ok(Verification::Converted),
            Ok(saved) => {
                let changed = sums.iter().find(|(sum, name)| !saved.contains(&format!("{sum}  {name}")));
                let name = changed.map_or(SUMS, |(_, name)| name);
                Err(Error::new(format!(
                    "{}: its content has changed since it was saved (see {SUMS}): \
                     move the folder away, then `nchw data fetch` downloads the data set again",
                    folder.join(name).display()
                )))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Verification::OtherBytes),
            Err(e) => Err(read_error(folder.join(SUMS).display())(e)),
        }
    }

    /// Refuses a folder that is not empty, since it may be the user's only copy. `problem` says
    /// why it is not the complete data set.
    pub(super) fn may_fill(&self, folder: &Path, problem: &Error) -> Result<()> {
        let refused = |why: String| Err(Error::new(format!("{} {why}", folder.display())));
        let mut entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return match folder.is_symlink() {
                    true => {
                        refused("is a link to a folder that does not exist: create that folder first".into())
                    }
                    false => Ok(()),
                };
            }
            Err(e) => return refused(format!("cannot be used as the folder of the data set: {e}")),
        };
        match entries.next() {
            // A mount point cannot be replaced by renaming another folder.
            None if is_mounted(folder) => refused(format!(
                "is the mount point of another disk, and the data set needs a folder that can be replaced: choose a \
                 folder inside it, for example --to {}",
                folder.join(FOLDER).display()
            )),
            None => Ok(()),
            Some(_) if self.files.iter().any(|file| folder.join(&file.name).exists()) => refused(format!(
                "contains a partial or damaged data set ({problem}). Nothing in it was changed: \
                 move the folder away first, or choose another one with --to DIR"
            )),
            Some(_) => refused(format!(
                "contains other files, and the data set needs a folder of its own: for example --to {}",
                folder.join(FOLDER).display()
            )),
        }
    }

    /// Renames `new` to the folder of the data set, so that it is complete or absent.
    pub(super) fn put_in_place(&self, new: &Path, folder: &Path) -> Result<()> {
        let failed = |e: io::Error| write_error(&folder.display().to_string(), &e);
        let mut sums = Vec::new();
        for PublishedFile { name, .. } in &self.files {
            let mut file = File::open(new.join(name)).map_err(failed)?;
            sums.push((sha256(&mut file).map_err(failed)?, name));
            // Synced before the rename, so that not even a power cut leaves a partial data set.
            file.sync_all().map_err(failed)?;
        }
        fs::write(new.join(SUMS), sums_text(&sums)).map_err(failed)?;
        // Replaces an empty folder or none; fails if the folder is not empty by now.
        fs::rename(new, folder).map_err(failed)
    }
}

/// The hashes in the format of `sha256sum`.
fn sums_text(sums: &[(String, &String)]) -> String {
    sums.iter().map(|(sum, name)| format!("{sum}  {name}\n")).collect()
}

fn sha256(from: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(from, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

/// The error for something that could not be read.
pub(super) fn read_error(what: impl Display) -> impl Fn(io::Error) -> Error {
    move |error| Error::new(format!("could not read {what}: {error}"))
}

/// The error for something that could not be written, with advice.
pub(super) fn write_error(what: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::new(format!(
            "the disk is full: {what} could not be written. Free some space, or choose another disk with --to DIR; \
             the partial download is kept, and the same command resumes it"
        )),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::new(format!(
            "{what} could not be written: {error}. Choose a folder of your own with --to DIR"
        )),
        _ => Error::new(format!("{what} could not be written: {error}")),
    }
}

/// Whether a folder is on another disk than its parent folder.
fn is_mounted(folder: &Path) -> bool {
    let disk = |path: &Path| fs::metadata(path).map(|data| data.dev()).ok();
    disk(folder) != disk(&folder.join(".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_can_be_replaced_unless_it_is_a_mount_point() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_mounted(folder.path()));
        assert!(Spec::cifar10().may_fill(folder.path(), &Error::new("")).is_ok());
        assert!(is_mounted(Path::new("/proc")) && is_mounted(Path::new("/dev")));
    }
}
