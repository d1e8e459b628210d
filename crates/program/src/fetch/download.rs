//! One file over HTTP, from one address: resumed after every interruption,
//! given up when the address is down, lies, or is slower than a floor.

use super::{
    Limits, Watch,
    spec::{PublishedFile, unwritten},
};
use crate::{Error, shapes::commas};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
    time::{Duration, Instant},
};
use ureq::{Agent, Body, http::Response, tls::TlsConfig};

/// Why a download ended before its end.
pub(super) enum DownloadError {
    /// The connection broke: the same address may go on with the rest.
    Dropped(String),
    /// Bytes a second, below the floor.
    Slow(f64),
    /// This address is of no use.
    Failed(String),
    /// No address would help: the disk is full.
    Stop(Error),
}

/// Who speaks to the hosts of a source.
pub(super) fn agent(tls_only: bool, limits: &Limits) -> Agent {
    Agent::config_builder()
        .https_only(tls_only)
        .http_status_as_error(false)
        .proxy(limits.proxy.clone())
        .tls_config(TlsConfig::default())
        .timeout_connect(Some(limits.patience))
        .timeout_recv_response(Some(limits.patience))
        // Bytes count as they are: nothing may pack them for the way.
        .accept_encoding("identity")
        .timeout_per_read(Some(limits.window))
        .user_agent(concat!("nchw/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Downloads `file` from `url` to `path`, going on with what lies there.
///
/// `floor` is in bytes a second; without one, only standing still counts as slow.
pub(super) fn download(
    agent: &Agent,
    url: &str,
    file: &PublishedFile,
    path: &Path,
    floor: Option<f64>,
    limits: &Limits,
    watch: &mut dyn Watch,
) -> Result<(), DownloadError> {
    let mut in_vain = 0;
    // One for all connections: hanging up often is no way round the floor.
    let mut pace = Pace { floor, window: limits.window, since: Instant::now(), bytes: 0 };
    loop {
        let before = size(path);
        let why = match transfer(agent, url, file, path, &mut pace, limits, watch) {
            Err(DownloadError::Dropped(why)) => why,
            other => return other,
        };
        // A thousandth of the file is progress; less, and it would never end.
        if size(path) >= before + (file.bytes / 1000).max(1) {
            in_vain = 0
        } else {
            in_vain += 1
        }
        if in_vain == limits.tries {
            return Err(DownloadError::Failed(format!(
                "{why}, {in_vain} times one after another without progress"
            )));
        }
        watch.say(&format!("{why}; going on from byte {}", commas(size(path))));
        std::thread::sleep(limits.pause * in_vain);
    }
}

/// How fast it goes, window by window.
struct Pace {
    floor: Option<f64>,
    window: Duration,
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// Counts more bytes; at the end of a window, the rate if it is below the floor.
    fn too_slow(&mut self, got: usize) -> Option<f64> {
        self.bytes += got as u64;
        let spent = self.since.elapsed();
        if spent < self.window {
            return None;
        }
        let rate = self.bytes as f64 / spent.as_secs_f64();
        (self.since, self.bytes) = (Instant::now(), 0);
        self.floor.filter(|&floor| rate < floor).map(|_| rate)
    }
}

/// How much of a file there is.
pub(super) fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |data| data.len())
}

fn transfer(
    agent: &Agent,
    url: &str,
    file: &PublishedFile,
    path: &Path,
    pace: &mut Pace,
    limits: &Limits,
    watch: &mut dyn Watch,
) -> Result<(), DownloadError> {
    let stop = |e: std::io::Error| DownloadError::Stop(unwritten(&path.display().to_string(), &e));
    let mut to = OpenOptions::new().create(true).append(true).open(path).map_err(stop)?;
    if size(path) > file.bytes {
        // Whatever that is, it is not the beginning of the file.
        to.set_len(0).map_err(stop)?;
    }
    let have = size(path);
    watch.begin(&file.name, have, file.bytes);
    if have == file.bytes {
        return Ok(());
    }
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let mut answer = request.call().map_err(|e| unanswered(e, limits))?;
    let skip = first_byte(&answer, file, have)?;
    let ended = pour(&mut answer, file, have - skip, skip, &mut to, pace, watch);
    // Before anyone looks at the size again, or goes on from there.
    to.flush().map_err(stop)?;
    ended.map_err(|trouble| match trouble {
        Pour::Write(e) => stop(e),
        Pour::DownloadError(trouble) => trouble,
    })
}

/// What the answer's head says. Gives how many bytes of it are here already.
fn first_byte(answer: &Response<Body>, file: &PublishedFile, have: u64) -> Result<u64, DownloadError> {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let failed = |why: String| Err(DownloadError::Failed(why));
    let status = answer.status();
    if !status.is_success() {
        let why = match status.as_u16() {
            401 | 403 => ": it wants no visitors, or a proxy stands in between",
            404 | 410 => ": the file is not there any more",
            407 => ": the proxy asks for a name and a password (HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT)",
            416 => ": it has less of the file than is here already",
            429 | 500.. => ": it is overloaded or broken; another time it may work",
            _ => "",
        };
        return failed(format!("it answers {status}{why}"));
    }
    if header("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html")) {
        return failed(WEB_PAGE.into());
    }
    if header("content-encoding").is_some_and(|coding| coding != "identity") {
        return failed("it packs the file once more, which was not asked for".into());
    }
    // `bytes 500-999/1000`: from where, and of how many.
    let range = header("content-range").and_then(|range| {
        let (part, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
        Some((part.split_once('-')?.0.parse::<u64>().ok()?, whole.parse::<u64>().ok()))
    });
    let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
    let (from, whole) = match (status.as_u16(), range) {
        (206, Some((from, whole))) => (from, whole.or(length.map(|length| from + length))),
        (206, None) => return failed("it sends a part of the file and does not say which".into()),
        _ => (0, length),
    };
    if let Some(whole) = whole
        && whole != file.bytes
    {
        return failed(format!(
            "it offers {} bytes, and {} has {}: it is another file, or a page in its place",
            commas(whole),
            file.name,
            commas(file.bytes)
        ));
    }
    match from <= have {
        true => Ok(have - from),
        false => failed(format!("asked to go on at byte {}, it goes on at {}", commas(have), commas(from))),
    }
}

const WEB_PAGE: &str = "it sends a web page instead of the file: a network that asks for a login first, or a proxy. \
     Open any page in a browser to log in";

/// What stops the pouring: the disk, or the source.
enum Pour {
    Write(std::io::Error),
    DownloadError(DownloadError),
}

/// The body, from byte `at` of the file on, of which the first `skip` are here.
fn pour(
    answer: &mut Response<Body>,
    file: &PublishedFile,
    mut at: u64,
    mut skip: u64,
    to: &mut File,
    pace: &mut Pace,
    watch: &mut dyn Watch,
) -> Result<(), Pour> {
    let failed = |why: String| Pour::DownloadError(DownloadError::Failed(why));
    let mut body = answer.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    while at < file.bytes {
        let got = match body.read(&mut buffer) {
            Ok(0) => {
                let (got, all) = (commas(at), commas(file.bytes));
                return Err(Pour::DownloadError(DownloadError::Dropped(format!(
                    "the connection ended after {got} of {all} bytes"
                ))));
            }
            Ok(got) => got,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(Pour::DownloadError(broken(e.into(), at, file))),
        };
        let bytes = &buffer[..got];
        if at == 0 && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(failed(WEB_PAGE.into()));
        }
        at += got as u64;
        if at > file.bytes {
            return Err(failed(format!(
                "it sends more than the {} bytes that {} has: it is another file",
                commas(file.bytes),
                file.name
            )));
        }
        let known = skip.min(got as u64);
        skip -= known;
        to.write_all(&bytes[known as usize..]).map_err(Pour::Write)?;
        watch.at(at);
        if let Some(rate) = pace.too_slow(got) {
            return Err(Pour::DownloadError(DownloadError::Slow(rate)));
        }
    }
    Ok(())
}

