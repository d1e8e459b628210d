//! `nchw data` installs CIFAR-10 completely or not at all, even if the network fails.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "common/archive.rs"]
mod archive;
mod common;
mod server;

use archive::{FOLDER, PER_FILE, Published, entry, folder, gzip, packed, published, published_file};
use common::{nchw, ran};
use nchw_program::fetch::{self, Limits, Progress, Proxy, Source, Spec, Verification};
use server::{Behaviour, Server};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};
use tempfile::{TempDir, tempdir};

/// Collects the messages.
#[derive(Default)]
struct Lines(Vec<String>);

impl Progress for Lines {
    fn begin(&mut self, file: &str, have: u64, _: u64) {
        self.0.push(format!("{file} from {have}"));
    }
    fn set_position(&mut self, _: u64) {}
    fn message(&mut self, line: &str) {
        self.0.push(line.into());
    }
}

fn working_folder(spec: &Spec) -> String {
    format!(".nchw-data-{}", &spec.archive.sha256[..16])
}

/// A small data set, a folder for it, and the messages of its download.
struct Fixture {
    published: Published,
    folder: TempDir,
    limits: Limits,
    lines: Lines,
}

impl Fixture {
    fn new() -> Fixture {
        let limits = Limits {
            floor: 50_000.0,
            window: Duration::from_millis(300),
            patience: Duration::from_secs(5),
            pause: Duration::from_millis(1),
            tries: 3,
            proxy: None,
            certificates: None,
        };
        Fixture { published: published(), folder: tempdir().unwrap(), limits, lines: Lines::default() }
    }

    /// The folder of the data set.
    fn target(&self) -> PathBuf {
        self.folder.path().join(FOLDER)
    }

    /// The working folder next to it.
    fn workspace(&self) -> PathBuf {
        self.folder.path().join(working_folder(&self.published.spec))
    }

    /// Downloads half of the archive, as an interrupted call does, and returns its path.
    fn download_half(&mut self) -> PathBuf {
        let half = self.serve(Behaviour::HalfThenGone);
        let error = self.fetch(&[&half]).unwrap_err();
        assert!(
            error.contains("the server responded 404 Not Found: the file no longer exists there"),
            "{error}"
        );
        assert!(error.contains(" bytes are kept: `nchw data fetch` resumes the download"), "{error}");
        self.workspace().join("cifar-10-binary.tar.gz")
    }

    /// A server of the archive with this behaviour.
    fn serve(&self, behaviour: Behaviour) -> Server {
        Server::new(vec![("cifar-10-binary.tar.gz".into(), self.published.archive.clone())], behaviour)
    }

    fn fetch(&mut self, servers: &[&Server]) -> Result<bool, String> {
        let urls = servers.iter().map(|server| format!("{}cifar-10-binary.tar.gz", server.url));
        let sources: Vec<Source> = urls.map(|url| Source::at(&url, &self.published.spec)).collect();
        self.fetch_from(&sources)
    }

    fn fetch_from(&mut self, sources: &[Source]) -> Result<bool, String> {
        let target = self.target();
        fetch::fetch(&self.published.spec, sources, &target, &self.limits, &mut self.lines)
            .map_err(|e| e.to_string())
    }

    fn import(&self, from: &Path) -> Result<bool, String> {
        fetch::import(&self.published.spec, from, &self.target()).map_err(|e| e.to_string())
    }

    fn verify(&self) -> Result<Verification, String> {
        self.published.spec.verify(&self.target()).map_err(|e| e.to_string())
    }

    /// These servers give the complete data set, and nothing else is left.
    #[track_caller]
    fn completes(&mut self, servers: &[&Server]) {
        assert!(self.fetch(servers).unwrap());
        self.assert_complete();
    }

    #[track_caller]
    fn assert_complete(&self) {
        assert_eq!(self.verify(), Ok(Verification::Published));
        let names: Vec<_> =
            fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [FOLDER], "nothing is left next to the data set");
    }

    /// A source with this behaviour fails with this message, and leaves no data set.
    fn fails(&mut self, behaviour: Behaviour, why: &str) {
        let server = self.serve(behaviour);
        let error = self.fetch(&[&server]).unwrap_err();
        assert!(error.contains(why), "{behaviour:?}: expected `{why}` in: {error}");
        assert!(
            error.starts_with("CIFAR-10 could not be downloaded:") && error.contains("nchw data import FILE"),
            "{error}"
        );
        assert!(!self.target().exists());
        // A good source completes the data set, also after a failed one has left a part.
        let good = self.serve(Behaviour::Good);
        self.completes(&[&server, &good]);
    }
}

