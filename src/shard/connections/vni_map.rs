//! A map by VNI for one peer: mostly with one entry, possibly with any number.
//!
//! A leaf of a small network takes part in one VNI, and there are many such leaves: the first entry
//! lies in the map itself. Up to [`FEW`] are looked through, more are in a tree. Both are in ascending
//! order, so nothing depends on hashes and no peer can choose VNIs that collide.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::wire::Vni;

/// The number of entries up to which a search looks at one after the other.
const FEW: usize = 8;

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::shard) struct VniMap<V> {
    /// In order; empty when there are many.
    few: SmallVec<[(Vni, V); 1]>,
    #[expect(clippy::box_collection, reason = "few maps have it, and each has room for it")]
    many: Option<Box<BTreeMap<Vni, V>>>,
}

impl<V> Default for VniMap<V> {
    fn default() -> Self {
        Self { few: SmallVec::new(), many: None }
    }
}

impl<V> VniMap<V> {
    pub(in crate::shard) fn get(&self, vni: Vni) -> Option<&V> {
        match &self.many {
            None => self.few.iter().find(|entry| entry.0 == vni).map(|entry| &entry.1),
            Some(many) => many.get(&vni),
        }
    }

    pub(in crate::shard) fn get_mut(&mut self, vni: Vni) -> Option<&mut V> {
        match &mut self.many {
            None => self.few.iter_mut().find(|entry| entry.0 == vni).map(|entry| &mut entry.1),
            Some(many) => many.get_mut(&vni),
        }
    }

    pub(in crate::shard) fn remove(&mut self, vni: Vni) -> Option<V> {
        let Some(many) = &mut self.many else {
            let place = self.few.iter().position(|entry| entry.0 == vni)?;
            return Some(self.few.remove(place).1);
        };
        let removed = many.remove(&vni);
        if many.is_empty() {
            self.many = None;
        }
        removed
    }

    /// VNIs from a given VNI on, in ascending order.
    pub(in crate::shard) fn keys_from(&self, from: Vni) -> impl Iterator<Item = Vni> {
        let few = self.few.iter().map(|entry| entry.0).filter(move |vni| *vni >= from);
        let many = self.many.iter().flat_map(move |many| many.range(from..));
        few.chain(many.map(|entry| *entry.0))
    }

    /// All entries, in ascending order.
    pub(in crate::shard) fn iter(&self) -> impl Iterator<Item = (Vni, &V)> {
        let few = self.few.iter().map(|(vni, value)| (*vni, value));
        few.chain(self.many.iter().flat_map(|many| many.iter()).map(|(vni, value)| (*vni, value)))
    }

    /// The same, to change them.
    pub(in crate::shard) fn iter_mut(&mut self) -> impl Iterator<Item = (Vni, &mut V)> {
        let few = self.few.iter_mut().map(|(vni, value)| (*vni, value));
        let many = self.many.iter_mut().flat_map(|many| many.iter_mut());
        few.chain(many.map(|(vni, value)| (*vni, value)))
    }

    /// Removes all entries. Returns them in ascending order of their VNIs.
    pub(in crate::shard) fn take(&mut self) -> impl Iterator<Item = (Vni, V)> + use<V> {
        let Self { few, many } = std::mem::take(self);
        few.into_iter().chain(many.into_iter().flat_map(|many| *many))
    }
}

impl<V: Default> VniMap<V> {
    /// The entry of a VNI, which is made if there is none.
    pub(in crate::shard) fn or_default(&mut self, vni: Vni) -> &mut V {
        if self.many.is_none() {
            let place = self.few.partition_point(|entry| entry.0 < vni);
            let is_there = self.few.get(place).is_some_and(|entry| entry.0 == vni);
            if is_there || self.few.len() < FEW {
                if !is_there {
                    self.few.insert(place, (vni, V::default()));
                }
                return &mut self.few[place].1;
            }
        }
        let few = &mut self.few;
        let many =
            self.many.get_or_insert_with(|| Box::new(std::mem::take(few).into_iter().collect()));
        many.entry(vni).or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_vni_takes_no_memory_of_its_own() {
        let mut map = VniMap::<[u32; 6]>::default();
        map.or_default(Vni(7));
        assert!(!map.few.spilled() && map.many.is_none());
    }

    proptest! {
        #[test]
        fn it_holds_what_a_tree_would(steps in prop::collection::vec((0..3_u8, 0..20_u32), 0..200)) {
            let mut map = VniMap::<u32>::default();
            let mut tree = BTreeMap::<Vni, u32>::new();
            for (step, vni) in steps {
                let vni = Vni(vni);
                match step {
                    0 => prop_assert_eq!(map.remove(vni), tree.remove(&vni)),
                    _ => {
                        *map.or_default(vni) += 1;
                        *tree.entry(vni).or_default() += 1;
                    }
                }
                prop_assert_eq!(map.get(vni), tree.get(&vni));
                prop_assert_eq!(map.get_mut(vni), tree.get_mut(&vni));
                let from = tree.range(vni..).map(|entry| *entry.0);
                prop_assert!(map.keys_from(vni).eq(from));
            }
            prop_assert!(map.take().eq(tree));
            prop_assert_eq!(map.keys_from(Vni(0)).count(), 0);
        }
    }
}
