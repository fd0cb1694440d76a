//! Why a peer has a route or does not have it.

use std::fmt;
use std::time::Duration;

use super::rows::SessionState;
use crate::ids::PeerId;
use crate::wire::{Destination, Installed, NextHop, Vni};

/// Whether a peer has a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All routes of this destination that the peer should have have been written to its socket.
    Sent,
    /// A change of this destination waits to be written to the peer's socket.
    Waits,
    /// The peer should have no route of this destination.
    NotOwed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "sent",
            Self::Waits => "waits",
            Self::NotOwed => "not owed",
        })
    }
}

/// The answer to "does this peer have this route, and why".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The answer.
    pub verdict: Verdict,
    /// The reasons for the verdict, the most decisive first. Never empty.
    pub reasons: Vec<Reason>,
}

/// One fact of an [`Explanation`]. `Display` writes it as one sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// There is no such session.
    NoSuchPeer {
        /// The peer of the question.
        peer: PeerId,
    },
    /// The session is not established, so nothing is sent to it.
    NotEstablished {
        /// The peer.
        peer: PeerId,
        /// The state of its session.
        state: SessionState,
    },
    /// The peer is not subscribed to the VNI.
    NotSubscribed {
        /// The peer.
        peer: PeerId,
        /// The VNI.
        vni: Vni,
    },
    /// No peer announces the route.
    NotAnnounced {
        /// The VNI.
        vni: Vni,
        /// The prefix.
        destination: Destination,
        /// The next hop, if one was asked about.
        next_hop: Option<NextHop>,
    },
    /// Limits have refused announcements; the route may be among them.
    Refused {
        /// The number of refused announcements and subscriptions, of all VNIs of the shard, since the start.
        count: u64,
    },
    /// A limit leaves no room for the VNI: the subscription is served when there is room.
    NoRoom {
        /// The subscriber.
        peer: PeerId,
        /// The VNI.
        vni: Vni,
    },
    /// A peer announces the route.
    Announced {
        /// Its next hop.
        next_hop: NextHop,
        /// Its announcers, the primary announcer first.
        by: Vec<PeerId>,
        /// Other sites where it is announced; the inspector names them.
        sites: Vec<String>,
    },
    /// A peer announces the route, and the policy refuses it.
    Filtered {
        /// Its next hop.
        next_hop: NextHop,
        /// The announcer.
        by: PeerId,
        /// What the policy says, with class and rule.
        why: String,
    },
    /// The peer subscribes to the VNI, and the policy refuses the subscription.
    SubscriptionRefused {
        /// The peer.
        peer: PeerId,
        /// The VNI.
        vni: Vni,
        /// What the policy says, with the class.
        why: String,
    },
    /// The peer is the only announcer.
    OnlyItself {
        /// The peer.
        peer: PeerId,
        /// Its next hop.
        next_hop: NextHop,
    },
    /// The peer is the only announcer, and receives such a route back only in the answer to a SUBSCRIBE.
    OnlyItselfInDump {
        /// The peer.
        peer: PeerId,
        /// Its next hop.
        next_hop: NextHop,
    },
    /// The peer receives one next hop of each destination, and not this one.
    OtherNextHop {
        /// The peer.
        peer: PeerId,
        /// The next hop that it does not receive.
        next_hop: NextHop,
        /// The next hop that it receives.
        instead: NextHop,
    },
    /// The peer is a server, and only servers announce the route.
    OnlyServers {
        /// The peer.
        peer: PeerId,
        /// Its next hop.
        next_hop: NextHop,
    },
    /// The change has been applied and will be sent with the next batch.
    Gathering {
        /// The VNI.
        vni: Vni,
    },
    /// The peer is in sync with the VNI.
    InSync {
        /// The peer.
        peer: PeerId,
        /// The VNI.
        vni: Vni,
    },
    /// The peer is behind in the VNI.
    Behind {
        /// The peer.
        peer: PeerId,
        /// The VNI.
        vni: Vni,
        /// The number of journal entries between the peer's cursor and the newest.
        entries: u64,
        /// The number of places that its dump has not reached yet.
        places: u64,
        /// Whether it has been sent the present state of this destination nevertheless.
        covered: bool,
    },
    /// Batches of that VNI wait in the peer's queue. The route may be in one of them.
    Queued {
        /// The peer.
        peer: PeerId,
        /// The VNI.
        vni: Vni,
        /// The number of batches.
        batches: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// A write to the peer is in flight.
    Writing {
        /// The peer.
        peer: PeerId,
        /// Its bytes.
        bytes: u64,
        /// For how long it has lasted.
        since: Duration,
    },
    /// The peer reports which routes it has.
    Reported {
        /// The peer.
        peer: PeerId,
        /// The VNI.
        vni: Vni,
        /// The number of routes of the VNI that it has reported.
        routes: u64,
        /// What it has reported of its kernel; `None` if it writes no routes of the VNI to a kernel.
        installed: Option<Installed>,
        /// The age of its report.
        age: Duration,
    },
    /// The reflector paces the peer.
    Paced {
        /// The peer.
        peer: PeerId,
    },
    /// The reflector does not read the peer for now, so a recent request of the peer may not have been read.
    Paused {
        /// The peer.
        peer: PeerId,
    },
}

