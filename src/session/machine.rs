//! The handshake and keepalive machine of a reflector's side (`docs/protocol.md`, "Session").
//!
//! State: the phase of the handshake, and the time by which the peer must send a message of any kind. Messages and the
//! time go in, [`SessionEvent`]s come out. An error in the stream or in the handshake ends the session; a message that
//! is merely not understood is skipped.

use std::sync::Arc;
use std::time::Duration;

use super::{CloseReason, Identity, Liveness, Skipped, TlsPeer};
use crate::ids::Moment;
use crate::wire::{
    Capabilities, Extensions, Frame, Handshake, Hello, Message, MessageType, Phase, Report, Side,
    Update, Vni, decode_update,
};

/// The times a session keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// The longest interval in our HELLO, in seconds; the lower of both sides' intervals holds.
    pub(crate) keepalive: u32,
}

/// The facts that a peer has said about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct About {
    pub(crate) is_server: bool,
    pub(crate) capabilities: Capabilities,
    /// Whether it knows any extension: a peer that knows none is sent nothing of an extension.
    pub(crate) extended: bool,
    pub(crate) agent: Box<str>,
    pub(crate) node: Box<str>,
}

impl About {
    fn of(hello: Hello) -> Self {
        let extended = hello.extensions.is_some();
        let Extensions { capabilities, agent, node, .. } = hello.extensions.unwrap_or_default();
        let (agent, node) = (agent.into(), node.into());
        Self { is_server: hello.is_server, capabilities, extended, agent, node }
    }
}

/// The meaning of a message for the rest of the shard.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum SessionEvent {
    /// Answer with our HELLO.
    Hello,
    /// Answer with a KEEPALIVE; `established` with the first KEEPALIVE.
    Keepalive {
        established: bool,
    },
    Subscribe(Vni),
    Unsubscribe(Vni),
    Update(Update),
    Report(Report),
    /// The message means nothing, which is no fault.
    Nothing,
    /// The message has no effect, but should have had one.
    Skipped(Skipped),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Session {
    handshake: Handshake,
    liveness: Liveness,
    /// The interval in the peer's HELLO, in seconds.
    wish: u32,
    peer: About,
    /// The facts of the TLS connection; `None` without TLS.
    tls: Option<Arc<TlsPeer>>,
    /// Whether the peer has said that it ends the session.
    goodbye: bool,
}

