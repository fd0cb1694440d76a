//! What the reflector counts of each peer: a dozen lines for each, so only when asked for.

use crate::http::text::Text;
use crate::reflector::inspector::walk::walk;
use crate::reflector::inspector::{InspectError, Inspector, PAGE_MAX};
use crate::shard::inspect::PeerInfo;

/// Every session.
pub(super) async fn all(inspector: &Inspector) -> Result<Vec<PeerInfo>, InspectError> {
    let mut peers = Vec::new();
    walk(|from| inspector.peers(from, PAGE_MAX), |peer| peers.push(peer)).await?;
    Ok(peers)
}

pub(super) fn write(text: &mut Text, peers: &[PeerInfo]) {
    let ids: Vec<_> = peers.iter().map(|peer| peer.id.0.to_string()).collect();
    text.gauge("metalbond_peer_info", "Always 1; what a peer is.");
    for (id, peer) in ids.iter().zip(peers) {
        let remote = peer.remote.map(|remote| remote.to_string()).unwrap_or_default();
        let (shard, state) = (peer.shard.to_string(), peer.state.to_string());
        let labels = [
            ("peer", &**id),
            ("node", &*peer.node),
            ("agent", &*peer.agent),
            ("remote", &*remote),
            ("shard", &*shard),
            ("state", &*state),
        ];
        text.sample(&labels, 1);
    }
    let mut gauge = |name, help, value: fn(&PeerInfo) -> u64| {
        text.gauge(name, help);
        for (id, peer) in ids.iter().zip(peers) {
            text.sample(&[("peer", id)], value(peer));
        }
    };
    gauge("metalbond_peer_routes", "Routes that a peer announces.", |peer| peer.routes);
    gauge("metalbond_peer_subscriptions", "VNIs a peer subscribes to.", |peer| peer.subscriptions);
    gauge("metalbond_peer_behind", "VNIs that a peer is behind in.", |peer| peer.behind);
    gauge("metalbond_peer_slow", "1 while a peer is slow.", |peer| u64::from(peer.is_slow));
    gauge("metalbond_peer_tx_backlog_bytes", "Bytes that wait for a peer.", |peer| peer.backlog);
    gauge("metalbond_peer_uptime_seconds", "Time since a peer connected.", |peer| {
        peer.uptime.as_secs()
    });
    text.counter("metalbond_peer_updates_received_total", "UPDATEs received from a peer.");
    for (id, peer) in ids.iter().zip(peers) {
        text.sample(&[("peer", id)], peer.updates_received);
    }
    text.counter("metalbond_peer_updates_sent_total", "UPDATEs handed to a peer's socket.");
    for (id, peer) in ids.iter().zip(peers) {
        text.sample(&[("peer", id), ("action", "add")], peer.updates_sent.adds)
            .sample(&[("peer", id), ("action", "remove")], peer.updates_sent.removes);
    }
}
