//! What a whole set is: names, sizes, hashes; and how one is put in place.

use crate::{
    Error, Result,
    data::{FILES, FOLDER, PER_FILE, RECORD, read_records},
    shapes::commas,
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// The file of hashes that is put beside a set, as `sha256sum -c` reads it.
const SUMS: &str = "SHA256SUMS";
/// What else the archive holds; nothing reads it.
pub(super) const BESIDE: [&str; 2] = ["batches.meta.txt", "readme.html"];

/// A file that is known to the byte.
#[derive(Clone, Debug)]
pub struct PublishedFile {
    /// Its name, without folders.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in 64 hexadecimal digits.
    pub sha256: String,
}

/// The data set as it is published.
///
/// A value, so that the tests of what is done with it need no 170 MB.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The packed binary version.
    pub archive: PublishedFile,
    /// What the archive unpacks to: five files to train on, one to test with.
    pub files: Vec<PublishedFile>,
    /// The same pictures as Parquet: to train on, to test with.
    pub parquet: [PublishedFile; 2],
    /// Records in each of `files`.
    pub per_file: usize,
}

/// What the check of a folder found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Byte for byte the published files.
    Published,
    /// Byte for byte what was put there: pictures that came as Parquet.
    AsPutThere,
    /// Whole and readable, but neither of the two.
    OtherBytes,
}

impl PublishedFile {
    fn new(name: &str, bytes: u64, sha256: &str) -> PublishedFile {
        PublishedFile { name: name.into(), bytes, sha256: sha256.into() }
    }

    /// Whether the file at `path` is this one; errors say how it differs.
    ///
    /// # Errors
    /// When it cannot be read, has another size, or other bytes.
    pub fn check(&self, path: &Path) -> Result<()> {
        let what = path.display();
        let unreadable = |e: io::Error| Error::new(format!("could not read {what}: {e}"));
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size != self.bytes {
            return Err(Error::new(format!(
                "{what}: expected {} bytes, got {}{}",
                commas(self.bytes),
                commas(size),
                if size < self.bytes { ": it was cut off on its way; copy or download it again" } else { "" }
            )));
        }
        let found = sha256(&mut file).map_err(unreadable)?;
        if found != self.sha256 {
            return Err(Error::new(format!(
                "{what}: expected the SHA-256 {}, got {found}: its bytes were changed on the way, \
                 or it is another file under this name; it is not used",
                self.sha256
            )));
        }
        Ok(())
    }

    /// Copies the file from `from` into `to`, and holds it against size and hash.
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
            to.write_all(&buffer[..got]).map_err(|e| unwritten(&self.name, &e))?;
        }
        if size != self.bytes {
            let (got, how) = (commas(size), if size > self.bytes { "at least " } else { "" });
            return Err(Error::new(format!(
                "{what}: {} should have {} bytes, and has {how}{got}",
                self.name,
                commas(self.bytes)
            )));
        }
        to.flush().map_err(|e| unwritten(&self.name, &e))?;
        let found = format!("{:x}", hash.finalize());
        if found != self.sha256 {
            return Err(Error::new(format!(
                "{what}: {} should have the SHA-256 {}, and has {found}: it is not used",
                self.name, self.sha256
            )));
        }
        Ok(())
    }
}

impl Spec {
    /// CIFAR-10 as its author publishes it, and as Hugging Face does.
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

    /// What the set takes once it is unpacked.
    pub fn unpacked_bytes(&self) -> u64 {
        (self.files.len() * self.per_file * RECORD) as u64
    }

