//! [`Stale`]: what a VNI knows of peers that are gone without a word. `stale` says what it does about them.

use std::collections::{BTreeMap, HashSet};

use ahash::RandomState;

use crate::ids::{Kin, Moment, PeerId};

/// Places of routes.
pub(super) type Places = HashSet<u32, RandomState>;

/// How long the routes of a departed peer are kept, and which peer may take them over.
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
    /// The next place to look at, and the place to stop at, once the time is over.
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
    /// By member: most questions are whether an announcer of a route is one of them. An entry is out of date if its
    /// peer is no member any more, or another one.
    pub(super) held: BTreeMap<u32, Held>,
    /// The number of routes that a present peer announces less, for its shard.
    pub(super) lost: Vec<(PeerId, i64)>,
}

/// The result when a peer has taken over the routes of its kin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Adopted {
    /// The number of routes that it announces by this.
    pub(crate) routes: u32,
    /// Whether the routes were judged by other rights.
    pub(crate) is_to_judge: bool,
}

/// A peer with stale routes, as the portable form has it.
#[derive(Debug)]
pub(super) struct HeldParts<'a> {
    pub(super) member: u32,
    pub(super) hold: Hold,
    pub(super) fresh: Option<&'a Places>,
}
