//! The other side of a proxy, for the pages of its reflector: the leaf with the sessions with reflectors.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::leaf::Sources;
use crate::proxy::ProxyStatus;

/// How long the leaf may take to answer before it counts as stuck.
const STUCK: Duration = Duration::from_secs(2);

/// The upstream side of a proxy, for a reflector's pages.
#[derive(Clone, Debug)]
pub(super) struct ProxyUpstream {
    pub(super) sources: Sources,
    pub(super) status: watch::Receiver<ProxyStatus>,
}

impl ProxyUpstream {
    /// The numbers of routes and changes that pass through.
    pub(super) fn status(&self) -> ProxyStatus {
        *self.status.borrow()
    }

    /// Why the proxy cannot yet serve complete tables of reflectors; `None` if it can.
    pub(super) async fn missing(&self) -> Option<String> {
        match timeout(STUCK, self.sources.missing()).await {
            Ok(Ok(missing)) => missing,
            _ => Some("the leaf does not answer".into()),
        }
    }

    /// Whether the leaf answers.
    pub(super) async fn is_alive(&self) -> bool {
        matches!(timeout(STUCK, self.sources.leaf.peers()).await, Ok(Ok(_)))
    }
}