#[test]
fn a_good_source_is_downloaded_once() {
    let mut t = Fixture::new();
    let server = t.serve(Behaviour::Good);
    t.completes(&[&server]);
    assert!(!t.fetch(&[&server]).unwrap());
    assert_eq!(server.starts(), [0], "one request, and none when the data set is complete");
}

#[test]
fn a_download_resumes_after_every_dropped_connection() {
    let mut t = Fixture::new();
    let server = t.serve(Behaviour::DropsEveryTenth);
    t.completes(&[&server]);
    let starts = server.starts();
    assert!(starts.len() >= 10 && starts.is_sorted() && starts[1] > 0, "{starts:?}");
    let messages = t.lines.0.join("\n");
    assert!(messages.contains("bytes; resuming at byte "), "{messages}");
}

#[test]
fn a_download_resumes_from_another_source() {
    // Only the rest is requested. A server that ignores ranges sends the whole file again.
    for behaviour in [Behaviour::Good, Behaviour::IgnoresRange] {
        let mut t = Fixture::new();
        let have = t.published.archive.len() as u64 / 2;
        assert_eq!(fs::metadata(t.download_half()).unwrap().len(), have);
        let mirror = t.serve(behaviour);
        t.completes(&[&mirror]);
        assert_eq!(mirror.starts(), [have]);
    }
}

#[test]
fn a_faster_source_sends_the_rest_after_a_slow_one() {
    let mut t = Fixture::new();
    let (slow, mirror) = (t.serve(Behaviour::Slow), t.serve(Behaviour::Good));
    t.completes(&[&slow, &mirror]);
    assert!(mirror.starts()[0] > 0, "the part from the slow source is kept: {:?}", mirror.starts());
    let messages = t.lines.0.join("\n");
    assert!(messages.contains("too slow (") && messages.contains("expected at least 50 kB/s"), "{messages}");
}

#[test]
fn a_slow_source_is_used_if_no_other_works() {
    let mut t = Fixture::new();
    let (down, slow) = (Server::down(), t.serve(Behaviour::Slow));
    t.completes(&[&down, &slow]);
    assert!(t.lines.0.join("\n").contains("no source is fast: trying"), "{:?}", t.lines.0);
}

#[test]
fn every_failure_of_a_source_has_its_own_message() {
    let length = published().archive.len();
    for (behaviour, why) in [
        (Behaviour::StopsSending, "too slow (0 kB/s"),
        (Behaviour::Disconnects, "3 times in a row without progress"),
        (Behaviour::WrongLength(length + 1000), "it is a different file, or a web page"),
        (Behaviour::WrongLength(1234), " bytes for cifar-10-binary.tar.gz, the server offers 1,234"),
        // Without a Content-Length header, but too long.
        (Behaviour::TooLong, "the server sent more than the"),
        // With the right Content-Length, but always too short.
        (Behaviour::TooShort, "times in a row without progress"),
        (Behaviour::Html, "the server sent a web page instead of the file: the network requires a login"),
        (Behaviour::HtmlAsData, "the server sent a web page instead of the file"),
        (Behaviour::WrongBytes, "wrong bytes"),
        (
            Behaviour::Status(403),
            "the server responded 403 Forbidden: access refused: sign-in required, or blocked by a proxy",
        ),
        (Behaviour::Status(404), "the server responded 404 Not Found: the file no longer exists there"),
        (Behaviour::Status(407), "the proxy requires a user name and a password (HTTPS_PROXY="),
        (Behaviour::Status(503), "the server is overloaded or out of order; try again later"),
    ] {
        Fixture::new().fails(behaviour, why);
    }
    let mut t = Fixture::new();
    t.limits.patience = Duration::from_millis(300);
    t.fails(Behaviour::NeverResponds, "no response within 1 s");
}

