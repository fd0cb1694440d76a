//! [`Stale`]: what a VNI knows of peers that are gone without a word. `stale` says what it does about them.

use std::collections::HashSet;

use ahash::RandomState;

use crate::ids::{Kin, Moment, PeerId};

/// Places of routes.
pub(super) type Places = HashSet<u32, RandomState>;

/// How long the routes of a peer that is gone are kept, and who may have them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hold {
    pub(crate) kin: Kin,
    pub(crate) until: Moment,
}

/// A peer with stale routes.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) peer: PeerId,
    pub(super) hold: Hold,
    /// Places of routes that it has announced since it came back; `None` while it is gone.
    pub(super) fresh: Option<Places>,
    /// The next place to look at, and where to stop, once the time is over.
    pub(super) sweep: Option<(u32, u32)>,
}

impl Held {
    /// Whether the peer has announced the route at a place since it came back.
    pub(super) fn has_fresh(&self, place: u32) -> bool {
        self.fresh.as_ref().is_some_and(|fresh| fresh.contains(&place))
    }
}

/// The peers of one VNI with stale routes.
#[derive(Debug, Default)]
pub(super) struct Stale {
    pub(super) held: Vec<Held>,
    /// By how much peers that are here announce less, for their shards.
    pub(super) lost: Vec<(PeerId, i64)>,
}

/// A peer has taken over what one before it had announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Adopted {
    /// Routes that it announces by that.
    pub(crate) routes: u32,
    /// Whether they were judged by other rights.
    pub(crate) is_to_judge: bool,
}

/// A peer with stale routes, as the portable form has it.
#[derive(Debug)]
pub(super) struct HeldParts<'a> {
    pub(super) member: u32,
    pub(super) hold: Hold,
    pub(super) fresh: Option<&'a Places>,
}
