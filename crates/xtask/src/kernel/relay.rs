//! The relay between Jupyter and evcxr.
//!
//! JupyterLab asks a starting kernel every half second whether it is alive, and closes the connection
//! at the first answer. evcxr answers every question, and ends if it cannot send an answer ("Broken
//! pipe"): the kernel seems to have died. The relay opens a connection to evcxr for each of Jupyter's,
//! keeps it open for a while after Jupyter has closed its own, and discards the late answers.
//!
//! It is written by hand because a proxy program would be one more thing to install, and proxies close
//! the inner connection together with the outer one, which is what must not happen here.

use anyhow::{Context, Result, ensure};
use rustix::net::{AddressFamily, SocketType, sockopt};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{ops::RangeInclusive, os::fd::OwnedFd, thread};

const PORTS: [&str; 5] = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"];
/// How long evcxr can still answer after Jupyter has closed a connection: longer than evcxr takes to start.
const LINGER: Duration = Duration::from_secs(10);
/// How long to wait until the previous kernel's relay has released the ports, or until evcxr has opened its own.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// The ports for evcxr are chosen from this range, below the ports that programs get that ask for any port (on Linux from
/// 32,768, on macOS from 49,152). Jupyter asks for any port, and releases its kernel's ports until the relay opens
/// them: in the meantime, another kernel's relay must not take one of them.
const INNER_PORTS: RangeInclusive<u16> = 20_000..=32_000;

/// Whether a port can be held until evcxr opens it. Linux lets a socket listen at an address at which another one is only
/// bound, if both allow it, and evcxr's does. macOS does not.
const HOLD: bool = cfg!(target_os = "linux");

/// A port for evcxr, which no other program can open.
struct Reserved {
    address: SocketAddrV4,
    /// Bound, but not listening. If the port were released, another program could take it before evcxr opens it. Where it
    /// cannot be held, only the range of ports keeps other programs away.
    socket: Option<OwnedFd>,
}

impl Reserved {
    fn at(port: u16, hold: bool) -> io::Result<Reserved> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &address)?;
        // Not before `bind`: two relays could reserve the same port.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        Ok(Reserved { address, socket: hold.then_some(socket) })
    }

    /// One for each of `PORTS`.
    fn all(hold: bool) -> Result<Vec<Reserved>> {
        // Relays that start at the same time begin at different ports.
        let begin = (std::process::id() as usize * 7) % INNER_PORTS.len();
        let ports = INNER_PORTS.skip(begin).chain(INNER_PORTS.take(begin));
        let reserved: Vec<Reserved> =
            ports.flat_map(|port| Reserved::at(port, hold)).take(PORTS.len()).collect();
        ensure!(reserved.len() == PORTS.len(), "no port from {INNER_PORTS:?} is free for the kernel");
        Ok(reserved)
    }
}

/// The ports that are reserved for evcxr, one for each of `PORTS`.
pub struct Inner(Vec<Reserved>);

impl Inner {
    /// Reserves ports. Also returns the connection file for evcxr, which has the same key as `connection`.
    pub fn reserve(connection: &Value) -> Result<(Inner, Value)> {
        let mut connection = connection.clone();
        connection["ip"] = json!(Ipv4Addr::LOCALHOST);
        let inner = Reserved::all(HOLD)?;
        for (name, reserved) in PORTS.into_iter().zip(&inner) {
            connection[name] = json!(reserved.address.port());
        }
        Ok((Inner(inner), connection))
    }

    /// Puts them behind the ports that `outer` opened.
    pub fn behind(self, outer: Vec<TcpListener>) -> Relay {
        Relay(outer.into_iter().zip(self.0).collect())
    }
}

/// Opens Jupyter's ports.
///
/// # Errors
/// If the connection file is incomplete, or another program uses one of its ports.
pub fn outer(connection: &Value) -> Result<Vec<TcpListener>> {
    let ip = connection["ip"].as_str().context("Jupyter's connection file has no ip")?;
    let open = |name| {
        let port = connection[name].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = port.with_context(|| format!("Jupyter's connection file has no {name}"))?;
        retry(|| TcpListener::bind((ip, port)))
            .with_context(|| format!("another program uses port {port}, which Jupyter chose for this kernel"))
    };
    PORTS.into_iter().map(open).collect()
}

/// For each of `PORTS`, where Jupyter connects and where evcxr will listen.
pub struct Relay(Vec<(TcpListener, Reserved)>);

impl Relay {
    /// Opens the ports in Jupyter's connection file. Also returns the connection file for evcxr, with
    /// other ports. Returns None if the connection does not use TCP.
    ///
    /// # Errors
    /// If the file is incomplete, or another program uses one of its ports.
    pub fn open(connection: &Value) -> Result<Option<(Relay, Value)>> {
        if connection["transport"] != "tcp" {
            return Ok(None);
        }
        // Jupyter's first, so that no other program takes them while this one looks for more.
        let outer = outer(connection)?;
        let (inner, inner_connection) = Inner::reserve(connection)?;
        Ok(Some((inner.behind(outer), inner_connection)))
    }

    /// Accepts and forwards connections, in threads, until the process ends.
    pub fn start(self) {
        for (outer, inner) in self.0 {
            thread::spawn(move || {
                for client in outer.incoming().flatten() {
                    thread::spawn(move || pass(client, inner.address));
                }
                drop(inner.socket);
            });
        }
    }
}

fn retry<T>(act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match act() {
            Err(_) if start.elapsed() < PATIENCE => thread::sleep(PAUSE),
            done => return done,
        }
    }
}