/// No answer at all.
fn unanswered(error: ureq::Error, limits: &Limits) -> DownloadError {
    const UNKNOWN: &str = "its name is not known here: is there a network? (a proxy goes into HTTPS_PROXY)";
    let untrusted = |said: &dyn std::fmt::Display| {
        format!(
            "its certificate is not trusted ({said}): some networks read along; bring the archive on a stick"
        )
    };
    let why = match error {
        ureq::Error::HostNotFound => UNKNOWN.into(),
        ureq::Error::ConnectProxyFailed(said) => format!(
            "the proxy does not let us through ({said}): look at HTTPS_PROXY, and at NO_PROXY for hosts that need none"
        ),
        ureq::Error::Timeout(_) => format!("no answer within {:.0} s", limits.patience.as_secs_f64().ceil()),
        ureq::Error::RequireHttpsOnly(_) => {
            "it leads to an address without TLS, which is not followed".into()
        }
        ureq::Error::Rustls(said) => untrusted(&said),
        ureq::Error::Io(e) if certificate(&e) => untrusted(&e),
        ureq::Error::Io(e) if e.to_string().contains("lookup address") => UNKNOWN.into(),
        ureq::Error::Io(e) => match e.kind() {
            ErrorKind::ConnectionRefused => "it refuses the connection: it is down".into(),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                format!("it cannot be reached ({e}): is there a network?")
            }
            _ => return DownloadError::Dropped(format!("the connection broke ({e})")),
        },
        ureq::Error::ConnectionFailed => "it cannot be reached: is there a network?".into(),
        other => format!("no answer that can be used ({other})"),
    };
    DownloadError::Failed(why)
}

fn certificate(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData && error.to_string().contains("certificate")
}

/// An answer that broke off.
fn broken(error: ureq::Error, at: u64, file: &PublishedFile) -> DownloadError {
    match error {
        ureq::Error::Timeout(_) => DownloadError::Slow(0.0),
        _ => DownloadError::Dropped(format!(
            "the connection broke after {} of {} bytes",
            commas(at),
            commas(file.bytes)
        )),
    }
}
