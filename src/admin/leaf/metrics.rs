//! The counters of a leaf, in the text form of Prometheus. `netlink::Status` has those about the kernel.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tokio::time::timeout;

use super::api::ApiError;
use super::kernel;
use super::sources::{STUCK, Sources};
use crate::admin::server::process;
use crate::client::{Error, PeerState};
use crate::metrics::{CONTENT_TYPE as TEXT, Families, Row, Rows, Text, Value};

pub(super) async fn metrics(State(sources): State<Sources>) -> Result<impl IntoResponse, ApiError> {
    let mut families = Families::default();
    // The metrics that do not need the leaf are shown even when it does not answer.
    let answer = timeout(STUCK, Known::of(&sources)).await;
    families.add(process(answer.is_ok()));
    if let Ok(known) = answer {
        families.add(known?.rows());
    }
    if let Some(rows) = sources.kernel.as_ref().and_then(kernel::counts) {
        families.add(rows);
    }
    let mut text = Text::default();
    families.write(&mut text);
    process::write(&mut text);
    Ok(([(CONTENT_TYPE, TEXT)], text.finish()))
}

/// Metrics of the process as a whole.
fn process(answers: bool) -> Rows {
    let version = vec![(vec![env!("CARGO_PKG_VERSION").to_owned()], 1)];
    vec![
        (
            Row::new()
                .gauge(
                    "metalbond_build_info",
                    "Always 1; the label has the version of the program.",
                )
                .by(&["version"]),
            Value::Labelled(version),
        ),
        (
            Row::new().gauge(
                "metalbond_leaf_answers",
                "1 while the leaf answers; while it is 0, the metrics of peers, routes and subscriptions \
                 are absent.",
            ),
            Value::Switch(answers),
        ),
    ]
}

/// The sums of what the leaf knows.
#[derive(Debug, Default)]
struct Known {
    /// The number of servers by the state of their session.
    by_state: BTreeMap<String, u64>,
    sessions: Vec<(Vec<String>, u64)>,
    skipped: Vec<(Vec<String>, u64)>,
    vnis: u64,
    routes: u64,
    stale: u64,
    refused: u64,
    behind: u64,
}

impl Known {
    /// Asks the leaf. Cost: a copy of the servers' states, and a few numbers of each VNI.
    async fn of(sources: &Sources) -> Result<Self, Error> {
        let states = [
            PeerState::Connecting,
            PeerState::HelloSent,
            PeerState::HelloReceived,
            PeerState::Established,
            PeerState::Retry,
        ];
        let name = |state: PeerState| state.to_string().to_lowercase();
        let mut known =
            Self { by_state: states.map(|state| (name(state), 0)).into(), ..Self::default() };
        for (address, peer) in sources.leaf.peers().await? {
            *known.by_state.entry(name(peer.state)).or_default() += 1;
            for (reason, count) in &peer.skipped {
                known.skipped.push((vec![address.clone(), (*reason).to_owned()], *count));
            }
            known.sessions.push((vec![address], peer.sessions));
        }
        sources
            .each_vni(|status| {
                known.vnis += 1;
                known.routes += status.routes as u64;
                known.stale += status.stale as u64;
                known.refused += status.refused as u64;
                known.behind += u64::from(status.in_sync.is_empty());
            })
            .await?;
        Ok(known)
    }

    fn rows(self) -> Rows {
        let by_state = self.by_state.into_iter().map(|(state, count)| (vec![state], count));
        vec![
            (
                Row::new()
                    .gauge("metalbond_peers", "Servers by the state of their session.")
                    .by(&["state"]),
                Value::Labelled(by_state.collect()),
            ),
            (
                Row::new()
                    .counter("metalbond_peer_sessions_total", "Sessions with a server that were established.")
                    .by(&["peer"]),
                Value::Labelled(self.sessions),
            ),
            (
                Row::new()
                    .counter(
                        "metalbond_messages_skipped_total",
                        "Messages of a server that the leaf could not understand and skipped.",
                    )
                    .by(&["peer", "why"]),
                Value::Labelled(self.skipped),
            ),
            (
                Row::new()
                    .gauge("metalbond_routes", "Routes in the leaf's tables, stale ones included."),
                Value::Number(self.routes),
            ),
            (
                Row::new().gauge(
                    "metalbond_routes_stale",
                    "Routes that no server has now and that the leaf keeps for the stale time.",
                ),
                Value::Number(self.stale),
            ),
            (
                Row::new().gauge(
                    "metalbond_routes_refused",
                    "Routes that servers announce and that the leaf refuses because of --max-routes or \
                     --max-routes-per-vni.",
                ),
                Value::Number(self.refused),
            ),
            (
                Row::new().gauge("metalbond_subscriptions", "VNIs that the leaf subscribes to."),
                Value::Number(self.vnis),
            ),
            (
                Row::new().gauge(
                    "metalbond_subscriptions_behind",
                    "Subscribed VNIs of which the leaf has no complete table from any server.",
                ),
                Value::Number(self.behind),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{asked_of_leaves, documented};

    /// docs/http.md names each metric of a leaf, with its labels.
    #[test]
    fn every_metric_is_documented_with_its_labels() {
        let page = include_str!("../../../docs/http.md");
        let (_, section) = page.split_once("\n## A leaf\n").unwrap();
        let rows = [process(true), Known::default().rows()].concat();
        for (name, _) in documented(rows) {
            assert!(section.contains(&format!("`{name}`")), "no {name}");
        }
    }

    /// The metrics of the kernel are in `netlink::rows`.
    #[test]
    fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
        let documented = documented([process(true), Known::default().rows()].concat());
        let is_there =
            |asked: &str| documented.iter().any(|(name, _)| name.split('{').next() == Some(asked));
        for asked in asked_of_leaves().filter(|asked| !asked.starts_with("metalbond_kernel_")) {
            assert!(is_there(asked), "no {asked}");
        }
    }
}
