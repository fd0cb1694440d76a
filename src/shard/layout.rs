//! [`Layout`]: how many shards there are, and of which kinds.

use crate::ids::ShardId;

/// The shards of a reflector: owners of VNIs, and perhaps after them one shard without VNIs, for a guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    owners: usize,
    guest: Option<GuestKind>,
}

/// The kind of a guest: what its peers, which have no connection, do for the reflector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GuestKind {
    /// They carry routes between this reflector and those of other sites. The guest is told which VNIs clients
    /// subscribe to.
    Federation,
    /// They carry routes between clients and the reflectors with which these clients would have sessions. The guest is
    /// also told in which VNIs clients take part.
    Proxy,
}

impl Layout {
    /// This number of shards, each of which owns VNIs.
    pub(crate) fn of(owners: usize) -> Self {
        Self { owners, guest: None }
    }

    /// The same with one more shard, if there is a guest.
    pub(crate) fn hosting(self, guest: Option<GuestKind>) -> Self {
        Self { guest, ..self }
    }

    /// The number of shards that own VNIs; they come first.
    pub(crate) fn owners(self) -> usize {
        self.owners
    }

    /// The number of all shards.
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
