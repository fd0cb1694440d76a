//! What watches tell.

use super::PeerStatus;
use crate::wire::{Update, Vni};

/// Changes of routes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteBatch {
    /// In order; of each destination, removals come first.
    pub changes: Vec<Update>,
    /// Nothing more waited when the batch was made. The first such batch ends the snapshot.
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

/// Whether a server's table of a VNI is here whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncChange {
    /// The server.
    pub peer: String,
    /// The VNI.
    pub vni: Vni,
    /// Whether all routes that the server had when it was subscribed to have come. Where the server
    /// does not say so, it follows from 2 s without a change (or 30 s in any case).
    pub in_sync: bool,
}
