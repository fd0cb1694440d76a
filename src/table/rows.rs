//! What a VNI's table says of itself, as operators are shown it.

use std::net::IpAddr;
use std::time::Duration;

use crate::ids::{PeerId, ShardId};
use crate::wire::{Destination, NextHop, Vni};
pub use crate::wire::{DestinationInfo, Lookup};

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
    /// Peers that subscribe or announce.
    pub members: u64,
    /// Peers that subscribe.
    pub subscribers: u64,
    /// Of those, the ones that are not in sync.
    pub behind: u64,
    /// Entries in its journal.
    pub journal: u64,
    /// Routes that peers announce and that the policy refuses.
    pub filtered: u64,
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
    /// How these are called; the inspector names them.
    pub announcer_names: Vec<String>,
    /// How many announce it in all, other sites included.
    pub announcer_count: u64,
    /// Other sites where it is announced; the inspector names them.
    pub sites: Vec<String>,
    /// Time since what subscribers see of it changed: since it was announced, or since it came to
    /// have one announcer or several. Never more than it is, and less by a second at most while it
    /// is below half a minute. Of older ones less by up to an eighth while the VNI keeps changing.
    pub age: Duration,
}

/// Next hops listed with one destination.
pub const NEXT_HOPS_MAX: usize = 4096;

/// Announcers listed with one route.
pub const ANNOUNCERS_MAX: usize = 64;

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