fn pass(client: TcpStream, inner: SocketAddrV4) -> io::Result<()> {
    let kernel = retry(|| TcpStream::connect(inner))?;
    client.set_nodelay(true)?;
    kernel.set_nodelay(true)?;
    let (mut from_client, mut to_kernel) = (client.try_clone()?, kernel.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_kernel);
        thread::sleep(LINGER);
        to_kernel.shutdown(Shutdown::Both)
    });
    let end = forward(kernel, &client);
    // Also after an error: the other thread keeps the connection open, and Jupyter would wait.
    client.shutdown(Shutdown::Both)?;
    end
}

/// Reads everything that the kernel sends, even after the client has gone.
fn forward(mut kernel: impl Read, mut client: impl Write) -> io::Result<()> {
    let (mut bytes, mut connected) = ([0; 65_536], true);
    loop {
        let count = kernel.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        connected = connected && client.write_all(&bytes[..count]).is_ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::files;

    fn connection() -> Value {
        // Ports that were free a moment ago, as Jupyter finds them.
        let held: Vec<TcpListener> =
            PORTS.iter().map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let mut connection = json!({"transport": "tcp", "ip": "127.0.0.1", "key": "k"});
        for (name, socket) in PORTS.iter().zip(&held) {
            connection[*name] = json!(socket.local_addr().unwrap().port());
        }
        connection
    }

    fn port(connection: &Value, name: &str) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, connection[name].as_u64().unwrap() as u16)
    }

    #[test]
    fn a_kernel_can_answer_a_client_that_has_gone() {
        let connection = connection();
        let (relay, inner) = Relay::open(&connection).unwrap().unwrap();
        assert_eq!(inner["key"], "k");
        relay.start();
        let mut client = TcpStream::connect(port(&connection, "control_port")).unwrap();
        // The question comes before the kernel listens.
        client.write_all(b"are you there?").unwrap();
        thread::sleep(PAUSE);
        let kernel = TcpListener::bind(port(&inner, "control_port")).unwrap();
        let (mut asked, _) = kernel.accept().unwrap();
        let mut question = [0; 14];
        asked.read_exact(&mut question).unwrap();
        assert_eq!(&question, b"are you there?");
        asked.write_all(b"yes").unwrap();
        let mut answer = [0; 3];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"yes");
        drop(client);
        for _ in 0..20 {
            thread::sleep(PAUSE);
            asked.write_all(b"yes").unwrap();
        }
    }

    #[test]
    fn a_client_notices_that_the_kernel_has_ended() {
        let connection = connection();
        let (relay, inner) = Relay::open(&connection).unwrap().unwrap();
        relay.start();
        let kernel = TcpListener::bind(port(&inner, "shell_port")).unwrap();
        let mut client = TcpStream::connect(port(&connection, "shell_port")).unwrap();
        let (mut asked, _) = kernel.accept().unwrap();
        asked.write_all(b"bye").unwrap();
        drop(asked);
        let mut received = Vec::new();
        client.read_to_end(&mut received).unwrap();
        assert_eq!(received, b"bye");
    }

    #[test]
    fn no_start_fails_because_the_relay_took_the_port_itself() {
        let starts = std::env::var("NCHW_RELAY_STARTS").map_or(500, |starts| starts.parse().unwrap());
        for start in 0..starts {
            let (relay, inner) = Relay::open(&connection()).unwrap().unwrap();
            // evcxr opens its ports later.
            let evcxr: io::Result<Vec<_>> =
                PORTS.iter().map(|name| TcpListener::bind(port(&inner, name))).collect();
            assert!(evcxr.is_ok(), "start {start}: {evcxr:?}");
            drop(relay);
        }
    }

    #[test]
    fn where_ports_cannot_be_held_five_that_are_free_are_chosen() {
        let reserved = Reserved::all(false).unwrap();
        assert!(reserved.iter().all(|reserved| reserved.socket.is_none()));
        let mut ports: Vec<u16> = reserved.iter().map(|reserved| reserved.address.port()).collect();
        ports.dedup();
        assert_eq!(ports.len(), PORTS.len());
        assert!(ports.iter().all(|port| INNER_PORTS.contains(port)));
        // Other tests run at the same time, and may have taken one or two.
        let opened = ports.iter().filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, **port)).is_ok());
        assert!(opened.count() > 0, "none of {ports:?} is free");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn evcxr_s_ports_are_reserved_before_it_opens_them() {
        let taken = |port: u16| Reserved::at(port, HOLD).is_err();
        let (relay, inner) = Relay::open(&connection()).unwrap().unwrap();
        let (other, other_connection) = Relay::open(&connection()).unwrap().unwrap();
        for name in PORTS {
            let (_, port) = port(&inner, name);
            assert!(taken(port), "{name}: another program can take {port}");
            assert!(INNER_PORTS.contains(&port), "{name}: Jupyter could choose {port}, too");
            assert!(
                PORTS.iter().all(|of| other_connection[*of] != port),
                "{name}: another kernel has {port}, too"
            );
        }
        drop((relay, other));
        // The test that opens many relays runs at the same time and begins at the same port.
        let shell = port(&inner, "shell_port").1;
        assert!(files::soon(|| !taken(shell)), "the port is released");
    }

    #[test]
    fn only_tcp_needs_a_relay_and_an_incomplete_file_is_an_error() {
        assert!(Relay::open(&json!({"transport": "ipc"})).unwrap().is_none());
        let error = Relay::open(&json!({"transport": "tcp", "ip": "127.0.0.1"})).err().unwrap().to_string();
        assert!(error.contains("no shell_port"), "{error}");
    }
}
