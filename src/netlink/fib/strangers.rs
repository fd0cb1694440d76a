//! Nexthop objects that are marked as ours but that this process neither made nor took over.
//!
//! State: those of the last query, and which of them no route used at the query before. Another leaf with the same
//! protocol number has made them, and may be about to use them or may have left them behind: two leaves that overlap do
//! not know each other's objects. An object that no route uses at two queries in a row is left over.

use std::collections::{BTreeMap, BTreeSet};

use crate::netlink::model::{Object, ObjectBody};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    objects: BTreeMap<u32, Object>,
    /// The strangers that no route used at the last query.
    unused: BTreeSet<u32>,
}

impl Strangers {
    /// A query of all objects begins.
    pub(crate) fn begin(&mut self) {
        self.objects.clear();
    }

    /// Adds a stranger.
    pub(crate) fn add(&mut self, object: Object) {
        self.objects.insert(object.id, object);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The strangers that no route used at this query and the last one; they are forgotten here.
    /// `used`: the objects that routes use, and the members of known groups.
    pub(crate) fn unused_again(&mut self, mut used: BTreeSet<u32>) -> Vec<Object> {
        let groups: Vec<_> = used.iter().copied().collect();
        for id in groups {
            if let Some(ObjectBody::Group(members)) = self.objects.get(&id).map(|it| &it.body) {
                used.extend(members);
            }
        }
        let unused: BTreeSet<_> =
            self.objects.keys().copied().filter(|id| !used.contains(id)).collect();
        let again: Vec<_> = unused.intersection(&self.unused).copied().collect();
        self.unused = unused;
        again.iter().filter_map(|id| self.objects.remove(id)).collect()
    }
}
