//! Brings CIFAR-10 here: from the network or from a file, whole or not at all.
//!
//! Everything is first made in a working folder beside the set's own (`workspace`),
//! held against size and SHA-256, and then renamed. Interrupted, the same call
//! resumes its downloads. A folder that holds anything is never replaced.

pub mod archive;
mod download;
mod parquet;
mod spec;
mod workspace;

pub use spec::{PublishedFile, Spec, Verdict};
pub use ureq::Proxy;

use crate::{
    Error, Result,
    data::{FOLDER, Other},
    files,
    shapes::commas,
};
use download::DownloadError;
use spec::unwritten;
use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use workspace::Workspace;

/// Where the set can be had.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is called in messages.
    pub name: String,
    /// One address for each file of it.
    pub addresses: Addresses,
    /// Whether an address without TLS is refused, also one it leads to.
    pub tls_only: bool,
}

/// What a source has.
#[derive(Clone, Debug)]
pub enum Addresses {
    /// The packed binary version.
    Archive(String),
    /// The two Parquet tables: to train on, to test with.
    Parquet([String; 2]),
}

/// How long a source may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes a second; slower over a `window`, and the next source is tried.
    pub floor: f64,
    /// How long a rate is measured, and how long a source may stand still.
    pub window: Duration,
    /// How long a connection and the head of an answer may take.
    pub patience: Duration,
    /// Between two tries at one source; longer each time without progress.
    pub pause: Duration,
    /// Tries without progress before the next source.
    pub tries: u32,
    /// Through which everything goes.
    pub proxy: Option<Proxy>,
}

/// What is told while it goes on.
pub trait Watch {
    /// `file` begins, of which `have` of `all` bytes are here.
    fn begin(&mut self, file: &str, have: u64, all: u64);
    /// `bytes` of it are here now.
    fn at(&mut self, bytes: u64);
    /// Something to read.
    fn say(&mut self, line: &str);
}

impl Source {
    /// The original host; the mirror of the same bytes; Hugging Face.
    pub fn built_in() -> Vec<Source> {
        let face = "https://huggingface.co/datasets/uoft-cs/cifar10/resolve/0b2714987fa478483af9968de7c934580d0bb9a2/plain_text/";
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
        sources.push(Source { name: "Hugging Face".into(), ..Source::at(face, &Spec::cifar10()) });
        sources.iter_mut().for_each(|source| source.tls_only = true);
        sources
    }

    /// A source of one's own: an address that ends in `/` is a folder with the
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
    /// 200 kB/s over 20 s: the whole set in a quarter of an hour.
    fn default() -> Limits {
        Limits {
            floor: 200_000.0,
            window: Duration::from_secs(20),
            patience: Duration::from_secs(20),
            pause: Duration::from_secs(2),
            tries: 3,
            proxy: Proxy::try_from_env(),
        }
    }
}

/// Downloads the set into `folder`, from the first source that works.
///
/// False when it was there already.
///
/// # Errors
/// When no source works (with what each of them did), the disk is full, or
/// something else is in the way. What was downloaded is kept for the next time.
pub fn fetch(
    spec: &Spec,
    sources: &[Source],
    folder: &Path,
    limits: &Limits,
    watch: &mut dyn Watch,
) -> Result<bool> {
    let Some(work) = Work::begin(spec, folder)? else { return Ok(false) };
    work.require_space(spec.archive.bytes + spec.unpacked_bytes())?;
    let mut told = Vec::new();
    let mut slow: Vec<(f64, &Source)> = Vec::new();
    for source in sources {
        watch.say(&format!("from {}", source.name));
        let why = match work.try_source(source, Some(limits.floor), limits, watch) {
            Ok(()) => return work.finish().map(|()| true),
            Err(DownloadError::Stop(error)) => return Err(error),
            Err(DownloadError::Slow(rate)) => {
                slow.push((rate, source));
                let least = limits.floor / 1000.0;
                format!("too slow ({:.0} kB/s; at least {least:.0} are expected)", rate / 1000.0)
            }
            Err(DownloadError::Failed(why) | DownloadError::Dropped(why)) => why,
        };
        watch.say(&format!("{}: {why}", source.name));
        told.push(format!("\n  {}: {why}", source.name));
    }
    // Slow is better than nothing, when nothing else is left; standing still is not.
    slow.retain(|(rate, _)| *rate > 0.0);
    slow.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (_, source) in slow {
        watch.say(&format!("no source is fast: on with {}, however slow", source.name));
        match work.try_source(source, None, limits, watch) {
            Ok(()) => return work.finish().map(|()| true),
            Err(DownloadError::Stop(error)) => return Err(error),
            Err(DownloadError::Slow(_)) => told.push(format!("\n  {}: then it stood still", source.name)),
            Err(DownloadError::Failed(why) | DownloadError::Dropped(why)) => {
                told.push(format!("\n  {}: then {why}", source.name));
            }
        }
    }
    let kept = match work.downloads().iter().map(|path| download::size(path)).sum() {
        0 => "`nchw data fetch` tries again".into(),
        kept => format!("{} bytes are kept: `nchw data fetch` goes on from there", commas(kept)),
    };
    Err(Error::new(format!(
        "no source gave CIFAR-10:{}\n{kept}. Or bring {} on a stick: `nchw data import FILE`",
        told.concat(),
        spec.archive.name
    )))
}

