//! Our nexthop objects: their ids, their content, and the number of their users.
//!
//! State: objects by id and by content; the ids in our range that others use. An object is made before the first route
//! that uses it and deleted after the last one; it never changes. Objects that the kernel has already are recognised by
//! their content, so a restart makes none anew. The code here knows no routes: a caller holds each object that its
//! routes use.

use std::collections::BTreeSet;
use std::ops::Range;

use ahash::RandomState;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::strangers::Strangers;
use crate::netlink::model::{Hop, Object, ObjectBody, Request};
use crate::wire::IpVersion;

#[derive(Debug)]
struct ObjectEntry {
    body: ObjectBody,
    /// The number of its users: routes and groups in the kernel, and planned ones.
    users: u32,
    /// Whether it is in the kernel.
    live: bool,
    /// Whether it is from an earlier run: then it stays until all VNIs are complete.
    adopted: bool,
}

/// The fate of objects that the kernel lost.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Objects that are gone, and with them the routes that used them.
    pub(crate) gone: BTreeSet<u32>,
    /// Objects with another content now; the routes that use them are still there.
    pub(crate) changed: BTreeSet<u32>,
}

impl Lost {
    pub(crate) fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.changed.is_empty()
    }
}

/// There are more objects than ids.
#[derive(Debug)]
pub(crate) struct Exhausted;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Objects {
    protocol: u8,
    ids: Range<u32>,
    next: u32,
    by_id: HashMap<u32, ObjectEntry, RandomState>,
    by_body: HashMap<ObjectBody, u32, RandomState>,
    /// Foreign ids in our range.
    taken: HashSet<u32, RandomState>,
    /// Objects to be made, members before groups.
    new: Vec<u32>,
    /// Objects that may be unused now.
    idle: Vec<u32>,
    /// Whether objects of an earlier run may be deleted.
    complete: bool,
    /// Until the first query: objects that routes outside of our tables use. Other objects found then are from an
    /// earlier run; objects of our protocol that appear later are another leaf's.
    elsewhere: Option<BTreeSet<u32>>,
    /// Unknown objects of our protocol: another leaf's, or left behind by one.
    strangers: Strangers,
    /// Ids of objects that may have been made although the kernel's answer did not say so.
    doubtful: BTreeSet<u32>,
}

impl Objects {
    pub(crate) fn new(protocol: u8, ids: Range<u32>, hasher: &RandomState) -> Self {
        Self {
            protocol,
            next: ids.start,
            ids,
            by_id: HashMap::with_hasher(hasher.clone()),
            by_body: HashMap::with_hasher(hasher.clone()),
            taken: HashSet::with_hasher(hasher.clone()),
            new: Vec::new(),
            idle: Vec::new(),
            complete: false,
            elsewhere: Some(BTreeSet::new()),
            strangers: Strangers::default(),
            doubtful: BTreeSet::new(),
        }
    }

    /// Objects that routes outside of our tables use are foreign, whatever their protocol. Call this
    /// before the first query.
    pub(crate) fn used_elsewhere(&mut self, ids: BTreeSet<u32>) {
        self.elsewhere = Some(ids);
    }

    /// The number of own objects in the kernel.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn is_ours(&self, id: u32) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The object of a sorted set of hops; plans to make it if there is none. `version`: that of the object; IPv6
    /// objects serve routes of both versions.
    pub(crate) fn need(&mut self, hops: &[Hop], version: IpVersion) -> Result<u32, Exhausted> {
        if let [hop] = hops {
            return self.find_or_add(ObjectBody::Hop(*hop, version));
        }
        let mut members = SmallVec::new();
        for hop in hops {
            members.push(self.find_or_add(ObjectBody::Hop(*hop, version))?);
        }
        members.sort_unstable();
        self.find_or_add(ObjectBody::Group(members))
    }

    fn find_or_add(&mut self, body: ObjectBody) -> Result<u32, Exhausted> {
        if let Some(&id) = self.by_body.get(&body) {
            return Ok(id);
        }
        let id = self.free_id()?;
        if let ObjectBody::Group(members) = &body {
            for &member in members {
                self.hold(member);
            }
        }
        self.by_body.insert(body.clone(), id);
        self.by_id.insert(id, ObjectEntry { body, users: 0, live: false, adopted: false });
        self.new.push(id);
        // It goes unless a route holds it in the end.
        self.idle.push(id);
        Ok(id)
    }

    fn free_id(&mut self) -> Result<u32, Exhausted> {
        for _ in self.ids.clone() {
            let id = self.next;
            self.next = if id + 1 < self.ids.end { id + 1 } else { self.ids.start };
            if !self.by_id.contains_key(&id) && !self.taken.contains(&id) {
                return Ok(id);
            }
        }
        Err(Exhausted)
    }

