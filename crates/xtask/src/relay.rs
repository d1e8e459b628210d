//! Stands between Jupyter and evcxr, so that evcxr never writes to somebody who has left.
//!
//! JupyterLab asks a kernel that starts "are you there?" every half second, and
//! hangs up at the first answer. evcxr answers all that it was asked, and ends
//! when it cannot be rid of one ("Broken pipe"): the kernel seems to have died.
//! Here every connection of Jupyter's is passed on as one that outlives it for
//! a while, and what is answered too late is thrown away.

use anyhow::{Context, Result, ensure};
use rustix::net::{AddressFamily, SocketType, sockopt};
use serde_json::{Value, json};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream},
    ops::RangeInclusive,
    os::fd::OwnedFd,
    thread,
    time::{Duration, Instant},
};

const PORTS: [&str; 5] = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"];
/// How long evcxr may still answer somebody who has left: longer than it takes to start.
const LINGER: Duration = Duration::from_secs(10);
/// For the relay of the kernel before to let go of the ports, and for evcxr to open its own.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// Where evcxr's ports are chosen: below those that Linux gives out to who asks for any (32,768 up).
/// Jupyter asks for any, and lets go of its kernel's ports again until the relay opens them: another
/// kernel's relay must not come by one of them meanwhile.
const INNER_PORTS: RangeInclusive<u16> = 20_000..=32_000;

/// A port that no other program can get, and evcxr can.
struct Held {
    address: SocketAddrV4,
    /// Bound, but not listening. Linux lets another socket listen at the same address when both allow
    /// it: evcxr's does. Chosen and let go of, the port could be taken before evcxr opens it.
    socket: OwnedFd,
}

impl Held {
    fn at(port: u16) -> io::Result<Held> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
        rustix::net::bind(&socket, &address)?;
        // Only now: set before, two relays could hold the same port.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        Ok(Held { address, socket })
    }

    /// One for each of `PORTS`.
    fn all() -> Result<Vec<Held>> {
        // Relays that start at the same time begin at different ports.
        let begin = (std::process::id() as usize * 7) % INNER_PORTS.len();
        let ports = INNER_PORTS.skip(begin).chain(INNER_PORTS.take(begin));
        let held: Vec<Held> = ports.flat_map(Held::at).take(PORTS.len()).collect();
        ensure!(held.len() == PORTS.len(), "no port from {INNER_PORTS:?} is free for the kernel");
        Ok(held)
    }
}

/// The relay's ends: where Jupyter comes to, and where evcxr is to wait.
pub struct Relay(Vec<(TcpListener, Held)>);

impl Relay {
    /// Opens what Jupyter's connection file names. Also the connection file for evcxr, which has other
    /// ports; no relay for a connection that is not by TCP.
    ///
    /// # Errors
    /// When the file does not say what it should, or another program has one of its ports.
    pub fn open(connection: &Value) -> Result<Option<(Relay, Value)>> {
        if connection["transport"] != "tcp" {
            return Ok(None);
        }
        let ip = connection["ip"].as_str().context("Jupyter's connection file has no ip")?;
        let mut behind = connection.clone();
        behind["ip"] = json!(Ipv4Addr::LOCALHOST);
        // Jupyter's first: no other program may get them while this one looks for more.
        let mut outer = Vec::new();
        for name in PORTS {
            let port = connection[name].as_u64().and_then(|port| u16::try_from(port).ok());
            let port = port.with_context(|| format!("Jupyter's connection file has no {name}"))?;
            outer.push(patiently(|| TcpListener::bind((ip, port))).with_context(|| {
                format!("another program has the port {port}, which Jupyter gave this kernel")
            })?);
        }
        let inner = Held::all()?;
        for (name, held) in PORTS.into_iter().zip(&inner) {
            behind[name] = json!(held.address.port());
        }
        let ends = outer.into_iter().zip(inner).collect();
        Ok(Some((Relay(ends), behind)))
    }

    /// Passes on what comes, in threads, until the process ends.
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

fn patiently<T>(act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match act() {
            Err(_) if start.elapsed() < PATIENCE => thread::sleep(PAUSE),
            done => return done,
        }
    }
}

