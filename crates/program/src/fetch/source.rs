//! The sources of the data set, and how long each may take.

use super::spec::Spec;
use std::{path::PathBuf, time::Duration};
use ureq::Proxy;

/// A source of the data set.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name in messages.
    pub name: String,
    /// The address of each file.
    pub addresses: Addresses,
    /// Whether to refuse addresses without TLS, including those of redirects.
    pub tls_only: bool,
}

/// The addresses of the files of a source.
#[derive(Clone, Debug)]
pub enum Addresses {
    /// The archive of the binary version.
    Archive(String),
    /// The two Parquet tables: training images and test images.
    Parquet([String; 2]),
}

/// How slow a source may be before the next one is tried.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The minimum rate in bytes per second, measured over a `window`.
    pub floor: f64,
    /// How long the rate is measured, and how long a source may send nothing.
    pub window: Duration,
    /// How long the connection and the headers of the response may take.
    pub patience: Duration,
    /// The pause between two attempts at one source; longer after each attempt without progress.
    pub pause: Duration,
    /// The number of attempts without progress before the next source.
    pub tries: u32,
    /// The proxy for all connections.
    pub proxy: Option<Proxy>,
    /// A file with the certificate authorities that are trusted instead of Mozilla's.
    pub certificates: Option<PathBuf>,
}

/// Receives reports about the progress of a download.
pub trait Progress {
    /// The download of `file` begins; `have` of its `total` bytes were downloaded before.
    fn begin(&mut self, file: &str, have: u64, total: u64);
    /// The first `bytes` bytes of the file have been downloaded.
    fn set_position(&mut self, bytes: u64);
    /// A message for the user.
    fn message(&mut self, line: &str);
}

impl Source {
    /// The original host, a mirror of the same files, and Hugging Face.
    pub fn built_in() -> Vec<Source> {
        let hugging_face = "https://huggingface.co/datasets/uoft-cs/cifar10/resolve/0b2714987fa478483af9968de7c934580d0bb9a2/plain_text/";
        let archives = [
            ("Toronto (the original)", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
            (
                "MindSpore (a mirror)",
                "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/cifar-10-binary.tar.gz",
            ),
        ];
        let mut sources: Vec<Source> = archives
            .map(|(name, url)| Source { name: name.into(), ..Source::at(url, &Spec::cifar10()) })
            .into();
        sources.push(Source { name: "Hugging Face".into(), ..Source::at(hugging_face, &Spec::cifar10()) });
        sources.iter_mut().for_each(|source| source.tls_only = true);
        sources
    }

    /// A source given by the user: an address that ends in `/` is a folder with the
    /// two Parquet tables, any other is the archive.
    pub fn at(url: &str, spec: &Spec) -> Source {
        let addresses = match url.ends_with('/') {
            true => Addresses::Parquet([0, 1].map(|part: usize| format!("{url}{}", spec.parquet[part].name))),
            false => Addresses::Archive(url.into()),
        };
        Source { name: url.into(), addresses, tls_only: false }
    }
}

impl Default for Limits {
    /// At least 200 kB/s over 20 s: the whole archive in a quarter of an hour.
    fn default() -> Limits {
        Limits {
            floor: 200_000.0,
            window: Duration::from_secs(20),
            patience: Duration::from_secs(20),
            pause: Duration::from_secs(2),
            tries: 3,
            proxy: Proxy::try_from_env(),
            certificates: std::env::var_os("SSL_CERT_FILE").map(PathBuf::from),
        }
    }
}
