//! One VNI's routes, the announcers of each, and the routes that each subscriber is owed.
//!
//! State: [`Vnet`] owns the routes, the members (subscribers and announcers) and the journal of changes. Exactly one
//! shard owns a VNI's `Vnet`; no state here is shared or locked, and the code does not know the time, sockets or
//! threads.
//!
//! Input: announcements and withdrawals of members, subscriptions, members that leave, members that fell behind, and
//! members that ask for the routes that they lack. Output: sealed batches for the members that are in sync, and chunks
//! for those that are behind.
//!
//! **Which messages are owed** follows from [`view::View`] alone: a change of a route's view decides which peers get an
//! ADD and which a REMOVE. A change that leaves the view as it was sends nothing. Between two seals the changes of one
//! route are merged, and within a destination withdrawals go before announcements.
//!
//! **Bounds**: the open batch is sealed at `seal_at` changes ([`TableBounds`]); the journal keeps what the slowest
//! cursor needs up to a limit, past which the slowest members are given up (see `trim`).
//!
//! Imports: ids, policy, portable, wire.

mod ages;
mod announcers;
mod apply;
mod batch;
mod bounds;
mod catch_up;
mod choice;
mod chunk;
mod compact;
mod cursor;
mod digests;
mod filtered;
mod form;
mod frames;
mod growth;
mod held;
mod inspect;
mod journal;
mod member;
mod members;
mod moves;
mod one_hop;
mod packed;
mod page;
mod policing;
mod portable;
mod retention;
mod rib;
mod rows;
mod seal;
mod slab;
mod stale;
mod tally;
#[cfg(any(test, fuzzing))]
pub(crate) mod tests;
mod trim;
mod usual;
mod view;
mod vnet;

pub(crate) use batch::{Audience, Batch};
pub use bounds::TableBounds;
pub(crate) use chunk::Chunk;
pub(crate) use digests::Sums;
pub(crate) use filtered::Notice;
pub(crate) use form::{Table, VnetRef};
pub(crate) use growth::{LimitHits, Room, Weight, amount};
pub(crate) use held::Hold;
pub(crate) use inspect::{DeliveryFacts, FilteredFacts, RouteFacts, Size, Slice, slice};
pub(crate) use member::Origin;
pub(crate) use packed::TableBasis;
pub(crate) use portable::Importer;
#[cfg(test)]
pub(crate) use rib::FIRSTS_MAX;
pub(crate) use rib::{Announcement, TOGETHER};
pub use rows::{
    ANNOUNCERS_MAX, DestinationInfo, FilteredRoute, Lookup, NEXT_HOPS_MAX, PeerVni, RouteFilter,
    RouteInfo, SubscriptionState, VniInfo,
};
pub(crate) use tally::Tally;
pub(crate) use vnet::Vnet;
