//! The handshake and keepalive machine of a reflector's side (protocol.md, section 2).
//!
//! State: how far the handshake is and until when the peer must speak. Messages and the time go
//! in, [`Event`]s come out; every message that does not fit ends the session.

use std::time::Duration;

use super::CloseReason;
use crate::ids::Moment;
use crate::wire::{Capabilities, Frame, Hello, Message, MessageType, Update, Vni, decode_update};

/// How long a peer may take for its HELLO.
const HELLO_TIME: Duration = Duration::from_secs(10);

/// The times a session keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// The interval in our HELLO, in seconds; the lower of both sides' holds.
    pub(crate) keepalive: u32,
}

/// What a peer said of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct About {
    pub(crate) is_server: bool,
    pub(crate) capabilities: Capabilities,
    /// Whether it knows any extension: nothing of an extension is sent to one that does not.
    pub(crate) extended: bool,
    pub(crate) agent: Box<str>,
    pub(crate) node: Box<str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    AwaitingHello,
    AwaitingKeepalive,
    Established,
}

/// What a message means to the rest of the shard.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Event {
    /// Answer with our HELLO.
    Hello,
    /// Answer with a KEEPALIVE; `established` with the first.
    Keepalive {
        established: bool,
    },
    Subscribe(Vni),
    Unsubscribe(Vni),
    Update(Update),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    deadline: Moment,
    hold: Duration,
    peer: About,
}

impl Session {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            state: State::AwaitingHello,
            deadline: now + HELLO_TIME,
            hold: HELLO_TIME,
            peer: About::default(),
        }
    }

    pub(crate) fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// The keepalive interval that both sides agreed on; `None` before the HELLO.
    pub(crate) fn agreed_interval(&self) -> Option<Duration> {
        (self.state != State::AwaitingHello).then(|| self.interval())
    }

    pub(crate) fn peer(&self) -> &About {
        &self.peer
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// Why the session must end.
    pub(crate) fn receive(
        &mut self,
        now: Moment,
        timing: Timing,
        frame: &Frame<'_>,
    ) -> Result<Event, CloseReason> {
        if self.state == State::Established && frame.kind == MessageType::Update {
            return Ok(Event::Update(decode_update(frame.payload)?));
        }
        if self.state == State::AwaitingHello && frame.kind != MessageType::Hello {
            return Err(CloseReason::NotHello(frame.kind));
        }
        match Message::decode(frame)? {
            Message::Hello(_) if self.state != State::AwaitingHello => {
                Err(CloseReason::SecondHello)
            }
            Message::Hello(hello) => {
                self.hello(now, timing, hello);
                Ok(Event::Hello)
            }
            Message::Keepalive => {
                let established = self.state == State::AwaitingKeepalive;
                self.state = State::Established;
                self.deadline = now + self.hold;
                Ok(Event::Keepalive { established })
            }
            Message::EndOfTable(_) => Err(CloseReason::Unexpected(frame.kind)),
            _ if self.state != State::Established => Err(CloseReason::NotEstablished(frame.kind)),
            Message::Subscribe(vni) => Ok(Event::Subscribe(vni)),
            Message::Unsubscribe(vni) => Ok(Event::Unsubscribe(vni)),
            Message::Update(update) => Ok(Event::Update(update)),
        }
    }

    /// The interval at which the peer should send KEEPALIVEs; meaningless before its HELLO.
    pub(crate) fn interval(&self) -> Duration {
        self.hold * 2 / 5
    }

    /// The peer is not being read, so its silence means nothing: it has the whole time again.
    pub(crate) fn excuse(&mut self, now: Moment) {
        self.deadline = self.deadline.max(now + self.hold);
    }

    /// Whether the peer has been silent for too long.
    ///
    /// # Errors
    /// Why the session must end.
    pub(crate) fn check(&self, now: Moment) -> Result<(), CloseReason> {
        match self.state {
            _ if now <= self.deadline => Ok(()),
            State::AwaitingHello => Err(CloseReason::HelloTimeout),
            _ => Err(CloseReason::HoldTime(self.hold)),
        }
    }

    fn hello(&mut self, now: Moment, timing: Timing, hello: Hello) {
        let interval = hello.keepalive_interval.min(timing.keepalive);
        self.hold = Duration::from_millis(u64::from(interval) * 2500);
        self.deadline = now + self.hold;
        self.state = State::AwaitingKeepalive;
        self.peer.is_server = hello.is_server;
        if let Some(extensions) = hello.extensions {
            self.peer.extended = true;
            self.peer.capabilities = extensions.capabilities;
            self.peer.agent = extensions.agent.into();
            self.peer.node = extensions.node.into();
        }
    }
}
