//! CIFAR-10 comes here whole or not at all, whatever the network does.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "common/archive.rs"]
mod archive;
#[path = "../../nchw/tests/common/mod.rs"]
mod common;
mod server;

use archive::{FOLDER, PER_FILE, Published, entry, folder, gzip, packed, published, sealed};
use common::TempFolder;
use nchw_program::fetch::{self, Limits, Proxy, Source, Spec, Verdict, Watch};
use server::{Manner, Server};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Remembers what it is told.
#[derive(Default)]
struct Lines(Vec<String>);

impl Watch for Lines {
    fn begin(&mut self, file: &str, have: u64, _: u64) {
        self.0.push(format!("{file} from {have}"));
    }
    fn at(&mut self, _: u64) {}
    fn say(&mut self, line: &str) {
        self.0.push(line.into());
    }
}

fn working_folder(spec: &Spec) -> String {
    format!(".nchw-data-{}", &spec.archive.sha256[..16])
}

/// A set, a place for it, and what was said on the way.
struct Try {
    published: Published,
    here: TempFolder,
    limits: Limits,
    lines: Lines,
}

impl Try {
    fn new(name: &str) -> Try {
        let limits = Limits {
            floor: 50_000.0,
            window: Duration::from_millis(300),
            patience: Duration::from_secs(5),
            pause: Duration::from_millis(1),
            tries: 3,
            proxy: None,
        };
        Try {
            published: published(),
            here: TempFolder::new(&format!("fetch-{name}")),
            limits,
            lines: Lines::default(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.here.path().join(FOLDER)
    }

    /// The working folder beside it.
    fn part(&self) -> PathBuf {
        self.here.path().join(working_folder(&self.published.spec))
    }

    /// A first half of the archive in the working folder, as an interrupted call leaves it.
    fn half(&mut self) -> PathBuf {
        let half = self.serve(Manner::HalfThenGone);
        self.fetch(&[&half]).unwrap_err();
        self.part().join("cifar-10-binary.tar.gz")
    }

    /// The archive from servers of these manners.
    fn serve(&self, manner: Manner) -> Server {
        Server::new(vec![("cifar-10-binary.tar.gz".into(), self.published.archive.clone())], manner)
    }

    fn fetch(&mut self, servers: &[&Server]) -> Result<bool, String> {
        let urls = servers.iter().map(|server| format!("{}cifar-10-binary.tar.gz", server.url));
        let sources: Vec<Source> = urls.map(|url| Source::at(&url, &self.published.spec)).collect();
        self.fetch_from(&sources)
    }

    fn fetch_from(&mut self, sources: &[Source]) -> Result<bool, String> {
        let folder = self.folder();
        fetch::fetch(&self.published.spec, sources, &folder, &self.limits, &mut self.lines)
            .map_err(|e| e.to_string())
    }

    /// The set is there, byte for byte, and nothing is left beside it.
    #[track_caller]
    fn whole(&self) {
        assert_eq!(self.published.spec.verify(&self.folder()).unwrap(), Verdict::Published);
        let beside: Vec<_> =
            fs::read_dir(self.here.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(beside, [FOLDER], "nothing is left beside the set");
    }

    /// One source that fails: no set, and the message says why.
    #[track_caller]
    fn fails(&mut self, manner: Manner, why: &str) {
        let server = self.serve(manner);
        let error = self.fetch(&[&server]).unwrap_err();
        assert!(error.contains(why), "expected `{why}` in: {error}");
        assert!(
            error.starts_with("no source gave CIFAR-10:") && error.contains("nchw data import FILE"),
            "{error}"
        );
        assert!(!self.folder().exists());
        // And whatever it left behind, a good source makes it whole.
        let good = self.serve(Manner::Good);
        assert!(self.fetch(&[&server, &good]).unwrap());
        self.whole();
    }
}

#[test]
fn a_good_source_gives_the_set_and_a_second_call_nothing_to_do() {
    let mut t = Try::new("good");
    let server = t.serve(Manner::Good);
    assert!(t.fetch(&[&server]).unwrap());
    t.whole();
    assert!(!t.fetch(&[&server]).unwrap());
    assert_eq!(server.starts(), [0], "one request, and none for a set that is there");
}

#[test]
fn dropped_at_every_tenth_it_goes_on_where_it_was() {
    let mut t = Try::new("drops");
    let server = t.serve(Manner::DropsEveryTenth);
    assert!(t.fetch(&[&server]).unwrap());
    t.whole();
    let starts = server.starts();
    assert!(starts.len() >= 10 && starts.is_sorted() && starts[1] > 0, "{starts:?}");
    let said = t.lines.0.join("\n");
    assert!(said.contains("bytes; going on from byte "), "{said}");
}

#[test]
fn also_where_ranges_are_ignored_nothing_is_lost() {
    let mut t = Try::new("no-range");
    let half = t.serve(Manner::HalfThenGone);
    let error = t.fetch(&[&half]).unwrap_err();
    assert!(error.contains("it answers 404 Not Found: the file is not there any more"), "{error}");
    let have = t.published.archive.len() as u64 / 2;
    assert!(error.contains(" bytes are kept: `nchw data fetch` goes on from there"), "{error}");
    assert_eq!(fs::metadata(t.part().join("cifar-10-binary.tar.gz")).unwrap().len(), have);
    let server = t.serve(Manner::IgnoresRange);
    assert!(t.fetch(&[&server]).unwrap());
    t.whole();
    assert_eq!(server.starts(), [have]);
}

#[test]
fn interrupted_it_goes_on_from_another_source() {
    let mut t = Try::new("resume");
    let half = t.serve(Manner::HalfThenGone);
    t.fetch(&[&half]).unwrap_err();
    let mirror = t.serve(Manner::Good);
    assert!(t.fetch(&[&mirror]).unwrap());
    t.whole();
    assert_eq!(mirror.starts(), [t.published.archive.len() as u64 / 2], "only the rest");
}

#[test]
fn a_slow_source_is_left_for_a_faster_one_which_sends_the_rest() {
    let mut t = Try::new("slow");
    let (slow, mirror) = (t.serve(Manner::Slow), t.serve(Manner::Good));
    assert!(t.fetch(&[&slow, &mirror]).unwrap());
    t.whole();
    assert!(mirror.starts()[0] > 0, "what the slow one sent is kept: {:?}", mirror.starts());
    let said = t.lines.0.join("\n");
    assert!(said.contains("too slow (") && said.contains("at least 50 are expected"), "{said}");
}

#[test]
fn slow_is_better_than_nothing() {
    let mut t = Try::new("only-slow");
    let (down, slow) = (Server::down(), t.serve(Manner::Slow));
    assert!(t.fetch(&[&down, &slow]).unwrap());
    t.whole();
    assert!(t.lines.0.join("\n").contains("no source is fast: on with"), "{:?}", t.lines.0);
}

#[test]
fn one_that_stands_still_is_given_up() {
    Try::new("still").fails(Manner::StandsStill, "too slow (0 kB/s");
    let mut t = Try::new("silent");
    t.limits.patience = Duration::from_millis(300);
    t.fails(Manner::SaysNothing, "no answer within 1 s");
}

#[test]
fn one_that_is_down_says_so() {
    let mut t = Try::new("down");
    let down = Server::down();
    let error = t.fetch(&[&down]).unwrap_err();
    assert!(error.contains("it refuses the connection: it is down"), "{error}");
    assert!(!t.folder().exists() && !t.part().exists(), "nothing came, nothing is left");
    let good = t.serve(Manner::Good);
    assert!(t.fetch(&[&down, &good]).unwrap());
    t.whole();
    Try::new("hangs-up").fails(Manner::HangsUp, "3 times one after another without progress");
}

#[test]
fn a_name_that_nobody_knows() {
    let mut t = Try::new("unknown");
    let source = Source::at("http://no-such-host.invalid/x.tar.gz", &t.published.spec);
    let error = t.fetch_from(&[source]).unwrap_err();
    assert!(error.contains("http://no-such-host.invalid/x.tar.gz: its name is not known here"), "{error}");
}

#[test]
fn a_wrong_length_is_not_even_begun() {
    let mut t = Try::new("longer");
    let all = t.published.archive.len();
    t.fails(Manner::Claims(all + 1000), "it is another file, or a page in its place");
    let mut t = Try::new("shorter");
    t.fails(Manner::Claims(1234), "it offers 1,234 bytes, and cifar-10-binary.tar.gz has");
    // Of no length that is told, but too long.
    Try::new("more").fails(Manner::MoreThanTold, "it sends more than the");
    // The right length is told, and less comes, each time.
    Try::new("less").fails(Manner::LessThanTold, "times one after another without progress");
}

#[test]
fn a_web_page_in_place_of_the_file() {
    Try::new("html")
        .fails(Manner::Html, "it sends a web page instead of the file: a network that asks for a login");
    Try::new("html-hidden").fails(Manner::HtmlAsData, "it sends a web page instead of the file");
}

#[test]
fn wrong_bytes_are_thrown_away() {
    let mut t = Try::new("wrong");
    let wrong = t.serve(Manner::WrongBytes);
    let error = t.fetch(&[&wrong]).unwrap_err();
    let sum = &t.published.spec.archive.sha256;
    assert!(error.contains(&format!("wrong bytes: expected the SHA-256 {sum}, got ")), "{error}");
    assert!(error.contains("thrown away") && !t.part().exists(), "{error}");
    Try::new("wrong-once").fails(Manner::WrongBytes, "wrong bytes");
}

#[test]
fn a_wrong_first_half_does_not_spoil_a_good_source() {
    let mut t = Try::new("mixed");
    fs::write(t.half(), vec![1; 5000]).unwrap();
    let good = t.serve(Manner::Good);
    assert!(t.fetch(&[&good]).unwrap());
    t.whole();
    assert_eq!(good.starts(), [5000, 0], "the rest, and then all of it");
    // More than the whole file is no beginning of it.
    let mut t = Try::new("too-much");
    fs::write(t.half(), vec![1; t.published.archive.len() + 1]).unwrap();
    let good = t.serve(Manner::Good);
    assert!(t.fetch(&[&good]).unwrap());
    t.whole();
    assert_eq!(good.starts(), [0]);
}

#[test]
fn a_part_that_was_not_asked_for() {
    let mut t = Try::new("elsewhere");
    fs::write(t.half(), &t.published.archive[..5000]).unwrap();
    t.fails(Manner::GoesOnElsewhere, "asked to go on at byte 5,000, it goes on at 6,000");
}

#[test]
fn refusals_are_told_apart() {
    for (status, why) in [
        (403, "it answers 403 Forbidden: it wants no visitors, or a proxy"),
        (404, "it answers 404 Not Found: the file is not there any more"),
        (407, "the proxy asks for a name and a password (HTTPS_PROXY="),
        (503, "it is overloaded or broken; another time it may work"),
    ] {
        Try::new(&format!("status-{status}")).fails(Manner::Status(status), why);
    }
}

#[test]
fn a_proxy_that_refuses() {
    let mut t = Try::new("proxy");
    let (proxy, good) = (t.serve(Manner::Status(403)), t.serve(Manner::Good));
    t.limits.proxy = Some(Proxy::new(&proxy.url).unwrap());
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("the proxy does not let us through") && error.contains("HTTPS_PROXY"), "{error}");
    assert!(good.starts().is_empty() && !t.folder().exists());
}

#[test]
fn without_tls_only_what_the_user_names() {
    let mut t = Try::new("tls");
    let good = t.serve(Manner::Good);
    let url = format!("{}cifar-10-binary.tar.gz", good.url);
    let error =
        t.fetch_from(&[Source { tls_only: true, ..Source::at(&url, &t.published.spec) }]).unwrap_err();
    assert!(error.contains("without TLS, which is not followed"), "{error}");
    let built_in = Source::built_in();
    assert_eq!(built_in.len(), 3);
    assert!(built_in.iter().all(|source| source.tls_only && !format!("{source:?}").contains("http://")));
}

#[test]
fn a_full_disk_is_called_by_its_name() {
    let mut t = Try::new("full");
    let archive = t.half();
    fs::remove_file(&archive).unwrap();
    symlink("/dev/full", archive).unwrap();
    let good = t.serve(Manner::Good);
    let error = t.fetch(&[&good, &good]).unwrap_err();
    assert!(error.starts_with("the disk is full: ") && error.contains("--to DIR"), "{error}");
    assert_eq!(good.starts(), [0], "no other source would help");
    assert!(!t.folder().exists());
    // Known before it begins.
    let mut t = Try::new("too-small");
    t.published.spec.archive.bytes = 1 << 60;
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(
        error.starts_with("the disk is too full: 1,152,921,504,") && error.contains(" MB are free"),
        "{error}"
    );
    assert!(!t.part().exists());
}

#[test]
fn parquet_gives_the_very_same_files() {
    let mut t = Try::new("parquet");
    let tables: Vec<(String, Vec<u8>)> = t
        .published
        .spec
        .parquet
        .iter()
        .map(|file| file.name.clone())
        .zip(t.published.parquet.clone())
        .collect();
    let server = Server::new(tables, Manner::DropsEveryTenth);
    let source = Source::at(&server.url, &t.published.spec);
    assert!(t.fetch_from(&[source]).unwrap());
    t.whole();
}

#[test]
fn other_pictures_from_parquet_are_known_again() {
    let mut t = Try::new("parquet-other");
    // As if the table had another order than the archive.
    t.published.spec.files.iter_mut().for_each(|file| file.sha256 = "0".repeat(64));
    let tables = t.here.path().join("tables");
    fs::create_dir_all(tables.join("plain_text")).unwrap();
    for (file, bytes) in t.published.spec.parquet.iter().zip(&t.published.parquet) {
        fs::write(tables.join("plain_text").join(&file.name), bytes).unwrap();
    }
    assert!(fetch::import(&t.published.spec, &tables, &t.folder()).unwrap());
    assert_eq!(t.published.spec.verify(&t.folder()).unwrap(), Verdict::AsPutThere);
    assert!(!fetch::import(&t.published.spec, &tables, &t.folder()).unwrap());
    // One bit, later on.
    let path = t.folder().join("data_batch_2.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[77] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = t.published.spec.verify(&t.folder()).unwrap_err().to_string();
    assert!(error.contains("data_batch_2.bin: its bytes are not what they were"), "{error}");
}

#[test]
fn a_table_that_is_not_the_set() {
    let mut t = Try::new("parquet-wrong");
    let png = |side| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(side, side + 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let good = archive::png(&[7; 3072]);
    let cases = [
        (archive::rows(&[png(30).into()], &[3]), "row 0: expected a picture of H=32 W=32, got H=32 W=30"),
        (
            archive::rows(&vec![good.clone().into(); 2], &[3, 10]),
            "row 1: expected a label from 0 to 9, got 10",
        ),
        (archive::rows(&vec![good.clone().into(); 3], &[3; 3]), "expected 25 pictures, got 3"),
        (archive::rows(&vec![good.clone().into(); 26], &[3; 26]), "expected 25 pictures, got more"),
        (archive::rows(&[vec![1, 2, 3].into()], &[3]), "row 0: the picture cannot be read"),
        (t.published.parquet[0][..9000].to_vec(), "cannot be read"),
    ];
    let tables = t.here.path().join("tables");
    fs::create_dir_all(&tables).unwrap();
    for (bytes, why) in cases {
        t.published.spec.parquet[0] = sealed("train-00000-of-00001.parquet", &bytes);
        fs::write(tables.join("train-00000-of-00001.parquet"), &bytes).unwrap();
        fs::write(tables.join("test-00000-of-00001.parquet"), &t.published.parquet[1]).unwrap();
        let error = fetch::import(&t.published.spec, &tables, &t.folder()).unwrap_err().to_string();
        assert!(error.contains(why), "expected `{why}` in: {error}");
        assert!(!t.folder().exists() && !t.part().exists());
    }
}

#[test]
fn what_somebody_brings_is_held_against_size_and_hash() {
    let t = Try::new("import");
    let file = t.here.path().join("cifar-10-binary.tar.gz");
    let import = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        fetch::import(&t.published.spec, &file, &t.folder()).map_err(|e| e.to_string())
    };
    let archive = &t.published.archive;
    let mut flipped = archive.clone();
    flipped[archive.len() / 2] ^= 1;
    for (bytes, why) in [
        (&archive[..archive.len() / 3], "it was cut off on its way; copy or download it again"),
        (&flipped, "expected the SHA-256"),
        (b"\n<!doctype html>", "is a web page, saved under the archive's name"),
        (b"", "is empty; expected cifar-10-binary.tar.gz"),
        (b"PK\x03\x04", "is a ZIP archive"),
        (&t.published.parquet[0], "give the folder that holds both"),
    ] {
        let error = import(bytes).unwrap_err();
        assert!(error.contains(why), "expected `{why}` in: {error}");
        assert!(!t.folder().exists() && !t.part().exists(), "{why}");
    }
    assert!(import(archive).unwrap());
    assert!(!import(archive).unwrap());
    assert_eq!(t.published.spec.verify(&t.folder()).unwrap(), Verdict::Published);
    // The unpacked folder, or the folder around it, to another place.
    for from in [t.here.path().to_owned(), t.folder()] {
        let to = t.here.path().join("copy");
        assert!(fetch::import(&t.published.spec, &from, &to).unwrap());
        assert_eq!(t.published.spec.verify(&to).unwrap(), Verdict::Published);
        fs::remove_dir_all(&to).unwrap();
    }
    let error =
        fetch::import(&t.published.spec, &t.here.path().join("none"), &t.folder().join("x")).unwrap_err();
    assert!(error.to_string().contains("could not read"), "{error}");
    let empty = TempFolder::new("fetch-import-empty");
    let error =
        fetch::import(&t.published.spec, empty.path(), &t.here.path().join("copy")).unwrap_err().to_string();
    assert!(error.contains("holds nothing that can be taken"), "{error}");
}

#[test]
fn a_folder_that_holds_anything_is_left_alone() {
    let mut t = Try::new("others");
    let good = t.serve(Manner::Good);
    fs::create_dir_all(t.folder()).unwrap();
    // Things of the user's; a name that the archive has, too; a part of a set.
    for (name, why) in [
        ("thesis.tex", "holds other files, and the set needs a folder of its own"),
        ("readme.html", "holds other files, and the set needs a folder of its own"),
        ("SHA256SUMS", "holds other files, and the set needs a folder of its own"),
        ("data_batch_1.bin", "holds a part of a set, or a damaged one ("),
    ] {
        let file = t.folder().join(name);
        fs::write(&file, "years").unwrap();
        let archive = t.here.path().join("archive");
        fs::write(&archive, &t.published.archive).unwrap();
        let imported = fetch::import(&t.published.spec, &archive, &t.folder()).unwrap_err().to_string();
        for error in [t.fetch(&[&good]).unwrap_err(), imported] {
            assert!(error.contains(why) && error.contains("--to "), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "years");
        fs::remove_file(file).unwrap();
        fs::remove_file(archive).unwrap();
    }
    // An empty folder becomes the set.
    assert!(t.fetch(&[&good]).unwrap());
    t.whole();
    // A damaged set is not thrown away: it may be damaged on purpose.
    let mut bytes = t.published.files[0].1.clone();
    bytes[5] ^= 1;
    fs::write(t.folder().join("data_batch_1.bin"), &bytes).unwrap();
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(
        error.contains("its bytes are not what they were") && error.contains("Nothing there was"),
        "{error}"
    );
    // A complete set of other images belongs to the user.
    fs::remove_file(t.folder().join("SHA256SUMS")).unwrap();
    assert_eq!(t.published.spec.verify(&t.folder()).unwrap(), Verdict::OtherBytes);
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("a whole set of other pictures"), "{error}");
    assert_eq!(fs::read(t.folder().join("data_batch_1.bin")).unwrap(), bytes);
}

#[test]
fn what_lies_beside_the_set_stays() {
    let mut t = Try::new("beside");
    let beside = [format!("{FOLDER}.old"), format!("{FOLDER}.part"), format!("{FOLDER}.part/new")];
    for folder in &beside {
        fs::create_dir_all(t.here.path().join(folder)).unwrap();
        fs::write(t.here.path().join(folder).join("lock"), "years").unwrap();
    }
    let kept = |t: &Try| {
        for folder in &beside {
            let file = t.here.path().join(folder).join("lock");
            assert_eq!(fs::read_to_string(&file).unwrap(), "years", "{folder}");
        }
    };
    let good = t.serve(Manner::Good);
    assert!(t.fetch(&[&good]).unwrap());
    kept(&t);
    fs::remove_dir_all(t.folder()).unwrap();
    let archive = t.here.path().join("archive");
    fs::write(&archive, &t.published.archive).unwrap();
    assert!(fetch::import(&t.published.spec, &archive, &t.folder()).unwrap());
    kept(&t);
    assert!(!t.part().exists());
}

#[test]
fn a_working_folder_that_is_not_ours_is_refused() {
    let mut t = Try::new("foreign");
    let good = t.serve(Manner::Good);
    let mine = t.part().join("cifar-10-binary.tar.gz");
    fs::create_dir_all(t.part()).unwrap();
    fs::write(&mine, "years").unwrap();
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("was not made by it (CACHEDIR.TAG is missing"), "{error}");
    assert_eq!(fs::read_to_string(mine).unwrap(), "years");
    // A link as the target, to a folder that is not there.
    let mut t = Try::new("dangling");
    symlink("nowhere", t.folder()).unwrap();
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("is a link to a folder that does not exist"), "{error}");
}

#[test]
fn two_at_once_are_refused() {
    let mut t = Try::new("two");
    t.half();
    let lock = fs::File::open(t.part().join("lock")).unwrap();
    lock.lock().unwrap();
    let good = t.serve(Manner::Good);
    let error = t.fetch(&[&good]).unwrap_err();
    assert!(error.contains("another `nchw data` is at work in"), "{error}");
    drop(lock);
    assert!(t.fetch(&[&good]).unwrap());
    t.whole();
}

#[test]
fn many_at_once_make_one_whole_set() {
    let t = Try::new("many");
    let archive = TempFolder::new("fetch-many-archive");
    let file = archive.path().join("archive");
    fs::write(&file, &t.published.archive).unwrap();
    for _ in 0..10 {
        let import = || fetch::import(&t.published.spec, &file, &t.folder());
        let ends: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = (0..6).map(|_| scope.spawn(import)).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ends.iter().any(|end| matches!(end, Ok(true))), "{ends:?}");
        for error in ends.iter().filter_map(|end| end.as_ref().err()) {
            assert!(error.to_string().contains("another `nchw data` is at work in"), "{error}");
        }
        t.whole();
        fs::remove_dir_all(t.folder()).unwrap();
    }
}

