//! A server on the loopback address that can misbehave in many ways.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// How the server behaves.
#[derive(Clone, Copy, Debug)]
pub enum Behaviour {
    Good,
    /// Closes the connection after every tenth of the file.
    DropsEveryTenth,
    /// Sends the first half, and then responds 404.
    HalfThenGone,
    /// Always sends the whole file.
    IgnoresRange,
    /// Sends another part than was requested.
    WrongRange,
    /// Sends 20 kB/s.
    Slow,
    /// Sends a thousand bytes, and then nothing, without closing the connection.
    StopsSending,
    /// Sends not even the headers.
    NeverResponds,
    /// Closes the connection before responding.
    Disconnects,
    /// Sends this Content-Length.
    WrongLength(usize),
    /// Sends more than the file, without a Content-Length.
    TooLong,
    /// Sends less than its Content-Length.
    TooShort,
    /// Sends a web page.
    Html,
    /// Sends a web page with the content type of an archive.
    HtmlAsData,
    WrongBytes,
    Status(u16),
    /// Sends zeros for a file of this length.
    Zeros(usize),
}

pub struct Server {
    /// `http://127.0.0.1:PORT/`
    pub url: String,
    starts: Arc<Mutex<Vec<u64>>>,
}

impl Server {
    /// Serves until the test's process ends.
    pub fn new(files: Vec<(String, Vec<u8>)>, behaviour: Behaviour) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Server { url: format!("http://{}/", listener.local_addr().unwrap()), starts: Arc::default() };
        let starts = server.starts.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, starts) = (files.clone(), starts.clone());
                // A client that closes the connection is not a failure of the server.
                thread::spawn(move || respond(stream, &files, behaviour, &starts).ok());
            }
        });
        server
    }

    /// An address on which no server listens.
    pub fn down() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server { url: format!("http://{}/", listener.local_addr().unwrap()), starts: Arc::default() }
    }

    /// The first byte of each request.
    pub fn starts(&self) -> Vec<u64> {
        self.starts.lock().unwrap().clone()
    }
}

fn respond(
    mut stream: TcpStream,
    files: &[(String, Vec<u8>)],
    behaviour: Behaviour,
    starts: &Mutex<Vec<u64>>,
) -> std::io::Result<()> {
    let (mut path, mut from) = (String::new(), None);
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if line.starts_with("get ") {
            path = line.split(' ').nth(1).unwrap().to_owned();
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = Some(range.trim_end_matches('-').parse::<usize>().unwrap());
        }
    }
    let nth = {
        let mut starts = starts.lock().unwrap();
        starts.push(from.unwrap_or(0) as u64);
        starts.len()
    };
    let mut head =
        |text: String| stream.write_all(format!("HTTP/1.1 {text}\r\nConnection: close\r\n\r\n").as_bytes());
    let page = b"<!doctype html><title>Login</title>";
    match behaviour {
        Behaviour::NeverResponds => {
            thread::sleep(Duration::from_secs(3));
            return Ok(());
        }
        Behaviour::Disconnects => return stream.shutdown(Shutdown::Both),
        Behaviour::Status(status) => return head(format!("{status} No\r\nContent-Length: 0")),
        Behaviour::HalfThenGone if nth > 1 => return head("404 Gone\r\nContent-Length: 0".into()),
        Behaviour::Html => {
            head(format!(
                "200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}",
                page.len()
            ))?;
            return stream.write_all(page);
        }
        Behaviour::HtmlAsData => {
            head("200 OK\r\nContent-Type: application/gzip".into())?;
            return stream.write_all(page);
        }
        Behaviour::Zeros(all) => {
            head(found(from, all))?;
            loop {
                stream.write_all(&[0; 10_000])?;
                thread::sleep(Duration::from_millis(5));
            }
        }
        _ => (),
    }
    let name = path.rsplit('/').next().unwrap();
    let mut bytes = files.iter().find(|(file, _)| file == name).map(|(_, bytes)| bytes.clone()).unwrap();
    let all = bytes.len();
    match behaviour {
        Behaviour::WrongBytes => bytes[all / 2] ^= 1,
        Behaviour::IgnoresRange => from = None,
        Behaviour::WrongRange => from = from.map(|from| from + 1000),
        Behaviour::TooLong => {
            head("200 OK".into())?;
            bytes.extend([0; 70_000]);
            return stream.write_all(&bytes);
        }
        Behaviour::WrongLength(length) => {
            head(format!("200 OK\r\nContent-Length: {length}"))?;
            return stream.write_all(&bytes);
        }
        _ => (),
    }
    head(found(from, all))?;
    let from = from.unwrap_or(0);
    let rest = &bytes[from..];
    match behaviour {
        Behaviour::DropsEveryTenth => {
            let next = (from * 10 / all + 1) * all / 10;
            stream.write_all(&rest[..(next + 1 - from).min(rest.len())])
        }
        Behaviour::HalfThenGone => stream.write_all(&rest[..all / 2]),
        Behaviour::TooShort => stream.write_all(&rest[..rest.len().min(if nth == 1 { 1000 } else { 0 })]),
        Behaviour::StopsSending => {
            stream.write_all(&rest[..1000])?;
            // Until the client closes the connection.
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.read(&mut [0]).map(drop)
        }
        Behaviour::Slow => {
            for chunk in rest.chunks(400) {
                stream.write_all(chunk)?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        _ => stream.write_all(rest),
    }
}

/// The head of a response with the bytes from `from` on, or with the whole file of `all` bytes.
fn found(from: Option<usize>, all: usize) -> String {
    match from {
        Some(from) => format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{all}\r\nContent-Length: {}",
            all - 1,
            all - from
        ),
        None => format!("200 OK\r\nContent-Length: {all}"),
    }
}
