//! Fuzzing: the readers of files accept any bytes or refuse them with a message, but never panic.
//!
//! Every test runs for `NCHW_FUZZ_SECONDS` (2 if it is not set, 20 in `cargo xtask test`);
//! a failure prints the smallest input that was found.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "common/archive.rs"]
mod archive;

use archive::{gzip, packed, published};
use nchw::{
    data::{Dataset, FolderSettings, read_records},
    net::{LectureNet, LectureNetConfig},
};
use nchw_program::fetch::{self, PublishedFile};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    env,
    io::{self, Read, Write},
    rc::Rc,
    time::{Duration, Instant},
};
use tch::{Device, Kind, Tensor};

/// Runs the test with random inputs until the time is over.
fn for_a_while<S: Strategy>(inputs: S, mut test: impl FnMut(S::Value) -> Result<(), TestCaseError>) {
    let seconds = env::var("NCHW_FUZZ_SECONDS").map_or(2.0, |seconds| seconds.parse().unwrap());
    let (start, time) = (Instant::now(), Duration::from_secs_f64(seconds));
    let test = RefCell::new(&mut test);
    let mut tried = 0;
    while start.elapsed() < time {
        let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        runner.run(&inputs, |input| (test.borrow_mut())(input)).unwrap_or_else(|failure| panic!("{failure}"));
        tried += 32;
    }
    println!("{tried} inputs in {:.0} s", start.elapsed().as_secs_f64());
}

