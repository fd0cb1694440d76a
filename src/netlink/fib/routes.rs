//! Every route that is announced or installed, each once: what is wanted of it and what the kernel
//! is believed to have.
//!
//! State: slots, an index by key, the number of own routes per table. A slot's number stays the
//! same until [`Routes::release`], so lists of work hold four bytes per route and look nothing up.

use std::ops::{Index, IndexMut};

use ahash::RandomState;
use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;

use super::config::Target;
use crate::ids::Moment;
use crate::netlink::model::{Hop, RouteKey, Via};
use crate::wire::Vni;

/// The most hops announced for one destination. Far more than a route can have; a lookup walks through
/// them one by one.
pub(crate) const WANTED_MAX: usize = 4096;

/// A hop announced for a destination, and the number of routes that announce it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    pub(crate) routes: u32,
}

/// The own route that the kernel is believed to have under a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Actual {
    Absent,
    /// A route with a nexthop object.
    Object(u32),
    /// A route with hops of its own, sorted.
    Hops(Box<[Hop]>),
    /// A route of our protocol in another form.
    Other,
}

impl Actual {
    pub(crate) fn of(via: &Via) -> Self {
        match via {
            Via::Object(id) => Self::Object(*id),
            Via::Hops(hops) => Self::Hops(hops.as_slice().into()),
            Via::Foreign => Self::Other,
        }
    }

    /// Its form; `None` for a form that this program never writes.
    pub(crate) fn via(&self) -> Option<Via> {
        match self {
            Self::Object(id) => Some(Via::Object(*id)),
            Self::Hops(hops) => Some(Via::Hops(SmallVec::from_slice(hops))),
            Self::Absent | Self::Other => None,
        }
    }

