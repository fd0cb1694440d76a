//! The subscriptions of the peers connected here, whichever shard owns the VNI.

use ahash::{AHashMap, RandomState};
use smallvec::SmallVec;

use super::Slot;
use crate::wire::Vni;

/// A subscription.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) slot: Slot,
    pub(super) id: u32,
    pub(super) in_sync: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Subscribers(AHashMap<Vni, SmallVec<[Subscriber; 1]>>);

impl Subscribers {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self(AHashMap::with_hasher(hasher))
    }

    /// The place that the next subscriber of a VNI gets in its list.
    pub(super) fn next_place(&self, vni: Vni) -> u32 {
        self.0.get(&vni).map_or(0, |list| u32::try_from(list.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn add(&mut self, vni: Vni, slot: Slot, id: u32) {
        self.0.entry(vni).or_default().push(Subscriber { slot, id, in_sync: false });
    }

    /// Takes a subscriber out of a list. Returns the subscriber that has its place now.
    pub(super) fn remove(&mut self, vni: Vni, place: u32) -> Option<Slot> {
        let list = self.0.get_mut(&vni)?;
        list.swap_remove(place as usize);
        let moved = list.get(place as usize).map(|subscriber| subscriber.slot);
        if list.is_empty() {
            self.0.remove(&vni);
            if self.0.is_empty() {
                self.0.shrink_to_fit();
            }
        }
        moved
    }

    /// The subscribers of a VNI.
    #[inline]
    pub(super) fn of(&mut self, vni: Vni) -> &mut [Subscriber] {
        self.0.get_mut(&vni).map_or(&mut [], |list| &mut list[..])
    }

    /// The number of VNIs that have subscribers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