/// Puts the set into `folder` from what somebody brought: the archive, or a
/// folder with the two Parquet tables or with the unpacked files.
///
/// False when it was there already.
///
/// # Errors
/// When it is none of them, damaged, or cut off; when the disk is full.
pub fn import(spec: &Spec, from: &Path, folder: &Path) -> Result<bool> {
    let what = from.display().to_string();
    let data = fs::metadata(from).map_err(|e| Error::new(format!("could not read {what}: {e}")))?;
    match data.is_dir() {
        true => drop(fs::read_dir(from).map_err(|e| Error::new(format!("could not read {what}: {e}")))?),
        false => archive_or_not(spec, from, data.len())?,
    }
    let Some(work) = Work::begin(spec, folder)? else { return Ok(false) };
    work.require_space(spec.unpacked_bytes())?;
    if !data.is_dir() {
        spec.archive.check(from)?;
        work.unpack(from)?;
        return work.finish().map(|()| true);
    }
    let inside = |part: &str| -> PathBuf { if part.is_empty() { from.into() } else { from.join(part) } };
    for tables in ["", "plain_text"].map(inside) {
        let paths = spec.parquet.each_ref().map(|table| tables.join(&table.name));
        if paths.iter().all(|path| path.is_file()) {
            for (table, path) in spec.parquet.iter().zip(&paths) {
                table.check(path)?;
            }
            work.unpack_parquet(&paths)?;
            return work.finish().map(|()| true);
        }
    }
    for files in ["", FOLDER].map(inside) {
        if spec.files.iter().all(|file| files.join(&file.name).is_file()) {
            for file in &spec.files {
                let path = files.join(&file.name);
                let mut source = File::open(&path)
                    .map_err(|e| Error::new(format!("could not read {}: {e}", path.display())))?;
                file.copy(&mut source, &mut work.create(&file.name)?, &what).map_err(|error| {
                    Error::new(format!(
                        "{error}. A set of other pictures can be used where it lies: NCHW_DATA={what}"
                    ))
                })?;
            }
            return work.finish().map(|()| true);
        }
    }
    Err(Error::new(nothing_in(spec, from)))
}

/// Why nothing in a folder can be imported.
fn nothing_in(spec: &Spec, folder: &Path) -> String {
    let what = folder.display();
    let archive = folder.join(&spec.archive.name);
    if archive.exists() {
        return format!("{what} holds the archive: `nchw data import {}` unpacks it", archive.display());
    }
    if let Some(other) = Other::inside(folder) {
        return not_the_set(spec, &format!("{what} holds"), other);
    }
    format!(
        "{what} holds nothing that can be taken: expected {} and {}, or the six files {} to {}",
        spec.parquet[0].name,
        spec.parquet[1].name,
        spec.files[0].name,
        spec.files[spec.files.len() - 1].name,
    )
}

