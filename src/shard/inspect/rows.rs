//! What questions are answered with: one row per peer, VNI, route or subscription.

use std::net::SocketAddr;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;
use std::{fmt, net::IpAddr};

use super::metrics::ByAction;
use crate::ids::{PeerId, ShardId};
use crate::wire::{Capabilities, Destination, NextHop, Vni};

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

/// How far a session is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PeerState {
    /// The handshake is not complete.
    Connecting,
    /// Routes may flow.
    Established,
    /// The session has ended and its connection is being shut down.
    Closing,
}

impl fmt::Display for PeerState {
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
    /// The program that it says it is; empty when it does not say.
    pub agent: Box<str>,
    /// How far the session is.
    pub state: PeerState,
    /// Whether it says to be a reflector.
    pub is_server: bool,
    /// The extensions that it knows.
    pub capabilities: Capabilities,
    /// Whether it is sent to at the pace of its reading, because it reads badly.
    pub is_paced: bool,
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
    /// Whether it is behind anywhere or a write has hung for more than a second.
    pub is_slow: bool,
    /// UPDATEs received from it.
    pub updates_received: u64,
    /// UPDATEs handed to its socket.
    pub updates_sent: ByAction,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes written.
    pub bytes_sent: u64,
}

/// How far a subscription is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SubscriptionState {
    /// It has everything up to the last sealed batch, apart from what waits in its queue.
    InSync,
    /// It lacks something and asks for it as it can take it.
    Behind {
        /// Entries of the journal that it has yet to be brought past; many may be of one route.
        entries: u64,
        /// Places of the table that its dump has yet to come to; some may be empty. 0 when its
        /// dump is complete.
        places: u64,
    },
}

/// One peer's part in one VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerVni {
    /// The VNI.
    pub vni: Vni,
    /// Its subscription, if it has one.
    pub subscription: Option<SubscriptionState>,
    /// Routes that it announces there.
    pub routes: u64,
}

/// A peer and its part in every VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerDetail {
    /// The peer.
    pub info: PeerInfo,
    /// Its VNIs in ascending order.
    pub vnis: Vec<PeerVni>,
}

/// One VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VniInfo {
    /// The VNI.
    pub vni: Vni,
    /// The shard that owns it.
    pub shard: ShardId,
    /// Routes that somebody announces.
    pub routes: u64,
    /// Routes that nobody announces any more but somebody may still have to be told of.
    pub tombstones: u64,
    /// Different next hops.
    pub next_hops: u64,
    /// Peers that subscribe or announce.
    pub members: u64,
    /// Peers that subscribe.
    pub subscribers: u64,
    /// Of those, the ones that are not in sync.
    pub behind: u64,
    /// Entries in its journal.
    pub journal: u64,
}

/// One route and who announces it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteInfo {
    /// The VNI.
    pub vni: Vni,
    /// The prefix.
    pub destination: Destination,
    /// Where it is reached.
    pub next_hop: NextHop,
    /// Who announces it, the primary announcer first. At most [`ANNOUNCERS_MAX`] are listed.
    pub announcers: Vec<PeerId>,
    /// How many announce it in all.
    pub announcer_count: u64,
    /// Time since what subscribers see of it changed: since it was announced, or since it came to
    /// have one announcer or several. Never more than it is, and less by a second at most while it
    /// is below half a minute. Of older ones less by up to an eighth while the VNI keeps changing.
    pub age: Duration,
}

/// Announcers listed with one route.
pub const ANNOUNCERS_MAX: usize = 64;

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

/// Which routes are listed. Everything that is given must hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RouteFilter {
    /// Destinations within this prefix, itself included.
    pub within: Option<Destination>,
    /// Next hops with this underlay address.
    pub next_hop: Option<IpAddr>,
    /// Routes that this peer announces, alone or with others.
    pub announcer: Option<PeerId>,
}

/// What to look for in a VNI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// The routes of the longest prefix that an address lies in.
    ///
    /// Bits below the prefix length belong to a route's identity. Such a prefix is found when those
    /// bits are zero, as is usual, or those of the address.
    Longest(IpAddr),
    /// The routes of exactly this prefix, bits below its length included.
    Exact(Destination),
}
