//! The thread that performs TLS handshakes and applies new files.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::{Connection, ServerConfig, ServerConnection};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{error, info, warn};

use super::HandshakePermit;
use super::places::Places;
use super::relays::Relays;
use super::{Secured, Waiting};
use crate::config::{ReflectorConfig, TlsConfig, TlsError};
use crate::counts::TlsCounters;
use crate::diary::{LeftOut, SourceLimiter};
use crate::ids::PeerId;
use crate::io;
use crate::session::{Identity, TlsCarrier, TlsPeer};
use crate::threads::Control;
use crate::tls::{self, Ending, Stamp, TlsFault};

/// How long a handshake keeps its place even if others want it.
const OWN_TIME: Duration = Duration::from_secs(1);
/// How much longer a handshake may take if no other wants its place: the rest of [`TlsFault::Late`]'s 10 s.
const MORE_TIME: Duration = Duration::from_secs(9);
/// The time between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);
/// How long a refused peer may take to read the reason.
const FAREWELL: Duration = Duration::from_secs(1);

/// Everything that the thread needs at its start.
pub(super) struct Seed {
    config: watch::Receiver<ReflectorConfig>,
    files: Files,
    control: Arc<Control>,
    places: Places,
    done: mpsc::Sender<Secured>,
    relays: usize,
}

impl Seed {
    /// If the kernel does not carry the connections, at most `relays` threads do.
    pub(super) fn new(
        config: watch::Receiver<ReflectorConfig>,
        files: Files,
        control: Arc<Control>,
        places: Places,
        done: mpsc::Sender<Secured>,
        relays: usize,
    ) -> Self {
        control.tls.set_certificate(files.until);
        Self { config, files, control, places, done, relays }
    }

    /// Runs until the acceptor is gone and all connections have sent their last bytes.
    pub(super) fn run(
        self,
        runtime: &Runtime,
        mut arrivals: mpsc::UnboundedReceiver<(Waiting, HandshakePermit)>,
    ) {
        let Self { mut config, mut files, control, places, done, relays } = self;
        let relays = Rc::new(Relays::new(relays));
        let log = Rc::new(SourceLimiter::new());
        let tasks = LocalSet::new();
        tasks.block_on(runtime, async {
            let mut look = interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    arrival = arrivals.recv() => {
                        let Some((waiting, place)) = arrival else { return };
                        let handshake = Handshake {
                            server: Arc::clone(&files.server),
                            control: Arc::clone(&control),
                            places: places.clone(),
                            done: done.clone(),
                            in_kernel: files.in_kernel,
                            relays: Rc::clone(&relays),
                            log: Rc::clone(&log),
                        };
                        tokio::task::spawn_local(handshake.run(waiting, place));
                    }
                    Ok(()) = config.changed() => {
                        let tls = config.borrow_and_update().tls.clone();
                        files.renew(&tls, &control.tls);
                    }
                    _ = look.tick() => {
                        let tls = config.borrow().tls.clone();
                        if files.have_changed(&tls) {
                            files.renew(&tls, &control.tls);
                        }
                        say_left_out(&log);
                    }
                }
            }
        });
        drop(tasks);
        if let Some(relays) = Rc::into_inner(relays) {
            relays.stop();
        }
    }
}

/// The files in use.
#[derive(Debug)]
pub(super) struct Files {
    server: Arc<ServerConfig>,
    /// When the certificate expires.
    until: Duration,
    /// Whether they are for connections that the kernel carries.
    in_kernel: bool,
    /// The mark of the files from before they were read: so a file that was replaced meanwhile counts as changed.
    stamp: Stamp,
    /// Why the changed files can't be used; then the previous ones stay in use.
    fault: Option<TlsError>,
}

impl Files {
    /// Reads the files, for connections that the kernel carries or not.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn load(config: &TlsConfig, in_kernel: bool) -> Result<Self, TlsError> {
        let paths = config.paths();
        let stamp = paths.stamp();
        let (server, until) = tls::server(&paths, in_kernel)?;
        Ok(Self { server, until, in_kernel, stamp, fault: None })
    }

    /// Files are written one after the other: unusable files may be complete a moment later.
    fn have_changed(&self, config: &TlsConfig) -> bool {
        self.fault.is_some() || config.paths().stamp() != self.stamp
    }

    fn renew(&mut self, config: &TlsConfig, counters: &TlsCounters) {
        let stamp = config.paths().stamp();
        match Self::load(config, self.in_kernel) {
            Ok(files) => {
                if self.stamp != files.stamp || self.fault.is_some() {
                    info!("new files of TLS are in use, for new sessions");
                }
                counters.set_certificate(files.until);
                *self = files;
            }
            Err(fault) => {
                if self.fault.as_ref() != Some(&fault) {
                    counters.reload_failed();
                    error!(%fault, "cannot use the files of TLS: the reflector keeps using the \
                         previous files");
                }
                (self.fault, self.stamp) = (Some(fault), stamp);
            }
        }
    }
}