fn not_the_set(spec: &Spec, what: &str, other: &Other) -> String {
    format!(
        "{what} {} ({}). The course needs the binary version of CIFAR-10, {} ({} bytes): `nchw data fetch` \
         downloads it",
        other.is,
        other.archive,
        spec.archive.name,
        commas(spec.archive.bytes)
    )
}

/// Says what a file is that is not the archive.
fn archive_or_not(spec: &Spec, path: &Path, bytes: u64) -> Result<()> {
    let what = path.display();
    let unreadable = |e| Error::new(format!("could not read {what}: {e}"));
    if let Some(other) = Other::of_size(bytes) {
        return Err(Error::new(not_the_set(spec, &format!("{what} is"), other)));
    }
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(512).read_to_end(&mut head)).map_err(unreadable)?;
    let is = match head.trim_ascii_start() {
        [0x1f, 0x8b, ..] => match archive::first_folder(File::open(path).map_err(unreadable)?) {
            Some(name) if name == FOLDER => return Ok(()),
            // Not readable as an archive: its size and hash say the rest.
            None => return Ok(()),
            Some(name) => match Other::of_folder(&name) {
                Some(other) => {
                    return Err(Error::new(not_the_set(spec, &format!("{what} is"), other)));
                }
                None => format!("is another archive: it begins with `{name}`"),
            },
        },
        [] => "is empty".into(),
        [b'<', ..] => {
            "is a web page, saved under the archive's name: download it again, and look at its size".into()
        }
        [b'P', b'A', b'R', b'1', ..] => {
            "is one of the two Parquet tables: give the folder that holds both".into()
        }
        [b'P', b'K', ..] => "is a ZIP archive".into(),
        [0x80, 2..=5, ..] => "is a file of the Python version; the binary version is needed".into(),
        _ if path.file_name().is_some_and(|name| spec.files.iter().any(|file| name == &*file.name)) => {
            "is one of the six files of the set: give the folder that holds all of them".into()
        }
        _ => "is no archive that is known".into(),
    };
    Err(Error::new(format!(
        "{what} {is}; expected {} ({} bytes)",
        spec.archive.name,
        commas(spec.archive.bytes)
    )))
}

/// A set that is being made.
struct Work<'a> {
    spec: &'a Spec,
    folder: &'a Path,
    scratch: Workspace,
}

