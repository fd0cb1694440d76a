//! What a VNI's table says of itself, as operators are shown it.

use std::net::IpAddr;
use std::time::Duration;

use crate::ids::{PeerId, ShardId};
use crate::wire::{Destination, NextHop, Vni};
pub use crate::wire::{DestinationInfo, Lookup};

/// The state of a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SubscriptionState {
    /// In sync: it has been given every change up to the last sealed batch; some may wait in its queue.
    InSync,
    /// It lacks changes, and gets them in chunks as fast as it takes them.
    Behind {
        /// The number of journal entries between its cursor and the newest; many may be of one route.
        entries: u64,
        /// The number of places in the table that its dump has not reached yet; some may be empty. 0 once the dump is
        /// complete.
        places: u64,
    },
}

/// One peer's part in one VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerVni {
    /// The VNI.
    pub vni: Vni,
    /// Its subscription; `None` if it only announces.
    pub subscription: Option<SubscriptionState>,
    /// The number of routes that it announces there.
    pub routes: u64,
}

/// One VNI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VniInfo {
    /// The VNI.
    pub vni: Vni,
    /// The shard that owns it.
    pub shard: ShardId,
    /// The number of announced routes.
    pub routes: u64,
    /// The number of withdrawn routes to which the journal still refers.
    pub tombstones: u64,
    /// The number of peers that subscribe or announce.
    pub members: u64,
    /// The number of peers that subscribe.
    pub subscribers: u64,
    /// The number of subscribers that are not in sync.
    pub behind: u64,
    /// The number of entries in its journal.
    pub journal: u64,
    /// The number of routes that peers announce and that the policy or a block refuses.
    pub filtered: u64,
}

/// One route and its announcers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteInfo {
    /// The VNI.
    pub vni: Vni,
    /// The prefix.
    pub destination: Destination,
    /// The next hop.
    pub next_hop: NextHop,
    /// Its announcers, the primary announcer first. At most [`ANNOUNCERS_MAX`] are listed.
    pub announcers: Vec<PeerId>,
    /// The names of these announcers. Filled in by the inspector.
    pub announcer_names: Vec<String>,
    /// The number of all announcers, including other sites.
    pub announcer_count: u64,
    /// The listed announcers whose session has ended: the reflector keeps the route for them for the
    /// stale-hold time.
    pub stale_announcers: Vec<PeerId>,
    /// The names of other sites that announce it. Filled in by the inspector.
    pub sites: Vec<String>,
    /// The time since its view last changed: since it was announced, or since the number of its announcers changed
    /// between one and several. It is never too long. It may be too short: by at most a second if it is below half a
    /// minute; if it is above and the VNI keeps changing, by up to an eighth.
    pub age: Duration,
}

/// A route that a peer announces and that the policy or a block refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FilteredRoute {
    /// The VNI.
    pub vni: Vni,
    /// The prefix.
    pub destination: Destination,
    /// The next hop.
    pub next_hop: NextHop,
    /// The peer that announces it; `None` if another site does.
    pub peer: Option<PeerId>,
    /// The name of that peer, or of that site.
    pub name: String,
    /// The class that refuses it.
    pub class: String,
    /// The rule of this class, counted from 1; 0 is the class itself.
    pub rule: u16,
    /// A short, stable name of the reason; `unknown` until the policy has judged it in this process.
    pub reason: &'static str,
    /// The reason in words.
    pub why: String,
}

/// The most next hops listed with one destination.
pub const NEXT_HOPS_MAX: usize = 4096;

/// The most announcers listed with one route.
pub const ANNOUNCERS_MAX: usize = 64;

/// A filter of routes. A route must match all fields that are not `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RouteFilter {
    /// The destination lies within this prefix or equals it.
    pub within: Option<Destination>,
    /// The next hop has this underlay address.
    pub next_hop: Option<IpAddr>,
    /// This peer announces the route, alone or with others.
    pub announcer: Option<PeerId>,
}