impl Reason {
    /// The fact as one sentence. `name` gives the names of peers.
    #[must_use]
    pub fn sentence(&self, name: &dyn Fn(PeerId) -> String) -> String {
        let of = |peer: &PeerId| name(*peer);
        match self {
            Self::NoSuchPeer { peer } => format!("there is no peer {}", of(peer)),
            Self::NotEstablished { peer, state } => format!(
                "the session of peer {} is {state}, and the reflector sends routes only in an \
                 established session",
                of(peer)
            ),
            Self::NotSubscribed { peer, vni } => {
                format!("peer {} is not subscribed to VNI {vni}", of(peer))
            }
            Self::NotAnnounced { vni, destination, next_hop } => match next_hop {
                Some(hop) => format!("nobody announces {destination} via {hop} in VNI {vni}"),
                None => format!("nobody announces {destination} in VNI {vni}"),
            },
            Self::Refused { count } => refused(*count),
            Self::Announced { next_hop, by, sites } => {
                let by: Vec<_> = by.iter().map(of).collect();
                announced(next_hop, &by, sites)
            }
            Self::Filtered { next_hop, by, why } => format!(
                "peer {} announces the route via {next_hop}, and the policy refuses it: {why}",
                of(by)
            ),
            Self::SubscriptionRefused { peer, vni, why } => {
                format!(
                    "peer {} subscribes to VNI {vni}, and the policy refuses the subscription: \
                     {why}",
                    of(peer)
                )
            }
            Self::OnlyItself { peer, next_hop } => format!(
                "only peer {} itself announces the route via {next_hop}, and the reflector sends \
                 no route back to its announcer",
                of(peer)
            ),
            Self::OnlyItselfInDump { peer, next_hop } => format!(
                "only peer {} itself announces the route via {next_hop}, and the reflector sends \
                 such a route back to its announcer only in the answer to a SUBSCRIBE (echo = dump)",
                of(peer)
            ),
            Self::OtherNextHop { peer, next_hop, instead } => format!(
                "peer {} receives one next hop per destination; it has {instead}, so it does not \
                 receive {next_hop}",
                of(peer)
            ),
            Self::OnlyServers { peer, next_hop } => format!(
                "peer {} is a reflector, and only reflectors announce the route via {next_hop}: \
                 reflectors do not exchange reflected routes",
                of(peer)
            ),
            waits => waits.sentence_of_waiting(&of),
        }
    }

    /// The sentence for how far the peer is, and for what it waits.
    fn sentence_of_waiting(&self, of: &dyn Fn(&PeerId) -> String) -> String {
        match self {
            Self::NoRoom { peer, vni } => no_room(&of(peer), *vni),
            Self::Gathering { vni } => {
                format!("VNI {vni} has just changed, and the reflector has not sent the change yet")
            }
            Self::InSync { peer, vni } => format!("peer {} is in sync with VNI {vni}", of(peer)),
            Self::Behind { peer, vni, entries, places, covered } => {
                let so_far = if *covered { "has been sent already" } else { "is yet to come" };
                format!(
                    "peer {} is behind in VNI {vni} by {entries} changes and {places} places of its dump, and this \
                     destination {so_far}",
                    of(peer)
                )
            }
            Self::Queued { peer, vni, batches, bytes } => format!(
                "{batches} batches of VNI {vni} with {bytes} bytes wait in the queue of peer {}",
                of(peer)
            ),
            Self::Writing { peer, bytes, since } => format!(
                "a write of {bytes} bytes to peer {} has been in flight for {since:?}",
                of(peer)
            ),
            Self::Reported { peer, vni, routes, installed, age } => {
                reported(&of(peer), *vni, *routes, installed.as_ref(), *age)
            }
            Self::Paced { peer } => {
                format!(
                    "peer {} reads slowly, and the reflector sends at the pace at which the \
                     peer reads",
                    of(peer)
                )
            }
            Self::Paused { peer } => format!(
                "the reflector does not read from peer {} now, because it still works on earlier \
                 messages of this peer",
                of(peer)
            ),
            _ => String::new(),
        }
    }
}

/// Names peers by their numbers.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(&|peer| peer.to_string()))
    }
}

fn refused(count: u64) -> String {
    format!(
        "the shard of the VNI has refused {count} announcements and subscriptions at a limit since the start \
         (metalbond ctl show limits), and the route may be among them"
    )
}

fn reported(
    peer: &str,
    vni: Vni,
    routes: u64,
    installed: Option<&Installed>,
    age: Duration,
) -> String {
    let kernel = installed.map_or_else(String::new, |Installed { wanted, accepted, .. }| {
        format!(", and its kernel has {accepted} of the {wanted} routes that it should have")
    });
    let seconds = age.as_secs();
    format!("peer {peer} reported {seconds}s ago that it has {routes} routes of VNI {vni}{kernel}")
}

fn no_room(peer: &str, vni: Vni) -> String {
    format!(
        "there is no room for VNI {vni} (max-vnis or memory-budget), and the subscription of peer \
         {peer} waits until there is room"
    )
}

/// The names behind the word for them; `None` without names.
fn several(what: &str, names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(format!("{what} {name}")),
        names => Some(format!("{what}s {}", names.join(", "))),
    }
}

fn announced(next_hop: &NextHop, by: &[String], sites: &[String]) -> String {
    let all = [
        several("peer", by).map(|peers| format!("by {peers}")),
        several("site", sites).map(|sites| format!("at {sites}")),
    ];
    let all: Vec<_> = all.into_iter().flatten().collect();
    format!("the route via {next_hop} is announced {}", all.join(" and "))
}
