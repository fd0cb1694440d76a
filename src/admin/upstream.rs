//! The other side of a proxy, for the pages of its reflector: the leaf with the sessions with reflectors.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::leaf::Sources;
use crate::proxy::ProxyStatus;

/// How long the leaf may take to answer before it counts as stuck.
const STUCK: Duration = Duration::from_secs(2);

/// What a reflector's pages tell of a proxy that it is in.
#[derive(Clone, Debug)]
pub(super) struct ProxyUpstream {
    pub(super) sources: Sources,
    pub(super) status: watch::Receiver<ProxyStatus>,
}

impl ProxyUpstream {
    /// What goes through.
    pub(super) fn status(&self) -> ProxyStatus {
        *self.status.borrow()
    }

    /// What is missing until agents are served the tables of reflectors.
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