impl Session {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            handshake: Handshake::new(Side::Reflector),
            liveness: Liveness::new(now),
            wish: 0,
            peer: About::default(),
            tls: None,
            goodbye: false,
        }
    }

    /// The same over TLS, if that is given.
    pub(crate) fn over(mut self, tls: Option<Arc<TlsPeer>>) -> Self {
        self.tls = tls;
        self
    }

    /// A session that goes on from another place.
    pub(super) fn of(
        handshake: Handshake,
        liveness: Liveness,
        wish: u32,
        peer: About,
        goodbye: bool,
    ) -> Self {
        Self { handshake, liveness, wish, peer, tls: None, goodbye }
    }

    pub(super) fn phase(&self) -> Phase {
        self.handshake.phase()
    }

    pub(super) fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// The interval in the peer's HELLO, in seconds.
    pub(crate) fn wish(&self) -> u32 {
        self.wish
    }

    pub(crate) fn is_established(&self) -> bool {
        self.handshake.is_established()
    }

    /// Whether the peer's HELLO has come: before it, a connection is no session.
    pub(crate) fn has_begun(&self) -> bool {
        self.handshake.phase() != Phase::AwaitingHello
    }

    /// The keepalive interval that both sides agreed on; `None` before the HELLO.
    pub(crate) fn agreed_interval(&self) -> Option<Duration> {
        self.has_begun().then(|| self.interval())
    }

    pub(crate) fn peer(&self) -> &About {
        &self.peer
    }

    /// The facts of the TLS connection; `None` without TLS.
    pub(crate) fn tls(&self) -> Option<&TlsPeer> {
        self.tls.as_deref()
    }

    /// The identity that the peer has proven, if any.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.tls().map(|tls| &tls.identity)
    }

    /// Whether the peer has said that it ends the session.
    pub(crate) fn has_said_goodbye(&self) -> bool {
        self.goodbye
    }

    /// Whether UPDATEs are accepted; if so, the peer counts as heard.
    #[inline]
    pub(crate) fn hears_updates(&mut self, now: Moment) -> bool {
        let is_established = self.is_established();
        if is_established {
            self.liveness.heard(now);
        }
        is_established
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// The reason to end the session.
    pub(crate) fn receive(
        &mut self,
        now: Moment,
        timing: Timing,
        frame: &Frame<'_>,
    ) -> Result<SessionEvent, CloseReason> {
        if self.hears_updates(now) && frame.kind == MessageType::Update {
            return Ok(match decode_update(frame.payload) {
                Ok(update) => SessionEvent::Update(update),
                Err(error) => SessionEvent::Skipped(Skipped::Invalid(frame.kind, error)),
            });
        }
        self.receive_other(now, timing, frame)
    }

    /// [`Self::receive`] for everything but an UPDATE in an established session.
    fn receive_other(
        &mut self,
        now: Moment,
        timing: Timing,
        frame: &Frame<'_>,
    ) -> Result<SessionEvent, CloseReason> {
        self.handshake.admits(frame.kind)?;
        if self.has_begun() {
            self.liveness.heard(now);
        }
        if frame.kind == MessageType::EndOfTable {
            return Ok(SessionEvent::Skipped(Skipped::Unexpected(frame.kind)));
        }
        let message = match Message::decode(frame) {
            Err(error) if frame.kind == MessageType::Report => {
                return Ok(SessionEvent::Skipped(Skipped::Invalid(frame.kind, error)));
            }
            decoded => decoded?,
        };
        let has_begun = self.has_begun();
        let established = self.handshake.take(frame.kind)?;
        match message {
            Message::Hello(hello) if !has_begun => {
                self.liveness.agree(now, timing.keepalive, hello.keepalive_interval);
                self.wish = hello.keepalive_interval;
                self.peer = About::of(hello);
                Ok(SessionEvent::Hello)
            }
            Message::Hello(hello) => {
                let is_same =
                    hello.keepalive_interval == self.wish && About::of(hello) == self.peer;
                if is_same { Ok(SessionEvent::Nothing) } else { Err(CloseReason::SecondHello) }
            }
            Message::Keepalive => Ok(SessionEvent::Keepalive { established }),
            Message::Subscribe(vni) => Ok(SessionEvent::Subscribe(vni)),
            // The reference client sends one when Unsubscribe() is called while it connects.
            Message::Unsubscribe(_) if !self.is_established() => Ok(SessionEvent::Nothing),
            Message::Unsubscribe(vni) => Ok(SessionEvent::Unsubscribe(vni)),
            Message::Update(update) => Ok(SessionEvent::Update(update)),
            Message::Goodbye => {
                self.goodbye = true;
                Ok(SessionEvent::Nothing)
            }
            Message::Report(report) => Ok(SessionEvent::Report(report)),
            Message::EndOfTable(_) => Ok(SessionEvent::Nothing), // handled above
        }
    }

    /// The interval at which the peer should send KEEPALIVEs; meaningless before its HELLO.
    pub(crate) fn interval(&self) -> Duration {
        self.liveness.interval()
    }

    /// The peer is not being read, so its silence means nothing: it has the whole hold time again.
    pub(crate) fn excuse(&mut self, now: Moment) {
        self.liveness.excuse(now);
    }

    /// Whether the peer has been silent for too long.
    ///
    /// # Errors
    /// The reason to end the session.
    pub(crate) fn check(&self, now: Moment) -> Result<(), CloseReason> {
        match self.liveness.is_overdue(now) {
            false => Ok(()),
            true if self.has_begun() => Err(CloseReason::HoldTime(self.liveness.hold())),
            true => Err(CloseReason::HelloTimeout),
        }
    }
}
