//! The policy: the routes that it refuses, and those of the present routes that another policy would refuse.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::ApiError;
use crate::ids::PeerId;
use crate::inspector::walk::walk;
use crate::inspector::{Inspector, PAGE_MAX};
use crate::policy::{Example, Judgement, Policy, Refusal, Rights, Subject};
use crate::session::Identity;
use crate::shard::inspect::{PeerInfo, RouteFilter};
use crate::threads::InspectError;
use crate::wire::Vni;

/// A requirement, and how often it was violated.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct RefusedRow {
    class: String,
    /// 0 is the class itself.
    rule: String,
    reason: String,
    verdict: String,
    refused: u64,
}

/// A class, and its number of sessions.
#[derive(Debug, Serialize)]
struct ClassRow {
    name: String,
    sessions: u64,
}

fn rows(classes: BTreeMap<String, u64>) -> Vec<ClassRow> {
    classes.into_iter().map(|(name, sessions)| ClassRow { name, sessions }).collect()
}

/// The policy in force.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct PolicyRow {
    is_set: bool,
    classes: Vec<ClassRow>,
    filtered_routes: u64,
    refused: Vec<RefusedRow>,
}

pub(super) async fn policy(
    State(inspector): State<Inspector>,
) -> Result<Json<PolicyRow>, ApiError> {
    let policy = inspector.in_force().config.settings.policy;
    let mut classes: BTreeMap<String, u64> =
        policy.class_names().map(|name| (name.to_owned(), 0)).collect();
    let count = |peer: PeerInfo| *classes.entry(peer.class.into()).or_default() += 1;
    walk(|from| inspector.peers(from, PAGE_MAX), count).await?;
    let total = inspector.counters().await?.total;
    let row = |([class, rule, reason, verdict], refused): (&[String; 4], u64)| RefusedRow {
        class: class.clone(),
        rule: rule.clone(),
        reason: reason.clone(),
        verdict: verdict.clone(),
        refused,
    };
    let refused = total.refused.iter().map(row).collect();
    let (is_set, filtered_routes) = (!policy.is_none(), total.now.filtered);
    Ok(Json(PolicyRow { is_set, classes: rows(classes), filtered_routes, refused }))
}

/// Refusals by a policy for one reason.
#[derive(Debug, Serialize)]
struct WouldRefuse {
    class: String,
    rule: u16,
    reason: &'static str,
    verdict: &'static str,
    count: u64,
    /// The first of them: the peer and the reason.
    peer: u64,
    node: String,
    route: Option<String>,
    vni: Option<u32>,
    why: String,
}

/// The effect that a policy would have on the present sessions, subscriptions and routes.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Trial {
    sessions: u64,
    routes: u64,
    subscriptions: u64,
    classes: Vec<ClassRow>,
    would_refuse: Vec<WouldRefuse>,
}

/// The properties of a session that a policy knows.
pub(in crate::admin) fn subject_of(peer: &PeerInfo) -> Subject<'_> {
    let identity = peer.tls.as_ref().map(|tls| &tls.identity);
    Subject {
        address: peer.remote.map(|remote| remote.ip()),
        node: Some(&*peer.node).filter(|node| !node.is_empty()),
        name: identity.and_then(Identity::name),
        proven: identity.map(Identity::addresses).unwrap_or_default(),
        site: None,
    }
}

/// The data gathered for a [`Trial`].
#[derive(Debug)]
struct Judge<'a> {
    policy: &'a Policy,
    /// The rights and the node of each peer.
    peers: HashMap<PeerId, (Rights, String)>,
    refused: BTreeMap<Refusal, WouldRefuse>,
}

impl Judge<'_> {
    fn note(
        &mut self,
        peer: PeerId,
        judgement: Judgement,
        vni: Option<Vni>,
        example: Option<Example>,
    ) {
        let (Judgement::Warned(refusal) | Judgement::Refused(refusal)) = judgement else { return };
        let policy = self.policy;
        let peers = &self.peers;
        let first = || {
            let (rights, node) = peers.get(&peer).cloned().unwrap_or_default();
            let at = vni.unwrap_or(Vni(0));
            WouldRefuse {
                class: policy.name(refusal.class).to_owned(),
                rule: refusal.rule,
                reason: refusal.reason.name(),
                verdict: refusal.then.name(),
                count: 0,
                peer: peer.0,
                node,
                route: example.map(|example| example.to_string()),
                vni: vni.map(|vni| vni.0),
                why: policy.explain(&refusal, rights, at, example.as_ref()),
            }
        };
        self.refused.entry(refusal).or_insert_with(first).count += 1;
    }
}

/// Judges all sessions, subscriptions and routes by another policy. Nothing changes. Cost: that of listing
/// everything, page by page; a route that very many peers announce is judged for the first 64 of them.
///
/// # Errors
/// [`InspectError::Stopped`]
pub(in crate::admin) async fn try_policy(
    inspector: &Inspector,
    policy: &Policy,
) -> Result<Trial, InspectError> {
    let mut judge = Judge { policy, peers: HashMap::new(), refused: BTreeMap::new() };
    let mut classes: BTreeMap<String, u64> =
        policy.class_names().map(|name| (name.to_owned(), 0)).collect();
    let mut sessions = 0;
    let mut meet = |peer: PeerInfo| {
        sessions += 1;
        let rights = policy.rights(&subject_of(&peer));
        *classes.entry(policy.name(rights.class).to_owned()).or_default() += 1;
        judge.peers.insert(peer.id, (rights, peer.node.into()));
        if peer.is_server {
            judge.note(peer.id, policy.serves(rights.class), None, None);
        }
    };
    walk(|from| inspector.peers(from, PAGE_MAX), &mut meet).await?;
    let mut vnis = Vec::new();
    walk(|from| inspector.vnis(from, PAGE_MAX), |row| vnis.push(row.vni)).await?;
    let (mut routes, mut subscriptions) = (0, 0);
    for vni in vnis {
        let filter = RouteFilter::default();
        let mut route = |route: crate::shard::inspect::RouteInfo| {
            routes += 1;
            for peer in route.announcers {
                let Some(&(rights, _)) = judge.peers.get(&peer) else { continue };
                let Some(terms) = policy.terms(rights, vni) else { continue };
                let (destination, next_hop) = (route.destination, route.next_hop);
                let judgement = terms.judge(rights.own, &destination, &next_hop);
                judge.note(peer, judgement, Some(vni), Some(Example { destination, next_hop }));
            }
        };
        walk(|from| inspector.routes(vni, filter, from, PAGE_MAX), &mut route).await?;
    }
    let mut subscription = |it: crate::shard::inspect::SubscriptionInfo| {
        subscriptions += 1;
        let Some(&(rights, _)) = judge.peers.get(&it.peer) else { return };
        judge.note(it.peer, policy.subscribes(rights.class, it.vni), Some(it.vni), None);
    };
    walk(|from| inspector.subscriptions(None, from, PAGE_MAX), &mut subscription).await?;
    let would_refuse = judge.refused.into_values().collect();
    Ok(Trial { sessions, routes, subscriptions, classes: rows(classes), would_refuse })
}