#[test]
fn a_server_that_is_down_and_an_unknown_host_name_are_reported() {
    let mut t = Fixture::new();
    let down = Server::down();
    let error = t.fetch(&[&down]).unwrap_err();
    assert!(error.contains("it refused the connection: the server is down"), "{error}");
    let unknown = Source::at("http://no-such-host.invalid/x.tar.gz", &t.published.spec);
    let error = t.fetch_from(&[unknown]).unwrap_err();
    assert!(
        error.contains("http://no-such-host.invalid/x.tar.gz: its host name cannot be resolved"),
        "{error}"
    );
    assert!(!t.target().exists() && !t.workspace().exists(), "nothing is left");
    let good = t.serve(Behaviour::Good);
    t.completes(&[&down, &good]);
}

#[test]
fn a_file_with_wrong_bytes_is_deleted() {
    let mut t = Fixture::new();
    let wrong = t.serve(Behaviour::WrongBytes);
    let error = t.fetch(&[&wrong]).unwrap_err();
    let sum = &t.published.spec.archive.sha256;
    assert!(error.contains(&format!("wrong bytes: expected the SHA-256 {sum}, got ")), "{error}");
    assert!(error.contains("; deleted") && !t.workspace().exists(), "{error}");
}

#[test]
fn a_wrong_first_half_is_downloaded_again() {
    let length = published().archive.len();
    for (have, starts) in [
        // The rest, then the whole file.
        (5000, vec![5000, 0]),
        // A partial download cannot be longer than the file.
        (length + 1, vec![0]),
    ] {
        let mut t = Fixture::new();
        fs::write(t.download_half(), vec![1; have]).unwrap();
        let good = t.serve(Behaviour::Good);
        t.completes(&[&good]);
        assert_eq!(good.starts(), starts);
    }
}

#[test]
fn a_wrong_range_is_refused() {
    let mut t = Fixture::new();
    fs::write(t.download_half(), &t.published.archive[..5000]).unwrap();
    t.fails(Behaviour::WrongRange, "requested byte 5,000 and following, received them from 6,000 on");
}

#[test]
fn a_proxy_that_refuses_is_reported() {
    let mut t = Fixture::new();
    let (proxy, good) = (t.serve(Behaviour::Status(403)), t.serve(Behaviour::Good));
    t.limits.proxy = Some(Proxy::new(&proxy.url).unwrap());
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("the proxy refused the connection") && error.contains("HTTPS_PROXY"), "{error}");
    assert!(good.starts().is_empty() && !t.target().exists());
}

#[test]
fn built_in_sources_require_tls() {
    let mut t = Fixture::new();
    let good = t.serve(Behaviour::Good);
    let url = format!("{}cifar-10-binary.tar.gz", good.url);
    let error =
        t.fetch_from(&[Source { tls_only: true, ..Source::at(&url, &t.published.spec) }]).unwrap_err();
    assert!(error.contains("without TLS, which is refused"), "{error}");
    let built_in = Source::built_in();
    assert_eq!(built_in.len(), 3);
    assert!(built_in.iter().all(|source| source.tls_only && !format!("{source:?}").contains("http://")));
}

#[test]
fn a_full_disk_is_reported() {
    let mut t = Fixture::new();
    let archive = t.download_half();
    fs::remove_file(&archive).unwrap();
    symlink("/dev/full", archive).unwrap();
    let good = t.serve(Behaviour::Good);
    let error = t.fetch(&[&good, &good]).unwrap_err();
    assert!(error.starts_with("the disk is full: ") && error.contains("--to DIR"), "{error}");
    assert_eq!(good.starts(), [0], "no other source is tried");
    assert!(!t.target().exists());
    // Checked before the download begins.
    let mut t = Fixture::new();
    t.published.spec.archive.bytes = 1 << 60;
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(
        error.starts_with("not enough disk space: 1,152,921,504,") && error.contains(" MB are free"),
        "{error}"
    );
    assert!(!t.workspace().exists());
}

#[test]
fn the_parquet_tables_give_the_same_files() {
    let mut t = Fixture::new();
    let names = t.published.spec.parquet.iter().map(|file| file.name.clone());
    let server = Server::new(names.zip(t.published.parquet.clone()).collect(), Behaviour::DropsEveryTenth);
    let source = Source::at(&server.url, &t.published.spec);
    assert!(t.fetch_from(&[source]).unwrap());
    t.assert_complete();
}

