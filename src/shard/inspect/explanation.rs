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
    /// Somebody announces the route.
    Announced {
        /// Where it is reached.
        next_hop: NextHop,
        /// Who announces it, the primary announcer first.
        by: Vec<PeerId>,
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPeer { peer } => write!(f, "there is no peer {}", peer.0),
            Self::NotEstablished { peer, state } => write!(
                f,
                "the session of peer {} is {state}, and nothing is sent before it is established \
                 nor after it has ended",
                peer.0
            ),
            Self::NotSubscribed { peer, vni } => {
                write!(f, "peer {} is not subscribed to VNI {vni}", peer.0)
            }
            Self::NotAnnounced { vni, destination, next_hop: Some(hop) } => {
                write!(f, "nobody announces {destination} via {hop} in VNI {vni}")
            }
            Self::NotAnnounced { vni, destination, next_hop: None } => {
                write!(f, "nobody announces {destination} in VNI {vni}")
            }
            Self::Announced { next_hop, by } => {
                let names: Vec<_> = by.iter().map(|peer| peer.0.to_string()).collect();
                let who = if by.len() == 1 { "peer" } else { "peers" };
                write!(f, "the route via {next_hop} is announced by {who} {}", names.join(", "))
            }
            Self::OnlyItself { peer, next_hop } => write!(
                f,
                "peer {} announces the route via {next_hop} itself and nobody else does, so it is \
                 not sent back to it",
                peer.0
            ),
            Self::OnlyServers { peer, next_hop } => write!(
                f,
                "peer {} is a reflector and only reflectors announce the route via {next_hop}, \
                 and they do not exchange reflected routes",
                peer.0
            ),
            Self::Gathering { vni } => {
                write!(f, "VNI {vni} has just changed and the change has not been sent on yet")
            }
            Self::InSync { peer, vni } => {
                write!(f, "peer {} is in sync with VNI {vni}", peer.0)
            }
            Self::Behind { peer, vni, entries, places, covered } => {
                write!(
                    f,
                    "peer {} is behind in VNI {vni} by {entries} changes and {places} places of \
                     its dump, and this destination ",
                    peer.0
                )?;
                f.write_str(if *covered { "has been sent already" } else { "is yet to come" })
            }
            Self::Queued { peer, vni, batches, bytes } => write!(
                f,
                "{batches} batches of VNI {vni} with {bytes} bytes wait in the queue of peer {}",
                peer.0
            ),
            Self::Writing { peer, bytes, since } => write!(
                f,
                "a write of {bytes} bytes to peer {} has been in flight for {since:?}",
                peer.0
            ),
            Self::Paced { peer } => {
                write!(f, "peer {} reads badly and is sent to at the pace of its reading", peer.0)
            }
            Self::Paused { peer } => write!(
                f,
                "peer {} is not read from for now, because what it said before is still being \
                 worked on",
                peer.0
            ),
        }
    }
}
