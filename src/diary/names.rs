//! [`Names`]: the node of each established session.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::ids::PeerId;

/// Whether a text names a session: number (`7` or `#7`), node, node and number (`a#7`), address, or address and port.
pub(crate) fn is_named(
    text: &str,
    (peer, node): (PeerId, &str),
    remote: Option<SocketAddr>,
) -> bool {
    let is_number = |text: &str| text.parse() == Ok(peer.0);
    let is_remote = |remote: SocketAddr| {
        let ip = remote.ip().to_canonical();
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        match text.parse::<SocketAddr>() {
            Ok(whole) => whole.ip().to_canonical() == ip && whole.port() == remote.port(),
            Err(_) => {
                bare.unwrap_or(text).parse::<IpAddr>().is_ok_and(|it| it.to_canonical() == ip)
            }
        }
    };
    is_number(text.strip_prefix('#').unwrap_or(text))
        || (!text.is_empty() && node == text)
        || text.rsplit_once('#').is_some_and(|(begin, id)| node == begin && is_number(id))
        || remote.is_some_and(is_remote)
}

/// See the module's documentation. As many entries as there are established sessions.
#[derive(Debug, Default)]
pub(super) struct Names {
    nodes: HashMap<PeerId, Arc<str>>,
    /// The number of sessions of each node.
    sessions: HashMap<Arc<str>, usize>,
}

impl Names {
    /// A session is established. A session without a node is not entered.
    pub(super) fn enter(&mut self, peer: PeerId, node: &str) {
        if node.is_empty() || self.nodes.contains_key(&peer) {
            return;
        }
        let known = self.sessions.get_key_value(node).map(|(known, _)| Arc::clone(known));
        let node = known.unwrap_or_else(|| node.into());
        *self.sessions.entry(Arc::clone(&node)).or_default() += 1;
        self.nodes.insert(peer, node);
    }

    /// A session has ended.
    pub(super) fn leave(&mut self, peer: PeerId) {
        let Some(node) = self.nodes.remove(&peer) else { return };
        if let Some(sessions) = self.sessions.get_mut(&node) {
            *sessions -= 1;
            if *sessions == 0 {
                self.sessions.remove(&node);
            }
        }
    }

    /// The name of an established session's peer; `None` for other sessions, and for one without a node.
    pub(super) fn of(&self, peer: PeerId) -> Option<String> {
        let node = self.nodes.get(&peer)?;
        Some(if self.sessions_of(node) > 1 { format!("{node}{peer}") } else { node.to_string() })
    }

    /// The number of established sessions of a node.
    pub(super) fn sessions_of(&self, node: &str) -> usize {
        self.sessions.get(node).copied().unwrap_or_default()
    }
}