#[test]
fn other_images_from_parquet_are_recognised_later() {
    let mut t = Fixture::new();
    // As if the images were in another order in the tables than in the archive.
    t.published.spec.files.iter_mut().for_each(|file| file.sha256 = "0".repeat(64));
    let tables = t.folder.path().join("tables");
    fs::create_dir_all(tables.join("plain_text")).unwrap();
    for (file, bytes) in t.published.spec.parquet.iter().zip(&t.published.parquet) {
        fs::write(tables.join("plain_text").join(&file.name), bytes).unwrap();
    }
    assert!(t.import(&tables).unwrap());
    assert_eq!(t.verify(), Ok(Verification::Converted));
    assert!(!t.import(&tables).unwrap());
    // One bit changes later.
    let path = t.target().join("data_batch_2.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[77] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = t.verify().unwrap_err();
    assert!(error.contains("data_batch_2.bin: its content has changed since it was saved"), "{error}");
}

#[test]
fn a_wrong_table_is_refused() {
    let mut t = Fixture::new();
    let png = |side| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(side, side + 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let good = archive::png(&[7; 3072]);
    let cases = [
        (archive::rows(&[png(30).into()], &[3]), "row 0: expected an image of H=32 W=32, got H=32 W=30"),
        (
            archive::rows(&vec![good.clone().into(); 2], &[3, 10]),
            "row 1: expected a label from 0 to 9, got 10",
        ),
        (archive::rows(&vec![good.clone().into(); 3], &[3; 3]), "expected 25 images, got 3"),
        (archive::rows(&vec![good.clone().into(); 26], &[3; 26]), "expected 25 images, got more"),
        (archive::rows(&[vec![1, 2, 3].into()], &[3]), "row 0: the image cannot be read"),
        (t.published.parquet[0][..9000].to_vec(), "cannot be read"),
    ];
    let tables = t.folder.path().join("tables");
    fs::create_dir_all(&tables).unwrap();
    for (bytes, why) in cases {
        t.published.spec.parquet[0] = published_file("train-00000-of-00001.parquet", &bytes);
        fs::write(tables.join("train-00000-of-00001.parquet"), &bytes).unwrap();
        fs::write(tables.join("test-00000-of-00001.parquet"), &t.published.parquet[1]).unwrap();
        let error = t.import(&tables).unwrap_err();
        assert!(error.contains(why), "expected `{why}` in: {error}");
        assert!(!t.target().exists() && !t.workspace().exists());
    }
}

#[test]
fn an_imported_archive_is_checked_by_size_and_hash() {
    let t = Fixture::new();
    let file = t.folder.path().join("cifar-10-binary.tar.gz");
    let import = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        t.import(&file)
    };
    let archive = &t.published.archive;
    let mut flipped = archive.clone();
    flipped[archive.len() / 2] ^= 1;
    for (bytes, why) in [
        (&archive[..archive.len() / 3], "it was not copied completely; copy or download it again"),
        (&flipped, "expected the SHA-256"),
        (b"\n<!doctype html>", "is a web page that was saved under the name of the archive"),
        (b"", "is empty; expected cifar-10-binary.tar.gz"),
        (b"PK\x03\x04", "is a ZIP archive"),
        (&t.published.parquet[0], "give the folder that contains both"),
    ] {
        let error = import(bytes).unwrap_err();
        assert!(error.contains(why), "expected `{why}` in: {error}");
        assert!(!t.target().exists() && !t.workspace().exists(), "{why}");
    }
    assert!(import(archive).unwrap());
    assert!(!import(archive).unwrap());
    assert_eq!(t.verify(), Ok(Verification::Published));
    // From the unpacked folder, or its parent folder, to another folder.
    for from in [t.folder.path().to_owned(), t.target()] {
        let to = t.folder.path().join("copy");
        assert!(fetch::import(&t.published.spec, &from, &to).unwrap());
        assert_eq!(t.published.spec.verify(&to).unwrap(), Verification::Published);
        fs::remove_dir_all(&to).unwrap();
    }
    let error =
        fetch::import(&t.published.spec, &t.folder.path().join("none"), &t.target().join("x")).unwrap_err();
    assert!(error.to_string().contains("could not read"), "{error}");
    let empty = tempdir().unwrap();
    let error = fetch::import(&t.published.spec, empty.path(), &t.folder.path().join("copy"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("contains nothing to import"), "{error}");
}

#[test]
fn a_folder_that_is_not_empty_is_not_changed() {
    let mut t = Fixture::new();
    let good = t.serve(Behaviour::Good);
    fs::create_dir_all(t.target()).unwrap();
    // A file of the user; names that also belong to the data set; a part of a data set.
    for (name, why) in [
        ("thesis.tex", "contains other files, and the data set needs a folder of its own"),
        ("readme.html", "contains other files, and the data set needs a folder of its own"),
        ("SHA256SUMS", "contains other files, and the data set needs a folder of its own"),
        ("data_batch_1.bin", "contains a partial or damaged data set ("),
    ] {
        let file = t.target().join(name);
        fs::write(&file, "years").unwrap();
        let archive = t.folder.path().join("archive");
        fs::write(&archive, &t.published.archive).unwrap();
        let imported = t.import(&archive).unwrap_err();
        for error in [t.fetch(&[&good]).unwrap_err(), imported] {
            assert!(error.contains(why) && error.contains("--to "), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "years");
        fs::remove_file(file).unwrap();
        fs::remove_file(archive).unwrap();
    }
    // An empty folder is replaced by the data set.
    t.completes(&[&good]);
    // A damaged data set is not deleted: the user may have changed it on purpose.
    let mut bytes = t.published.files[0].1.clone();
    bytes[5] ^= 1;
    fs::write(t.target().join("data_batch_1.bin"), &bytes).unwrap();
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(
        error.contains("its content has changed since") && error.contains("Nothing in it was"),
        "{error}"
    );
    // A complete data set of other images belongs to the user.
    fs::remove_file(t.target().join("SHA256SUMS")).unwrap();
    assert_eq!(t.verify(), Ok(Verification::OtherBytes));
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("a complete data set with other images"), "{error}");
    assert_eq!(fs::read(t.target().join("data_batch_1.bin")).unwrap(), bytes);
}

#[test]
fn folders_next_to_the_data_set_are_not_changed() {
    let mut t = Fixture::new();
    let others = [format!("{FOLDER}.old"), format!("{FOLDER}.part"), format!("{FOLDER}.part/new")];
    for folder in &others {
        fs::create_dir_all(t.folder.path().join(folder)).unwrap();
        fs::write(t.folder.path().join(folder).join("lock"), "years").unwrap();
    }
    let assert_unchanged = |t: &Fixture| {
        for folder in &others {
            let file = t.folder.path().join(folder).join("lock");
            assert_eq!(fs::read_to_string(&file).unwrap(), "years", "{folder}");
        }
    };
    let good = t.serve(Behaviour::Good);
    assert!(t.fetch(&[&good]).unwrap());
    assert_unchanged(&t);
    fs::remove_dir_all(t.target()).unwrap();
    let archive = t.folder.path().join("archive");
    fs::write(&archive, &t.published.archive).unwrap();
    assert!(t.import(&archive).unwrap());
    assert_unchanged(&t);
    assert!(!t.workspace().exists());
}

#[test]
fn a_foreign_working_folder_is_refused() {
    let mut t = Fixture::new();
    let good = t.serve(Behaviour::Good);
    let mine = t.workspace().join("cifar-10-binary.tar.gz");
    fs::create_dir_all(t.workspace()).unwrap();
    fs::write(&mine, "years").unwrap();
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("it did not create that folder (CACHEDIR.TAG is missing"), "{error}");
    assert_eq!(fs::read_to_string(mine).unwrap(), "years");
    // The target is a link to a folder that does not exist.
    let mut t = Fixture::new();
    symlink("nowhere", t.target()).unwrap();
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("is a link to a folder that does not exist"), "{error}");
}

