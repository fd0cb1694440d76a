//! Sorted listings, without anything kept between two pages.
//!
//! Shards list in the order of places, which is what costs them least. To sort, the asker goes
//! through all slices and keeps only the best rows behind the last page (`best`): memory is one
//! page, and a shard sees nothing but slices. A page costs a walk over everything, 2,000 looks for
//! a million routes; so only a few walk at a time (`Desk::walk`). What a page ends with is the key
//! of its last row (`key`), which travels with the asker.

mod best;
mod key;
mod peers;
mod routes;
mod vnis;

pub(super) use best::{Best, Found};
pub(super) use key::{Key, Sort};
pub(super) use peers::{PeersWanted, peers};
pub(super) use routes::{RoutesWanted, routes};
pub(super) use vnis::vnis;