impl<'a> Work<'a> {
    /// None when the set is there already.
    fn begin(spec: &'a Spec, folder: &'a Path) -> Result<Option<Work<'a>>> {
        // A set that is there is only read: its folder may be write-protected.
        if let Ok(Verdict::Published | Verdict::AsPutThere) = spec.verify(folder) {
            return Ok(None);
        }
        // Before anything is written beside it.
        if let Err(problem) = spec.verify(folder) {
            spec.may_fill(folder, &problem)?;
        }
        let scratch = Workspace::open(files::folder_of(folder), &spec.archive.sha256)?;
        let work = Work { spec, folder, scratch };
        // Once more under the lock: another process may just have made the set.
        match spec.verify(folder) {
            Ok(Verdict::Published | Verdict::AsPutThere) => return Ok(None),
            Ok(Verdict::OtherBytes) => {
                return Err(Error::new(format!(
                    "{} holds a whole set of other pictures than the published ones: move it away first, \
                     or choose another folder with --to DIR",
                    folder.display()
                )));
            }
            Err(problem) => spec.may_fill(folder, &problem)?,
        }
        work.clear()?;
        Ok(Some(work))
    }

    /// Where the unpacked files are put.
    fn new_set(&self) -> PathBuf {
        self.scratch.path().join("new")
    }

    /// An empty folder for the unpacked files.
    fn clear(&self) -> Result<()> {
        let new = self.new_set();
        let _ = fs::remove_dir_all(&new);
        fs::create_dir(&new).map_err(|e| unwritten(&new.display().to_string(), &e))
    }

    /// Says that the disk is too full before anything long begins.
    fn require_space(&self, needed: u64) -> Result<()> {
        let here = self.downloads().iter().map(|path| download::size(path)).sum();
        let needed = needed.saturating_sub(here);
        // What cannot be told is no reason to stop.
        let Ok(disk) = rustix::fs::statvfs(self.scratch.path()) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < needed {
            return Err(Error::new(format!(
                "the disk is too full: {} MB are needed beside {}, {} MB are free. \
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
        [&self.spec.archive, train, test].map(|file| self.scratch.path().join(&file.name))
    }

    fn try_source(
        &self,
        source: &Source,
        floor: Option<f64>,
        limits: &Limits,
        watch: &mut dyn Watch,
    ) -> std::result::Result<(), DownloadError> {
        let agent = download::agent(source.tls_only, limits);
        let [archive, train, test] = self.downloads();
        let mut get =
            |url: &str, file: &PublishedFile, to: &Path| self.get(&agent, url, file, to, floor, limits, watch);
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

    /// A download that has the right bytes in the end.
    #[expect(clippy::too_many_arguments, reason = "passed on to `download`")]
    fn get(
        &self,
        agent: &ureq::Agent,
        url: &str,
        file: &PublishedFile,
        to: &Path,
        floor: Option<f64>,
        limits: &Limits,
        watch: &mut dyn Watch,
    ) -> std::result::Result<(), DownloadError> {
        loop {
            let resumed = download::size(to) > 0;
            download::download(agent, url, file, to, floor, limits, watch)?;
            watch.say(&format!("checking {}", file.name));
            let Err(error) = file.check(to) else { return Ok(()) };
            fs::remove_file(to).map_err(|e| DownloadError::Stop(unwritten(&to.display().to_string(), &e)))?;
            if !resumed {
                let found = error.to_string();
                let found = found.split_once(": ").map_or(found.as_str(), |(_, what)| what);
                return Err(DownloadError::Failed(format!("wrong bytes: {found}; thrown away")));
            }
            // The part from before may be the wrong one: once more, from the start.
            watch.say("the parts do not fit together: from the start again");
        }
    }

    fn create(&self, name: &str) -> Result<BufWriter<File>> {
        let path = self.new_set().join(name);
        let file = File::create(&path).map_err(|e| unwritten(&path.display().to_string(), &e))?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    }

    fn unpack(&self, archive: &Path) -> Result<()> {
        self.clear()?;
        let what = archive.display().to_string();
        let packed = File::open(archive).map_err(|e| Error::new(format!("could not read {what}: {e}")))?;
        archive::unpack(std::io::BufReader::new(packed), &self.spec.files, &what, |file| {
            self.create(&file.name)
        })
    }

    /// The tables' pictures in their order, as the files of the binary version.
    fn unpack_parquet(&self, tables: &[PathBuf; 2]) -> Result<()> {
        self.clear()?;
        let (train, test) = self.spec.files.split_at(self.spec.files.len() - 1);
        for (path, files) in tables.iter().zip([train, test]) {
            let what = path.display().to_string();
            let table = File::open(path).map_err(|e| Error::new(format!("could not read {what}: {e}")))?;
            let mut outs = Vec::new();
            for file in files {
                outs.push((self.create(&file.name)?, &file.name));
            }
            let (mut count, all) = (0, files.len() * self.spec.per_file);
            parquet::read(table, &what, |label, pixels| {
                let Some((out, name)) = outs.get_mut(count / self.spec.per_file) else {
                    return Err(Error::new(format!(
                        "{what}: expected {} pictures, got more",
                        commas(all as u64)
                    )));
                };
                count += 1;
                let written = out.write_all(&[label]).and_then(|()| out.write_all(pixels));
                written.map_err(|e| unwritten(name, &e))
            })?;
            if count != all {
                let (all, count) = (commas(all as u64), commas(count as u64));
                return Err(Error::new(format!("{what}: expected {all} pictures, got {count}")));
            }
            for (out, name) in &mut outs {
                out.flush().map_err(|e| unwritten(name, &e))?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.spec.put_in_place(&self.new_set(), self.folder)?;
        // The set is there: what was downloaded for it only takes space.
        for path in self.downloads() {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }
}

impl Drop for Work<'_> {
    /// Leaves what a later call can go on with, and nothing else.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.new_set());
        if self.downloads().iter().all(|path| download::size(path) == 0) {
            let _ = self.scratch.remove();
        }
    }
}