    /// Checks a folder: every size, label and hash.
    ///
    /// # Errors
    /// When a file is missing, cut off, or holds what no label can be.
    pub fn verify(&self, folder: &Path) -> Result<Verdict> {
        let mut sums = Vec::new();
        for sealed in &self.files {
            let path = folder.join(&sealed.name);
            let what = path.display().to_string();
            let bytes = fs::read(&path).map_err(|e| Error::new(format!("could not read {what}: {e}")))?;
            let records = read_records(&bytes, &what)?.labels.len();
            if records != self.per_file {
                return Err(Error::new(format!(
                    "{what}: expected {} pictures, got {}",
                    commas(self.per_file as u64),
                    commas(records as u64)
                )));
            }
            sums.push((format!("{:x}", Sha256::digest(&bytes)), &sealed.name));
        }
        if sums.iter().zip(&self.files).all(|((sum, _), sealed)| *sum == sealed.sha256) {
            return Ok(Verdict::Published);
        }
        match fs::read_to_string(folder.join(SUMS)) {
            Ok(kept) if kept == sums_text(&sums) => Ok(Verdict::AsPutThere),
            Ok(kept) => {
                let changed = sums.iter().find(|(sum, name)| !kept.contains(&format!("{sum}  {name}")));
                let name = changed.map_or(SUMS, |(_, name)| name);
                Err(Error::new(format!(
                    "{}: its bytes are not what they were when it was put there (see {SUMS}): \
                     move the folder away, and `nchw data fetch` downloads the set again",
                    folder.join(name).display()
                )))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Verdict::OtherBytes),
            Err(e) => Err(Error::new(format!("could not read {}: {e}", folder.join(SUMS).display()))),
        }
    }

    /// Refuses a folder that holds anything, since it may be the user's only copy. `problem` is
    /// why it is not the whole set.
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
            Err(e) => return refused(format!("cannot be the folder of the set: {e}")),
        };
        match entries.next() {
            // Another disk cannot take the place of this one in one step.
            None if is_mounted(folder) => refused(format!(
                "is where another disk is mounted, and the set takes the place of a whole folder: choose one in \
                 it, for example --to {}",
                folder.join(FOLDER).display()
            )),
            None => Ok(()),
            Some(_) if self.files.iter().any(|file| folder.join(&file.name).exists()) => refused(format!(
                "holds a part of a set, or a damaged one ({problem}). Nothing there was changed: \
                 move the folder away first, or choose another one with --to DIR"
            )),
            Some(_) => refused(format!(
                "holds other files, and the set needs a folder of its own: for example --to {}",
                folder.join(FOLDER).display()
            )),
        }
    }

    /// Makes `new` the folder of the set, in one step: a set is whole or absent.
    pub(super) fn put_in_place(&self, new: &Path, folder: &Path) -> Result<()> {
        let failed = |e: io::Error| unwritten(&folder.display().to_string(), &e);
        let mut sums = Vec::new();
        for sealed in &self.files {
            let file = File::open(new.join(&sealed.name)).map_err(failed)?;
            sums.push((sha256(&mut BufReader::new(&file)).map_err(failed)?, &sealed.name));
            // On the disk before the folder has its name: also a power cut leaves no half set.
            file.sync_all().map_err(failed)?;
        }
        fs::write(new.join(SUMS), sums_text(&sums)).map_err(failed)?;
        // Takes the place of no folder or of an empty one; if it holds anything by now, this fails.
        fs::rename(new, folder).map_err(failed)
    }
}

/// `sha256sum`'s format.
fn sums_text(sums: &[(String, &String)]) -> String {
    sums.iter().map(|(sum, name)| format!("{sum}  {name}\n")).collect()
}

pub(super) fn sha256(from: &mut impl Read) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            got => hash.update(&buffer[..got]),
        }
    }
}

/// What is said when something could not be written: a full disk by its name.
pub(super) fn unwritten(what: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::new(format!(
            "the disk is full: {what} could not be written. Free some space, or choose another disk with --to DIR; \
             what was downloaded is kept, and the same command goes on from there"
        )),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Error::new(format!(
            "{what} could not be written: {error}. Choose a folder of your own with --to DIR"
        )),
        _ => Error::new(format!("{what} could not be written: {error}")),
    }
}
/// Whether a folder is on another disk than the folder that holds it.
fn is_mounted(folder: &Path) -> bool {
    let disk = |path: &Path| fs::metadata(path).map(|data| data.dev()).ok();
    disk(folder) != disk(&folder.join(".."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempFolder;

    #[test]
    fn an_empty_folder_can_become_the_set_unless_another_disk_is_mounted_there() {
        let folder = TempFolder::new("spec-mounted");
        assert!(!is_mounted(folder.path()));
        assert!(Spec::cifar10().may_fill(folder.path(), &Error::new("")).is_ok());
        assert!(is_mounted(Path::new("/proc")) && is_mounted(Path::new("/dev")));
    }
}
