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
    /// Where its connection lives.
    pub(crate) shard: ShardId,
    /// Whether its HELLO said so. Servers do not get other servers' routes (no loops).
    pub(crate) is_server: bool,
    /// What a policy judges it by.
    pub(crate) rights: Rights,
    /// Which routes it receives, as long as its session lasts.
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

/// What a member has been told.
#[derive(Debug)]
pub(crate) enum Subscription {
    None,
    /// Everything up to the last sealed batch; gets the next one as it is.
    InSync,
    /// Everything that the cursor says; asks for more when it can take it.
    Behind(Box<Cursor>),
}

/// One peer's part in one VNI.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) origin: Origin,
    pub(crate) subscription: Subscription,
    /// While its dump is not complete: the journal position when it subscribed, up to which the
    /// dump must come. A remembered chunk may have been made earlier than that.
    pub(crate) dump_to: Option<u64>,
    /// When its SUBSCRIBE was received.
    pub(crate) subscribed: Moment,
    /// Its place in the list of members that are behind, while it is.
    pub(crate) behind_at: usize,
    /// Head of the list of routes whose primary announcer this is, or was last.
    pub(crate) first: u32,
    /// Head of the list of routes that it announces beside their primary announcer.
    pub(crate) further: u32,
    /// Routes announced, both kinds.
    pub(crate) routes: u32,
    /// Routes that it announces and that a policy refuses.
    pub(crate) filtered: u32,
    /// Whether it is noted as one that may be of no use any more.
    pub(crate) is_idle: bool,
    /// The journal may mention it before this position, although it may have left before.
    pub(crate) mentioned: u64,
}

impl Member {
    /// Whether it neither announces nor subscribes.
    #[inline]
    pub(crate) fn is_unused(&self) -> bool {
        self.announced() == 0 && matches!(self.subscription, Subscription::None)
    }

    /// Routes that it announces, those included that a policy refuses.
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
