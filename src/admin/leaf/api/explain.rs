//! Whether the kernel has a route, and why not: what servers announce, what the leaf takes in, what the kernel says.

use std::net::Ipv6Addr;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use tokio::time::timeout;

use super::ApiError;
use super::routes::RouteRow;
use crate::admin::leaf::kernel;
use crate::admin::leaf::kernel_rows::{Installed, LeftOut, RouteInKernel};
use crate::admin::leaf::sources::{STUCK, Sources};
use crate::admin::server::asked::{ExplainAsked, Wrong};
use crate::admin::server::date::in_words;
use crate::client::{NetworkStatus, PeerState, Route, RouteStatus};
use crate::wire::{Destination, NextHop, NextHopType, Vni};

/// The verdict, the sentences that give its reasons, and the facts behind them.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    verdict: &'static str,
    reasons: Vec<String>,
    routes: Vec<RouteRow>,
    kernel: Option<RouteInKernel>,
}

pub(super) async fn explain(
    State(sources): State<Sources>,
    asked: Result<Query<ExplainAsked>, QueryRejection>,
) -> Result<Json<Explained>, ApiError> {
    let asked = asked?.0;
    if asked.peer.is_some() {
        let sentence = "a leaf explains routes of its own kernel: ask without a peer";
        return Err(Wrong(sentence.into()).into());
    }
    let (vni, destination, next_hop) = asked.route()?;
    let mut network = sources.leaf.network_status(vni, destination).await?;
    let is_meant = |route: &Route| next_hop.is_none_or(|hop| hop == route.next_hop);
    network.routes.retain(|it| is_meant(&it.route));
    network.refused.retain(|(route, _)| is_meant(route));
    let kernel = match &sources.kernel {
        None => None,
        Some(kernel) => {
            let routes = network.routes.iter().map(|it| it.route).collect();
            let found = timeout(STUCK, kernel::route(kernel, vni, destination, routes)).await;
            let found = found.map_err(|_| ApiError::KernelSilent)?;
            found.ok_or(ApiError::KernelWriter)?
        }
    };
    let facts = Facts {
        vni,
        destination,
        next_hop,
        installs: sources.kernel.is_some(),
        missing: sources.missing_of(vni).await?,
        network: &network,
        kernel: kernel.as_ref(),
    };
    let (verdict, reasons) = facts.explain();
    let routes = network.routes.iter().cloned().map(RouteRow::from).collect();
    Ok(Json(Explained { verdict, reasons, routes, kernel }))
}

/// All known facts about a route.
struct Facts<'a> {
    vni: Vni,
    destination: Destination,
    next_hop: Option<NextHop>,
    /// Whether this leaf installs routes.
    installs: bool,
    /// Why the leaf lacks a complete table of the VNI.
    missing: Option<String>,
    network: &'a NetworkStatus,
    /// `None` if the VNI has no table.
    kernel: Option<&'a RouteInKernel>,
}

