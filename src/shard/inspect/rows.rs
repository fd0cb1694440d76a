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

/// Where a listing goes on. Opaque; it has a text form, so that it can travel through a URL.
///
/// A listing is in the order of places, shard by shard. What is there from its first to its last
/// slice comes exactly once; what comes or goes meanwhile may or may not. Nothing is kept for a
/// listing anywhere: a cursor may be used any number of times, and may be thrown away.
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
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), next: None }
    }
}

/// How far a session is: the states of RFC 4271, section 8, those before Established taken together.
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
    /// Its name while the process lives.
    pub id: PeerId,
    /// Where its connection lives.
    pub shard: ShardId,
    /// The other end; `None` when the connection has just gone.
    pub remote: Option<SocketAddr>,
    /// The node that it says it runs on; empty when it does not say.
    pub node: Box<str>,
    /// How it is called: by its node, with its number where several sessions are of that node, and by its number (`#7`)
    /// where it is of none or not established. The inspector names it.
    pub name: Box<str>,
    /// What is known of its connection, if that is over TLS: above all what it has proven.
    pub tls: Option<TlsPeer>,
    /// The program that it says it is; empty when it does not say.
    pub agent: Box<str>,
    /// How far the session is.
    pub state: SessionState,
    /// Its class; see [`Policy`](crate::policy::Policy).
    pub class: Box<str>,
    /// Whether it says to be a reflector.
    pub is_server: bool,
    /// The extensions that it knows.
    pub capabilities: Capabilities,
    /// Whether it is sent to at the pace of its reading, because it reads badly.
    pub is_paced: bool,
    /// Why it is sent to at a fixed rate, if it is: its window does not show whether it reads.
    pub unproven: Option<NoEvidence>,
    /// Whether it is not read from for now, because what it said before is still being worked on.
    pub is_paused: bool,
    /// Time since the connection was accepted.
    pub uptime: Duration,
    /// Time since the handshake was complete; `None` before that.
    pub established_for: Option<Duration>,
    /// The keepalive interval that both sides agreed on; `None` before its HELLO.
    pub keepalive: Option<Duration>,
    /// Time since anything was received from it.
    pub last_heard: Duration,
    /// Routes that it announces, over all VNIs.
    pub routes: u64,
    /// VNIs that it is subscribed to.
    pub subscriptions: u64,
    /// Of those, the ones that it is behind in: it is being sent what it lacks.
    pub behind: u64,
    /// Bytes that wait for it or are being written.
    pub backlog: u64,
    /// For how long the write in flight has been; `None` when none is.
    pub writing_for: Option<Duration>,
    /// Whether it is behind anywhere, a write has hung for more than a second, or large packets do not
    /// reach it.
    pub is_slow: bool,
    /// Whether large packets do not reach it although small ones come from it: the path's MTU is less
    /// than both ends believe.
    pub loses_large_packets: bool,
    /// UPDATEs received from it, without those that were skipped.
    pub updates_received: u64,
    /// Messages of its that make no sense and were skipped, by a short name of the reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Announcements of its that a limit refused.
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
    /// Who.
    pub peer: PeerId,
    /// Where its connection lives.
    pub shard: ShardId,
    /// To what.
    pub vni: Vni,
    /// How far it is.
    pub state: SubscriptionState,
}
