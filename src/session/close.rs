//! Why a session ends.

use thiserror::Error;

use crate::wire::{Breach, MessageType, WireError};

/// Why a session ended. `Display` writes the sentence of the log; [`CloseReason::name`] labels metrics.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CloseReason {
    /// Bytes that are no valid message.
    #[error("invalid message: {0}")]
    Invalid(#[from] WireError),
    /// The first message was not HELLO (an UNSUBSCRIBE before it is ignored).
    #[error("{}", Breach::NotHello(*.0))]
    NotHello(MessageType),
    /// A second HELLO that differs from the first.
    #[error("second HELLO, which differs from the first")]
    SecondHello,
    /// A message that may come only in an established session.
    #[error("{}", Breach::NotEstablished(*.0))]
    NotEstablished(MessageType),
    /// No HELLO within the time limit.
    #[error("no HELLO within 10 s")]
    HelloTimeout,
    /// No HELLO yet, and newer connections needed the place of this one.
    #[error("no HELLO came before a newer connection needed the place")]
    NoRoom,
    /// No message within two and a half intervals.
    #[error("no message within {0:?}")]
    HoldTime(std::time::Duration),
    /// The peer has read nothing for the send-hold time while data waited for it.
    #[error("peer read nothing for {0:?}")]
    SendHold(std::time::Duration),
    /// The peer is so far behind that the journal no longer has its position.
    #[error("the peer is too far behind to catch up; it receives all routes when it reconnects")]
    TooFarBehind,
    /// More routes than `--max-routes-per-peer`.
    #[error("limit max-routes-per-peer ({0}) reached")]
    MaxRoutes(u64),
    /// The peer announced a route beyond `--max-routes-per-vni`, and `--max-routes-per-vni-action` is `close`.
    #[error("limit max-routes-per-vni ({0}) reached")]
    MaxRoutesPerVni(u64),
    /// More subscriptions than `--max-subscriptions-per-peer`.
    #[error("limit max-subscriptions-per-peer ({0}) reached")]
    MaxSubscriptions(u64),
    /// More sessions than `--max-peers`.
    #[error("limit max-peers ({0}) reached")]
    MaxPeers(u64),
    /// More sessions of one source than `--max-peers-per-source`.
    #[error("limit max-peers-per-source ({0}) reached")]
    MaxPeersPerSource(u64),
    /// More connections of one source than `--connect-rate-per-source`.
    #[error("limit connect-rate-per-source ({0} per second) reached")]
    ConnectRate(u32),
    /// The peer does not meet this requirement of the policy, whose verdict is `close`.
    #[error("refused by the policy ({0})")]
    Policy(&'static str),
    /// The block of this number refuses the peer.
    #[error("blocked by an operator (block {0})")]
    Blocked(u32),
    /// The access list denies the source.
    #[error("source is denied by the access list (--allow, --deny)")]
    Denied,
    /// The peer closed the connection.
    #[error("closed by peer")]
    PeerClosed,
    /// The connection failed.
    #[error("connection failed: {0}")]
    Connection(std::io::ErrorKind),
    /// TLS ended with an error, or without its closing alert.
    #[error("{0}")]
    Tls(Box<str>),
    /// The process that did the TLS of this session has handed over to another, and the keys do not travel.
    #[error("the keys of a TLS session cannot be handed over; the peer reconnects")]
    TlsKeys,
    /// An operator ended the session.
    #[error("reset by the operator")]
    Reset,
    /// The reflector is being drained.
    #[error("reflector is draining")]
    Draining,
    /// The reflector is stopping.
    #[error("reflector is stopping")]
    Stopping,
}

impl From<Breach> for CloseReason {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::NotHello(kind) => Self::NotHello(kind),
            Breach::NotEstablished(kind) => Self::NotEstablished(kind),
        }
    }
}