#[test]
fn other_data_sets_are_recognised() {
    let here = TempFolder::new("fetch-other-sets");
    let import = |from: &Path| {
        let to = here.path().join("set");
        let error = fetch::import(&Spec::cifar10(), from, &to).unwrap_err().to_string();
        assert!(!to.exists() && !error.contains("cut off"), "{error}");
        error
    };
    let needed =
        "The course needs the binary version of CIFAR-10, cifar-10-binary.tar.gz (170,052,171 bytes)";
    let file = here.path().join("download.tar.gz");
    // By their size, under any name.
    for (bytes, what) in [
        (168_513_733, "is CIFAR-100, another data set, with 100 classes (cifar-100-binary.tar.gz)"),
        (169_001_437, "is CIFAR-100, another data set, with 100 classes (cifar-100-python.tar.gz)"),
        (170_498_071, "is the Python version of CIFAR-10 (cifar-10-python.tar.gz)"),
    ] {
        fs::File::create(&file).unwrap().set_len(bytes).unwrap();
        let error = import(&file);
        assert!(error.contains(what) && error.contains(needed), "{error}");
    }
    // By what is in the archive: of any size.
    for (folder, what) in [
        ("cifar-10-batches-mat", "is the Matlab version of CIFAR-10 (cifar-10-matlab.tar.gz)"),
        ("cifar-100-python", "is CIFAR-100, another data set"),
        ("photos", "is another archive: it begins with `photos`; expected cifar-10-binary.tar.gz"),
    ] {
        let mut tar = tar::Builder::new(Vec::new());
        entry(&mut tar, &format!("{folder}/readme.html"), b"<html>");
        fs::write(&file, gzip(&tar.into_inner().unwrap())).unwrap();
        let error = import(&file);
        assert!(error.contains(what), "{error}");
    }
    // Unpacked, in the folder or in the one around it.
    let folder = here.path().join("cifar-10-batches-py");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("data_batch_1"), [0x80, 2]).unwrap();
    for from in [folder.as_path(), here.path()] {
        let error = import(from);
        let what = format!("{} holds the Python version of CIFAR-10", from.display());
        assert!(error.contains(&what) && error.contains(needed), "{error}");
    }
    assert!(import(&folder.join("data_batch_1")).contains("is a file of the Python version"));
    // A file is advised only where it is.
    let empty = here.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let error = import(&empty);
    assert!(error.contains("holds nothing that can be taken") && !error.contains("data import"), "{error}");
    fs::write(empty.join("cifar-10-binary.tar.gz"), "").unwrap();
    let error = import(&empty);
    assert!(
        error.contains(&format!("`nchw data import {}/cifar-10-binary.tar.gz`", empty.display())),
        "{error}"
    );
    fs::write(empty.join("data_batch_2.bin"), [7; 3073]).unwrap();
    assert!(import(&empty.join("data_batch_2.bin")).contains("give the folder that holds all of them"));
}

