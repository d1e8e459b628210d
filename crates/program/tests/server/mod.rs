//! A server on the loopback address that behaves as badly as it is told to.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Good,
    /// Hangs up at every tenth of the file.
    DropsEveryTenth,
    /// The first half, and after that the file is gone.
    HalfThenGone,
    /// Whole files only, whatever is asked for.
    IgnoresRange,
    /// Answers for another part than was asked for.
    GoesOnElsewhere,
    /// 20 kB/s.
    Slow,
    /// A thousand bytes, and then nothing, without hanging up.
    StandsStill,
    /// Not even a head.
    SaysNothing,
    /// Hangs up before it answers.
    HangsUp,
    /// Another length than the file has.
    Claims(usize),
    MoreThanTold,
    LessThanTold,
    Html,
    HtmlAsData,
    WrongBytes,
    Status(u16),
    /// Zeros, as many as are asked for: what the program `nchw` takes for the set.
    Zeros(u64),
}

pub struct Server {
    /// `http://127.0.0.1:PORT/`
    pub url: String,
    starts: Arc<Mutex<Vec<u64>>>,
}

impl Server {
    /// Serves until the test's process ends.
    pub fn new(files: Vec<(String, Vec<u8>)>, manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server =
            Server { url: format!("http://{}/", listener.local_addr().unwrap()), starts: Arc::default() };
        let starts = server.starts.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, starts) = (files.clone(), starts.clone());
                // A client that went away is no failure of the server.
                thread::spawn(move || answer(stream, &files, manner, &starts).ok());
            }
        });
        server
    }

    /// An address where nobody listens.
    pub fn down() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server { url: format!("http://{}/", listener.local_addr().unwrap()), starts: Arc::default() }
    }

    /// The byte from which each request wanted the file.
    pub fn starts(&self) -> Vec<u64> {
        self.starts.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    files: &[(String, Vec<u8>)],
    manner: Manner,
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
    match manner {
        Manner::SaysNothing => {
            thread::sleep(Duration::from_secs(3));
            return Ok(());
        }
        Manner::HangsUp => return stream.shutdown(Shutdown::Both),
        Manner::Status(status) => return head(format!("{status} No\r\nContent-Length: 0")),
        Manner::HalfThenGone if nth > 1 => return head("404 Gone\r\nContent-Length: 0".into()),
        Manner::Html => {
            head(format!(
                "200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}",
                page.len()
            ))?;
            return stream.write_all(page);
        }
        Manner::HtmlAsData => {
            head("200 OK\r\nContent-Type: application/gzip".into())?;
            return stream.write_all(page);
        }
        Manner::Zeros(all) => {
            let from = from.unwrap_or(0) as u64;
            match from {
                0 => head(format!("200 OK\r\nContent-Length: {all}"))?,
                _ => head(format!(
                    "206 Partial Content\r\nContent-Range: bytes {from}-{}/{all}\r\nContent-Length: {}",
                    all - 1,
                    all - from
                ))?,
            }
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
    match manner {
        Manner::WrongBytes => bytes[all / 2] ^= 1,
        Manner::IgnoresRange => from = None,
        Manner::GoesOnElsewhere => from = from.map(|from| from + 1000),
        Manner::MoreThanTold => {
            head("200 OK".into())?;
            bytes.extend([0; 70_000]);
            return stream.write_all(&bytes);
        }
        Manner::Claims(length) => {
            head(format!("200 OK\r\nContent-Length: {length}"))?;
            return stream.write_all(&bytes);
        }
        _ => (),
    }
    match from {
        Some(from) => head(format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{all}\r\nContent-Length: {}",
            all - 1,
            all - from
        ))?,
        None => head(format!("200 OK\r\nContent-Length: {all}"))?,
    }
    let rest = &bytes[from.unwrap_or(0)..];
    match manner {
        Manner::DropsEveryTenth => {
            let next = (from.unwrap_or(0) * 10 / all + 1) * all / 10;
            stream.write_all(&rest[..(next + 1 - from.unwrap_or(0)).min(rest.len())])
        }
        Manner::HalfThenGone => stream.write_all(&rest[..all / 2]),
        Manner::LessThanTold => stream.write_all(&rest[..rest.len().min(if nth == 1 { 1000 } else { 0 })]),
        Manner::StandsStill => {
            stream.write_all(&rest[..1000])?;
            // Until the client has had enough.
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.read(&mut [0]).map(drop)
        }
        Manner::Slow => {
            for chunk in rest.chunks(400) {
                stream.write_all(chunk)?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        _ => stream.write_all(rest),
    }
}
