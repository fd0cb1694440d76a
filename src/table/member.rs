//! Who takes part in a VNI: subscribers and announcers.

use super::batch::Audience;
use super::cursor::Cursor;
use super::slab::NONE;
use crate::ids::{Moment, PeerId, ShardId};
use crate::policy::{Rights, Selection};

/// A peer as the rest of the reflector names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: PeerId,
    /// The shard of its connection.
    pub(crate) shard: ShardId,
    /// Whether its HELLO sets `isServer`. Servers do not get other servers' routes (no loops).
    pub(crate) is_server: bool,
    /// The rights by which a policy judges it.
    pub(crate) rights: Rights,
    /// The routes that it receives; fixed for its session.
    pub(crate) selection: Selection,
}

impl Origin {
    pub(crate) fn audience(&self) -> Audience {
        match (self.is_server, self.selection.one_next_hop) {
            (true, _) => Audience::Servers,
            (false, true) => Audience::Choosers,
            (false, false) => Audience::Clients,
        }
    }
}

/// How far a member has been told.
#[derive(Debug)]
pub(crate) enum Subscription {
    None,
    /// It knows everything up to the last sealed batch, and gets the next batch as it is.
    InSync,
    /// It knows what the cursor says, and asks for more when it can take it.
    Behind(Box<Cursor>),
}

/// One peer's part in one VNI.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) origin: Origin,
    pub(crate) subscription: Subscription,
    /// While its dump is not complete: the journal position at its SUBSCRIBE, up to which the
    /// dump must come. A remembered chunk may have been made earlier than that.
    pub(crate) dump_to: Option<u64>,
    /// When its SUBSCRIBE was received.
    pub(crate) subscribed: Moment,
    /// Its place in the list of members that are behind, while it is behind.
    pub(crate) behind_at: usize,
    /// Head of the list of routes whose primary announcer it is, or was last.
    pub(crate) first: u32,
    /// Head of the list of routes that it announces beside their primary announcer.
    pub(crate) further: u32,
    /// The number of routes that it announces, of both lists.
    pub(crate) routes: u32,
    /// The number of routes that it announces and that a policy refuses.
    pub(crate) filtered: u32,
    /// Whether it is listed as possibly unused.
    pub(crate) is_idle: bool,
    /// The end of the journal part that may mention it, although it may have left before.
    pub(crate) mentioned: u64,
}

impl Member {
    /// Whether it neither announces nor subscribes.
    #[inline]
    pub(crate) fn is_unused(&self) -> bool {
        self.announced() == 0 && matches!(self.subscription, Subscription::None)
    }

    /// The number of routes that it announces, including those that a policy refuses.
    #[inline]
    pub(crate) fn announced(&self) -> u32 {
        self.routes + self.filtered
    }

    pub(crate) fn new(origin: Origin) -> Self {
        Self {
            origin,
            subscription: Subscription::None,
            dump_to: None,
            subscribed: Moment::default(),
            behind_at: 0,
            first: NONE,
            further: NONE,
            routes: 0,
            filtered: 0,
            is_idle: false,
            mentioned: 0,
        }
    }
}
