//! Why a peer has a route or does not have it.

use std::fmt;
use std::time::Duration;

use super::rows::SessionState;
use crate::ids::PeerId;
use crate::wire::{Destination, NextHop, Vni};

/// Whether a peer has a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Everything that the peer is owed of this destination has been handed to its socket.
    Sent,
    /// It is owed something that has not been handed to its socket yet.
    Waits,
    /// It is not owed any route of this destination.
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
    /// What it follows from, the most decisive first. Never empty.
    pub reasons: Vec<Reason>,
}

/// One fact that an [`Explanation`] rests on. Shown as one sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// There is no such session.
    NoSuchPeer {
        /// Who was asked about.
        peer: PeerId,
    },
    /// The session is not established, so nothing is sent to it.
    NotEstablished {
        /// Who.
        peer: PeerId,
        /// How far it is.
        state: SessionState,
    },
    /// The peer is not subscribed to the VNI.
    NotSubscribed {
        /// Who.
        peer: PeerId,
        /// To what.
        vni: Vni,
    },
    /// Nobody announces the route.
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
        /// How many announcements and subscriptions, of all VNIs of the shard, since the start.
        count: u64,
    },
    /// There is no room for the VNI: the subscription is served when there is.
    NoRoom {
        /// Who subscribes.
        peer: PeerId,
        /// To what.
        vni: Vni,
    },
    /// Somebody announces the route.
    Announced {
        /// Where it is reached.
        next_hop: NextHop,
        /// Who announces it, the primary announcer first.
        by: Vec<PeerId>,
        /// Other sites where it is announced; the inspector names them.
        sites: Vec<String>,
    },
    /// Somebody announces the route, and the policy refuses it.
    Filtered {
        /// Where it is reached.
        next_hop: NextHop,
        /// Who announces it.
        by: PeerId,
        /// What the policy says, with class and rule.
        why: String,
    },
    /// The peer subscribes to the VNI, and the policy gives it nothing.
    SubscriptionRefused {
        /// Who.
        peer: PeerId,
        /// To what.
        vni: Vni,
        /// What the policy says, with the class.
        why: String,
    },
    /// The peer is the only announcer.
    OnlyItself {
        /// Who.
        peer: PeerId,
        /// Where the route is reached.
        next_hop: NextHop,
    },
    /// The peer is a reflector and only reflectors announce the route.
    OnlyServers {
        /// Who.
        peer: PeerId,
        /// Where the route is reached.
        next_hop: NextHop,
    },
    /// The change has been applied and will be sent with the batch being gathered.
    Gathering {
        /// The VNI.
        vni: Vni,
    },
    /// The peer is in sync with the VNI.
    InSync {
        /// Who.
        peer: PeerId,
        /// With what.
        vni: Vni,
    },
    /// The peer is behind in the VNI.
    Behind {
        /// Who.
        peer: PeerId,
        /// In what.
        vni: Vni,
        /// Entries of the journal to be brought past.
        entries: u64,
        /// Places that its dump has yet to come to.
        places: u64,
        /// Whether it has been sent the destination as it is now nevertheless.
        covered: bool,
    },
    /// Batches of that VNI wait in the peer's queue. The route may be in one of them.
    Queued {
        /// Who.
        peer: PeerId,
        /// Of what.
        vni: Vni,
        /// How many.
        batches: u64,
        /// Bytes of them.
        bytes: u64,
    },
    /// A write to the peer is in flight.
    Writing {
        /// Who.
        peer: PeerId,
        /// Bytes of it.
        bytes: u64,
        /// For how long.
        since: Duration,
    },
    /// The peer is sent to at the pace of its reading.
    Paced {
        /// Who.
        peer: PeerId,
    },
    /// The peer is not read from for now: what it asked for may not have been read.
    Paused {
        /// Who.
        peer: PeerId,
    },
}

impl Reason {
    /// It as a sentence, in which peers are called as `name` says.
    #[must_use]
    pub fn sentence(&self, name: &dyn Fn(PeerId) -> String) -> String {
        let of = |peer: &PeerId| name(*peer);
        match self {
            Self::NoSuchPeer { peer } => format!("there is no peer {}", of(peer)),
            Self::NotEstablished { peer, state } => format!(
                "the session of peer {} is {state}, and nothing is sent before it is established nor after it has \
                 ended",
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
                    "peer {} subscribes to VNI {vni}, and the policy refuses it: {why}",
                    of(peer)
                )
            }
            Self::OnlyItself { peer, next_hop } => format!(
                "peer {} announces the route via {next_hop} itself and nobody else does, so it is not sent back to it",
                of(peer)
            ),
            Self::OnlyServers { peer, next_hop } => format!(
                "peer {} is a reflector and only reflectors announce the route via {next_hop}, and they do not \
                 exchange reflected routes",
                of(peer)
            ),
            waits => waits.sentence_of_waiting(&of),
        }
    }

    /// How far the peer is, and what it waits for.
    fn sentence_of_waiting(&self, of: &dyn Fn(&PeerId) -> String) -> String {
        match self {
            Self::NoRoom { peer, vni } => no_room(&of(peer), *vni),
            Self::Gathering { vni } => {
                format!("VNI {vni} has just changed and the change has not been sent on yet")
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
            Self::Paced { peer } => {
                format!("peer {} reads badly and is sent to at the pace of its reading", of(peer))
            }
            Self::Paused { peer } => format!(
                "peer {} is not read from for now, because what it said before is still being worked on",
                of(peer)
            ),
            _ => String::new(),
        }
    }
}

/// With the numbers of peers.
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

fn no_room(peer: &str, vni: Vni) -> String {
    format!(
        "there is no room for VNI {vni} (max-vnis or memory-budget), and the subscription of peer {peer} is served \
         when there is"
    )
}

/// Names behind what they name; nothing of none.
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
