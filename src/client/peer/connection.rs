//! One session's bytes: from connected to closed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::sleep_until;

use super::output::Output;
use super::session::{Due, LeafEvent, LeafSession};
use super::task::{Peer, SessionEnd};
use crate::client::messages::{PeerEvent, PeerOrder};
use crate::client::{PeerState, SessionError};
use crate::wire::{Capabilities, Extensions, Frames, Hello, Message, Reassembly};

/// The most bytes read at once; then orders and timers have their turn.
const READ_MAX: usize = 64 * 1024;

/// How long the goodbye at the end of a session may take.
pub(super) const GOODBYE_TIME: Duration = Duration::from_millis(500);

/// The agent name in this leaf's HELLO.
const AGENT: &str = concat!("metalbond/", env!("CARGO_PKG_VERSION"));

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    peer: &'a mut Peer,
    /// The number of this session among the peer's sessions; orders name their session.
    number: u64,
    stream: TcpStream,
    session: LeafSession,
    output: Output,
    /// Whether the actor waits to hear that its last order is written.
    owes_ready: bool,
    /// The buffer of reads.
    buffer: Box<[u8]>,
    input: Reassembly,
    /// The capabilities of the server.
    can: Capabilities,
    serving: Duration,
    node: String,
}

impl<'a> Connection<'a> {
    pub(super) fn new(stream: TcpStream, peer: &'a mut Peer, number: u64) -> Self {
        let now = peer.clock.now();
        Self {
            number,
            stream,
            session: LeafSession::new(now, peer.config.keepalive),
            output: Output::new(now),
            owes_ready: false,
            buffer: vec![0; READ_MAX].into_boxed_slice(),
            input: Reassembly::default(),
            can: Capabilities::default(),
            serving: Duration::ZERO,
            node: String::new(),
            peer,
        }
    }

    /// Runs until the session or the task is over.
    pub(super) async fn run(mut self) -> Result<Infallible, SessionEnd> {
        match self.talk().await {
            Err(SessionEnd::Session(error))
                if self.output.is_swallowed(self.peer.clock.now(), &self.stream) =>
            {
                Err(SessionError::LargePacketsLost(Box::new(error)).into())
            }
            end => end,
        }
    }

    async fn talk(&mut self) -> Result<Infallible, SessionEnd> {
        self.output.push(&Message::Hello(self.hello()));
        self.peer.send(PeerEvent::State(PeerState::HelloSent)).await?;
        loop {
            self.write().await?;
            let wait = self.output.wait();
            let due = self.session.deadline();
            let due = wait.map_or(due, |wait| wait.min(due));
            tokio::select! {
                // Orders first: a server that sends without pause must not hold up the end. There are never many.
                biased;
                order = self.peer.orders.recv() => {
                    if matches!(order, Some(PeerOrder::Stop)) {
                        self.say_goodbye().await;
                    }
                    self.order(order)?;
                }
                ready = self.stream.readable() => {
                    ready.map_err(failed)?;
                    self.read().await?;
                }
                ready = self.stream.writable(), if !self.output.is_empty() && wait.is_none() => {
                    ready.map_err(failed)?;
                }
                () = sleep_until(self.peer.clock.instant(due)) => {}
            }
            let mut now = self.peer.clock.now();
            if self.session.is_overdue(now) {
                // Bytes that came while this task or the whole machine stood still are not read yet.
                self.read().await?;
                now = self.peer.clock.now();
            }
            if self.session.tick(now)? == Due::Keepalive {
                self.keepalive().await?;
            }
        }
    }

    /// Tells the server that this end is planned, if it reads that soon: then it removes the leaf's routes at once.
    async fn say_goodbye(&mut self) {
        if !(self.can.contains(Capabilities::GOODBYE) && self.session.is_established()) {
            return;
        }
        self.output.push(&Message::Goodbye);
        let flush = async {
            while self.output.write(self.peer.clock.now(), &self.stream).is_ok()
                && !self.output.is_empty()
                && self.output.wait().is_none()
                && self.stream.writable().await.is_ok()
            {}
        };
        drop(tokio::time::timeout(GOODBYE_TIME, flush).await);
    }

    fn hello(&self) -> Hello {
        let config = &self.peer.config;
        Hello {
            keepalive_interval: config.keepalive,
            is_server: false,
            extensions: Some(Extensions::new(Capabilities::OURS, AGENT, config.node.clone())),
        }
    }