    /// One more user.
    pub(crate) fn hold(&mut self, id: u32) {
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.users += 1;
        }
    }

    /// One user fewer.
    pub(crate) fn release(&mut self, id: u32) {
        let Some(entry) = self.by_id.get_mut(&id) else { return };
        entry.users = entry.users.saturating_sub(1);
        if entry.users == 0 {
            self.idle.push(id);
        }
    }

    /// The hops that an object leads to, sorted.
    pub(crate) fn hops(&self, id: u32) -> SmallVec<[Hop; 4]> {
        let mut hops = SmallVec::new();
        let hop = |id: &u32| match self.by_id.get(id).map(|entry| &entry.body) {
            Some(ObjectBody::Hop(hop, _)) => Some(*hop),
            _ => None,
        };
        match self.by_id.get(&id).map(|entry| &entry.body) {
            Some(ObjectBody::Hop(hop, _)) => hops.push(*hop),
            Some(ObjectBody::Group(members)) => hops.extend(members.iter().filter_map(hop)),
            Some(ObjectBody::Foreign) | None => {}
        }
        hops.sort_unstable();
        hops
    }

    /// Requests that make missing objects, with their ids: hops, and with the next call groups. Not together: if a
    /// foreign object had a member's id, the group would contain it.
    pub(crate) fn additions(&mut self, requests: &mut Vec<Request>, about: &mut Vec<u32>) {
        let of_group = |objects: &Self, id: &u32| !objects.members(*id).is_empty();
        let waits =
            |objects: &Self, id: &u32| objects.by_id.get(id).is_some_and(|entry| !entry.live);
        let held =
            |objects: &Self, id: &u32| objects.by_id.get(id).is_some_and(|entry| entry.users > 0);
        let mut new = std::mem::take(&mut self.new);
        new.retain(|id| waits(self, id));
        // An object that no route holds yet may still be needed.
        let (new, unheld): (Vec<_>, Vec<_>) = new.into_iter().partition(|id| held(self, id));
        let (groups, hops): (Vec<_>, Vec<_>) = new.into_iter().partition(|id| of_group(self, id));
        self.new = unheld;
        let now = if hops.is_empty() {
            groups
        } else {
            self.new.extend(groups);
            hops
        };
        for id in now {
            let Some(entry) = self.by_id.get(&id) else { continue };
            let (protocol, body) = (self.protocol, entry.body.clone());
            requests.push(Request::AddObject(Object { id, protocol, body }));
            about.push(id);
        }
    }

    /// Groups to be made that have a member for which `members` holds, each with that member.
    pub(crate) fn waiting_for(&self, members: impl Fn(u32) -> bool) -> Vec<(u32, u32)> {
        let waiting = self.new.iter().filter_map(|&group| {
            let member = self.members(group).iter().find(|&&member| members(member))?;
            Some((group, *member))
        });
        waiting.collect()
    }

    /// The kernel made an object.
    pub(crate) fn added(&mut self, id: u32) {
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.live = true;
        }
    }

    /// The kernel did not make an object. `taken`: because the id is in use.
    pub(crate) fn refused(&mut self, id: u32, taken: bool) {
        self.forget(id);
        if taken {
            self.taken.insert(id);
        } else {
            self.doubtful.insert(id);
        }
    }

    /// The members of a group.
    pub(crate) fn members(&self, id: u32) -> &[u32] {
        match self.by_id.get(&id).map(|entry| &entry.body) {
            Some(ObjectBody::Group(members)) => members,
            _ => &[],
        }
    }

    /// Requests that delete unused objects, groups before members.
    pub(crate) fn deletions(&mut self, requests: &mut Vec<Request>, about: &mut Vec<u32>) {
        let (mut groups, mut others) = (BTreeSet::new(), BTreeSet::new());
        while let Some(id) = self.idle.pop() {
            let Some(entry) = self.by_id.get(&id) else { continue };
            if entry.users > 0 || entry.adopted && !self.complete {
                continue;
            }
            if !entry.live {
                // This may make its members idle.
                self.forget(id);
            } else if matches!(entry.body, ObjectBody::Group(_)) {
                groups.insert(id);
            } else {
                others.insert(id);
            }
        }
        about.extend(groups.into_iter().chain(others));
        requests.extend(about.iter().map(|&id| Request::DeleteObject { id }));
    }

    /// The kernel has deleted an object, or never had it.
    pub(crate) fn forget(&mut self, id: u32) {
        let Some(entry) = self.remove(id) else { return };
        if let ObjectBody::Group(members) = entry.body {
            for member in members {
                self.release(member);
            }
        }
    }

    /// From now on objects of earlier runs may be deleted.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
        self.sweep();
    }

    /// Notes all unused objects as idle.
    pub(crate) fn sweep(&mut self) {
        let unused = self.by_id.iter().filter(|(_, entry)| entry.users == 0);
        self.idle.extend(unused.map(|(&id, _)| id));
    }

    /// Other programs deleted objects. Users must be counted anew afterwards.
    pub(crate) fn lose(&mut self, ids: &BTreeSet<u32>) -> Lost {
        let mut lost = Lost::default();
        for &id in ids {
            if self.remove(id).is_some() {
                lost.gone.insert(id);
            }
        }
        if lost.gone.is_empty() {
            return lost;
        }
        let hit = |entry: &ObjectEntry| match &entry.body {
            ObjectBody::Group(members) => members.iter().any(|member| lost.gone.contains(member)),
            _ => false,
        };
        let groups: Vec<_> =
            self.by_id.iter().filter(|(_, entry)| hit(entry)).map(|(&id, _)| id).collect();
        for id in groups {
            // The kernel takes the member out of the group, and deletes a group without members.
            let Some(entry) = self.remove(id) else { continue };
            let ObjectBody::Group(mut members) = entry.body else { continue };
            members.retain(|member| !lost.gone.contains(member));
            if members.is_empty() {
                lost.gone.insert(id);
            } else {
                self.insert_found(id, ObjectBody::Group(members), entry.adopted);
                lost.changed.insert(id);
            }
        }
        lost
    }

    /// Takes in all objects that the kernel has. Users must be counted anew afterwards.
    pub(crate) fn saw(&mut self, mut dump: Vec<Object>) -> Lost {
        let mut lost = Lost::default();
        dump.retain(|object| self.ids.contains(&object.id));
        dump.sort_unstable_by_key(|object| object.id);
        self.taken.clear();
        self.strangers.begin();
        let mut elsewhere = self.elsewhere.take();
        if let Some(elsewhere) = &mut elsewhere {
            for object in &dump {
                if let ObjectBody::Group(members) = &object.body
                    && elsewhere.contains(&object.id)
                {
                    elsewhere.extend(members);
                }
            }
        }
        let doubtful = std::mem::take(&mut self.doubtful);
        let seen: Vec<_> = dump.iter().map(|object| object.id).collect();
        for object in dump {
            let ours = object.protocol == self.protocol
                && (self.by_id.contains_key(&object.id)
                    || elsewhere.as_ref().is_some_and(|used| !used.contains(&object.id))
                    || doubtful.contains(&object.id));
            if ours && self.by_id.get(&object.id).is_some_and(|entry| entry.body == object.body) {
                continue;
            }
            let known = self.remove(object.id);
            if known.is_some() {
                lost.changed.insert(object.id);
            }
            if ours {
                let adopted = known.is_none_or(|entry| entry.adopted);
                self.insert_found(object.id, object.body, adopted);
            } else {
                self.taken.insert(object.id);
                if object.protocol == self.protocol {
                    self.strangers.add(object);
                }
            }
        }
        let missing = |id: &&u32| seen.binary_search(id).is_err();
        let missing: Vec<_> = self.by_id.keys().filter(missing).copied().collect();
        for id in missing {
            self.remove(id);
            lost.gone.insert(id);
        }
        lost
    }

    /// Whether an own object is in the kernel as it was made. A foreign object in its place keeps the id.
    pub(crate) fn confirm(&mut self, object: &Object) -> bool {
        let ours = object.protocol == self.protocol;
        let is_known = self.by_id.get(&object.id).is_some_and(|entry| entry.body == object.body);
        if !(ours && is_known) {
            self.taken.insert(object.id);
        }
        ours && is_known
    }

    /// Whether there are unknown objects of our protocol.
    pub(crate) fn has_strangers(&self) -> bool {
        !self.strangers.is_empty()
    }

    /// Takes over strangers without users, at the second query, so that they are deleted like all
    /// unused objects. `used`: the objects that routes use. Returns whether there were any; then users
    /// must be counted anew.
    pub(crate) fn take_unused(&mut self, mut used: BTreeSet<u32>) -> bool {
        self.add_members(&mut used);
        let unused = self.strangers.unused_again(used);
        for object in &unused {
            self.taken.remove(&object.id);
            self.insert_found(object.id, object.body.clone(), false);
        }
        !unused.is_empty()
    }

    /// Gives up the objects that foreign routes use by now. Users must be counted anew
    /// afterwards.
    pub(crate) fn spare(&mut self, mut used: BTreeSet<u32>) {
        self.add_members(&mut used);
        for id in used {
            if self.remove(id).is_some() {
                self.taken.insert(id);
            }
        }
    }

    /// Adds the members of own groups in `used`.
    fn add_members(&self, used: &mut BTreeSet<u32>) {
        let members: Vec<_> = used.iter().flat_map(|&id| self.members(id)).copied().collect();
        used.extend(members);
    }

    fn remove(&mut self, id: u32) -> Option<ObjectEntry> {
        let entry = self.by_id.remove(&id)?;
        if self.by_body.get(&entry.body) == Some(&id) {
            self.by_body.remove(&entry.body);
        }
        Some(entry)
    }

    fn insert_found(&mut self, id: u32, body: ObjectBody, adopted: bool) {
        // The first of two equal objects is used.
        self.by_body.entry(body.clone()).or_insert(id);
        self.by_id.insert(id, ObjectEntry { body, users: 0, live: true, adopted });
    }

    /// Counts users anew: own groups, and `routes`, the objects of the routes.
    pub(crate) fn recount(&mut self, routes: impl Iterator<Item = u32>) {
        let groups: Vec<_> = self
            .by_id
            .values_mut()
            .filter_map(|entry| {
                entry.users = 0;
                match &entry.body {
                    ObjectBody::Group(members) => Some(members.clone()),
                    _ => None,
                }
            })
            .collect();
        for id in groups.into_iter().flatten().chain(routes) {
            self.hold(id);
        }
        self.sweep();
    }
}