/// Puts one more thing into an archive.
type Add<'a> = &'a dyn Fn(&mut tar::Builder<Vec<u8>>);

/// What comes out of an archive, or why nothing does.
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
fn only_what_is_expected_comes_out_of_an_archive() {
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
        ("test_batch.bin is missing in it", &|_| ()),
        ("is none of the set's files", &|tar| entry(tar, "../../.bashrc", test)),
        ("is none of the set's files", &|tar| entry(tar, "/etc/cron.d/x", test)),
        ("is none of the set's files", &|tar| entry(tar, &format!("{FOLDER}/../test_batch.bin"), test)),
        ("is none of the set's files", &|tar| entry(tar, "test_batch.bin", test)),
        ("comes twice", &|tar| entry(tar, &format!("{FOLDER}/data_batch_1.bin"), test)),
        ("test_batch.bin should have 15,365 bytes, and has 15,364", &|tar| {
            entry(tar, &format!("{FOLDER}/test_batch.bin"), &test[1..]);
        }),
        ("test_batch.bin should have the SHA-256", &|tar| {
            entry(tar, &format!("{FOLDER}/test_batch.bin"), &zeros)
        }),
        ("is no plain file (Symlink)", &link(tar::EntryType::Symlink, "cifar-10-batches-bin/test_batch.bin")),
        ("is no plain file (Link)", &link(tar::EntryType::Link, "cifar-10-batches-bin/test_batch.bin")),
    ];
    for (why, add) in cases {
        let error = unpacked(&published.spec, &with(add)).unwrap_err();
        assert!(error.contains(why), "expected `{why}` in: {error}");
    }
    // A file without end, and one that unpacks to far more than it should.
    let bomb = with(&|tar| entry(tar, &format!("{FOLDER}/readme.html"), &vec![0; 9 << 20]));
    let error = unpacked(&published.spec, &bomb).unwrap_err();
    assert!(error.contains("the archive is refused"), "{error}");
    let cut = packed(&published.files);
    for end in [0, 1, 10, 500, cut.len() / 2, cut.len() * 9 / 10] {
        let error = unpacked(&published.spec, &cut[..end]).unwrap_err();
        assert!(error.contains("the archive"), "{error}");
    }
}