    pub(crate) fn is(&self, via: &Via) -> bool {
        match (self, via) {
            (Self::Object(id), Via::Object(other)) => id == other,
            (Self::Hops(hops), Via::Hops(others)) => **hops == **others,
            _ => false,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct RouteSlot {
    pub(crate) key: RouteKey,
    /// The announced hops; empty when the destination is not announced.
    pub(crate) wanted: SmallVec<[Wanted; 1]>,
    pub(crate) actual: Actual,
    /// Since when the kernel has it in this form; meaningless while it has none.
    pub(crate) since: Moment,
    /// Whether it was found in that form, and not installed.
    pub(crate) was_found: bool,
    /// Whether it is in the list of routes to be examined.
    pub(crate) dirty: bool,
    /// Whether the kernel has the wanted route, as far as known.
    pub(crate) done: bool,
    /// Found at start, while its VNI is not complete yet: hops that it has beyond the announced ones
    /// stay.
    pub(crate) adopted: bool,
    /// Whether one dump had it although it is not announced and all routes are known.
    pub(crate) stray: bool,
    /// Whether the slot was released.
    pub(crate) vacant: bool,
    /// The last dump that had it.
    seen: u32,
}

impl RouteSlot {
    /// The VNI whose route is installed: the lowest of several.
    pub(crate) fn source(&self) -> Option<Vni> {
        self.wanted.iter().map(|wanted| wanted.target.source).min()
    }

    /// Whether several VNIs announce the destination.
    pub(crate) fn is_contested(&self) -> bool {
        let mut sources = self.wanted.iter().map(|wanted| wanted.target.source);
        sources.next().is_some_and(|first| sources.any(|source| source != first))
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Routes {
    slots: Vec<RouteSlot>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
    /// Own routes in the kernel, by table.
    installed: HashMap<u32, u32, RandomState>,
    dump: u32,
    /// The number of announced destinations.
    wanted: usize,
}

impl Routes {
    pub(crate) fn new(hasher: &RandomState) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: hasher.clone(),
            installed: HashMap::with_hasher(hasher.clone()),
            dump: 0,
            wanted: 0,
        }
    }

    pub(crate) fn find(&self, key: &RouteKey) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |&id| self[id].key == *key).copied()
    }

    /// The slot of a key; an empty one if there was none.
    pub(crate) fn find_or_insert(&mut self, key: &RouteKey) -> u32 {
        let hash = self.hasher.hash_one(key);
        if let Some(&id) = self.index.find(hash, |&id| self[id].key == *key) {
            return id;
        }
        let slot = RouteSlot {
            key: *key,
            wanted: SmallVec::new(),
            actual: Actual::Absent,
            since: Moment::default(),
            was_found: false,
            dirty: false,
            done: false,
            adopted: false,
            stray: false,
            vacant: false,
            seen: 0,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self[id] = slot;
                id
            }
            None => {
                // Four billion slots would take hundreds of gigabytes.
                let id = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
                self.slots.push(slot);
                id
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, id, |&id| hasher.hash_one(slots[id as usize].key));
        id
    }

    /// Releases a slot if its route is neither wanted nor in the kernel.
    ///
    /// Returns whether it was released.
    pub(crate) fn release(&mut self, id: u32) -> bool {
        let slot = &self[id];
        if !slot.wanted.is_empty() || slot.actual != Actual::Absent || slot.dirty {
            return false;
        }
        let hash = self.hasher.hash_one(slot.key);
        let Ok(entry) = self.index.find_entry(hash, |&other| other == id) else { return false };
        entry.remove();
        self[id].vacant = true;
        self.free.push(id);
        true
    }

    /// One more route announces a hop. `false` when the destination has the most hops already.
    pub(crate) fn announce(&mut self, id: u32, target: Target) -> bool {
        let slot = &mut self.slots[id as usize];
        let is_full = slot.wanted.len() == WANTED_MAX;
        match slot.wanted.iter_mut().find(|wanted| wanted.target == target) {
            Some(wanted) => wanted.routes += 1,
            None if is_full => return false,
            None => {
                self.wanted += usize::from(slot.wanted.is_empty());
                slot.wanted.push(Wanted { target, routes: 1 });
            }
        }
        true
    }

    /// One route fewer announces a hop.
    pub(crate) fn withdraw(&mut self, id: u32, target: Target) {
        let slot = &mut self.slots[id as usize];
        let Some(place) = slot.wanted.iter().position(|wanted| wanted.target == target) else {
            return;
        };
        slot.wanted[place].routes -= 1;
        if slot.wanted[place].routes == 0 {
            slot.wanted.swap_remove(place);
            self.wanted -= usize::from(slot.wanted.is_empty());
        }
    }

    /// Withdraws the hops for which `goes` holds; returns whether there were any.
    pub(crate) fn withdraw_of(&mut self, id: u32, goes: impl Fn(&Target) -> bool) -> bool {
        let slot = &mut self.slots[id as usize];
        let before = slot.wanted.len();
        slot.wanted.retain(|wanted| !goes(&wanted.target));
        self.wanted -= usize::from(before > 0 && slot.wanted.is_empty());
        slot.wanted.len() < before
    }

    /// Withdraws all announcements.
    pub(crate) fn withdraw_all(&mut self) {
        for slot in &mut self.slots {
            slot.wanted.clear();
        }
        self.wanted = 0;
    }

    /// Sets the kernel's state of a route. Returns the state before.
    pub(crate) fn set_actual(&mut self, id: u32, actual: Actual) -> Actual {
        let slot = &mut self.slots[id as usize];
        let old = std::mem::replace(&mut slot.actual, actual);
        let (was, is) = (old != Actual::Absent, slot.actual != Actual::Absent);
        if was != is {
            let count = self.installed.entry(slot.key.table).or_insert(0);
            *count = if is { *count + 1 } else { count.saturating_sub(1) };
        }
        old
    }

    /// A dump begins.
    pub(crate) fn begin_dump(&mut self) {
        self.dump = self.dump.wrapping_add(1).max(1);
    }

    /// The dump has a route. `false` when it had the route already.
    pub(crate) fn see(&mut self, id: u32) -> bool {
        let dump = self.dump;
        std::mem::replace(&mut self[id].seen, dump) != dump
    }

    pub(crate) fn was_seen(&self, id: u32) -> bool {
        self[id].seen == self.dump
    }

    /// The number of own routes in a table.
    pub(crate) fn installed_in(&self, table: u32) -> u32 {
        self.installed.get(&table).copied().unwrap_or(0)
    }

    /// The number of own routes in all tables.
    pub(crate) fn installed(&self) -> usize {
        self.installed.values().map(|&count| count as usize).sum()
    }

    /// The number of announced destinations.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    /// All slots in use.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.index.iter().copied()
    }
}

impl Index<u32> for Routes {
    type Output = RouteSlot;

    fn index(&self, id: u32) -> &RouteSlot {
        &self.slots[id as usize]
    }
}

impl IndexMut<u32> for Routes {
    fn index_mut(&mut self, id: u32) -> &mut RouteSlot {
        &mut self.slots[id as usize]
    }
}
