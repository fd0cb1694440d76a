//! A live view of what happens.

use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::ids::{Moment, PeerId, ShardId};
use crate::session::CloseReason;
use crate::wire::{Action, Update, Vni};

/// Which VNIs a tap is told about. Sessions are told about in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TapFilter {
    /// Every VNI.
    All,
    /// One VNI.
    Vni(Vni),
}

impl TapFilter {
    pub(crate) fn covers(self, vni: Vni) -> bool {
        match self {
            Self::All => true,
            Self::Vni(only) => only == vni,
        }
    }
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TapEvent {
    /// A route has come: its first announcer announced it.
    Added {
        /// What. Its action is `Add`.
        route: Update,
        /// Who announces it; `None` when several do already.
        announcer: Option<PeerId>,
    },
    /// A route has gone: its last announcer withdrew it or left.
    Withdrawn {
        /// What. Its action is `Remove`.
        route: Update,
        /// Who announced it last; `None` when several did.
        announcer: Option<PeerId>,
    },
    /// A session is up.
    Established {
        /// Who.
        peer: PeerId,
        /// Where its connection lives.
        shard: ShardId,
        /// The other end.
        remote: SocketAddr,
        /// The node that it says it runs on; may be empty.
        node: Box<str>,
    },
    /// A session has ended.
    Closed {
        /// Who.
        peer: PeerId,
        /// Where its connection lived.
        shard: ShardId,
        /// The other end.
        remote: SocketAddr,
        /// The node that it said it runs on; may be empty.
        node: Box<str>,
        /// Why.
        reason: CloseReason,
    },
    /// So many events of one shard were left out here, because the tap was not read fast enough.
    Missed(u64),
}

/// The reading end of a tap. Dropping it ends the tap.
///
/// The reflector never waits for a tap: it holds a bounded number of parcels, and what does not fit
/// is left out and counted ([`TapEvent::Missed`]). Events of one VNI come in order, and those of one
/// session. A route that came and went between two seals does not show.
#[derive(Debug)]
pub struct Tap {
    pub(super) parcels: mpsc::Receiver<()>,
}

impl Tap {
    /// The next event; `None` when the reflector has stopped. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<TapEvent> {
        self.parcels.recv().await;
        None
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<TapEvent> {
        None
    }
}
