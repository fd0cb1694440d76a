//! The subscriptions of the peers connected here, whichever shard owns the VNI.

use ahash::{AHashMap, RandomState};

use super::Slot;
use crate::wire::Vni;

/// A subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscriber {
    pub(super) slot: Slot,
    pub(super) id: u32,
    pub(super) in_sync: bool,
}

/// The subscribers of a VNI. Nearly always there is one, so the list of several is elsewhere: the map holds this for
/// each VNI.
#[derive(Debug)]
enum List {
    One(Subscriber),
    #[expect(clippy::box_collection, reason = "few VNIs have it, and each has room for it")]
    Several(Box<Vec<Subscriber>>),
}

impl List {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Several(list) => list.len(),
        }
    }

    fn push(&mut self, subscriber: Subscriber) {
        match self {
            Self::One(first) => *self = Self::Several(Box::new(vec![*first, subscriber])),
            Self::Several(list) => list.push(subscriber),
        }
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [Subscriber] {
        match self {
            Self::One(only) => std::slice::from_mut(only),
            Self::Several(list) => list,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Subscribers(AHashMap<Vni, List>);

impl Subscribers {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self(AHashMap::with_hasher(hasher))
    }

    /// The place that the next subscriber of a VNI gets in its list.
    pub(super) fn next_place(&self, vni: Vni) -> u32 {
        self.0.get(&vni).map_or(0, |list| u32::try_from(list.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn add(&mut self, vni: Vni, slot: Slot, id: u32) {
        let subscriber = Subscriber { slot, id, in_sync: false };
        self.0.entry(vni).and_modify(|list| list.push(subscriber)).or_insert(List::One(subscriber));
    }

    /// Takes a subscriber out of a list. Returns the subscriber that has its place now.
    pub(super) fn remove(&mut self, vni: Vni, place: u32) -> Option<Slot> {
        let list = self.0.get_mut(&vni)?;
        if let List::Several(several) = list {
            several.swap_remove(place as usize);
            let moved = several.get(place as usize).map(|subscriber| subscriber.slot);
            if let [only] = several[..] {
                *list = List::One(only);
            }
            return moved;
        }
        self.0.remove(&vni);
        if self.0.is_empty() {
            self.0.shrink_to_fit();
        }
        None
    }

    /// The subscribers of a VNI.
    #[inline]
    pub(super) fn of(&mut self, vni: Vni) -> &mut [Subscriber] {
        self.0.get_mut(&vni).map_or(&mut [], List::as_mut_slice)
    }

    /// The number of VNIs that have subscribers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