#[test]
fn a_second_concurrent_call_is_refused() {
    let mut t = Fixture::new();
    t.download_half();
    let lock = fs::File::open(t.workspace().join("lock")).unwrap();
    lock.lock().unwrap();
    let good = t.serve(Behaviour::Good);
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("another `nchw data` is using"), "{error}");
    drop(lock);
    t.completes(&[&good]);
}

#[test]
fn concurrent_imports_create_one_complete_data_set() {
    let t = Fixture::new();
    let archive = tempdir().unwrap();
    let file = archive.path().join("archive");
    fs::write(&file, &t.published.archive).unwrap();
    for _ in 0..10 {
        let import = || t.import(&file);
        let results: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = (0..6).map(|_| scope.spawn(import)).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(results.iter().any(|result| matches!(result, Ok(true))), "{results:?}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(error.contains("another `nchw data` is using"), "{error}");
        }
        t.assert_complete();
        fs::remove_dir_all(t.target()).unwrap();
    }
}

#[test]
fn other_data_sets_are_recognised() {
    let here = tempdir().unwrap();
    let import = |from: &Path| {
        let to = here.path().join("set");
        let error = fetch::import(&Spec::cifar10(), from, &to).unwrap_err().to_string();
        assert!(!to.exists() && !error.contains("cut off"), "{error}");
        error
    };
    let needed =
        "The course needs the binary version of CIFAR-10, cifar-10-binary.tar.gz (170,052,171 bytes)";
    let file = here.path().join("download.tar.gz");
    // Recognised by their size, under any name.
    for (bytes, what) in [
        (168_513_733, "is CIFAR-100, another data set, with 100 classes (cifar-100-binary.tar.gz)"),
        (169_001_437, "is CIFAR-100, another data set, with 100 classes (cifar-100-python.tar.gz)"),
        (170_498_071, "is the Python version of CIFAR-10 (cifar-10-python.tar.gz)"),
    ] {
        fs::File::create(&file).unwrap().set_len(bytes).unwrap();
        let error = import(&file);
        assert!(error.contains(what) && error.contains(needed), "{error}");
    }
    // Recognised by the content of the archive, with any size.
    for (folder, what) in [
        ("cifar-10-batches-mat", "is the Matlab version of CIFAR-10 (cifar-10-matlab.tar.gz)"),
        ("cifar-100-python", "is CIFAR-100, another data set"),
        ("photos", "is a different archive: it begins with `photos`; expected cifar-10-binary.tar.gz"),
    ] {
        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, &format!("{folder}/readme.html"), b"<html>");
        fs::write(&file, gzip(&tar.into_inner().unwrap())).unwrap();
        let error = import(&file);
        assert!(error.contains(what), "{error}");
    }
    // Unpacked: the folder itself, or its parent folder.
    let folder = here.path().join("cifar-10-batches-py");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("data_batch_1"), [0x80, 2]).unwrap();
    for from in [folder.as_path(), here.path()] {
        let error = import(from);
        let what = format!("{} contains the Python version of CIFAR-10", from.display());
        assert!(error.contains(&what) && error.contains(needed), "{error}");
    }
    assert!(import(&folder.join("data_batch_1")).contains("is a file of the Python version"));
    // A file is suggested only if it exists.
    let empty = here.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let error = import(&empty);
    assert!(error.contains("contains nothing to import") && !error.contains("data import"), "{error}");
    fs::write(empty.join("cifar-10-binary.tar.gz"), "").unwrap();
    let error = import(&empty);
    assert!(
        error.contains(&format!("`nchw data import {}/cifar-10-binary.tar.gz`", empty.display())),
        "{error}"
    );
    fs::write(empty.join("data_batch_2.bin"), [7; 3073]).unwrap();
    assert!(import(&empty.join("data_batch_2.bin")).contains("give the folder that contains all of them"));
}

