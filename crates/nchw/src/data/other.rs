//! Data sets that are easily mistaken for the binary version of CIFAR-10, and how to recognise them.

use std::path::Path;

/// A data set that this course does not read.
pub struct Other {
    /// The name of the data set in messages.
    pub is: &'static str,
    /// The archive that it is published in.
    pub archive: &'static str,
    /// The size of the archive; `None` if only its content identifies it.
    bytes: Option<u64>,
    /// The folder that the archive unpacks to.
    folder: &'static str,
    /// Files that only this data set has.
    files: &'static [&'static str],
}

/// The source of the names and sizes is <https://www.cs.toronto.edu/~kriz/cifar.html>.
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
    /// The data set whose archive has this size.
    pub fn of_size(bytes: u64) -> Option<&'static Other> {
        OTHERS.iter().find(|other| other.bytes == Some(bytes))
    }

    /// The data set whose archive unpacks to this folder.
    pub fn of_folder(name: &str) -> Option<&'static Other> {
        OTHERS.iter().find(|other| other.folder == name)
    }

    /// The data set that a folder contains: its files, its own folder, or its archive.
    pub fn inside(folder: &Path) -> Option<&'static Other> {
        let has = |name: &str| folder.join(name).exists();
        OTHERS
            .iter()
            .find(|other| other.files.iter().all(|file| has(file)) || has(other.folder) || has(other.archive))
    }
}