/// The program, without the proxy of whoever runs the tests, in a home of its own.
fn nchw(home: &Path) -> Command {
    let mut nchw = Command::new(env!("CARGO_BIN_EXE_nchw"));
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        nchw.env_remove(name).env_remove(name.to_lowercase());
    }
    for name in ["NCHW_DATA", "NCHW_CACHE", "XDG_CACHE_HOME"] {
        nchw.env_remove(name);
    }
    nchw.env("HOME", home).current_dir(home);
    nchw
}

/// Standard output, error output and exit code.
fn ran(nchw: &mut Command) -> (String, String, i32) {
    let done = nchw.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(done.stdout), text(done.stderr), done.status.code().unwrap())
}

#[test]
fn killed_in_the_middle_the_program_goes_on_from_there() {
    let home = TempFolder::new("fetch-kill");
    let all = Spec::cifar10().archive.bytes;
    let server = Server::new(Vec::new(), Manner::Zeros(all));
    let part = home.path().join(working_folder(&Spec::cifar10())).join("cifar-10-binary.tar.gz");
    let size = || fs::metadata(&part).map_or(0, |data| data.len());
    let url = format!("{}cifar-10-binary.tar.gz", server.url);
    let arguments = ["data", "fetch", "--to", "set", "--source", &url];
    for round in 1..=3 {
        let mut child = nchw(home.path()).args(arguments).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while size() < round * 500_000 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing comes");
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
    assert!(err.contains("it refuses the connection") && err.contains(" bytes are kept"), "{err}");
    assert_eq!((out.as_str(), code), ("", 2));
}

#[test]
fn the_program_says_where_it_looks_and_what_is_wrong_there() {
    let home = TempFolder::new("fetch-where");
    let (out, err, code) = ran(nchw(home.path()).args(["data", "where"]).env("NCHW_DATA", "here"));
    assert_eq!((out.as_str(), code), ("the folder that NCHW_DATA names\n  here: not there\n", 1));
    assert!(err.contains("`nchw data fetch` downloads it"), "{err}");
    let (out, ..) = ran(nchw(home.path()).args(["data", "where"]));
    let cache = home.path().join(".cache/nchw").join(FOLDER);
    assert!(out.contains(&format!("~/.cache/nchw/{FOLDER}\n  {}: not there", cache.display())), "{out}");
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
