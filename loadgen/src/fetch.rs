//! Fetches a page again and again, as dashboards and scripts do.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The longest time to connect and for each read.
const PATIENCE: Duration = Duration::from_secs(10);

/// `http://HOST:PORT/PATH`
#[derive(Clone, Debug)]
pub(crate) struct Url {
    host: String,
    path: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or("it does not begin with http://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !host.contains(':') {
            return Err("it has no port".to_owned());
        }
        Ok(Self { host: host.to_owned(), path: format!("/{path}") })
    }
}

/// The pages fetched.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fetched {
    /// The number of whole pages.
    pub(crate) pages: u64,
    pub(crate) bytes: u64,
}

/// A thread that fetches until it is told to stop.
#[derive(Debug)]
pub(crate) struct Fetcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Fetched, String>>,
}

impl Fetcher {
    pub(crate) fn start(url: Url) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut fetched = Fetched::default();
            while !stopped.load(Ordering::Relaxed) {
                let fetch = fetch(&url, &stopped, &mut fetched);
                fetch.map_err(|error| format!("cannot fetch {}{}: {error}", url.host, url.path))?;
            }
            Ok(fetched)
        });
        Self { stop, thread }
    }

    /// The pages fetched so far.
    ///
    /// # Errors
    /// The first error.
    pub(crate) fn finish(self) -> Result<Fetched, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "a thread panicked")?
    }
}

/// Fetches once, with HTTP/1.0: the body ends with the connection.
fn fetch(url: &Url, stop: &AtomicBool, fetched: &mut Fetched) -> Result<(), String> {
    let describe = |error: std::io::Error| error.to_string();
    let address = url.host.to_socket_addrs().map_err(describe)?.next().ok_or("no such host")?;
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).map_err(describe)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(describe)?;
    let Url { host, path } = url;
    write!(socket, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").map_err(describe)?;
    let mut buffer = vec![0; 1 << 16];
    let mut is_first = true;
    while !stop.load(Ordering::Relaxed) {
        let n = socket.read(&mut buffer).map_err(describe)?;
        if is_first && !buffer[..n].starts_with(b"HTTP/1.0 200 ") {
            let head = String::from_utf8_lossy(&buffer[..n]);
            return Err(format!("answered {:?}", head.lines().next().unwrap_or_default()));
        }
        is_first = false;
        fetched.bytes += n as u64;
        if n == 0 {
            fetched.pages += 1;
            break;
        }
    }
    Ok(())
}
