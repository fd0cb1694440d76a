//! Sorted listings. Nothing is kept between two pages.
//!
//! Shards list rows in the order of places, because that costs them least. To sort, the HTTP thread goes through all
//! slices and keeps only the best rows after the last page (`best`). So it needs memory for one page, and a shard
//! answers nothing but slices. A page costs a walk over all rows, 2,000 questions for a million routes, so only a few
//! walks run at a time (`AppState::walk`).
//!
//! A page begins and ends with the keys of its first and last rows (`key`), which the client gets. With the last key it
//! asks for the next page, with the first for the page before. A walk sees all rows in any case, so the number of rows
//! before a page is counted anew and not remembered.

mod best;
mod key;
mod peers;
mod routes;
mod subscriptions;
mod vnis;

pub(super) use best::{Best, Found, PagePosition};
pub(super) use key::{Sort, SortKey};
pub(super) use peers::{PeerSums, PeersWanted, peers};
pub(super) use routes::{RoutesWanted, routes};
pub(super) use subscriptions::{Subscriber, SubscribersWanted, placed, subscribers};
pub(super) use vnis::{VniSums, vnis};
