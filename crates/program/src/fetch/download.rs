//! Downloads one file from one address over HTTP. The download resumes after every
//! interruption, and fails when the address is down, sends something else, or is too slow.

use super::{
    source::{Limits, Progress},
    spec::{PublishedFile, write_error},
};
use crate::{Error, shapes::commas};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::Path,
    time::{Duration, Instant},
};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, http::Response};

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
        .tls_config(TlsConfig::builder().root_certs(trusted(limits.certificates.as_deref())).build())
        .timeout_connect(Some(limits.patience))
        .timeout_recv_response(Some(limits.patience))
        // Byte positions refer to the file itself, so it must not be compressed for transfer.
        .accept_encoding("identity")
        .timeout_per_read(Some(limits.window))
        .user_agent(concat!("nchw/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// The certificate authorities that are trusted: those in a file in PEM format, or Mozilla's.
fn trusted(file: Option<&Path>) -> RootCerts {
    let text = file.and_then(|file| fs::read(file).ok()).unwrap_or_default();
    let certificates = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(&certificates) }
}

/// A file to download from one address.
pub(super) struct Download<'a> {
    pub agent: &'a Agent,
    pub url: &'a str,
    pub file: &'a PublishedFile,
    /// Where to save it. What was downloaded earlier is not requested again.
    pub to: &'a Path,
    /// The minimum rate in bytes per second; without one, a source is too slow only if it sends nothing.
    pub floor: Option<f64>,
    pub limits: &'a Limits,
}

impl Download<'_> {
    /// Downloads the file, or resumes the download, and checks it.
    pub fn run(&self, progress: &mut dyn Progress) -> Result<(), DownloadError> {
        loop {
            let resumed = size(self.to) > 0;
            self.download(progress)?;
            progress.message(&format!("checking {}", self.file.name));
            let Err(error) = self.file.check(self.to) else { return Ok(()) };
            fs::remove_file(self.to).map_err(|e| self.stop(e))?;
            if !resumed {
                let error = error.to_string();
                let why = error.split_once(": ").map_or(error.as_str(), |(_, why)| why);
                return Err(DownloadError::Failed(format!("wrong bytes: {why}; deleted")));
            }
            // The part that was downloaded earlier may be wrong: download the whole file once more.
            progress.message("the resumed file has wrong bytes: downloading it again from the start");
        }
    }

    /// Requests the rest of the file until it is complete.
    fn download(&self, progress: &mut dyn Progress) -> Result<(), DownloadError> {
        let mut failed_attempts = 0;
        // Shared by all connections, so that frequent disconnects do not reset the measurement.
        let mut rate =
            Rate { floor: self.floor, window: self.limits.window, since: Instant::now(), bytes: 0 };
        loop {
            let before = size(self.to);
            let why = match self.transfer(&mut rate, progress) {
                Err(DownloadError::Dropped(why)) => why,
                other => return other,
            };
            // Less than a thousandth of the file is no progress, or the download might never end.
            let progressed = size(self.to) >= before + (self.file.bytes / 1000).max(1);
            failed_attempts = if progressed { 0 } else { failed_attempts + 1 };
            if failed_attempts == self.limits.tries {
                return Err(DownloadError::Failed(format!(
                    "{why}, {failed_attempts} times in a row without progress"
                )));
            }
            progress.message(&format!("{why}; resuming at byte {}", commas(size(self.to))));
            std::thread::sleep(self.limits.pause * failed_attempts);
        }
    }

    /// One request for the rest of the file.
    fn transfer(&self, rate: &mut Rate, progress: &mut dyn Progress) -> Result<(), DownloadError> {
        let to = OpenOptions::new().create(true).append(true).open(self.to).map_err(|e| self.stop(e))?;
        if size(self.to) > self.file.bytes {
            // This cannot be the beginning of the file.
            to.set_len(0).map_err(|e| self.stop(e))?;
        }
        let have = size(self.to);
        progress.begin(&self.file.name, have, self.file.bytes);
        if have == self.file.bytes {
            return Ok(());
        }
        let mut request = self.agent.get(self.url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let mut response = request.call().map_err(|e| request_error(e, self.limits))?;
        let skip = bytes_to_skip(&response, self.file, have)?;
        self.copy_body(&mut response, have - skip, skip, to, rate, progress)
    }

    /// Writes the body, which starts at byte `at` of the file, to `to`, except for its first `skip` bytes.
    fn copy_body(
        &self,
        response: &mut Response<Body>,
        mut at: u64,
        mut skip: u64,
        mut to: File,
        rate: &mut Rate,
        progress: &mut dyn Progress,
    ) -> Result<(), DownloadError> {
        let total = commas(self.file.bytes);
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        while at < self.file.bytes {
            let got = match body.read(&mut buffer) {
                Ok(0) => {
                    let got = commas(at);
                    return Err(DownloadError::Dropped(format!(
                        "the connection ended after {got} of {total} bytes"
                    )));
                }
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => {
                    let got = commas(at);
                    return Err(match e.into() {
                        ureq::Error::Timeout(_) => DownloadError::Slow(0.0),
                        _ => DownloadError::Dropped(format!(
                            "the connection was lost after {got} of {total} bytes"
                        )),
                    });
                }
            };
            let bytes = &buffer[..got];
            if at == 0 && bytes.trim_ascii_start().starts_with(b"<") {
                return Err(DownloadError::Failed(WEB_PAGE.into()));
            }
            at += got as u64;
            if at > self.file.bytes {
                return Err(DownloadError::Failed(format!(
                    "the server sent more than the {total} bytes of {}: it is a different file",
                    self.file.name
                )));
            }
            let known = skip.min(got as u64);
            skip -= known;
            to.write_all(&bytes[known as usize..]).map_err(|e| self.stop(e))?;
            progress.set_position(at);
            if let Some(slow) = rate.too_slow(got) {
                return Err(DownloadError::Slow(slow));
            }
        }
        Ok(())
    }

    /// The error for a file that cannot be written.
    fn stop(&self, error: io::Error) -> DownloadError {
        DownloadError::Stop(write_error(&self.to.display().to_string(), &error))
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

/// The error for a request without a response.
fn request_error(error: ureq::Error, limits: &Limits) -> DownloadError {
    const UNKNOWN: &str =
        "its host name cannot be resolved: is the network connected? (HTTPS_PROXY sets a proxy)";
    let untrusted = |error: &dyn std::fmt::Display| {
        format!(
            "its certificate is not trusted ({error}): some networks intercept connections. Set SSL_CERT_FILE to the \
             file with the network's own certificate, or copy the archive from a USB stick"
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

fn is_certificate_error(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData && error.to_string().contains("certificate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificates_of_a_network_are_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.pem");
        assert!(matches!(trusted(None), RootCerts::WebPki));
        assert!(matches!(trusted(Some(&file)), RootCerts::WebPki), "no such file");
        let certificate = "-----BEGIN CERTIFICATE-----\nMAAwADAA\n-----END CERTIFICATE-----\n";
        fs::write(&file, format!("# Ours\n{certificate}{certificate}")).unwrap();
        match trusted(Some(&file)) {
            RootCerts::Specific(certificates) => assert_eq!(certificates.len(), 2),
            other => panic!("{other:?}"),
        }
    }
}
