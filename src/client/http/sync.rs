//! Which server's table of which VNI is here whole.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::Sources;
use crate::client::{Error, PeerState, SyncWatch};
use crate::wire::Vni;

/// Servers and VNIs in sync. No part of the data path: written by the watch, read by `/readyz`.
#[derive(Clone, Debug, Default)]
pub(super) struct Synced(Arc<Mutex<BTreeSet<(Vni, String)>>>);

impl Synced {
    /// Keeps to what the leaf says, until it ends.
    pub(super) async fn follow(&self, mut watch: SyncWatch) {
        while let Some(changes) = watch.next().await {
            let mut synced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for change in changes {
                let entry = (change.vni, change.peer);
                if change.in_sync {
                    synced.insert(entry);
                } else {
                    synced.remove(&entry);
                }
            }
        }
    }

    pub(super) fn has(&self, vni: Vni) -> bool {
        let synced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        synced.range((vni, String::new())..).next().is_some_and(|(found, _)| *found == vni)
    }
}

impl Sources {
    /// What is missing until the leaf is ready.
    pub(super) async fn missing(&self) -> Result<Option<String>, Error> {
        let peers = self.leaf.peers().await?;
        if !peers.iter().any(|(_, peer)| peer.state == PeerState::Established) {
            return Ok(Some("no server is connected".to_owned()));
        }
        let vnis = self.leaf.subscribed_vnis().await?;
        let missing = vnis.into_iter().find(|vni| !self.synced.has(*vni));
        Ok(missing.map(|vni| format!("the table of VNI {vni} has not come yet")))
    }
}
