//! Data sets that are easily taken for the binary version of CIFAR-10, and how they are recognised.

use std::path::Path;

/// A set that this course does not read.
pub struct Other {
    /// What it is, for messages.
    pub is: &'static str,
    /// The archive in which it is published.
    pub archive: &'static str,
    /// The archive's size; `None` where only its content tells.
    bytes: Option<u64>,
    /// The folder that the archive unpacks to.
    folder: &'static str,
    /// Files that only this set has.
    files: &'static [&'static str],
}

/// Source of the names and sizes: <https://www.cs.toronto.edu/~kriz/cifar.html>.
static OTHERS: [Other; 5] = [
    Other {
        is: "the Python version of CIFAR-10",
        archive: "cifar-10-python.tar.gz",
        bytes: Some(170_498_071),
        folder: "cifar-10-batches-py",
        files: &["data_batch_1"],
    },
    Other {
        is: "the Matlab version of CIFAR-10",
        archive: "cifar-10-matlab.tar.gz",
        bytes: None,
        folder: "cifar-10-batches-mat",
        files: &["data_batch_1.mat"],
    },
    Other {
        is: "CIFAR-100, another data set, with 100 classes",
        archive: "cifar-100-binary.tar.gz",
        bytes: Some(168_513_733),
        folder: "cifar-100-binary",
        files: &["train.bin", "test.bin"],
    },
    Other {
        is: "CIFAR-100, another data set, with 100 classes",
        archive: "cifar-100-python.tar.gz",
        bytes: Some(169_001_437),
        folder: "cifar-100-python",
        files: &["train", "test", "meta"],
    },
    Other {
        is: "CIFAR-100, another data set, with 100 classes",
        archive: "cifar-100-matlab.tar.gz",
        bytes: None,
        folder: "cifar-100-matlab",
        files: &["train.mat", "test.mat"],
    },
];

impl Other {
    /// The set whose archive has this size.
    pub fn of_size(bytes: u64) -> Option<&'static Other> {
        OTHERS.iter().find(|other| other.bytes == Some(bytes))
    }

    /// The set whose archive unpacks to this folder.
    pub fn of_folder(name: &str) -> Option<&'static Other> {
        OTHERS.iter().find(|other| other.folder == name)
    }

    /// The set that a folder holds: unpacked, in a folder of its own, or as its archive.
    pub fn inside(folder: &Path) -> Option<&'static Other> {
        let has = |name: &str| folder.join(name).exists();
        OTHERS
            .iter()
            .find(|other| other.files.iter().all(|file| has(file)) || has(other.folder) || has(other.archive))
    }
}
