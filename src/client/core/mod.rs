//! The wishes and the knowledge of a leaf. Pure: no clock, socket or thread.
//!
//! State: the intent (subscriptions and announcements), the routes that each server has sent, and the changes that each
//! reader (a server, a watch, the dataplane) lacks. The actor owns this state, calls one method per event with the
//! time, and then takes the changes that are due for each reader.
//!
//! * `intent`: the subscriptions and announcements that the application wants; `intentions`: changes of them.
//! * `adj_rib_in`: one VNI's routes, which servers have each, and which routes are stale.
//! * `feed`: the changes that one reader lacks; opposite changes cancel out.
//! * `adj_rib_out`: the same for one server, with subscriptions and announcements.
//! * `leaf`: all of it together; `readers`: what readers fetch from it.
//! * `quiet`: decides when a server's table is complete if the server does not say so.
//! * `room`, `waiting`: the limits on routes, and the routes for which there is no room.
//! * `withheld`: VNIs whose routes are withheld from the dataplane for a while.
//! * `settling`: the time in which tables arrive that may replace stale routes.
//! * `digests`, `reports`, `reporting`: the reports to a server about the routes that it has sent.
//! * `queries`: answers to operators' questions, in bounded parts.
//!
//! Bounds: the application bounds the intent; `routes_per_peer` and the limits on routes (`room`) bound what servers
//! send. A feed holds at most the routes that exist or existed when its reader last asked, because opposite changes
//! cancel out.
//!
//! Imports: client, ids, wire.

mod adj_rib_in;
mod adj_rib_out;
mod digests;
mod feed;
mod intent;
mod intentions;
mod leaf;
mod queries;
mod quiet;
mod readers;
mod reporting;
mod reports;
mod room;
mod route_key;
mod settling;
#[cfg(test)]
mod tests;
mod waiting;
mod withheld;

pub(super) use adj_rib_in::Dropped;
pub(super) use feed::Latest;
pub(super) use leaf::{CoreConfig, Leaf, TooManyRoutes, WatchId};
pub(super) use queries::{FoundRoute, NetworkFacts, VniCounts};
pub(super) use room::{NearLimit, RouteLimits};

/// A server's slot among the configured servers; free again once the server is removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct ServerSlot(u8);

impl ServerSlot {
    /// The most servers: the bits of a [`Servers`].
    pub(super) const MAX: u8 = 64;

    /// The first slot for which `free` holds.
    pub(super) fn first(free: impl FnMut(&Self) -> bool) -> Option<Self> {
        (0..Self::MAX).map(Self).find(free)
    }
}

/// A set of servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Servers(u64);

impl Servers {
    fn contains(self, slot: ServerSlot) -> bool {
        self.0 & (1 << slot.0) != 0
    }

    fn insert(&mut self, slot: ServerSlot) {
        self.0 |= 1 << slot.0;
    }

    /// Removes a slot; returns whether it was in the set.
    fn remove(&mut self, slot: ServerSlot) -> bool {
        let had = self.contains(slot);
        self.0 &= !(1 << slot.0);
        had
    }

    /// All slots of the set, in order.
    fn slots(self) -> impl Iterator<Item = ServerSlot> {
        (0..ServerSlot::MAX).map(ServerSlot).filter(move |slot| self.contains(*slot))
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}