/// One change to a file.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        6 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), 1..2000_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..600)).prop_map(|(at, b)| Change::Insert(at, b)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ];
    prop::collection::vec(change, 0..6)
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        if bytes.is_empty() {
            return bytes;
        }
        let position = |index: &Index| index.index(bytes.len());
        match change {
            Change::Set(at, byte) => {
                let at = position(at);
                bytes[at] = *byte;
            }
            Change::Cut(at) => bytes.truncate(position(at)),
            Change::Remove(at, count) => {
                let at = position(at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Change::Insert(at, more) => {
                let at = position(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Change::Repeat(from, to) => {
                let (from, to) = (position(from), position(to));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

#[test]
fn the_binary_format_reader_never_panics() {
    let whole: Vec<u8> = published().files.into_iter().flat_map(|(_, bytes)| bytes).collect();
    let arbitrary = prop::collection::vec(any::<u8>(), 0..7000);
    let damaged = changes().prop_map(move |changes| changed(&whole, &changes));
    for_a_while(prop_oneof![1 => arbitrary, 3 => damaged], |bytes| {
        match read_records(&bytes, "file.bin") {
            Ok(records) => {
                let pairs = records.labels.iter().zip(records.pixels.chunks(3072));
                let again: Vec<u8> = pairs.flat_map(|(&label, pixels)| [&[label], pixels].concat()).collect();
                prop_assert!(again == bytes && records.labels.iter().all(|&label| label <= 9));
            }
            Err(error) => prop_assert!(error.to_string().starts_with("file.bin: "), "{}", error),
        }
        Ok(())
    });
}

#[test]
fn the_weights_reader_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    LectureNet::new(
        LectureNetConfig { maps: [1, 2, 3], pooling: true, ..LectureNetConfig::default() },
        1,
        Device::Cpu,
    )
    .unwrap()
    .save(&path)
    .unwrap();
    let whole = std::fs::read(&path).unwrap();
    // Without its hash, so that damage after the header is read, too; the header keeps its length.
    let text = String::from_utf8_lossy(&whole[..4000]).into_owned();
    let at = text.find("\"sha256\"").unwrap();
    let mut without_hash = whole.clone();
    without_hash[at + 1..at + 7].copy_from_slice(b"nohash");
    let header_length = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let arbitrary = prop::collection::vec(any::<u8>(), 0..3000);
    let damaged = {
        let whole = whole.clone();
        changes().prop_map(move |changes| changed(&whole, &changes))
    };
    let in_header = (any::<Index>(), any::<u8>(), changes()).prop_map(move |(at, byte, changes)| {
        let mut bytes = without_hash.clone();
        bytes[at.index(header_length)] = byte;
        changed(&bytes, &changes)
    });
    let images = Tensor::zeros([2, 3, 32, 32], (Kind::Uint8, Device::Cpu));
    for_a_while(prop_oneof![1 => arbitrary, 3 => damaged, 3 => in_header], |bytes| {
        // The page of the network explorer reads the same files, with a reader of its own.
        if let Err(error) = nchw_web::net::Weights::parse(&bytes) {
            prop_assert!(error.to_string().len() > 20, "{}", error);
        }
        std::fs::write(&path, &bytes).unwrap();
        match LectureNet::load(&path) {
            Ok(net) => match net.logits(&images) {
                Ok(logits) => prop_assert_eq!(logits.size(), [2, net.classes().len() as i64]),
                Err(error) => prop_assert!(error.to_string().contains("sums overflow"), "{}", error),
            },
            Err(error) => prop_assert!(error.to_string().contains("weights.safetensors: "), "{}", error),
        }
        Ok(())
    });
}

#[test]
fn the_reader_of_photo_folders_never_panics_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("photos");
    let whole = Dataset::shapes10(24, 6, 1).unwrap().write_folder(&root).unwrap().join("star/0001.png");
    let png = std::fs::read(whole).unwrap();
    let pixels = image::load_from_memory(&png).unwrap();
    let mut files = vec![png];
    for format in
        [image::ImageFormat::Jpeg, image::ImageFormat::Gif, image::ImageFormat::Bmp, image::ImageFormat::WebP]
    {
        let mut bytes = io::Cursor::new(Vec::new());
        pixels.write_to(&mut bytes, format).unwrap();
        files.push(bytes.into_inner());
    }
    // The header of an image that would take 10 GB.
    let mut huge = b"BM".to_vec();
    for number in [54_u32, 0, 54, 40, 60_000, 60_000, 24 << 16 | 1, 0, 0, 0, 0, 0, 0] {
        huge.extend(number.to_le_bytes());
    }
    files.push(huge);
    let arbitrary = prop::collection::vec(any::<u8>(), 0..3000);
    let damaged = (any::<Index>(), changes())
        .prop_map(move |(file, changes)| changed(&files[file.index(files.len())], &changes));
    let names = prop::sample::select(vec![
        "a.png",
        "b.JPG",
        "한글 이름.webp",
        "no extension",
        "x.gif",
        ".hidden",
        "z.txt",
    ]);
    let file = (names, prop_oneof![1 => arbitrary, 4 => damaged]);
    let inputs = (prop::collection::vec(file, 1..4), 0..300_usize, 0.0..1.2_f64, any::<u64>());
    for_a_while(inputs, |(files, side, test, seed)| {
        for (name, bytes) in &files {
            std::fs::write(root.join("star").join(name), bytes).unwrap();
        }
        let listed = || {
            let mut names: Vec<_> =
                std::fs::read_dir(root.join("star")).unwrap().map(|e| e.unwrap().path()).collect();
            names.sort();
            names
        };
        let before = listed();
        let settings = FolderSettings { side, test, seed };
        match Dataset::from_folder_with(&root, &settings) {
            Ok(data) => {
                let count = data.train.len() + data.test.len();
                let skipped = data.notes.join("").matches("star/").count();
                prop_assert!((30..=30 + files.len()).contains(&count), "{}", data);
                prop_assert!(count + skipped >= 30, "{}", data);
                let expected = [3, side as i64, side as i64];
                prop_assert!(
                    data.train.images.size()[1..] == expected && data.test.images.size()[1..] == expected
                );
            }
            Err(error) => prop_assert!(error.to_string().starts_with("expected a "), "{}", error),
        }
        prop_assert_eq!(&listed(), &before);
        for (name, bytes) in &files {
            let path = root.join("star").join(name);
            if path.exists() {
                prop_assert!(
                    files.iter().any(|(other, own)| other == name && own == &std::fs::read(&path).unwrap())
                        || bytes.is_empty()
                );
                std::fs::remove_file(path).unwrap();
            }
        }
        Ok(())
    });
}

#[test]
fn the_archive_reader_never_panics() {
    let published = published();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&published.archive[..]).read_to_end(&mut tar).unwrap();
    let headers = headers(&tar);
    let archive = packed(&published.files);
    // Damage in the compressed bytes, in the uncompressed bytes, and in the headers (with
    // a correct checksum, so that not only the checksum is tested).
    let outside = changes().prop_map(move |changes| changed(&archive, &changes));
    let plain = tar.clone();
    let inside = changes().prop_map(move |changes| gzip(&changed(&plain, &changes)));
    let bytes = prop::collection::vec((any::<Index>(), 0..512_usize, any::<u8>()), 1..4);
    let in_headers = bytes.prop_map(move |bytes| {
        let mut tar = tar.clone();
        for (header, at, byte) in bytes {
            let start = *header.get(&headers);
            tar[start + at] = byte;
            write_checksum(&mut tar[start..start + 512]);
        }
        gzip(&tar)
    });
    let arbitrary = prop::collection::vec(any::<u8>(), 0..3000);
    for_a_while(prop_oneof![1 => arbitrary, 3 => outside, 3 => inside, 3 => in_headers], |bytes| {
        let out: Rc<RefCell<BTreeMap<String, Vec<u8>>>> = Rc::default();
        let create = |file: &PublishedFile| Ok(Out(file.name.clone(), out.clone()));
        let read = fetch::archive::unpack(&bytes[..], &published.spec.files, "x.tar.gz", create);
        let out = out.borrow();
        for (name, bytes) in out.iter() {
            let expected = published.files.iter().find(|(file, _)| file == name);
            prop_assert!(
                expected.is_some_and(|(_, whole)| bytes.len() <= whole.len()),
                "{} was unpacked",
                name
            );
        }
        match read {
            Ok(()) => prop_assert!(published.files.iter().all(|(name, bytes)| out.get(name) == Some(bytes))),
            Err(error) => prop_assert!(error.to_string().starts_with("x.tar.gz"), "{}", error),
        }
        Ok(())
    });
}

/// The positions of the headers in an archive.
fn headers(tar: &[u8]) -> Vec<usize> {
    let (mut at, mut found) = (0, Vec::new());
    while tar[at] != 0 {
        found.push(at);
        let size = tar::Header::from_byte_slice(&tar[at..at + 512]).entry_size().unwrap() as usize;
        at += 512 + size.div_ceil(512) * 512;
    }
    found
}

/// Writes the correct checksum of a header.
fn write_checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A file in memory, with its name.
struct Out(String, Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.borrow_mut().entry(self.0.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
