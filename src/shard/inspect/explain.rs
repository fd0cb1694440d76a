//! From facts to an [`Explanation`]. Pure: what the connection's shard and the VNI's owner know.

use super::questions::ConnectionFacts;
use super::{Explanation, Reason, SessionState, Verdict};
use crate::ids::PeerId;
use crate::table::{DeliveryFacts, SubscriptionState};
use crate::wire::{Destination, NextHop, Vni};

/// What is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ExplainQuery {
    pub(crate) peer: PeerId,
    pub(crate) vni: Vni,
    pub(crate) destination: Destination,
    pub(crate) next_hop: Option<NextHop>,
}

/// Why a peer has the routes that were asked about, or lacks them.
pub(crate) fn explain(
    query: &ExplainQuery,
    connection: Option<&ConnectionFacts>,
    facts: &DeliveryFacts,
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
    let mut reasons = Vec::new();
    for route in &facts.routes {
        let next_hop = route.next_hop;
        reasons.push(if route.is_only_own {
            Reason::OnlyItself { peer, next_hop }
        } else if route.is_only_servers {
            Reason::OnlyServers { peer, next_hop }
        } else {
            Reason::Announced { next_hop, by: route.announcers.clone() }
        });
    }
    let is_owed = reasons.iter().any(|reason| matches!(reason, Reason::Announced { .. }));
    if facts.routes.is_empty() {
        reasons.push(Reason::NotAnnounced { vni, destination, next_hop });
    }
    if !connection.is_subscribed {
        reasons.insert(0, Reason::NotSubscribed { peer, vni });
        reasons.extend(connection.info.is_paused.then_some(Reason::Paused { peer }));
        return not_owed(reasons);
    }
    let mut waits = Vec::new();
    subscription(query, facts, &mut reasons, &mut waits);
    let (batches, bytes) = connection.queued;
    if batches > 0 {
        waits.push(Reason::Queued { peer, vni, batches, bytes });
    }
    if let Some(since) = connection.info.writing_for {
        waits.push(Reason::Writing { peer, bytes: connection.in_flight, since });
    }
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

/// How far the peer's subscription has come, and what it waits for.
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
