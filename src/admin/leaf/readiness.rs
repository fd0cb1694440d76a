//! Whether the leaf is ready: it has a session, and the tables of all its VNIs. It asks the leaf for VNIs in parts.

use super::sources::Sources;
use crate::client::{Error, PeerState, VniStatus};

/// The most VNIs requested from the leaf at once.
const PART: usize = 1024;

impl Sources {
    /// Looks at each subscribed VNI, in order.
    pub(super) async fn each_vni(&self, mut look: impl FnMut(VniStatus)) -> Result<(), Error> {
        let mut after = None;
        loop {
            let part = self.leaf.vni_statuses(after, PART).await?;
            let Some(last) = part.last() else { return Ok(()) };
            after = Some(last.vni);
            part.into_iter().for_each(&mut look);
        }
    }

    /// Servers with a session, by their addresses as they were added.
    pub(super) async fn connected(&self) -> Result<Vec<String>, Error> {
        let peers = self.leaf.peers().await?;
        let is_connected = |state| state == PeerState::Established;
        Ok(peers
            .into_iter()
            .filter(|(_, peer)| is_connected(peer.state))
            .map(|(address, _)| address)
            .collect())
    }

    /// Why the leaf is not ready; `None` if it is.
    pub(in crate::admin) async fn missing(&self) -> Result<Option<String>, Error> {
        if self.connected().await?.is_empty() {
            return Ok(Some("no server is connected".to_owned()));
        }
        let mut missing = None;
        self.each_vni(|status| {
            if status.in_sync.is_empty() {
                missing.get_or_insert(status.vni);
            }
        })
        .await?;
        Ok(missing.map(|vni| format!("the table of VNI {vni} has not come yet")))
    }
}
