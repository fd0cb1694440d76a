//! How a session begins, from either side.
//!
//! ```text
//!   leaf       HELLO -->           KEEPALIVE -->              established
//!   reflector        <-- HELLO                <-- KEEPALIVE   established
//! ```
//!
//! State: the phase of the handshake. The type of each message from the other side goes in; whether it may come
//! now comes out. Times and the content of messages are not kept here.

use thiserror::Error;

use super::MessageType;

/// The side that performs the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The side that connects.
    Leaf,
    /// The side that accepts the connection.
    Reflector,
}

/// The phase of a handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The HELLO of the other side has not arrived.
    AwaitingHello,
    /// Its HELLO has arrived.
    AwaitingKeepalive,
    /// Its first KEEPALIVE has arrived.
    Established,
}

/// A message that may not come yet. It ends the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Breach {
    /// The first message is not HELLO (an UNSUBSCRIBE before it is ignored).
    #[error("first message is {0:?}, not HELLO")]
    NotHello(MessageType),
    /// A message that may come only in an established session.
    #[error("{0:?} before the session was established")]
    NotEstablished(MessageType),
}

/// The handshake of one session, which knows which message may come when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    side: Side,
    phase: Phase,
}

impl Handshake {
    /// A handshake at its beginning.
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self { side, phase: Phase::AwaitingHello }
    }

    /// A handshake in this phase.
    #[must_use]
    pub fn at(side: Side, phase: Phase) -> Self {
        Self { side, phase }
    }

    /// The phase.
    #[inline]
    #[must_use]
    pub fn phase(self) -> Phase {
        self.phase
    }

    /// Whether the session is established.
    #[inline]
    #[must_use]
    pub fn is_established(self) -> bool {
        self.phase == Phase::Established
    }

    /// Notes that a valid message of this type has arrived. Returns `true` if it establishes the session. A second
    /// HELLO changes nothing here.
    ///
    /// # Errors
    /// [`Breach`], as from [`Handshake::admits`].
    pub fn take(&mut self, kind: MessageType) -> Result<bool, Breach> {
        self.admits(kind)?;
        let before = self.phase;
        self.phase = match (before, kind) {
            (Phase::AwaitingHello, MessageType::Hello) => Phase::AwaitingKeepalive,
            (Phase::AwaitingKeepalive, MessageType::Keepalive) => Phase::Established,
            (phase, _) => phase,
        };
        Ok(self.phase != before && self.is_established())
    }

    /// Checks whether a message of this type may come now.
    ///
    /// An UNSUBSCRIBE may come before any other message: the Go client sends one when it unsubscribes while
    /// it connects.
    ///
    /// # Errors
    /// [`Breach`] if the message may not come.
    pub fn admits(self, kind: MessageType) -> Result<(), Breach> {
        use MessageType::{Hello, Subscribe, Unsubscribe, Update};
        match (self.phase, kind) {
            (Phase::AwaitingHello, Hello | Unsubscribe) | (Phase::Established, _) => Ok(()),
            (Phase::AwaitingHello, _) => Err(Breach::NotHello(kind)),
            (Phase::AwaitingKeepalive, Update) => Err(Breach::NotEstablished(kind)),
            (Phase::AwaitingKeepalive, Subscribe) if self.side == Side::Reflector => {
                Err(Breach::NotEstablished(kind))
            }
            (Phase::AwaitingKeepalive, _) => Ok(()),
        }
    }
}
