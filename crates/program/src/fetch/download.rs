//! Downloads one file from one address over HTTP. The download resumes after every
//! interruption, and fails when the address is down, sends something else, or is too slow.

use super::{
    source::{Limits, Progress},
    spec::{PublishedFile, write_error},
};
use crate::{Error, shapes::commas};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
    time::{Duration, Instant},
};
use ureq::{Agent, Body, http::Response, tls::TlsConfig};

/// Why a download stopped.
pub(super) enum DownloadError {
    /// The connection was lost: the same address may send the rest.
    Dropped(String),
    /// The rate in bytes per second was below the minimum.
    Slow(f64),
    /// This address cannot be used.
    Failed(String),
    /// No other address would help, for example because the disk is full.
    Stop(Error),
}

/// The HTTP client for the hosts of a source.
pub(super) fn agent(tls_only: bool, limits: &Limits) -> Agent {
    Agent::config_builder()
        .https_only(tls_only)
        .http_status_as_error(false)
        .proxy(limits.proxy.clone())
        .tls_config(TlsConfig::default())
        .timeout_connect(Some(limits.patience))
        .timeout_recv_response(Some(limits.patience))
        // Byte positions refer to the file itself, so it must not be compressed for transfer.
        .accept_encoding("identity")
        .timeout_per_read(Some(limits.window))
        .user_agent(concat!("nchw/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Downloads `file` from `url` to `path`, or resumes the download.
///
/// `floor` is the minimum rate in bytes per second; without one, a source is too slow only if it
/// sends nothing.
pub(super) fn download(
    agent: &Agent,
    url: &str,
    file: &PublishedFile,
    path: &Path,
    floor: Option<f64>,
    limits: &Limits,
    progress: &mut dyn Progress,
) -> Result<(), DownloadError> {
    let mut failed_attempts = 0;
    // Shared by all connections, so that frequent disconnects do not reset the measurement.
    let mut rate = Rate { floor, window: limits.window, since: Instant::now(), bytes: 0 };
    loop {
        let before = size(path);
        let why = match transfer(agent, url, file, path, &mut rate, limits, progress) {
            Err(DownloadError::Dropped(why)) => why,
            other => return other,
        };
        // Less than a thousandth of the file is no progress, or the download might never end.
        let progressed = size(path) >= before + (file.bytes / 1000).max(1);
        failed_attempts = if progressed { 0 } else { failed_attempts + 1 };
        if failed_attempts == limits.tries {
            return Err(DownloadError::Failed(format!(
                "{why}, {failed_attempts} times in a row without progress"
            )));
        }
        progress.message(&format!("{why}; resuming at byte {}", commas(size(path))));
        std::thread::sleep(limits.pause * failed_attempts);
    }
}

/// Measures the download rate, window by window.
struct Rate {
    floor: Option<f64>,
    window: Duration,
    since: Instant,
    bytes: u64,
}

impl Rate {
    /// Counts more bytes. At the end of a window, returns the rate if it is below the minimum.
    fn too_slow(&mut self, got: usize) -> Option<f64> {
        self.bytes += got as u64;
        let elapsed = self.since.elapsed();
        if elapsed < self.window {
            return None;
        }
        let rate = self.bytes as f64 / elapsed.as_secs_f64();
        (self.since, self.bytes) = (Instant::now(), 0);
        self.floor.filter(|&floor| rate < floor).map(|_| rate)
    }
}

/// The size of a file; 0 if it does not exist.
pub(super) fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |data| data.len())
}

/// One request for the rest of the file.
fn transfer(
    agent: &Agent,
    url: &str,
    file: &PublishedFile,
    path: &Path,
    rate: &mut Rate,
    limits: &Limits,
    progress: &mut dyn Progress,
) -> Result<(), DownloadError> {
    let stop = |e: std::io::Error| DownloadError::Stop(write_error(&path.display().to_string(), &e));
    let mut to = OpenOptions::new().create(true).append(true).open(path).map_err(stop)?;
    if size(path) > file.bytes {
        // This cannot be the beginning of the file.
        to.set_len(0).map_err(stop)?;
    }
    let have = size(path);
    progress.begin(&file.name, have, file.bytes);
    if have == file.bytes {
        return Ok(());
    }
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let mut response = request.call().map_err(|e| request_error(e, limits))?;
    let skip = bytes_to_skip(&response, file, have)?;
    let copied = copy_body(&mut response, file, have - skip, skip, &mut to, rate, progress);
    // Flushed before the size of the file is read again.
    to.flush().map_err(stop)?;
    copied.map_err(|error| match error {
        CopyError::Write(e) => stop(e),
        CopyError::Download(error) => error,
    })
}

/// Checks the headers of the response. Returns how many bytes of its body we already have.
fn bytes_to_skip(response: &Response<Body>, file: &PublishedFile, have: u64) -> Result<u64, DownloadError> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let failed = |why: String| Err(DownloadError::Failed(why));
    let status = response.status();
    if !status.is_success() {
        let why = match status.as_u16() {
            401 | 403 => ": access refused: sign-in required, or blocked by a proxy",
            404 | 410 => ": the file no longer exists there",
            407 => {
                ": the proxy requires a user name and a password (HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT)"
            }
            416 => ": its file is shorter than the part that was already downloaded",
            429 | 500.. => ": the server is overloaded or out of order; try again later",
            _ => "",
        };
        return failed(format!("the server responded {status}{why}"));
    }
    if header("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html")) {
        return failed(WEB_PAGE.into());
    }
    if header("content-encoding").is_some_and(|coding| coding != "identity") {
        return failed("the server sent the file compressed, which was not requested".into());
    }
    // `bytes 500-999/1000`: the first and last byte, and the size of the whole file.
    let range = header("content-range").and_then(|range| {
        let (part, whole) = range.strip_prefix("bytes ")?.split_once('/')?;
        Some((part.split_once('-')?.0.parse::<u64>().ok()?, whole.parse::<u64>().ok()))
    });
    let length = header("content-length").and_then(|length| length.parse::<u64>().ok());
    let (from, whole) = match (status.as_u16(), range) {
        (206, Some((from, whole))) => (from, whole.or(length.map(|length| from + length))),
        (206, None) => return failed("the server sent a part of the file without saying which".into()),
        _ => (0, length),
    };
    if let Some(whole) = whole
        && whole != file.bytes
    {
        return failed(format!(
            "expected {} bytes for {}, the server offers {}: it is a different file, or a web page",
            commas(file.bytes),
            file.name,
            commas(whole)
        ));
    }
    match from <= have {
        true => Ok(have - from),
        false => failed(format!(
            "requested byte {} and following, received them from {} on",
            commas(have),
            commas(from)
        )),
    }
}

