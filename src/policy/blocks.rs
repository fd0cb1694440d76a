//! [`Block`]: what an operator has the reflector refuse for a while, whatever the configuration says.
//!
//! A block of a peer closes its sessions. A block of a prefix or VNI filters routes: they come back when it ends.

use std::fmt;
use std::net::IpAddr;

use super::prefixes::PrefixRange;
use super::subject::Subject;
use crate::wire::{Destination, Vni};

/// The most blocks at a time. A run of updates looks at each.
pub(crate) const BLOCKS: usize = 64;

/// The peers or routes that a block refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Blocked {
    /// Peers whose node has this name, claimed or proven.
    Node(String),
    /// Peers whose connections come from these addresses.
    Source(PrefixRange),
    /// Routes of these destinations, in one VNI or in all.
    Prefix(PrefixRange, Option<Vni>),
    /// All routes of a VNI.
    Vni(Vni),
}

/// A block, for a limited time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    /// The number of the block, from 1 on, over a line of processes.
    pub(crate) id: u32,
    pub(crate) what: Blocked,
    /// When it began and when it will end, in microseconds since 1970.
    pub(crate) since: u64,
    pub(crate) until: u64,
    /// The user who asked for it, if the system said.
    pub(crate) uid: Option<u32>,
}

/// There are [`BLOCKS`] already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooManyBlocks;

/// All blocks, in the order of their numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Blocks {
    all: Vec<Block>,
    /// The number of the latest block.
    latest: u32,
}

impl Blocked {
    /// Peers from the network of an address or prefix, and everything within it.
    pub(crate) fn source(network: Destination) -> Self {
        Self::Source(PrefixRange::within(network.network()))
    }

    /// Routes to a prefix; with `longer`, to everything within it as well.
    pub(crate) fn prefix(prefix: Destination, longer: bool, vni: Option<Vni>) -> Self {
        let prefix = prefix.network();
        let range = if longer { PrefixRange::within(prefix) } else { PrefixRange::only(prefix) };
        Self::Prefix(range, vni)
    }

    /// Whether it refuses a peer.
    pub(crate) fn meets(&self, peer: &Subject<'_>) -> bool {
        match self {
            Self::Node(name) => peer.node == Some(name) || peer.name == Some(name),
            Self::Source(range) => {
                let host = |address: IpAddr| Destination::host(address.to_canonical());
                peer.address.map(host).is_some_and(|host| range.holds(&host))
            }
            Self::Prefix(..) | Self::Vni(_) => false,
        }
    }

    /// Whether it is about peers, and not about routes.
    pub(crate) fn is_of_peers(&self) -> bool {
        matches!(self, Self::Node(_) | Self::Source(_))
    }

    /// The prefix that contains all its routes; `None` if it refuses all routes, or peers.
    pub(crate) fn within(&self) -> Option<Destination> {
        match self {
            Self::Prefix(range, _) => Some(range.network()),
            _ => None,
        }
    }

    /// Whether it refuses routes of a VNI.
    pub(crate) fn concerns(&self, vni: Vni) -> bool {
        match self {
            Self::Prefix(_, of) => of.is_none_or(|of| of == vni),
            Self::Vni(of) => *of == vni,
            Self::Node(_) | Self::Source(_) => false,
        }
    }

    /// Whether it refuses a route of a VNI.
    pub(crate) fn covers(&self, vni: Vni, to: &Destination) -> bool {
        let is_meant = match self {
            Self::Prefix(range, _) => range.holds(to),
            _ => true,
        };
        is_meant && self.concerns(vni)
    }
}

/// `node hv-1`, `source 192.0.2.0/24`, `prefix 10.0.0.0/8 le 32 in VNI 7`, `VNI 7`.
impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node {name}"),
            Self::Source(range) => write!(f, "source {}", range.network()),
            Self::Prefix(range, None) => write!(f, "prefix {range}"),
            Self::Prefix(range, Some(vni)) => write!(f, "prefix {range} in VNI {vni}"),
            Self::Vni(vni) => write!(f, "VNI {vni}"),
        }
    }
}