/// The shared state that each handshake needs.
struct Handshake {
    server: Arc<ServerConfig>,
    control: Arc<Control>,
    places: Places,
    done: mpsc::Sender<Secured>,
    in_kernel: bool,
    relays: Rc<Relays>,
    log: Rc<SourceLimiter>,
}

impl Handshake {
    async fn run(self, waiting: Waiting, place: HandshakePermit) {
        let Waiting { peer, remote, socket, place: share } = waiting;
        let Ok(tcp) = TcpStream::from_std(socket) else { return };
        tcp.set_nodelay(true).ok();
        let result = self.shake(&tcp).await;
        self.control.tls.count(&result);
        let (tls, identity) = match result {
            Ok(secured) => secured,
            Err(fault) => {
                self.say(peer, remote, &fault);
                // A connection waits for a place that was given up. These farewells are as few as places: each of
                // their handshakes had a second, as long as a farewell.
                let place = (fault != TlsFault::NoRoom).then_some(place);
                farewell(&tcp).await;
                return drop(place);
            }
        };
        match self.carry(tcp, tls) {
            Ok((socket, ending)) => {
                let carrier = ending.as_ref().map_or(TlsCarrier::Kernel, |_| TlsCarrier::Process);
                let tls = Arc::new(TlsPeer { identity, carrier });
                let secured = Secured { peer, remote, socket, place: share, tls, ending };
                // An error means that the acceptor is gone, because the reflector stops.
                self.done.send(secured).await.ok();
            }
            Err(fault) => self.say(peer, remote, &fault),
        }
        drop(place);
    }

    /// Has the kernel, or else a thread, carry a connection after its handshake. Returns the socket for the shard and,
    /// for a thread, the handle that tells how the connection ended.
    fn carry(
        &self,
        tcp: TcpStream,
        tls: Connection,
    ) -> Result<(std::net::TcpStream, Option<Ending>), TlsFault> {
        let rest = if self.in_kernel { tls::give_keys(&tcp, tls)? } else { Some(tls) };
        match rest {
            None => Ok((tcp.into_std()?, None)),
            Some(tls) => {
                let (socket, ending) = self.relays.carry(tcp, tls)?;
                Ok((socket, Some(ending)))
            }
        }
    }

    /// Makes the handshake within the time limit, and reads the certificate.
    async fn shake(&self, tcp: &TcpStream) -> Result<(Connection, Identity), TlsFault> {
        let mut tls = Connection::Server(ServerConnection::new(Arc::clone(&self.server))?);
        let too_long = async {
            sleep(OWN_TIME).await;
            let is_wanted = timeout(MORE_TIME, self.places.wanted()).await.is_ok();
            if is_wanted { TlsFault::NoRoom } else { TlsFault::Late }
        };
        tokio::select! {
            result = tls::shake_hands(tcp, &mut tls) => result?,
            fault = too_long => return Err(fault),
        }
        let certificate = tls.peer_certificates().and_then(|chain| chain.first());
        let identity = tls::identity(certificate.ok_or(TlsFault::NoCertificate)?)?;
        Ok((tls, identity))
    }

    fn say(&self, peer: PeerId, remote: SocketAddr, fault: &TlsFault) {
        say_left_out(&self.log);
        if !self.log.allows(remote) {
            return;
        }
        warn!(%peer, %remote, reason = %fault, "TLS handshake failed");
    }
}

fn say_left_out(log: &SourceLimiter) {
    if let Some(LeftOut { lines, sources, most }) = log.left_out() {
        warn!(left_out = lines, sources, most_of = %most, "failed TLS handshakes left out of the log");
    }
}

/// Ends a connection so that the peer reads the alert: closing it with unread bytes would reset it.
async fn farewell(tcp: &TcpStream) {
    io::shut_down_writes(tcp);
    let drained = async {
        let mut buffer = [0; 1024];
        while tcp.readable().await.is_ok() {
            match tcp.try_read(&mut buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    };
    timeout(FAREWELL, drained).await.ok();
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use support::tls::{Authority, Folder, Validity};

    use super::*;

    /// The file of authorities is a pipe, so that the test knows when the reader has got as far as that.
    #[test]
    fn a_certificate_that_is_replaced_while_the_files_are_read_counts_as_changed() {
        let (folder, authority) = (Folder::default(), Authority::new("ca"));
        let own = authority.issue(&folder, "own", &["::1"], Validity::Now);
        let next = authority.issue(&folder, "next", &["::1"], Validity::Now);
        let (ca, pipe) = (authority.file(&folder, "ca.pem"), folder.path().join("pipe"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let config = TlsConfig {
            certificate: Some(own.certificate.clone()),
            key: Some(own.key.clone()),
            ca: Some(pipe.clone()),
            ..TlsConfig::default()
        };
        let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
        let files = std::thread::scope(|scope| {
            let files = scope.spawn(|| Files::load(&config, false).unwrap());
            let mut reader = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
            folder.write("own.pem", &read(&next.certificate));
            folder.write("own.key", &read(&next.key));
            std::io::Write::write_all(&mut reader, read(&ca).as_bytes()).unwrap();
            drop(reader);
            files.join().unwrap()
        });
        assert!(files.have_changed(&config));
    }
}
