//! Derives an [`Explanation`] from the facts that the connection's shard and the VNI's owner know. Pure.

use super::questions::{ConnectionFacts, ExplainQuery};
use super::{Explanation, Reason, SessionState, Verdict};
use crate::ids::PeerId;
use crate::outbox::Unsent;
use crate::policy::{Example, Policy};
use crate::table::{DeliveryFacts, FilteredFacts, RouteFacts, SubscriptionState};

/// Why a peer has the routes that were asked about, or lacks them.
pub(crate) fn explain(
    query: &ExplainQuery,
    connection: Option<&ConnectionFacts>,
    facts: &DeliveryFacts,
    policy: &Policy,
) -> Explanation {
    let ExplainQuery { peer, vni, destination, next_hop } = *query;
    let not_owed = |reasons| Explanation { verdict: Verdict::NotOwed, reasons };
    let Some(connection) = connection else {
        return not_owed(vec![Reason::NoSuchPeer { peer }]);
    };
    let state = connection.info.state;
    if state != SessionState::Established {
        return not_owed(vec![Reason::NotEstablished { peer, state }]);
    }
    let mut reasons: Vec<Reason> = facts.routes.iter().map(|it| announced(peer, it)).collect();
    let is_owed = reasons.iter().any(|reason| matches!(reason, Reason::Announced { .. }));
    if facts.routes.is_empty() && facts.filtered.is_empty() {
        reasons.push(Reason::NotAnnounced { vni, destination, next_hop });
        reasons.extend((facts.refused > 0).then_some(Reason::Refused { count: facts.refused }));
    }
    for filtered in &facts.filtered {
        let FilteredFacts { next_hop, peer, rights, refusal } = filtered;
        let example = Example { destination, next_hop: *next_hop };
        let why = policy.explain(refusal, *rights, vni, Some(&example));
        reasons.push(Reason::Filtered { next_hop: *next_hop, by: *peer, why });
    }
    if !connection.is_subscribed {
        let why_not = match &connection.refused {
            Some(why) => Reason::SubscriptionRefused { peer, vni, why: why.clone() },
            None => Reason::NotSubscribed { peer, vni },
        };
        reasons.insert(0, why_not);
        reasons.extend(connection.info.is_paused.then_some(Reason::Paused { peer }));
        return not_owed(reasons);
    }
    let mut waits = Vec::new();
    waits.extend(connection.is_unserved.then_some(Reason::NoRoom { peer, vni }));
    subscription(query, facts, &mut reasons, &mut waits);
    delivery(query, connection, facts, &mut waits);
    reasons.extend(reported(query, connection).filter(|_| is_owed));
    let verdict = match (is_owed, waits.is_empty()) {
        (false, _) => Verdict::NotOwed,
        (true, true) => Verdict::Sent,
        (true, false) => Verdict::Waits,
    };
    let is_waiting = !waits.is_empty();
    if verdict == Verdict::Waits {
        waits.append(&mut reasons);
        reasons = waits;
    } else {
        reasons.append(&mut waits);
    }
    if is_waiting && connection.info.is_paced {
        reasons.push(Reason::Paced { peer });
    }
    Explanation { verdict, reasons }
}

/// The reason why a peer is owed a route, or is not.
fn announced(peer: PeerId, route: &RouteFacts) -> Reason {
    let next_hop = route.next_hop;
    if route.is_only_in_dump {
        Reason::OnlyItselfInDump { peer, next_hop }
    } else if route.is_only_own {
        Reason::OnlyItself { peer, next_hop }
    } else if route.is_only_servers {
        Reason::OnlyServers { peer, next_hop }
    } else if let Some(instead) = route.instead {
        Reason::OtherNextHop { peer, next_hop, instead }
    } else {
        Reason::Announced { next_hop, by: route.announcers.clone(), sites: Vec::new() }
    }
}

/// The peer's latest report of the VNI.
fn reported(query: &ExplainQuery, connection: &ConnectionFacts) -> Option<Reason> {
    let (report, age) = connection.reported?;
    let (ExplainQuery { peer, vni, .. }, installed) = (*query, report.installed);
    Some(Reason::Reported { peer, vni, routes: report.routes.routes, installed, age })
}

/// Adds the queue and the write in flight to `waits`, if they hold these routes. Batches and writes without these
/// routes do not count: a reflector that is at work writes to all peers all the time.
fn delivery(
    &ExplainQuery { peer, vni, .. }: &ExplainQuery,
    connection: &ConnectionFacts,
    facts: &DeliveryFacts,
    waits: &mut Vec<Reason>,
) {
    let owed = facts
        .routes
        .iter()
        .filter(|it| !it.is_only_own && !it.is_only_servers && it.instead.is_none());
    // The newest change of these routes: it waits in bytes that begin at or before its position, or it is sent.
    let changed = owed.filter_map(|route| route.changed).max();
    let is_from =
        |start: Option<u64>| changed.zip(start).is_some_and(|(changed, start)| changed >= start);
    let Unsent { batches, bytes, first, is_in_answer } = connection.unsent;
    let is_queued = batches > 0 && (is_in_answer || is_from(first));
    // An answer to a cursor holds changes of any age.
    let is_written = connection.in_flight_from == Some(0) || is_from(connection.in_flight_from);
    if is_queued {
        waits.push(Reason::Queued { peer, vni, batches, bytes });
    }
    // All waiting bytes go behind the write in flight.
    if (is_written || !waits.is_empty())
        && let Some(since) = connection.info.writing_for
    {
        waits.push(Reason::Writing { peer, bytes: connection.in_flight, since });
    }
}

/// Adds how far the peer's subscription has come, and the reason if it waits.
fn subscription(
    &ExplainQuery { peer, vni, .. }: &ExplainQuery,
    facts: &DeliveryFacts,
    reasons: &mut Vec<Reason>,
    waits: &mut Vec<Reason>,
) {
    match facts.subscription {
        Some(SubscriptionState::InSync) => {
            if facts.routes.iter().any(|route| route.is_gathering) {
                waits.push(Reason::Gathering { vni });
            }
            reasons.push(Reason::InSync { peer, vni });
        }
        behind => {
            let (entries, places) = match behind {
                Some(SubscriptionState::Behind { entries, places }) => (entries, places),
                _ => (0, 0), // its SUBSCRIBE is on its way to the owner
            };
            let covered = !facts.routes.is_empty() && facts.routes.iter().all(|r| r.is_covered);
            let reason = Reason::Behind { peer, vni, entries, places, covered };
            if covered { reasons.push(reason) } else { waits.push(reason) }
        }
    }
}