/// Adds one more entry to an archive.
type Add<'a> = &'a dyn Fn(&mut tar::Builder<Vec<u8>>);

/// The names of the files unpacked from an archive, or the error message.
fn unpacked(spec: &Spec, packed: &[u8]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let create = |file: &fetch::PublishedFile| {
        names.push(file.name.clone());
        Ok(std::io::sink())
    };
    fetch::archive::unpack(packed, &spec.files, "the archive", create).map_err(|e| e.to_string())?;
    Ok(names)
}

#[test]
fn only_expected_files_are_unpacked() {
    let published = published();
    assert_eq!(unpacked(&published.spec, &published.archive).unwrap().len(), 6);
    let with = |add: Add| {
        let mut tar = tar::Builder::new(Vec::new());
        folder(&mut tar);
        for (name, bytes) in &published.files[..5] {
            entry(&mut tar, &format!("{FOLDER}/{name}"), bytes);
        }
        add(&mut tar);
        gzip(&tar.into_inner().unwrap())
    };
    let link = |kind, path: &'static str| {
        move |tar: &mut tar::Builder<Vec<u8>>| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_size(0);
            tar.append_link(&mut header, path, "/etc/passwd").unwrap();
        }
    };
    let test = &published.files[5].1;
    let zeros = vec![0; PER_FILE * 3073];
    let cases: [(&str, Add); 10] = [
        ("test_batch.bin is missing", &|_| ()),
        ("is not a file of the data set", &|tar| entry(tar, "../../.bashrc", test)),
        ("is not a file of the data set", &|tar| entry(tar, "/etc/cron.d/x", test)),
        ("is not a file of the data set", &|tar| entry(tar, &format!("{FOLDER}/../test_batch.bin"), test)),
        ("is not a file of the data set", &|tar| entry(tar, "test_batch.bin", test)),
        ("occurs twice", &|tar| entry(tar, &format!("{FOLDER}/data_batch_1.bin"), test)),
        ("test_batch.bin: expected 15,365 bytes, got 15,364", &|tar| {
            entry(tar, &format!("{FOLDER}/test_batch.bin"), &test[1..]);
        }),
        ("test_batch.bin: expected the SHA-256", &|tar| {
            entry(tar, &format!("{FOLDER}/test_batch.bin"), &zeros)
        }),
        (
            "is not a regular file (Symlink)",
            &link(tar::EntryType::Symlink, "cifar-10-batches-bin/test_batch.bin"),
        ),
        ("is not a regular file (Link)", &link(tar::EntryType::Link, "cifar-10-batches-bin/test_batch.bin")),
    ];
    for (why, add) in cases {
        let error = unpacked(&published.spec, &with(add)).unwrap_err();
        assert!(error.contains(why), "expected `{why}` in: {error}");
    }
    // A decompression bomb, and archives that were cut off.
    let bomb = with(&|tar| entry(tar, &format!("{FOLDER}/readme.html"), &vec![0; 9 << 20]));
    let error = unpacked(&published.spec, &bomb).unwrap_err();
    assert!(error.contains("the archive is refused"), "{error}");
    let cut = packed(&published.files);
    for end in [0, 1, 10, 500, cut.len() / 2, cut.len() * 9 / 10] {
        let error = unpacked(&published.spec, &cut[..end]).unwrap_err();
        assert!(error.contains("the archive"), "{error}");
    }
}