fn pass(client: TcpStream, inner: SocketAddrV4) -> io::Result<()> {
    let kernel = patiently(|| TcpStream::connect(inner))?;
    client.set_nodelay(true)?;
    kernel.set_nodelay(true)?;
    let (mut from_client, mut to_kernel) = (client.try_clone()?, kernel.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_kernel);
        thread::sleep(LINGER);
        to_kernel.shutdown(Shutdown::Both)
    });
    let end = forward(kernel, &client);
    // However it ended: the other thread still holds the connection, and Jupyter would wait.
    client.shutdown(Shutdown::Both)?;
    end
}

/// Everything that the kernel says, also when nobody listens any more.
fn forward(mut kernel: impl Read, mut client: impl Write) -> io::Result<()> {
    let (mut bytes, mut listens) = ([0; 65_536], true);
    loop {
        let count = kernel.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        listens = listens && client.write_all(&bytes[..count]).is_ok();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
    fn a_kernel_may_answer_somebody_who_has_left() {
        let connection = connection();
        let (relay, behind) = Relay::open(&connection).unwrap().unwrap();
        assert_eq!(behind["key"], "k");
        relay.start();
        let mut client = TcpStream::connect(port(&connection, "control_port")).unwrap();
        // Asked before the kernel is there.
        client.write_all(b"are you there?").unwrap();
        thread::sleep(PAUSE);
        let kernel = TcpListener::bind(port(&behind, "control_port")).unwrap();
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
    fn a_client_learns_that_the_kernel_has_ended() {
        let connection = connection();
        let (relay, behind) = Relay::open(&connection).unwrap().unwrap();
        relay.start();
        let kernel = TcpListener::bind(port(&behind, "shell_port")).unwrap();
        let mut client = TcpStream::connect(port(&connection, "shell_port")).unwrap();
        let (mut asked, _) = kernel.accept().unwrap();
        asked.write_all(b"bye").unwrap();
        drop(asked);
        let mut said = Vec::new();
        client.read_to_end(&mut said).unwrap();
        assert_eq!(said, b"bye");
    }

    #[test]
    fn no_start_fails_for_a_port_that_the_relay_took_itself() {
        let starts = std::env::var("NCHW_RELAY_STARTS").map_or(500, |starts| starts.parse().unwrap());
        for start in 0..starts {
            let (relay, behind) = Relay::open(&connection()).unwrap().unwrap();
            // evcxr, which comes later.
            let evcxr: io::Result<Vec<_>> =
                PORTS.iter().map(|name| TcpListener::bind(port(&behind, name))).collect();
            assert!(evcxr.is_ok(), "start {start}: {evcxr:?}");
            drop(relay);
        }
    }

    #[test]
    fn evcxr_s_ports_are_its_own_before_it_opens_them() {
        let taken = |port: u16| Held::at(port).is_err();
        let (relay, behind) = Relay::open(&connection()).unwrap().unwrap();
        let (other, behind_other) = Relay::open(&connection()).unwrap().unwrap();
        for name in PORTS {
            let (_, port) = port(&behind, name);
            assert!(taken(port), "{name}: another program gets {port}");
            assert!(INNER_PORTS.contains(&port), "{name}: {port} is one that Jupyter may choose");
            assert!(
                PORTS.iter().all(|of| behind_other[*of] != port),
                "{name}: {port} is another kernel's, too"
            );
        }
        drop((relay, other));
        // The test that opens many relays in a thread beside this one begins at the same port.
        let shell = port(&behind, "shell_port").1;
        let free = (0..200).any(|_| {
            thread::sleep(PAUSE);
            !taken(shell)
        });
        assert!(free, "free again");
    }

    #[test]
    fn what_is_no_connection_by_tcp_has_no_relay_and_a_half_file_is_told() {
        assert!(Relay::open(&json!({"transport": "ipc"})).unwrap().is_none());
        let error = Relay::open(&json!({"transport": "tcp", "ip": "127.0.0.1"})).err().unwrap().to_string();
        assert!(error.contains("no shell_port"), "{error}");
    }
}
