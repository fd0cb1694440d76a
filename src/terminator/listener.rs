//! What the acceptor has of TLS: the second listener, and the way to the thread of handshakes and back.

use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use super::handshakes::{Files, Seed};
use super::places::{Places, Taker};
use super::{HandshakePermit, News, Secured, Waiting};
use crate::config::{ReflectorConfig, StartError, TlsConfig};
use crate::io;
use crate::threads::{Control, WaitingThread, accept};

/// The most handshakes at a time. Each may take some 100 KB while it lasts.
const HANDSHAKES_MAX: usize = 1024;
/// The most connections that wait for the acceptor after their handshake.
const SECURED_MAX: usize = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Terminator {
    listening: Listening,
    places: Taker,
    /// The place for the next connection, until it is passed on.
    place: Option<HandshakePermit>,
    waiting: mpsc::UnboundedSender<(Waiting, HandshakePermit)>,
    secured: mpsc::Receiver<Secured>,
}

/// The listener, before and in its event loop.
#[derive(Debug)]
enum Listening {
    No(Option<TcpListener>),
    Yes(tokio::net::TcpListener),
}

/// A [`Terminator`] before its start: it has read the files and has its thread, so the start cannot fail.
#[derive(Debug)]
pub(crate) struct Unstarted {
    files: Files,
    thread: WaitingThread,
}

impl Unstarted {
    /// Reads the files, if there is a listener. The kernel may carry the connections.
    ///
    /// # Errors
    /// [`StartError`]
    pub(crate) fn new(config: &TlsConfig, in_kernel: bool) -> Result<Option<Self>, StartError> {
        if config.listen.is_none() {
            return Ok(None);
        }
        let files = Files::load(config, in_kernel)?;
        Ok(Some(Self { files, thread: WaitingThread::start("tls")? }))
    }

    /// Starts the thread of handshakes. If the kernel does not carry the connections, at most `relays` threads do.
    pub(crate) fn start(
        self,
        listener: TcpListener,
        config: watch::Receiver<ReflectorConfig>,
        relays: usize,
        control: &Arc<Control>,
    ) -> (Terminator, JoinHandle<()>) {
        let places = Places::new(HANDSHAKES_MAX);
        let (waiting, arrivals) = mpsc::unbounded_channel();
        let (done, secured) = mpsc::channel(SECURED_MAX);
        let control = Arc::clone(control);
        let seed = Seed::new(config, self.files, control, places.clone(), done, relays);
        let thread = self.thread.begin(move |runtime| {
            io::give_way();
            seed.run(runtime, arrivals);
        });
        let (listening, places) = (Listening::No(Some(listener)), Taker::new(places));
        (Terminator { listening, places, place: None, waiting, secured }, thread)
    }
}

impl Terminator {
    /// Begins to listen in the event loop of the caller.
    ///
    /// # Errors
    /// The error of watching the socket.
    pub(crate) fn watch(&mut self) -> std::io::Result<()> {
        if let Listening::No(listener) = &mut self.listening
            && let Some(listener) = listener.take()
        {
            self.listening = Listening::Yes(tokio::net::TcpListener::from_std(listener)?);
        }
        Ok(())
    }

    /// The listener's descriptor.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.listening {
            Listening::No(listener) => listener.as_ref().map(AsFd::as_fd),
            Listening::Yes(listener) => Some(listener.as_fd()),
        }
    }

    /// Waits for the next news. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> News {
        let Self { listening, places, place, secured, .. } = self;
        let Listening::Yes(listener) = listening else { return std::future::pending().await };
        let arrival = async {
            if place.is_none() {
                *place = places.take().await;
            }
            accept(listener).await
        };
        tokio::select! {
            biased;
            Some(secured) = secured.recv() => News::Secured(Box::new(secured)),
            arrived = arrival => News::Arrived(arrived),
        }
    }

    /// Starts the handshake of the connection that has arrived.
    pub(crate) fn shake_hands(&mut self, waiting: Waiting) {
        if let Some(place) = self.place.take() {
            // An error means that the thread is gone: then the reflector stops.
            self.waiting.send((waiting, place)).ok();
        }
    }
}
