//! [`Layout`]: how many shards there are, and of which kinds.

use crate::ids::ShardId;

/// The shards of a reflector: owners of VNIs, and perhaps behind them one that owns none, for a guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    owners: usize,
    guest: Option<GuestKind>,
}

/// What peers without a connection are to owners of VNIs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GuestKind {
    /// They carry routes between this reflector and those of other sites. It is told what clients subscribe to.
    Federation,
    /// They carry routes between clients and the reflectors that these would have sessions with. It is also told
    /// where clients take part.
    Proxy,
}

impl Layout {
    /// So many shards, each of which owns VNIs.
    pub(crate) fn of(owners: usize) -> Self {
        Self { owners, guest: None }
    }

    /// The same with one more shard, if there is a guest.
    pub(crate) fn hosting(self, guest: Option<GuestKind>) -> Self {
        Self { guest, ..self }
    }

    /// Shards that own VNIs: the first so many.
    pub(crate) fn owners(self) -> usize {
        self.owners
    }

    /// All shards.
    pub(crate) fn all(self) -> usize {
        self.owners + usize::from(self.guest.is_some())
    }

    /// The shard for the guest, if there is one.
    pub(crate) fn guest(self) -> Option<(ShardId, GuestKind)> {
        Some((ShardId::at(self.owners), self.guest?))
    }
}

impl From<usize> for Layout {
    fn from(owners: usize) -> Self {
        Self::of(owners)
    }
}