impl CloseReason {
    /// Whether the session may have ended against the peer's will: neither by its word nor by a verdict of this side.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(
            self,
            Self::HoldTime(_)
                | Self::SendHold(_)
                | Self::TooFarBehind
                | Self::PeerClosed
                | Self::Connection(_)
                | Self::Tls(_)
                | Self::TlsKeys
                | Self::Reset
        )
    }

    /// The names of all reasons that end a session, without those of [`WireError::ENDS`].
    pub(crate) const NAMES: [&'static str; 19] = [
        "second_hello",
        "not_established",
        "hold_time",
        "send_hold",
        "too_far_behind",
        "max_routes_per_peer",
        "max_routes_per_vni",
        "max_subscriptions_per_peer",
        "max_peers",
        "policy",
        "blocked",
        "denied",
        "peer_closed",
        "connection",
        "tls",
        "tls_keys",
        "reset",
        "draining",
        "stopping",
    ];

    /// The names of all reasons that end a connection before its HELLO, without those of [`WireError::ENDS`].
    pub(crate) const NAMES_BEFORE_HELLO: [&'static str; 11] = [
        "not_hello",
        "hello_timeout",
        "no_room",
        "denied",
        "peer_closed",
        "connection",
        "tls",
        "tls_keys",
        "reset",
        "draining",
        "stopping",
    ];

    /// The names of all limits that end or refuse a session.
    pub(crate) const LIMITS: [&'static str; 6] = [
        "max_routes_per_peer",
        "max_routes_per_vni",
        "max_subscriptions_per_peer",
        "max_peers",
        "max_peers_per_source",
        "connect_rate_per_source",
    ];

    /// A short, stable name, for labels of metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.name(),
            Self::NotHello(_) => "not_hello",
            Self::SecondHello => "second_hello",
            Self::NotEstablished(_) => "not_established",
            Self::HelloTimeout => "hello_timeout",
            Self::NoRoom => "no_room",
            Self::HoldTime(_) => "hold_time",
            Self::SendHold(_) => "send_hold",
            Self::TooFarBehind => "too_far_behind",
            Self::MaxRoutes(_) => "max_routes_per_peer",
            Self::MaxRoutesPerVni(_) => "max_routes_per_vni",
            Self::MaxSubscriptions(_) => "max_subscriptions_per_peer",
            Self::MaxPeers(_) => "max_peers",
            Self::MaxPeersPerSource(_) => "max_peers_per_source",
            Self::ConnectRate(_) => "connect_rate_per_source",
            Self::Policy(_) => "policy",
            Self::Blocked(_) => "blocked",
            Self::Denied => "denied",
            Self::PeerClosed => "peer_closed",
            Self::Connection(_) => "connection",
            Self::Tls(_) => "tls",
            Self::TlsKeys => "tls_keys",
            Self::Reset => "reset",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
        }
    }

    /// Whether this is an ordinary end that needs no attention.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        matches!(self, Self::PeerClosed | Self::Reset | Self::Draining | Self::Stopping)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_end_of_a_session_is_listed_once_under_its_name() {
        let ends = [
            CloseReason::SecondHello,
            CloseReason::NotEstablished(MessageType::Update),
            CloseReason::HoldTime(Duration::ZERO),
            CloseReason::SendHold(Duration::ZERO),
            CloseReason::TooFarBehind,
            CloseReason::MaxRoutes(0),
            CloseReason::MaxRoutesPerVni(0),
            CloseReason::MaxSubscriptions(0),
            CloseReason::MaxPeers(0),
            CloseReason::Policy("prefix"),
            CloseReason::Blocked(1),
            CloseReason::Denied,
            CloseReason::PeerClosed,
            CloseReason::Connection(std::io::ErrorKind::ConnectionReset),
            CloseReason::Tls("".into()),
            CloseReason::TlsKeys,
            CloseReason::Reset,
            CloseReason::Draining,
            CloseReason::Stopping,
        ];
        assert_eq!(ends.map(|end| end.name()), CloseReason::NAMES);
        let limits = [
            CloseReason::MaxRoutes(0),
            CloseReason::MaxRoutesPerVni(0),
            CloseReason::MaxSubscriptions(0),
            CloseReason::MaxPeers(0),
            CloseReason::MaxPeersPerSource(0),
            CloseReason::ConnectRate(0),
        ];
        assert_eq!(limits.map(|limit| limit.name()), CloseReason::LIMITS);
        let ends = [
            CloseReason::NotHello(MessageType::Keepalive),
            CloseReason::HelloTimeout,
            CloseReason::NoRoom,
            CloseReason::Denied,
            CloseReason::PeerClosed,
            CloseReason::Connection(std::io::ErrorKind::ConnectionReset),
            CloseReason::Tls("".into()),
            CloseReason::TlsKeys,
            CloseReason::Reset,
            CloseReason::Draining,
            CloseReason::Stopping,
        ];
        assert_eq!(ends.map(|end| end.name()), CloseReason::NAMES_BEFORE_HELLO);
    }
}
