//! What questions are answered with: one row per peer or subscription. Those about
//! VNIs and routes are `table`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

use crate::ids::{PeerId, ShardId};
use crate::metrics::ByAction;
use crate::session::{NoEvidence, TlsPeer};
use crate::table::{PeerVni, SubscriptionState};
use crate::wire::{Capabilities, Vni};

/// The place where a listing continues. Opaque; it has a text form for URLs.
///
/// A listing is in the order of places, shard by shard. A row that exists from the first to the last slice is
/// listed exactly once; a row that comes or goes meanwhile may be missing, and one that moves to another shard may be
/// missing or come twice. The reflector stores nothing about a
/// listing: you may use a cursor any number of times, or never.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Cursor {
    pub(crate) shard: u16,
    pub(crate) place: u32,
    pub(crate) inner: u32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.shard, self.place, self.inner)
    }
}

impl FromStr for Cursor {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '-');
        let mut next = || parts.next().unwrap_or_default();
        Ok(Self { shard: next().parse()?, place: next().parse()?, inner: next().parse()? })
    }
}

/// A part of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next part begins; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), next: None }
    }
}

/// The state of a session: the states of RFC 4271, section 8, with those before Established merged into one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SessionState {
    /// The handshake is not complete.
    Connecting,
    /// Routes may flow.
    Established,
    /// The session has ended and its connection is being shut down.
    Closing,
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Established => "established",
            Self::Closing => "closing",
        })
    }
}

/// One peer's session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerInfo {
    /// The number of the session, unique while the process lives.
    pub id: PeerId,
    /// The shard of its connection.
    pub shard: ShardId,
    /// The address of the other end; `None` if the connection has just ended.
    pub remote: Option<SocketAddr>,
    /// The node that its HELLO names; empty if the HELLO names none.
    pub node: Box<str>,
    /// The name for people: its node, with the session's number if several sessions have that node, or the number alone
    /// (`#7`) if it has no node or is not established. Filled in by the inspector.
    pub name: Box<str>,
    /// Its TLS connection, with the identity that its certificate proves; `None` without TLS.
    pub tls: Option<TlsPeer>,
    /// The software that its HELLO names; empty if the HELLO names none.
    pub agent: Box<str>,
    /// The state of the session.
    pub state: SessionState,
    /// Its class; see [`Policy`](crate::policy::Policy).
    pub class: Box<str>,
    /// Whether its HELLO sets `isServer`.
    pub is_server: bool,
    /// The extensions that it knows.
    pub capabilities: Capabilities,
    /// Whether the reflector paces it, because it does not advertise STREAM.
    pub is_paced: bool,
    /// Why the reflector sends to it at a fixed rate; `None` if it does not. Its window does not show whether it reads.
    pub unproven: Option<NoEvidence>,
    /// Whether the reflector does not read it for now, because its earlier requests still wait.
    pub is_paused: bool,
    /// Time since the connection was accepted.
    pub uptime: Duration,
    /// Time since the end of the handshake; `None` before that.
    pub established_for: Option<Duration>,
    /// The keepalive interval that both sides agreed on; `None` before its HELLO.
    pub keepalive: Option<Duration>,
    /// Time since anything was received from it.
    pub last_heard: Duration,
    /// The number of routes that it announces, over all VNIs.
    pub routes: u64,
    /// The number of VNIs that it is subscribed to.
    pub subscriptions: u64,
    /// The number of subscriptions in which it is behind and is being sent the difference.
    pub behind: u64,
    /// The bytes that wait for it or are being written.
    pub backlog: u64,
    /// For how long the present write has lasted; `None` if there is none.
    pub writing_for: Option<Duration>,
    /// Whether it is behind anywhere, a write has hung for more than a second, or large packets do not
    /// reach it.
    pub is_slow: bool,
    /// Whether large packets do not reach it although small ones come from it: the path's MTU is less
    /// than both ends believe.
    pub loses_large_packets: bool,
    /// UPDATEs received from it, without those that were skipped.
    pub updates_received: u64,
    /// The number of its messages that were skipped as invalid, by a short name of the reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The number of its announcements that a limit refused.
    pub refused: u64,
    /// UPDATEs handed to its socket.
    pub updates_sent: ByAction,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes written.
    pub bytes_sent: u64,
}

/// A peer and its part in every VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerDetail {
    /// The peer.
    pub info: PeerInfo,
    /// Its VNIs in ascending order.
    pub vnis: Vec<PeerVni>,
}

/// One subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscriptionInfo {
    /// The subscriber.
    pub peer: PeerId,
    /// The shard of its connection.
    pub shard: ShardId,
    /// The VNI.
    pub vni: Vni,
    /// The state of the subscription.
    pub state: SubscriptionState,
}
