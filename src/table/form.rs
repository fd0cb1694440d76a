//! [`Table`]: a VNI as its shard holds it, packed while nothing happens in it.

use std::ops::Deref;
use std::sync::Arc;

use super::growth::Weight;
use super::member::Origin;
use super::packed::{Packed, TableBasis};
use super::vnet::Vnet;
use super::{Size, Slice, SubscriptionState, VniInfo};
use crate::ids::{PeerId, ShardId};
use crate::wire::Vni;

/// A VNI. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Table {
    vni: Vni,
    basis: Arc<TableBasis>,
    representation: Representation,
}

#[derive(Debug)]
enum Representation {
    Open(Box<Vnet>),
    Packed(Packed),
}

/// A VNI for a look; a packed VNI is unpacked for it.
#[derive(Debug)]
pub(crate) enum VnetRef<'a> {
    Open(&'a Vnet),
    Unpacked(Box<Vnet>),
}

impl Deref for VnetRef<'_> {
    type Target = Vnet;

    fn deref(&self) -> &Vnet {
        match self {
            Self::Open(vnet) => vnet,
            Self::Unpacked(vnet) => vnet,
        }
    }
}

impl Table {
    /// An empty VNI.
    pub(crate) fn new(vni: Vni, basis: Arc<TableBasis>) -> Self {
        Self { vni, basis, representation: Representation::Packed(Packed::new()) }
    }

    /// A VNI that holds something.
    pub(super) fn of(vnet: Vnet, basis: Arc<TableBasis>) -> Self {
        Self { vni: vnet.vni, basis, representation: Representation::Open(Box::new(vnet)) }
    }

    pub(crate) fn vni(&self) -> Vni {
        self.vni
    }

    /// The VNI for any change. Cost: a microsecond or two if it is packed.
    #[inline]
    pub(crate) fn open(&mut self) -> &mut Vnet {
        if let Representation::Packed(packed) = &self.representation {
            self.representation =
                Representation::Open(Box::new(packed.unpack(self.vni, &self.basis)));
        }
        match &mut self.representation {
            Representation::Open(vnet) => vnet,
            Representation::Packed(_) => unreachable!("it has just been unpacked"),
        }
    }

    /// The VNI, if it is open: nothing is under way in a packed one.
    pub(crate) fn opened(&mut self) -> Option<&mut Vnet> {
        match &mut self.representation {
            Representation::Open(vnet) => Some(vnet),
            Representation::Packed(_) => None,
        }
    }

    /// The VNI, for facts that this type does not give itself. Costs the same as [`Table::open`].
    pub(crate) fn look(&self) -> VnetRef<'_> {
        match &self.representation {
            Representation::Open(vnet) => VnetRef::Open(vnet),
            Representation::Packed(packed) => {
                VnetRef::Unpacked(Box::new(packed.unpack(self.vni, &self.basis)))
            }
        }
    }

    /// Packs it, if nothing is under way and it is small.
    pub(crate) fn pack(&mut self) {
        if let Representation::Open(vnet) = &mut self.representation
            && let Some(packed) = Packed::of(vnet)
        {
            self.representation = Representation::Packed(packed);
        }
    }

    /// Whether it is packed and a peer takes part: there is nothing to forget.
    pub(crate) fn rests(&self) -> bool {
        matches!(&self.representation, Representation::Packed(packed) if !packed.is_empty())
    }

    /// Whether a peer has left and its routes may still be here.
    pub(crate) fn has_left(&self, peer: PeerId) -> bool {
        match &self.representation {
            Representation::Open(vnet) => vnet.has_left(peer),
            Representation::Packed(_) => false,
        }
    }

    /// See [`Vnet::relocate`]. A packed VNI stays packed.
    pub(crate) fn relocate(&mut self, peer: PeerId, to: ShardId) -> bool {
        match &mut self.representation {
            Representation::Open(vnet) => vnet.relocate(peer, to),
            Representation::Packed(packed) => packed.relocate(peer, to),
        }
    }

    /// Whether a peer subscribes.
    pub(crate) fn is_subscriber(&self, peer: PeerId) -> bool {
        match &self.representation {
            Representation::Open(vnet) => vnet.is_subscriber(peer),
            Representation::Packed(packed) => packed.is_subscriber(peer),
        }
    }

    /// Whether a client subscribes.
    pub(crate) fn is_wanted(&self) -> bool {
        match &self.representation {
            Representation::Open(vnet) => vnet.members.is_wanted(),
            Representation::Packed(packed) => packed.is_wanted(),
        }
    }

    /// Whether a client subscribes or announces.
    pub(crate) fn has_clients(&self) -> bool {
        match &self.representation {
            Representation::Open(vnet) => vnet.members.has_clients(),
            Representation::Packed(packed) => packed.has_clients(),
        }
    }

    /// How large it is.
    pub(crate) fn size(&self) -> Size {
        match &self.representation {
            Representation::Open(vnet) => vnet.size(),
            Representation::Packed(packed) => packed.size(),
        }
    }

    /// Its weight against limits.
    pub(crate) fn weight(&self) -> Weight {
        match &self.representation {
            Representation::Open(vnet) => vnet.weight(),
            Representation::Packed(packed) => packed.weight(),
        }
    }

    /// Changes that were merged into an earlier one of the open batch and have not been counted yet.
    pub(crate) fn coalesced(&self) -> u64 {
        match &self.representation {
            Representation::Open(vnet) => vnet.coalesced,
            Representation::Packed(_) => 0,
        }
    }

    /// The VNI as a row.
    pub(crate) fn info(&self, shard: ShardId) -> VniInfo {
        match &self.representation {
            Representation::Open(vnet) => vnet.info(shard),
            Representation::Packed(packed) => packed.info(self.vni, shard),
        }
    }

    /// See [`Vnet::subscribers`].
    pub(crate) fn subscribers(
        &self,
        from: u32,
        rows: usize,
        places: u32,
    ) -> Slice<(Origin, SubscriptionState)> {
        match &self.representation {
            Representation::Open(vnet) => vnet.subscribers(from, rows, places),
            Representation::Packed(packed) => packed.subscribers(from),
        }
    }
}