impl Facts<'_> {
    /// The verdict in one word, and the sentences that give the reasons.
    fn explain(&self) -> (&'static str, Vec<String>) {
        let Self { vni, network, .. } = self;
        let mut reasons = Vec::new();
        let verdict = if !network.is_subscribed {
            reasons.push(format!("the leaf is not subscribed to VNI {vni} (--subscribe)"));
            "not_subscribed"
        } else if network.routes.is_empty() {
            self.unknown(&mut reasons)
        } else {
            reasons.extend(network.routes.iter().map(announced));
            self.known(&mut reasons)
        };
        reasons.extend(network.refused.iter().map(|(route, servers)| {
            let (hop, servers) = (route.next_hop, servers.join(" and "));
            format!(
                "the route via {hop} is announced by {servers}, and the leaf refuses it because \
                 of a limit on routes (max-routes, max-routes-per-vni)"
            )
        }));
        reasons.extend(self.in_kernel());
        (verdict, reasons)
    }

    /// No server announces the route, as far as the leaf knows.
    fn unknown(&self, reasons: &mut Vec<String>) -> &'static str {
        let Self { vni, destination, next_hop, missing, network, .. } = self;
        if !network.refused.is_empty() {
            return "limit";
        }
        let via = next_hop.map(|hop| format!(" via {hop}")).unwrap_or_default();
        reasons.push(format!("no server announces {destination}{via} in VNI {vni}"));
        reasons.extend(missing.clone());
        if network.forgotten > 0 {
            reasons.push(format!(
                "{} routes of VNI {vni} are kept out by a limit and only counted (max-routes, max-routes-per-vni): \
                 this may be one of them",
                network.forgotten
            ));
        }
        "not_announced"
    }

    /// A server announces the route: why the kernel has it or lacks it.
    fn known(&self, reasons: &mut Vec<String>) -> &'static str {
        let Self { vni, network, .. } = self;
        if !self.installs {
            reasons.push("this leaf installs no routes (--install-routes)".to_owned());
            return "not_installing";
        }
        let Some(kernel) = self.kernel else {
            reasons.push(format!("VNI {vni} has no routing table (--install-routes)"));
            return "no_table";
        };
        let is_own =
            |it: &RouteStatus| network.is_own && it.route.next_hop.kind() == NextHopType::Standard;
        let has_own = network.routes.iter().any(is_own);
        if has_own {
            reasons.push(
                "this host announces the network itself, so its kernel gets no route to other hosts"
                    .to_owned(),
            );
        }
        let mut is_excluded = false;
        for LeftOut { route, is_excluded: is, words } in &kernel.left_out {
            let how = if *is { "is excluded" } else { "cannot be installed" };
            reasons.push(format!("the route via {} {how}: {words}", route.next_hop));
            is_excluded |= is;
        }
        let is_left_out =
            |it: &RouteStatus| kernel.left_out.iter().any(|left_out| left_out.route == it.route);
        if network.routes.iter().all(|it| is_own(it) || is_left_out(it)) {
            return match (has_own, is_excluded) {
                (true, _) => "own",
                (_, true) => "excluded",
                _ => "unusable",
            };
        }
        match kernel.state {
            // It is on its way to the writer.
            "not_wanted" => "pending",
            state => state,
        }
    }

    /// The kernel's route, and the obstacle to it.
    fn in_kernel(&self) -> Vec<String> {
        let Some(RouteInKernel { table, state, why, installed, .. }) = self.kernel else {
            return Vec::new();
        };
        let mut reasons = Vec::new();
        if let Some(why) = why {
            let lacks = match installed {
                Some(_) => "has not changed its route",
                None => "has no route",
            };
            reasons.push(format!("the kernel {lacks} in table {table}: {why}"));
        }
        if let Some(Installed { next_hops, since_seconds, was_found }) = installed {
            let hops: Vec<_> = next_hops.iter().map(Ipv6Addr::to_string).collect();
            let via = if hops.is_empty() {
                String::new()
            } else {
                format!(" via {}", hops.join(" and "))
            };
            let since = std::time::Duration::try_from_secs_f64(*since_seconds).unwrap_or_default();
            let came = if *was_found { "the leaf found it there" } else { "installed" };
            reasons.push(format!(
                "the kernel has it in table {table}{via}, {came} {} ago",
                in_words(since)
            ));
            if *state == "not_wanted" && self.network.routes.is_empty() {
                reasons.push(
                    "the leaf removes it when it knows that no server announces it any more"
                        .to_owned(),
                );
            }
        }
        reasons
    }
}

/// The servers that announce a route, and since when it is known.
fn announced(RouteStatus { route, servers, since, stale_since }: &RouteStatus) -> String {
    let ago = |then: &Instant| in_words(then.elapsed());
    let (hop, servers) = (route.next_hop, servers.join(" and "));
    match stale_since {
        None => {
            format!(
                "the route via {hop} is announced by {servers}; the leaf has had it for {}",
                ago(since)
            )
        }
        Some(stale) => format!(
            "the route via {hop} is stale: no server has had it for {}; the leaf keeps it for the \
             stale time (stale-time), or until the servers have sent complete tables without it",
            ago(stale)
        ),
    }
}

impl Sources {
    /// Why the leaf lacks a complete table of a VNI; `None` if it has one.
    async fn missing_of(&self, vni: Vni) -> Result<Option<String>, ApiError> {
        let peers = self.leaf.peers().await?;
        if !peers.iter().any(|(_, peer)| peer.state == PeerState::Established) {
            return Ok(Some("no server is connected".to_owned()));
        }
        let after = vni.0.checked_sub(1).map(Vni);
        let status = self.leaf.vni_statuses(after, 1).await?.pop();
        let is_whole = status.is_some_and(|it| it.vni == vni && !it.in_sync.is_empty());
        Ok((!is_whole).then(|| format!("the table of VNI {vni} has not come from any server yet")))
    }
}
