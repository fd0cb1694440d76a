//! What a leaf wants and knows: pure, no clock, socket or thread.
//!
//! State: the intent (subscriptions, announcements), what each server has said, and what each
//! reader (servers, watchers, the dataplane) has still to be told. The actor owns it, calls one
//! method per event with the time, and then takes what has become due for each reader.
//!
//! * `intent`: what the application wants.
//! * `learned`: one VNI's routes, which servers have each, and what of it is stale.
//! * `feed`: what one reader has still to be told; coalesces.
//! * `outgoing`: the same for one server: subscriptions and announcements.
//! * `leaf`: all of it together; `readers`: what is fetched from it.
//! * `quiet`: when the table of a server has come that does not say so.
//! * `room`, `waiting`: how many routes there may be, and those that there is no room for.
//! * `withheld`: VNIs that the dataplane is told nothing of for a while.
//! * `settling`: while tables are on their way that may replace stale routes.
//! * `reports`: what servers are told of the routes that they have sent.
//! * `queries`: what an operator asks, in bounded parts.
//!
//! Bounds: intent by the application; what servers say by `routes_per_peer`, and by the limits on routes (`room`); what a reader has to
//! be told by the routes there are or were when it last asked, since opposite changes cancel out.
//!
//! Imports: client, ids, wire.

mod feed;
mod intent;
mod leaf;
mod learned;
mod outgoing;
mod queries;
mod quiet;
mod readers;
mod reports;
mod room;
mod settling;
#[cfg(test)]
mod tests;
mod waiting;
mod withheld;

pub(super) use feed::Latest;
pub(super) use leaf::{CoreConfig, Leaf, TooManyRoutes, WatchId};
pub(super) use learned::Dropped;
pub(super) use queries::{FoundRoute, NetworkFacts, VniCounts};
pub(super) use room::{NearLimit, RouteLimits};

/// A server's place among those that are configured; free again once it is removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct ServerSlot(u8);

impl ServerSlot {
    /// Servers at most: the bits of a [`Servers`].
    pub(super) const MAX: u8 = 64;

    /// The first of all places for which `free` holds.
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

    /// Whether it was there.
    fn remove(&mut self, slot: ServerSlot) -> bool {
        let had = self.contains(slot);
        self.0 &= !(1 << slot.0);
        had
    }

    /// All of them, in order.
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