    fn order(&mut self, order: Option<PeerOrder>) -> Result<(), SessionEnd> {
        match order {
            Some(PeerOrder::Send { session, messages }) if session == self.number => {
                messages.iter().for_each(|message| self.output.push(message));
                self.owes_ready = true;
                Ok(())
            }
            Some(PeerOrder::End { session, error }) if session == self.number => {
                Err(SessionEnd::Session(error))
            }
            Some(PeerOrder::Send { .. } | PeerOrder::End { .. }) => Ok(()), // for a session that is over
            Some(PeerOrder::Reset) => Err(SessionEnd::Reset(SessionError::Reset)),
            Some(PeerOrder::Stop) | None => Err(SessionEnd::Task),
        }
    }

    async fn write(&mut self) -> Result<(), SessionEnd> {
        self.output.write(self.peer.clock.now(), &self.stream).map_err(failed)?;
        if self.owes_ready && self.output.is_empty() {
            self.owes_ready = false;
            self.peer.send(PeerEvent::Ready).await?;
        }
        Ok(())
    }

    async fn keepalive(&mut self) -> Result<(), SessionEnd> {
        self.output.push_keepalive();
        self.peer.send(PeerEvent::KeepaliveSent).await
    }

    async fn read(&mut self) -> Result<(), SessionEnd> {
        let count = match self.stream.try_read(&mut self.buffer) {
            Ok(0) => return Err(SessionError::Closed.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(failed(error).into()),
        };
        // Moved out so that its frames can be read while the rest of `self` changes.
        let buffer = std::mem::take(&mut self.buffer);
        let mut input = std::mem::take(&mut self.input);
        let taken = self.frames(input.feed(&buffer[..count])).await;
        (self.buffer, self.input) = (buffer, input);
        taken
    }

    /// Processes all whole frames. Updates go to the actor even when a later frame ends the session.
    async fn frames(&mut self, mut frames: Frames<'_>) -> Result<(), SessionEnd> {
        let now = self.peer.clock.now();
        let mut updates = Vec::new();
        let mut skipped = BTreeMap::new();
        let mut has_heard = false;
        let result = loop {
            let frame = match frames.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break Ok(()),
                Err(error) => break Err(SessionError::from(error).into()),
            };
            has_heard = true;
            match self.session.receive(now, &frame) {
                Ok(LeafEvent::Update(update)) => updates.push(update),
                Ok(LeafEvent::Skipped(what)) => {
                    *skipped.entry(what.name()).or_default() += 1;
                    self.peer.skipped(what);
                }
                Ok(event) => {
                    self.send_updates(&mut updates).await?;
                    self.event(event).await?;
                }
                Err(error) => break Err(error.into()),
            }
        };
        self.send_updates(&mut updates).await?;
        if !skipped.is_empty() {
            self.peer.send(PeerEvent::Skipped(skipped)).await?;
        }
        if has_heard {
            // The task did not read from the server while the actor was busy.
            self.session.heard(self.peer.clock.now());
        }
        result
    }

    async fn send_updates(&self, updates: &mut Vec<crate::wire::Update>) -> Result<(), SessionEnd> {
        if updates.is_empty() {
            return Ok(());
        }
        self.peer.send(PeerEvent::Updates(std::mem::take(updates))).await
    }

    async fn event(&mut self, event: LeafEvent) -> Result<(), SessionEnd> {
        match event {
            LeafEvent::Hello(hello) => {
                let extensions = hello.extensions.as_ref();
                self.can = extensions.map(|extensions| extensions.capabilities).unwrap_or_default();
                if self.can.contains(Capabilities::STREAM) {
                    self.output.unpaced();
                }
                let serving =
                    extensions.map(|extensions| extensions.serving_seconds).unwrap_or_default();
                self.serving = Duration::from_secs(u64::from(serving));
                self.node =
                    extensions.map(|extensions| extensions.node.clone()).unwrap_or_default();
                let interval = self.session.interval();
                self.peer.send(PeerEvent::Hello { hello, interval }).await?;
                self.peer.send(PeerEvent::State(PeerState::HelloReceived)).await?;
                self.keepalive().await
            }
            LeafEvent::Keepalive { established } => {
                self.peer.send(PeerEvent::KeepaliveReceived).await?;
                if established {
                    self.peer.established(&self.node);
                    let Self { number: session, can, serving, .. } = *self;
                    let established = PeerEvent::Established { session, can, serving };
                    self.peer.send(established).await?;
                }
                Ok(())
            }
            LeafEvent::EndOfTable(vni) => self.peer.send(PeerEvent::EndOfTable(vni)).await,
            LeafEvent::Update(update) => self.peer.send(PeerEvent::Updates(vec![update])).await,
            LeafEvent::Nothing | LeafEvent::Skipped(_) => Ok(()),
        }
    }
}

fn failed(error: io::Error) -> SessionError {
    SessionError::Connection(error.to_string())
}