const WEB_PAGE: &str = "the server sent a web page instead of the file: the network requires a login, or a proxy interferes. \
     Open any page in a browser to log in";

/// What stopped the copy: the disk, or the source.
enum CopyError {
    Write(std::io::Error),
    Download(DownloadError),
}

/// Writes the body, which starts at byte `at` of the file, to `to`, except for its first `skip` bytes.
fn copy_body(
    response: &mut Response<Body>,
    file: &PublishedFile,
    mut at: u64,
    mut skip: u64,
    to: &mut File,
    rate: &mut Rate,
    progress: &mut dyn Progress,
) -> Result<(), CopyError> {
    let failed = |why: String| CopyError::Download(DownloadError::Failed(why));
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    while at < file.bytes {
        let got = match body.read(&mut buffer) {
            Ok(0) => {
                let (got, total) = (commas(at), commas(file.bytes));
                return Err(CopyError::Download(DownloadError::Dropped(format!(
                    "the connection ended after {got} of {total} bytes"
                ))));
            }
            Ok(got) => got,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(CopyError::Download(read_error(e.into(), at, file))),
        };
        let bytes = &buffer[..got];
        if at == 0 && bytes.trim_ascii_start().starts_with(b"<") {
            return Err(failed(WEB_PAGE.into()));
        }
        at += got as u64;
        if at > file.bytes {
            return Err(failed(format!(
                "the server sent more than the {} bytes of {}: it is a different file",
                commas(file.bytes),
                file.name
            )));
        }
        let known = skip.min(got as u64);
        skip -= known;
        to.write_all(&bytes[known as usize..]).map_err(CopyError::Write)?;
        progress.set_position(at);
        if let Some(slow) = rate.too_slow(got) {
            return Err(CopyError::Download(DownloadError::Slow(slow)));
        }
    }
    Ok(())
}

/// The error for a request without a response.
fn request_error(error: ureq::Error, limits: &Limits) -> DownloadError {
    const UNKNOWN: &str =
        "its host name cannot be resolved: is the network connected? (HTTPS_PROXY sets a proxy)";
    let untrusted = |error: &dyn std::fmt::Display| {
        format!(
            "its certificate is not trusted ({error}): some networks intercept connections; copy the archive from a \
             USB stick"
        )
    };
    let why = match error {
        ureq::Error::HostNotFound => UNKNOWN.into(),
        ureq::Error::ConnectProxyFailed(error) => format!(
            "the proxy refused the connection ({error}): check HTTPS_PROXY, and NO_PROXY for hosts that need no proxy"
        ),
        ureq::Error::Timeout(_) => {
            format!("no response within {:.0} s", limits.patience.as_secs_f64().ceil())
        }
        ureq::Error::RequireHttpsOnly(_) => "it redirects to an address without TLS, which is refused".into(),
        ureq::Error::Rustls(error) => untrusted(&error),
        ureq::Error::Io(e) if is_certificate_error(&e) => untrusted(&e),
        ureq::Error::Io(e) if e.to_string().contains("lookup address") => UNKNOWN.into(),
        ureq::Error::Io(e) => match e.kind() {
            ErrorKind::ConnectionRefused => "it refused the connection: the server is down".into(),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                format!("it cannot be reached ({e}): is the network connected?")
            }
            _ => return DownloadError::Dropped(format!("the connection was lost ({e})")),
        },
        ureq::Error::ConnectionFailed => "it cannot be reached: is the network connected?".into(),
        other => format!("no usable response ({other})"),
    };
    DownloadError::Failed(why)
}

fn is_certificate_error(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData && error.to_string().contains("certificate")
}

/// The error for a response that broke off.
fn read_error(error: ureq::Error, at: u64, file: &PublishedFile) -> DownloadError {
    match error {
        ureq::Error::Timeout(_) => DownloadError::Slow(0.0),
        _ => DownloadError::Dropped(format!(
            "the connection was lost after {} of {} bytes",
            commas(at),
            commas(file.bytes)
        )),
    }
}
