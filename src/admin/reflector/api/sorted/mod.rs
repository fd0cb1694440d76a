//! Sorted listings, without anything kept between two pages.
//!
//! Shards list in the order of places, which is what costs them least. To sort, the asker goes
//! through all slices and keeps only the best rows behind the last page (`best`): memory is one
//! page, and a shard sees nothing but slices. A page costs a walk over everything, 2,000 looks for
//! a million routes; so only a few walk at a time (`AppState::walk`). What a page begins and ends with are
//! the keys of its first and last rows (`key`), which travel with the asker: one goes on after the one
//! and back before the other, and since everything is looked at, how many rows come before a page is
//! counted and not remembered.

mod best;
mod key;
mod peers;
mod routes;
mod subscriptions;
mod vnis;

pub(super) use best::{Best, Found, PagePosition};
pub(super) use key::{Key, Sort};
pub(super) use peers::{PeerSums, PeersWanted, peers};
pub(super) use routes::{RoutesWanted, routes};
pub(super) use subscriptions::{Subscriber, SubscribersWanted, placed, subscribers};
pub(super) use vnis::{VniSums, vnis};
