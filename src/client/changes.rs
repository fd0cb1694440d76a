//! The changes that watches deliver.

use super::PeerStatus;
use crate::wire::{Update, Vni};

/// Changes of routes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteBatch {
    /// In the order in which to apply them; removals of a destination come before its additions.
    pub changes: Vec<Update>,
    /// Whether no further change waited when the batch was made. The first batch with `true` ends the snapshot with
    /// which a watch begins.
    pub caught_up: bool,
}

/// The newest state of a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerChange {
    /// The peer, as it was added.
    pub address: String,
    /// Its state; `None` when it was removed.
    pub status: Option<PeerStatus>,
}

/// Whether a server's table of a VNI is complete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncChange {
    /// The server.
    pub peer: String,
    /// The VNI.
    pub vni: Vni,
    /// Whether all routes that the server had at the time of the subscription have arrived. A server without
    /// END_OF_TABLE does not say so: its table counts as complete after 2 s without a change, or after 30 s.
    pub in_sync: bool,
}
