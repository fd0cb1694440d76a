//! What a leaf counts, in Prometheus' text form.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tokio::time::timeout;

use super::{ApiError, Kernel, STUCK, Sources};
use crate::client::{Error, PeerState};
use crate::http::process;
use crate::http::text::{CONTENT_TYPE as TEXT, Text};

pub(super) async fn metrics(State(sources): State<Sources>) -> Result<impl IntoResponse, ApiError> {
    // What can be told without the leaf is told even when it does not answer.
    let (mut text, answers) = match timeout(STUCK, leaf(&sources)).await {
        Ok(text) => (text?, 1),
        Err(_) => (Text::default(), 0),
    };
    text.gauge("metalbond_build_info", "Always 1; the version that runs.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.gauge("metalbond_leaf_answers", "1 while the leaf answers; else what it knows is absent.")
        .sample(&[], answers);
    if let Some(status) = &sources.kernel {
        kernel(&mut text, status);
    }
    process::write(&mut text);
    Ok(([(CONTENT_TYPE, TEXT)], text.finish()))
}

async fn leaf(sources: &Sources) -> Result<Text, Error> {
    let mut text = Text::default();
    let leaf = &sources.leaf;
    let states = [
        PeerState::Connecting,
        PeerState::HelloSent,
        PeerState::HelloReceived,
        PeerState::Established,
        PeerState::Retry,
    ];
    let mut by_state: BTreeMap<_, u64> = states.map(|state| (state, 0)).into();
    let mut sessions = Vec::new();
    let mut skipped = Vec::new();
    for (address, peer) in leaf.peers().await? {
        *by_state.entry(peer.state).or_default() += 1;
        for (reason, count) in &peer.skipped {
            skipped.push((address.clone(), *reason, *count));
        }
        sessions.push((address, peer.sessions));
    }
    text.gauge("metalbond_peers", "Servers by the state of their session.");
    for (state, count) in by_state {
        text.sample(&[("state", &*state.to_string().to_lowercase())], count);
    }
    if !sessions.is_empty() {
        text.counter("metalbond_peer_sessions_total", "Sessions established with a server.");
    }
    for (peer, count) in sessions {
        text.sample(&[("peer", &*peer)], count);
    }
    if !skipped.is_empty() {
        text.counter(
            "metalbond_messages_skipped_total",
            "Messages of a server that make no sense and were skipped.",
        );
    }
    for (peer, why, count) in skipped {
        text.sample(&[("peer", &*peer), ("why", why)], count);
    }
    let (mut vnis, mut routes, mut behind) = (0, 0, 0);
    sources
        .each_vni(|status| {
            vnis += 1;
            routes += status.routes;
            behind += u32::from(status.in_sync.is_empty());
        })
        .await?;
    text.gauge("metalbond_routes", "Routes known.").sample(&[], routes);
    text.gauge("metalbond_subscriptions", "VNIs that are subscribed to.").sample(&[], vnis);
    text.gauge(
        "metalbond_subscriptions_behind",
        "Of those, the ones whose table is not here whole.",
    )
    .sample(&[], behind);
    Ok(text)
}

#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
fn kernel(text: &mut Text, kernel: &Kernel) {
    let Some(status) = kernel.get() else { return };
    text.gauge("metalbond_kernel_routes", "Routes by how they stand with the kernel.")
        .sample(&[("state", "desired")], status.desired)
        .sample(&[("state", "installed")], status.installed)
        .sample(&[("state", "refused")], status.refused)
        .sample(&[("state", "conflict")], status.conflicts);
    text.gauge(
        "metalbond_kernel_unusable_routes",
        "Routes that are announced and can't be installed because of their next hop.",
    );
    for (reason, count) in status.unusable {
        text.sample(&[("reason", reason)], count);
    }
    text.gauge("metalbond_kernel_nexthop_objects", "Nexthop objects in the kernel.")
        .sample(&[], status.objects);
    text.gauge("metalbond_kernel_device_up", "1 while the tunnel device is there and up.")
        .sample(&[], u8::from(status.device_up));
    text.gauge(
        "metalbond_kernel_silent_seconds",
        "How long the kernel has not answered the request that is under way.",
    )
    .sample(&[], status.silent.as_secs_f64());
    let counters = [
        ("metalbond_kernel_requests_total", "Requests made of the kernel.", status.requests),
        ("metalbond_kernel_refusals_total", "Requests that it refused.", status.refusals),
        (
            "metalbond_kernel_repairs_total",
            "Times that a route was found not to be as it was installed.",
            status.repairs,
        ),
        (
            "metalbond_kernel_reconciles_total",
            "Times that everything was compared with the kernel.",
            status.reconciles,
        ),
    ];
    text.counters(counters);
}

#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
fn kernel(_: &mut Text, kernel: &Kernel) {
    match *kernel {}
}