impl Blocks {
    /// Takes over the blocks of another process, with the number of its latest. Leaves out blocks beyond [`BLOCKS`].
    pub(crate) fn go_on_from(all: Vec<Block>, latest: u32) -> Self {
        let highest = all.iter().map(|block| block.id).max().unwrap_or(0);
        Self { all: all.into_iter().take(BLOCKS).collect(), latest: latest.max(highest) }
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Block> {
        self.all.iter()
    }

    /// The number of the latest block ever.
    pub(crate) fn latest(&self) -> u32 {
        self.latest
    }

    /// A copy with one more block, and that block.
    ///
    /// # Errors
    /// [`TooManyBlocks`]
    pub(crate) fn with(
        &self,
        what: Blocked,
        since: u64,
        until: u64,
        uid: Option<u32>,
    ) -> Result<(Self, Block), TooManyBlocks> {
        if self.all.len() >= BLOCKS {
            return Err(TooManyBlocks);
        }
        let mut next = self.clone();
        next.latest = self.latest.saturating_add(1);
        let block = Block { id: next.latest, what, since, until, uid };
        next.all.push(block.clone());
        Ok((next, block))
    }

    /// A copy without the blocks for which `is_ended` holds, and these blocks.
    pub(crate) fn without(&self, is_ended: impl Fn(&Block) -> bool) -> (Self, Vec<Block>) {
        let (ended, all) = self.all.iter().cloned().partition(is_ended);
        (Self { all, latest: self.latest }, ended)
    }

    /// Whether any block refuses routes of a VNI.
    #[inline]
    pub(super) fn concern(&self, vni: Vni) -> bool {
        !self.all.is_empty() && self.all.iter().any(|block| block.what.concerns(vni))
    }

    /// The first block that refuses a route.
    pub(crate) fn of_route(&self, vni: Vni, to: &Destination) -> Option<&Block> {
        self.all.iter().find(|block| block.what.covers(vni, to))
    }

    /// The first block that refuses a peer.
    pub(crate) fn of_peer(&self, peer: &Subject<'_>) -> Option<&Block> {
        self.all.iter().find(|block| block.what.meets(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(text: &str) -> Destination {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_is_itself_or_all_within_in_one_vni_or_in_all() {
        let exact = Blocked::prefix(to("10.0.0.0/8"), false, None);
        assert!(exact.covers(Vni(7), &to("10.0.0.0/8")));
        assert!(!exact.covers(Vni(7), &to("10.1.0.0/16")));
        assert_eq!(exact.to_string(), "prefix 10.0.0.0/8");
        let longer = Blocked::prefix(to("10.0.0.0/8"), true, Some(Vni(7)));
        assert!(longer.covers(Vni(7), &to("10.1.0.0/16")));
        assert!(!longer.covers(Vni(8), &to("10.1.0.0/16")));
        assert_eq!(longer.to_string(), "prefix 10.0.0.0/8 le 32 in VNI 7");
        assert!(Blocked::Vni(Vni(7)).covers(Vni(7), &to("::/0")));
    }

    #[test]
    fn a_peer_is_known_by_its_source_and_by_claimed_and_proven_names() {
        let address = Some("::ffff:192.0.2.7".parse().unwrap());
        let peer = Subject { address, node: Some("hv-1"), ..Subject::default() };
        assert!(Blocked::source(to("192.0.2.0/24")).meets(&peer));
        assert!(!Blocked::source(to("192.0.3.0/24")).meets(&peer));
        assert!(Blocked::Node("hv-1".into()).meets(&peer));
        assert!(!Blocked::Node("hv-2".into()).meets(&peer));
        let proven = Subject { name: Some("hv-2"), ..peer };
        assert!(Blocked::Node("hv-2".into()).meets(&proven));
        assert_eq!(Blocked::source(to("192.0.2.0/24")).to_string(), "source 192.0.2.0/24");
    }

    #[test]
    fn numbers_are_not_used_again() {
        let (blocks, first) = Blocks::default().with(Blocked::Vni(Vni(1)), 0, 9, None).unwrap();
        let (blocks, ended) = blocks.without(|block| block.id == first.id);
        assert_eq!(ended, std::slice::from_ref(&first));
        let (mut blocks, second) = blocks.with(Blocked::Vni(Vni(1)), 0, 9, None).unwrap();
        assert!(second.id > first.id);
        while blocks.iter().len() < BLOCKS {
            blocks = blocks.with(Blocked::Vni(Vni(1)), 0, 9, None).unwrap().0;
        }
        assert_eq!(blocks.with(Blocked::Vni(Vni(1)), 0, 9, None), Err(TooManyBlocks));
        let moved = Blocks::go_on_from(blocks.iter().cloned().collect(), blocks.latest());
        assert_eq!(moved, blocks);
    }
}
