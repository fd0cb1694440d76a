//! Threads that carry bytes of connections over TLS, where the kernel does not.
//!
//! There are at most as many as shards, each started when it is first needed: encrypting and sending a record costs
//! about as much as the shard's work for it. A connection stays with its thread.

use std::cell::RefCell;
use std::io;
use std::net::TcpStream as StdTcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::Connection;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tracing::warn;

use crate::relaxed::Relaxed;
use crate::tls::{Ending, Link, Pump, pair};

/// A connection for one of the threads.
struct Job {
    tcp: StdTcpStream,
    tls: Connection,
    inner: UnixStream,
    link: Link,
}

/// One of the threads.
struct Relay {
    jobs: mpsc::UnboundedSender<Job>,
    connections: Arc<Relaxed>,
    thread: JoinHandle<()>,
}

/// See the module's documentation.
pub(super) struct Relays {
    most: usize,
    all: RefCell<Vec<Relay>>,
}

impl Relays {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), all: RefCell::default() }
    }

    /// Has a thread carry a connection. Returns the other end of a socket pair, for a shard.
    ///
    /// # Errors
    /// The error when no descriptor is left, or no thread.
    pub(super) fn carry(
        &self,
        tcp: TcpStream,
        tls: Connection,
    ) -> io::Result<(StdTcpStream, Ending)> {
        let (owner, inner) = pair()?;
        let (link, ending) = Link::new();
        let job = Job { tcp: tcp.into_std()?, tls, inner, link };
        let mut all = self.all.borrow_mut();
        let load = |relay: &Relay| relay.connections.get();
        let mut least = all.iter().enumerate().min_by_key(|(_, relay)| load(relay));
        if all.len() < self.most && least.is_none_or(|(_, relay)| load(relay) > 0) {
            match Relay::start(all.len()) {
                Ok(relay) => all.push(relay),
                Err(error) if all.is_empty() => return Err(error),
                Err(error) => {
                    warn!(%error, "no further thread for TLS: the others carry more sessions");
                }
            }
            least = all.iter().enumerate().min_by_key(|(_, relay)| load(relay));
        }
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (_, relay) = least.ok_or_else(gone)?;
        relay.connections.add(1);
        relay.jobs.send(job).map_err(|_| gone())?;
        // std's TcpStream stands for the socket of a shard, whatever its kind.
        Ok((StdTcpStream::from(OwnedFd::from(owner)), ending))
    }

    /// Waits until all bytes have gone out; the owners of the connections are gone. Takes some seconds at most.
    pub(super) fn stop(self) {
        for Relay { jobs, thread, .. } in self.all.into_inner() {
            drop(jobs);
            if thread.join().is_err() {
                warn!("a thread of TLS panicked");
            }
        }
    }
}

impl Relay {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, work) = mpsc::unbounded_channel();
        let connections = Arc::new(Relaxed::new(0));
        let count = Arc::clone(&connections);
        let name = format!("tls-{number}");
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || LocalSet::new().block_on(&runtime, serve(work, count)))?;
        Ok(Self { jobs, connections, thread })
    }
}

/// Runs until there is no more work and all connections have ended.
async fn serve(mut work: mpsc::UnboundedReceiver<Job>, connections: Arc<Relaxed>) {
    let mut pumps = JoinSet::new();
    loop {
        tokio::select! {
            job = work.recv() => {
                let Some(Job { tcp, tls, inner, link }) = job else { break };
                let pump = TcpStream::from_std(tcp).and_then(|tcp| Pump::new(tcp, tls, inner, link));
                match pump {
                    Ok(pump) => drop(pumps.spawn_local(pump.run())),
                    Err(error) => {
                        connections.subtract(1);
                        warn!(%error, "a connection over TLS is lost");
                    }
                }
            }
            Some(_) = pumps.join_next() => {
                connections.subtract(1);
            }
        }
    }
    while pumps.join_next().await.is_some() {}
}