#[test]
fn a_killed_download_resumes() {
    let home = tempdir().unwrap();
    let length = Spec::cifar10().archive.bytes as usize;
    let server = Server::new(Vec::new(), Behaviour::Zeros(length));
    let archive = home.path().join(working_folder(&Spec::cifar10())).join("cifar-10-binary.tar.gz");
    let size = || fs::metadata(&archive).map_or(0, |data| data.len());
    let url = format!("{}cifar-10-binary.tar.gz", server.url);
    let arguments = ["data", "fetch", "--to", "set", "--source", &url];
    for round in 1..=3 {
        let mut child = nchw(home.path()).args(arguments).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while size() < round * 500_000 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is downloaded");
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!home.path().join("set").exists());
    }
    let starts = server.starts();
    assert!(starts[0] == 0 && starts[1] >= 500_000 && starts[2] >= 1_000_000, "{starts:?}");
    let (out, err, code) =
        ran(nchw(home.path()).args(&arguments[..5]).arg(format!("{}x", Server::down().url)));
    assert!(err.contains("it refused the connection") && err.contains(" bytes are kept"), "{err}");
    assert_eq!((out.as_str(), code), ("", 2));
}

#[test]
fn where_lists_the_folders_and_their_problems() {
    let home = tempdir().unwrap();
    let (out, err, code) = ran(nchw(home.path()).args(["data", "where"]).env("NCHW_DATA", "here"));
    assert_eq!((out.as_str(), code), ("the folder of NCHW_DATA\n  here: not found\n", 1));
    assert!(err.contains("`nchw data fetch` downloads it"), "{err}");
    let (out, ..) = ran(nchw(home.path()).args(["data", "where"]));
    let cache = home.path().join(".cache/nchw").join(FOLDER);
    assert!(out.contains(&format!("~/.cache/nchw/{FOLDER}\n  {}: not found", cache.display())), "{out}");
    fs::create_dir_all(home.path().join("datasets").join(FOLDER)).unwrap();
    let (out, ..) = ran(nchw(home.path()).args(["data", "where"]));
    assert!(out.contains("data_batch_1.bin: No such file"), "{out}");
    let archive = home.path().join("archive");
    fs::write(&archive, gzip(b"something")).unwrap();
    let (_, err, code) = ran(nchw(home.path()).args(["data", "import", "archive"]));
    assert!(err.contains("expected 170,052,171 bytes, got ") && code == 2, "{err}");
    assert!(!cache.exists());
    let (_, err, code) = ran(nchw(home.path()).args(["data", "verify", "datasets"]));
    assert!(err.contains("could not read datasets/data_batch_1.bin") && code == 2, "{err}");
}
